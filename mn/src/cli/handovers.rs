//! `mn handovers`: the latest moves, one a line.

use std::time::{SystemTime, UNIX_EPOCH};

use service::config::Located;
use service::control::{self, Request};

use super::{CliError, socket, start_with, status};
use crate::config::Config;
use crate::status::{HandoverShown, SCHEMA};

pub(super) async fn run(config: &Located<Config>, json: bool) -> Result<(), CliError> {
    let answer = control::ask(&socket(config), &Request::new("status"), &start_with(config)).await?;
    let shown = status::read(config, answer)?.handovers;
    if json {
        println!("{}", serde_json::json!({ "schema": SCHEMA, "handovers": shown }));
    } else {
        print(&shown);
    }
    Ok(())
}

/// Times are milliseconds after the kernel's event.
fn print(handovers: &[HandoverShown]) {
    if handovers.is_empty() {
        println!("no move yet");
        return;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let row = |[number, ago, kind, to, usable, update, acknowledged, downlink, ended, lost, twice, outcome]: [&str; 12]| {
        println!(
            "{number:>4} {ago:>8}  {kind:<18} {to:<28} {usable:>8} {update:>8} {acknowledged:>9} {downlink:>9} {ended:>8} {lost:>6} {twice:>6}  {outcome}"
        );
    };
    row(["NO", "S AGO", "HOW", "TO", "USABLE", "BU", "BA", "DOWNLINK", "END", "LOST", "TWICE", "OUTCOME"]);
    for handover in handovers {
        let after = |milliseconds: Option<f64>| milliseconds.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
        row([
            &handover.number.to_string(),
            &format!("{:.0}", (now - handover.at).max(0.0)),
            &handover.kind,
            &format!("{} {}", handover.to, handover.to_interface),
            &after(Some(handover.usable_ms)),
            &after(handover.update_ms),
            &after(handover.acknowledged_ms),
            &after(handover.first_downlink_ms),
            &after(handover.ended_ms),
            &handover.lost.to_string(),
            &handover.duplicates.to_string(),
            &handover.outcome,
        ]);
    }
}
