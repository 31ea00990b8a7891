//! Resumed connections (RFC 8446 section 2.2): when there is one, what it is bound to, and when there must be none.

use std::sync::atomic::{AtomicU64, Ordering};

use rustls::HandshakeKind::{Full, Resumed};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::pki_types::UnixTime;

use super::*;

/// The end of the test certificates.
const END: u64 = 1_893_456_000;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// A clock that is set.
#[derive(Debug)]
struct Clock(AtomicU64);

impl Clock {
    fn at(seconds: u64) -> Arc<Self> {
        Arc::new(Self(seconds.into()))
    }

    fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::Relaxed);
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0.load(Ordering::Relaxed))))
    }
}

/// A mobile node and a HAC, each with its clock.
struct World {
    authority: Authority,
    hac_clock: Arc<Clock>,
    hac: Server,
    mn_clock: Arc<Clock>,
    mn: Clients,
}

impl World {
    fn new(names: &[&str]) -> Self {
        Self::at(END - 100 * DAY, names)
    }

    fn at(now: u64, names: &[&str]) -> Self {
        let (authority, hac_clock, mn_clock) = (Authority::new(), Clock::at(now), Clock::at(now));
        let (chain, key) = authority.certificate(names);
        let hac = server_with_time(chain, key, hac_clock.clone()).unwrap();
        let mn = Clients::with_time(authority.roots(), mn_clock.clone());
        Self { authority, hac_clock, hac, mn_clock, mn }
    }

    fn set_clocks(&self, now: u64) {
        self.hac_clock.set(now);
        self.mn_clock.set(now);
    }

    fn client(&self, connected_to: &str) -> Client {
        self.mn.client(HAC, connected_to.parse().unwrap()).unwrap()
    }

    /// A handshake that is confirmed.
    fn connect(&self) -> (ClientConnection, ServerConnection) {
        let client = self.client(ADDRESS);
        let (mn, hac) = handshake(&self.hac, &client).unwrap();
        assert_eq!(mn.handshake_kind(), hac.handshake_kind());
        client.confirm(&mn).unwrap();
        (mn, hac)
    }

    fn kind(&self) -> rustls::HandshakeKind {
        self.connect().0.handshake_kind().unwrap()
    }
}

#[test]
fn a_resumed_connection_has_the_binding_of_its_full_handshake_and_a_hybrid_key_exchange_of_its_own() {
    let world = World::new(&[HAC]);
    for kind in [Full, Resumed, Resumed, Resumed] {
        let (mn, hac) = world.connect();
        assert_eq!((mn.handshake_kind(), mn.protocol_version()), (Some(kind), Some(ProtocolVersion::TLSv1_3)));
        assert_eq!(peer_channel_binding(&mn).unwrap(), world.hac.binding);
        for group in [mn.negotiated_key_exchange_group(), hac.negotiated_key_exchange_group()] {
            assert_eq!(group.unwrap().name(), NamedGroup::X25519MLKEM768, "{kind:?}");
        }
    }
}

#[test]
fn there_is_no_early_data() {
    let world = World::new(&[HAC]);
    world.connect();
    let client = world.client(ADDRESS);
    assert!(!client.config.enable_early_data);
    let mut mn = ClientConnection::new(client.config, client.server_name).unwrap();
    assert!(mn.early_data().is_none(), "with a ticket at hand");
    assert_eq!(world.hac.config.max_early_data_size, 0);
}

#[test]
fn another_process_of_the_hac_does_not_take_a_ticket_even_with_the_same_certificate() {
    let authority = Authority::new();
    let (chain, key) = authority.certificate(&[HAC]);
    let mut world = World::new(&[HAC]);
    world.hac = server(chain.clone(), key.clone_key()).unwrap();
    world.mn = Clients::new(authority.roots());
    assert_eq!((world.kind(), world.kind()), (Full, Resumed));
    world.hac = server(chain, key).unwrap();
    assert_eq!((world.kind(), world.kind()), (Full, Resumed));
}

#[test]
fn an_exchanged_certificate_is_shown_and_bound_to() {
    let mut world = World::new(&[HAC]);
    assert_eq!((world.kind(), world.kind()), (Full, Resumed));
    let before = world.hac.binding.clone();
    world.hac = world.authority.certify(&[HAC]).unwrap();
    let (mn, _) = world.connect();
    assert_eq!(mn.handshake_kind(), Some(Full));
    assert_eq!(peer_channel_binding(&mn).unwrap(), world.hac.binding);
    assert_ne!(world.hac.binding, before);
    let (mn, _) = world.connect();
    assert_eq!((mn.handshake_kind(), peer_channel_binding(&mn).unwrap()), (Some(Resumed), world.hac.binding.clone()));
}

#[test]
fn a_certificate_for_an_address_is_not_resumed_for_another() {
    let world = World::new(&[ADDRESS]);
    assert_eq!((world.kind(), world.kind()), (Full, Resumed));
    let error = handshake(&world.hac, &world.client("198.51.100.11")).unwrap_err();
    assert!(matches!(name_error(&error), Some(NameError::OtherName { .. })), "{error}");
    assert_eq!(world.kind(), Resumed, "where it is the right one");
    let mapped = world.client("::ffff:198.51.100.10");
    assert_eq!(handshake(&world.hac, &mapped).unwrap().0.handshake_kind(), Some(Resumed));
}

#[test]
fn addresses_and_trust_anchors_do_not_share_sessions() {
    let mut world = World::new(&[HAC]);
    assert_eq!((world.kind(), world.kind()), (Full, Resumed));
    let elsewhere = world.client("2001:db8::10");
    assert_eq!(handshake(&world.hac, &elsewhere).unwrap().0.handshake_kind(), Some(Full));
    world.mn = Clients::with_time(Authority::new().roots(), world.mn_clock.clone());
    assert!(handshake(&world.hac, &world.client(ADDRESS)).is_err());
}

#[test]
fn nothing_is_resumed_that_was_not_confirmed() {
    let world = World::new(&[HAC]);
    for _ in 0..2 {
        let (mn, _) = handshake(&world.hac, &world.client(ADDRESS)).unwrap();
        assert_eq!(mn.handshake_kind(), Some(Full));
    }
}

#[test]
fn a_certificate_that_has_expired_meanwhile_is_not_resumed() {
    let world = World::at(END - HOUR, &[HAC]);
    assert_eq!((world.kind(), world.kind()), (Full, Resumed));
    world.mn_clock.set(END + 1);
    let error = handshake(&world.hac, &world.client(ADDRESS)).unwrap_err();
    assert!(matches!(error, rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { .. })), "asked anew: {error}");
}

#[test]
fn a_certificate_that_expires_while_the_connection_is_resumed_ends_it_and_the_next_one_is_full() {
    let world = World::at(END - 1, &[HAC]);
    world.connect();
    let client = world.client(ADDRESS);
    let (mn, _) = handshake(&world.hac, &client).unwrap();
    assert_eq!(mn.handshake_kind(), Some(Resumed));
    world.mn_clock.set(END + 1);
    let error = client.confirm(&mn).unwrap_err().to_string();
    assert!(error.contains("was resumed") && error.contains("certificate expired"), "{error}");
    world.mn_clock.set(END - 1);
    assert_eq!(world.kind(), Full);
}

#[test]
fn the_hac_takes_no_ticket_that_is_twelve_hours_old_or_outlives_its_certificate() {
    let start = END - 13 * HOUR;
    let world = World::at(start, &[HAC]);
    world.connect();
    world.set_clocks(start + 12 * HOUR - 1);
    assert_eq!(world.kind(), Resumed);
    let lifetime = world.hac.config.ticketer.lifetime();
    assert_eq!(u64::from(lifetime), HOUR + 1, "what is left of the certificate");
    world.hac_clock.set(END);
    assert_eq!(world.kind(), Full, "the HAC's clock says that the certificate has ended, the mobile node's that it has not");
    assert_eq!(world.kind(), Full, "and no more tickets are issued");

    let world = World::new(&[HAC]);
    world.connect();
    assert_eq!(u64::from(world.hac.config.ticketer.lifetime()), 12 * HOUR);
    world.hac_clock.set(END - 100 * DAY + 12 * HOUR);
    assert_eq!(world.kind(), Full, "even where the mobile node's clock stands");
}

#[test]
fn the_hac_proves_its_certificates_key_at_least_once_a_day() {
    let start = END - 100 * DAY;
    let world = World::at(start, &[HAC]);
    assert_eq!(world.kind(), Full);
    for hours in [8, 16, 23] {
        world.set_clocks(start + hours * HOUR);
        assert_eq!(world.kind(), Resumed, "{hours} h");
    }
    world.set_clocks(start + DAY);
    assert_eq!(world.kind(), Full);
    world.mn_clock.set(start);
    assert_eq!(world.kind(), Full, "a clock that was set back tells no age");
}

#[test]
fn a_ticket_is_used_once() {
    let world = World::new(&[HAC]);
    world.connect();
    let client = world.client(ADDRESS);
    drop(ClientConnection::new(client.config, client.server_name).unwrap());
    assert_eq!((world.kind(), world.kind()), (Full, Resumed), "after a connection that broke off");
}

#[test]
fn a_resumed_handshake_takes_fewer_octets_than_one_without_tickets() {
    let authority = Authority::new();
    let (chain, key) = authority.certificate(&[HAC]);
    let mut hac = server(chain, key).unwrap();
    let clients = Clients::new(authority.roots());
    let octets = |hac: &Server| {
        let client = clients.client(HAC, ADDRESS.parse().unwrap()).unwrap();
        let (mn, _, octets) = handshake_counted(hac, &client).unwrap();
        client.confirm(&mn).unwrap();
        (mn.handshake_kind().unwrap(), octets)
    };
    let (full, resumed) = (octets(&hac), octets(&hac));
    assert_eq!((full.0, resumed.0), (Full, Resumed));
    let mut without = ServerConfig::clone(&hac.config);
    without.send_tls13_tickets = 0;
    without.ticketer = Ticketer::new().unwrap();
    hac.config = Arc::new(without);
    let without = octets(&hac);
    assert!(without.0 == Full && resumed.1 < without.1 && without.1 < full.1, "{resumed:?} {without:?} {full:?}");
}

/// A TLS 1.2 client that would like to resume, as ours does not.
fn old_client(authority: &Authority) -> Client {
    let mut client = client(authority.roots(), HAC, ADDRESS.parse().unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(authority.roots())
        .with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(8);
    client.config = Arc::new(config);
    client
}

#[test]
fn tls_1_2_is_never_resumed_by_either_end() {
    let world = World::new(&[HAC]);
    let client = old_client(&world.authority);
    for _ in 0..2 {
        let (mn, _) = handshake(&world.hac, &client).unwrap();
        assert_eq!((mn.protocol_version(), mn.handshake_kind()), (Some(ProtocolVersion::TLSv1_2), Some(Full)));
    }

    let (chain, key) = world.authority.certificate(&[HAC]);
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&rustls::version::TLS12]).unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.ticketer = Ticketer::new().unwrap();
    let server = Server { config: Arc::new(config), binding: world.hac.binding.clone() };
    for kind in [Full, Resumed] {
        assert_eq!(handshake(&server, &client).unwrap().0.handshake_kind(), Some(kind), "such a client at such a server");
    }
    for _ in 0..2 {
        let client = world.client(ADDRESS);
        let (mn, _) = handshake(&server, &client).unwrap();
        assert_eq!((mn.protocol_version(), mn.handshake_kind()), (Some(ProtocolVersion::TLSv1_2), Some(Full)));
        client.confirm(&mn).unwrap();
    }
}
