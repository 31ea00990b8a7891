use super::*;
use crate::tls::in_memory::identity;

fn named(alternatives: &[SanType], common_names: &[&str]) -> Option<String> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = alternatives.to_vec();
    params.distinguished_name = rcgen::DistinguishedName::new();
    for name in common_names {
        params.distinguished_name.push(DnType::CommonName, *name);
    }
    identity::of(&Authority::new().certify(&params).chain[0])
}

fn mail(name: &str) -> SanType {
    SanType::Rfc822Name(name.try_into().unwrap())
}

fn principal(name: &str) -> SanType {
    SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3], rcgen::OtherNameValue::Utf8String(name.to_owned())))
}

fn host(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

#[test]
fn the_mail_name_counts_before_the_principal_name_and_that_before_the_common_name() {
    for (alternatives, common_name, expected) in [
        (&[principal("carol@c.example"), mail("alice@a.example"), host("h.example")][..], "bob", "alice@a.example"),
        (&[host("h.example"), principal("carol@c.example")], "bob", "carol@c.example"),
        (&[host("h.example")], "bob", "bob"),
        (&[], "bob@b.example", "bob@b.example"),
    ] {
        assert_eq!(named(alternatives, &[common_name]).as_deref(), Some(expected));
    }
}

#[test]
fn hosts_name_nobody_and_two_names_of_one_kind_are_no_identity() {
    for (alternatives, common_names) in [
        (&[host("h.example")][..], &[][..]),
        (&[], &[]),
        (&[mail("alice@a.example"), mail("carol@c.example")], &["bob"]),
        (&[principal("alice@a.example"), principal("carol@c.example")], &["bob"]),
        (&[principal("")], &["bob"]),
    ] {
        assert_eq!(named(alternatives, common_names), None);
    }
    assert_eq!(identity::of(&CertificateDer::from(b"no certificate".as_slice())), None);
}
