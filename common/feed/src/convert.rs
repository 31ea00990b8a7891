//! Between the generated types and the protocol's: every length and number is checked on the way in, nothing is lost on
//! the way out. Keys move into a `Secret` without a copy.

mod usage;

use std::mem::take;
use std::net::IpAddr;
use std::time::Duration;

use protocol::addr::{HomeAddresses, HomeAgentAddresses};
use protocol::features::Features;
use protocol::prefixes::{MobileNetworkPrefixes, PrefixError};
use protocol::profile::WireProfile;
use protocol::sa::spi::{HaGroup, SpiBlock, SpiBlocks};
use protocol::sa::{CipherSuite, DirectionKeys, Secret, SecurityAssociation, Spi, UserData};

use crate::message::{
    Answer, Change, FromHa, FromHac, Hello, MAX_LEFT, MAX_PREFIXES, MessageError, Provisioned, REGISTERED_PART, Welcome,
};
use crate::proto;

pub(crate) use usage::REPORT_OCTETS;

pub(crate) fn hello_to_proto(hello: &Hello) -> proto::HaMessage {
    let hello = proto::Hello {
        instance: hello.instance.to_vec(),
        known_revision: hello.known_revision,
        features: hello.features.words().map(str::to_owned).collect(),
    };
    proto::HaMessage { message: Some(proto::ha_message::Message::Hello(hello)) }
}

pub(crate) fn from_ha_to_proto(message: FromHa) -> proto::HaMessage {
    let message = match message {
        FromHa::Acknowledge(revision) => proto::ha_message::Message::Acknowledge(proto::Acknowledge { revision }),
        FromHa::LookUp(spi) => proto::ha_message::Message::LookUp(proto::LookUp { spi: spi.get() }),
        FromHa::Registered(spis) => {
            let spis = spis.iter().map(|spi| spi.get()).collect();
            proto::ha_message::Message::Registered(proto::Registered { spis })
        }
        FromHa::Usage(reports) => proto::ha_message::Message::Usage(usage::to_proto(&reports)),
    };
    proto::HaMessage { message: Some(message) }
}

pub(crate) fn hello_from_proto(message: proto::HaMessage) -> Result<Hello, MessageError> {
    let Some(proto::ha_message::Message::Hello(hello)) = message.message else {
        return Err(MessageError::Missing("Hello, the home agent's first message,"));
    };
    let length = hello.instance.len();
    let instance = hello.instance.try_into().map_err(|_| MessageError::Instance(length))?;
    let features = Features::named(hello.features.iter().map(String::as_bytes));
    Ok(Hello { instance, known_revision: hello.known_revision, features })
}

pub(crate) fn from_ha_from_proto(message: proto::HaMessage) -> Result<FromHa, MessageError> {
    match message.message {
        Some(proto::ha_message::Message::Acknowledge(acknowledge)) => Ok(FromHa::Acknowledge(acknowledge.revision)),
        Some(proto::ha_message::Message::LookUp(look_up)) => Ok(FromHa::LookUp(spi(look_up.spi)?)),
        Some(proto::ha_message::Message::Registered(registered)) => registered_from_proto(&registered),
        Some(proto::ha_message::Message::Usage(message)) => usage::from_proto(message).map(FromHa::Usage),
        Some(proto::ha_message::Message::Hello(_)) | None => {
            Err(MessageError::Missing("an acknowledgement, a look-up, a registration or a report"))
        }
    }
}

fn registered_from_proto(message: &proto::Registered) -> Result<FromHa, MessageError> {
    let count = message.spis.len();
    if count > REGISTERED_PART {
        return Err(MessageError::TooManyRegistered(count));
    }
    message.spis.iter().map(|number| spi(*number)).collect::<Result<_, _>>().map(FromHa::Registered)
}

pub(crate) fn welcome_to_proto(welcome: &Welcome) -> proto::HacMessage {
    let welcome = proto::Welcome {
        group: u32::from(welcome.group.get()),
        pools: welcome.pools.iter().map(ToString::to_string).collect(),
        own_addresses: welcome.own_addresses.iter().map(ToString::to_string).collect(),
        spi_blocks: Some(blocks_to_proto(&welcome.spi_blocks)),
        usage_interval_seconds: usage::interval_to_proto(welcome.usage_interval),
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
    Ok(Welcome {
        group,
        pools: pools.collect::<Result<_, _>>()?,
        own_addresses: addresses.collect::<Result<_, _>>()?,
        spi_blocks: blocks_from_proto(&welcome.spi_blocks.unwrap_or_default())?,
        usage_interval: usage::interval_from_proto(welcome.usage_interval_seconds),
    })
}

pub(crate) fn to_proto(message: &FromHac) -> proto::HacMessage {
    match message {
        FromHac::Snapshot { revision, associations, last } => snapshot_to_proto(*revision, associations, *last),
        FromHac::Delta { revision, change } => delta_to_proto(*revision, change),
        FromHac::SpiBlocks(blocks) => {
            proto::HacMessage { message: Some(proto::hac_message::Message::SpiBlocks(blocks_to_proto(blocks))) }
        }
        FromHac::Answer(answer) => answer_to_proto(answer),
        FromHac::Renew(spi) => {
            let renew = proto::Renew { spi: spi.get() };
            proto::HacMessage { message: Some(proto::hac_message::Message::Renew(renew)) }
        }
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

fn answer_to_proto(answer: &Answer) -> proto::HacMessage {
    let result = match answer {
        Answer::Found(provisioned) => proto::answer::Result::Found(sa_to_proto(provisioned)),
        Answer::NotFound(spi) => proto::answer::Result::NotFound(spi.get()),
    };
    proto::HacMessage { message: Some(proto::hac_message::Message::Answer(proto::Answer { result: Some(result) })) }
}

fn blocks_to_proto(blocks: &SpiBlocks) -> proto::SpiBlocks {
    proto::SpiBlocks { blocks: blocks.iter().map(|block| block.index() as u32).collect() }
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
                Some(proto::delta::Change::End(number)) => Change::End(spi(number)?),
                None => return Err(MessageError::Missing("a delta's change")),
            };
            Ok(FromHac::Delta { revision: delta.revision, change })
        }
        Some(proto::hac_message::Message::SpiBlocks(blocks)) => Ok(FromHac::SpiBlocks(blocks_from_proto(&blocks)?)),
        Some(proto::hac_message::Message::Answer(answer)) => match answer.result {
            Some(proto::answer::Result::Found(sa)) => Ok(FromHac::Answer(Answer::Found(Box::new(sa_from_proto(sa)?)))),
            Some(proto::answer::Result::NotFound(number)) => Ok(FromHac::Answer(Answer::NotFound(spi(number)?))),
            None => Err(MessageError::Missing("an answer's result")),
        },
        Some(proto::hac_message::Message::Renew(renew)) => Ok(FromHac::Renew(spi(renew.spi)?)),
        Some(proto::hac_message::Message::Welcome(_)) | None => {
            Err(MessageError::Missing("a snapshot, a delta, SPI blocks, an answer or a wish for a new SA"))
        }
    }
}

fn blocks_from_proto(message: &proto::SpiBlocks) -> Result<SpiBlocks, MessageError> {
    let count = message.blocks.len();
    if count > usize::from(SpiBlock::PER_GROUP) {
        return Err(MessageError::TooManyBlocks(count));
    }
    let block = |index: &u32| u16::try_from(*index).ok().and_then(SpiBlock::new).ok_or(MessageError::Block(*index));
    message.blocks.iter().map(block).collect()
}

fn spi(number: u32) -> Result<Spi, MessageError> {
    Spi::new(number).ok_or(MessageError::Spi(number))
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
        mn_to_ha_integrity: sa.mn_to_ha.integrity().to_vec(),
        mn_to_ha_encryption: sa.mn_to_ha.encryption().to_vec(),
        ha_to_mn_integrity: sa.ha_to_mn.integrity().to_vec(),
        ha_to_mn_encryption: sa.ha_to_mn.encryption().to_vec(),
        home_ip6: sa.home.ip6().map(|ip| ip.octets().to_vec()).unwrap_or_default(),
        home_ip4: sa.home.ip4().map(|ip| ip.octets().to_vec()).unwrap_or_default(),
        home_agent_ip6: sa.home_agent.ip6().map(|ip| ip.octets().to_vec()).unwrap_or_default(),
        home_agent_ip4: sa.home_agent.ip4().map(|ip| ip.octets().to_vec()).unwrap_or_default(),
        home_agent_port: u32::from(sa.home_agent.port()),
        seconds_left: provisioned.left.as_secs(),
        lease: provisioned.lease,
        profile: profile.into(),
        mobile_network_prefixes: sa.prefixes.iter().map(|prefix| prefix.to_string()).collect(),
    }
}

/// What is not moved out of `message` is wiped when it is dropped, on every way out.
fn sa_from_proto(mut message: proto::SecurityAssociation) -> Result<Provisioned, MessageError> {
    let spi = spi(message.spi)?;
    let suite = CipherSuite::from_wire(&message.suite);
    let suite = suite.ok_or_else(|| MessageError::Suite { spi, suite: message.suite.clone() })?;
    let sa = SecurityAssociation {
        spi,
        suite,
        profile: profile(spi, message.profile)?,
        user_data: user_data(spi, message.user_data)?,
        mn_to_ha: DirectionKeys::new(
            &integrity_key(spi, suite, "mn_to_ha_integrity", &mut message.mn_to_ha_integrity)?,
            &encryption_key(spi, suite, "mn_to_ha_encryption", &mut message.mn_to_ha_encryption)?,
        ),
        ha_to_mn: DirectionKeys::new(
            &integrity_key(spi, suite, "ha_to_mn_integrity", &mut message.ha_to_mn_integrity)?,
            &encryption_key(spi, suite, "ha_to_mn_encryption", &mut message.ha_to_mn_encryption)?,
        ),
        home: home(spi, &message)?,
        home_agent: home_agent(spi, &message)?,
        features: Features::NONE,
        prefixes: prefixes(spi, &message.mobile_network_prefixes)?,
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

fn prefixes(spi: Spi, texts: &[String]) -> Result<MobileNetworkPrefixes, MessageError> {
    let read = texts.iter().take(MobileNetworkPrefixes::MAX + 1).map(|text| text.parse().map_err(|_| PrefixError::Syntax));
    let prefixes = read.collect::<Result<Vec<_>, _>>().and_then(MobileNetworkPrefixes::new);
    prefixes.map_err(|problem| MessageError::Prefixes { spi, problem })
}

fn octets<const N: usize>(spi: Spi, field: &'static str, octets: &[u8]) -> Result<Option<[u8; N]>, MessageError> {
    if octets.is_empty() {
        return Ok(None);
    }
    let wrong = MessageError::AddressLength { spi, field, actual: octets.len(), expected: N };
    octets.try_into().map(Some).map_err(|_| wrong)
}

#[cfg(test)]
mod tests;
