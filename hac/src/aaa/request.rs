//! What is sent to a AAA server: Access-Request with an EAP packet (RFC 3579), Accounting-Request (RFC 2866), Status-Server (RFC 5997).
//!
//! `conversation`, `accounting` and `servers` make [`Content`], which is the same for every server and every try; `port` seals it once it
//! has an identifier. Message-Authenticator is the first attribute of every request about access: where an attacker could put octets of
//! his own in front of it, he could have the server's MD5 collide (CVE-2024-3596). An Accounting-Request has none: it is proved by its
//! Request Authenticator.

use std::net::IpAddr;

use protocol::sa::Secret;

use super::attribute::{self, Kind, PORT_VIRTUAL, SERVICE_FRAMED};
use super::digest;
use super::eap::EapPacket;
use super::packet::{AttributeList, Authenticator, HEADER_LEN, TooLong};
use super::reply::{Awaited, Service};

/// What an EAP packet from the server may have, so that TLS methods cut their fragments to it (RFC 3579 section 2.4). Nothing
/// between the mobile node and the HAC asks for less; six EAP-Messages and what else comes fit into one datagram of an Ethernet.
pub(super) const FRAMED_MTU: u32 = 1400;

const ACCESS_REQUEST: u8 = 1;
const ACCOUNTING_REQUEST: u8 = 4;
const STATUS_SERVER: u8 = 12;
/// Type and Length of Message-Authenticator.
const MAC_HEADER: [u8; 2] = [Kind::MESSAGE_AUTHENTICATOR.0, 18];

/// A request before it has identifier and authenticator.
#[derive(Clone, Debug)]
pub(super) struct Content {
    code: u8,
    service: Service,
    attributes: AttributeList,
}

/// What an Access-Request says.
#[derive(Clone, Copy, Debug)]
pub(super) struct AccessRequest<'a> {
    /// The EAP identity, in every request of a run (RFC 3579 section 2.1).
    pub user_name: &'a [u8],
    /// The HAC's name.
    pub nas_identifier: &'a str,
    /// The number of the run: tells runs apart that come from one address (RFC 3579 section 2.6.1).
    pub nas_port: u32,
    /// The mobile node's source address.
    pub calling_station: IpAddr,
    /// That of the last Access-Challenge, unmodified (RFC 2865 section 5.24).
    pub state: Option<&'a [u8]>,
    /// The mobile node's EAP response.
    pub eap: EapPacket<'a>,
}

impl Content {
    /// An Access-Request.
    ///
    /// # Errors
    /// All together is longer than a packet.
    pub(super) fn access_request(request: &AccessRequest<'_>) -> Result<Self, TooLong> {
        let mut list = AttributeList::default();
        list.push(Kind::USER_NAME, request.user_name)?;
        list.push(Kind::NAS_IDENTIFIER, request.nas_identifier.as_bytes())?;
        list.push(Kind::NAS_PORT, &request.nas_port.to_be_bytes())?;
        list.push(Kind::NAS_PORT_TYPE, &PORT_VIRTUAL.to_be_bytes())?;
        list.push(Kind::SERVICE_TYPE, &SERVICE_FRAMED.to_be_bytes())?;
        list.push(Kind::FRAMED_MTU, &FRAMED_MTU.to_be_bytes())?;
        list.push(Kind::CALLING_STATION_ID, request.calling_station.to_string().as_bytes())?;
        attribute::push_eap(&mut list, &request.eap)?;
        request.state.map_or(Ok(()), |state| list.push(Kind::STATE, state))?;
        Ok(Self { code: ACCESS_REQUEST, service: Service::Authentication, attributes: list })
    }

    /// An Accounting-Request of these attributes.
    pub(super) fn accounting_request(attributes: AttributeList) -> Self {
        Self { code: ACCOUNTING_REQUEST, service: Service::Accounting, attributes }
    }

    /// A Status-Server: of other attributes it has NAS-Identifier alone (RFC 5997 section 3). `service` is that of the port that it
    /// goes to (RFC 5997 section 4.2).
    ///
    /// # Errors
    /// The identifier is longer than 253 octets.
    pub(super) fn status_server(nas_identifier: &str, service: Service) -> Result<Self, TooLong> {
        let mut attributes = AttributeList::default();
        attributes.push(Kind::NAS_IDENTIFIER, nas_identifier.as_bytes())?;
        Ok(Self { code: STATUS_SERVER, service, attributes })
    }

    /// The request as it is sent, and sent again. `authenticator` is 16 octets from a CSPRNG, fresh for each request: it is what
    /// a reply is bound to, where the request has no Request Authenticator of its own.
    pub(super) fn seal(&self, identifier: u8, authenticator: Authenticator, secret: &Secret) -> Request {
        if self.code == ACCOUNTING_REQUEST { self.hash(identifier, secret) } else { self.sign(identifier, authenticator, secret) }
    }

    /// With Message-Authenticator (RFC 3579 section 3.2).
    fn sign(&self, identifier: u8, authenticator: Authenticator, secret: &Secret) -> Request {
        let attributes = self.attributes.octets();
        let head = self.head(identifier, MAC_HEADER.len() + size_of::<Authenticator>());
        let before = [&head[..], &authenticator, &MAC_HEADER].concat();
        let mac = digest::hmac(secret, &[&before, &[0; size_of::<Authenticator>()], attributes]);
        self.sealed([&before[..], &mac, attributes].concat(), identifier, authenticator)
    }

    /// With a hash of all of it as Request Authenticator (RFC 2866 section 3).
    fn hash(&self, identifier: u8, secret: &Secret) -> Request {
        let (head, attributes) = (self.head(identifier, 0), self.attributes.octets());
        let authenticator = digest::request_authenticator(secret, &head, attributes);
        self.sealed([&head[..], &authenticator, attributes].concat(), identifier, authenticator)
    }

    /// Code, Identifier and Length, with `more` octets of attributes.
    fn head(&self, identifier: u8, more: usize) -> [u8; 4] {
        // Bounded by AttributeList::MAX_LEN.
        let [high, low] = ((HEADER_LEN + more + self.attributes.octets().len()) as u16).to_be_bytes();
        [self.code, identifier, high, low]
    }

    fn sealed(&self, octets: Vec<u8>, identifier: u8, authenticator: Authenticator) -> Request {
        Request { octets, awaited: Awaited { identifier, authenticator, service: self.service } }
    }
}

/// A sealed request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    octets: Vec<u8>,
    awaited: Awaited,
}

impl Request {
    /// What is sent.
    pub(super) fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// What its reply is verified with.
    pub(super) fn awaited(&self) -> Awaited {
        self.awaited
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::Packet;
    use super::*;

    fn access_request<'a>(eap: &'a [u8], state: Option<&'a [u8]>) -> AccessRequest<'a> {
        AccessRequest {
            user_name: b"alice@example.org",
            nas_identifier: "hac.example.org",
            nas_port: 7,
            calling_station: "2001:db8::5".parse().unwrap(),
            state,
            eap: EapPacket::parse(eap).unwrap(),
        }
    }

    /// RFC 5997 section 6.1.
    #[test]
    fn the_status_server_of_the_rfc_comes_out() {
        let expected = "0cda00268a54f4686fb394c52866e302185d062350125a665e2e1e8411f3e243822097c84fa3";
        let authenticator = hex::decode(&expected[8..40]).unwrap().try_into().unwrap();
        let content =
            Content { attributes: AttributeList::default(), ..Content::status_server("", Service::Authentication).unwrap() };
        let request = content.seal(218, authenticator, &Secret::new(b"xyzzy5461".to_vec()));
        assert_eq!(hex::encode(request.octets()), expected);
    }

    #[test]
    fn message_authenticator_is_the_first_attribute_of_every_request_about_access() {
        let eap = [2, 1, 0, 5, 1];
        let access = Content::access_request(&access_request(&eap, Some(b"state"))).unwrap();
        for content in [access, Content::status_server("hac.example.org", Service::Authentication).unwrap()] {
            let request = content.seal(3, [9; 16], &Secret::new(b"secret".to_vec()));
            let packet = Packet::parse(request.octets()).unwrap();
            let kinds: Vec<_> = packet.attributes().into_iter().map(|attribute| attribute.kind).collect();
            assert_eq!(kinds[0], Kind::MESSAGE_AUTHENTICATOR);
            assert!(!kinds[1..].contains(&Kind::MESSAGE_AUTHENTICATOR));
        }
    }

    #[test]
    fn an_access_request_says_who_asks_for_whom() {
        let eap = [2, 1, 0, 5, 1, 0xff];
        let content = Content::access_request(&access_request(&eap, Some(b"state"))).unwrap();
        let request = content.seal(3, [9; 16], &Secret::new(b"secret".to_vec()));
        let packet = Packet::parse(request.octets()).unwrap();
        assert_eq!((packet.code(), packet.identifier(), packet.authenticator()), (1, 3, &[9; 16]));
        let value = |kind| packet.attributes().first(kind).unwrap();
        assert_eq!(value(Kind::USER_NAME), b"alice@example.org");
        assert_eq!(value(Kind::NAS_IDENTIFIER), b"hac.example.org");
        assert_eq!(value(Kind::CALLING_STATION_ID), b"2001:db8::5");
        assert_eq!(value(Kind::STATE), b"state");
        assert_eq!(value(Kind::EAP_MESSAGE), &eap[..5]);
        let numbers = [Kind::NAS_PORT, Kind::NAS_PORT_TYPE, Kind::SERVICE_TYPE, Kind::FRAMED_MTU].map(value);
        assert_eq!(numbers, [7_u32, 5, 2, 1400].map(u32::to_be_bytes).each_ref().map(|number| &number[..]));
    }

    #[test]
    fn the_longest_request_is_not_longer_than_a_packet() {
        let sealed = |len: u16| {
            let mut eap = vec![0; len.into()];
            eap[..4].copy_from_slice(&[2, 1, (len >> 8) as u8, len as u8]);
            let content = Content::access_request(&access_request(&eap, Some(&[1; 253])))?;
            Ok::<_, TooLong>(content.seal(0, [0; 16], &Secret::new(vec![1])).octets().len())
        };
        let longest = (5..4096).rev().find(|len| sealed(*len).is_ok()).unwrap();
        assert!(longest > 3500, "{longest}");
        assert!((4094..=4096).contains(&sealed(longest).unwrap()));
    }
}
