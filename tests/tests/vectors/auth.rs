//! `auth.json`: the message authenticator, and whole messages as sent (RFC 6618 sections 5.1, 5.5.5 and 5.8).

use protocol::mhauth::ChannelBinding;
use protocol::mhauth::authenticator::{self, Sender};
use protocol::profile::WireProfile;
use protocol::wire::container::Container;
use protocol::wire::header::{Headers, Name, Writer};
use serde::Deserialize;

use super::{load, octets};

#[derive(Deserialize)]
struct Case {
    key: String,
    role: String,
    cb: String,
    msg_octets: String,
    auth_rfc6618: String,
    auth_draft_04: String,
    identifier: u8,
    container_rfc6618: String,
}

impl Case {
    fn sender(&self) -> Sender {
        match self.role.as_str() {
            "MN" => Sender::MobileNode,
            "HAC" => Sender::Controller,
            other => panic!("the role is MN or HAC, not {other:?}"),
        }
    }

    /// `auth` in lower-case hexadecimal, as computed here.
    fn auth(&self, profile: WireProfile) -> String {
        let binding = ChannelBinding::new(octets(&self.cb));
        let label = self.sender().label(profile);
        hex::encode(authenticator::auth(&octets(&self.key), label, &octets(&self.msg_octets), &binding))
    }
}

fn cases() -> Vec<Case> {
    load("auth.json")
}

#[test]
fn vectors_auth_of_profile_rfc6618_is_the_same() {
    for case in cases() {
        assert_eq!(case.auth(WireProfile::Rfc6618), case.auth_rfc6618.to_lowercase(), "{}", case.msg_octets);
    }
}

#[test]
fn vectors_auth_of_profile_draft_04_is_the_same() {
    for case in cases() {
        assert_eq!(case.auth(WireProfile::Draft04), case.auth_draft_04.to_lowercase(), "{}", case.msg_octets);
    }
}

#[test]
fn vectors_containers_are_accepted_with_the_same_msg_octets() {
    for case in cases() {
        let message = octets(&case.container_rfc6618);
        let container = Container::parse(&message).unwrap();
        assert_eq!(container.identifier, case.identifier);
        let headers = Headers::parse(container.content).unwrap();
        assert_eq!(headers.msg_octets(), Some(&octets(&case.msg_octets)[..]));
        let auth = std::str::from_utf8(headers.get(Name::Auth).unwrap()).unwrap();
        assert_eq!(octets(auth), octets(&case.auth_rfc6618));
    }
}

#[test]
fn vectors_containers_are_emitted_octet_by_octet() {
    for case in cases() {
        let mut writer = Writer::new();
        write_lines(&mut writer, &String::from_utf8(octets(&case.msg_octets)).unwrap());
        assert_eq!(writer.content(), octets(&case.msg_octets));
        writer.hex(Name::Auth, &octets(&case.auth(WireProfile::Rfc6618)));
        assert_eq!(hex::encode(writer.finish(case.identifier)), case.container_rfc6618.to_lowercase());
    }
}

/// Writes each `name:value` line anew: nonces from their octets, all else from its text.
fn write_lines(writer: &mut Writer, lines: &str) {
    for line in lines.lines() {
        let (literal, value) = line.split_once(':').unwrap();
        let name = Name::ALL.iter().copied().find(|name| name.literal() == literal);
        let name = name.unwrap_or_else(|| panic!("the header {literal} is unknown"));
        if matches!(name, Name::MnRand | Name::HacRand) {
            writer.hex(name, &octets(value));
        } else {
            writer.text(name, value);
        }
    }
}
