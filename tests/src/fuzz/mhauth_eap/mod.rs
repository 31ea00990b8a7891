//! MHAuth-EAP: either end in each of its states, given one message. Both are taken there by one run with EAP-GPSK, always the same.

mod initiator;
mod responder;
mod script;

use protocol::mhauth::authenticator::{self, Sender};
use protocol::profile::WireProfile;
use protocol::wire::container::Container;
use protocol::wire::header::{Headers, Name};

use super::exchange::{self, KEY, binding};

pub use script::{Script, script};

/// Who is given the message, by the first octet's lowest three bits.
pub const PLACES: [Place; 8] = [
    Place::MobileNode { responses: 0 },
    Place::MobileNode { responses: 1 },
    Place::MobileNode { responses: 2 },
    Place::MobileNode { responses: 3 },
    Place::Hac { requests: 1 },
    Place::Hac { requests: 2 },
    Place::Hac { requests: 3 },
    Place::HacToldSuccess,
];

/// An end in one of its states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The mobile node, after so many responses: 3 take it to where it waits for the grant.
    MobileNode {
        /// How many.
        responses: usize,
    },
    /// The HAC, after so many requests: 3 take it to where it waits for MHAuth-Done.
    Hac {
        /// How many.
        requests: usize,
    },
    /// The HAC that has said EAP-Success in answer to MHAuth-Mid.
    HacToldSuccess,
}

/// The first octet: the place in [`PLACES`], then in two bits what `auth` is made with (as it is, "1", the MSK, the PSK), then one for the
/// draft's profile. The rest is a message.
pub fn mhauth_eap(data: &[u8]) {
    comes_to(data);
}

/// As [`mhauth_eap`]: what follows from the message. Of the HAC it is said as if its EAP server sent Success.
pub fn comes_to(data: &[u8]) -> &'static str {
    let Some((first, message)) = data.split_first() else { return "nothing" };
    let place = PLACES[usize::from(first & 7)];
    let profile = if first & 0x20 == 0 { WireProfile::Rfc6618 } else { WireProfile::Draft04 };
    let sender = if matches!(place, Place::MobileNode { .. }) { Sender::Controller } else { Sender::MobileNode };
    let message = match first >> 3 & 3 {
        0 => message.to_vec(),
        1 => exchange::resealed(profile, b"1", message, sender),
        2 => exchange::resealed(profile, script(profile).msk(), message, sender),
        _ => exchange::resealed(profile, &KEY, message, sender),
    };
    match place {
        Place::MobileNode { responses } => initiator::check(profile, responses, &message),
        Place::Hac { requests } => responder::check(profile, requests, &message),
        Place::HacToldSuccess => responder::check_told(profile, &message),
    }
}

/// Whether a message of `sender` has the `auth` of this key.
fn is_keyed(profile: WireProfile, key: &[u8], sender: Sender, message: &[u8]) -> bool {
    let Ok(container) = Container::parse(message) else { return false };
    let Ok(headers) = Headers::parse(container.content) else { return false };
    let right = authenticator::auth(key, sender.label(profile), headers.msg_octets().unwrap_or_default(), &binding());
    headers.get(Name::Auth).is_some_and(|auth| auth.eq_ignore_ascii_case(hex::encode(right).as_bytes()))
}
