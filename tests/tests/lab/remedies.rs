//! What stops a program at its start, on a real host: it ends with 1, prints nothing else, and says what to do.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use tests::lab::deployment::{self, SOON};
use tests::lab::{Deployment, Lab, inside, plan, programs};

/// A program's configuration once more, under another name beside it, with other values.
fn variant(lab: &Lab, program: &str, changes: &[(&[&str], toml::Value)]) -> Result<PathBuf> {
    let folder = lab.folder().join(program);
    let file = folder.join("other.toml");
    std::fs::copy(folder.join(format!("{program}.toml")), &file)?;
    let socket = folder.join("other.sock");
    deployment::edit(&file, &["control-socket"], socket.to_str().context("no UTF-8")?.into())?;
    for (keys, value) in changes {
        deployment::edit(&file, keys, value.clone())?;
    }
    Ok(file)
}

fn run(lab: &Lab, program: &str, before: &[&str], file: &Path, words: &[&str]) -> Result<Output> {
    let mut command: Command = lab.command(program, "timeout");
    command.args(["--kill-after=5", "20"]).args(before).arg(programs::path(program)?).arg("-c").arg(file).args(words);
    programs::output(&mut command)
}

/// The command fails with 1, prints nothing on standard output, each line of the error has the program's name before it, and the
/// last has these words.
fn fails(lab: &Lab, program: &str, before: &[&str], file: &Path, words: &[&str], expected: &[&str]) -> Result<()> {
    let output = run(lab, program, before, file, words)?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(1), "{program} {words:?} ended with {}: {stderr}", output.status);
    ensure!(output.stdout.is_empty(), "{program} {words:?} printed {}", String::from_utf8_lossy(&output.stdout));
    let error: Vec<_> = stderr.lines().filter(|line| line.starts_with(&format!("{program}: "))).collect();
    let last = error.last().with_context(|| format!("{program} does not say why:\n{stderr}"))?;
    ensure!(expected.iter().all(|words| last.contains(words)), "{expected:?} was expected:\n{stderr}");
    Ok(())
}

/// A file of a program's own.
fn own(lab: &Lab, program: &str) -> PathBuf {
    lab.folder().join(program).join(format!("{program}.toml"))
}

#[test]
fn what_another_program_has_is_named_with_how_to_find_it() {
    inside(|lab| {
        lab.attach(plan::WIFI)?;
        let deployment = Deployment::start(lab, "AES_128_GCM")?;
        let serve = |program: &str, file: &Path, expected: &[&str]| fails(lab, program, &[], file, &["serve"], expected);
        for program in ["hac", "ha"] {
            serve(program, &own(lab, program), &["another instance answers there: stop it first"])?;
        }
        let port = plan::PORT;
        serve("hac", &variant(lab, "hac", &[])?, &["cannot bind TCP", "ss -tlnp 'sport = :787"])?;
        let device = variant(lab, "ha", &[(&["tunnel", "device"], "ha9".into())])?;
        serve("ha", &device, &["cannot bind UDP", &format!("ss -ulnp 'sport = :{port}'")])?;
        let free = vec![format!("{}:7999", plan::HA_OUTER4)];
        serve(
            "ha",
            &variant(lab, "ha", &[(&["listen"], free.into())])?,
            &["a device named ha0 exists already: end the program"],
        )?;
        let elsewhere: (&[&str], toml::Value) = (&["listen"], vec!["192.0.2.99:7872"].into());
        let file = variant(lab, "ha", &[(&["tunnel", "device"], "ha9".into()), elsewhere])?;
        serve("ha", &file, &["no interface has 192.0.2.99 (see `ip address`)"])?;
        drop(deployment);
        Ok(())
    });
}

#[test]
fn a_control_socket_that_cannot_be_is_named_with_the_remedy() {
    inside(|lab| {
        let mut deployment = Deployment::start(lab, "AES_128_GCM")?;
        let file = variant(lab, "ha", &[(&["control-socket"], "/proc/none/ha.sock".into())])?;
        fails(lab, "ha", &[], &file, &["serve"], &["/proc/none/ha.sock: ", "choose another control-socket"])?;
        let mine = lab.folder().join("mine");
        std::fs::write(&mine, "mine")?;
        let file = variant(lab, "ha", &[(&["control-socket"], mine.to_str().context("no UTF-8")?.into())])?;
        fails(lab, "ha", &[], &file, &["serve"], &["this is no socket and is left alone: remove it"])?;
        ensure!(std::fs::read_to_string(&mine)? == "mine", "a file that is no socket was changed");
        // Killed: the socket stays, and is known to be nobody's.
        deployment.ha.kill()?;
        let start = format!("start it with `ha -c {} serve`", own(lab, "ha").display());
        fails(lab, "ha", &[], &own(lab, "ha"), &["status"], &["not running (it left this socket behind", &start])?;
        deployment.ha.restart()?;
        deployment.wait_until_serving()
    });
}

#[test]
fn a_missing_right_a_missing_device_and_a_missing_family_are_named_with_the_remedy() {
    inside(|lab| {
        lab.attach(plan::WIFI)?;
        let mut deployment = Deployment::start(lab, "AES_128_GCM")?;
        let up = ["up", "--foreground"];
        let without = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"];
        fails(lab, "mn", &without, &own(lab, "mn"), &up, &["run as root or with CAP_NET_ADMIN"])?;
        let file = variant(lab, "ha", &[(&["tunnel", "device"], "ha9".into())])?;
        fails(lab, "ha", &without, &file, &["serve"], &["run as root or with CAP_NET_ADMIN"])?;
        let disable_ipv6 = |value| lab.sysctls(plan::MN, &[("ipv6/conf/default/disable_ipv6", value)]);
        disable_ipv6("1")?;
        fails(lab, "mn", &[], &own(lab, "mn"), &up, &["cannot add the address", "net.ipv6.conf.all.disable_ipv6=0"])?;
        disable_ipv6("0")?;
        programs::run(Command::new("mount").args(["-t", "tmpfs", "tmpfs", "/dev/net"]))?;
        fails(lab, "mn", &[], &own(lab, "mn"), &up, &["/dev/net/tun", "`modprobe tun`"])?;
        programs::run(Command::new("umount").arg("/dev/net"))?;
        // Nothing of all that is left behind.
        deployment.mn_up(&[])?;
        deployment.ping_everywhere()?;
        deployment.mn()?.terminate(SOON).map(drop)
    });
}

#[test]
fn a_home_agent_on_a_host_that_does_not_forward_says_how_to_let_it() {
    inside(|lab| {
        lab.sysctls(plan::HA, &[("ipv4/ip_forward", "0"), ("ipv6/conf/all/forwarding", "0")])?;
        for switch in ["sysctl -w net.ipv4.ip_forward=1", "sysctl -w net.ipv6.conf.all.forwarding=1"] {
            lab.expect_warning("ha", switch);
        }
        Deployment::start(lab, "AES_128_GCM").map(drop)
    });
}

#[test]
fn a_missing_configuration_ends_with_1_and_a_misspelt_command_with_2() {
    inside(|lab| {
        for (program, makes) in [("hac", "`hac init`"), ("ha", "`hac ha add`"), ("mn", "`hac subscriber add`")] {
            let nowhere = Path::new("/nowhere/file.toml");
            fails(
                lab,
                program,
                &[],
                nowhere,
                &["status"],
                &["/nowhere/file.toml: no such configuration file", "--config", makes],
            )?;
            for words in [&["dance"][..], &["status", "--jason"], &[]] {
                let output = run(lab, program, &[], nowhere, words)?;
                ensure!(output.status.code() == Some(2) && output.stdout.is_empty(), "{program} {words:?}: {output:?}");
                ensure!(
                    String::from_utf8_lossy(&output.stderr).contains("Usage:"),
                    "{program} {words:?} says not how it is used"
                );
            }
        }
        Ok(())
    });
}
