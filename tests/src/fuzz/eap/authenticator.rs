//! The authenticator is ours, the peer says what the input has.

use protocol::eap::authenticator::{Authenticator, Step};
use protocol::eap::method::Around;
use protocol::eap::{MAX_REQUESTS, Packet};

use super::key_holder::KeyHolder;
use super::{ALICE, Subscribers, gpsk_server, psk, rng, unshared_psk};

/// Of the first request.
const IDENTIFIER: u8 = 250;

/// An authenticator with EAP-GPSK alone, whose first request was sent.
pub fn authenticator() -> Authenticator {
    Authenticator::new(IDENTIFIER, vec![Box::new(gpsk_server())])
}

pub(super) fn run(packets: &[&[u8]], is_keyed: bool) -> bool {
    let (mut authenticator, mut rng, mut peer) = (authenticator(), rng(), KeyHolder::default());
    let mut directory = Subscribers(if is_keyed { psk() } else { unshared_psk() });
    let (mut is_over, mut succeeded, mut last, mut requests) = (false, false, IDENTIFIER, 1);
    for packet in packets {
        let packet = if is_keyed { peer.says(packet) } else { packet.to_vec() };
        let step = authenticator.handle(&packet, &mut Around { rng: &mut rng, directory: &mut directory });
        assert!(!is_over || matches!(step, Step::Failure { .. }), "a run that was over goes on");
        match step {
            Step::Request(request) => {
                (last, requests) = (last.wrapping_add(1), requests + 1);
                assert!(matches!(Packet::parse(&request), Ok(Packet::Request { identifier, .. }) if identifier == last));
            }
            Step::Success { packet, identity, msk } => {
                assert!(is_keyed && identity == ALICE, "success without the key, or of another");
                let [ours, theirs] = [msk.as_ref(), peer.msk()].map(|msk| msk.map(|msk| msk.expose()));
                assert!(ours.is_some() && ours == theirs, "the two ends have different keys");
                assert_eq!(Packet::parse(&packet), Ok(Packet::Success { identifier: last }), "no EAP-Success");
                (is_over, succeeded) = (true, true);
            }
            Step::Failure { packet, .. } => {
                assert_eq!(Packet::parse(&packet), Ok(Packet::Failure { identifier: last }), "no EAP-Failure");
                is_over = true;
            }
        }
    }
    assert!(requests <= MAX_REQUESTS, "{requests} requests");
    succeeded
}
