//! Sessions as home agents report them, from the first report to the end. `accounting` tells of them.

use protocol::sa::Spi;
use rusqlite::{OptionalExtension, Row, Transaction};

use crate::store::{
    ENDED_SESSION_WAITS, LAST_REPORT, MAX_ENDED_SESSIONS, Recipient, Result, SessionCause, SessionEnd, SessionReport,
};

/// Sessions that are ended, or given up, in one transaction: mobile nodes are served between two.
const PAGE: i64 = 1024;

/// Why a session has ended whose association `sa` the HAC has ended, or that has run out.
const CAUSE: &str = "CASE WHEN sa.ended = 0 THEN 'expired' WHEN access.cause IS NOT NULL THEN access.cause
     WHEN sa.home_agent IS NULL THEN 'home-agent-gone' ELSE 'revoked' END";

/// What a report is recorded by.
struct Association {
    created: i64,
    /// When it is over, 0 where it has been ended.
    over: i64,
    /// How many sessions under it this process has reported.
    reported: u32,
    /// Why its session ended where the home agent heard it from the HAC.
    cause: String,
}

pub(super) fn note(transaction: &Transaction<'_>, from: &Recipient<'_>, reports: &[SessionReport], now: i64) -> Result<()> {
    end_of_other_processes(transaction, from, now)?;
    for report in reports.iter().filter(|report| report.spi.group() == from.group) {
        let Some(association) = association(transaction, from, report.spi)? else { continue };
        if report.number > association.reported {
            begin(transaction, from, report, &association, now)?;
        } else {
            update(transaction, from, report, &association, now)?;
        }
    }
    Ok(())
}

/// Two ranges: an index has no place for "another". A process that has the same association under a newer lease came later, so that it
/// is this one that is gone, and says its last.
fn end_of_other_processes(transaction: &Transaction<'_>, from: &Recipient<'_>, now: i64) -> Result<()> {
    for range in ["instance < ?2", "instance > ?2"] {
        let end = format!(
            "UPDATE session SET ended = ?3, reported = ?4 WHERE home_agent = ?1 AND {range} AND ended IS NULL AND NOT EXISTS
                 (SELECT 1 FROM lease JOIN lease AS own ON own.spi = lease.spi AND own.instance = ?2
                  WHERE lease.spi = session.spi AND lease.instance = session.instance AND lease.number > own.number)"
        );
        let cause = SessionCause::HomeAgentRestarted.name();
        transaction.prepare_cached(&end)?.execute((from.home_agent, from.instance.0, cause, now))?;
    }
    Ok(())
}

/// One that a AAA server has authorised and that the process was given: it has a lease.
fn association(transaction: &Transaction<'_>, from: &Recipient<'_>, spi: Spi) -> Result<Option<Association>> {
    let query = format!(
        "SELECT sa.created, CASE sa.ended WHEN 1 THEN 0 ELSE sa.valid_until END, lease.sessions, {CAUSE}
         FROM security_association AS sa JOIN access ON access.spi = sa.spi JOIN lease ON lease.spi = sa.spi
         WHERE sa.spi = ?1 AND lease.instance = ?2"
    );
    let read =
        |row: &Row<'_>| Ok(Association { created: row.get(0)?, over: row.get(1)?, reported: row.get(2)?, cause: row.get(3)? });
    Ok(transaction.prepare_cached(&query)?.query_row((spi.get(), from.instance.0), read).optional()?)
}

fn begin(
    transaction: &Transaction<'_>,
    from: &Recipient<'_>,
    report: &SessionReport,
    association: &Association,
    now: i64,
) -> Result<()> {
    let spi = report.spi.get();
    let note = "UPDATE lease SET sessions = ?3 WHERE spi = ?1 AND instance = ?2";
    transaction.prepare_cached(note)?.execute((spi, from.instance.0, report.number))?;
    let count = "UPDATE access SET sessions = sessions + 1 WHERE spi = ?1 RETURNING sessions";
    let number: i64 = transaction.prepare_cached(count)?.query_row([spi], |row| row.get(0))?;
    let insert = "INSERT INTO session (id, spi, created, home_agent, instance, number, user_name, class, interim, home6, home4, care_of,
             began, seconds, packets_from_node, octets_from_node, packets_to_node, octets_to_node, reported, over, ended)
         SELECT ?1, sa.spi, sa.created, ?3, ?4, ?5, user_name, class, interim, home6, home4, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15
         FROM security_association AS sa JOIN access ON access.spi = sa.spi WHERE sa.spi = ?2";
    let [seconds, packets_from_node, octets_from_node, packets_to_node, octets_to_node] = figures(report);
    transaction.prepare_cached(insert)?.execute(rusqlite::params![
        format!("{spi:08x}-{:x}-{number}", association.created),
        spi,
        from.home_agent,
        from.instance.0,
        report.number,
        report.care_of.to_string(),
        now.saturating_sub(seconds),
        seconds,
        packets_from_node,
        octets_from_node,
        packets_to_node,
        octets_to_node,
        now,
        association.over,
        cause(report, association),
    ])?;
    Ok(())
}

/// What has ended stays as it ended.
fn update(
    transaction: &Transaction<'_>,
    from: &Recipient<'_>,
    report: &SessionReport,
    association: &Association,
    now: i64,
) -> Result<()> {
    let update =
        "UPDATE session SET care_of = ?5, seconds = ?6, packets_from_node = ?7, octets_from_node = ?8, packets_to_node = ?9,
             octets_to_node = ?10, reported = ?11, ended = ?12
         WHERE spi = ?1 AND created = ?2 AND instance = ?3 AND number = ?4 AND ended IS NULL";
    let [seconds, packets_from_node, octets_from_node, packets_to_node, octets_to_node] = figures(report);
    transaction.prepare_cached(update)?.execute(rusqlite::params![
        report.spi.get(),
        association.created,
        from.instance.0,
        report.number,
        report.care_of.to_string(),
        seconds,
        packets_from_node,
        octets_from_node,
        packets_to_node,
        octets_to_node,
        now,
        cause(report, association),
    ])?;
    Ok(())
}

/// Seconds, packets and octets from the node, packets and octets to it.
fn figures(report: &SessionReport) -> [i64; 5] {
    let (from_node, to_node) = (report.traffic.from_node, report.traffic.to_node);
    [report.age.as_secs(), from_node.packets, from_node.octets, to_node.packets, to_node.octets]
        .map(|figure| i64::try_from(figure).unwrap_or(i64::MAX))
}

fn cause<'a>(report: &SessionReport, association: &'a Association) -> Option<&'a str> {
    Some(match report.ended? {
        SessionEnd::Deregistered => SessionCause::Deregistered.name(),
        SessionEnd::BindingExpired => SessionCause::BindingExpired.name(),
        SessionEnd::Superseded => SessionCause::Superseded.name(),
        SessionEnd::SaExpired => SessionCause::Expired.name(),
        SessionEnd::SaEnded => &association.cause,
    })
}

pub(super) fn end_stale(transaction: &Transaction<'_>, now: i64) -> Result<u64> {
    let note = format!(
        "UPDATE session SET over = ?1 WHERE rowid IN
             (SELECT rowid FROM session WHERE ended IS NULL AND over = 0 LIMIT {PAGE})"
    );
    transaction.prepare_cached(&note)?.execute([now])?;
    let end = format!(
        "UPDATE session SET reported = ?1, ended = coalesce((SELECT {CAUSE} FROM security_association AS sa
             JOIN access ON access.spi = sa.spi WHERE sa.spi = session.spi AND sa.created = session.created), 'expired')
         WHERE rowid IN (SELECT rowid FROM session WHERE ended IS NULL AND over BETWEEN 1 AND ?2 LIMIT {PAGE})"
    );
    let since = now.saturating_sub(as_seconds(LAST_REPORT));
    let ended = transaction.prepare_cached(&end)?.execute((now, since))?;
    give_up(transaction, now)?;
    Ok(ended as u64)
}

/// An accounting server that never answers must not fill the disk.
fn give_up(transaction: &Transaction<'_>, now: i64) -> Result<()> {
    let aged = "SELECT COUNT(*) FROM (SELECT 1 FROM session WHERE ended IS NOT NULL AND reported < ?1 LIMIT ?2)";
    let oldest = now.saturating_sub(as_seconds(ENDED_SESSION_WAITS));
    let aged: i64 = transaction.prepare_cached(aged)?.query_row((oldest, PAGE), |row| row.get(0))?;
    let waiting = "SELECT COUNT(*) FROM session WHERE ended IS NOT NULL";
    let waiting: i64 = transaction.prepare_cached(waiting)?.query_row([], |row| row.get(0))?;
    let given_up = aged.max(waiting - MAX_ENDED_SESSIONS).min(PAGE);
    if given_up > 0 {
        let forget = "DELETE FROM session WHERE rowid IN
             (SELECT rowid FROM session WHERE ended IS NOT NULL ORDER BY reported LIMIT ?1)";
        transaction.prepare_cached(forget)?.execute([given_up])?;
        tracing::warn!(
            given_up,
            waiting = waiting - given_up,
            "sessions have ended and no accounting server was told: they are forgotten; is one running, and has it this HAC's secret?"
        );
    }
    Ok(())
}

/// The association of these sessions has ended; when, is noted with the next look at what is stale.
pub(super) fn association_ended(transaction: &Transaction<'_>, spi: i64) -> Result<()> {
    transaction.prepare_cached("UPDATE session SET over = 0 WHERE spi = ?1 AND ended IS NULL")?.execute([spi])?;
    Ok(())
}

fn as_seconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
