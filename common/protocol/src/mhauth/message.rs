//! The messages of the exchange (RFC 6618 sections 5.8 and 5.9): which headers each has, read and written.
//!
//! Who reads verifies `auth` between [`Message::receive`] and anything that acts on a header behind it.

use std::time::SystemTime;

use super::authenticator::{AUTH_LEN, Authenticator, Key, Sender};
use super::{Method, NONCE_LEN, Nai, Rejection, Status};
use crate::eap::packet::MAX_LEN as MAX_EAP_LEN;
use crate::sa::{CipherSuite, UserData};
use crate::wire::container::Container;
use crate::wire::header::{Headers, Name, Writer, value};

/// The nonces of one exchange.
#[derive(Clone, Copy)]
pub(super) struct Nonces {
    pub(super) mn_rand: [u8; NONCE_LEN],
    pub(super) hac_rand: [u8; NONCE_LEN],
}

/// A message whose container and header lines are well-formed.
pub(super) struct Message {
    pub(super) identifier: u8,
    pub(super) headers: Headers,
}

impl Message {
    pub(super) fn receive(octets: &[u8]) -> Result<Self, Rejection> {
        let Container { identifier, content } = Container::parse(octets)?;
        Ok(Self { identifier, headers: Headers::parse(content)? })
    }

    /// Whether `auth` is that of `key`.
    pub(super) fn is_keyed_with(&self, key: Key<'_>, sender: Sender, by: &Authenticator) -> Result<bool, Rejection> {
        let received = required(&self.headers, Name::Auth, value::hex_array::<AUTH_LEN>)?;
        let msg_octets = self.headers.msg_octets().ok_or(Rejection::Missing(Name::Auth))?;
        Ok(by.verify(key, sender, msg_octets, &received))
    }

    pub(super) fn mn_rand(&self) -> Result<[u8; NONCE_LEN], Rejection> {
        required(&self.headers, Name::MnRand, value::hex_array)
    }

    pub(super) fn hac_rand(&self) -> Result<[u8; NONCE_LEN], Rejection> {
        required(&self.headers, Name::HacRand, value::hex_array)
    }

    /// That both nonces are there and are those of the exchange.
    pub(super) fn check_nonces(&self, nonces: &Nonces) -> Result<(), Rejection> {
        let same = self.mn_rand()? == nonces.mn_rand && self.hac_rand()? == nonces.hac_rand;
        if same { Ok(()) } else { Err(Rejection::WrongNonce) }
    }

    pub(super) fn mn_id(&self) -> Result<Nai, Rejection> {
        required(&self.headers, Name::MnId, |octets| {
            let text = std::str::from_utf8(octets).map_err(|_| value::ValueError)?;
            text.parse().map_err(|_| value::ValueError)
        })
    }

    /// Those of `available` that are offered. Methods that nobody has defined are skipped like unknown suites.
    pub(super) fn offered(&self, available: &[Method]) -> Result<Vec<Method>, Rejection> {
        let offered: Vec<Option<Method>> = self.methods()?.into_iter().map(Method::from_token).collect();
        let common: Vec<Method> = available.iter().copied().filter(|method| offered.contains(&Some(*method))).collect();
        if common.is_empty() { Err(Rejection::NoCommonMethod) } else { Ok(common) }
    }

    /// The one method selected, which must be among `offered`.
    pub(super) fn selected(&self, offered: &[Method]) -> Result<Method, Rejection> {
        match self.methods()?.as_slice() {
            [token] => Method::from_token(token).filter(|method| offered.contains(method)).ok_or(Rejection::NoCommonMethod),
            _ => Err(Rejection::Value(Name::AuthMethod)),
        }
    }

    /// The EAP packet; `None` where the message has none.
    pub(super) fn eap_payload(&self) -> Result<Option<Vec<u8>>, Rejection> {
        optional(&self.headers, Name::EapPayload, |octets| value::hex_bounded(octets, MAX_EAP_LEN))
    }

    fn methods(&self) -> Result<Vec<&[u8]>, Rejection> {
        if !self.headers.has(Name::AuthMethod) {
            return Err(Rejection::Missing(Name::AuthMethod));
        }
        let items = self.headers.lines_of(Name::AuthMethod).flat_map(|line| line.split(|octet| *octet == b','));
        let methods: Vec<&[u8]> = items.map(<[u8]>::trim_ascii).collect();
        let all_tokens = methods.iter().all(|method| is_token(method));
        if all_tokens { Ok(methods) } else { Err(Rejection::Value(Name::AuthMethod)) }
    }

    /// That the request is MHAuth-Done: it has `mip6-sas` or `mip6-suitelist`, and any other is MHAuth-Mid. Asked before
    /// `auth` is looked at: the draft's formula is right for the HAC's own response too, which has neither, and whether it
    /// was right would tell the profile of a name.
    pub(super) fn check_is_done(&self) -> Result<(), Rejection> {
        if self.is_done() { Ok(()) } else { Err(Rejection::Missing(Name::Sas)) }
    }

    pub(super) fn is_done(&self) -> bool {
        self.headers.has(Name::Sas) || self.headers.has(Name::SuiteList)
    }

    pub(super) fn user_data(&self) -> Result<UserData, Rejection> {
        required(&self.headers, Name::Sas, |octets| match octets {
            b"0" => Ok(UserData::Clear),
            b"1" => Ok(UserData::Protected),
            _ => Err(value::ValueError),
        })
    }

    /// The suites of this build among those offered, in the mobile node's order; at least one.
    pub(super) fn suites(&self) -> Result<Vec<CipherSuite>, Rejection> {
        if !self.headers.has(Name::SuiteList) {
            return Err(Rejection::Missing(Name::SuiteList));
        }
        let mut suites = Vec::with_capacity(CipherSuite::ALL.len());
        for line in self.headers.lines_of(Name::SuiteList) {
            value::suites(line, &mut suites).map_err(|_| Rejection::Value(Name::SuiteList))?;
        }
        if suites.is_empty() { Err(Rejection::NoCommonSuite) } else { Ok(suites) }
    }

    /// `None` where the response is not final.
    pub(super) fn status(&self) -> Result<Option<Status>, Rejection> {
        optional(&self.headers, Name::StatusCode, |octets| {
            let code = value::decimal(octets, 3)?;
            u16::try_from(code).ok().and_then(Status::from_code).ok_or(value::ValueError)
        })
    }

    /// A date that cannot be read is as good as none: the status stands anyway.
    pub(super) fn retry_after(&self) -> Option<SystemTime> {
        self.headers.get(Name::RetryAfter).and_then(|octets| value::date(octets).ok())
    }
}

/// Reads a header that must be there.
pub(super) fn required<T>(
    headers: &Headers,
    name: Name,
    read: impl FnOnce(&[u8]) -> Result<T, value::ValueError>,
) -> Result<T, Rejection> {
    optional(headers, name, read)?.ok_or(Rejection::Missing(name))
}

/// Reads a header that may be missing.
pub(super) fn optional<T>(
    headers: &Headers,
    name: Name,
    read: impl FnOnce(&[u8]) -> Result<T, value::ValueError>,
) -> Result<Option<T>, Rejection> {
    headers.get(name).map(read).transpose().map_err(|_| Rejection::Value(name))
}

/// Request MHAuth-Init: the only message without `auth`.
pub(super) fn init_request(identifier: u8, mn_id: &Nai, mn_rand: &[u8; NONCE_LEN], offered: &[Method]) -> Vec<u8> {
    let list: Vec<&str> = offered.iter().map(|method| method.name()).collect();
    let mut writer = Writer::new();
    writer.text(Name::MnId, mn_id);
    writer.hex(Name::MnRand, mn_rand);
    writer.text(Name::AuthMethod, list.join(","));
    writer.finish(identifier)
}

/// Response MHAuth-Init of a run with a pre-shared key, up to `auth`.
pub(super) fn init_response(nonces: &Nonces) -> Writer {
    let mut writer = Writer::new();
    write_nonces(&mut writer, nonces);
    writer.text(Name::AuthMethod, Method::Psk);
    writer
}

/// Response MHAuth-Init of a run with EAP, up to `auth`.
pub(super) fn eap_init_response(packet: &[u8]) -> Writer {
    let mut writer = Writer::new();
    writer.text(Name::AuthMethod, Method::Eap);
    writer.hex(Name::EapPayload, packet);
    writer
}

/// Request and response MHAuth-Mid, up to `auth`.
pub(super) fn mid(packet: &[u8]) -> Writer {
    let mut writer = Writer::new();
    writer.hex(Name::EapPayload, packet);
    writer
}

/// Request MHAuth-Done, up to `auth`; with nonces in a run with a pre-shared key, with the last EAP packet in one with EAP.
pub(super) fn done_request(
    nonces: Option<&Nonces>,
    packet: Option<&[u8]>,
    user_data: UserData,
    suites: &[CipherSuite],
) -> Writer {
    let list: Vec<&str> = suites.iter().map(|suite| suite.wire()).collect();
    let mut writer = Writer::new();
    if let Some(nonces) = nonces {
        write_nonces(&mut writer, nonces);
    }
    write_user_data(&mut writer, user_data);
    writer.text(Name::SuiteList, list.join(","));
    if let Some(packet) = packet {
        writer.hex(Name::EapPayload, packet);
    }
    writer
}

/// A final response that refuses, up to `auth`; without nonces where there are none, with EAP-Failure where EAP failed.
pub(super) fn refusal(
    nonces: Option<&Nonces>,
    failure: Option<&[u8]>,
    status: Status,
    retry_after: Option<SystemTime>,
) -> Writer {
    let mut writer = Writer::new();
    if let Some(nonces) = nonces {
        write_nonces(&mut writer, nonces);
    }
    if let Some(failure) = failure {
        writer.hex(Name::EapPayload, failure);
    }
    writer.text(Name::StatusCode, status.code());
    if let Some(time) = retry_after {
        writer.text(Name::RetryAfter, value::rfc1123(time));
    }
    writer
}

pub(super) fn write_nonces(writer: &mut Writer, nonces: &Nonces) {
    writer.hex(Name::MnRand, &nonces.mn_rand);
    writer.hex(Name::HacRand, &nonces.hac_rand);
}

pub(super) fn write_user_data(writer: &mut Writer, user_data: UserData) {
    let digit = match user_data {
        UserData::Clear => 0,
        UserData::Protected => 1,
    };
    writer.text(Name::Sas, digit);
}

/// Adds `auth` over all that was written, and ends the message.
pub(super) fn seal(mut writer: Writer, identifier: u8, key: Key<'_>, sender: Sender, by: &Authenticator) -> Vec<u8> {
    let auth = by.compute(key, sender, writer.content());
    writer.hex(Name::Auth, &auth);
    writer.finish(identifier)
}

fn is_token(octets: &[u8]) -> bool {
    !octets.is_empty() && octets.iter().all(|octet| octet.is_ascii_alphanumeric() || *octet == b'-')
}
