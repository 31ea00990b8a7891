//! The payload of PType 8: at most one type 2 routing header, at most one Destination Options header with a Home Address
//! option, then exactly one Mobility Header to the end (RFC 6618 section 6.3, RFC 6275 sections 6.3 and 6.4).

use std::net::Ipv6Addr;

use crate::tunnel::DropReason;

/// Destination Options.
pub const DESTINATION_OPTIONS: u8 = 60;
/// Routing header.
pub const ROUTING: u8 = 43;
/// Mobility Header.
pub const MOBILITY: u8 = 135;

/// Octets of either extension header with one address in it.
const EXTENSION_LEN: usize = 24;
const HOME_ADDRESS_OPTION: u8 = 201;
const PAD1: u8 = 0;
const PADN: u8 = 1;

/// A PType 8 payload, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signalling<'a> {
    /// The Home Address option's address: the node that sent it.
    pub home_address_option: Option<Ipv6Addr>,
    /// The type 2 routing header's address: the node that it is for.
    pub routing_header: Option<Ipv6Addr>,
    /// The Mobility Header, checksum not verified.
    pub mobility_header: &'a [u8],
}

impl<'a> Signalling<'a> {
    /// Takes a payload apart whose first header is `next_header`.
    ///
    /// # Errors
    /// [`DropReason::BadNextHeader`] for a first header that PType 8 may not carry, else [`DropReason::MalformedSignalling`].
    pub fn parse(next_header: u8, payload: &'a [u8]) -> Result<Self, DropReason> {
        if !matches!(next_header, DESTINATION_OPTIONS | ROUTING | MOBILITY) {
            return Err(DropReason::BadNextHeader);
        }
        let mut parsed = Self { home_address_option: None, routing_header: None, mobility_header: payload };
        let mut next = next_header;
        while next != MOBILITY {
            let [following, units, ..] = *parsed.mobility_header else { return Err(DropReason::MalformedSignalling) };
            let len = (usize::from(units) + 1) * 8;
            let (header, rest) = parsed.mobility_header.split_at_checked(len).ok_or(DropReason::MalformedSignalling)?;
            let (place, address) = match next {
                ROUTING => (&mut parsed.routing_header, type_2_routing_header(header)),
                DESTINATION_OPTIONS => (&mut parsed.home_address_option, home_address_option(header)),
                _ => return Err(DropReason::MalformedSignalling),
            };
            if place.is_some() || address.is_none() {
                return Err(DropReason::MalformedSignalling);
            }
            *place = address;
            parsed.mobility_header = rest;
            next = following;
        }
        Ok(parsed)
    }
}

/// A Mobility Header behind a Home Address option: first header 60.
pub fn behind_home_address_option(home: Ipv6Addr, mobility_header: &[u8]) -> Vec<u8> {
    // PadN of four octets, so that the address is aligned to 8n+6 as a whole option.
    extension([MOBILITY, 2, PADN, 2, 0, 0, HOME_ADDRESS_OPTION, 16], home, mobility_header)
}

/// A Mobility Header behind a type 2 routing header: first header 43.
pub fn behind_routing_header(home: Ipv6Addr, mobility_header: &[u8]) -> Vec<u8> {
    extension([MOBILITY, 2, 2, 1, 0, 0, 0, 0], home, mobility_header)
}

fn extension(head: [u8; 8], home: Ipv6Addr, mobility_header: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(EXTENSION_LEN + mobility_header.len());
    payload.extend(head);
    payload.extend(home.octets());
    payload.extend(mobility_header);
    payload
}

/// RFC 6275 section 6.4.1: type 2, one segment left, one address.
fn type_2_routing_header(header: &[u8]) -> Option<Ipv6Addr> {
    let ([_, _, 2, 1, _, _, _, _], address) = header.split_first_chunk::<8>()? else { return None };
    Some(Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?))
}

/// RFC 6275 section 6.3: one Home Address option among padding. An unknown option may be skipped when its two highest bits
/// are clear (RFC 8200 section 4.2).
fn home_address_option(header: &[u8]) -> Option<Ipv6Addr> {
    let mut options = header.get(2..)?;
    let mut home = None;
    while let [kind, after_kind @ ..] = options {
        if *kind == PAD1 {
            options = after_kind;
            continue;
        }
        let (len, after_len) = after_kind.split_first()?;
        let (value, rest) = after_len.split_at_checked(usize::from(*len))?;
        match *kind {
            HOME_ADDRESS_OPTION if home.is_none() => home = Some(Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?)),
            HOME_ADDRESS_OPTION => return None,
            PADN => {}
            unknown if unknown & 0xc0 == 0 => {}
            _ => return None,
        }
        options = rest;
    }
    home
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x100);

    #[test]
    fn what_is_put_in_front_of_a_mobility_header_is_found_again() {
        let payload = behind_home_address_option(HOME, b"mobility");
        let parsed = Signalling::parse(DESTINATION_OPTIONS, &payload).unwrap();
        assert_eq!(
            (parsed.home_address_option, parsed.routing_header, parsed.mobility_header),
            (Some(HOME), None, &b"mobility"[..])
        );
        let payload = behind_routing_header(HOME, b"mobility");
        let parsed = Signalling::parse(ROUTING, &payload).unwrap();
        assert_eq!(
            (parsed.home_address_option, parsed.routing_header, parsed.mobility_header),
            (None, Some(HOME), &b"mobility"[..])
        );
    }

    #[test]
    fn a_bare_mobility_header_has_no_address() {
        let parsed = Signalling::parse(MOBILITY, b"mobility").unwrap();
        assert_eq!((parsed.home_address_option, parsed.routing_header), (None, None));
    }

    #[test]
    fn a_second_header_of_one_kind_another_first_header_and_a_cut_one_are_refused() {
        let once = behind_home_address_option(HOME, b"mobility");
        let mut twice = behind_home_address_option(HOME, &once);
        twice[0] = DESTINATION_OPTIONS;
        assert_eq!(Signalling::parse(DESTINATION_OPTIONS, &twice), Err(DropReason::MalformedSignalling));
        assert_eq!(Signalling::parse(6, &once), Err(DropReason::BadNextHeader));
        assert_eq!(Signalling::parse(DESTINATION_OPTIONS, &once[..23]), Err(DropReason::MalformedSignalling));
        assert_eq!(Signalling::parse(ROUTING, &once), Err(DropReason::MalformedSignalling));
    }
}
