//! Networks that let nothing through before a login (captive portals, RFC 8952): noticed, said, and a window for the login that
//! opens nothing else.
//!
//! ```text
//!  runtime ─ not registered? ─> watch ─ GET at port 80 of the HAC ─> verdict ─┬─> status, log
//!                                 └──────── the window closes               └─> runtime: the login is done
//!  mn portal ─ open ─> window: an HTTP proxy on loopback, past the tunnel
//! ```
//!
//! Why the guard stays as it is: `docs/why/captive-portal.md`.

mod check;
pub mod request;
pub mod verdict;
mod watch;
mod window;

use serde::{Deserialize, Serialize};

pub use watch::Portals;
pub use window::{LONGEST, Window};

/// A host's own page, without TLS.
fn page_of(host: &str) -> String {
    format!("http://{}/", in_page(host))
}

/// A host's name or address as it stands in a page's address (RFC 3986 section 3.2.2).
fn in_page(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// A network that wants a login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Portal {
    /// A page that leads to the login.
    pub url: String,
}
