//! The peer's end: one response to one challenge. No second try and no change of password: both need the person, who starts a new run.

use rand_core::CryptoRng;

use super::crypto::{
    CHALLENGE_LEN, NT_RESPONSE_LEN, generate_nt_response, session_keys, verify_authenticator_response as verify,
};
use crate::eap::method::{PeerMethod, Progress, Reply};
use crate::eap::{MAX_IDENTITY_LEN, MethodError, Msk, Type};
use crate::sa::Secret;

/// The peer's end.
pub struct MsChapV2Peer {
    user_name: String,
    password: Secret,
    state: State,
}

enum State {
    AwaitingChallenge,
    AwaitingResult {
        auth_challenge: [u8; CHALLENGE_LEN],
        peer_challenge: [u8; CHALLENGE_LEN],
        nt_response: [u8; NT_RESPONSE_LEN],
    },
    Over(Option<Msk>),
}

const CHALLENGE: u8 = 1;
const RESPONSE: u8 = 2;
const SUCCESS: u8 = 3;
const FAILURE: u8 = 4;

/// Peer-Challenge, eight reserved octets, NT-Response, Flags (RFC 2759 section 4).
const VALUE_LEN: u8 = 49;

impl MsChapV2Peer {
    /// A peer with this name, which may have a domain and a backslash in front, and this password in UTF-8.
    pub fn new(user_name: &str, password: Secret) -> Self {
        Self { user_name: user_name.into(), password, state: State::AwaitingChallenge }
    }

    /// Value-Size, Challenge, the server's name (RFC 2759 section 3).
    fn answer_challenge(&mut self, id: u8, rest: &[u8], rng: &mut dyn CryptoRng) -> Result<Reply, MethodError> {
        if self.user_name.len() > MAX_IDENTITY_LEN {
            return Err(MethodError::TooLong);
        }
        let (&[len], rest) = rest.split_first_chunk().ok_or(MethodError::Malformed)?;
        let auth_challenge = *rest.first_chunk().filter(|_| usize::from(len) == CHALLENGE_LEN).ok_or(MethodError::Malformed)?;
        let mut peer_challenge = [0; CHALLENGE_LEN];
        rng.fill_bytes(&mut peer_challenge);
        let nt_response = generate_nt_response(&auth_challenge, &peer_challenge, &self.user_name, &self.password)?;
        let data = self.response(id, &peer_challenge, &nt_response);
        self.state = State::AwaitingResult { auth_challenge, peer_challenge, nt_response };
        Ok(Reply { data, progress: Progress::Continue })
    }

    /// OpCode, MS-CHAPv2-ID as in the challenge, MS-Length from the OpCode on, Value-Size, Value, Name.
    fn response(&self, id: u8, peer_challenge: &[u8; CHALLENGE_LEN], nt_response: &[u8; NT_RESPONSE_LEN]) -> Vec<u8> {
        let mut data = vec![RESPONSE, id, 0, 0, VALUE_LEN];
        data.extend_from_slice(peer_challenge);
        data.extend_from_slice(&[0; 8]);
        data.extend_from_slice(nt_response);
        data.push(0);
        data.extend_from_slice(self.user_name.as_bytes());
        let len = u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes();
        data.splice(2..4, len);
        data
    }

    /// A Success counts when its authenticator response shows that the server has the password, too (RFC 2759 section 5).
    fn answer_success(&mut self, message: &[u8]) -> Result<Reply, MethodError> {
        let State::AwaitingResult { auth_challenge, peer_challenge, nt_response } = &self.state else {
            return Err(MethodError::OutOfPlace);
        };
        if !verify(message, auth_challenge, peer_challenge, nt_response, &self.user_name, &self.password)? {
            return Err(MethodError::WrongCredentials);
        }
        self.state = State::Over(Msk::new(&session_keys(&self.password, nt_response)?));
        Ok(Reply { data: vec![SUCCESS], progress: Progress::Done })
    }

    /// `E=691 R=1 C=... V=3 M=...` (RFC 2759 section 6).
    fn answer_failure(&mut self) -> Result<Reply, MethodError> {
        if !matches!(self.state, State::AwaitingResult { .. }) {
            return Err(MethodError::OutOfPlace);
        }
        self.state = State::Over(None);
        Ok(Reply { data: vec![FAILURE], progress: Progress::Failed(MethodError::Refused) })
    }
}

impl PeerMethod for MsChapV2Peer {
    fn kind(&self) -> Type {
        Type::MSCHAPV2
    }

    /// OpCode, MS-CHAPv2-ID, MS-Length. That length is not looked at: Type-Data has one, and servers get this one wrong.
    fn handle(&mut self, _identifier: u8, data: &[u8], rng: &mut dyn CryptoRng) -> Result<Reply, MethodError> {
        let (&[op, id, _, _], rest) = data.split_first_chunk().ok_or(MethodError::Malformed)?;
        match (op, &self.state) {
            (CHALLENGE, State::AwaitingChallenge) => self.answer_challenge(id, rest, rng),
            (SUCCESS, _) => self.answer_success(rest),
            (FAILURE, _) => self.answer_failure(),
            _ => Err(MethodError::OutOfPlace),
        }
    }

    fn msk(&self) -> Option<Msk> {
        match &self.state {
            State::Over(msk) => msk.clone(),
            State::AwaitingChallenge | State::AwaitingResult { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::super::crypto::authenticator_message;
    use super::*;

    const AUTH: [u8; 16] = *b"[]|}{?/><,`!2&&(";

    fn peer() -> MsChapV2Peer {
        MsChapV2Peer::new("User", password())
    }

    fn password() -> Secret {
        Secret::new(b"clientPass".to_vec())
    }

    fn handle(peer: &mut MsChapV2Peer, data: &[u8]) -> Result<Reply, MethodError> {
        peer.handle(9, data, &mut StdRng::seed_from_u64(1))
    }

    fn challenge() -> Vec<u8> {
        [&[CHALLENGE, 7, 0, 24, 16][..], &AUTH, b"hac"].concat()
    }

    /// A peer that has answered, and what it answered.
    fn answered() -> (MsChapV2Peer, Vec<u8>) {
        let mut peer = peer();
        let reply = handle(&mut peer, &challenge()).unwrap();
        assert_eq!(reply.progress, Progress::Continue);
        (peer, reply.data)
    }

    /// What a server with this password says to that answer.
    fn success(response: &[u8], server_password: &str) -> Vec<u8> {
        let peer_challenge = response[5..21].try_into().unwrap();
        let nt_response = response[29..53].try_into().unwrap();
        let password = Secret::new(server_password.into());
        let right = authenticator_message(&AUTH, &peer_challenge, &nt_response, "User", &password).unwrap();
        [&[SUCCESS, 7, 0, 46][..], right.as_bytes(), b" M=OK"].concat()
    }

    #[test]
    fn a_response_is_laid_out_as_deployed() {
        let (_, response) = answered();
        assert_eq!(response[..5], [RESPONSE, 7, 0, 58, 49]);
        assert_eq!(response[21..29], [0; 8]);
        assert_eq!(response[53..], *b"\0User");
        let peer_challenge = response[5..21].try_into().unwrap();
        assert_ne!(peer_challenge, [0; 16]);
        let expected = generate_nt_response(&AUTH, &peer_challenge, "User", &password()).unwrap();
        assert_eq!(response[29..53], expected);
    }

    #[test]
    fn a_server_that_has_the_password_is_believed_and_the_key_has_32_octets_and_zeros() {
        let (mut peer, response) = answered();
        assert!(peer.msk().is_none());
        let reply = handle(&mut peer, &success(&response, "clientPass")).unwrap();
        assert_eq!(reply, Reply { data: vec![SUCCESS], progress: Progress::Done });
        let nt_response = response[29..53].try_into().unwrap();
        let keys = session_keys(&password(), &nt_response).unwrap();
        assert_eq!(peer.msk().unwrap().expose(), [keys.expose(), &[0; 32]].concat());
    }

    #[test]
    fn a_server_that_does_not_have_the_password_is_not_believed() {
        let (mut peer, response) = answered();
        let error = handle(&mut peer, &success(&response, "otherPass")).unwrap_err();
        assert_eq!(error, MethodError::WrongCredentials);
        assert!(peer.msk().is_none());
        let (mut peer, _) = answered();
        assert_eq!(handle(&mut peer, &[SUCCESS, 7, 0, 4]).unwrap_err(), MethodError::WrongCredentials);
    }

    #[test]
    fn a_failure_is_answered_and_nothing_follows_it() {
        let (mut peer, response) = answered();
        let failure = [&[FAILURE, 7, 0, 60][..], b"E=691 R=1 C=00112233445566778899AABBCCDDEEFF V=3 M=no"].concat();
        let refused = Reply { data: vec![FAILURE], progress: Progress::Failed(MethodError::Refused) };
        assert_eq!(handle(&mut peer, &failure), Ok(refused));
        for data in [success(&response, "clientPass"), failure, challenge()] {
            assert_eq!(handle(&mut peer, &data).unwrap_err(), MethodError::OutOfPlace);
        }
        assert!(peer.msk().is_none());
    }

    #[test]
    fn what_is_out_of_place_or_malformed_is_refused() {
        for first in [&[SUCCESS, 7, 0, 4][..], &[FAILURE, 7, 0, 4], &[RESPONSE, 7, 0, 4], &[7, 7, 0, 4], &[0, 7, 0, 4]] {
            assert_eq!(handle(&mut peer(), first).unwrap_err(), MethodError::OutOfPlace, "{first:?}");
        }
        assert_eq!(handle(&mut answered().0, &challenge()).unwrap_err(), MethodError::OutOfPlace);
        for cut in 0..21 {
            assert_eq!(handle(&mut peer(), &challenge()[..cut]).unwrap_err(), MethodError::Malformed, "{cut} octets");
        }
        let mut short = challenge();
        short[4] = 8;
        assert_eq!(handle(&mut peer(), &short).unwrap_err(), MethodError::Malformed);
    }

    #[test]
    fn a_name_longer_than_253_octets_is_not_sent() {
        let answer = |len| handle(&mut MsChapV2Peer::new(&"a".repeat(len), password()), &challenge()).err();
        assert_eq!((answer(253), answer(254)), (None, Some(MethodError::TooLong)));
    }
}
