//! FreeRADIUS 3.2 as an AAA server: its configuration stands in `freeradius.conf`, what a test chooses is written here.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::certificates::Pair;
use super::{
    ACCOUNTING, AaaServer, Certificates, DETAIL, Lab, Method, Options, OverTls, SECRET, ServerCertificate, Versions, write,
};

const CONFIGURATION: &str = include_str!("freeradius.conf");

/// Whom an Access-Accept names: who was authenticated inside, also in a session that is resumed, else who has the certificate.
const NAMES_USER: &str = "
if (&session-state:User-Name) {
	update reply {
		&User-Name := &session-state:User-Name
	}
}
elsif (&request:TLS-Client-Cert-Subject-Alt-Name-Email) {
	update reply {
		&User-Name := &request:TLS-Client-Cert-Subject-Alt-Name-Email
	}
}
update reply {
	&User-Name = &request:User-Name
}
";
const NAMES_NOBODY: &str = "
update reply {
	&User-Name !* ANY
}
";

impl Lab {
    /// Starts FreeRADIUS beside the HAC. It has all methods but EAP-GPSK. Returns when it answers; fails, with its log, when
    /// it does not take its configuration.
    pub fn freeradius(&self, options: &Options<'_>) -> Result<AaaServer> {
        let folder = self.folder().join(format!("freeradius-{}", options.port));
        fs::create_dir_all(folder.join("sessions")).context("cannot make FreeRADIUS's folder")?;
        let accept = if options.names_user { NAMES_USER } else { NAMES_NOBODY };
        let files = [
            ("radiusd.conf", format!("{}$INCLUDE lab.conf\n", variables(&folder, &self.aaa_certificates()?, options)?)),
            ("lab.conf", CONFIGURATION.to_owned()),
            ("methods", options.methods.iter().filter_map(module).collect()),
            ("over_tls", over_tls(options, &self.aaa_certificates()?)),
            ("accept", format!("{accept}{}", reply(options))),
            ("users", users(options)),
        ];
        write(&folder, &files)?;
        let folder = folder.to_str().context("the lab's folder is no UTF-8")?;
        // In the foreground.
        let mut arguments = vec!["-f", "-l", "stdout", "-n", "radiusd", "-d", folder];
        if options.is_verbose {
            arguments.push("-xx");
        }
        self.aaa_server("freeradius", options.port, &arguments, "Ready to process requests")
    }
}

/// What `freeradius.conf` has variables for.
fn variables(folder: &Path, certificates: &Certificates, options: &Options<'_>) -> Result<String> {
    let first = options.methods.iter().find_map(name).context("FreeRADIUS has none of these methods")?;
    let (least, most) = match options.versions {
        Versions::Tls12 => ("1.2", "1.2"),
        Versions::Tls13 => ("1.3", "1.3"),
        Versions::Both => ("1.2", "1.3"),
    };
    let Pair { certificate, key } = certificates.server(options.certificate);
    let (authority, port) = (certificates.authority(), options.port.to_string());
    let (accounting_port, detail) = ((options.port + ACCOUNTING).to_string(), folder.join(DETAIL));
    let variables = [
        ("raddbdir", &*folder.to_string_lossy()),
        ("authority", &*authority.to_string_lossy()),
        ("server_certificate", &*certificate.to_string_lossy()),
        ("server_key", &*key.to_string_lossy()),
        ("secret", SECRET),
        ("port", &port),
        ("accounting_port", &accounting_port),
        ("detail", &*detail.to_string_lossy()),
        ("first_method", first),
        ("tls_min_version", least),
        ("tls_max_version", most),
        ("resumption", if options.resumption { "yes" } else { "no" }),
    ];
    Ok(variables.iter().map(|(name, value)| format!("{name} = \"{value}\"\n")).collect())
}

/// The section that listens for RADIUS over TLS.
fn over_tls(options: &Options<'_>, certificates: &Certificates) -> String {
    let Some(OverTls { port, clients }) = options.over_tls else { return String::new() };
    let Pair { certificate, key } = certificates.server(ServerCertificate::Address);
    let [certificate, key, clients] = [&*certificate, &*key, clients].map(|path| path.display());
    format!(
        "listen {{
type = auth+acct
proto = tcp
ipaddr = 127.0.0.1
port = {port}
clients = over_tls
tls {{
private_key_file = {key}
certificate_file = {certificate}
ca_file = {clients}
require_client_cert = yes
cipher_list = \"DEFAULT\"
ecdh_curve = \"\"
tls_min_version = ${{tls_min_version}}
tls_max_version = ${{tls_max_version}}
}}
}}
"
    )
}

fn name(method: &Method) -> Option<&'static str> {
    match method {
        Method::Tls => Some("tls"),
        Method::Ttls => Some("ttls"),
        Method::Peap => Some("peap"),
        Method::Md5 => Some("md5"),
        Method::Gpsk => None,
    }
}

/// A method's section of the module `eap`. What the inner server answers is the outer one's answer, and so kept with the session.
fn module(method: &Method) -> Option<String> {
    const TUNNEL: &str = "tls = lab
virtual_server = inner
default_eap_type = mschapv2
copy_request_to_tunnel = no
use_tunneled_reply = yes
";
    let name = name(method)?;
    let keys = match method {
        Method::Tls => "tls = lab\n",
        Method::Ttls | Method::Peap => TUNNEL,
        Method::Md5 | Method::Gpsk => "",
    };
    Some(format!("{name} {{\n{keys}}}\n"))
}

fn users(options: &Options<'_>) -> String {
    let mut users = String::new();
    for (user, password) in options.users {
        let of_user = options.items.iter().filter(|(name, _)| name == user).flat_map(|(_, items)| *items);
        let items: Vec<String> = of_user.map(|item| format!("\t{item}")).collect();
        users += &format!("\"{user}\" Cleartext-Password := \"{password}\"\n{}\n", items.join(",\n"));
    }
    users
}

fn reply(options: &Options<'_>) -> String {
    let reply = options.reply;
    let attributes = [
        reply.session_timeout.map(|seconds| format!("&Session-Timeout := {seconds}\n")),
        reply.class.map(|class| format!("&Class := \"{class}\"\n")),
        reply.framed_ip_address.map(|address| format!("&Framed-IP-Address := {address}\n")),
    ];
    let attributes: String = attributes.into_iter().flatten().collect();
    if attributes.is_empty() { attributes } else { format!("update reply {{\n{attributes}}}\n") }
}
