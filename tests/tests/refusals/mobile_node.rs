//! The mobile node's end of MHAuth as its program has it: discovery, TCP, TLS, the exchange, and the sentence that its user reads.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use fixture::shell;
use mn::config::Policy;
use mn::credentials::Credentials;
use mn::dns::NameServers;
use mn::hac_client::{HacClient, Whereabouts};
use net::tls::Clients;
use protocol::mhauth::Psk;
use protocol::sa::Secret;

use super::controller::{ALICE, NAME};

/// Where the node is told that its HAC is.
pub(super) const HAC_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
/// The port of every HAC.
pub(super) const HAC_PORT: u16 = 7872;

/// In a network namespace of the test's own: the HAC's address is there.
pub(super) fn give_the_hac_its_address() {
    shell(&format!("ip link set lo up && ip address add {HAC_ADDRESS}/32 dev lo"));
}

/// A node that knows the HAC's name and address, and believes these CA certificates.
pub(super) fn believing_in(authorities: &[&str]) -> HacClient {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, authorities.concat()).unwrap();
    HacClient {
        whereabouts: Whereabouts { name: NAME.to_owned(), port: Some(HAC_PORT), addresses: vec![IpAddr::V4(HAC_ADDRESS)] },
        tls: Arc::new(Clients::new(net::tls::load_authorities(&file).unwrap())),
        fwmark: 7872,
        name_servers: NameServers::beside("mn0"),
        nai: ALICE.parse().unwrap(),
        credentials: Credentials::psk(Psk::from_octets(Secret::new((0..32).collect())).unwrap()),
        policy: Policy::default(),
        nat64: Default::default(),
        memory: Arc::default(),
    }
}

/// What its user reads when a run of MHAuth has given no grant.
pub(super) async fn is_told(node: &HacClient) -> String {
    let Err(error) = node.authenticate(|_| ()).await else { panic!("there is nobody who could have granted anything") };
    error.to_string()
}
