//! GPSK's messages as Type-Data (RFC 5433 section 9.3): an OP-Code, fields in the order of the figures, and in most a MAC at the end.
//! Called by both ends. No MAC is checked here.

use super::{Keys, RAND_LEN, Suite};
use crate::eap::{MAX_IDENTITY_LEN, MethodError};

/// Suites in the longest CSuite_List that is taken; two are registered.
pub const MAX_SUITES: usize = 16;
/// Octets of the longest block of protected data that is taken. No kind of data is registered: a block is skipped, whatever is in it.
pub const MAX_PROTECTED_DATA_LEN: usize = 1024;

/// A nonce.
pub type Rand = [u8; RAND_LEN];
/// A suite as it stands on the wire, ours or not.
pub type SuiteOctets = [u8; Suite::LEN];

/// One message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// From the server.
    Gpsk1(Gpsk1<'a>),
    /// From the peer.
    Gpsk2(Gpsk2<'a>, Signed<'a>),
    /// From the server.
    Gpsk3(Gpsk3<'a>, Signed<'a>),
    /// From the peer, which has nothing to say any more.
    Gpsk4(Signed<'a>),
    /// From the server, echoed by the peer.
    Fail(FailureCode),
    /// From the server, echoed by the peer.
    ProtectedFail(FailureCode, Signed<'a>),
}

/// GPSK-1 (figure 6).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Gpsk1<'a> {
    /// ID_Server, up to 253 octets.
    pub id_server: &'a [u8],
    /// RAND_Server.
    pub rand_server: &'a Rand,
    /// CSuite_List, up to [`MAX_SUITES`] suites.
    pub suites: &'a [u8],
}

/// GPSK-2 (figure 7).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Gpsk2<'a> {
    /// ID_Peer, up to 253 octets.
    pub id_peer: &'a [u8],
    /// ID_Server, as it came.
    pub id_server: &'a [u8],
    /// RAND_Peer.
    pub rand_peer: &'a Rand,
    /// RAND_Server, as it came.
    pub rand_server: &'a Rand,
    /// CSuite_List, as it came.
    pub suites: &'a [u8],
    /// CSuite_Sel.
    pub suite: SuiteOctets,
}

/// GPSK-3 (figure 8).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Gpsk3<'a> {
    /// RAND_Peer, as it came.
    pub rand_peer: &'a Rand,
    /// RAND_Server.
    pub rand_server: &'a Rand,
    /// ID_Server.
    pub id_server: &'a [u8],
    /// CSuite_Sel, as it came.
    pub suite: SuiteOctets,
}

/// The MAC at the end of a message, and all that stands between the OP-Code and it. Its length is the suite's, which the keys know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signed<'a> {
    pub(super) covered: &'a [u8],
    pub(super) mac: &'a [u8],
}

/// Failure-Code (figures 10 and 11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureCode(pub u32);

impl FailureCode {
    /// There is no key for this identity. Never sent: it would tell which names exist.
    pub const PSK_NOT_FOUND: Self = Self(1);
    /// The MAC is wrong, or there is no key for this identity.
    pub const AUTHENTICATION: Self = Self(2);
    /// The key is right, and the peer is not allowed in.
    pub const AUTHORIZATION: Self = Self(3);
}

const GPSK_1: u8 = 1;
const GPSK_2: u8 = 2;
const GPSK_3: u8 = 3;
const GPSK_4: u8 = 4;
const FAIL: u8 = 5;
const PROTECTED_FAIL: u8 = 6;

/// Reads Type-Data.
///
/// # Errors
/// [`MethodError::Malformed`]: an unknown OP-Code, a field cut short, octets too many, a list that is not of whole suites.
/// [`MethodError::TooLong`]: an identity, a list or a block above its bound.
pub fn parse(data: &[u8]) -> Result<Message<'_>, MethodError> {
    let (op, payload) = data.split_first().ok_or(MethodError::Malformed)?;
    let mut fields = Fields { payload, rest: payload };
    Ok(match *op {
        GPSK_1 => Message::Gpsk1(fields.gpsk1()?),
        GPSK_2 => Message::Gpsk2(fields.gpsk2()?, fields.signed()?),
        GPSK_3 => Message::Gpsk3(fields.gpsk3()?, fields.signed()?),
        GPSK_4 => {
            fields.protected_data()?;
            Message::Gpsk4(fields.signed()?)
        }
        FAIL => {
            let code = fields.failure_code()?;
            fields.end()?;
            Message::Fail(code)
        }
        PROTECTED_FAIL => Message::ProtectedFail(fields.failure_code()?, fields.signed()?),
        _ => return Err(MethodError::Malformed),
    })
}

/// What is left of a payload.
struct Fields<'a> {
    payload: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn gpsk1(&mut self) -> Result<Gpsk1<'a>, MethodError> {
        let message = Gpsk1 { id_server: self.identity()?, rand_server: self.octets()?, suites: self.suites()? };
        self.end()?;
        Ok(message)
    }

    fn gpsk2(&mut self) -> Result<Gpsk2<'a>, MethodError> {
        let message = Gpsk2 {
            id_peer: self.identity()?,
            id_server: self.identity()?,
            rand_peer: self.octets()?,
            rand_server: self.octets()?,
            suites: self.suites()?,
            suite: *self.octets()?,
        };
        self.protected_data()?;
        Ok(message)
    }

    fn gpsk3(&mut self) -> Result<Gpsk3<'a>, MethodError> {
        let message =
            Gpsk3 { rand_peer: self.octets()?, rand_server: self.octets()?, id_server: self.identity()?, suite: *self.octets()? };
        self.protected_data()?;
        Ok(message)
    }

    fn failure_code(&mut self) -> Result<FailureCode, MethodError> {
        Ok(FailureCode(u32::from_be_bytes(*self.octets()?)))
    }

    fn octets<const N: usize>(&mut self) -> Result<&'a [u8; N], MethodError> {
        let (octets, rest) = self.rest.split_first_chunk().ok_or(MethodError::Malformed)?;
        self.rest = rest;
        Ok(octets)
    }

    /// A length of two octets, and so many.
    fn field(&mut self, max_len: usize) -> Result<&'a [u8], MethodError> {
        let len = usize::from(u16::from_be_bytes(*self.octets()?));
        let (field, rest) = self.rest.split_at_checked(len).ok_or(MethodError::Malformed)?;
        self.rest = rest;
        if len <= max_len { Ok(field) } else { Err(MethodError::TooLong) }
    }

    fn identity(&mut self) -> Result<&'a [u8], MethodError> {
        self.field(MAX_IDENTITY_LEN)
    }

    fn suites(&mut self) -> Result<&'a [u8], MethodError> {
        let suites = self.field(MAX_SUITES * Suite::LEN)?;
        if suites.len().is_multiple_of(Suite::LEN) { Ok(suites) } else { Err(MethodError::Malformed) }
    }

    fn protected_data(&mut self) -> Result<(), MethodError> {
        self.field(MAX_PROTECTED_DATA_LEN).map(|_| ())
    }

    /// The rest is the MAC.
    fn signed(&self) -> Result<Signed<'a>, MethodError> {
        let covered = self.payload.strip_suffix(self.rest).ok_or(MethodError::Malformed)?;
        Ok(Signed { covered, mac: self.rest })
    }

    fn end(&self) -> Result<(), MethodError> {
        if self.rest.is_empty() { Ok(()) } else { Err(MethodError::Malformed) }
    }
}

impl Gpsk1<'_> {
    /// The Type-Data.
    pub fn write(&self) -> Vec<u8> {
        let mut data = vec![GPSK_1];
        put_field(&mut data, self.id_server);
        data.extend_from_slice(self.rand_server);
        put_field(&mut data, self.suites);
        data
    }
}

impl Gpsk2<'_> {
    /// The Type-Data, without protected data.
    pub fn write(&self, keys: &Keys) -> Vec<u8> {
        let mut data = vec![GPSK_2];
        put_field(&mut data, self.id_peer);
        put_field(&mut data, self.id_server);
        data.extend_from_slice(self.rand_peer);
        data.extend_from_slice(self.rand_server);
        put_field(&mut data, self.suites);
        data.extend_from_slice(&self.suite);
        put_field(&mut data, &[]);
        keys.sign(data)
    }
}

impl Gpsk3<'_> {
    /// The Type-Data, without protected data.
    pub fn write(&self, keys: &Keys) -> Vec<u8> {
        let mut data = vec![GPSK_3];
        data.extend_from_slice(self.rand_peer);
        data.extend_from_slice(self.rand_server);
        put_field(&mut data, self.id_server);
        data.extend_from_slice(&self.suite);
        put_field(&mut data, &[]);
        keys.sign(data)
    }
}

/// The Type-Data of GPSK-4 (figure 9), without protected data.
pub fn write_gpsk4(keys: &Keys) -> Vec<u8> {
    keys.sign(vec![GPSK_4, 0, 0])
}

impl FailureCode {
    /// The Type-Data of GPSK-Fail (figure 10).
    pub fn write_fail(self) -> Vec<u8> {
        [&[FAIL], self.0.to_be_bytes().as_slice()].concat()
    }

    /// The Type-Data of GPSK-Protected-Fail (figure 11).
    pub fn write_protected_fail(self, keys: &Keys) -> Vec<u8> {
        keys.sign([&[PROTECTED_FAIL], self.0.to_be_bytes().as_slice()].concat())
    }
}

fn put_field(data: &mut Vec<u8>, field: &[u8]) {
    data.extend_from_slice(&u16::try_from(field.len()).unwrap_or(u16::MAX).to_be_bytes());
    data.extend_from_slice(field);
}
