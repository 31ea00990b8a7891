//! `ha check-config`: everything that is wrong with the configuration and the files that it names, or what will hold.

use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use net::netlink::Netlink;
use net::tls::inspect::{self, Files, Severity, Usage, rfc3339};
use service::check::{Certificate, Check};
use service::config::{Finding, Located};

use crate::config::{self, Config};
use crate::home_link;

pub(super) async fn run(file: &Path, json: bool) -> ExitCode {
    check(file).await.print("ha", json)
}

async fn check(file: &Path) -> Check {
    let config = match service::config::load::<Config>(file) {
        Ok(config) => config,
        Err(error) => return Check::failed(file, error),
    };
    let mut check = Check::new(file);
    check.find_all(config::check(&config));
    describe(&config, &mut check);
    check_certificate(&config, &mut check);
    check.find_all(check_home_link(&config).await);
    check
}

/// The kernel is asked, and told nothing. Whether a pool is on the link the HAC alone knows.
async fn check_home_link(config: &Located<Config>) -> Option<Finding> {
    let name = config.home_link.as_ref()?;
    let looked = match Netlink::connect() {
        Ok(netlink) => home_link::look(&netlink, name).await,
        Err(error) => Err(error.into()),
    };
    looked.err().map(|error| config.refused("home-link", error))
}

fn describe(config: &Located<Config>, check: &mut Check) {
    check.holds("name", config.name.as_str());
    check.holds("listen", config.listen.iter().map(ToString::to_string).collect::<Vec<_>>());
    check.holds("device", config.tunnel.device.as_str());
    check.holds("mtu", config.tunnel.mtu);
    check.holds_shown("home_link", config.home_link.clone(), config.home_link.as_deref().unwrap_or("virtual"));
    check.holds("host_services", config.tunnel.host_services);
    check.holds("routes_protocol", config.routes.protocol);
    check.holds("routes_per_binding", config.routes.per_binding);
    check.holds("feed", config.feed.address.as_str());
    check.holds("feed_server_name", config.feed.server_name.as_str());
    check.holds("control_socket", config.resolve(&config.control_socket).display().to_string());
}

fn check_certificate(config: &Located<Config>, check: &mut Check) {
    let [certificate, key, ca] = [&config.certificate, &config.key, &config.ca].map(|path| config.resolve(path));
    let files = Files { certificate: &certificate, key: &key, ca: &ca };
    let inspection = inspect::identity(files, Usage::Client, SystemTime::now());
    check.find_all(inspection.findings.iter().map(|finding| in_file(config, finding)));
    let Some(leaf) = inspection.chain.first() else { return };
    check.find_all(check_name(config, &certificate));
    let told = Certificate {
        file: &certificate,
        subject: &leaf.subject,
        names: &leaf.names,
        signature: &leaf.signature,
        not_before: leaf.not_before,
        not_after: leaf.not_after,
    };
    let shown = format!("{}, valid until {}", leaf.names.join(", "), rfc3339(leaf.not_after));
    check.holds_shown("certificate", told.to_json(), shown);
    let authorities: Vec<&str> = inspection.authorities.iter().map(|authority| authority.subject.as_str()).collect();
    check.holds("authorities", authorities);
}

fn in_file(config: &Located<Config>, finding: &inspect::Finding) -> Finding {
    match finding.severity {
        Severity::Error => config.refused(finding.file.key(), &finding.text),
        Severity::Warning => config.warned(finding.file.key(), &finding.text),
    }
}

/// The HAC knows a home agent by the one dNSName of its certificate; `name` is for logs and status alone.
fn check_name(config: &Located<Config>, certificate: &Path) -> Option<Finding> {
    let chain = net::tls::load_certificates(certificate).ok()?;
    match feed::peer::ha_name(chain.first()?) {
        Err(error) => Some(config.refused("certificate", error)),
        Ok(name) if name.eq_ignore_ascii_case(&config.name) => None,
        Ok(name) => Some(config.warned("name", format!("the HAC knows it as {name}, the name in its certificate; write that"))),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    struct World {
        folder: tempfile::TempDir,
        authority: fixture::Authority,
    }

    impl World {
        /// The folder that `hac ha add` writes.
        fn new() -> Self {
            let world = Self { folder: tempfile::tempdir().unwrap(), authority: fixture::Authority::new() };
            let file = "name = \"ha1\"\nlisten = [\"198.51.100.1:7872\"]\ncertificate = \"ha.pem\"\nkey = \"ha-key.pem\"\n\
                        ca = \"ca.pem\"\ncontrol-socket = \"ha.sock\"\n[feed]\naddress = \"198.51.100.10:7873\"\n\
                        server-name = \"hac.example.org\"\n[tunnel]\ndevice = \"ha0\"\nmtu = 1400\n";
            world.write("ha.toml", file);
            world.write("ca.pem", &world.authority.pem);
            world.certify("ha1");
            world
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.folder.path().join(name), text).unwrap();
        }

        fn certify(&self, name: &str) {
            let certified = self.authority.certify(name);
            self.write("ha.pem", &certified.certificate);
            self.write("ha-key.pem", &certified.key);
            let key = self.folder.path().join("ha-key.pem");
            fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
        }

        fn check(&self) -> serde_json::Value {
            fixture::block_on(check(&self.folder.path().join("ha.toml"))).to_json()
        }
    }

    fn texts(answer: &serde_json::Value) -> Vec<String> {
        let problems = answer["problems"].as_array().unwrap();
        problems.iter().map(|problem| format!("{}:{}", problem["line"], problem["text"].as_str().unwrap())).collect()
    }

    #[test]
    fn what_the_hac_writes_is_good_and_what_will_hold_is_told() {
        let world = World::new();
        let answer = world.check();
        assert_eq!((&answer["ok"], texts(&answer).len()), (&true.into(), 0), "{answer}");
        let holds = &answer["holds"];
        assert_eq!((&holds["listen"][0], &holds["routes_protocol"]), (&"198.51.100.1:7872".into(), &78.into()));
        assert_eq!(holds["certificate"]["names"][0], "ha1");
        assert_eq!(holds["control_socket"], world.folder.path().join("ha.sock").display().to_string());
        assert_eq!(fs::read_dir(world.folder.path()).unwrap().count(), 4, "nothing is made");
    }

    #[test]
    fn values_and_files_that_are_wrong_are_told_together() {
        let world = World::new();
        let text = fs::read_to_string(world.folder.path().join("ha.toml")).unwrap();
        world.write("ha.toml", &text.replace("1400", "14"));
        world.write("ca.pem", &fixture::Authority::new().pem);
        fs::remove_file(world.folder.path().join("ha-key.pem")).unwrap();
        let (answer, found) = (world.check(), texts(&world.check()));
        assert_eq!((&answer["ok"], &answer["holds"], found.len()), (&false.into(), &serde_json::Value::Null, 3), "{answer}");
        assert!(
            found[0].starts_with("3:certificate = \"ha.pem\": ") && found[0].contains("does not lead to the CA"),
            "{found:?}"
        );
        assert!(found[1].starts_with("4:key = \"ha-key.pem\": cannot read private key"), "{found:?}");
        assert!(found[2].starts_with("12:[tunnel] mtu = 14: write 1280"), "{found:?}");
    }

    #[test]
    fn a_home_link_that_is_not_there_is_told_with_what_to_do() {
        let world = World::new();
        assert_eq!(world.check()["holds"]["home_link"], serde_json::Value::Null);
        let text = fs::read_to_string(world.folder.path().join("ha.toml")).unwrap();
        world.write("ha.toml", &text.replace("[feed]", "home-link = \"nowhere\"\n[feed]"));
        let (answer, found) = (world.check(), texts(&world.check()));
        assert_eq!((&answer["ok"], found.len()), (&false.into(), 1), "{answer}");
        assert!(
            found[0].starts_with("7:home-link = \"nowhere\": there is no interface \"nowhere\" (see `ip link`)"),
            "{found:?}"
        );
    }

    #[test]
    fn a_certificate_for_another_name_is_warned_of_and_one_without_a_name_refused() {
        let world = World::new();
        world.certify("ha2");
        let answer = world.check();
        assert!(answer["ok"] == true && texts(&answer)[0].contains("the HAC knows it as ha2"), "{answer}");
        world.certify("192.0.2.1");
        let answer = world.check();
        assert!(answer["ok"] == false && texts(&answer)[0].contains("no dNSName"), "{answer}");
    }
}
