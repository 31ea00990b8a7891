//! What several cases start with.

use std::time::Duration;

use anyhow::Result;
use tests::lab::{Deployment, Lab, plan};

/// A mobile node on `wifi`, registered.
pub(crate) fn registered<'lab>(lab: &'lab Lab, suite: &str) -> Result<Deployment<'lab>> {
    lab.attach(plan::WIFI)?;
    let mut deployment = Deployment::start(lab, suite)?;
    deployment.mn_up(&[])?;
    Ok(deployment)
}

/// A pause in which packets under way arrive.
pub(crate) fn settle() {
    std::thread::sleep(Duration::from_millis(500));
}
