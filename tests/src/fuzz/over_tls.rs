//! EAP methods over TLS: fragments of TLS's messages, and the AVPs that EAP-TTLS has within TLS.

use protocol::eap::MethodError;
use protocol::eap::method::tls::avp::{self, Avp, MAX_AVPS};
use protocol::eap::method::tls::fragment::{Fragment, MAX_FRAGMENTS, MAX_MESSAGE_LEN, Outgoing, Reassembly};

use super::pieces;

/// The first octet's bit that says that the rest is a message to be cut, not fragments.
pub const MESSAGE: u8 = 0x80;
/// The most fragments of one input: some more than a message may have.
const MOST: usize = MAX_FRAGMENTS as usize + 14;

/// The first octet: [`MESSAGE`]. Without it fragments follow, each behind its length. With it the seven other bits say how often what
/// follows is repeated, two octets how long a fragment is, and the rest is repeated as a message.
pub fn eap_tls_fragments(data: &[u8]) {
    match data.split_first() {
        Some((first, rest)) if first & MESSAGE == 0 => check_fragments(rest),
        Some((first, rest)) => check_message(usize::from(first & !MESSAGE), rest),
        None => {}
    }
}

/// What comes out is what went in, and nothing is kept beyond the bounds.
fn check_fragments(rest: &[u8]) {
    let (mut reassembly, mut expected, mut count) = (Reassembly::default(), Vec::new(), 0);
    for octets in pieces::split(rest, MOST) {
        let Ok(fragment) = Fragment::parse(octets) else { return };
        assert_eq!(Fragment::parse(&fragment.write()), Ok(fragment), "a fragment is not read as it was written");
        expected.extend_from_slice(fragment.data);
        count += 1;
        match reassembly.take(&fragment) {
            Ok(Some(message)) => {
                assert_eq!(message, expected, "a message is not what its fragments had");
                assert!(!fragment.is_more, "a message before its end");
                (expected, count) = (Vec::new(), 0);
            }
            Ok(None) => {
                assert!(fragment.is_more, "the end of a message gives none");
                assert!(expected.len() < MAX_MESSAGE_LEN && count <= MAX_FRAGMENTS, "more is kept than there may be");
            }
            Err(error) => return assert!(matches!(error, MethodError::Malformed | MethodError::TooLong), "{error}"),
        }
    }
}

/// A message that is cut comes together again, or is too long.
fn check_message(times: usize, rest: &[u8]) {
    let Some((fragment_len, message)) = rest.split_first_chunk() else { return };
    let (fragment_len, message) = (usize::from(u16::from_be_bytes(*fragment_len)).max(1), message.repeat(times));
    let (mut outgoing, mut reassembly) = (Outgoing::new(fragment_len), Reassembly::default());
    outgoing.load(message.clone());
    let fragments = message.len().div_ceil(fragment_len).max(1);
    let is_too_long = fragments > usize::from(MAX_FRAGMENTS) || fragments > 1 && message.len() > MAX_MESSAGE_LEN;
    for sent in 1..=fragments {
        let octets = outgoing.next_fragment();
        assert!(octets.len() <= fragment_len + 5, "a fragment is longer than it may be");
        assert_eq!(outgoing.is_pending(), sent < fragments, "another number of fragments");
        match Fragment::parse(&octets).and_then(|fragment| reassembly.take(&fragment)) {
            Ok(Some(came)) => assert!(sent == fragments && !is_too_long && came == message, "another message"),
            Ok(None) => assert!(sent < fragments, "a message does not come together"),
            Err(error) => return assert!(is_too_long && error == MethodError::TooLong, "{error}: {fragments} fragments"),
        }
    }
    let nothing = outgoing.next_fragment();
    assert_eq!(Fragment::parse(&nothing), Ok(Fragment::ACKNOWLEDGEMENT), "something is sent twice");
}

/// A message of AVPs, read and written.
pub fn ttls_avp(data: &[u8]) {
    let avps = match avp::parse(data) {
        Ok(avps) => avps,
        Err(error) => return assert!(matches!(error, MethodError::Malformed | MethodError::TooLong), "{error}"),
    };
    assert!(avps.len() <= MAX_AVPS && avps.iter().map(|avp| avp.data.len()).sum::<usize>() <= data.len(), "AVPs out of nothing");
    let mut written = Vec::new();
    avps.iter().for_each(|avp| avp.write(&mut written));
    assert_eq!(written.len(), avps.iter().map(Avp::written_len).sum::<usize>(), "an AVP takes another room than it says");
    assert!(written.len() <= data.len().next_multiple_of(4), "what is written is longer than what was read");
    assert!(avp::parse(&written).as_ref() == Ok(&avps), "AVPs are not read as they were written");
}
