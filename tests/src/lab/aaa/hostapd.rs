//! hostapd 2.10 as an AAA server: no access point, nothing but its RADIUS server and its EAP methods.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::certificates::Pair;
use super::{AaaServer, Certificates, Lab, Method, Options, SECRET, SERVER_NAME, Versions, write};

impl Lab {
    /// Starts hostapd beside the HAC. It has all methods. With [`Method::Gpsk`] among them EAP-MD5 has the octets of that key for a
    /// password ([`Options::gpsk_key`]), since hostapd keeps one secret a user outside of tunnels. Of EAP-GPSK it offers both ciphersuites, whatever the
    /// key, and the peer chooses. Returns when it answers.
    pub fn hostapd(&self, options: &Options<'_>) -> Result<AaaServer> {
        let folder = self.folder().join(format!("hostapd-{}", options.port));
        fs::create_dir_all(&folder).context("cannot make hostapd's folder")?;
        let files = [
            ("hostapd.conf", configuration(&folder, &self.aaa_certificates()?, options)),
            ("clients", format!("127.0.0.1/32 {SECRET}\n")),
            ("users", users(options)),
        ];
        write(&folder, &files)?;
        let file = folder.join("hostapd.conf");
        // With each step of a method in the log; keys are not.
        let arguments = ["-d", file.to_str().context("the lab's folder is no UTF-8")?];
        self.aaa_server("hostapd", options.port, &arguments, "AP-ENABLED")
    }
}

fn configuration(folder: &Path, certificates: &Certificates, options: &Options<'_>) -> String {
    let (folder, authority) = (folder.display(), certificates.authority());
    let Pair { certificate, key } = certificates.server(options.certificate);
    format!(
        "driver=none\neap_server=1\nserver_id={SERVER_NAME}\neap_user_file={folder}/users\n\
         radius_server_clients={folder}/clients\nradius_server_auth_port={}\n\
         ca_cert={}\nserver_cert={}\nprivate_key={}\n{}",
        options.port,
        authority.display(),
        certificate.display(),
        key.display(),
        tls(options)
    )
}

/// What is not said is as OpenSSL has it: TLS 1.0 too, but not 1.3.
fn tls(options: &Options<'_>) -> String {
    let flags = match options.versions {
        Versions::Tls12 => "[DISABLE-TLSv1.3]",
        Versions::Tls13 => "[DISABLE-TLSv1.2][ENABLE-TLSv1.3]",
        Versions::Both => "[ENABLE-TLSv1.3]",
    };
    let lifetime = if options.resumption { 3600 } else { 0 };
    format!("tls_flags=[DISABLE-TLSv1.0][DISABLE-TLSv1.1]{flags}\ntls_session_lifetime={lifetime}\n")
}

/// The first line that fits counts. An attribute of an Access-Accept stands behind the line of the user that it is for; those of
/// the line that was asked for last, inside a tunnel, are sent.
fn users(options: &Options<'_>) -> String {
    let methods: Vec<_> = options.methods.iter().map(name).collect();
    let tunnels: Vec<_> = options.methods.iter().filter(|method| needs_no_secret(method)).map(name).collect();
    let has_gpsk = options.methods.contains(&Method::Gpsk);
    let mut lines = String::new();
    for (user, password) in options.users {
        let secret = if has_gpsk { options.gpsk_key.to_owned() } else { format!("\"{password}\"") };
        let reply = reply(options, user);
        lines += &format!("\"{user}\" {} {secret}\n{reply}", methods.join(","));
        lines += &format!("\"{user}\" TTLS-PAP,TTLS-MSCHAPV2,MSCHAPV2,MD5 \"{password}\" [2]\n{reply}");
    }
    if !tunnels.is_empty() {
        // Not for every name: in EAP-TLS hostapd asks for `cert-SERIAL` at the end, and would answer with what it finds there.
        lines += &format!("\"anonymous\"* {}\n", tunnels.join(","));
    }
    lines
}

fn name(method: &Method) -> &'static str {
    match method {
        Method::Tls => "TLS",
        Method::Ttls => "TTLS",
        Method::Peap => "PEAP",
        Method::Md5 => "MD5",
        Method::Gpsk => "GPSK",
    }
}

fn needs_no_secret(method: &Method) -> bool {
    match method {
        Method::Tls | Method::Ttls | Method::Peap => true,
        Method::Md5 | Method::Gpsk => false,
    }
}

/// Attributes by number: a string, a decimal number, octets.
fn reply(options: &Options<'_>, user: &str) -> String {
    let reply = options.reply;
    let attributes = [
        options.names_user.then(|| format!("1:s:{user}")),
        reply.session_timeout.map(|seconds| format!("27:d:{seconds}")),
        reply.class.map(|class| format!("25:s:{class}")),
        reply.framed_ip_address.map(|address| format!("8:x:{}", hex::encode(address.octets()))),
    ];
    attributes.into_iter().flatten().map(|attribute| format!("radius_accept_attr={attribute}\n")).collect()
}
