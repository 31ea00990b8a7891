//! The mobile node's machine sleeps and wakes: no timer of it fires meanwhile, nothing arrives, and its networks change unseen.

use std::time::Instant;

use super::node::Node;
use super::{Access, World};

/// A node whose machine sleeps.
pub(super) struct Asleep {
    node: Node,
    since: Instant,
}

impl World {
    /// The mobile node's machine is suspended. A run of MHAuth that is in progress hears nothing any more.
    pub fn mobile_node_sleeps(&mut self) {
        let since = self.now;
        self.asleep = self.node.take().map(|node| Asleep { node, since });
        self.exchange = None;
    }

    /// It is awake again, with exactly these networks.
    pub fn mobile_node_wakes(&mut self, access: &[Access]) {
        let Some(Asleep { mut node, since }) = self.asleep.take() else { return };
        self.fading.clear();
        self.access = access.to_vec();
        node.handle_resume(self.now - since, self.attachments(), self.now);
        self.node = Some(node);
        self.drain();
    }
}
