//! How an exchange ended: `status-code` (RFC 6618 section 5.5.4).

use std::fmt;

/// The codes that are sent. 100 is not among them: nothing but the final response has a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Status {
    /// 200: the final response holds the grant.
    Ok = 200,
    /// 400: the request is malformed or out of place.
    Malformed = 400,
    /// 401: not authenticated or not authorised; an unknown and a disabled name too.
    NotAuthenticated = 401,
    /// 500: the HAC's own fault.
    ServerError = 500,
    /// 501: a version, method or suite that the HAC does not have.
    NotImplemented = 501,
    /// 503: overloaded or rate limited; comes with `retry-after`.
    Unavailable = 503,
    /// 504: the AAA server did not answer.
    GatewayTimeout = 504,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 7] = [
        Self::Ok,
        Self::Malformed,
        Self::NotAuthenticated,
        Self::ServerError,
        Self::NotImplemented,
        Self::Unavailable,
        Self::GatewayTimeout,
    ];

    /// The three digits as a number.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// `None` for a code that is not of the list, 100 included.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "granted",
            Self::Malformed => "malformed request",
            Self::NotAuthenticated => "not authenticated or not authorised",
            Self::ServerError => "internal error of the HAC",
            Self::NotImplemented => "version, method or suite not available",
            Self::Unavailable => "temporarily unavailable",
            Self::GatewayTimeout => "the AAA server did not answer",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.code(), self.meaning())
    }
}
