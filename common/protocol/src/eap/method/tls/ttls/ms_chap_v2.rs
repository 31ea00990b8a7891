//! MS-CHAP-V2 in AVPs (RFC 5281 section 11.2.4): the challenge comes from TLS itself, so that a response is of use in this tunnel alone.

use rand_core::CryptoRng;

use super::Credentials;
use crate::eap::method::Progress;
use crate::eap::method::mschapv2::crypto::{CHALLENGE_LEN, NT_RESPONSE_LEN, generate_nt_response, verify_authenticator_response};
use crate::eap::method::tls::avp::{Avp, Code};
use crate::eap::method::tls::connection::PeerTlsConnection;
use crate::eap::{MethodError, TlsFailure};

/// Section 11.1; under TLS 1.3 an exporter's label as well, without a context.
const CHALLENGE_LABEL: &[u8] = b"ttls challenge";
/// The challenge, then the Ident.
const IMPLICIT_LEN: usize = CHALLENGE_LEN + 1;
/// Flags before the peer's challenge, and what is reserved behind it: zeros.
const RESERVED: [u8; 8] = [0; 8];

/// What was sent, and is proved by the server.
pub(super) struct MsChapV2 {
    auth_challenge: [u8; CHALLENGE_LEN],
    ident: u8,
    peer_challenge: [u8; CHALLENGE_LEN],
    nt_response: [u8; NT_RESPONSE_LEN],
}

impl MsChapV2 {
    pub(super) fn new(
        tls: &dyn PeerTlsConnection,
        credentials: &Credentials,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, MethodError> {
        let implicit = tls.export(CHALLENGE_LABEL, None, IMPLICIT_LEN).map_err(MethodError::Tls)?;
        let split = implicit.expose().split_first_chunk::<CHALLENGE_LEN>();
        let Some((&auth_challenge, &[ident])) = split else { return Err(MethodError::Tls(TlsFailure::Handshake)) };
        let mut peer_challenge = [0; CHALLENGE_LEN];
        rng.fill_bytes(&mut peer_challenge);
        let nt_response = generate_nt_response(&auth_challenge, &peer_challenge, &credentials.user, &credentials.password)?;
        Ok(Self { auth_challenge, ident, peer_challenge, nt_response })
    }

    pub(super) fn challenge(&self) -> &[u8] {
        &self.auth_challenge
    }

    /// MS-CHAP2-Response (RFC 2548 section 2.3.2): Ident, Flags, Peer-Challenge, Reserved, Response.
    pub(super) fn response(&self) -> Vec<u8> {
        let mut octets = vec![self.ident, 0];
        octets.extend(self.peer_challenge);
        octets.extend(RESERVED);
        octets.extend(self.nt_response);
        octets
    }

    /// The server's answer: it proves that it has the password, or says why it is not content.
    pub(super) fn judge(&self, avps: &[Avp<'_>], credentials: &Credentials) -> Result<Progress, MethodError> {
        let of = |code| avps.iter().find(|avp| avp.code == code).map(|avp| avp.data);
        if of(Code::MS_CHAP_ERROR).is_some() {
            return Ok(Progress::Failed(MethodError::Refused));
        }
        let Some((ident, message)) = of(Code::MS_CHAP2_SUCCESS).and_then(<[u8]>::split_first) else {
            return Err(MethodError::OutOfPlace);
        };
        let Credentials { user, password } = credentials;
        let is_right = *ident == self.ident
            && verify_authenticator_response(
                message,
                &self.auth_challenge,
                &self.peer_challenge,
                &self.nt_response,
                user,
                password,
            )?;
        Ok(if is_right { Progress::Done } else { Progress::Failed(MethodError::WrongCredentials) })
    }
}
