//! What a successful exchange gives: the headers of the final response (RFC 6618 sections 5.6 and 5.7).
//!
//! Under `draft-04` those that the draft does not have, and our `date`,
//! `mip6-ha-features`, `mip6-mobile-network-prefixes` and `mip6-tls`, are neither sent nor looked at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::SystemTime;

use ipnet::{Ipv4Net, Ipv6Net};

use super::Rejection;
use super::fallback_server::FallbackServer;
use super::message::{Message, optional, required, write_user_data};
use crate::addr::{HomeAddresses, HomeAgentAddresses};
use crate::features::Features;
use crate::prefixes::MobileNetworkPrefixes;
use crate::profile::WireProfile;
use crate::sa::cipher::Transform;
use crate::sa::{CipherSuite, DirectionKeys, Secret, SecurityAssociation, Spi};
use crate::wire::header::{Headers, Name, Writer, value};

/// The home agent's port where `mip6-port` is missing (RFC 6618 section 5.7.2), and the only one that a mobile node of profile
/// `draft-04` can be given.
pub const DEFAULT_PORT: u16 = 7872;
/// Digits of the highest SPI, 268435455, and two leading zeros.
const MAX_SPI_DIGITS: usize = 11;

/// A security association with what belongs to it.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Keys, home agent and home addresses.
    pub sa: SecurityAssociation,
    /// When the SA ends, by the HAC's clock, to the second.
    pub validity_end: SystemTime,
    /// The HAC's clock when it answered (our `date` header); `None` from a HAC that does not say.
    pub date: Option<SystemTime>,
    /// The IPv6 prefix of the home network.
    pub home_prefix6: Option<Ipv6Net>,
    /// The IPv4 prefix of the home network.
    pub home_prefix4: Option<Ipv4Net>,
    /// DNS servers behind the home agent: the wire carries the first of each family.
    pub dns: Vec<IpAddr>,
    /// Where the home agent takes datagrams over TLS (our `mip6-tls` header).
    pub fallback: Option<FallbackServer>,
}

impl Grant {
    /// Writes every header of the grant; nonces, status and `auth` are the caller's.
    pub(super) fn write(&self, writer: &mut Writer) {
        let sa = &self.sa;
        write_user_data(writer, sa.user_data);
        writer.text(Name::Spi, sa.spi.get());
        write_key(writer, Name::MnToHaIkey, sa.mn_to_ha.integrity());
        write_key(writer, Name::HaToMnIkey, sa.ha_to_mn.integrity());
        write_key(writer, Name::MnToHaEkey, sa.mn_to_ha.encryption());
        write_key(writer, Name::HaToMnEkey, sa.ha_to_mn.encryption());
        writer.text(Name::SaValidityEnd, value::rfc1123(self.validity_end));
        writer.text(Name::Ciphersuite, sa.suite.wire());
        write_ip6(writer, Name::HaaIp6, sa.home_agent.ip6());
        write_ip4(writer, Name::HaaIp4, sa.home_agent.ip4());
        match sa.profile {
            WireProfile::Rfc6618 => writer.text(Name::Port, sa.home_agent.port()),
            WireProfile::Draft04 => debug_assert_eq!(sa.home_agent.port(), DEFAULT_PORT, "the draft tells no other port"),
        }
        write_ip6(writer, Name::Ip6Hoa, sa.home.ip6());
        write_ip4(writer, Name::Ip4Hoa, sa.home.ip4());
        if let Some(prefix) = self.home_prefix6 {
            let address = value::eight_groups(prefix.addr());
            writer.text(Name::Ip6Hnp, format_args!("{address}/{}", prefix.prefix_len()));
        }
        if sa.profile == WireProfile::Rfc6618 {
            self.write_what_the_rfc_added(writer);
        }
    }

    fn write_what_the_rfc_added(&self, writer: &mut Writer) {
        if let Some(prefix) = self.home_prefix4 {
            writer.text(Name::Ip4Hnp, prefix);
        }
        let first = |v6: bool| self.dns.iter().copied().find(|server| server.is_ipv6() == v6);
        if let Some(IpAddr::V6(server)) = first(true) {
            write_ip6(writer, Name::DnsIp6, Some(server));
        }
        if let Some(IpAddr::V4(server)) = first(false) {
            write_ip4(writer, Name::DnsIp4, Some(server));
        }
        if self.sa.features != Features::NONE {
            writer.text(Name::HaFeatures, self.sa.features);
        }
        if !self.sa.prefixes.is_empty() {
            writer.text(Name::MobileNetworkPrefixes, in_eight_groups(&self.sa.prefixes));
        }
        if let Some(date) = self.date {
            writer.text(Name::Date, value::rfc1123(date));
        }
        if let Some(server) = &self.fallback {
            writer.text(Name::Tls, server);
        }
    }

    /// Reads the grant out of a final response whose `auth` was right. `offered` is what the mobile node listed.
    pub(super) fn read(message: &Message, profile: WireProfile, offered: &[CipherSuite]) -> Result<Self, Rejection> {
        let headers = &message.headers;
        let added = match profile {
            WireProfile::Rfc6618 => Added::read(headers)?,
            WireProfile::Draft04 => Added::default(),
        };
        let suite = read_suite(headers, offered)?;
        let sa = SecurityAssociation {
            spi: required(headers, Name::Spi, spi)?,
            suite,
            profile,
            user_data: message.user_data()?,
            mn_to_ha: read_keys(headers, suite, Name::MnToHaIkey, Name::MnToHaEkey)?,
            ha_to_mn: read_keys(headers, suite, Name::HaToMnIkey, Name::HaToMnEkey)?,
            home: read_home(headers)?,
            home_agent: read_home_agent(headers, added.port)?,
            features: added.features,
            prefixes: added.prefixes,
        };
        check_keys_differ(&sa)?;
        let validity_end = required(headers, Name::SaValidityEnd, value::date)?;
        if added.date.is_some_and(|date| validity_end <= date) {
            return Err(Rejection::AlreadyEnded);
        }
        let home_prefix6 = optional(headers, Name::Ip6Hnp, value::prefix6)?;
        let Added { home_prefix4, dns, date, fallback, .. } = added;
        Ok(Self { sa, validity_end, date, home_prefix6, home_prefix4, dns, fallback })
    }
}

/// What the draft has no header for.
#[derive(Default)]
struct Added {
    port: Option<u16>,
    home_prefix4: Option<Ipv4Net>,
    dns: Vec<IpAddr>,
    date: Option<SystemTime>,
    features: Features,
    prefixes: MobileNetworkPrefixes,
    fallback: Option<FallbackServer>,
}

impl Added {
    fn read(headers: &Headers) -> Result<Self, Rejection> {
        Ok(Self {
            port: optional(headers, Name::Port, port)?,
            home_prefix4: optional(headers, Name::Ip4Hnp, value::prefix4)?,
            dns: read_dns(headers)?,
            date: optional(headers, Name::Date, value::date)?,
            features: read_features(headers),
            prefixes: optional(headers, Name::MobileNetworkPrefixes, prefixes)?.unwrap_or_default(),
            fallback: optional(headers, Name::Tls, fallback)?,
        })
    }
}

fn write_key(writer: &mut Writer, name: Name, key: &[u8]) {
    if !key.is_empty() {
        writer.hex(name, key);
    }
}

fn write_ip6(writer: &mut Writer, name: Name, address: Option<Ipv6Addr>) {
    if let Some(address) = address {
        writer.text(name, value::eight_groups(address));
    }
}

fn write_ip4(writer: &mut Writer, name: Name, address: Option<Ipv4Addr>) {
    if let Some(address) = address {
        writer.text(name, address);
    }
}

fn in_eight_groups(prefixes: &MobileNetworkPrefixes) -> String {
    let words = prefixes.iter().map(|prefix| format!("{}/{}", value::eight_groups(prefix.network()), prefix.prefix_len()));
    words.collect::<Vec<_>>().join(",")
}

fn read_suite(headers: &Headers, offered: &[CipherSuite]) -> Result<CipherSuite, Rejection> {
    let selected = required(headers, Name::Ciphersuite, value::suite)?;
    selected.filter(|suite| offered.contains(suite)).ok_or(Rejection::SuiteNotOffered)
}

/// Any but 0: those below 4,096, RFC 4303's reserved ones among them, are not in our plan, but RFC 6618 section 5.6.1 lets
/// another HAC give them out.
fn spi(octets: &[u8]) -> Result<Spi, value::ValueError> {
    Spi::new(value::decimal(octets, MAX_SPI_DIGITS)?).ok_or(value::ValueError)
}

fn read_keys(headers: &Headers, suite: CipherSuite, ikey: Name, ekey: Name) -> Result<DirectionKeys, Rejection> {
    let integrity = read_key(headers, ikey, suite.integrity_key_len())?;
    let keys = DirectionKeys::new(&integrity, &read_key(headers, ekey, suite.encryption_key_len())?);
    // The lengths are right: what is refused now is a 3DES key that is worth less (RFC 2451 section 2.3).
    if Transform::new(suite, &keys).is_err() { Err(Rejection::Value(ekey)) } else { Ok(keys) }
}

/// A key of exactly `len` octets; where that is 0 the header is missing or empty.
fn read_key(headers: &Headers, name: Name, len: usize) -> Result<Secret, Rejection> {
    let key = optional(headers, name, value::hex_secret)?;
    match key {
        None if len == 0 => Ok(Secret::empty()),
        None => Err(Rejection::Missing(name)),
        Some(key) if key.len() == len => Ok(key),
        Some(_) => Err(Rejection::Value(name)),
    }
}

fn check_keys_differ(sa: &SecurityAssociation) -> Result<(), Rejection> {
    if sa.mn_to_ha.has_one_in_common_with(&sa.ha_to_mn) { Err(Rejection::SameKeys) } else { Ok(()) }
}

fn read_home(headers: &Headers) -> Result<HomeAddresses, Rejection> {
    let ip6 = optional(headers, Name::Ip6Hoa, unicast6)?;
    let ip4 = optional(headers, Name::Ip4Hoa, unicast4)?;
    HomeAddresses::new(ip6, ip4).ok_or(Rejection::Missing(Name::Ip6Hoa))
}

fn read_home_agent(headers: &Headers, port: Option<u16>) -> Result<HomeAgentAddresses, Rejection> {
    let ip6 = optional(headers, Name::HaaIp6, unicast6)?;
    let ip4 = optional(headers, Name::HaaIp4, unicast4)?;
    HomeAgentAddresses::new(ip6, ip4, port.unwrap_or(DEFAULT_PORT)).ok_or(Rejection::Missing(Name::HaaIp6))
}

fn read_dns(headers: &Headers) -> Result<Vec<IpAddr>, Rejection> {
    let ip6 = optional(headers, Name::DnsIp6, unicast6)?.map(IpAddr::V6);
    let ip4 = optional(headers, Name::DnsIp4, unicast4)?.map(IpAddr::V4);
    Ok(ip6.into_iter().chain(ip4).collect())
}

/// Words with commas between them; a header that is empty or holds nothing known is as good as none.
fn read_features(headers: &Headers) -> Features {
    let words = headers.lines_of(Name::HaFeatures).flat_map(|line| line.split(|octet| *octet == b','));
    Features::named(words.map(<[u8]>::trim_ascii))
}

fn port(octets: &[u8]) -> Result<u16, value::ValueError> {
    let port = u16::try_from(value::decimal(octets, 5)?).map_err(|_| value::ValueError)?;
    if port == 0 { Err(value::ValueError) } else { Ok(port) }
}

/// Prefixes with commas between them; an empty header is as good as none.
fn prefixes(octets: &[u8]) -> Result<MobileNetworkPrefixes, value::ValueError> {
    let text = str::from_utf8(octets).map_err(|_| value::ValueError)?;
    text.parse().map_err(|_| value::ValueError)
}

fn fallback(octets: &[u8]) -> Result<FallbackServer, value::ValueError> {
    let text = str::from_utf8(octets).map_err(|_| value::ValueError)?;
    text.parse().map_err(|_| value::ValueError)
}

fn unicast6(octets: &[u8]) -> Result<Ipv6Addr, value::ValueError> {
    let address = value::ip6(octets)?;
    if address.is_unspecified() || address.is_multicast() { Err(value::ValueError) } else { Ok(address) }
}

fn unicast4(octets: &[u8]) -> Result<Ipv4Addr, value::ValueError> {
    let address = value::ip4(octets)?;
    let is_unicast = !(address.is_unspecified() || address.is_multicast() || address.is_broadcast());
    if is_unicast { Ok(address) } else { Err(value::ValueError) }
}
