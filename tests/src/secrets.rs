//! What must not stand in a log: keys in any form that somebody might print them in, and names of subscribers above DEBUG.

/// Octets of a key that are enough to recognise it: as many would not come by chance.
const RECOGNISED: usize = 8;

/// Texts that give secrets away.
#[derive(Debug, Default)]
pub struct Secrets(Vec<Secret>);

#[derive(Debug)]
struct Secret {
    what: String,
    /// In lower case.
    texts: Vec<String>,
}

impl Secrets {
    /// `octets` are a key; `what` says which.
    pub fn add(&mut self, what: &str, octets: &[u8]) {
        let starts = (0..octets.len()).step_by(RECOGNISED).map(|start| start.min(octets.len().saturating_sub(RECOGNISED)));
        let texts = starts.flat_map(|start| written(&octets[start..octets.len().min(start + RECOGNISED)])).collect();
        self.0.push(Secret { what: what.to_owned(), texts });
    }

    /// `text` is a secret as it is, such as a line of a PEM file.
    pub fn add_text(&mut self, what: &str, text: &str) {
        self.0.push(Secret { what: what.to_owned(), texts: vec![text.to_lowercase()] });
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none: then nothing is ever found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Which of them `log` gives away.
    pub fn found_in(&self, log: &str) -> Vec<&str> {
        let log = log.to_lowercase();
        let is_in = |secret: &&Secret| secret.texts.iter().any(|text| log.contains(text));
        self.0.iter().filter(is_in).map(|secret| secret.what.as_str()).collect()
    }
}

/// As hexadecimal digits, as `{:?}`, `{:x?}` and `{:#x?}` print a list, and as they print a byte string.
fn written(octets: &[u8]) -> Vec<String> {
    let list = |each: &dyn Fn(&u8) -> String| octets.iter().map(each).collect::<Vec<_>>().join(", ");
    let mut texts = vec![hex::encode(octets), octets.escape_ascii().to_string()];
    texts.extend([list(&u8::to_string), list(&|octet| format!("{octet:x}")), list(&|octet| format!("0x{octet:x}"))]);
    texts.into_iter().map(|text| text.to_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_every_form_whole_and_in_part_and_another_is_not() {
        let key: Vec<u8> = (0xa0..0xb4).collect();
        let mut secrets = Secrets::default();
        secrets.add("SA key", &key);
        let forms = [
            hex::encode(&key),
            hex::encode_upper(&key),
            format!("{key:?}"),
            format!("{key:x?}"),
            format!("{:#x?}", key).replace('\n', "").replace(",    ", ", ").replace("    ", ""),
            format!("b\"{}\"", key.escape_ascii()),
            format!("key={}…", hex::encode(&key[..8])),
            format!("…{}", hex::encode(&key[12..])),
        ];
        for form in forms {
            assert_eq!(secrets.found_in(&format!("before {form} behind")), ["SA key"], "{form}");
        }
        let other: Vec<u8> = (0xa1..0xb5).rev().collect();
        for form in [hex::encode(&other), format!("{other:?}"), "nothing".to_owned(), hex::encode(&key[..7])] {
            assert!(secrets.found_in(&form).is_empty(), "{form}");
        }
    }

    #[test]
    fn a_text_is_found_as_it_is() {
        let mut secrets = Secrets::default();
        assert!(secrets.is_empty());
        secrets.add_text("private key", "MIGHAgEAMBMG");
        assert_eq!((secrets.found_in("a MIGHAgEAMBMG b"), secrets.len()), (vec!["private key"], 1));
    }
}
