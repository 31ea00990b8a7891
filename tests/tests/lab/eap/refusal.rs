//! One node that is refused, and what that must not have changed.

use anyhow::{Context, Result, ensure};
use tests::lab::{Deployment, Lab};

use super::{Node, associations, endings, last_error, leaves, start, subscribers};

/// What the node is told to look at when it is its own name, password, key or certificate.
pub(super) const CREDENTIALS: &str = "check `nai`, and the password, key or certificate in [eap]";
/// When the server has said that it is the certificate.
pub(super) const OWN_CERTIFICATE: &str = "ask the operator for a certificate that is valid";
/// When it is the method.
pub(super) const METHODS: &str = "ask the operator which EAP methods there are";
/// When it is what the server showed.
pub(super) const SERVER: &str = "check `ca` and `server-name` in [eap]";

/// A node that is refused.
pub(super) struct Refusal<'a> {
    what: &'a str,
    node: Node<'a>,
    /// How the HAC counts it.
    ending: &'a str,
    /// What `last_error` has in it.
    says: &'a [&'a str],
}

impl<'a> Refusal<'a> {
    pub(super) fn new(what: &'a str, node: Node<'a>, ending: &'a str, says: &'a [&'a str]) -> Self {
        Self { what, node, ending, says }
    }

    /// It ends as expected, without an association, and nobody is recorded.
    pub(super) fn check(&self, lab: &Lab, deployment: &mut Deployment<'_>) -> Result<()> {
        self.try_check(lab, deployment).with_context(|| self.what.to_owned())
    }

    fn try_check(&self, lab: &Lab, deployment: &mut Deployment<'_>) -> Result<()> {
        let before = (endings(deployment)?, associations(deployment)?.len(), subscribers(deployment)?);
        lab.expect_warning("mn", "MHAuth failed");
        start(lab, deployment, &self.node)?;
        let error = last_error(deployment)?;
        leaves(deployment)?;
        ensure!(self.says.iter().all(|words| error.contains(words)), "{:?} was expected: {error}", self.says);
        let after = endings(deployment)?;
        let grown: Vec<_> = after.iter().filter(|ending| !before.0.contains(ending)).map(|(name, _)| name.as_str()).collect();
        // A second run, cut off when the node was ended, counts as broken.
        ensure!(grown.contains(&self.ending) && grown.iter().all(|name| [self.ending, "broken"].contains(name)), "{grown:?}");
        ensure!(associations(deployment)?.len() == before.1, "a security association came to be");
        ensure!(subscribers(deployment)? == before.2, "a subscriber was recorded");
        Ok(())
    }
}
