//! A request of a mobile node that one can spoil: what a row changes, and the octets that come of it.

use protocol::mhauth::ChannelBinding;
use protocol::mhauth::authenticator::{self, Sender};
use protocol::profile::WireProfile;

/// Container and header lines. What a row does not change is right.
#[derive(Clone)]
pub(super) struct Request {
    /// Ver.
    pub(super) version: u8,
    /// Identifier.
    pub(super) identifier: u8,
    /// What Length says; `None`: the truth.
    pub(super) length: Option<u16>,
    /// The header lines before `auth`, each with its CRLF.
    pub(super) lines: String,
    /// The message authenticator.
    pub(super) auth: Auth,
    /// What stands behind the last header.
    pub(super) end: &'static str,
}

/// What `auth` is.
#[derive(Clone)]
pub(super) enum Auth {
    /// None.
    Missing,
    /// These octets.
    Text(String),
    /// Computed over the lines as they are.
    Over(Made),
}

/// What `auth` is made with.
#[derive(Clone)]
pub(super) struct Made {
    pub(super) key: Vec<u8>,
    pub(super) sender: Sender,
    pub(super) profile: WireProfile,
    pub(super) binding: ChannelBinding,
}

impl Request {
    /// MHAuth-Init.
    pub(super) fn init(mn_id: &str) -> Self {
        let lines = format!("mn-id:{mn_id}\r\nmn-rand:{}\r\nauth-method:psk\r\n", "5a".repeat(32));
        Self { version: 0, identifier: 1, length: None, lines, auth: Auth::Missing, end: "\r\n\r\n" }
    }

    /// MHAuth-Done after a response with this nonce.
    pub(super) fn done(hac_rand: &str, made: Made) -> Self {
        let nonces = format!("mn-rand:{}\r\nhac-rand:{hac_rand}\r\n", "5a".repeat(32));
        let lines = format!("{nonces}mip6-sas:1\r\nmip6-suitelist:{{00,9C}},{{00,2F}}\r\n");
        Self { version: 0, identifier: 2, length: None, lines, auth: Auth::Over(made), end: "\r\n\r\n" }
    }

    /// Takes a header out.
    pub(super) fn without(&mut self, name: &str) {
        self.lines = self.lines.split_inclusive("\r\n").filter(|line| !line.starts_with(&format!("{name}:"))).collect();
    }

    /// Gives a header another value.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        let changed =
            |line: &str| if line.starts_with(&format!("{name}:")) { format!("{name}:{value}\r\n") } else { line.into() };
        self.lines = self.lines.split_inclusive("\r\n").map(changed).collect();
    }

    /// Adds a line.
    pub(super) fn add(&mut self, line: &str) {
        self.lines += line;
        self.lines += "\r\n";
    }

    /// Puts `to` where `from` stands in the lines, wherever it does.
    pub(super) fn replace(&mut self, from: &str, to: &str) {
        assert!(self.lines.contains(from), "{from:?} is not in {:?}", self.lines);
        self.lines = self.lines.replace(from, to);
    }

    /// Changes what `auth` is made with.
    pub(super) fn made(&mut self) -> &mut Made {
        match &mut self.auth {
            Auth::Over(made) => made,
            Auth::Missing | Auth::Text(_) => panic!("this request has no `auth` that is made"),
        }
    }

    /// The whole message.
    pub(super) fn octets(&self) -> Vec<u8> {
        let auth = match &self.auth {
            Auth::Missing => String::new(),
            Auth::Text(text) => format!("auth:{text}\r\n"),
            Auth::Over(Made { key, sender, profile, binding }) => {
                let octets = authenticator::auth(key, sender.label(*profile), self.lines.as_bytes(), binding);
                format!("auth:{}\r\n", hex::encode(octets))
            }
        };
        let content = [&self.lines, &auth, self.end].concat();
        let length = self.length.unwrap_or(content.len() as u16).to_be_bytes();
        [&[self.version << 5, self.identifier], &length[..], content.as_bytes()].concat()
    }
}
