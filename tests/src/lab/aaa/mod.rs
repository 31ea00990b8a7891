//! AAA servers in the lab, as operators run them: FreeRADIUS and hostapd, in the HAC's namespace on loopback; and
//! [`eapol_test`] and [`radclient`], a peer and RADIUS clients that owe our own code nothing.
//!
//! Tests of EAP start them ([`Lab::freeradius`], [`Lab::hostapd`]). None of them reads what a package has put under `/etc`.

pub mod certificates;
pub mod eapol_test;
mod freeradius;
mod hostapd;
pub mod load;
pub mod radclient;

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

pub use certificates::{Certificates, ClientCertificate, ServerCertificate};
pub use eapol_test::EapolTest;
pub use load::Load;

use super::deployment::NAI;
use super::{Daemon, Lab, plan, programs, wait_for};

/// The secret that every server shares with its clients.
pub const SECRET: &str = "kX3vR8nQ2wLp7ZtB5mYc";
/// The password of [`NAI`] where nothing else is said.
pub const PASSWORD: &str = "correct horse battery staple";
/// The key of EAP-GPSK where nothing else is said, in hexadecimal digits; long enough for both of its ciphersuites.
pub const GPSK_KEY: &str = "5f1c27d98a3be604713d90c2ee5841b7a60f1d3c8b92457e6dd013f9a87c24be";
/// The outer identity of who does not tell its name to the network.
pub const ANONYMOUS: &str = "anonymous@example.org";
/// The name in the server's certificate, and what a server calls itself in EAP-GPSK.
pub const SERVER_NAME: &str = "aaa.example.org";
/// What the names of the servers' logs begin with: servers tell whom they are asked for.
pub(super) const LOG_PREFIX: &str = "aaa-";

/// From the port for authentication to that for accounting.
const ACCOUNTING: u16 = 100;
/// Where FreeRADIUS writes what it is told of sessions.
const DETAIL: &str = "detail";

const SOON: Duration = Duration::from_secs(20);

/// What an AAA server is to be.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// UDP port on 127.0.0.1; several servers take several.
    pub port: u16,
    /// Whether, and for whom, RADIUS is served over TLS too: FreeRADIUS alone does.
    pub over_tls: Option<OverTls<'a>>,
    /// What the server shows in EAP-TLS, EAP-TTLS and PEAP.
    pub certificate: ServerCertificate,
    /// The versions of TLS in these methods.
    pub versions: Versions,
    /// The methods that it has, the one that it proposes first; not all servers have all.
    pub methods: &'a [Method],
    /// Names and passwords, of EAP-MD5 and inside EAP-TTLS and PEAP. With a certificate of the AAA's authority nobody needs an
    /// entry at FreeRADIUS; at hostapd outer identities other than `anonymous…` do.
    pub users: &'a [(&'a str, &'a str)],
    /// The key of EAP-GPSK of every user, in hexadecimal digits.
    pub gpsk_key: &'a str,
    /// Whether TLS sessions may be resumed.
    pub resumption: bool,
    /// Whether an Access-Accept has the User-Name that was authenticated.
    pub names_user: bool,
    /// What else an Access-Accept has.
    pub reply: Reply<'a>,
    /// Whether it logs what it does to each packet.
    pub is_verbose: bool,
    /// What it has for one user beyond that, at FreeRADIUS: items as its file `users` has them.
    pub items: &'a [(&'a str, &'a [&'a str])],
}

impl Default for Options<'_> {
    /// Port 1812, all methods, TLS 1.2 and 1.3, no resumption, [`NAI`] with [`PASSWORD`] and [`GPSK_KEY`], the name in the Access-Accept, each
    /// packet in the log.
    fn default() -> Self {
        Self {
            port: 1812,
            over_tls: None,
            certificate: ServerCertificate::Good,
            versions: Versions::Both,
            methods: &[Method::Tls, Method::Ttls, Method::Peap, Method::Md5, Method::Gpsk],
            users: &[(NAI, PASSWORD)],
            gpsk_key: GPSK_KEY,
            resumption: false,
            names_user: true,
            reply: Reply::default(),
            is_verbose: true,
            items: &[],
        }
    }
}

/// RADIUS over TLS (RFC 6614), beside UDP; the server shows [`ServerCertificate::Address`].
#[derive(Clone, Copy, Debug)]
pub struct OverTls<'a> {
    /// TCP port on 127.0.0.1.
    pub port: u16,
    /// PEM: the CAs whose certificates clients may show.
    pub clients: &'a Path,
}

/// A method of EAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// EAP-TLS (RFC 5216, RFC 9190).
    Tls,
    /// EAP-TTLS (RFC 5281), PAP and MSCHAPv2 inside.
    Ttls,
    /// PEAP, EAP-MSCHAPv2 inside.
    Peap,
    /// EAP-MD5 (RFC 3748 section 5.4), which makes no keys.
    Md5,
    /// EAP-GPSK (RFC 5433), which FreeRADIUS does not have.
    Gpsk,
}

/// Versions of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// 1.2 alone.
    Tls12,
    /// 1.3 alone.
    Tls13,
    /// 1.2 and 1.3.
    Both,
}

/// Attributes of an Access-Accept (RFC 2865 section 5).
#[derive(Clone, Copy, Debug, Default)]
pub struct Reply<'a> {
    /// Session-Timeout, seconds.
    pub session_timeout: Option<u32>,
    /// Class.
    pub class: Option<&'a str>,
    /// Framed-IP-Address.
    pub framed_ip_address: Option<Ipv4Addr>,
}

/// A running AAA server; ended when dropped.
#[derive(Debug)]
pub struct AaaServer {
    daemon: Daemon,
    port: u16,
    folder: PathBuf,
    /// What it logs once in each run, when it answers.
    ready: &'static str,
}

impl AaaServer {
    /// Where it is asked, in the HAC's namespace.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Where it is told of sessions, in the HAC's namespace; FreeRADIUS alone listens there.
    pub fn accounting_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port + ACCOUNTING).into()
    }

    /// What FreeRADIUS has been told of sessions, in its own words and order: the attributes of each record by name. One that stands
    /// there several times has its values joined by spaces.
    pub fn records(&self) -> Vec<BTreeMap<String, String>> {
        records(&fs::read_to_string(self.folder.join(DETAIL)).unwrap_or_default())
    }

    /// What it logged so far: each packet, each step of a method.
    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// Ends it: who asks gets an ICMP message at most.
    pub fn stop(&mut self) -> Result<()> {
        self.daemon.kill()
    }

    /// Ends it, if it runs, and starts it again: what it knew of EAP exchanges under way is lost. Returns when it answers.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        let before = self.log().len();
        self.daemon.restart()?;
        self.wait_until_ready(before)
    }

    /// From here on it is silent; what comes meanwhile waits for [`resume`](Self::resume).
    pub fn pause(&self) -> Result<()> {
        self.daemon.signal("STOP")
    }

    /// Ends a [`pause`](Self::pause).
    pub fn resume(&self) -> Result<()> {
        self.daemon.signal("CONT")
    }

    /// `before`: the length of the log when it was started.
    fn wait_until_ready(&mut self, before: usize) -> Result<()> {
        wait_for("an AAA server to serve", SOON, || {
            self.daemon.check_running()?;
            Ok(self.log().get(before..).is_some_and(|log| log.contains(self.ready)).then_some(()))
        })
    }
}

impl Lab {
    /// Starts a program that serves AAA and says `ready` when it does; its name and the port name its log.
    fn aaa_server(&self, program: &str, port: u16, arguments: &[&str], ready: &'static str) -> Result<AaaServer> {
        programs::require(&[program])?;
        let name = format!("{LOG_PREFIX}{program}-{port}");
        // One on the same port before has left its log.
        let before = fs::metadata(self.folder().join(format!("{name}.log"))).map_or(0, |log| log.len() as usize);
        let daemon = self.spawn(plan::HAC, &name, Path::new(program), arguments)?;
        let folder = self.folder().join(format!("{program}-{port}"));
        let mut server = AaaServer { daemon, port, folder, ready };
        server.wait_until_ready(before)?;
        Ok(server)
    }
}

/// A record is a line of time and indented lines of attributes, up to an empty one.
fn records(text: &str) -> Vec<BTreeMap<String, String>> {
    let read = |record: &str| {
        let mut attributes = BTreeMap::<String, String>::new();
        for (name, value) in record.lines().filter_map(|line| line.strip_prefix('\t')?.split_once(" = ")) {
            let value = value.trim_matches('"');
            let joined = attributes.entry(name.to_owned()).or_default();
            *joined = if joined.is_empty() { value.to_owned() } else { format!("{joined} {value}") };
        }
        attributes
    };
    // Of the last one the end may not be written yet.
    let whole = text.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
    whole.split("\n\n").filter(|record| !record.trim().is_empty()).map(read).collect()
}

/// Writes the files of a server's configuration, by name.
fn write(folder: &Path, files: &[(&str, String)]) -> Result<()> {
    for (name, text) in files {
        let file = folder.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_freeradius_writes_them_and_an_unfinished_one_is_left() {
        let text = "Fri Nov 27 20:00:00 2026\n\tAcct-Status-Type = Start\n\tClass = 0x676f\n\tClass = 0x6c64\n\tUser-Name = \"a = b\"\n\n\
                    Fri Nov 27 20:00:01 2026\n\tAcct-Status-Type = Stop\n";
        let read = records(text);
        assert_eq!(read.len(), 1);
        assert_eq!(read[0]["Acct-Status-Type"], "Start");
        assert_eq!((&*read[0]["Class"], &*read[0]["User-Name"]), ("0x676f 0x6c64", "a = b"));
        assert!(records("").is_empty());
    }
}
