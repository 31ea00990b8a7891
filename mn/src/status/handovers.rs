//! The flight recorder's records as `mn status --json` and `mn handovers` show them.

use std::net::IpAddr;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::milliseconds;
use crate::flight_recorder::{Kind, Outcome, Record};

/// One move. Times are milliseconds after the kernel's event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandoverShown {
    /// From 1.
    pub number: u64,
    /// When the kernel's event was read, seconds since 1970 (UTC).
    pub at: f64,
    /// `attach`, `break-before-make`, `make-before-break` or `return-home`.
    pub kind: String,
    /// `under-way`, `done` or `abandoned`.
    pub outcome: String,
    /// Care-of address and interface before.
    pub from: Option<IpAddr>,
    /// Its interface.
    pub from_interface: Option<String>,
    /// The care-of address that it goes to.
    pub to: IpAddr,
    /// Its interface.
    pub to_interface: String,
    /// When the new address was known to be usable.
    pub usable_ms: f64,
    /// When packets went from there first, with the Binding Update.
    pub update_ms: Option<f64>,
    /// When the Binding Acknowledgement came.
    pub acknowledged_ms: Option<f64>,
    /// When the first user data came there.
    pub first_downlink_ms: Option<f64>,
    /// When the old network was let go, of a make before break.
    pub ended_ms: Option<f64>,
    /// Binding Updates until the acknowledgement.
    pub updates: u32,
    /// Downlink packets that were lost.
    pub lost: u64,
    /// Downlink packets that came twice; the second one was dropped.
    pub duplicates: u64,
}

impl HandoverShown {
    /// Of a record; `now` and `wall` are one moment by both clocks.
    pub fn new(record: &Record, now: Instant, wall: SystemTime) -> Self {
        let since = |at: Instant| milliseconds(at.saturating_duration_since(record.noticed));
        let at = wall.checked_sub(now.saturating_duration_since(record.noticed)).unwrap_or(UNIX_EPOCH);
        Self {
            number: record.number,
            at: milliseconds(at.duration_since(UNIX_EPOCH).unwrap_or_default()).round() / 1000.0,
            kind: kind_name(record.kind).to_owned(),
            outcome: outcome_name(record.outcome).to_owned(),
            from: record.from.as_ref().map(|from| from.care_of.0),
            from_interface: record.from.as_ref().map(|from| from.name.clone()),
            to: record.to.care_of.0,
            to_interface: record.to.name.clone(),
            usable_ms: since(record.usable),
            update_ms: record.updated.map(since),
            acknowledged_ms: record.acknowledged.map(since),
            first_downlink_ms: record.heard.map(since),
            ended_ms: record.ended.map(since),
            updates: record.updates,
            lost: record.lost,
            duplicates: record.duplicates,
        }
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Attach => "attach",
        Kind::BreakBeforeMake => "break-before-make",
        Kind::MakeBeforeBreak => "make-before-break",
        Kind::ReturnHome => "return-home",
    }
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::UnderWay => "under-way",
        Outcome::Done => "done",
        Outcome::Abandoned => "abandoned",
    }
}
