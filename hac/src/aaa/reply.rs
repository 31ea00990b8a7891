//! Verifies what came from a AAA server's address: a [`Reply`] exists only after that, and nothing is read from anything else.
//!
//! `port` calls this with each datagram that arrives. What does not hold is dropped silently (RFC 2865 section 3) and counted;
//! the request goes on waiting, so a forged reply that is faster than the real one changes nothing.

use protocol::sa::Secret;
use subtle::ConstantTimeEq;

use super::attribute::Kind;
use super::digest;
use super::packet::{Attributes, Authenticator, Packet};

/// What a reply must fit: a request that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// Its Identifier.
    pub identifier: u8,
    /// Its Request Authenticator.
    pub authenticator: Authenticator,
    /// What it was sent for.
    pub service: Service,
}

/// What a server is asked for. It says by which codes a request is answered; those of the other are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Access-Accept, Access-Reject or Access-Challenge (RFC 2865).
    Authentication,
    /// Accounting-Response (RFC 2866), to a Status-Server too (RFC 5997 section 4.2).
    Accounting,
}

/// What a server decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Access-Accept; to a Status-Server: it is there.
    Accept,
    /// Access-Reject.
    Reject,
    /// Access-Challenge.
    Challenge,
    /// Accounting-Response: it has recorded what it was told; to a Status-Server: it is there.
    Recorded,
}

/// An authentic reply.
#[derive(Clone, Debug)]
pub struct Reply {
    decision: Decision,
    request: Authenticator,
    attributes: Vec<u8>,
}

impl Reply {
    /// Its code.
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// The Request Authenticator that it holds under, which keys in it are hidden with.
    pub fn request(&self) -> &Authenticator {
        &self.request
    }

    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'_> {
        // Read before; none of them would be the safe reading of what cannot be.
        Attributes::parse(&self.attributes).unwrap_or_default()
    }
}

/// Why a datagram is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// A length is out of its bounds.
    Malformed,
    /// No request waits under its Identifier: unasked, late, or a duplicate.
    Unexpected,
    /// No reply to what was asked has this code.
    Code,
    /// There is not one Message-Authenticator, though Response Authenticator is right: it is believed for a sign of life and for
    /// nothing else. A Status-Server may be answered so (RFC 5997 section 5), all else by a server that is too old to be used.
    NoMessageAuthenticator,
    /// Message-Authenticator is wrong: forged, of an earlier request with this Identifier, or of a server with another secret.
    MessageAuthenticator,
    /// Response Authenticator is wrong.
    ResponseAuthenticator,
}

impl Dropped {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::Malformed,
        Self::Unexpected,
        Self::Code,
        Self::NoMessageAuthenticator,
        Self::MessageAuthenticator,
        Self::ResponseAuthenticator,
    ];

    /// Its name in `hac status`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "dropped-malformed",
            Self::Unexpected => "dropped-unexpected",
            Self::Code => "dropped-code",
            Self::NoMessageAuthenticator => "dropped-no-message-authenticator",
            Self::MessageAuthenticator => "dropped-message-authenticator",
            Self::ResponseAuthenticator => "dropped-response-authenticator",
        }
    }
}

/// Verifies a datagram that came from the server's address and port, which the socket sees to.
///
/// # Errors
/// The first that does not hold, in this order: lengths, Identifier, Code, Message-Authenticator, Response Authenticator.
pub fn verify(datagram: &[u8], awaited: &Awaited, secret: &Secret) -> Result<Reply, Dropped> {
    let packet = Packet::parse(datagram).map_err(|_| Dropped::Malformed)?;
    if packet.identifier() != awaited.identifier {
        return Err(Dropped::Unexpected);
    }
    let decision = decision(packet.code(), awaited.service).ok_or(Dropped::Code)?;
    let is_signed = check_message_authenticator(&packet, awaited, secret)?;
    let expected = digest::response_authenticator(secret, &packet, &awaited.authenticator);
    if !bool::from(packet.authenticator().ct_eq(&expected)) {
        return Err(Dropped::ResponseAuthenticator);
    }
    if !is_signed && !may_be_unsigned(&packet, awaited.service) {
        return Err(Dropped::NoMessageAuthenticator);
    }
    Ok(Reply { decision, request: awaited.authenticator, attributes: packet.attributes().octets().to_vec() })
}

fn decision(code: u8, service: Service) -> Option<Decision> {
    match (service, code) {
        (Service::Authentication, 2) => Some(Decision::Accept),
        (Service::Authentication, 3) => Some(Decision::Reject),
        (Service::Authentication, 11) => Some(Decision::Challenge),
        (Service::Accounting, 5) => Some(Decision::Recorded),
        (Service::Authentication | Service::Accounting, _) => None,
    }
}

/// RFC 2866 knows no Message-Authenticator, and servers of accounting send none. A forged acknowledgement grants nothing.
fn may_be_unsigned(packet: &Packet<'_>, service: Service) -> bool {
    service == Service::Accounting && packet.attributes().first(Kind::MESSAGE_AUTHENTICATOR).is_none()
}

/// RFC 3579 section 3.2. `false` when there is none to check, or several. It is required of every reply about access, those without
/// EAP-Message included: without it an Access-Reject is made an Access-Accept by a collision of the Response Authenticator's MD5
/// (CVE-2024-3596).
fn check_message_authenticator(packet: &Packet<'_>, awaited: &Awaited, secret: &Secret) -> Result<bool, Dropped> {
    let Some([before, value, behind]) = packet.attributes().around_only(Kind::MESSAGE_AUTHENTICATOR) else { return Ok(false) };
    let zeros = [0; size_of::<Authenticator>()];
    let expected = digest::hmac(secret, &[&packet.head(), &awaited.authenticator, before, &zeros, behind]);
    // Another length than 16 is unequal.
    if bool::from(value.ct_eq(&expected)) { Ok(true) } else { Err(Dropped::MessageAuthenticator) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::packet::AttributeList;
    use super::*;

    pub(in super::super) const AWAITED: Awaited =
        Awaited { identifier: 7, authenticator: [0x5a; 16], service: Service::Authentication };
    const RECORDING: Awaited = Awaited { service: Service::Accounting, ..AWAITED };

    pub(in super::super) fn secret() -> Secret {
        Secret::new(b"a secret of the tests".to_vec())
    }

    /// A reply as a server makes it: its own Message-Authenticator goes where `attributes` has zeros for it.
    fn reply(code: u8, attributes: &[u8]) -> Vec<u8> {
        let head = [code, AWAITED.identifier, 0, 20 + attributes.len() as u8];
        let mut attributes = attributes.to_vec();
        let place = Attributes::parse(&attributes).unwrap().around_only(Kind::MESSAGE_AUTHENTICATOR).map(|parts| parts[0].len());
        if let Some(place) = place {
            let mac = digest::hmac(&secret(), &[&head, &AWAITED.authenticator, &attributes]);
            attributes[place..place + 16].copy_from_slice(&mac);
        }
        let authenticator = digest::hash(&[&head, &AWAITED.authenticator, &attributes, secret().expose()]);
        [&head[..], &authenticator[..], &attributes].concat()
    }

    /// An authentic reply with these attributes.
    pub(in super::super) fn authentic(code: u8, attributes: &AttributeList) -> Reply {
        verify(&octets(code, attributes), &AWAITED, &secret()).unwrap()
    }

    /// Its octets.
    pub(in super::super) fn octets(code: u8, attributes: &AttributeList) -> Vec<u8> {
        reply(code, &[attributes.octets(), &mac_place()].concat())
    }

    fn mac_place() -> Vec<u8> {
        [&[80, 18][..], &[0; 16]].concat()
    }

    fn recording_verdict(datagram: &[u8]) -> Result<Decision, Dropped> {
        verify(datagram, &RECORDING, &secret()).map(|reply| reply.decision())
    }

    fn verdict(datagram: &[u8]) -> Result<Decision, Dropped> {
        verify(datagram, &AWAITED, &secret()).map(|reply| reply.decision())
    }

    #[test]
    fn an_authentic_reply_is_taken_wherever_its_message_authenticator_stands() {
        for (code, decision) in [(2, Decision::Accept), (3, Decision::Reject), (11, Decision::Challenge)] {
            for attributes in [mac_place(), [&[24, 3, 1][..], &mac_place(), &[25, 3, 2]].concat()] {
                assert_eq!(verdict(&reply(code, &attributes)), Ok(decision));
            }
        }
    }

    #[test]
    fn a_reply_without_message_authenticator_is_dropped_whatever_it_decides() {
        for code in [2, 3, 11] {
            assert_eq!(verdict(&reply(code, &[24, 3, 1])), Err(Dropped::NoMessageAuthenticator));
        }
    }

    #[test]
    fn a_reply_without_either_authenticator_is_no_sign_of_life() {
        let mut datagram = reply(2, &[24, 3, 1]);
        datagram[4] ^= 1;
        assert_eq!(verdict(&datagram), Err(Dropped::ResponseAuthenticator));
    }

    #[test]
    fn two_message_authenticators_are_none() {
        let twice = [mac_place(), mac_place()].concat();
        assert_eq!(verdict(&reply(2, &twice)), Err(Dropped::NoMessageAuthenticator));
    }

    #[test]
    fn a_message_authenticator_of_another_length_is_wrong() {
        for len in [0_u8, 15, 17] {
            let attributes = [&[80, len + 2][..], &vec![0; len.into()]].concat();
            let head = [2, 7, 0, 20 + attributes.len() as u8];
            let authenticator = digest::hash(&[&head, &AWAITED.authenticator, &attributes, secret().expose()]);
            let datagram = [&head[..], &authenticator[..], &attributes].concat();
            assert_eq!(verdict(&datagram), Err(Dropped::MessageAuthenticator), "{len} octets");
        }
    }

    #[test]
    fn no_octet_of_a_reply_can_be_changed() {
        let whole = reply(3, &[&[24, 3, 1][..], &mac_place(), &[25, 3, 2]].concat());
        for place in 0..whole.len() {
            for bit in 0..8 {
                let mut changed = whole.clone();
                changed[place] ^= 1 << bit;
                assert!(verdict(&changed).is_err(), "octet {place}, bit {bit}");
            }
        }
    }

    #[test]
    fn a_right_message_authenticator_does_not_make_up_for_a_wrong_response_authenticator() {
        let mut datagram = reply(2, &mac_place());
        datagram[4] ^= 1;
        assert_eq!(verdict(&datagram), Err(Dropped::ResponseAuthenticator));
    }

    #[test]
    fn a_reply_to_another_request_or_under_another_secret_is_dropped() {
        let datagram = reply(2, &mac_place());
        let other = Awaited { identifier: 8, ..AWAITED };
        assert_eq!(verify(&datagram, &other, &secret()).unwrap_err(), Dropped::Unexpected);
        let later = Awaited { authenticator: [0x5b; 16], ..AWAITED };
        assert_eq!(verify(&datagram, &later, &secret()).unwrap_err(), Dropped::MessageAuthenticator);
        let another = Secret::new(b"another secret".to_vec());
        assert_eq!(verify(&datagram, &AWAITED, &another).unwrap_err(), Dropped::MessageAuthenticator);
    }

    #[test]
    fn only_the_three_codes_of_replies_are_taken() {
        for code in (0..=u8::MAX).filter(|code| ![2, 3, 11].contains(code)) {
            assert_eq!(verdict(&reply(code, &mac_place())), Err(Dropped::Code), "{code}");
        }
    }

    #[test]
    fn accounting_is_answered_by_an_accounting_response_alone_and_access_never_by_one() {
        for code in (0..=u8::MAX).filter(|code| *code != 5) {
            assert_eq!(recording_verdict(&reply(code, &mac_place())), Err(Dropped::Code), "{code}");
        }
        assert_eq!(recording_verdict(&reply(5, &[])), Ok(Decision::Recorded));
        assert_eq!(verdict(&reply(5, &mac_place())), Err(Dropped::Code));
    }

    #[test]
    fn an_accounting_response_needs_no_message_authenticator_but_a_right_one_where_it_has_one() {
        assert_eq!(recording_verdict(&reply(5, &[&[33, 3, 1][..], &mac_place()].concat())), Ok(Decision::Recorded));
        let mut attributes = mac_place();
        attributes[2] = 1;
        let head = [5, 7, 0, 38];
        let authenticator = digest::hash(&[&head, &AWAITED.authenticator, &attributes, secret().expose()]);
        let forged = [&head[..], &authenticator[..], &attributes].concat();
        assert_eq!(recording_verdict(&forged), Err(Dropped::MessageAuthenticator));
        assert_eq!(recording_verdict(&reply(5, &[mac_place(), mac_place()].concat())), Err(Dropped::NoMessageAuthenticator));
        let mut datagram = reply(5, &[33, 3, 1]);
        datagram[22] ^= 1;
        assert_eq!(recording_verdict(&datagram), Err(Dropped::ResponseAuthenticator));
    }

    #[test]
    fn the_client_never_takes_its_own_request_for_a_reply() {
        let content = super::super::request::Content::status_server("hac", Service::Authentication).unwrap();
        let request = content.seal(AWAITED.identifier, AWAITED.authenticator, &secret());
        assert_eq!(verdict(request.octets()), Err(Dropped::Code));
    }
}
