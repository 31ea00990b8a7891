//! An answer of the HAC, taken apart by hand: what anyone sees who stands at the other end.

use protocol::mhauth::ChannelBinding;
use protocol::mhauth::authenticator::{self, Sender};
use protocol::profile::WireProfile;

/// One whole message.
pub(crate) struct Answer(pub(crate) Vec<u8>);

impl Answer {
    /// Its Identifier.
    pub(crate) fn identifier(&self) -> u8 {
        self.0[1]
    }

    /// Each header's name and value, in their order.
    pub(crate) fn headers(&self) -> Vec<(&str, &str)> {
        let content = std::str::from_utf8(&self.0[4..]).unwrap();
        content.trim_end_matches("\r\n").split("\r\n").map(|line| line.split_once(':').unwrap()).collect()
    }

    /// The value of a header.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.headers().into_iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// Whether `auth` is what this key gives.
    pub(crate) fn is_keyed_with(&self, key: &[u8], profile: WireProfile, binding: &ChannelBinding) -> bool {
        let content = std::str::from_utf8(&self.0[4..]).unwrap();
        let (msg_octets, auth) = content.split_at(content.rfind("auth:").unwrap());
        let right = authenticator::auth(key, Sender::Controller.label(profile), msg_octets.as_bytes(), binding);
        auth == format!("auth:{}\r\n\r\n\r\n", hex::encode(right))
    }
}
