//! Attribute-value pairs as EAP-TTLS has them within TLS (RFC 5281 section 10.1), in the form of Diameter: code 4 octets, flags 1,
//! length 3, vendor 4 where the flag says so, data, zeros up to a multiple of four.

use crate::eap::MethodError;

/// AVPs of one message: a server sends two or three.
pub const MAX_AVPS: usize = 32;

const CODE_AND_LENGTH_LEN: usize = 8;
const VENDOR_LEN: usize = 4;
const VENDOR: u8 = 0x80;
const MANDATORY: u8 = 0x40;

/// Which AVP: those of vendor 0 are RADIUS attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// SMI enterprise code; 0 for none.
    pub vendor: u32,
    /// The number.
    pub code: u32,
}

impl Code {
    /// RFC 2865 section 5.1.
    pub const USER_NAME: Self = Self { vendor: 0, code: 1 };
    /// RFC 2865 section 5.2, but in the clear (RFC 5281 section 11.2.5).
    pub const USER_PASSWORD: Self = Self { vendor: 0, code: 2 };
    /// RFC 2865 section 5.18: a text for the user.
    pub const REPLY_MESSAGE: Self = Self { vendor: 0, code: 18 };
    /// RFC 2548 section 2.1.2.
    pub const MS_CHAP_CHALLENGE: Self = Self { vendor: MICROSOFT, code: 11 };
    /// RFC 2548 section 2.3.2.
    pub const MS_CHAP2_RESPONSE: Self = Self { vendor: MICROSOFT, code: 25 };
    /// RFC 2548 section 2.3.3.
    pub const MS_CHAP2_SUCCESS: Self = Self { vendor: MICROSOFT, code: 26 };
    /// RFC 2548 section 2.1.5.
    pub const MS_CHAP_ERROR: Self = Self { vendor: MICROSOFT, code: 2 };
}

const MICROSOFT: u32 = 311;

/// One AVP. `data` may be a password: there is no `Debug`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Avp<'a> {
    /// Which.
    pub code: Code,
    /// Whether the run must fail where it is not understood.
    pub is_mandatory: bool,
    /// Its value, without the zeros behind.
    pub data: &'a [u8],
}

impl<'a> Avp<'a> {
    /// An AVP that must be understood.
    pub fn mandatory(code: Code, data: &'a [u8]) -> Self {
        Self { code, is_mandatory: true, data }
    }

    /// How many octets it takes when written.
    pub fn written_len(&self) -> usize {
        self.len().next_multiple_of(4)
    }

    /// Appends it.
    pub fn write(&self, octets: &mut Vec<u8>) {
        let flags = if self.is_mandatory { MANDATORY } else { 0 } | if self.code.vendor == 0 { 0 } else { VENDOR };
        let [_, len @ ..] = u32::try_from(self.len()).unwrap_or(u32::MAX).to_be_bytes();
        octets.extend(self.code.code.to_be_bytes());
        octets.push(flags);
        octets.extend(len);
        if self.code.vendor != 0 {
            octets.extend(self.code.vendor.to_be_bytes());
        }
        octets.extend_from_slice(self.data);
        octets.resize(octets.len() + self.written_len() - self.len(), 0);
    }

    fn len(&self) -> usize {
        CODE_AND_LENGTH_LEN + if self.code.vendor == 0 { 0 } else { VENDOR_LEN } + self.data.len()
    }
}

/// Reads the AVPs of a message.
///
/// # Errors
/// [`MethodError::Malformed`] for a length that is too short or goes beyond the message; [`MethodError::TooLong`] for more than
/// [`MAX_AVPS`]. The last may lack its padding: hostapd sends none.
pub fn parse(octets: &[u8]) -> Result<Vec<Avp<'_>>, MethodError> {
    let (mut avps, mut rest) = (Vec::new(), octets);
    while !rest.is_empty() {
        if avps.len() >= MAX_AVPS {
            return Err(MethodError::TooLong);
        }
        let (avp, behind) = first(rest).ok_or(MethodError::Malformed)?;
        avps.push(avp);
        rest = behind;
    }
    Ok(avps)
}

fn first(octets: &[u8]) -> Option<(Avp<'_>, &[u8])> {
    let (&[a, b, c, d, flags, high, middle, low], _) = octets.split_first_chunk::<CODE_AND_LENGTH_LEN>()?;
    let len = usize::try_from(u32::from_be_bytes([0, high, middle, low])).ok()?;
    let (padded, behind) = octets.split_at_checked(len.next_multiple_of(4).min(octets.len()))?;
    let value = padded.get(CODE_AND_LENGTH_LEN..len)?;
    let (vendor, data) = if flags & VENDOR == 0 {
        (0, value)
    } else {
        let (vendor, data) = value.split_first_chunk::<VENDOR_LEN>()?;
        (u32::from_be_bytes(*vendor), data)
    };
    let code = Code { vendor, code: u32::from_be_bytes([a, b, c, d]) };
    Some((Avp { code, is_mandatory: flags & MANDATORY != 0, data }, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(octets: &str) -> Result<usize, MethodError> {
        parse(&hex::decode(octets).unwrap()).map(|avps| avps.len())
    }

    #[test]
    fn avps_are_written_as_rfc_5281_section_10_1_draws_them_and_read_back() {
        let user = Avp::mandatory(Code::USER_NAME, b"alice");
        let challenge = Avp { is_mandatory: false, ..Avp::mandatory(Code::MS_CHAP_CHALLENGE, b"\x01\x02\x03\x04") };
        let mut octets = Vec::new();
        user.write(&mut octets);
        challenge.write(&mut octets);
        assert_eq!(hex::encode(&octets), "000000014000000d616c6963650000000000000b800000100000013701020304");
        assert_eq!(user.written_len() + challenge.written_len(), octets.len());
        assert!(parse(&octets) == Ok(vec![user, challenge]));
    }

    #[test]
    fn lengths_that_do_not_fit_are_malformed() {
        for octets in [
            "00000001",
            "0000000140000007",
            "00000001400000",
            "0000000140000009",
            "000000018000000b00000137",
            "0000000180000008",
            "000000014000000c61626364ff",
            "0000000140ffffff61626364",
        ] {
            assert_eq!(parsed(octets), Err(MethodError::Malformed), "{octets}");
        }
        assert_eq!(parsed("0000000140000008"), Ok(1), "an empty value");
        assert_eq!(parsed("000000018000000c00000137"), Ok(1), "an empty value of a vendor's");
        for unpadded in ["000000014000000961", "00000001400000096100", "000000014000000961000000"] {
            assert_eq!(parsed(unpadded), Ok(1), "{unpadded}");
        }
        assert_eq!(parsed(""), Ok(0));
    }

    #[test]
    fn more_avps_than_the_bound_are_too_many() {
        assert_eq!(parsed(&"0000000140000008".repeat(MAX_AVPS)), Ok(MAX_AVPS));
        assert_eq!(parsed(&"0000000140000008".repeat(MAX_AVPS + 1)), Err(MethodError::TooLong));
    }
}
