//! Answers of the running home agent as a person reads them.

use serde_json::Value;

/// `ha status`.
pub(super) fn print_status(status: &Value) {
    let line = |name: &str, value: String| println!("{name:<22}{value}");
    line("name", text(status, "/name"));
    line("uptime", format!("{} s", text(status, "/uptime_seconds")));
    line("listens on", list(status, "/listen"));
    line("device", text(status, "/device"));
    line("workers", text(status, "/workers"));
    line("offloads", list(status, "/offloads"));
    line("group", text(status, "/group"));
    line("pools", list(status, "/pools"));
    if status.pointer("/home_link").is_some_and(Value::is_object) {
        let [interface, count] = ["interface", "answered_for"].map(|name| text(status, &format!("/home_link/{name}")));
        line("home link", format!("{interface}, {count} home addresses answered for"));
    }
    line("feed", feed_line(status));
    let (asked, found) = (text(status, "/feed/look_ups/asked"), text(status, "/feed/look_ups/found"));
    line("look-ups", format!("{asked} unknown SPIs asked for, {found} found"));
    let count = |name: &str| text(status, &format!("/security_associations/{name}"));
    let (held, reinit, renewal) = (count("held"), count("reinit_only"), count("renewal_wanted"));
    line("security associations", format!("{held} ({reinit} only ask for re-initialisation, {renewal} are to be renewed)"));
    let (nat, unproved) = (text(status, "/bindings_behind_nat"), text(status, "/bindings_unproved"));
    line("bindings", format!("{} ({nat} behind a NAT, {unproved} not proved)", text(status, "/bindings")));
    let carried = |way: &str| {
        let [packets, octets] = ["packets", "octets"].map(|name| text(status, &format!("/{way}/{name}")));
        format!("{packets} packets, {octets} octets")
    };
    line("sent", format!("{}, {} packets once more", carried("sent"), text(status, "/sent/again")));
    line("received", format!("{}, {} packets missing", carried("received"), text(status, "/received/missing")));
    if status.pointer("/fallback").is_some_and(Value::is_object) {
        let count = |name: &str| text(status, &format!("/fallback/{name}"));
        let [open, accepted, unbound, refused] = ["open", "accepted", "unbound", "refused"].map(count);
        line(
            "over TLS",
            format!("{open} connections ({accepted} in all, {unbound} without a Binding Update, {refused} refused)"),
        );
        let [from, to, dropped, kept_out] = ["from_nodes", "to_nodes", "dropped", "not_let_in"].map(count);
        line(
            "datagrams over TLS",
            format!("{from} from nodes, {to} to nodes, {dropped} found a queue full, {kept_out} not let in"),
        );
    }
    for (reason, count) in status.pointer("/drops").and_then(Value::as_object).into_iter().flatten() {
        line("dropped", format!("{count} {reason}"));
    }
    for (name, count) in status.pointer("/io").and_then(Value::as_object).into_iter().flatten().filter(|(_, count)| **count != 0)
    {
        line(&format!("kernel: {}", name.replace('_', " ")), count.to_string());
    }
}

/// `ha bindings`.
pub(super) fn print_bindings(answer: &Value) {
    let row = |[home, care_of, remote, via, nat, proved, spi, left, moves, from_node, to_node]: [&str; 11]| {
        println!(
            "{home:<56} {care_of:<24} {remote:<30} {via:<4} {nat:<4} {proved:<6} {spi:<11} {left:>6} {moves:>6} {from_node:>20} {to_node:>20}"
        );
    };
    row(["HOME", "CARE-OF", "REMOTE", "VIA", "NAT", "PROVED", "SPI", "LEFT", "MOVES", "FROM NODE", "TO NODE"]);
    for binding in items(answer, "/bindings") {
        let column = |name: &str| text(binding, &format!("/{name}"));
        row([
            &homes_and_networks(binding),
            &column("care_of"),
            &column("remote"),
            &column("transport"),
            yes_or_no(binding, "/nat"),
            yes_or_no(binding, "/proved"),
            &column("spi"),
            &column("seconds_left"),
            &column("moves"),
            &volume(binding, "/from_node"),
            &volume(binding, "/to_node"),
        ]);
    }
    println!("{} in all", text(answer, "/count"));
}

/// The home addresses, and behind a mobile router's its networks.
fn homes_and_networks(binding: &Value) -> String {
    let (home, networks) = (list(binding, "/home"), list(binding, "/mobile_network_prefixes"));
    if networks == "-" { home } else { format!("{home} + {networks}") }
}

/// `ha sa list`.
pub(super) fn print_security_associations(answer: &Value) {
    let row = |[spi, suite, profile, user_data, left, lease, bound, renewal, from_node, to_node, home]: [&str; 11]| {
        println!(
            "{spi:<11} {suite:<18} {profile:<9} {user_data:<10} {left:>7} {lease:>6} {bound:<6} {renewal:<8} {from_node:>20} {to_node:>20} \
             {home}"
        );
    };
    row(["SPI", "SUITE", "PROFILE", "USER DATA", "LEFT", "LEASE", "BOUND", "RENEWAL", "FROM NODE", "TO NODE", "HOME"]);
    for sa in items(answer, "/security_associations") {
        let column = |name: &str| text(sa, &format!("/{name}"));
        row([
            &column("spi"),
            &column("suite"),
            &column("profile"),
            &column("user_data"),
            &column("seconds_left"),
            &column("lease"),
            yes_or_no(sa, "/bound"),
            renewal(sa),
            &volume(sa, "/from_node"),
            &volume(sa, "/to_node"),
            &list(sa, "/home"),
        ]);
    }
    println!("{} in all", text(answer, "/count"));
}

/// `ha sa renew`.
pub(super) fn print_renewal(answer: &Value) {
    let (wanted, bound, takes) = (text(answer, "/wanted"), text(answer, "/bound"), text(answer, "/takes_seconds"));
    println!("{wanted} to be renewed; {bound} of them bound: their nodes are asked within {takes} s, the others when they bind");
}

fn feed_line(status: &Value) -> String {
    let (address, since) = (text(status, "/feed/address"), text(status, "/feed/for_seconds"));
    if status.pointer("/feed/connected") == Some(&Value::Bool(true)) {
        return format!("connected to {address} for {since} s, revision {}", text(status, "/feed/revision"));
    }
    format!("not connected to {address} for {since} s: {}", text(status, "/feed/last_error"))
}

fn renewal(sa: &Value) -> &'static str {
    let is = |pointer| sa.pointer(pointer) == Some(&Value::Bool(true));
    match (is("/superseded"), is("/renewal_wanted")) {
        (true, _) => "done",
        (false, true) => "wanted",
        (false, false) => "-",
    }
}

/// Packets and octets.
fn volume(value: &Value, pointer: &str) -> String {
    let [packets, octets] = ["packets", "octets"].map(|name| text(value, &format!("{pointer}/{name}")));
    format!("{packets}/{octets}")
}

fn yes_or_no(value: &Value, pointer: &str) -> &'static str {
    if value.pointer(pointer) == Some(&Value::Bool(true)) { "yes" } else { "no" }
}

fn items<'a>(answer: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    answer.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_))) => other.to_string(),
    }
}

fn list(value: &Value, pointer: &str) -> String {
    let items = value.pointer(pointer).and_then(Value::as_array);
    let items: Vec<&str> = items.into_iter().flatten().filter_map(Value::as_str).collect();
    if items.is_empty() { "-".to_owned() } else { items.join(" ") }
}
