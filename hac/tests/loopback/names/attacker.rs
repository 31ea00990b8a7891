//! Who wants to know which names exist: has no key of anybody, opens connections, and looks at how long the HAC takes to answer.
//! He drives the whole exchange with octets of his own: the mobile node's state machine would stop at the first response, whose
//! `auth` he cannot check.

use std::net::Ipv4Addr;
use std::time::Instant;

use hac::admission::SOURCE_LIMIT;
use protocol::mhauth::NONCE_LEN;
use protocol::mhauth::authenticator::{Sender, auth};
use protocol::wire::container::Container;
use protocol::wire::header::{Headers, Name, Writer};

use super::*;

/// What he uses where a subscriber has a key.
const GUESS: [u8; 32] = [0x5a; 32];

/// An attacker with as many addresses as he likes.
pub(super) struct Attacker {
    clients: Clients,
    hac: SocketAddr,
    runs: u32,
}

/// A connection on which nothing has been said.
pub(super) struct Connection {
    stream: TlsStream<TcpStream>,
    binding: ChannelBinding,
}

/// From the last octet of a request to the last octet of its response, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) init: f64,
    pub(super) done: f64,
}

impl Attacker {
    pub(super) fn new(world: &World, hac: SocketAddr) -> Self {
        Self { clients: world.believing_in("alice"), hac, runs: 0 }
    }

    pub(super) async fn connect(&mut self) -> Connection {
        let stream = connect_from(self.source(), self.hac).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let tls = self.clients.client(NAME, self.hac.ip()).unwrap();
        let stream = TlsConnector::from(tls.config.clone()).connect(tls.server_name.clone(), stream).await.unwrap();
        tls.confirm(stream.get_ref().1).unwrap();
        let binding = net::tls::peer_channel_binding(stream.get_ref().1).unwrap();
        Connection { stream, binding }
    }

    /// The next address, before the HAC has it wait.
    fn source(&mut self) -> Ipv4Addr {
        let number = self.runs / (SOURCE_LIMIT / 2);
        self.runs += 1;
        Ipv4Addr::from(0x7f01_0000 + number)
    }
}

impl Connection {
    /// A whole run under `name`, to its 401.
    pub(super) async fn run(mut self, name: &str) -> Times {
        let mn_rand: [u8; NONCE_LEN] = rand::random();
        let (response, init) = self.ask(&init(name, &mn_rand)).await;
        assert_eq!(response.get(Name::StatusCode), None, "the run goes on");
        let request = self.done(&mn_rand, response.get(Name::HacRand).unwrap());
        let (response, done) = self.ask(&request).await;
        assert_eq!(response.get(Name::StatusCode), Some(&b"401"[..]));
        Times { init, done }
    }

    async fn ask(&mut self, request: &[u8]) -> (Headers, f64) {
        let sent = Instant::now();
        self.stream.write_all(request).await.unwrap();
        let response = message(&mut self.stream).await;
        let took = sent.elapsed();
        (Headers::parse(Container::parse(&response).unwrap().content).unwrap(), took.as_secs_f64() * 1e6)
    }

    fn done(&self, mn_rand: &[u8; NONCE_LEN], hac_rand: &[u8]) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.hex(Name::MnRand, mn_rand);
        writer.text(Name::HacRand, std::str::from_utf8(hac_rand).unwrap());
        writer.text(Name::Sas, 1);
        writer.text(Name::SuiteList, CipherSuite::Aes128Gcm.wire());
        let label = Sender::MobileNode.label(WireProfile::Rfc6618);
        let auth = auth(&GUESS, label, writer.content(), &self.binding);
        writer.hex(Name::Auth, &auth);
        writer.finish(2)
    }
}

fn init(name: &str, mn_rand: &[u8; NONCE_LEN]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.text(Name::MnId, name);
    writer.hex(Name::MnRand, mn_rand);
    writer.text(Name::AuthMethod, "psk");
    writer.finish(1)
}
