//! EAP methods: one a file, with the ends that are built. A method sees Type-Data alone: Code, Identifier, Nak and the order of the whole
//! are the machines' ([`super::peer`], [`super::authenticator`]).

pub mod gpsk;
pub mod md5;
pub mod mschapv2;
pub mod tls;

use rand_core::CryptoRng;

use super::{MethodError, Msk, Type};
use crate::sa::Secret;

/// The peer's end of a method.
pub trait PeerMethod: Send {
    /// Which method.
    fn kind(&self) -> Type;

    /// Takes the Type-Data of a request with this Identifier and gives that of the response. Not called again once it has failed or
    /// said [`Progress::Done`] or [`Progress::Failed`].
    ///
    /// # Errors
    /// The request cannot be answered: the run is over.
    fn handle(&mut self, identifier: u8, data: &[u8], rng: &mut dyn CryptoRng) -> Result<Reply, MethodError>;

    /// The key, from the first [`Progress::MayEnd`] or [`Progress::Done`] on; `None` for a method that derives none.
    fn msk(&self) -> Option<Msk>;

    /// A Success was accepted: what is of use to a later run may be kept.
    fn succeed(&mut self) {}
}

/// A peer's response.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    /// Type-Data.
    pub data: Vec<u8>,
    /// What may follow.
    pub progress: Progress,
}

/// Where a peer's method stands (`methodState` and `decision` of RFC 4137 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Another request must come; a Success before it is forged (CONT, FAIL).
    Continue,
    /// The server may be content with this response, or go on (MAY_CONT, COND_SUCC).
    MayEnd,
    /// The method is complete, the server authenticated where the method does that (DONE, UNCOND_SUCC).
    Done,
    /// The response tells the server why this end does not go on; nothing but a Failure may follow (DONE, FAIL).
    Failed(MethodError),
}

/// The server's end of a method, in a HAC that is the EAP server itself.
pub trait ServerMethod: Send {
    /// Which method.
    fn kind(&self) -> Type;

    /// The Type-Data of the first request.
    fn start(&mut self, around: &mut Around<'_>) -> Vec<u8>;

    /// Takes the Type-Data of the response to the last request.
    ///
    /// # Errors
    /// The run is over: EAP-Failure.
    fn handle(&mut self, data: &[u8], around: &mut Around<'_>) -> Result<ServerStep, MethodError>;
}

/// What a server's method does next.
#[derive(Debug)]
pub enum ServerStep {
    /// Send a request with this Type-Data.
    Request(Vec<u8>),
    /// The peer is authenticated: EAP-Success.
    Authenticated {
        /// Who it is: the identity that the method has authenticated, not the one that the peer gave before.
        identity: String,
        /// The key.
        msk: Option<Msk>,
    },
}

/// What a server's method reaches for while it handles one response.
pub struct Around<'a> {
    /// The CSPRNG.
    pub rng: &'a mut dyn CryptoRng,
    /// Subscribers and their keys.
    pub directory: &'a mut dyn Directory,
}

/// Where a server's method finds a subscriber's key.
pub trait Directory {
    /// The pre-shared key of an enabled subscriber; of a name that is unknown a pseudo-key, the same each time, under which the method
    /// fails like with a wrong key.
    ///
    /// # Errors
    /// [`MethodError::Unavailable`] where it cannot be read.
    fn pre_shared_key(&mut self, identity: &str) -> Result<Secret, MethodError>;
}
