//! Reports of sessions between the generated types and the protocol's.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use protocol::sa::Spi;
use protocol::tunnel::{Traffic, Volume};

use super::spi;
use crate::message::{MAX_AGE, MessageError, SessionEnd, SessionReport, USAGE_PART};
use crate::proto;

/// The most octets of one report in its message: a tag and a length, then for each of its fields a tag of one octet and at most 4 for
/// the SPI, 5 for the number, 1 and 16 for the address, 3 for the port, 10 for each of five figures and 1 for the end.
pub(crate) const REPORT_OCTETS: usize = 2 + 10 + 4 + 5 + 17 + 3 + 5 * 10 + 1;

/// Whole seconds, and at least one: none is 0.
pub(super) fn interval_to_proto(interval: Option<Duration>) -> u32 {
    interval.map_or(0, |interval| u32::try_from(interval.as_secs()).unwrap_or(u32::MAX).max(1))
}

pub(super) fn interval_from_proto(seconds: u32) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds.into()))
}

pub(super) fn to_proto(reports: &[SessionReport]) -> proto::Usage {
    proto::Usage { reports: reports.iter().map(report_to_proto).collect() }
}

pub(super) fn from_proto(message: proto::Usage) -> Result<Vec<SessionReport>, MessageError> {
    let count = message.reports.len();
    if count > USAGE_PART {
        return Err(MessageError::TooManySessions(count));
    }
    message.reports.into_iter().map(report_from_proto).collect()
}

fn report_to_proto(report: &SessionReport) -> proto::SessionReport {
    let Traffic { from_node, to_node } = report.traffic;
    proto::SessionReport {
        spi: report.spi.get(),
        number: report.number,
        care_of: match report.care_of.ip() {
            IpAddr::V6(ip) => ip.octets().to_vec(),
            IpAddr::V4(ip) => ip.octets().to_vec(),
        },
        care_of_port: report.care_of.port().into(),
        age_seconds: report.age.as_secs(),
        packets_from_node: from_node.packets,
        octets_from_node: from_node.octets,
        packets_to_node: to_node.packets,
        octets_to_node: to_node.octets,
        end: end_to_proto(report.ended).into(),
    }
}

fn report_from_proto(message: proto::SessionReport) -> Result<SessionReport, MessageError> {
    let spi = spi(message.spi)?;
    if message.number == 0 {
        return Err(MessageError::SessionNumber(spi));
    }
    Ok(SessionReport {
        spi,
        number: message.number,
        care_of: care_of(spi, &message)?,
        age: age(spi, message.age_seconds)?,
        traffic: Traffic {
            from_node: Volume { packets: message.packets_from_node, octets: message.octets_from_node },
            to_node: Volume { packets: message.packets_to_node, octets: message.octets_to_node },
        },
        ended: end_from_proto(spi, message.end)?,
    })
}

fn care_of(spi: Spi, message: &proto::SessionReport) -> Result<SocketAddr, MessageError> {
    let octets = &message.care_of[..];
    let ip6 = <[u8; 16]>::try_from(octets).map(IpAddr::from);
    let ip = ip6.or_else(|_| <[u8; 4]>::try_from(octets).map(IpAddr::from));
    let ip = ip.map_err(|_| MessageError::CareOf { spi, actual: octets.len() })?;
    let port = message.care_of_port;
    let port = u16::try_from(port).map_err(|_| MessageError::CareOfPort { spi, port })?;
    Ok(SocketAddr::new(ip, port))
}

fn age(spi: Spi, seconds: u64) -> Result<Duration, MessageError> {
    let age = Duration::from_secs(seconds);
    if age > MAX_AGE { Err(MessageError::Age { spi, seconds }) } else { Ok(age) }
}

fn end_to_proto(ended: Option<SessionEnd>) -> proto::SessionEnd {
    match ended {
        None => proto::SessionEnd::None,
        Some(SessionEnd::Deregistered) => proto::SessionEnd::Deregistered,
        Some(SessionEnd::BindingExpired) => proto::SessionEnd::BindingExpired,
        Some(SessionEnd::Superseded) => proto::SessionEnd::Superseded,
        Some(SessionEnd::SaEnded) => proto::SessionEnd::SaEnded,
        Some(SessionEnd::SaExpired) => proto::SessionEnd::SaExpired,
    }
}

fn end_from_proto(spi: Spi, value: i32) -> Result<Option<SessionEnd>, MessageError> {
    match proto::SessionEnd::try_from(value) {
        Ok(proto::SessionEnd::None) => Ok(None),
        Ok(proto::SessionEnd::Deregistered) => Ok(Some(SessionEnd::Deregistered)),
        Ok(proto::SessionEnd::BindingExpired) => Ok(Some(SessionEnd::BindingExpired)),
        Ok(proto::SessionEnd::Superseded) => Ok(Some(SessionEnd::Superseded)),
        Ok(proto::SessionEnd::SaEnded) => Ok(Some(SessionEnd::SaEnded)),
        Ok(proto::SessionEnd::SaExpired) => Ok(Some(SessionEnd::SaExpired)),
        Err(_) => Err(MessageError::SessionEnd { spi, value }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::{from_ha_from_proto, from_ha_to_proto};
    use crate::message::FromHa;

    fn report(ended: Option<SessionEnd>) -> SessionReport {
        SessionReport {
            spi: Spi::new(0x00a_b123).unwrap(),
            number: 3,
            care_of: "198.51.100.7:5000".parse().unwrap(),
            age: Duration::from_secs(61),
            traffic: Traffic {
                from_node: Volume { packets: 1, octets: 60 },
                to_node: Volume { packets: u64::from(u32::MAX) + 1, octets: u64::MAX },
            },
            ended,
        }
    }

    fn every_end() -> [Option<SessionEnd>; 6] {
        use SessionEnd::{BindingExpired, Deregistered, SaEnded, SaExpired, Superseded};
        [None, Some(Deregistered), Some(BindingExpired), Some(Superseded), Some(SaEnded), Some(SaExpired)]
    }

    #[test]
    fn a_report_with_each_end_and_from_either_family_comes_out_as_it_went_in() {
        let mut reports: Vec<_> = every_end().into_iter().map(report).collect();
        reports.push(SessionReport { care_of: "[2001:db8:2::7]:0".parse().unwrap(), ..report(None) });
        for reports in [reports, Vec::new()] {
            let message = from_ha_to_proto(FromHa::Usage(reports.clone()));
            assert_eq!(from_ha_from_proto(message), Ok(FromHa::Usage(reports)));
        }
    }

    #[test]
    fn an_age_goes_out_in_whole_seconds() {
        let precise = SessionReport { age: Duration::from_millis(61_999), ..report(None) };
        assert_eq!(from_proto(to_proto(&[precise])), Ok(vec![report(None)]));
    }

    #[test]
    fn what_a_report_cannot_say_is_refused_by_name() {
        type Spoil = fn(&mut proto::SessionReport);
        let cases: [(Spoil, &str); 9] = [
            (|m| m.spi = 0, "0x0 is not an SPI"),
            (|m| m.spi = 1 << 28, "0x10000000 is not an SPI"),
            (|m| m.number = 0, "a session has number 0"),
            (|m| m.care_of.clear(), "care_of has 0 octets instead of 16 or 4"),
            (|m| m.care_of.push(0), "care_of has 5 octets"),
            (|m| m.care_of_port = 65_536, "care_of_port 65536 is not in 0 to 65535"),
            (|m| m.age_seconds = MAX_AGE.as_secs() + 1, "older than any SA may be"),
            (|m| m.end = 6, "session end 6 is not in this build: upgrade the HAC"),
            (|m| m.end = -1, "session end -1"),
        ];
        for (spoil, complaint) in cases {
            let mut message = report_to_proto(&report(None));
            spoil(&mut message);
            let error = report_from_proto(message).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
        assert_eq!(from_proto(to_proto(&[report(None); USAGE_PART + 1])), Err(MessageError::TooManySessions(USAGE_PART + 1)));
    }

    #[test]
    fn the_longest_report_is_as_long_as_it_is_said_to_be() {
        let most = Volume { packets: u64::MAX, octets: u64::MAX };
        let longest = SessionReport {
            spi: Spi::new(0x0fff_ffff).unwrap(),
            number: u32::MAX,
            care_of: "[2001:db8::1]:65535".parse().unwrap(),
            age: Duration::MAX,
            traffic: Traffic { from_node: most, to_node: most },
            ended: Some(SessionEnd::SaExpired),
        };
        assert_eq!(prost::Message::encoded_len(&to_proto(&[longest])), REPORT_OCTETS);
    }

    #[test]
    fn an_interval_is_told_in_whole_seconds_and_never_as_none() {
        let come_back = |interval| interval_from_proto(interval_to_proto(interval));
        for seconds in [1, 600, u64::from(u32::MAX)] {
            assert_eq!(come_back(Some(Duration::from_secs(seconds))), Some(Duration::from_secs(seconds)));
        }
        assert_eq!((come_back(None), come_back(Some(Duration::from_millis(1)))), (None, Some(Duration::from_secs(1))));
    }
}
