//! What is wrong beyond the text of `hac.toml`: with the files that it names ([`certificate`]) and with what the database has
//! recorded ([`recorded`]). `hac check-config` tells all of it; `hac serve` refuses what nobody could work with and warns of the rest.
//! Nothing here is bound or changed.

pub mod aaa_servers;
pub mod certificate;
pub mod recorded;
