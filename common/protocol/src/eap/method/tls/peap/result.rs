//! The Result TLV in a packet of EAP-TLV (Type 33; draft-hiller-eap-tlv): how PEAP ends, in both directions.

use crate::eap::packet::Packet;
use crate::eap::{MethodError, Type};

/// TLVs of one packet: a server sends one or two.
const MAX_TLVS: usize = 16;
/// Two bits of the type: mandatory, reserved.
const MANDATORY: u16 = 0x8000;
const TYPE_MASK: u16 = 0x3fff;
const RESULT: u16 = 3;

/// What an end says of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Success = 1,
    Failure = 2,
}

/// The result in a request. Other TLVs are passed over, if they may be.
///
/// # Errors
/// [`MethodError::Malformed`]: lengths do not fit, there is no result or more than one, or an unknown TLV is mandatory.
pub(super) fn parse(data: &[u8]) -> Result<Status, MethodError> {
    let (mut rest, mut result) = (data, None);
    for _ in 0..MAX_TLVS {
        if rest.is_empty() {
            break;
        }
        let (kind, value, behind) = first(rest).ok_or(MethodError::Malformed)?;
        match (kind & TYPE_MASK, value) {
            (RESULT, [0, 1]) if result.is_none() => result = Some(Status::Success),
            (RESULT, [0, 2]) if result.is_none() => result = Some(Status::Failure),
            (RESULT, _) => return Err(MethodError::Malformed),
            _ if kind & MANDATORY != 0 => return Err(MethodError::Malformed),
            _ => {}
        }
        rest = behind;
    }
    result.filter(|_| rest.is_empty()).ok_or(MethodError::Malformed)
}

/// The whole response with this result.
pub(super) fn response(identifier: u8, status: Status) -> Vec<u8> {
    let [high, low] = (MANDATORY | RESULT).to_be_bytes();
    Packet::Response { identifier, kind: Type::TLV, data: &[high, low, 0, 2, 0, status as u8] }.write()
}

fn first(octets: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (&[a, b, c, d], rest) = octets.split_first_chunk()?;
    let (value, behind) = rest.split_at_checked(usize::from(u16::from_be_bytes([c, d])))?;
    Some((u16::from_be_bytes([a, b]), value, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read_and_what_else_must_be_understood_is_not_passed_over() {
        let binding = format!("000c0038{}", "00".repeat(56));
        for (data, expected) in [
            ("800300020001".to_owned(), Ok(Status::Success)),
            ("000300020002".to_owned(), Ok(Status::Failure)),
            (format!("{binding}800300020001"), Ok(Status::Success)),
            (format!("800300020001{binding}"), Ok(Status::Success)),
            (binding, Err(MethodError::Malformed)),
            ("".to_owned(), Err(MethodError::Malformed)),
            ("800300020003".to_owned(), Err(MethodError::Malformed)),
            ("8003000101".to_owned(), Err(MethodError::Malformed)),
            ("8003000300010000".to_owned(), Err(MethodError::Malformed)),
            ("80030002".to_owned(), Err(MethodError::Malformed)),
            ("800300020001800300020002".to_owned(), Err(MethodError::Malformed)),
            ("80030002000180090000".to_owned(), Err(MethodError::Malformed)),
            (format!("{}800300020001", "00090000".repeat(MAX_TLVS)), Err(MethodError::Malformed)),
        ] {
            assert_eq!(parse(&hex::decode(&data).unwrap()), expected, "{data}");
        }
    }

    #[test]
    fn the_answer_is_a_whole_packet_with_the_same_result() {
        assert_eq!(hex::encode(response(8, Status::Success)), "0208000b21800300020001");
        assert_eq!(hex::encode(response(8, Status::Failure)), "0208000b21800300020002");
    }
}
