//! One provisioning: room for a new association, home addresses, an SPI, the row and its place in the log.

use protocol::features::Features;
use protocol::prefixes::MobileNetworkPrefixes;
use protocol::profile::WireProfile;
use protocol::sa::SecurityAssociation;
use rand::CryptoRng;
use rusqlite::Transaction;

use super::{access, home_address, home_agent, log, mobile_network, row, seal, spi, subscriber};
use crate::store::sealing::{Context, KeyEncryptionKey};
use crate::store::{MAX_SAS_PER_SUBSCRIBER, Order, Provisioned, Result, StoreError, from_unix_seconds};

pub(super) fn provision(
    transaction: &Transaction<'_>,
    kek: &KeyEncryptionKey,
    order: &Order<'_>,
    now: i64,
    rng: &mut dyn CryptoRng,
) -> Result<Provisioned> {
    spi::purge(transaction, now)?;
    let subscriber = subscriber::id(transaction, order.nai, order.key)?;
    home_agent::one(transaction, &order.home_agent.name)?.ok_or(StoreError::HomeAgentGone)?;
    make_room(transaction, subscriber, now)?;
    let class = spi::class_in_use(transaction, subscriber, order.home_agent.group, now)?;
    // The draft has no header that tells the node of them.
    let prefixes = match order.profile {
        WireProfile::Rfc6618 => mobile_network::of(transaction, subscriber)?,
        WireProfile::Draft04 => MobileNetworkPrefixes::default(),
    };
    let sa = SecurityAssociation {
        spi: spi::draw(transaction, order.home_agent.group, class, rng)?,
        suite: order.suite,
        profile: order.profile,
        user_data: order.user_data,
        mn_to_ha: order.mn_to_ha.clone(),
        ha_to_mn: order.ha_to_mn.clone(),
        home: home_address::assign(transaction, subscriber, &order.pools, &order.framed, rng)?,
        home_agent: order.home_agent.addresses,
        features: Features::NONE,
        prefixes,
    };
    let lifetime = i64::try_from(order.lifetime.as_secs()).unwrap_or(i64::MAX);
    let valid_until = now.saturating_add(lifetime);
    let sealed = seal(kek, &row::join_keys(&sa.mn_to_ha, &sa.ha_to_mn), &Context::sa_keys(sa.spi, sa.suite, now), rng)?;
    let revision = log::next_revision(transaction)?;
    transaction
        .prepare_cached(
            "INSERT INTO security_association (spi, subscriber, home_agent, suite, user_data, keys, home6, home4,
                 agent6, agent4, agent_port, created, valid_until, revision, profile, prefixes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )?
        .execute(rusqlite::params![
            sa.spi.get(),
            subscriber,
            order.home_agent.name,
            sa.suite.name(),
            row::user_data_column(sa.user_data),
            sealed,
            sa.home.ip6().map(|ip| ip.octets()),
            sa.home.ip4().map(|ip| ip.octets()),
            sa.home_agent.ip6().map(|ip| ip.octets()),
            sa.home_agent.ip4().map(|ip| ip.octets()),
            sa.home_agent.port(),
            now,
            valid_until,
            log::as_column(revision),
            sa.profile.name(),
            mobile_network::column(&sa.prefixes),
        ])?;
    order.access.map_or(Ok(()), |access| access::record(transaction, sa.spi, access))?;
    Ok(Provisioned { sa, revision, valid_until: from_unix_seconds(valid_until) })
}

/// Ends associations until one more fits: the oldest first, and the one in use last.
fn make_room(transaction: &Transaction<'_>, subscriber: i64, now: i64) -> Result<()> {
    let query = "SELECT spi FROM security_association WHERE subscriber = ?1 AND ended = 0 AND valid_until > ?2
         ORDER BY registered DESC, revision DESC LIMIT -1 OFFSET ?3";
    let mut query = transaction.prepare_cached(query)?;
    let kept = MAX_SAS_PER_SUBSCRIBER - 1;
    let surplus: Vec<i64> =
        query.query_map((subscriber, now, kept as i64), |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    surplus.into_iter().try_for_each(|spi| log::end_row(transaction, spi).map(drop))
}
