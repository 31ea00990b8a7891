//! The other end where it has the key: what a fuzzer cannot do, and what it must not do without it.

use protocol::eap::method::gpsk::message::{Gpsk2, Message, parse, write_gpsk4};
use protocol::eap::method::gpsk::{Keys, Seed, Suite};
use protocol::eap::{Msk, Packet, Type};

use super::psk;

/// The key, and the session's keys once a GPSK-2 has gone by, from whichever end.
#[derive(Default)]
pub(super) struct KeyHolder {
    keys: Option<Keys>,
}

impl KeyHolder {
    /// Notes what our end says.
    pub(super) fn hears(&mut self, packet: &[u8]) {
        if let Some(Message::Gpsk2(message, _)) = gpsk(packet).and_then(|(_, data)| parse(data).ok()) {
            self.keys = derive(&message);
        }
    }

    /// What the input says, with a right MAC where there is one.
    pub(super) fn says(&mut self, packet: &[u8]) -> Vec<u8> {
        self.hears(packet);
        let resigned = || {
            let (parsed, data) = gpsk(packet)?;
            let data = signed(data, self.keys.as_ref()?)?;
            Some(match parsed {
                Packet::Request { identifier, kind, .. } => Packet::Request { identifier, kind, data: &data }.write(),
                Packet::Response { identifier, kind, .. } => Packet::Response { identifier, kind, data: &data }.write(),
                Packet::Success { .. } | Packet::Failure { .. } => return None,
            })
        };
        resigned().unwrap_or_else(|| packet.to_vec())
    }

    /// The MSK of the session.
    pub(super) fn msk(&self) -> Option<&Msk> {
        self.keys.as_ref().map(Keys::msk)
    }
}

/// A request or response of EAP-GPSK, and its Type-Data.
fn gpsk(packet: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    match Packet::parse(packet).ok()? {
        parsed @ (Packet::Request { kind: Type::GPSK, data, .. } | Packet::Response { kind: Type::GPSK, data, .. }) => {
            Some((parsed, data))
        }
        Packet::Request { .. } | Packet::Response { .. } | Packet::Success { .. } | Packet::Failure { .. } => None,
    }
}

fn derive(message: &Gpsk2<'_>) -> Option<Keys> {
    let Gpsk2 { rand_peer, id_peer, rand_server, id_server, .. } = *message;
    Keys::derive(Suite::from_octets(message.suite)?, &psk(), &Seed { rand_peer, id_peer, rand_server, id_server }).ok()
}

/// Type-Data without its protected data and with the MAC of these keys; `None` for what has no MAC.
pub(in crate::fuzz) fn signed(data: &[u8], keys: &Keys) -> Option<Vec<u8>> {
    match parse(data).ok()? {
        Message::Gpsk2(message, _) => Some(message.write(keys)),
        Message::Gpsk3(message, _) => Some(message.write(keys)),
        Message::Gpsk4(_) => Some(write_gpsk4(keys)),
        Message::ProtectedFail(code, _) => Some(code.write_protected_fail(keys)),
        Message::Gpsk1(_) | Message::Fail(_) => None,
    }
}
