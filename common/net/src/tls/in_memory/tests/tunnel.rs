//! A server of a method that has another within TLS, as little of it as the peer's end needs to be shown.

use protocol::eap::method::tls::fragment::{Fragment, Outgoing, Reassembly, SERVER_FRAGMENT_LEN};
use protocol::eap::{Packet, Type};
use rustls::ServerConnection;

use super::*;

/// What the inner server does next.
pub(super) enum Say {
    /// Application data.
    Within(Vec<u8>),
    /// EAP-Success.
    Success,
    /// EAP-Failure.
    Failure,
}

/// The inner server: takes what came within TLS, nothing at first, and the Identifier of the request that answers.
pub(super) type Inner<'a> = &'a mut dyn FnMut(&[u8], u8, &ServerConnection) -> Say;

/// What a run came to.
pub(super) struct Tunnelled {
    pub(super) peer: Result<Msk, EapError>,
    /// The exporter's 128 octets at the server, by the label of each version.
    pub(super) exported: Vec<u8>,
    pub(super) is_resumed: bool,
}

/// Servers as [`World::server`] has them, which ask for no certificate.
pub(super) fn server_config(settings: ServerSettings) -> Arc<rustls::ServerConfig> {
    let builder = rustls::ServerConfig::builder_with_provider(crate::tls::provider());
    let builder = builder.with_protocol_versions(settings.versions).unwrap().with_no_client_auth();
    Arc::new(builder.with_single_cert(settings.identity.chain, settings.identity.key).unwrap())
}

pub(super) fn run(method: impl PeerMethod + 'static, config: &Arc<rustls::ServerConfig>, inner: Inner<'_>) -> Tunnelled {
    let kind = method.kind();
    let mut peer = Peer::new("@example.org", vec![Box::new(method)]).unwrap();
    let mut server = Server::new(kind, config);
    let mut packet = Packet::Request { identifier: 0, kind, data: &Fragment::START.write() }.write();
    let result = loop {
        match peer.handle(&packet, &mut rand::rng()) {
            Ok(peer::Step::Respond(response) | peer::Step::RespondLast(response)) => packet = server.handle(&response, inner),
            Ok(peer::Step::Succeeded) => break Ok(peer.msk().unwrap()),
            Err(error) => break Err(error),
        }
    };
    let is_resumed = server.tls.handshake_kind() == Some(HandshakeKind::Resumed);
    Tunnelled { peer: result, exported: server.export(), is_resumed }
}

struct Server {
    kind: Type,
    tls: ServerConnection,
    incoming: Reassembly,
    outgoing: Outgoing,
    identifier: u8,
}

impl Server {
    fn new(kind: Type, config: &Arc<rustls::ServerConfig>) -> Self {
        let tls = ServerConnection::new(config.clone()).unwrap();
        Self { kind, tls, incoming: Reassembly::default(), outgoing: Outgoing::new(SERVER_FRAGMENT_LEN), identifier: 0 }
    }

    fn handle(&mut self, response: &[u8], inner: Inner<'_>) -> Vec<u8> {
        let Packet::Response { identifier, kind, data } = Packet::parse(response).unwrap() else { panic!("no response") };
        assert_eq!((identifier, kind), (self.identifier, self.kind));
        self.identifier += 1;
        let fragment = Fragment::parse(data).unwrap();
        let data = if self.outgoing.is_pending() {
            assert!(fragment.is_acknowledgement());
            self.outgoing.next_fragment()
        } else if let Some(message) = self.incoming.take(&fragment).unwrap() {
            match self.message(&message, inner) {
                Some(data) => data,
                None => return Packet::Failure { identifier }.write(),
            }
        } else {
            Fragment::ACKNOWLEDGEMENT.write()
        };
        if data.is_empty() {
            return Packet::Success { identifier }.write();
        }
        Packet::Request { identifier: self.identifier, kind, data: &data }.write()
    }

    /// Type-Data; none at all for a Success, `None` for a Failure.
    fn message(&mut self, mut message: &[u8], inner: Inner<'_>) -> Option<Vec<u8>> {
        let mut plaintext = Vec::new();
        while !message.is_empty() {
            self.tls.read_tls(&mut message).unwrap();
            let available = self.tls.process_new_packets().ok()?.plaintext_bytes_to_read();
            let mut part = vec![0; available];
            self.tls.reader().read_exact(&mut part).unwrap();
            plaintext.extend(part);
        }
        if !self.tls.wants_write() {
            assert!(!self.tls.is_handshaking(), "a peer has nothing to say only after the handshake");
            match inner(&plaintext, self.identifier, &self.tls) {
                Say::Within(plaintext) => self.tls.writer().write_all(&plaintext).unwrap(),
                Say::Success => return Some(Vec::new()),
                Say::Failure => return None,
            }
        }
        let mut records = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut records).unwrap();
        }
        self.outgoing.load(records);
        Some(self.outgoing.next_fragment())
    }

    fn export(&self) -> Vec<u8> {
        let (label, context) = match (self.tls.protocol_version(), self.kind) {
            (Some(ProtocolVersion::TLSv1_3), kind) => ("EXPORTER_EAP_TLS_Key_Material", Some([kind.0])),
            (_, Type::TTLS) => ("ttls keying material", None),
            _ => ("client EAP encryption", None),
        };
        let context = context.as_ref().map(<[u8; 1]>::as_slice);
        self.tls.export_keying_material(vec![0; 128], label.as_bytes(), context).unwrap_or_default()
    }
}
