//! The attributes of EAP over RADIUS, of accounting and of dynamic authorization: their numbers, and EAP-Message, whose pieces make one
//! EAP packet (RFC 3579 section 3.1).

use super::eap::EapPacket;
use super::error::Unusable;
use super::packet::{AttributeList, Attributes, MAX_VALUE, TooLong};

/// An attribute's Type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind(pub u8);

impl Kind {
    /// User-Name (RFC 2865 section 5.1).
    pub const USER_NAME: Self = Self(1);
    /// NAS-IP-Address: 4 octets.
    pub const NAS_IP_ADDRESS: Self = Self(4);
    /// NAS-Port: 4 octets.
    pub const NAS_PORT: Self = Self(5);
    /// Service-Type: 4 octets.
    pub const SERVICE_TYPE: Self = Self(6);
    /// Framed-IP-Address: 4 octets.
    pub const FRAMED_IP_ADDRESS: Self = Self(8);
    /// Framed-MTU: 4 octets.
    pub const FRAMED_MTU: Self = Self(12);
    /// State: the server's own.
    pub const STATE: Self = Self(24);
    /// Class: opaque.
    pub const CLASS: Self = Self(25);
    /// Vendor-Specific: 4 octets of vendor, then that vendor's attributes.
    pub const VENDOR_SPECIFIC: Self = Self(26);
    /// Session-Timeout: 4 octets, in seconds.
    pub const SESSION_TIMEOUT: Self = Self(27);
    /// Called-Station-Id: text.
    pub const CALLED_STATION_ID: Self = Self(30);
    /// Calling-Station-Id: text.
    pub const CALLING_STATION_ID: Self = Self(31);
    /// NAS-Identifier: text.
    pub const NAS_IDENTIFIER: Self = Self(32);
    /// Proxy-State: opaque, goes back as it came.
    pub const PROXY_STATE: Self = Self(33);
    /// Acct-Status-Type: 4 octets (RFC 2866 section 5.1, as those up to Acct-Terminate-Cause).
    pub const ACCT_STATUS_TYPE: Self = Self(40);
    /// Acct-Input-Octets: 4 octets.
    pub const ACCT_INPUT_OCTETS: Self = Self(42);
    /// Acct-Output-Octets: 4 octets.
    pub const ACCT_OUTPUT_OCTETS: Self = Self(43);
    /// Acct-Session-Id: text.
    pub const ACCT_SESSION_ID: Self = Self(44);
    /// Acct-Authentic: 4 octets.
    pub const ACCT_AUTHENTIC: Self = Self(45);
    /// Acct-Session-Time: 4 octets, in seconds.
    pub const ACCT_SESSION_TIME: Self = Self(46);
    /// Acct-Input-Packets: 4 octets.
    pub const ACCT_INPUT_PACKETS: Self = Self(47);
    /// Acct-Output-Packets: 4 octets.
    pub const ACCT_OUTPUT_PACKETS: Self = Self(48);
    /// Acct-Terminate-Cause: 4 octets.
    pub const ACCT_TERMINATE_CAUSE: Self = Self(49);
    /// Acct-Input-Gigawords: 4 octets (RFC 2869 section 5.1).
    pub const ACCT_INPUT_GIGAWORDS: Self = Self(52);
    /// Acct-Output-Gigawords: 4 octets (RFC 2869 section 5.2).
    pub const ACCT_OUTPUT_GIGAWORDS: Self = Self(53);
    /// Event-Timestamp: 4 octets, seconds since 1970 (RFC 2869 section 5.3).
    pub const EVENT_TIMESTAMP: Self = Self(55);
    /// NAS-Port-Type: 4 octets.
    pub const NAS_PORT_TYPE: Self = Self(61);
    /// EAP-Message (RFC 3579 section 3.1).
    pub const EAP_MESSAGE: Self = Self(79);
    /// Message-Authenticator: 16 octets (RFC 3579 section 3.2).
    pub const MESSAGE_AUTHENTICATOR: Self = Self(80);
    /// Acct-Interim-Interval: 4 octets, in seconds (RFC 2869 section 5.16).
    pub const ACCT_INTERIM_INTERVAL: Self = Self(85);
    /// NAS-IPv6-Address: 16 octets (RFC 3162 section 2.1).
    pub const NAS_IPV6_ADDRESS: Self = Self(95);
    /// Framed-Interface-Id: 8 octets (RFC 3162 section 2.2).
    pub const FRAMED_INTERFACE_ID: Self = Self(96);
    /// Framed-IPv6-Prefix: a reserved octet, the length in bits, up to 16 octets (RFC 3162 section 2.3).
    pub const FRAMED_IPV6_PREFIX: Self = Self(97);
    /// Error-Cause: 4 octets (RFC 5176 section 3.5).
    pub const ERROR_CAUSE: Self = Self(101);
    /// Delegated-IPv6-Prefix: as Framed-IPv6-Prefix (RFC 4818 section 3).
    pub const DELEGATED_IPV6_PREFIX: Self = Self(123);
    /// Framed-IPv6-Address: 16 octets (RFC 6911 section 3.1).
    pub const FRAMED_IPV6_ADDRESS: Self = Self(168);
}

/// Service-Type Framed (RFC 2865 section 5.6): what a network access server of EAP asks for, and the one that is given.
pub(super) const SERVICE_FRAMED: u32 = 2;
/// NAS-Port-Type Virtual (RFC 2865 section 5.41): no physical port, the mobile node comes over TLS.
pub(super) const PORT_VIRTUAL: u32 = 5;

/// Writes an EAP packet as consecutive EAP-Messages.
///
/// # Errors
/// It does not fit beside what the list has.
pub(super) fn push_eap(list: &mut AttributeList, eap: &EapPacket<'_>) -> Result<(), TooLong> {
    eap.octets().chunks(MAX_VALUE).try_for_each(|piece| list.push(Kind::EAP_MESSAGE, piece))
}

/// The EAP packet of a reply: its EAP-Messages joined, `None` without any.
///
/// # Errors
/// Another attribute stands between two of them: they MUST be consecutive (RFC 3579 section 3.1).
pub(super) fn join_eap(attributes: Attributes<'_>) -> Result<Option<Vec<u8>>, Unusable> {
    let mut joined: Option<Vec<u8>> = None;
    let mut has_ended = false;
    for attribute in attributes {
        match (attribute.kind == Kind::EAP_MESSAGE, has_ended) {
            (true, false) => joined.get_or_insert_default().extend(attribute.value),
            (true, true) => return Err(Unusable::EapApart),
            (false, _) => has_ended = joined.is_some(),
        }
    }
    Ok(joined)
}

/// The value of an attribute of which there may be one.
///
/// # Errors
/// There are several: which one holds is anybody's guess.
pub(crate) fn at_most_one(attributes: Attributes<'_>, kind: Kind) -> Result<Option<&[u8]>, Unusable> {
    let mut values = attributes.all(kind);
    let value = values.next();
    if values.next().is_some() { Err(Unusable::Repeated(kind)) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eap(len: usize) -> Vec<u8> {
        let mut octets: Vec<u8> = (0..=250).cycle().take(len).collect();
        octets[..4].copy_from_slice(&[2, 9, (len >> 8) as u8, len as u8]);
        octets
    }

    #[test]
    fn an_eap_packet_of_any_length_comes_back_from_its_pieces() {
        for (len, pieces) in [(5, 1), (253, 1), (254, 2), (506, 2), (1400, 6), (3000, 12)] {
            let mut list = AttributeList::default();
            list.push(Kind::USER_NAME, b"alice").unwrap();
            push_eap(&mut list, &EapPacket::parse(&eap(len)).unwrap()).unwrap();
            list.push(Kind::STATE, b"state").unwrap();
            let attributes = Attributes::parse(list.octets()).unwrap();
            assert_eq!(attributes.all(Kind::EAP_MESSAGE).count(), pieces);
            assert_eq!(join_eap(attributes).unwrap().unwrap(), eap(len));
        }
    }

    #[test]
    fn an_eap_packet_that_does_not_fit_is_not_cut() {
        let mut list = AttributeList::default();
        let too_long = eap(AttributeList::MAX_LEN);
        assert_eq!(push_eap(&mut list, &EapPacket::parse(&too_long).unwrap()), Err(TooLong));
    }

    #[test]
    fn pieces_with_another_attribute_between_them_are_no_eap_packet() {
        let apart = [79, 3, 1, 24, 3, 0, 79, 3, 2];
        assert_eq!(join_eap(Attributes::parse(&apart).unwrap()), Err(Unusable::EapApart));
        let together = [24, 3, 0, 79, 3, 1, 79, 3, 2, 80, 2, 25, 2];
        assert_eq!(join_eap(Attributes::parse(&together).unwrap()), Ok(Some(vec![1, 2])));
        assert_eq!(join_eap(Attributes::parse(&[24, 3, 0]).unwrap()), Ok(None));
    }

    #[test]
    fn what_may_stand_once_is_not_taken_from_two() {
        let attributes = Attributes::parse(&[24, 3, 1, 25, 3, 9, 24, 3, 2]).unwrap();
        assert_eq!(at_most_one(attributes, Kind::STATE), Err(Unusable::Repeated(Kind::STATE)));
        assert_eq!(at_most_one(attributes, Kind::CLASS), Ok(Some(&[9][..])));
        assert_eq!(at_most_one(attributes, Kind::USER_NAME), Ok(None));
    }
}
