//! Why one end does not take the other's message, and who is at fault.

use super::Status;
use crate::wire::container::ContainerError;
use crate::wire::header::{HeaderError, Name};

/// Who is at fault. Each has one status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The octets are not of the grammar: 400.
    Malformed,
    /// Well-formed, but against the rules of the exchange: 400.
    Misbehaved,
    /// The other end has not shown that it is who it says: 401.
    NotAuthenticated,
    /// Nothing is wrong, but the two ends have nothing in common: 501.
    Incompatible,
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The container's Length is 0 or does not agree with the message.
    #[error("the message container is malformed")]
    Container,
    /// The Content is no sequence of TV-headers.
    #[error("the TV-headers are malformed: {0}")]
    Headers(#[from] HeaderError),
    /// A header that the message must have is not there.
    #[error("the header {0} is missing")]
    Missing(Name),
    /// A header's value is not of its grammar, or out of range.
    #[error("the value of the header {0} is malformed or out of range")]
    Value(Name),
    /// The Identifier does not start at 1, does not rise, or is not the request's.
    #[error("the Identifier does not follow from the messages before")]
    Identifier,
    /// A response says that the exchange succeeded where it cannot have.
    #[error("status-code 200 came before the exchange was complete")]
    PrematureSuccess,
    /// The HAC selected a suite that the mobile node had not listed.
    #[error("the HAC selected a cipher suite that was not offered")]
    SuiteNotOffered,
    /// Both directions have the same key: reflected packets would pass.
    #[error("the HAC gave the same key for both directions")]
    SameKeys,
    /// The security association has ended by the HAC's own clock.
    #[error("the granted security association has already ended")]
    AlreadyEnded,
    /// The HAC wants user data in the clear and the mobile node's configuration does not.
    #[error("the HAC does not protect user data (mip6-sas 0), which this node's configuration demands")]
    UserDataInTheClear,
    /// Every packet would have sequence number 0, so that none can carry data, and the HAC wants data in such packets only.
    #[error("the HAC grants a NULL suite with mip6-sas 1, which in profile draft-04 can carry no data")]
    UnnumberedUserData,
    /// `auth` is not what the key gives: wrong key, wrong profile or wrong channel binding.
    #[error("auth is wrong: pre-shared keys or profiles differ, or someone stands between the two ends of TLS")]
    WrongAuth,
    /// A nonce that came back is not the one sent.
    #[error("a nonce is not the one that was sent")]
    WrongNonce,
    /// The right `auth` for a name that does not exist.
    #[error("there is no such mobile node")]
    UnknownName,
    /// The container's version is not 0.
    #[error("the message container's version is not 0")]
    Version,
    /// None of the offered methods is there.
    #[error("no authentication method in common")]
    NoCommonMethod,
    /// EAP stopped, or came to another end than the message that carries it says.
    #[error("EAP and the exchange that carries it do not agree")]
    EapAndStatusDisagree,
    /// None of the offered suites is there.
    #[error("no cipher suite in common")]
    NoCommonSuite,
}

impl Rejection {
    /// Who is at fault.
    pub const fn fault(self) -> Fault {
        match self {
            Self::Container | Self::Headers(_) | Self::Missing(_) | Self::Value(_) => Fault::Malformed,
            Self::Identifier
            | Self::PrematureSuccess
            | Self::EapAndStatusDisagree
            | Self::SuiteNotOffered
            | Self::SameKeys
            | Self::AlreadyEnded
            | Self::UnnumberedUserData => Fault::Misbehaved,
            Self::WrongAuth | Self::WrongNonce | Self::UnknownName => Fault::NotAuthenticated,
            Self::Version | Self::NoCommonMethod | Self::NoCommonSuite | Self::UserDataInTheClear => Fault::Incompatible,
        }
    }

    /// The status with which a HAC answers.
    pub const fn status(self) -> Status {
        match self.fault() {
            Fault::Malformed | Fault::Misbehaved => Status::Malformed,
            Fault::NotAuthenticated => Status::NotAuthenticated,
            Fault::Incompatible => Status::NotImplemented,
        }
    }
}

impl From<ContainerError> for Rejection {
    fn from(error: ContainerError) -> Self {
        match error {
            ContainerError::Version => Self::Version,
            ContainerError::Length | ContainerError::Empty => Self::Container,
        }
    }
}
