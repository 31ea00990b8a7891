//! The AAA servers of the lab, asked by a peer that is not ours: each method and version of TLS works, what has to fail fails.

use anyhow::{Result, ensure};
use tests::lab::aaa::certificates::{BOB, Pair};
use tests::lab::aaa::{
    ANONYMOUS, Certificates, ClientCertificate, GPSK_KEY, Method, Options, PASSWORD, Reply, SERVER_NAME, ServerCertificate,
    Versions,
};
use tests::lab::deployment::NAI;
use tests::lab::{AaaServer, Lab, inside};

/// The port of hostapd where FreeRADIUS has its own.
const OTHER_PORT: u16 = 1814;
/// Method, what is inside, and what else there is to say of the method: hostapd offers version 1 of PEAP and FreeRADIUS 0, and
/// the keys of hostapd's cryptobinding are not wpa_supplicant's in TLS 1.3.
const TUNNELS: [[&str; 3]; 4] =
    [TTLS_PAP, ["TTLS", "MSCHAPV2", ""], ["PEAP", "MSCHAPV2", ""], ["PEAP", "MSCHAPV2", "peapver=0 crypto_binding=0"]];
const TTLS_PAP: [&str; 3] = ["TTLS", "PAP", ""];

/// A way to start a server.
type Start = fn(&Lab, &Options<'_>) -> Result<AaaServer>;

#[test]
fn a_peer_is_authenticated_by_each_method_and_version_of_tls_and_named() {
    inside(|lab| {
        let certificates = lab.aaa_certificates()?;
        let freeradius = lab.freeradius(&Options::default())?;
        let hostapd = lab.hostapd(&Options { port: OTHER_PORT, ..Options::default() })?;
        for server in [&freeradius, &hostapd] {
            for version in [Versions::Tls12, Versions::Tls13] {
                let by_certificate = eap_tls(&certificates, NAI, ClientCertificate::Alice, version);
                accepted(lab, server, &by_certificate, version)?;
                for way in TUNNELS {
                    accepted(lab, server, &tunnel(&certificates, way, PASSWORD, version), version)?;
                }
            }
        }
        Ok(())
    });
}

fn accepted(lab: &Lab, server: &AaaServer, network: &str, version: Versions) -> Result<()> {
    let test = lab.eapol_test(network, server.address(), &[])?;
    let tls = if version == Versions::Tls12 { "1.2" } else { "1.3" };
    ensure!(test.succeeded && test.equal_keys == 1, "{network}\n{}", test.output);
    ensure!(test.tls.as_deref() == Some(tls), "{network}\nTLS {:?}", test.tls);
    ensure!(test.user_names == [Some(NAI.to_owned())], "{network}\n{:?}", test.user_names);
    Ok(())
}

#[test]
fn methods_with_a_shared_secret_work_and_both_ciphersuites_of_gpsk() {
    inside(|lab| {
        let gpsk = lab.hostapd(&Options { port: OTHER_PORT, names_user: false, ..Options::default() })?;
        let secrets = [("1", GPSK_KEY), ("2", GPSK_KEY), ("1", &GPSK_KEY.replace('5', "6"))];
        for (index, (cipher, key)) in secrets.into_iter().enumerate() {
            let network = format!("eap=GPSK\nidentity=\"{NAI}\"\npassword={key}\nphase1=\"cipher={cipher}\"");
            let test = lab.eapol_test(&network, gpsk.address(), &[])?;
            ensure!(test.succeeded == (index < 2) && test.answered, "{network}\n{}", test.output);
            ensure!(test.user_names.iter().all(Option::is_none), "named: {:?}", test.user_names);
        }
        drop(gpsk);
        let methods = &[Method::Md5];
        let freeradius = lab.freeradius(&Options { methods, ..Options::default() })?;
        let hostapd = lab.hostapd(&Options { methods, port: OTHER_PORT, ..Options::default() })?;
        for (server, password) in [&freeradius, &hostapd].into_iter().flat_map(|server| [(server, PASSWORD), (server, "wrong")]) {
            let network = format!("eap=MD5\nidentity=\"{NAI}\"\npassword=\"{password}\"");
            let test = lab.eapol_test(&network, server.address(), &["-n"])?;
            ensure!(test.succeeded == (password == PASSWORD) && test.answered && test.equal_keys == 0, "{}", test.output);
        }
        Ok(())
    });
}

#[test]
fn a_wrong_password_or_certificate_is_rejected_and_the_name_is_that_of_the_certificate() {
    inside(|lab| {
        let certificates = lab.aaa_certificates()?;
        let freeradius = lab.freeradius(&Options::default())?;
        let hostapd = lab.hostapd(&Options { port: OTHER_PORT, ..Options::default() })?;
        for server in [&freeradius, &hostapd] {
            for way in TUNNELS {
                let wrong = tunnel(&certificates, way, "wrong", Versions::Tls12);
                refused(lab, server, &wrong, "(Access-Reject)")?;
            }
            for (client, alert) in
                [(ClientCertificate::Expired, "certificate expired"), (ClientCertificate::OtherAuthority, "decrypt error")]
            {
                let reason = format!(":fatal:{alert}");
                refused(lab, server, &eap_tls(&certificates, NAI, client, Versions::Tls12), &reason)?;
            }
        }
        for (identity, client, name) in [(ANONYMOUS, ClientCertificate::Alice, NAI), (NAI, ClientCertificate::Bob, BOB)] {
            let network = eap_tls(&certificates, identity, client, Versions::Tls12);
            let test = lab.eapol_test(&network, freeradius.address(), &[])?;
            ensure!(test.succeeded && test.user_names == [Some(name.to_owned())], "{network}\n{:?}", test.user_names);
        }
        Ok(())
    });
}

#[test]
fn a_server_with_a_wrong_certificate_is_refused_by_the_peer() {
    inside(|lab| {
        let certificates = lab.aaa_certificates()?;
        let network = tunnel(&certificates, TTLS_PAP, PASSWORD, Versions::Tls12);
        let starts: [Start; 2] = [Lab::freeradius, Lab::hostapd];
        for start in starts {
            for (certificate, reason) in [
                (ServerCertificate::Expired, "err='certificate has expired'"),
                (ServerCertificate::OtherName, "err='Domain mismatch'"),
                (ServerCertificate::OtherAuthority, "err='certificate signature failure'"),
                (ServerCertificate::OtherPurpose, "err='unsuitable certificate purpose'"),
            ] {
                let server = start(lab, &Options { certificate, ..Options::default() })?;
                refused(lab, &server, &network, reason)?;
            }
        }
        Ok(())
    });
}

/// `reason` is what `eapol_test` or the server says of it: FreeRADIUS keeps its alerts to itself.
fn refused(lab: &Lab, server: &AaaServer, network: &str, reason: &str) -> Result<()> {
    let test = lab.eapol_test(network, server.address(), &[])?;
    ensure!(!test.succeeded && test.user_names.is_empty(), "{network}\n{}", test.output);
    ensure!(test.output.contains(reason) || server.log().contains(reason), "not {reason}: {network}\n{}", test.output);
    Ok(())
}

#[test]
fn a_server_has_the_versions_the_attributes_and_the_resumption_that_it_was_told() {
    inside(|lab| {
        let certificates = lab.aaa_certificates()?;
        let starts: [Start; 2] = [Lab::freeradius, Lab::hostapd];
        for start in starts {
            let reply = Reply { session_timeout: Some(3600), class: Some("gold"), framed_ip_address: Some("10.9.0.7".parse()?) };
            let server = start(lab, &Options { versions: Versions::Tls12, names_user: false, reply, ..Options::default() })?;
            let test =
                lab.eapol_test(&tunnel(&certificates, TTLS_PAP, PASSWORD, Versions::Tls12), server.address(), &["-r", "1"])?;
            ensure!(test.succeeded && test.user_names == [None, None] && !test.resumed, "{}", test.output);
            for attribute in ["27 (Session-Timeout)", "25 (Class)", "8 (Framed-IP-Address)"] {
                ensure!(
                    test.output.matches(&format!("Attribute {attribute}")).count() >= 2,
                    "{attribute} is missing:\n{}",
                    test.output
                );
            }
            refused(lab, &server, &tunnel(&certificates, TTLS_PAP, PASSWORD, Versions::Tls13), ":fatal:protocol version")?;
            drop(server);
            let server = start(lab, &Options { resumption: true, ..Options::default() })?;
            for version in [Versions::Tls12, Versions::Tls13] {
                let network = tunnel(&certificates, TTLS_PAP, PASSWORD, version);
                let test = lab.eapol_test(&network, server.address(), &["-r", "1"])?;
                ensure!(test.succeeded && test.resumed && test.equal_keys == 2, "{}", test.output);
                // In TLS 1.3 FreeRADIUS 3.2.1 does not find whose the session was that it resumes, and names the outer identity.
                let certain = if version == Versions::Tls13 { 1 } else { 2 };
                ensure!(test.user_names.iter().take(certain).all(|name| name.as_deref() == Some(NAI)), "{:?}", test.user_names);
            }
        }
        Ok(())
    });
}

#[test]
fn a_server_that_is_paused_or_stopped_gives_no_answer_and_answers_again() {
    inside(|lab| {
        let certificates = lab.aaa_certificates()?;
        let network = tunnel(&certificates, TUNNELS[2], PASSWORD, Versions::Tls13);
        let starts: [Start; 2] = [Lab::freeradius, Lab::hostapd];
        for start in starts {
            let mut server = start(lab, &Options::default())?;
            let answers =
                |server: &AaaServer| Ok::<_, anyhow::Error>(lab.eapol_test(&network, server.address(), &["-t", "1"])?.answered);
            server.pause()?;
            ensure!(!answers(&server)?, "it answers while paused");
            server.resume()?;
            ensure!(answers(&server)?, "it does not answer after a pause");
            server.stop()?;
            ensure!(!answers(&server)?, "it answers after its end");
            server.restart()?;
            ensure!(lab.eapol_test(&network, server.address(), &[])?.succeeded, "it does not answer after it was started again");
        }
        Ok(())
    });
}

/// A network of EAP-TLS, in the words of wpa_supplicant.
fn eap_tls(certificates: &Certificates, identity: &str, client: ClientCertificate, version: Versions) -> String {
    let Pair { certificate, key } = certificates.client(client);
    let (certificate, key) = (certificate.display(), key.display());
    format!(
        "eap=TLS\nidentity=\"{identity}\"\nclient_cert=\"{certificate}\"\nprivate_key=\"{key}\"\n{}",
        verified(certificates, "", version)
    )
}

/// A network of EAP-TTLS or PEAP.
fn tunnel(certificates: &Certificates, [method, inner, more]: [&str; 3], password: &str, version: Versions) -> String {
    format!(
        "eap={method}\nidentity=\"{NAI}\"\nanonymous_identity=\"{ANONYMOUS}\"\npassword=\"{password}\"\nphase2=\"auth={inner}\"\n{}",
        verified(certificates, more, version)
    )
}

/// Who the server has to be, what there is to say of the method, and the one version of TLS.
fn verified(certificates: &Certificates, more: &str, version: Versions) -> String {
    let off = match version {
        Versions::Tls12 => &["1_0", "1_1", "1_3"][..],
        Versions::Tls13 => &["1_0", "1_1", "1_2"],
        Versions::Both => &["1_0", "1_1"],
    };
    // 1.3 is off in wpa_supplicant unless it is said.
    let flags: String = ["1_0", "1_1", "1_2", "1_3"]
        .iter()
        .map(|one| format!("tls_disable_tlsv{one}={} ", u8::from(off.contains(one))))
        .collect();
    let authority = certificates.authority();
    format!("ca_cert=\"{}\"\ndomain_match=\"{SERVER_NAME}\"\nphase1=\"{flags}{more}\"", authority.display())
}
