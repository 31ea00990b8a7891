use proptest::prelude::*;

use super::*;

fn parse(content: &str) -> Result<Headers, HeaderError> {
    Headers::parse(content.as_bytes())
}

#[test]
fn names_and_values_are_read_in_any_case_with_white_space_behind_the_colon() {
    let headers = parse("MN-ID: \talice@example.org \r\nx-unknown:\r\nMip6-Sas:1\r\n\r\n\r\n").unwrap();
    assert_eq!(headers.get(Name::MnId), Some(&b"alice@example.org"[..]));
    assert_eq!(headers.get(Name::Sas), Some(&b"1"[..]));
    assert!(!headers.has(Name::Auth));
    assert_eq!(headers.msg_octets(), None);
}

#[test]
fn none_to_four_line_ends_close_the_last_header() {
    for count in 0..=4 {
        let headers = parse(&("mip6-sas:1\r\nAuth:00".to_owned() + &"\r\n".repeat(count))).unwrap();
        assert_eq!(headers.get(Name::Auth), Some(&b"00"[..]), "{count}");
        assert_eq!(headers.msg_octets(), Some(&b"mip6-sas:1\r\n"[..]), "{count}");
    }
    assert_eq!(parse(&("auth:00".to_owned() + &"\r\n".repeat(5))).err(), Some(HeaderError::BlankLine));
}

#[test]
fn msg_octets_end_where_the_last_line_begins_and_not_at_the_word_auth() {
    let headers = parse("auth-method:auth\r\nx-auth:auth: 1\r\nAUTH: 00\r\n").unwrap();
    assert_eq!(headers.msg_octets(), Some(&b"auth-method:auth\r\nx-auth:auth: 1\r\n"[..]));
    assert_eq!(parse("auth:00\r\n").unwrap().msg_octets(), Some(&b""[..]));
}

#[test]
fn white_space_and_case_are_covered_as_received() {
    let headers = parse("MIP6-sas:\t1 \r\nauth:00\r\n").unwrap();
    assert_eq!(headers.msg_octets(), Some(&b"MIP6-sas:\t1 \r\n"[..]));
}

#[test]
fn content_that_is_no_sequence_of_headers_is_refused_with_its_reason() {
    let too_many = "a:b\r\n".repeat(MAX_HEADERS + 1);
    let long_name = "a".repeat(MAX_NAME_LEN + 1) + ":b\r\n";
    let rows = [
        ("", HeaderError::BlankLine),
        ("\r\n", HeaderError::BlankLine),
        ("\r\n\r\n\r\n\r\n\r\n", HeaderError::BlankLine),
        ("\r\na:b\r\n", HeaderError::BlankLine),
        ("a:b\r\n\r\nc:d\r\n", HeaderError::BlankLine),
        ("a:b\r\n\r\n\r\n\r\n\r\n", HeaderError::BlankLine),
        ("a:b\nc:d\r\n", HeaderError::LineEnd),
        ("a:b\n", HeaderError::LineEnd),
        ("a:b\r", HeaderError::LineEnd),
        ("a:b\rc:d\r\n", HeaderError::LineEnd),
        ("a:b\r\r\n", HeaderError::LineEnd),
        ("a:b\r\n\n", HeaderError::LineEnd),
        ("a:b\r\n c\r\n", HeaderError::Syntax),
        ("a:b\r\n\tc\r\n", HeaderError::Syntax),
        (" a:b\r\n", HeaderError::Syntax),
        ("a :b\r\n", HeaderError::Syntax),
        ("a\t:b\r\n", HeaderError::Syntax),
        ("a:b\r\n \r\n", HeaderError::Syntax),
        (":b\r\n", HeaderError::Syntax),
        ("ab\r\n", HeaderError::Syntax),
        ("a", HeaderError::Syntax),
        ("a:b\0c\r\n", HeaderError::Syntax),
        ("a\u{e9}:b\r\n", HeaderError::Syntax),
        (&too_many, HeaderError::TooMany),
        (&long_name, HeaderError::NameTooLong),
        ("mip6-sas:1\r\nMIP6-SAS:1\r\n", HeaderError::Repeated(Name::Sas)),
        ("auth:00\r\nauth:00\r\n", HeaderError::AuthNotLast),
        ("auth:00\r\nx:y\r\n", HeaderError::AuthNotLast),
        ("eap-payload:00\r\neap-payload:00\r\n", HeaderError::Repeated(Name::EapPayload)),
    ];
    for (content, expected) in rows {
        assert_eq!(parse(content).err(), Some(expected), "{content:?}");
    }
}

#[test]
fn lists_and_unknown_headers_may_be_repeated() {
    let headers = parse("auth-method:eap\r\nx:1\r\nx:2\r\nauth-method:psk\r\n").unwrap();
    assert_eq!(headers.lines_of(Name::AuthMethod).collect::<Vec<_>>(), [&b"eap"[..], b"psk"]);
}

#[test]
fn as_many_headers_as_allowed_and_names_as_long_are_taken() {
    assert!(parse(&"a:b\r\n".repeat(MAX_HEADERS)).is_ok());
    assert!(parse(&("a".repeat(MAX_NAME_LEN) + ":b")).is_ok());
    assert!(Name::ALL.iter().all(|name| name.literal().len() <= MAX_NAME_LEN));
}

#[test]
fn a_message_is_written_in_the_form_of_the_profile() {
    let mut writer = Writer::new();
    writer.text(Name::SuiteList, "{00,9C}");
    writer.hex(Name::MnRand, &[0xab, 0x0f]);
    assert_eq!(writer.content(), b"mip6-suitelist:{00,9C}\r\nmn-rand:ab0f\r\n");
    assert_eq!(writer.finish(3), b"\x00\x03\x00\x2amip6-suitelist:{00,9C}\r\nmn-rand:ab0f\r\n\r\n\r\n");
}

#[test]
fn a_written_value_cannot_begin_another_header() {
    let mut writer = Writer::new();
    writer.text(Name::MnId, "alice\r\nauth:00\t\u{7f}");
    assert_eq!(writer.content(), b"mn-id:aliceauth:00\r\n");
}

proptest! {
    #[test]
    fn any_octets_are_read_or_refused_and_msg_octets_are_a_prefix(content in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(headers) = Headers::parse(&content)
            && let Some(msg_octets) = headers.msg_octets()
        {
            prop_assert!(content.starts_with(msg_octets));
            prop_assert!(content[msg_octets.len()..].to_ascii_lowercase().starts_with(b"auth:"));
        }
    }

    #[test]
    fn what_is_written_is_read_back(values in proptest::collection::vec("[!-~]{1,40}", Name::ALL.len()), last in 0usize..27) {
        let others = Name::ALL.iter().copied().filter(|name| *name != Name::Auth);
        let names: Vec<Name> = others.take(last).chain([Name::Auth]).collect();
        let mut writer = Writer::new();
        for (name, value) in names.iter().zip(&values) {
            writer.text(*name, value);
        }
        let octets = writer.finish(9);
        let container = crate::wire::container::Container::parse(&octets).unwrap();
        let headers = Headers::parse(container.content).unwrap();
        for (name, value) in names.iter().zip(&values) {
            prop_assert_eq!(headers.get(*name), Some(value.as_bytes()));
        }
    }
}
