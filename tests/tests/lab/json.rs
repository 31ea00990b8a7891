//! What the programs print with `--json`, in every state in which they print something else, is what docs/manual/json.md says.
//! Each output is compared by [`Deployment::json`]; the states are made here.

use anyhow::{Result, ensure};
use serde_json::Value;
use tests::lab::deployment::{self, SOON};
use tests::lab::{Deployment, inside, plan, wait_for};
use tests::schema::Schema;

use crate::setup;

/// Every command with `--json`: a new one gets a line here and a table on the page.
const COMMANDS: &[(&str, &[&str])] = &[
    ("hac", &["status"]),
    ("hac", &["check-config"]),
    ("hac", &["ha", "list"]),
    ("hac", &["subscriber", "list"]),
    ("hac", &["subscriber", "show", deployment::NAI]),
    ("hac", &["sa", "list"]),
    ("hac", &["sa", "list", "--all"]),
    ("ha", &["status"]),
    ("ha", &["bindings"]),
    ("ha", &["sa", "list"]),
    ("ha", &["check-config"]),
    ("mn", &["status"]),
    ("mn", &["handovers"]),
    ("mn", &["check-config"]),
];

/// Of a network that wants a login alone: compared in `captive_portal`.
const OF_A_PORTAL: (&str, &[&str]) = ("mn", &["portal"]);

/// Runs every command of a program; they must all end with `code`. Gives what they printed.
fn all(deployment: &Deployment<'_>, program: &str, code: i32) -> Result<Vec<Value>> {
    let own = COMMANDS.iter().filter(|(name, _)| *name == program);
    own.map(|(_, words)| {
        let (object, ended) = deployment.json(program, words)?;
        ensure!(ended == Some(code), "{program} {} ended with {ended:?}: {object}", words.join(" "));
        Ok(object)
    })
    .collect()
}

#[test]
fn every_command_prints_what_the_page_says_in_every_state() {
    inside(|lab| {
        let mut deployment = setup::registered(lab, "AES_128_GCM")?;
        for program in ["hac", "ha", "mn"] {
            for object in all(&deployment, program, 0)? {
                ensure!(object["schema"] == 1, "{object}");
            }
        }
        // Counted drops, a binding that moved, a second association, one that is wanted.
        deployment.move_to(plan::LTE)?;
        ensure!(deployment.command("ha", &["sa", "renew", "--all"])?.status.success());
        wait_for("the second copy of a move's Binding Update to be counted", SOON, || {
            Ok((deployment.all_drops("ha")? > 0).then_some(()))
        })?;
        for program in ["hac", "ha", "mn"] {
            all(&deployment, program, 0)?;
        }
        // Without its home agent and without its controller.
        lab.allow_warning("mn", "the home agent does not answer");
        lab.allow_warning("ha", "no subscription to the feed");
        deployment.hac.terminate(SOON)?;
        all(&deployment, "hac", 0)?;
        all(&deployment, "ha", 0)?;
        deployment.ha.terminate(SOON)?;
        all(&deployment, "mn", 0)?;
        Ok(())
    });
}

#[test]
fn a_command_that_fails_prints_why_in_json_too_and_ends_with_1() {
    inside(|lab| {
        let mut deployment = Deployment::start(lab, "AES_128_GCM")?;
        let (status, code) = deployment.json("mn", &["status"])?;
        let error = status["error"].as_str().unwrap_or_default();
        ensure!(code == Some(1) && error.contains("not running") && error.contains("mn.toml up`"), "{status}");
        let said = deployment.command("mn", &["status", "--json"])?;
        ensure!(String::from_utf8_lossy(&said.stderr).contains(error), "standard error says something else: {said:?}");
        deployment.ha.terminate(SOON)?;
        for words in [&["status"][..], &["bindings"], &["sa", "list"]] {
            let (object, code) = deployment.json("ha", words)?;
            ensure!(code == Some(1) && object["error"].is_string(), "{object}");
        }
        let usage = deployment.command("mn", &["status", "--jason"])?;
        ensure!(usage.status.code() == Some(2) && usage.stdout.is_empty(), "a misspelt option ends with {usage:?}");
        Ok(())
    });
}

#[test]
fn check_config_says_where_everything_is_that_is_wrong() {
    inside(|lab| {
        let deployment = Deployment::start(lab, "AES_128_GCM")?;
        let file = |program: &str, name: &str| lab.folder().join(program).join(name);
        for (program, key) in [("ha", ["tunnel", "mtu"]), ("mn", ["tunnel", "table"]), ("hac", ["policy", "sa-lifetime-seconds"])]
        {
            let name = format!("{program}.toml");
            let good = std::fs::read(file(program, &name))?;
            deployment::edit(&file(program, &name), &key, 7.into())?;
            std::fs::write(file(program, "ca.pem"), "nothing")?;
            let (object, code) = deployment.json(program, &["check-config"])?;
            ensure!(code == Some(1) && object["ok"] == false && object["holds"].is_null(), "{object}");
            let problems = object["problems"].as_array().map_or(&[][..], Vec::as_slice);
            let keys: Vec<_> = problems.iter().filter_map(|problem| problem["key"].as_str()).collect();
            ensure!(keys.contains(&key.join(".").as_str()) && keys.iter().any(|key| key.ends_with("ca")), "{object}");
            ensure!(problems.iter().all(|problem| problem["line"].as_u64().is_some_and(|line| line > 0)), "{object}");
            let said = deployment.command(program, &["check-config"])?;
            let stderr = String::from_utf8_lossy(&said.stderr).into_owned();
            ensure!(said.stdout.is_empty() && stderr.lines().count() == problems.len(), "{stderr}");
            std::fs::write(file(program, &name), good)?;
        }
        // Nothing at all: no line, and still one object.
        std::fs::remove_file(file("mn", "mn.toml"))?;
        let (object, code) = deployment.json("mn", &["check-config"])?;
        ensure!(code == Some(1) && object["problems"][0]["line"].is_null(), "{object}");
        Ok(())
    });
}

#[test]
fn the_page_has_no_command_that_is_not_tried() -> Result<()> {
    let tried: Vec<_> =
        COMMANDS.iter().chain([&OF_A_PORTAL]).map(|(program, words)| format!("{program} {}", words.join(" "))).collect();
    for command in Schema::of_the_manual()?.commands() {
        let begins = |one: &str| format!("{one} ").starts_with(&format!("{command} "));
        ensure!(tried.iter().any(|one| begins(one)), "no case tries `{command}`: add it to COMMANDS");
    }
    Ok(())
}
