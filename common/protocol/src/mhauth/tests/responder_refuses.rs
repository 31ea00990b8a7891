//! What the HAC takes and what it refuses.

use super::*;

const GOOD_INIT: &str =
    "mn-id:alice@example.org\r\nmn-rand:0101010101010101010101010101010101010101010101010101010101010101\r\nauth-method:psk\r\n";

#[test]
fn an_init_in_another_legal_form_is_taken() {
    let mn_rand = "MN-RAND: ABababababababababababababababababababababababababababababababab";
    for content in [
        GOOD_INIT.to_owned(),
        format!("auth-method: eap , PSK\r\n{mn_rand}\r\nx-new:1\r\nmn-id:\talice@example.org"),
        format!("auth-method:eap\r\nmn-id:alice@example.org\r\nauth-method:psk\r\n{mn_rand}\r\n\r\n"),
        format!("auth-method:gpsk,psk\r\nmn-id:@example.org\r\n{mn_rand}\r\nmip6-sas:1\r\n\r\n\r\n\r\n"),
    ] {
        assert!(awaiting_init().handle(&framed(1, &content)).is_ok(), "{content:?}");
    }
}

#[test]
fn a_malformed_init_is_refused_under_the_key_1_with_its_status() {
    let without = |name: &str| GOOD_INIT.split_inclusive("\r\n").filter(|line| !line.starts_with(name)).collect::<String>();
    let with = |from: &str, to: &str| GOOD_INIT.replace(from, to);
    let rows: Vec<(Vec<u8>, u8, Rejection, Status)> = vec![
        (vec![], 0, Rejection::Container, Status::Malformed),
        (vec![0, 1, 0, 0], 1, Rejection::Container, Status::Malformed),
        (framed(1, GOOD_INIT)[..60].to_vec(), 1, Rejection::Container, Status::Malformed),
        ([&[0x20], &framed(1, GOOD_INIT)[1..]].concat(), 1, Rejection::Version, Status::NotImplemented),
        (framed(0, GOOD_INIT), 0, Rejection::Identifier, Status::Malformed),
        (framed(2, GOOD_INIT), 2, Rejection::Identifier, Status::Malformed),
        (framed(1, "\r\n\r\n"), 1, Rejection::Headers(HeaderError::BlankLine), Status::Malformed),
        (framed(1, &with("\r\n", "\n")), 1, Rejection::Headers(HeaderError::LineEnd), Status::Malformed),
        (framed(1, &with("mn-id:", "mn-id :")), 1, Rejection::Headers(HeaderError::Syntax), Status::Malformed),
        (framed(1, &(GOOD_INIT.to_owned() + " psk\r\n")), 1, Rejection::Headers(HeaderError::Syntax), Status::Malformed),
        (
            framed(1, &(GOOD_INIT.to_owned() + "mn-id:bob")),
            1,
            Rejection::Headers(HeaderError::Repeated(Name::MnId)),
            Status::Malformed,
        ),
        (framed(1, &("auth:00\r\n".to_owned() + GOOD_INIT)), 1, Rejection::Headers(HeaderError::AuthNotLast), Status::Malformed),
        (framed(1, &without("mn-id")), 1, Rejection::Missing(Name::MnId), Status::Malformed),
        (framed(1, &with("alice@", "al ice@")), 1, Rejection::Value(Name::MnId), Status::Malformed),
        (framed(1, &with("alice@example.org", "")), 1, Rejection::Value(Name::MnId), Status::Malformed),
        (framed(1, &with("alice", &"a".repeat(250))), 1, Rejection::Value(Name::MnId), Status::Malformed),
        (framed(1, &without("mn-rand")), 1, Rejection::Missing(Name::MnRand), Status::Malformed),
        (framed(1, &with("0101\r\n", "01\r\n")), 1, Rejection::Value(Name::MnRand), Status::Malformed),
        (framed(1, &with("0101\r\n", "010101\r\n")), 1, Rejection::Value(Name::MnRand), Status::Malformed),
        (framed(1, &with("0101\r\n", "010g\r\n")), 1, Rejection::Value(Name::MnRand), Status::Malformed),
        (framed(1, &without("auth-method")), 1, Rejection::Missing(Name::AuthMethod), Status::Malformed),
        (framed(1, &with(":psk", ":")), 1, Rejection::Value(Name::AuthMethod), Status::Malformed),
        (framed(1, &with(":psk", ":psk,")), 1, Rejection::Value(Name::AuthMethod), Status::Malformed),
        (framed(1, &with(":psk", ":eap psk")), 1, Rejection::Value(Name::AuthMethod), Status::Malformed),
        (framed(1, &with(":psk", ":eap")), 1, Rejection::NoCommonMethod, Status::NotImplemented),
    ];
    for (octets, identifier, rejection, status) in rows {
        let refusal = awaiting_init().handle(&octets).err().unwrap();
        assert_eq!((refusal.rejection, refusal.status), (Some(rejection), status), "{octets:?}");
        assert_final(&refusal, identifier, Key::One);
    }
}

#[test]
fn a_done_that_is_not_right_is_refused_under_the_psk_with_its_status() {
    let (mn, init) = start(offer());
    let (_, response) = awaiting_done(&init, Known::Yes);
    let (_, done) = mn.handle(&response).unwrap();
    let good = lines(&done);
    let hac_rand = hex::encode(HAC_RAND);
    let psk = psk();
    let keyed = |identifier, lines: &str| sealed(identifier, lines, Key::Psk(&psk), Sender::MobileNode, &by());
    let with = |from: &str, to: &str| keyed(2, &good.replace(from, to));
    let without = |name: &str| keyed(2, &good.split_inclusive("\r\n").filter(|line| !line.starts_with(name)).collect::<String>());
    let other = other_psk();
    let suites = "{00,9C},{00,2F},{00,02}";
    let rows: Vec<(Vec<u8>, u8, Rejection, Status)> = vec![
        (vec![], 0, Rejection::Container, Status::Malformed),
        (vec![0, 2, 0, 0], 2, Rejection::Container, Status::Malformed),
        ([&[0xe0], &done[1..]].concat(), 2, Rejection::Version, Status::NotImplemented),
        (keyed(0, &good), 0, Rejection::Identifier, Status::Malformed),
        (keyed(1, &good), 1, Rejection::Identifier, Status::Malformed),
        (init.clone(), 1, Rejection::Identifier, Status::Malformed),
        (framed(2, &good), 2, Rejection::Missing(Name::Auth), Status::Malformed),
        (framed(2, &format!("{good}auth:00\r\n")), 2, Rejection::Value(Name::Auth), Status::Malformed),
        (framed(2, &format!("{good}auth:{}\r\n", "zz".repeat(32))), 2, Rejection::Value(Name::Auth), Status::Malformed),
        (framed(2, &format!("{good}auth:{}\r\n", "00".repeat(32))), 2, Rejection::WrongAuth, Status::NotAuthenticated),
        (sealed(2, &good, Key::Psk(&other), Sender::MobileNode, &by()), 2, Rejection::WrongAuth, Status::NotAuthenticated),
        (sealed(2, &good, Key::One, Sender::MobileNode, &by()), 2, Rejection::WrongAuth, Status::NotAuthenticated),
        (sealed(2, &good, Key::Psk(&psk), Sender::Controller, &by()), 2, Rejection::WrongAuth, Status::NotAuthenticated),
        (sealed(2, &good, Key::Psk(&psk), Sender::MobileNode, &elsewhere()), 2, Rejection::WrongAuth, Status::NotAuthenticated),
        (with(&hac_rand, &"00".repeat(32)), 2, Rejection::WrongNonce, Status::NotAuthenticated),
        (with("mn-rand:", "mn-rand:00\r\nx:"), 2, Rejection::Value(Name::MnRand), Status::Malformed),
        (without("mn-rand"), 2, Rejection::Missing(Name::MnRand), Status::Malformed),
        (without("hac-rand"), 2, Rejection::Missing(Name::HacRand), Status::Malformed),
        (without("mip6-sas"), 2, Rejection::Missing(Name::Sas), Status::Malformed),
        (with("mip6-sas:1", "mip6-sas:2"), 2, Rejection::Value(Name::Sas), Status::Malformed),
        (with("mip6-sas:1", "mip6-sas:01"), 2, Rejection::Value(Name::Sas), Status::Malformed),
        (with("mip6-sas:1", "mip6-sas:O"), 2, Rejection::Value(Name::Sas), Status::Malformed),
        (with("mip6-sas:1", "mip6-sas:"), 2, Rejection::Value(Name::Sas), Status::Malformed),
        (without("mip6-suitelist"), 2, Rejection::Missing(Name::SuiteList), Status::Malformed),
        (keyed(2, "eap-payload:0101000501\r\n"), 2, Rejection::Missing(Name::Sas), Status::Malformed),
        (with(suites, ""), 2, Rejection::Value(Name::SuiteList), Status::Malformed),
        (with(suites, "{00,9C"), 2, Rejection::Value(Name::SuiteList), Status::Malformed),
        (with(suites, "{00,35},{13,01}"), 2, Rejection::NoCommonSuite, Status::NotImplemented),
        (
            keyed(2, &good.replace("mip6-sas:1\r\n", "mip6-sas:1\r\nmip6-sas:1\r\n")),
            2,
            Rejection::Headers(HeaderError::Repeated(Name::Sas)),
            Status::Malformed,
        ),
    ];
    for (octets, identifier, rejection, status) in rows {
        let refusal = awaiting_done(&init, Known::Yes).0.handle(&octets).err().unwrap();
        let text = String::from_utf8_lossy(&octets).into_owned();
        assert_eq!((refusal.rejection, refusal.status), (Some(rejection), status), "{text}");
        assert_final(&refusal, identifier, Key::Psk(&psk));
    }
}

#[test]
fn a_done_in_another_legal_form_is_taken() {
    let (mn, init) = start(offer());
    let (_, done) = mn.handle(&awaiting_done(&init, Known::Yes).1).unwrap();
    let psk = psk();
    let other_form = lines(&done).replace("mip6-sas:1", "X-New: 5\r\nMIP6-SAS: 0").replace("{00,9C},", "{00,3C} , {00,9c}\t,");
    let octets = sealed(200, &other_form, Key::Psk(&psk), Sender::MobileNode, &by());
    let hac = awaiting_done(&init, Known::Yes).0.handle(&octets).unwrap();
    assert_eq!(hac.user_data(), UserData::Clear);
    let listed = [CipherSuite::Aes128CbcSha256, CipherSuite::Aes128Gcm, CipherSuite::Aes128CbcSha, CipherSuite::NullSha];
    assert_eq!(hac.suites(), listed);
    assert_eq!(hac.refuse(Status::ServerError, None).octets[1], 200);
}

#[test]
fn an_unknown_name_runs_to_the_end_and_looks_like_a_wrong_key() {
    let (mn, init) = start(offer());
    let (hac, response) = awaiting_done(&init, Known::No);
    let (_, done) = mn.handle(&response).unwrap();
    let refusal = hac.handle(&done).err().unwrap();
    assert_eq!((refusal.rejection, refusal.status), (Some(Rejection::UnknownName), Status::NotAuthenticated));
    assert_final(&refusal, 2, Key::Psk(&psk()));

    let forged = framed(2, &(lines(&done) + "auth:" + &"00".repeat(32)));
    let unknown = awaiting_done(&init, Known::No).0.handle(&forged).err().unwrap();
    let known = awaiting_done(&init, Known::Yes).0.handle(&forged).err().unwrap();
    assert_eq!(unknown.octets, known.octets);
}
