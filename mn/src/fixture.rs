//! What the tests of this crate start from.

use protocol::addr::CareOfAddress;
use protocol::sa::{CipherSuite, SecurityAssociation, Spi};
use protocol::wire::mobility::Ends;

use crate::movement::Attachment;

/// An SA with home addresses and home agent of both families.
pub(crate) fn association(number: u32) -> SecurityAssociation {
    fixture::association(Spi::new(0x1000 + number).unwrap(), CipherSuite::NullSha)
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
    Attachment {
        interface,
        name: format!("if{interface}"),
        care_of: CareOfAddress(ip.parse().unwrap()),
        metric: 100,
        deprecated: false,
    }
}
