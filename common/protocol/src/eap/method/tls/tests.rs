//! Framing and order, over a connection that does what the octets which it receives say.

use std::sync::{Arc, Mutex};

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::fragment::{Fragment, MAX_MESSAGE_LEN, PEER_FRAGMENT_LEN};
use super::*;
use crate::eap::method::{Around, Directory, PeerMethod, Progress, Reply, ServerMethod, ServerStep};
use crate::eap::{MethodError, Msk, Packet, TlsFailure, Type};
use crate::sa::Secret;

mod any_octets;
mod peer;
mod server;

/// What a test sees of a connection that it has given away.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<SeenInside>>);

#[derive(Default)]
struct SeenInside {
    written: Vec<Vec<u8>>,
    is_kept: bool,
}

impl Seen {
    fn written(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap().written.clone()
    }

    fn is_kept(&self) -> bool {
        self.0.lock().unwrap().is_kept
    }
}

/// Records are commands, separated by `|`: `say TEXT` to be sent, `done` for the end of the handshake, `data HEX` for application data,
/// `fail` for an error. What is written comes out as `sealed`.
struct Scripted {
    version: TlsVersion,
    is_handshaking: bool,
    is_resumed: bool,
    output: Vec<u8>,
    plaintext: Vec<u8>,
    identity: Option<String>,
    seen: Seen,
}

impl Scripted {
    fn new(version: TlsVersion) -> Self {
        Self {
            version,
            is_handshaking: true,
            is_resumed: false,
            output: Vec::new(),
            plaintext: Vec::new(),
            identity: Some("alice".to_owned()),
            seen: Seen::default(),
        }
    }
}

impl TlsConnection for Scripted {
    fn receive(&mut self, records: &[u8]) -> Result<(), TlsFailure> {
        for command in String::from_utf8(records.to_vec()).unwrap().split('|') {
            match command.split_once(' ').unwrap_or((command, "")) {
                ("say", text) => self.output.extend(text.as_bytes()),
                ("done", _) => self.is_handshaking = false,
                ("data", text) => self.plaintext.extend(hex::decode(text).unwrap()),
                ("fail", _) => return Err(TlsFailure::Expired),
                _ => panic!("{command} is no command"),
            }
        }
        Ok(())
    }

    fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    fn is_handshaking(&self) -> bool {
        self.is_handshaking
    }

    fn version(&self) -> Option<TlsVersion> {
        Some(self.version)
    }

    fn write(&mut self, plaintext: &[u8]) -> Result<(), TlsFailure> {
        assert!(!self.is_handshaking, "nothing may be written in a handshake");
        self.seen.0.lock().unwrap().written.push(plaintext.to_vec());
        self.output.extend(b"sealed");
        Ok(())
    }

    fn read(&mut self) -> Result<Secret, TlsFailure> {
        Ok(Secret::new(std::mem::take(&mut self.plaintext)))
    }

    fn export(&self, label: &[u8], context: Option<&[u8]>, len: usize) -> Result<Secret, TlsFailure> {
        assert!(!self.is_handshaking, "there are no keys in a handshake");
        let octets = [label, b"/", context.unwrap_or(b"none")].concat();
        Ok(Secret::new(octets.into_iter().chain(std::iter::repeat(0)).take(len).collect()))
    }
}

impl PeerTlsConnection for Scripted {
    fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    fn keep_session(&mut self) {
        self.seen.0.lock().unwrap().is_kept = true;
    }
}

impl ServerTlsConnection for Scripted {
    fn peer_identity(&self) -> Option<String> {
        self.identity.clone()
    }
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(1)
}

/// Type-Data of a message in one fragment.
fn whole(message: &str) -> Vec<u8> {
    Fragment { data: message.as_bytes(), ..Fragment::ACKNOWLEDGEMENT }.write()
}

/// The one message of some Type-Data.
fn text(data: &[u8]) -> String {
    let fragment = Fragment::parse(data).unwrap();
    assert!(!fragment.is_more && !fragment.is_start);
    String::from_utf8(fragment.data.to_vec()).unwrap()
}

fn msk_text(msk: Option<Msk>) -> String {
    String::from_utf8(msk.unwrap().expose().to_vec()).unwrap().trim_end_matches('\0').to_owned()
}
