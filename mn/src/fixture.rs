//! What the tests of this crate start from.

use protocol::addr::{CareOfAddress, HomeAddresses, HomeAgentAddresses};
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, DirectionKeys, Secret, SecurityAssociation, Spi, UserData};
use protocol::wire::mobility::Ends;

use crate::movement::Attachment;

/// An SA with home addresses and home agent of both families.
pub(crate) fn association(spi: u32) -> SecurityAssociation {
    let keys = DirectionKeys { integrity: Secret::new(vec![7; 20]), encryption: Secret::empty() };
    SecurityAssociation {
        spi: Spi::new(0x1000 + spi).unwrap(),
        suite: CipherSuite::NullSha,
        profile: WireProfile::Rfc6618,
        user_data: UserData::Protected,
        mn_to_ha: keys.clone(),
        ha_to_mn: keys,
        home: HomeAddresses::new(Some("2001:db8:100::7".parse().unwrap()), Some([10, 9, 0, 7].into())).unwrap(),
        home_agent: HomeAgentAddresses::new(Some("2001:db8:f::1".parse().unwrap()), Some([203, 0, 113, 1].into()), 7872).unwrap(),
    }
}

/// Of a Mobility Header from the home agent.
pub(crate) fn ends_at_mobile_node(sa: &SecurityAssociation) -> Ends {
    Ends { source: sa.home_agent.in_mobility_header(), destination: sa.home.in_mobility_header() }
}

/// An IPv4 network.
pub(crate) fn wifi() -> Attachment {
    attachment(1, "198.51.100.7")
}

/// An IPv6 network.
pub(crate) fn lte() -> Attachment {
    attachment(2, "2001:db8:2::7")
}

fn attachment(interface: u32, ip: &str) -> Attachment {
    Attachment { interface, name: format!("if{interface}"), care_of: CareOfAddress(ip.parse().unwrap()), metric: 100 }
}
