//! Rows <-> the types that the rest of the HAC speaks: addresses, and associations with their keys sealed or opened.

use std::net::{Ipv4Addr, Ipv6Addr};

use protocol::addr::{HomeAddresses, HomeAgentAddresses};
use protocol::features::Features;
use protocol::prefixes::MobileNetworkPrefixes;
use protocol::profile::WireProfile;
use protocol::sa::{CipherSuite, DirectionKeys, Secret, SecurityAssociation, Spi, UserData};
use rusqlite::Row;
use zeroize::Zeroizing;

use super::mobile_network;
use crate::store::sealing::{Context, KeyEncryptionKey};
use crate::store::{Result, StoreError};

/// Three columns from `first`: IPv6, IPv4, port.
pub(super) fn home_agent_addresses(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<HomeAgentAddresses>> {
    Ok(HomeAgentAddresses::new(ip6(row, first)?, ip4(row, first + 1)?, row.get(first + 2)?))
}

pub(super) fn ip6(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Ipv6Addr>> {
    Ok(row.get::<_, Option<[u8; 16]>>(column)?.map(Ipv6Addr::from))
}

pub(super) fn ip4(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Ipv4Addr>> {
    Ok(row.get::<_, Option<[u8; 4]>>(column)?.map(Ipv4Addr::from))
}

/// The columns that [`live`] reads, in its order.
pub(super) const LIVE_COLUMNS: &str = "spi, suite, user_data, keys, created, home6, home4, agent6, agent4, agent_port, \
     revision, valid_until, ended, profile, prefixes";

/// A row of `security_association`, its keys still sealed.
pub(super) struct SaRow {
    pub(super) spi: Spi,
    pub(super) revision: i64,
    pub(super) valid_until: i64,
    pub(super) ended: bool,
    suite: CipherSuite,
    profile: WireProfile,
    user_data: UserData,
    keys: Option<Vec<u8>>,
    created: i64,
    home: HomeAddresses,
    home_agent: HomeAgentAddresses,
    prefixes: MobileNetworkPrefixes,
}

/// Reads [`LIVE_COLUMNS`].
pub(super) fn live(row: &Row<'_>) -> Result<SaRow> {
    let number: u32 = row.get(0)?;
    let damaged = || damaged(number);
    Ok(SaRow {
        spi: Spi::new(number).ok_or_else(damaged)?,
        suite: row.get::<_, String>(1)?.parse().map_err(|_| damaged())?,
        user_data: user_data_of(row.get(2)?),
        keys: row.get(3)?,
        created: row.get(4)?,
        home: HomeAddresses::new(ip6(row, 5)?, ip4(row, 6)?).ok_or_else(damaged)?,
        home_agent: home_agent_addresses(row, 7)?.ok_or_else(damaged)?,
        revision: row.get(10)?,
        valid_until: row.get(11)?,
        ended: row.get(12)?,
        profile: row.get::<_, String>(13)?.parse().map_err(|_| damaged())?,
        prefixes: mobile_network::read(row.get::<_, Option<String>>(14)?.as_deref())?,
    })
}

/// The error of a row that this build cannot read.
pub(super) fn damaged(number: u32) -> StoreError {
    StoreError::Damaged(format!("security association {number:#09x} says something impossible"))
}

/// `user_data` as a column: the digit of `mip6-sas`.
pub(super) fn user_data_column(user_data: UserData) -> bool {
    user_data == UserData::Protected
}

/// The inverse of [`user_data_column`].
pub(super) fn user_data_of(column: bool) -> UserData {
    if column { UserData::Protected } else { UserData::Clear }
}

impl SaRow {
    /// Opens the keys.
    pub(super) fn open(&self, kek: &KeyEncryptionKey) -> Result<SecurityAssociation> {
        let sealed = || StoreError::Sealed(format!("the keys of security association {}", self.spi));
        let context = Context::sa_keys(self.spi, self.suite, self.created);
        let keys = kek.open(self.keys.as_deref().unwrap_or_default(), &context).ok_or_else(sealed)?;
        let (mn_to_ha, ha_to_mn) = split_keys(&keys, self.suite).ok_or_else(sealed)?;
        Ok(SecurityAssociation {
            spi: self.spi,
            suite: self.suite,
            profile: self.profile,
            user_data: self.user_data,
            mn_to_ha,
            ha_to_mn,
            home: self.home,
            home_agent: self.home_agent,
            features: Features::NONE,
            prefixes: self.prefixes.clone(),
        })
    }
}

/// MN to HA: integrity, encryption; then HA to MN likewise. The suite tells the lengths.
pub(super) fn join_keys(mn_to_ha: &DirectionKeys, ha_to_mn: &DirectionKeys) -> Secret {
    let parts = [mn_to_ha.integrity(), mn_to_ha.encryption(), ha_to_mn.integrity(), ha_to_mn.encryption()];
    let mut octets = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    for part in parts {
        octets.extend_from_slice(part);
    }
    Secret::new(std::mem::take(&mut *octets))
}

fn split_keys(keys: &Secret, suite: CipherSuite) -> Option<(DirectionKeys, DirectionKeys)> {
    let (integrity, encryption) = (suite.integrity_key_len(), suite.encryption_key_len());
    let octets = keys.expose();
    if octets.len() != 2 * (integrity + encryption) {
        return None;
    }
    let direction = |octets: &[u8]| {
        let (integrity, encryption) = octets.split_at(integrity);
        DirectionKeys::new(&Secret::new(integrity.to_vec()), &Secret::new(encryption.to_vec()))
    };
    let (first, second) = octets.split_at(integrity + encryption);
    Some((direction(first), direction(second)))
}
