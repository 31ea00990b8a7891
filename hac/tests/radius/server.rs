//! A AAA server that does what no real one does. Its hashes are written here once more, after the RFCs, so that a mistake of the
//! client is not confirmed by itself.

use std::net::SocketAddr;
use std::time::Duration;

use hac::aaa::{ServerConfig, Transport};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use protocol::sa::Secret;
use tokio::net::UdpSocket;
use tokio::time::timeout;

pub(crate) const ACCEPT: u8 = 2;
pub(crate) const REJECT: u8 = 3;
pub(crate) const ACCOUNTING_REQUEST: u8 = 4;
pub(crate) const ACCOUNTING_RESPONSE: u8 = 5;
pub(crate) const CHALLENGE: u8 = 11;
pub(crate) const STATUS_SERVER: u8 = 12;

pub(crate) const USER_NAME: u8 = 1;
pub(crate) const PROXY_STATE: u8 = 33;
pub(crate) const STATE: u8 = 24;
pub(crate) const EAP_MESSAGE: u8 = 79;
pub(crate) const MESSAGE_AUTHENTICATOR: u8 = 80;

/// For what must come, on a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    pub(crate) socket: UdpSocket,
    pub(crate) secret: &'static [u8],
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) octets: Vec<u8>,
    pub(crate) from: SocketAddr,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn at(address: SocketAddr) -> Self {
        Self { socket: UdpSocket::bind(address).await.unwrap(), secret: b"shared with this HAC" }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    pub(crate) fn config(&self) -> ServerConfig {
        let secret = Secret::new(self.secret.to_vec());
        let transport = Transport::Udp(self.address());
        ServerConfig { name: self.address().to_string(), transport, secret, status_server: true }
    }

    /// The next request, whose Message-Authenticator stands first and is right.
    pub(crate) async fn request(&self) -> Request {
        let Request { octets, from } = self.any_request().await;
        Request::read(octets, from, self.secret)
    }

    /// The next request, an Accounting-Request whose Request Authenticator is right.
    pub(crate) async fn accounting_request(&self) -> Request {
        let request = self.any_request().await;
        let zeroed = [&request.octets[..4], &[0; 16], &request.octets[20..]].concat();
        assert_eq!(request.code(), ACCOUNTING_REQUEST);
        assert_eq!(request.octets, sign(self.secret, zeroed));
        request
    }

    async fn any_request(&self) -> Request {
        let mut octets = vec![0; 5000];
        let (len, from) = timeout(PATIENCE, self.socket.recv_from(&mut octets)).await.expect("a request comes").unwrap();
        octets.truncate(len);
        assert_eq!(octets[2..4], (len as u16).to_be_bytes());
        Request { octets, from }
    }

    /// Asserts that nothing comes for this long.
    pub(crate) async fn hears_nothing(&self, time: Duration) {
        let mut octets = [0; 5000];
        assert!(timeout(time, self.socket.recv_from(&mut octets)).await.is_err(), "something came");
    }

    pub(crate) async fn send(&self, reply: &[u8], to: &Request) {
        self.socket.send_to(reply, to.from).await.unwrap();
    }

    /// Answers as a server should.
    pub(crate) async fn answer(&self, request: &Request, code: u8, attributes: &[(u8, &[u8])]) {
        self.send(&self.reply(request, code, attributes), request).await;
    }

    /// An authentic reply.
    pub(crate) fn reply(&self, request: &Request, code: u8, attributes: &[(u8, &[u8])]) -> Vec<u8> {
        reply_under(self.secret, request, code, attributes)
    }

    /// A reply that has these attributes alone, and so no Message-Authenticator, but a right Response Authenticator.
    pub(crate) fn unsigned(&self, request: &Request, code: u8, attributes: &[(u8, &[u8])]) -> Vec<u8> {
        sign(self.secret, unfinished(request, code, attributes))
    }

    /// As [`hidden_key_under`] this server's secret.
    pub(crate) fn hidden_key(&self, request: &Request, kind: u8, salt: [u8; 2], key: &[u8; 32]) -> Vec<u8> {
        hidden_key_under(self.secret, request, kind, salt, key)
    }
}

impl Request {
    /// A whole packet whose Message-Authenticator stands first and is right.
    pub(crate) fn read(octets: Vec<u8>, from: SocketAddr, secret: &[u8]) -> Self {
        assert_eq!(octets[2..4], (octets.len() as u16).to_be_bytes());
        assert_eq!(octets[20..22], [MESSAGE_AUTHENTICATOR, 18], "Message-Authenticator is the first attribute");
        let mut zeroed = octets.clone();
        zeroed[22..38].fill(0);
        assert_eq!(octets[22..38], hmac(secret, &zeroed));
        Self { octets, from }
    }

    pub(crate) fn code(&self) -> u8 {
        self.octets[0]
    }

    pub(crate) fn identifier(&self) -> u8 {
        self.octets[1]
    }

    pub(crate) fn authenticator(&self) -> &[u8] {
        &self.octets[4..20]
    }

    /// The value of all attributes of this type, joined.
    pub(crate) fn value(&self, kind: u8) -> Vec<u8> {
        let (mut rest, mut value) = (&self.octets[20..], Vec::new());
        while let [this, len, ..] = *rest {
            let (attribute, behind) = rest.split_at(len.into());
            if this == kind {
                value.extend(&attribute[2..]);
            }
            rest = behind;
        }
        value
    }
}

/// MS-MPPE-Send-Key (16) or -Recv-Key (17) as a Vendor-Specific's value (RFC 2548 section 2.4.2).
pub(crate) fn hidden_key_under(secret: &[u8], request: &Request, kind: u8, salt: [u8; 2], key: &[u8; 32]) -> Vec<u8> {
    let mut value = vec![0, 0, 1, 55, kind, 2 + 2 + 48];
    value.extend(salt);
    let plain = [&[32][..], key, &[0; 15]].concat();
    let mut before = [request.authenticator(), &salt].concat();
    for block in plain.chunks(16) {
        let stream = Md5::new().chain_update(secret).chain_update(&before).finalize();
        before = block.iter().zip(stream).map(|(octet, hiding)| octet ^ hiding).collect();
        value.extend(&before);
    }
    value
}

/// A reply that is authentic under this secret.
pub(crate) fn reply_under(secret: &[u8], request: &Request, code: u8, attributes: &[(u8, &[u8])]) -> Vec<u8> {
    let mut reply = unfinished(request, code, &[&[(MESSAGE_AUTHENTICATOR, &[0; 16][..])], attributes].concat());
    let mac = hmac(secret, &reply);
    reply[22..38].copy_from_slice(&mac);
    sign(secret, reply)
}

/// A reply with the Request Authenticator in the place of its own.
fn unfinished(request: &Request, code: u8, attributes: &[(u8, &[u8])]) -> Vec<u8> {
    let one = |(kind, value): &(u8, &[u8])| [&[*kind, value.len() as u8 + 2][..], value].concat();
    let attributes: Vec<u8> = attributes.iter().flat_map(one).collect();
    let [high, low] = (20 + attributes.len() as u16).to_be_bytes();
    [&[code, request.identifier(), high, low], request.authenticator(), &attributes].concat()
}

/// Puts Response Authenticator in.
fn sign(secret: &[u8], mut reply: Vec<u8>) -> Vec<u8> {
    let digest = Md5::new().chain_update(&reply).chain_update(secret).finalize();
    reply[4..20].copy_from_slice(&digest);
    reply
}

fn hmac(secret: &[u8], octets: &[u8]) -> [u8; 16] {
    Hmac::<Md5>::new_from_slice(secret).unwrap().chain_update(octets).finalize().into_bytes().into()
}
