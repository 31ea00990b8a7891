//! A request of a mobile node that one can spoil: what a row changes, and the octets that come of it.

use protocol::mhauth::ChannelBinding;
use protocol::mhauth::authenticator::{self, Sender};
use protocol::profile::WireProfile;

/// Container and header lines. What a row does not change is right.
#[derive(Clone)]
pub(crate) struct Request {
    /// Ver.
    pub(crate) version: u8,
    /// Identifier.
    pub(crate) identifier: u8,
    /// What Length says; `None`: the truth.
    pub(crate) length: Option<u16>,
    /// The header lines before `auth`, each with its CRLF.
    pub(crate) lines: String,
    /// The message authenticator.
    pub(crate) auth: Auth,
    /// What stands behind the last header.
    pub(crate) end: &'static str,
}

/// What `auth` is.
#[derive(Clone)]
pub(crate) enum Auth {
    /// None.
    Missing,
    /// These octets.
    Text(String),
    /// Computed over the lines as they are.
    Over(Made),
}

/// What `auth` is made with.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) key: Vec<u8>,
    pub(crate) sender: Sender,
    pub(crate) profile: WireProfile,
    pub(crate) binding: ChannelBinding,
}

impl Request {
    /// MHAuth-Init.
    pub(crate) fn init(mn_id: &str) -> Self {
        let lines = format!("mn-id:{mn_id}\r\nmn-rand:{}\r\nauth-method:psk\r\n", "5a".repeat(32));
        Self { version: 0, identifier: 1, length: None, lines, auth: Auth::Missing, end: "\r\n\r\n" }
    }

    /// MHAuth-Done after a response with this nonce.
    pub(crate) fn done(hac_rand: &str, made: Made) -> Self {
        let nonces = format!("mn-rand:{}\r\nhac-rand:{hac_rand}\r\n", "5a".repeat(32));
        let lines = format!("{nonces}mip6-sas:1\r\nmip6-suitelist:{{00,9C}},{{00,2F}}\r\n");
        Self { version: 0, identifier: 2, length: None, lines, auth: Auth::Over(made), end: "\r\n\r\n" }
    }

    /// Takes a header out.
    pub(crate) fn without(&mut self, name: &str) {
        self.lines = self.lines.split_inclusive("\r\n").filter(|line| !line.starts_with(&format!("{name}:"))).collect();
    }

    /// Gives a header another value.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let changed =
            |line: &str| if line.starts_with(&format!("{name}:")) { format!("{name}:{value}\r\n") } else { line.into() };
        self.lines = self.lines.split_inclusive("\r\n").map(changed).collect();
    }

    /// Adds a line.
    pub(crate) fn add(&mut self, line: &str) {
        self.lines += line;
        self.lines += "\r\n";
    }

    /// Puts `to` where `from` stands in the lines, wherever it does.
    pub(crate) fn replace(&mut self, from: &str, to: &str) {
        assert!(self.lines.contains(from), "{from:?} is not in {:?}", self.lines);
        self.lines = self.lines.replace(from, to);
    }

    /// Changes what `auth` is made with.
    pub(crate) fn made(&mut self) -> &mut Made {
        match &mut self.auth {
            Auth::Over(made) => made,
            Auth::Missing | Auth::Text(_) => panic!("this request has no `auth` that is made"),
        }
    }

    /// The whole message.
    pub(crate) fn octets(&self) -> Vec<u8> {
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
