//! That the programs keep secrets when they are told to log everything, all libraries included. Every case looks for keys and names
//! in its logs; this one has the most in them, and makes sure that there is something to be found.

use anyhow::ensure;
use tests::lab::deployment::{NAI, SOON};
use tests::lab::{inside, plan};

use crate::setup;

#[test]
fn logs_of_every_level_tell_no_key_and_no_name_above_debug() {
    inside(|lab| {
        lab.log_everything();
        let mut deployment = setup::registered(lab, "AES_128_CBC_SHA256")?;
        deployment.ping_everywhere()?;
        deployment.move_to(plan::LTE)?;
        ensure!(deployment.command("mn", &["renew"])?.status.success(), "no new keys");
        // Connected and subscribed anew: the feed delivers everything once more.
        lab.allow_warning("ha", "no subscription to the feed");
        deployment.hac.terminate(SOON)?;
        deployment.hac.restart()?;
        deployment.wait_until_serving()?;
        for words in [["subscriber", "disable", NAI], ["subscriber", "enable", NAI]] {
            ensure!(deployment.command("hac", &words)?.status.success());
        }
        lab.allow_warning("mn", "the home agent does not answer");
        lab.allow_warning("mn", "MHAuth failed");
        for program in ["hac", "ha", "mn"] {
            let log = deployment.program(program)?.log();
            ensure!(log.contains(" TRACE ") && log.contains(" DEBUG "), "{program} has not logged everything");
        }
        let keys = std::fs::read_to_string(lab.folder().join("esp_sa"))?;
        ensure!(keys.matches("0x").count() >= 8, "mn exported no keys; was it built with `--features mn/lab`?");
        ensure!(lab.folder().join("mn/psk").is_file() && lab.folder().join("hac/kek").is_file());
        Ok(())
    });
}
