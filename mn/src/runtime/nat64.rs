//! What the runtime does when another NAT64 is known.

use super::Runtime;
use crate::clock;
use crate::nat64::Prefixes;

impl Runtime {
    /// The node uses it, and the link monitor looks for ways there.
    pub(super) fn take_nat64(&mut self, prefixes: Prefixes) {
        self.node.handle_nat64(prefixes, clock::now());
        self.home_agent.send_replace(self.node.reach());
    }
}
