//! Values of TV-headers, typed: hexadecimal, decimal, dates, addresses, prefixes, suites (RFC 6618 sections 5.5 to 5.7).
//!
//! Readers take the octets behind the colon, as [`super::Headers`] gives them; what a reader accepts beyond the grammar
//! is said with it. Writers give text for [`super::Writer`].

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ipnet::{Ipv4Net, Ipv6Net};

use crate::sa::{CipherSuite, Secret};

/// The value is not of its grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueError;

/// Exactly `N` octets in hexadecimal of either case.
///
/// # Errors
/// Another length, or something that is no hexadecimal digit.
pub fn hex_array<const N: usize>(value: &[u8]) -> Result<[u8; N], ValueError> {
    let mut octets = [0; N];
    hex::decode_to_slice(value, &mut octets).map_err(|_| ValueError)?;
    Ok(octets)
}

/// Key octets in hexadecimal of either case; an empty value is no octets.
///
/// # Errors
/// An odd number of digits, or something that is no hexadecimal digit.
pub fn hex_secret(value: &[u8]) -> Result<Secret, ValueError> {
    hex::decode(value).map(Secret::new).map_err(|_| ValueError)
}

/// One or more octets, at most `max`, in hexadecimal of either case.
///
/// # Errors
/// None or more, an odd number of digits, or something that is no hexadecimal digit.
pub fn hex_bounded(value: &[u8], max: usize) -> Result<Vec<u8>, ValueError> {
    if value.is_empty() || value.len() / 2 > max {
        return Err(ValueError);
    }
    hex::decode(value).map_err(|_| ValueError)
}

/// `1*DIGIT` of at most `max_digits`, so that leading zeros do not go on for ever.
///
/// # Errors
/// No digit, more than `max_digits`, another character, or a number above 32 bits.
pub fn decimal(value: &[u8], max_digits: usize) -> Result<u32, ValueError> {
    if value.is_empty() || value.len() > max_digits || !value.iter().all(u8::is_ascii_digit) {
        return Err(ValueError);
    }
    text(value)?.parse().map_err(|_| ValueError)
}

/// An rfc1123-date: `Sun, 06 Nov 1994 08:49:37 GMT`, 29 octets, case-sensitive (RFC 2616 section 3.3.1).
///
/// # Errors
/// Another form (RFC 850's and asctime's too), a weekday that does not agree, a year before 1970.
pub fn date(value: &[u8]) -> Result<SystemTime, ValueError> {
    let value = text(value)?;
    let time = httpdate::parse_http_date(value).map_err(|_| ValueError)?;
    if httpdate::fmt_http_date(time) == value { Ok(time) } else { Err(ValueError) }
}

/// `time` as an rfc1123-date, cut to the second; a time that the form cannot express becomes the nearest that it can.
pub fn rfc1123(time: SystemTime) -> impl fmt::Display {
    /// 9999-12-31 23:59:59 GMT.
    const LAST: Duration = Duration::from_secs(253_402_300_799);
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).min(LAST);
    httpdate::HttpDate::from(UNIX_EPOCH + since_epoch)
}

/// An IPv6 address in any form of RFC 4291 section 2.2.
///
/// # Errors
/// No such address.
pub fn ip6(value: &[u8]) -> Result<Ipv6Addr, ValueError> {
    parse(value)
}

/// A dotted IPv4 address; leading zeros in a group are taken (`1*3DIGIT`) as decimal.
///
/// # Errors
/// No such address, or a group above 255.
pub fn ip4(value: &[u8]) -> Result<Ipv4Addr, ValueError> {
    let mut groups = value.split(|octet| *octet == b'.');
    let mut octets = [0; 4];
    for octet in &mut octets {
        let group = decimal(groups.next().ok_or(ValueError)?, 3)?;
        *octet = u8::try_from(group).map_err(|_| ValueError)?;
    }
    if groups.next().is_some() { Err(ValueError) } else { Ok(octets.into()) }
}

/// An IPv6 prefix, `address/length`; lengths of three digits are taken up to 128.
///
/// # Errors
/// No such prefix.
pub fn prefix6(value: &[u8]) -> Result<Ipv6Net, ValueError> {
    let (address, length) = split_prefix(value)?;
    Ipv6Net::new(ip6(address)?, length).map_err(|_| ValueError)
}

/// An IPv4 prefix, `address/length`.
///
/// # Errors
/// No such prefix.
pub fn prefix4(value: &[u8]) -> Result<Ipv4Net, ValueError> {
    let (address, length) = split_prefix(value)?;
    Ipv4Net::new(ip4(address)?, length).map_err(|_| ValueError)
}

/// An IPv6 address as eight groups, never `::` (`ip6-addr = 7( word ":" ) word`).
pub fn eight_groups(address: Ipv6Addr) -> impl fmt::Display {
    struct Groups([u16; 8]);
    impl fmt::Display for Groups {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let [a, b, c, d, e, g, h, i] = self.0;
            write!(f, "{a:x}:{b:x}:{c:x}:{d:x}:{e:x}:{g:x}:{h:x}:{i:x}")
        }
    }
    Groups(address.segments())
}

/// One `{xx,yy}`; `Ok(None)` for a code that this build does not have.
///
/// # Errors
/// Not of that form.
pub fn suite(value: &[u8]) -> Result<Option<CipherSuite>, ValueError> {
    let (code, rest) = csuite(value)?;
    if rest.is_empty() { Ok(code) } else { Err(ValueError) }
}

/// Appends the known suites of one `mip6-suitelist` line to `suites`, each once. Commas stand inside the braces too.
///
/// # Errors
/// The list is empty or malformed, whether the suites in it are known or not.
pub fn suites(value: &[u8], suites: &mut Vec<CipherSuite>) -> Result<(), ValueError> {
    let mut rest = value;
    loop {
        let (code, after) = csuite(rest)?;
        suites.extend(code.filter(|code| !suites.contains(code)));
        if after.is_empty() {
            return Ok(());
        }
        rest = separator(after, b',')?;
    }
}

/// `csuite = "{" xx "," yy "}"` at the start of `value`, and what follows it.
fn csuite(value: &[u8]) -> Result<(Option<CipherSuite>, &[u8]), ValueError> {
    let inside = trim_start(value.strip_prefix(b"{").ok_or(ValueError)?);
    let (high, rest) = hex_pair(inside)?;
    let (low, rest) = hex_pair(separator(rest, b',')?)?;
    let rest = trim_start(rest).strip_prefix(b"}").ok_or(ValueError)?;
    Ok((CipherSuite::from_wire(&format!("{{{high:02X},{low:02X}}}")), rest))
}

fn hex_pair(value: &[u8]) -> Result<(u8, &[u8]), ValueError> {
    let (digits, rest) = value.split_first_chunk::<2>().ok_or(ValueError)?;
    let [octet] = hex_array::<1>(digits)?;
    Ok((octet, rest))
}

/// What follows `separator` and the white space around it.
fn separator(value: &[u8], separator: u8) -> Result<&[u8], ValueError> {
    let rest = trim_start(value).strip_prefix(&[separator]).ok_or(ValueError)?;
    Ok(trim_start(rest))
}

fn trim_start(value: &[u8]) -> &[u8] {
    let blanks = value.iter().take_while(|octet| is_blank(**octet)).count();
    value.get(blanks..).unwrap_or_default()
}

/// Space or tab: the only linear white space that does not fold a line.
pub(crate) fn is_blank(octet: u8) -> bool {
    octet == b' ' || octet == b'\t'
}

fn split_prefix(value: &[u8]) -> Result<(&[u8], u8), ValueError> {
    let slash = value.iter().position(|octet| *octet == b'/').ok_or(ValueError)?;
    let (address, length) = value.split_at(slash);
    let length = decimal(length.get(1..).unwrap_or_default(), 3)?;
    Ok((address, u8::try_from(length).map_err(|_| ValueError)?))
}

fn parse<T: FromStr>(value: &[u8]) -> Result<T, ValueError> {
    text(value)?.parse().map_err(|_| ValueError)
}

fn text(value: &[u8]) -> Result<&str, ValueError> {
    std::str::from_utf8(value).map_err(|_| ValueError)
}

#[cfg(test)]
mod tests;
