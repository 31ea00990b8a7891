//! EAP-TTLS version 0 (RFC 5281), the peer's end: TLS to a server whose certificate is verified, and within it the user's name and
//! password, as PAP or as MS-CHAP-V2.
//!
//! With MS-CHAP-V2 the server proves that it has the password as well; with PAP it is told the password, and its certificate is all that
//! stands for it. A server may also offer version 1, which this end answers with 0 (section 9.2).

mod ms_chap_v2;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use self::ms_chap_v2::MsChapV2;
use super::avp::{self, Avp, Code};
use super::connection::{PeerTlsConnection, TlsVersion};
use super::peer::{Inner, TlsPeer};
use crate::eap::method::{PeerMethod, Progress};
use crate::eap::{MethodError, Type};
use crate::sa::Secret;

/// How the password goes within TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InnerMethod {
    /// In the clear within TLS (section 11.2.5).
    Pap,
    /// As MS-CHAP-V2 (section 11.2.4).
    MsChapV2,
}

/// A user within TLS.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The name.
    pub user: String,
    /// The password, UTF-8.
    pub password: Secret,
}

/// One run over this connection.
pub fn peer(tls: Box<dyn PeerTlsConnection>, inner: InnerMethod, credentials: Credentials) -> impl PeerMethod {
    TlsPeer::new(Type::TTLS, tls, Ttls { inner, credentials, state: State::Handshake })
}

/// Under TLS 1.3 the server's protected success indication where no inner method gives one (RFC 9427, RFC 9190 section 2.5).
const SUCCESS_INDICATION: &[u8] = &[0];
/// PAP's password is filled up with zeros to a multiple of this, which hides its length a little (section 11.2.5).
const PAP_BLOCK_LEN: usize = 16;

struct Ttls {
    inner: InnerMethod,
    credentials: Credentials,
    state: State,
}

enum State {
    Handshake,
    /// This session was authenticated before: the server may be content, or want the password all the same. Its tickets may come first,
    /// so it wants that who says nothing for a second time.
    Resumed {
        has_acknowledged: bool,
    },
    PapSent,
    MsChapV2Sent(MsChapV2),
}

impl Inner for Ttls {
    fn finish(&mut self, tls: &dyn PeerTlsConnection) -> Progress {
        if !tls.is_resumed() {
            return Progress::Continue;
        }
        self.state = State::Resumed { has_acknowledged: false };
        Progress::MayEnd
    }

    fn handle(
        &mut self,
        _: u8,
        plaintext: &Secret,
        tls: &mut dyn PeerTlsConnection,
        rng: &mut dyn CryptoRng,
    ) -> Result<Progress, MethodError> {
        let has_indicated = tls.version() == Some(TlsVersion::V13) && plaintext.expose() == SUCCESS_INDICATION;
        match &self.state {
            State::Resumed { .. } | State::PapSent if has_indicated => Ok(Progress::Done),
            State::Resumed { has_acknowledged: false } if plaintext.is_empty() => {
                self.state = State::Resumed { has_acknowledged: true };
                Ok(Progress::MayEnd)
            }
            State::Handshake | State::Resumed { .. } if plaintext.is_empty() => self.begin(tls, rng),
            State::Handshake | State::Resumed { .. } => Err(MethodError::OutOfPlace),
            State::PapSent => check_known(&avp::parse(plaintext.expose())?).map(|()| Progress::MayEnd),
            State::MsChapV2Sent(_) if plaintext.is_empty() => Ok(Progress::Continue),
            State::MsChapV2Sent(sent) => {
                let avps = avp::parse(plaintext.expose())?;
                check_known(&avps)?;
                sent.judge(&avps, &self.credentials)
            }
        }
    }
}

impl Ttls {
    fn begin(&mut self, tls: &mut dyn PeerTlsConnection, rng: &mut dyn CryptoRng) -> Result<Progress, MethodError> {
        let user = Avp::mandatory(Code::USER_NAME, self.credentials.user.as_bytes());
        match self.inner {
            InnerMethod::Pap => {
                let password = padded(&self.credentials.password);
                write(tls, &[user, Avp::mandatory(Code::USER_PASSWORD, &password)])?;
                self.state = State::PapSent;
                Ok(Progress::MayEnd)
            }
            InnerMethod::MsChapV2 => {
                let sent = MsChapV2::new(tls, &self.credentials, rng)?;
                let challenge = Avp::mandatory(Code::MS_CHAP_CHALLENGE, sent.challenge());
                write(tls, &[user, challenge, Avp::mandatory(Code::MS_CHAP2_RESPONSE, &sent.response())])?;
                self.state = State::MsChapV2Sent(sent);
                Ok(Progress::Continue)
            }
        }
    }
}

/// What must be understood and is not ends the run (section 10.1).
fn check_known(avps: &[Avp<'_>]) -> Result<(), MethodError> {
    let known = [Code::REPLY_MESSAGE, Code::MS_CHAP2_SUCCESS, Code::MS_CHAP_ERROR];
    let is_unknown = avps.iter().any(|avp| avp.is_mandatory && !known.contains(&avp.code));
    if is_unknown { Err(MethodError::OutOfPlace) } else { Ok(()) }
}

/// At once into octets of the right number, so that no copy of a password is left behind.
fn write(tls: &mut dyn PeerTlsConnection, avps: &[Avp<'_>]) -> Result<(), MethodError> {
    let mut octets = Zeroizing::new(Vec::with_capacity(avps.iter().map(Avp::written_len).sum()));
    avps.iter().for_each(|avp| avp.write(&mut octets));
    tls.write(&octets).map_err(MethodError::Tls)
}

fn padded(password: &Secret) -> Zeroizing<Vec<u8>> {
    let len = password.len().max(1).next_multiple_of(PAP_BLOCK_LEN);
    let mut octets = Zeroizing::new(Vec::with_capacity(len));
    octets.extend_from_slice(password.expose());
    octets.resize(len, 0);
    octets
}
