//! A home agent's name: the dNSName in the Subject Alternative Name of its certificate (RFC 5280 section 4.2.1.6).
//!
//! Called after TLS has verified the chain; it only reads the name, and takes exactly one without a wildcard.

use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

/// Why a certificate names no home agent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No X.509 certificate.
    #[error("the certificate cannot be parsed: make it anew with `hac ha add NAME`")]
    Unparsable,
    /// No dNSName.
    #[error("the certificate has no dNSName in its Subject Alternative Name: make it with `hac ha add NAME`")]
    NoName,
    /// More than one dNSName.
    #[error("the certificate has {0} dNSNames, a home agent has one name: make it with `hac ha add NAME`")]
    ManyNames(usize),
    /// A wildcard or an empty name.
    #[error("the certificate's dNSName \"{0}\" is no plain name (no wildcard): make it with `hac ha add NAME`")]
    NotPlain(String),
}

/// The home agent's name in a DER certificate, in lower case.
pub fn ha_name(der: &[u8]) -> Result<String, NameError> {
    let (_, certificate) = parse_x509_certificate(der).map_err(|_| NameError::Unparsable)?;
    let extension = certificate.subject_alternative_name().map_err(|_| NameError::Unparsable)?;
    let names = extension.iter().flat_map(|extension| &extension.value.general_names);
    let names: Vec<&str> = names.filter_map(dns_name).collect();
    match names.as_slice() {
        [] => Err(NameError::NoName),
        [name] if name.is_empty() || name.contains('*') => Err(NameError::NotPlain((*name).to_owned())),
        [name] => Ok(name.to_ascii_lowercase()),
        names => Err(NameError::ManyNames(names.len())),
    }
}

fn dns_name<'a>(name: &GeneralName<'a>) -> Option<&'a str> {
    if let GeneralName::DNSName(text) = name { Some(*text) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(names: &[&str]) -> Vec<u8> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        rcgen::generate_simple_self_signed(names).unwrap().cert.der().to_vec()
    }

    #[test]
    fn a_home_agent_is_known_by_the_one_plain_name_in_its_certificate() {
        assert_eq!(ha_name(&certificate(&["HA1", "192.0.2.1"])), Ok("ha1".to_owned()));
        assert_eq!(ha_name(&certificate(&["192.0.2.1"])), Err(NameError::NoName));
        assert_eq!(ha_name(&certificate(&["ha1", "ha2"])), Err(NameError::ManyNames(2)));
        assert_eq!(ha_name(&certificate(&["*.example.org"])), Err(NameError::NotPlain("*.example.org".to_owned())));
        assert_eq!(ha_name(b"no certificate"), Err(NameError::Unparsable));
    }
}
