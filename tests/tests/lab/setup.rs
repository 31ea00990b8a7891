//! What several cases start with.

use std::time::Duration;

use anyhow::Result;
use tests::lab::{Deployment, Lab, Setup, plan};

/// A mobile node on `wifi`, registered; one suite and defaults.
pub(crate) fn registered<'lab>(lab: &'lab Lab, suite: &str) -> Result<Deployment<'lab>> {
    registered_with(lab, &Setup { suite, ..Setup::default() })
}

/// A mobile node on `wifi`, registered, as `setup` says.
pub(crate) fn registered_with<'lab>(lab: &'lab Lab, setup: &Setup<'_>) -> Result<Deployment<'lab>> {
    lab.attach(plan::WIFI)?;
    let mut deployment = Deployment::with(lab, setup)?;
    expect_warnings(lab, setup);
    deployment.mn_up(&[])?;
    Ok(deployment)
}

/// Both ends say with every association that draft-04 leaves its packets without numbers under a NULL suite.
fn expect_warnings(lab: &Lab, setup: &Setup<'_>) {
    if setup.profile == "draft-04" && setup.suite.starts_with("NULL") {
        lab.expect_warning("hac", "this association has no replay protection");
        lab.expect_warning("ha", "packets under this SA have no replay protection");
    }
}

/// A pause in which packets under way arrive.
pub(crate) fn settle() {
    std::thread::sleep(Duration::from_millis(500));
}
