//! What the runtime does when the machine is awake again.

use super::{Runtime, RuntimeError};
use crate::resume::Resumed;
use crate::{clock, link_monitor};

impl Runtime {
    /// Reads anew where the node is, since events may be under way still, and has it register there.
    ///
    /// # Errors
    /// The kernel refused.
    pub(super) async fn handle_resume(&mut self, resumed: Resumed) -> Result<(), RuntimeError> {
        let Resumed { slept, noticed_by } = resumed;
        tracing::debug!(?slept, %noticed_by, "the machine has slept, or the process was stopped");
        let home_agent = self.home_agent.borrow().clone();
        let (usable, on_link) = link_monitor::list(&self.inward, home_agent.as_ref())?;
        self.status.update(|shown| shown.resumes += 1);
        self.dns.reassert();
        self.node.note_links(on_link);
        self.node.handle_resume(slept, usable, clock::now());
        Ok(())
    }
}
