//! A store with subscribers whom a AAA server has authorised, for what follows from that.

use std::time::{Duration, SystemTime};

use hac::store::sealing::KeyEncryptionKey;
use hac::store::sqlite::SqliteStore;
use hac::store::{
    Access, Framed, HomeAgent, InstanceId, NewSubscriber, Order, Pools, Recipient, SessionReport, SharedStore, Store,
    SubscriberPolicy, Traffic, Volume,
};
use protocol::addr::HomeAgentAddresses;
use protocol::profile::WireProfile;
use protocol::sa::spi::HaGroup;
use protocol::sa::{CipherSuite, DirectionKeys, Secret, Spi, UserData};

pub(crate) fn empty() -> SqliteStore {
    let kek = KeyEncryptionKey::new(&[1; 32]).unwrap();
    let mut store = SqliteStore::in_memory(kek, &mut rand::rng()).unwrap();
    store.add_home_agent(&home_agent()).unwrap();
    store
}

fn home_agent() -> HomeAgent {
    let addresses = HomeAgentAddresses::new(None, Some("198.51.100.1".parse().unwrap()), 7872).unwrap();
    HomeAgent { name: "ha1".to_owned(), group: HaGroup::new(0).unwrap(), addresses, fallback_port: None }
}

/// The process of `ha1` that has been given all associations.
pub(crate) fn recipient() -> Recipient<'static> {
    Recipient { home_agent: "ha1", group: HaGroup::new(0).unwrap(), instance: InstanceId([1; 16]) }
}

/// An association of a subscriber, authorised and delivered.
pub(crate) fn authorise(store: &mut SqliteStore, nai: &str) -> Spi {
    let now = SystemTime::now();
    if store.subscriber(nai, now).unwrap().is_none() {
        let new = NewSubscriber { nai, psk: &Secret::new(vec![9; 32]), policy: SubscriberPolicy::default() };
        store.add_subscriber(&new, now, &mut rand::rng()).unwrap();
    }
    let access = Access { user_name: nai.to_owned(), class: vec![b"gold".to_vec()], interim: None };
    let (key, keys) = (store.credentials(nai).unwrap().unwrap().key, |octet| {
        DirectionKeys::new(&Secret::empty(), &Secret::new(vec![octet; 20]))
    });
    let order = Order {
        nai,
        key,
        home_agent: &home_agent(),
        suite: CipherSuite::Aes128Gcm,
        profile: WireProfile::Rfc6618,
        user_data: UserData::Protected,
        mn_to_ha: keys(1),
        ha_to_mn: keys(2),
        pools: Pools { ip6: Some("2001:db8:100::/64".parse().unwrap()), ip4: Some("10.9.0.0/24".parse().unwrap()) },
        lifetime: Duration::from_secs(86_400),
        access: Some(&access),
        framed: Framed::default(),
    };
    let spi = store.provision(&order, now, &mut rand::rng()).unwrap().sa.spi;
    store.look_up(&recipient(), spi, now).unwrap().unwrap();
    spi
}

/// What `ha1` reports of the first session under an association.
pub(crate) fn report(spi: Spi, octets: u64) -> SessionReport {
    let volume = |packets| Volume { packets, octets: octets * packets };
    SessionReport {
        spi,
        number: 1,
        care_of: "192.0.2.7:4500".parse().unwrap(),
        age: Duration::from_secs(octets),
        traffic: Traffic { from_node: volume(1), to_node: volume(2) },
        ended: None,
    }
}

/// A call on the store.
pub(crate) async fn on<T: Send + 'static>(store: &SharedStore, call: impl FnOnce(&mut dyn Store) -> T + Send + 'static) -> T {
    store.run(call).await.unwrap()
}
