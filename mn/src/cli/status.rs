//! `mn status`.

use service::config::Located;
use service::control::{self, ControlError, Request};

use super::{CliError, socket, start_with};
use crate::config::Config;
use crate::mobile_node::Phase;
use crate::status::{Status, phase_name};

pub(super) async fn run(config: &Located<Config>, json: bool) -> Result<(), CliError> {
    let answer = control::ask(&socket(config), &Request::new("status"), &start_with(config)).await?;
    if json {
        println!("{answer}");
        return Ok(());
    }
    show(&read(config, answer)?);
    Ok(())
}

/// A node's answer.
///
/// # Errors
/// It is that of another version.
pub(super) fn read(config: &Located<Config>, answer: serde_json::Value) -> Result<Status, CliError> {
    let path = socket(config);
    let refused = |error| {
        ControlError::Refused(format!(
            "{}: a node of another version answers ({error}): end it with `mn down` and start it with `mn up`",
            path.display()
        ))
    };
    Ok(serde_json::from_value(answer).map_err(refused)?)
}

fn show(status: &Status) {
    let row = |name: &str, value: String| println!("{name:<18}{value}");
    let list = |items: &[std::net::IpAddr]| items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    row("state", status.state.clone());
    row("home addresses", list(&status.home));
    if !status.mobile_network_prefixes.is_empty() {
        row("networks", status.mobile_network_prefixes.join(", "));
    }
    if let (Some(care_of), Some(interface)) = (status.care_of, &status.interface) {
        row("care-of address", format!("{care_of} on {interface}{}", if status.nat { ", behind a NAT" } else { "" }));
    }
    if let (Some(interface), true) = (&status.interface, status.state == phase_name(Phase::AtHome)) {
        row("home link", format!("{interface}, without the tunnel"));
    }
    if let (Some(home_agent), Some(suite)) = (status.home_agent, &status.suite) {
        let via = if status.transport == "tls" { ", over TLS: this network blocks UDP" } else { "" };
        let translated = status.nat64.as_ref().map(|prefix| format!(", through the NAT64 of {prefix}")).unwrap_or_default();
        row("home agent", format!("{home_agent}, {suite}{translated}{via}"));
    }
    if let (Some(spi), Some(left)) = (status.spi, status.sa_seconds_left) {
        row("SA", format!("SPI 0x{spi:07x}, {left} s left, renewed {} times", status.renewals));
    }
    if let (Some(profile), Some(user_data)) = (&status.profile, &status.user_data) {
        row("wire profile", format!("{profile}, user data {user_data}"));
    }
    if !status.dns.is_empty() {
        let through = status.dns_through.as_ref().map_or("not set".to_owned(), |way| format!("set through {way}"));
        row("name servers", format!("{}, {through}", list(&status.dns)));
    }
    if let Some(error) = &status.dns_error {
        row("name servers", error.clone());
    }
    let confirmed = status.path_mtu.map_or_else(|| "not confirmed".to_owned(), |octets| format!("{octets} confirmed"));
    row("path MTU", format!("{confirmed}, {} inside", status.mtu));
    row("offloads", status.offloads.join(", "));
    row("moves", status.moves.to_string());
    if status.resumes > 0 {
        row("resumes", status.resumes.to_string());
    }
    if let Some(every) = status.keepalive_seconds {
        row("keepalives", format!("{}, after {every:.1} s without a packet", status.keepalives));
    }
    let counters = &status.counters;
    row("sent", format!("{} packets, {} octets", counters.sent_packets, counters.sent_octets));
    row("received", format!("{} packets, {} octets", counters.received_packets, counters.received_octets));
    let guard = &status.guard;
    let standing = if guard.standing || guard.mode == "off" { "" } else { " (gone)" };
    let counts = format!("{} rejected ({} of them DNS), {} injected", guard.rejected, guard.rejected_dns, guard.injected);
    row("leak guard", format!("{}{standing}, {counts}", guard.mode));
    if status.reassertions > 0 {
        row("put back", format!("{} times what somebody else took away", status.reassertions));
    }
    for (reason, count) in &counters.dropped {
        row("dropped", format!("{count} {reason}"));
    }
    if let Some(portal) = &status.captive_portal {
        row("captive portal", format!("{}: log in with `mn portal`", portal.url));
    }
    if let Some(error) = &status.last_error {
        row("last error", error.clone());
    }
}
