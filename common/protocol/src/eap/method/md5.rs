//! EAP-MD5 (RFC 3748 section 5.4), the peer's end: a challenge, hashed with the password. The server is not authenticated and there is no
//! key, so MHAuth takes it only where the subscriber's policy allows it by name.

use md5::{Digest, Md5 as Hash};
use rand_core::CryptoRng;

use super::{PeerMethod, Progress, Reply};
use crate::eap::{MethodError, Msk, Type};
use crate::sa::Secret;

/// The peer's end.
pub struct Md5 {
    password: Secret,
}

impl Md5 {
    /// A peer with this password, whose octets are hashed as they are.
    pub fn new(password: Secret) -> Self {
        Self { password }
    }
}

impl PeerMethod for Md5 {
    fn kind(&self) -> Type {
        Type::MD5
    }

    /// Value-Size, Value and the server's name, answered with Value-Size and Value (RFC 1994 section 4.1). Each request is a whole run.
    fn handle(&mut self, identifier: u8, data: &[u8], _rng: &mut dyn CryptoRng) -> Result<Reply, MethodError> {
        let (len, rest) = data.split_first().ok_or(MethodError::Malformed)?;
        let challenge = rest.get(..usize::from(*len)).filter(|challenge| !challenge.is_empty()).ok_or(MethodError::Malformed)?;
        let value =
            Hash::new().chain_update([identifier]).chain_update(self.password.expose()).chain_update(challenge).finalize();
        let mut data = vec![VALUE_LEN];
        data.extend_from_slice(&value);
        Ok(Reply { data, progress: Progress::MayEnd })
    }

    fn msk(&self) -> Option<Msk> {
        None
    }
}

/// Octets of MD5's hash.
const VALUE_LEN: u8 = 16;

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn handle(data: &[u8]) -> Result<Reply, MethodError> {
        Md5::new(Secret::new(b"sesame".to_vec())).handle(0x2a, data, &mut StdRng::seed_from_u64(1))
    }

    #[test]
    fn the_identifier_the_password_and_the_challenge_are_hashed() {
        let data = [&[16][..], &(0..16).collect::<Vec<_>>(), b"aaa.example.org"].concat();
        let reply = handle(&data).unwrap();
        assert_eq!(hex::encode(reply.data), "103bf8699574fa2fa62893376fd69fca04");
        assert_eq!(reply.progress, Progress::MayEnd);
        assert!(Md5::new(Secret::empty()).msk().is_none());
    }

    #[test]
    fn a_challenge_that_is_empty_or_cut_short_is_malformed() {
        for data in [&[][..], &[0], &[0, 1], &[2, 1], &[255, 1, 2]] {
            assert_eq!(handle(data).unwrap_err(), MethodError::Malformed, "{data:?}");
        }
    }
}
