//! Between the generated types and the protocol's: every length and number is checked on the way in, nothing is lost on
//! the way out. Keys move into a `Secret` without a copy.

use std::mem::take;
use std::net::IpAddr;
use std::time::Duration;

use protocol::addr::{HomeAddresses, HomeAgentAddresses};
use protocol::profile::WireProfile;
use protocol::sa::spi::HaGroup;
use protocol::sa::{CipherSuite, DirectionKeys, Secret, SecurityAssociation, Spi, UserData};

use crate::message::{Change, FromHac, Hello, MAX_LEFT, MAX_PREFIXES, MessageError, Provisioned, Welcome};
use crate::proto;

pub(crate) fn hello_to_proto(hello: &Hello) -> proto::HaMessage {
    let hello = proto::Hello { instance: hello.instance.to_vec(), known_revision: hello.known_revision };
    proto::HaMessage { message: Some(proto::ha_message::Message::Hello(hello)) }
}

pub(crate) fn acknowledge_to_proto(revision: u64) -> proto::HaMessage {
    proto::HaMessage { message: Some(proto::ha_message::Message::Acknowledge(proto::Acknowledge { revision })) }
}

pub(crate) fn hello_from_proto(message: proto::HaMessage) -> Result<Hello, MessageError> {
    let Some(proto::ha_message::Message::Hello(hello)) = message.message else {
        return Err(MessageError::Missing("Hello, the home agent's first message,"));
    };
    let length = hello.instance.len();
    let instance = hello.instance.try_into().map_err(|_| MessageError::Instance(length))?;
    Ok(Hello { instance, known_revision: hello.known_revision })
}

pub(crate) fn acknowledge_from_proto(message: proto::HaMessage) -> Result<u64, MessageError> {
    match message.message {
        Some(proto::ha_message::Message::Acknowledge(acknowledge)) => Ok(acknowledge.revision),
        Some(proto::ha_message::Message::Hello(_)) | None => Err(MessageError::Missing("Acknowledge")),
    }
}

pub(crate) fn welcome_to_proto(welcome: &Welcome) -> proto::HacMessage {
    let welcome = proto::Welcome {
        group: u32::from(welcome.group.get()),
        pools: welcome.pools.iter().map(ToString::to_string).collect(),
        own_addresses: welcome.own_addresses.iter().map(ToString::to_string).collect(),
    };
    proto::HacMessage { message: Some(proto::hac_message::Message::Welcome(welcome)) }
}

pub(crate) fn welcome_from_proto(message: proto::HacMessage) -> Result<Welcome, MessageError> {
    let Some(proto::hac_message::Message::Welcome(welcome)) = message.message else {
        return Err(MessageError::Missing("Welcome, the HAC's first message,"));
    };
    let count = welcome.pools.len().max(welcome.own_addresses.len());
    if count > MAX_PREFIXES {
        return Err(MessageError::TooMany(count));
    }
    let group = u8::try_from(welcome.group).ok().and_then(HaGroup::new).ok_or(MessageError::Group(welcome.group))?;
    let pools = welcome.pools.into_iter().map(|pool| pool.parse().map_err(|_| MessageError::Pool(pool)));
    let addresses = welcome.own_addresses.into_iter().map(|text| text.parse::<IpAddr>().map_err(|_| MessageError::Address(text)));
    Ok(Welcome { group, pools: pools.collect::<Result<_, _>>()?, own_addresses: addresses.collect::<Result<_, _>>()? })
}

pub(crate) fn to_proto(message: &FromHac) -> proto::HacMessage {
    match message {
        FromHac::Snapshot { revision, associations, last } => snapshot_to_proto(*revision, associations, *last),
        FromHac::Delta { revision, change } => delta_to_proto(*revision, change),
    }
}

pub(crate) fn snapshot_to_proto(revision: u64, associations: &[Provisioned], last: bool) -> proto::HacMessage {
    let associations = associations.iter().map(sa_to_proto).collect();
    let snapshot = proto::Snapshot { revision, associations, last };
    proto::HacMessage { message: Some(proto::hac_message::Message::Snapshot(snapshot)) }
}

fn delta_to_proto(revision: u64, change: &Change) -> proto::HacMessage {
    let change = match change {
        Change::Install(provisioned) => proto::delta::Change::Install(sa_to_proto(provisioned)),
        Change::End(spi) => proto::delta::Change::End(spi.get()),
    };
    let delta = proto::Delta { revision, change: Some(change) };
    proto::HacMessage { message: Some(proto::hac_message::Message::Delta(delta)) }
}

pub(crate) fn from_proto(message: proto::HacMessage) -> Result<FromHac, MessageError> {
    match message.message {
        Some(proto::hac_message::Message::Snapshot(snapshot)) => {
            let associations = snapshot.associations.into_iter().map(sa_from_proto).collect::<Result<_, _>>()?;
            Ok(FromHac::Snapshot { revision: snapshot.revision, associations, last: snapshot.last })
        }
        Some(proto::hac_message::Message::Delta(delta)) => {
            let change = match delta.change {
                Some(proto::delta::Change::Install(sa)) => Change::Install(Box::new(sa_from_proto(sa)?)),
                Some(proto::delta::Change::End(spi)) => Change::End(Spi::new(spi).ok_or(MessageError::Spi(spi))?),
                None => return Err(MessageError::Missing("a delta's change")),
            };
            Ok(FromHac::Delta { revision: delta.revision, change })
        }
        Some(proto::hac_message::Message::Welcome(_)) | None => Err(MessageError::Missing("a snapshot or a delta")),
    }
}

fn sa_to_proto(provisioned: &Provisioned) -> proto::SecurityAssociation {
    let sa = &provisioned.sa;
    let user_data = match sa.user_data {
        UserData::Protected => proto::UserData::Protected,
        UserData::Clear => proto::UserData::Clear,
    };
    let profile = match sa.profile {
        WireProfile::Rfc6618 => proto::Profile::Rfc6618,
        WireProfile::Draft04 => proto::Profile::Draft04,
    };
    proto::SecurityAssociation {
        spi: sa.spi.get(),
        suite: sa.suite.wire().to_owned(),
        user_data: user_data.into(),
        mn_to_ha_integrity: sa.mn_to_ha.integrity.expose().to_vec(),
        mn_to_ha_encryption: sa.mn_to_ha.encryption.expose().to_vec(),
        ha_to_mn_integrity: sa.ha_to_mn.integrity.expose().to_vec(),
        ha_to_mn_encryption: sa.ha_to_mn.encryption.expose().to_vec(),
        home_ip6: sa.home.ip6().map(|ip| ip.octets().to_vec()).unwrap_or_default(),
        home_ip4: sa.home.ip4().map(|ip| ip.octets().to_vec()).unwrap_or_default(),
        home_agent_ip6: sa.home_agent.ip6().map(|ip| ip.octets().to_vec()).unwrap_or_default(),
        home_agent_ip4: sa.home_agent.ip4().map(|ip| ip.octets().to_vec()).unwrap_or_default(),
        home_agent_port: u32::from(sa.home_agent.port()),
        seconds_left: provisioned.left.as_secs(),
        lease: provisioned.lease,
        profile: profile.into(),
    }
}

/// What is not moved out of `message` is wiped when it is dropped, on every way out.
fn sa_from_proto(mut message: proto::SecurityAssociation) -> Result<Provisioned, MessageError> {
    let spi = Spi::new(message.spi).ok_or(MessageError::Spi(message.spi))?;
    let suite = CipherSuite::from_wire(&message.suite);
    let suite = suite.ok_or_else(|| MessageError::Suite { spi, suite: message.suite.clone() })?;
    let sa = SecurityAssociation {
        spi,
        suite,
        profile: profile(spi, message.profile)?,
        user_data: user_data(spi, message.user_data)?,
        mn_to_ha: DirectionKeys {
            integrity: integrity_key(spi, suite, "mn_to_ha_integrity", &mut message.mn_to_ha_integrity)?,
            encryption: encryption_key(spi, suite, "mn_to_ha_encryption", &mut message.mn_to_ha_encryption)?,
        },
        ha_to_mn: DirectionKeys {
            integrity: integrity_key(spi, suite, "ha_to_mn_integrity", &mut message.ha_to_mn_integrity)?,
            encryption: encryption_key(spi, suite, "ha_to_mn_encryption", &mut message.ha_to_mn_encryption)?,
        },
        home: home(spi, &message)?,
        home_agent: home_agent(spi, &message)?,
    };
    let left = Duration::from_secs(message.seconds_left);
    if left > MAX_LEFT {
        return Err(MessageError::Left { spi, seconds: message.seconds_left });
    }
    Ok(Provisioned { sa, left, lease: message.lease })
}

fn user_data(spi: Spi, value: i32) -> Result<UserData, MessageError> {
    match proto::UserData::try_from(value) {
        Ok(proto::UserData::Protected) => Ok(UserData::Protected),
        Ok(proto::UserData::Clear) => Ok(UserData::Clear),
        Ok(proto::UserData::Unspecified) | Err(_) => Err(MessageError::UserData { spi, value }),
    }
}

fn profile(spi: Spi, value: i32) -> Result<WireProfile, MessageError> {
    match proto::Profile::try_from(value) {
        Ok(proto::Profile::Rfc6618) => Ok(WireProfile::Rfc6618),
        Ok(proto::Profile::Draft04) => Ok(WireProfile::Draft04),
        Ok(proto::Profile::Unspecified) | Err(_) => Err(MessageError::Profile { spi, value }),
    }
}

fn integrity_key(spi: Spi, suite: CipherSuite, field: &'static str, octets: &mut Vec<u8>) -> Result<Secret, MessageError> {
    key(spi, suite, field, suite.integrity_key_len(), octets)
}

fn encryption_key(spi: Spi, suite: CipherSuite, field: &'static str, octets: &mut Vec<u8>) -> Result<Secret, MessageError> {
    key(spi, suite, field, suite.encryption_key_len(), octets)
}

fn key(spi: Spi, suite: CipherSuite, field: &'static str, expected: usize, octets: &mut Vec<u8>) -> Result<Secret, MessageError> {
    let actual = octets.len();
    if actual != expected {
        return Err(MessageError::KeyLength { spi, field, actual, expected, suite });
    }
    Ok(Secret::new(take(octets)))
}

fn home(spi: Spi, message: &proto::SecurityAssociation) -> Result<HomeAddresses, MessageError> {
    let ip6 = octets::<16>(spi, "home_ip6", &message.home_ip6)?.map(Into::into);
    let ip4 = octets::<4>(spi, "home_ip4", &message.home_ip4)?.map(Into::into);
    HomeAddresses::new(ip6, ip4).ok_or(MessageError::NoHomeAddress(spi))
}

fn home_agent(spi: Spi, message: &proto::SecurityAssociation) -> Result<HomeAgentAddresses, MessageError> {
    let ip6 = octets::<16>(spi, "home_agent_ip6", &message.home_agent_ip6)?.map(Into::into);
    let ip4 = octets::<4>(spi, "home_agent_ip4", &message.home_agent_ip4)?.map(Into::into);
    let port = u16::try_from(message.home_agent_port).ok();
    port.and_then(|port| HomeAgentAddresses::new(ip6, ip4, port)).ok_or(MessageError::NoHomeAgent(spi))
}

fn octets<const N: usize>(spi: Spi, field: &'static str, octets: &[u8]) -> Result<Option<[u8; N]>, MessageError> {
    if octets.is_empty() {
        return Ok(None);
    }
    let wrong = MessageError::AddressLength { spi, field, actual: octets.len(), expected: N };
    octets.try_into().map(Some).map_err(|_| wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provisioned(suite: CipherSuite) -> Provisioned {
        let home_agent = HomeAgentAddresses::new(None, Some([198, 51, 100, 1].into()), 7872).unwrap();
        let sa = SecurityAssociation { home_agent, ..fixture::association(Spi::new(0x00a_b123).unwrap(), suite) };
        Provisioned { sa, left: Duration::from_secs(86_400), lease: 2 }
    }

    #[test]
    fn an_sa_of_each_suite_comes_out_as_it_went_in() {
        for suite in CipherSuite::ALL {
            let before = provisioned(suite);
            let after = sa_from_proto(sa_to_proto(&before)).unwrap();
            assert_eq!((after.sa.spi, after.sa.suite), (before.sa.spi, suite));
            assert_eq!((&after.sa.mn_to_ha, &after.sa.ha_to_mn), (&before.sa.mn_to_ha, &before.sa.ha_to_mn));
            assert_eq!((after.sa.home, after.sa.home_agent), (before.sa.home, before.sa.home_agent));
            assert_eq!((after.left, after.lease), (before.left, 2));
        }
    }

    #[test]
    fn each_profile_with_either_kind_of_user_data_comes_out_as_it_went_in() {
        for profile in WireProfile::ALL {
            for user_data in UserData::ALL {
                let mut before = provisioned(CipherSuite::NullSha);
                (before.sa.profile, before.sa.user_data) = (profile, user_data);
                let after = sa_from_proto(sa_to_proto(&before)).unwrap();
                assert_eq!((after.sa.profile, after.sa.user_data), (profile, user_data));
            }
        }
    }

    #[test]
    fn an_sa_with_a_home_address_of_one_family_comes_out_as_it_went_in() {
        for (ip6, ip4) in [("2001:db8:100::5".parse().ok(), None), (None, "10.9.0.5".parse().ok())] {
            let mut before = provisioned(CipherSuite::Aes128Gcm);
            before.sa.home = HomeAddresses::new(ip6, ip4).unwrap();
            let after = sa_from_proto(sa_to_proto(&before)).unwrap();
            assert_eq!((after.sa.home.ip6(), after.sa.home.ip4()), (ip6, ip4));
        }
    }

    #[test]
    fn a_message_with_a_wrong_length_or_number_is_refused_by_name() {
        type Spoil = fn(&mut proto::SecurityAssociation);
        let cases: [(Spoil, &str); 11] = [
            (|m| m.spi = 0, "0x0 is not an SPI"),
            (|m| m.suite = "{00,35}".to_owned(), "suite \"{00,35}\" is not in this build"),
            (|m| m.user_data = 0, "user_data 0 is neither"),
            (|m| m.profile = 0, "profile 0 is neither"),
            (|m| m.profile = 3, "profile 3 is neither"),
            (|m| m.ha_to_mn_encryption.truncate(15), "ha_to_mn_encryption has 15 octets; AES_128_CBC_SHA needs 16"),
            (|m| m.mn_to_ha_integrity.push(0), "mn_to_ha_integrity has 21 octets"),
            (|m| m.home_ip6.truncate(15), "home_ip6 has 15 octets instead of 16 or none"),
            (|m| (m.home_ip6, m.home_ip4) = (vec![], vec![]), "has no home address"),
            (|m| m.home_agent_port = 65_536, "no port"),
            (|m| m.seconds_left = u64::MAX, "more than a year"),
        ];
        for (spoil, complaint) in cases {
            let mut message = sa_to_proto(&provisioned(CipherSuite::Aes128CbcSha));
            spoil(&mut message);
            let error = sa_from_proto(message).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }

    #[test]
    fn a_message_with_keys_prints_none_of_them() {
        let provisioned = provisioned(CipherSuite::Aes128CbcSha);
        let printed = format!("{:?}", snapshot_to_proto(7, std::slice::from_ref(&provisioned), true));
        assert!(printed.contains("{00,2F}"), "{printed}");
        for keys in [&provisioned.sa.mn_to_ha, &provisioned.sa.ha_to_mn] {
            for key in [&keys.integrity, &keys.encryption] {
                let octets = format!("{:?}", &key.expose()[..3]);
                assert!(!printed.contains(octets.trim_matches(['[', ']'])), "{octets} in {printed}");
            }
        }
    }

    #[test]
    fn a_first_message_that_is_no_greeting_is_refused() {
        assert!(matches!(hello_from_proto(acknowledge_to_proto(1)), Err(MessageError::Missing(_))));
        assert!(matches!(welcome_from_proto(snapshot_to_proto(1, &[], true)), Err(MessageError::Missing(_))));
        let hello = Hello { instance: [7; 16], known_revision: 9 };
        assert_eq!(hello_from_proto(hello_to_proto(&hello)), Ok(hello));
    }
}
