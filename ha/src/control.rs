//! The control socket: questions on their way to the gateway, and its reports as JSON, schema 1.

use std::time::{Instant, SystemTime};

use protocol::addr::HomeAddresses;
use protocol::sa::Spi;
use protocol::tunnel::{Traffic, Volume};
use serde_json::{Map, Value, json};
use service::control::{ControlSocket, Request};
use tokio::sync::{mpsc, oneshot};

use crate::binding_cache::Binding;
use crate::home_agent::{Asked, SaSummary, Which};
use crate::report::{FallbackReport, Listed, StatusReport};

/// The most bindings or SAs in one answer: at 500 octets each they fit in what the command line takes.
pub(crate) const MAX_LISTED: usize = 64_000;
/// What the control socket understands.
const REQUESTS: &str = "status, bindings, security-associations and renew";

/// A question to the gateway, with the place for its answer.
#[derive(Debug)]
pub(crate) enum Question {
    Status(oneshot::Sender<Box<StatusReport>>),
    /// Each with what was carried since it began.
    Bindings(oneshot::Sender<Listed<(Binding, Traffic)>>),
    SecurityAssociations(oneshot::Sender<Listed<SaSummary>>),
    Renew(Which, oneshot::Sender<Asked>),
}

/// Serves the control socket with the gateway's answers.
pub(crate) async fn serve(socket: ControlSocket, questions: mpsc::Sender<Question>) {
    socket.serve(move |request| answer(questions.clone(), request)).await;
}

async fn answer(questions: mpsc::Sender<Question>, request: Request) -> Result<Value, String> {
    match request.request.as_str() {
        "status" => ask(&questions, Question::Status).await.map(|report| status(&report)),
        "bindings" => ask(&questions, Question::Bindings).await.map(|listed| list("bindings", &listed, binding)),
        "security-associations" => {
            let listed = ask(&questions, Question::SecurityAssociations).await?;
            Ok(list("security_associations", &listed, security_association))
        }
        "renew" => {
            let which = which(&request.arguments)?;
            renewed(which, ask(&questions, |answer| Question::Renew(which, answer)).await?)
        }
        other => Err(format!("unknown request \"{other}\": this home agent knows {REQUESTS}")),
    }
}

async fn ask<T>(questions: &mpsc::Sender<Question>, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Result<T, String> {
    let (answer, answered) = oneshot::channel();
    let stopping = || "the home agent is stopping".to_owned();
    questions.send(question(answer)).await.map_err(|_| stopping())?;
    answered.await.map_err(|_| stopping())
}

/// `"all": true`, or `"spi"` with a number.
fn which(arguments: &Map<String, Value>) -> Result<Which, String> {
    if arguments.get("all") == Some(&Value::Bool(true)) {
        return Ok(Which::All);
    }
    let number = arguments.get("spi").and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
    let spi = number.and_then(Spi::new).ok_or("say which: \"spi\" with a number from 1 to 268435455, or \"all\": true")?;
    Ok(Which::One(spi))
}

fn renewed(which: Which, asked: Asked) -> Result<Value, String> {
    match which {
        Which::One(spi) if asked.wanted == 0 => Err(format!(
            "there is no SA {spi} here that could be renewed: `ha sa list` shows those that are held; one with a lease above 0, or \
             superseded by a newer one, is answered with 176 anyway"
        )),
        Which::One(_) | Which::All => {
            Ok(json!({ "wanted": asked.wanted, "bound": asked.bound, "takes_seconds": asked.takes.as_secs_f64() }))
        }
    }
}

fn status(report: &StatusReport) -> Value {
    let feed = &report.feed;
    let (associations, bindings, io) = (report.associations, report.bindings, report.io);
    let (sent, received) = (report.sent, report.received);
    let drops: Map<String, Value> =
        report.drops.iter().map(|(reason, count)| (reason.label().to_owned(), json!(count))).collect();
    json!({
        "name": report.name,
        "uptime_seconds": report.uptime.as_secs(),
        "listen": report.listen,
        "device": report.device,
        "workers": report.workers,
        "offloads": report.offloads,
        "group": report.group,
        "pools": report.pools,
        "feed": {
            "address": report.feed_address,
            "connected": feed.connected,
            "for_seconds": SystemTime::now().duration_since(feed.since).unwrap_or_default().as_secs(),
            "revision": feed.revision,
            "last_error": feed.last_error,
            "look_ups": { "asked": feed.look_ups.asked, "found": feed.look_ups.found },
        },
        "security_associations": {
            "held": associations.held,
            "reinit_only": associations.reinit_only,
            "renewal_wanted": associations.renewal_wanted,
        },
        "bindings": bindings.all,
        "bindings_behind_nat": bindings.behind_nat,
        "bindings_unproved": bindings.unproved,
        "sent": { "packets": sent.0, "octets": sent.1, "again": report.sent_again },
        "received": { "packets": received.0, "octets": received.1, "missing": report.missing },
        "drops": drops,
        "home_link": report.home_link.as_ref().map(|link| json!({ "interface": link.interface, "answered_for": link.answered_for })),
        "fallback": report.fallback.as_ref().map(fallback),
        "io": { "unsent": io.unsent, "unwritten": io.unwritten, "receive_errors": io.receive_errors },
    })
}

fn fallback(report: &FallbackReport) -> Value {
    json!({
        "open": report.open,
        "accepted": report.accepted,
        "refused": report.refused,
        "unbound": report.unbound,
        "from_nodes": report.from_nodes,
        "to_nodes": report.to_nodes,
        "dropped": report.dropped,
        "not_let_in": report.not_let_in,
    })
}

fn list<T>(name: &str, listed: &Listed<T>, describe: fn(&T, Instant) -> Value) -> Value {
    let now = Instant::now();
    let items: Vec<Value> = listed.first.iter().map(|item| describe(item, now)).collect();
    json!({ "count": listed.count, name: items })
}

fn binding((binding, traffic): &(Binding, Traffic), now: Instant) -> Value {
    json!({
        "home": home(&binding.home),
        "care_of": binding.latest.care_of.0,
        "remote": binding.latest.seen_from(),
        "transport": if binding.latest.relayed.is_some() { "tls" } else { "udp" },
        "nat": binding.latest.has_nat(),
        "proved": binding.latest.is_proved(),
        "spi": binding.spi.to_string(),
        "others": binding.others.iter().map(|other| other.seen_from().to_string()).collect::<Vec<_>>(),
        "lifetime_seconds": binding.lifetime.as_secs(),
        "seconds_left": binding.latest.expires.saturating_duration_since(now).as_secs(),
        "moves": binding.moves,
        "mobile_network_prefixes": binding.prefixes.iter().map(|prefix| prefix.to_string()).collect::<Vec<_>>(),
        "from_node": volume(traffic.from_node),
        "to_node": volume(traffic.to_node),
    })
}

fn security_association(summary: &SaSummary, now: Instant) -> Value {
    let (sa, traffic) = (&summary.install.sa, summary.install.traffic.read());
    json!({
        "spi": sa.spi.to_string(),
        "suite": sa.suite.name(),
        "profile": sa.profile.name(),
        "user_data": sa.user_data.name(),
        "seconds_left": summary.install.valid_until.saturating_duration_since(now).as_secs(),
        "lease": summary.install.lease,
        "home": home(&sa.home),
        "bound": summary.is_bound,
        "renewal_wanted": summary.is_renewal_wanted,
        "superseded": summary.is_superseded,
        "from_node": volume(traffic.from_node),
        "to_node": volume(traffic.to_node),
    })
}

fn volume(volume: Volume) -> Value {
    json!({ "packets": volume.packets, "octets": volume.octets })
}

fn home(addresses: &HomeAddresses) -> Vec<String> {
    addresses.iter().map(|home| home.0.to_string()).collect()
}
