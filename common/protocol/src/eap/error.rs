//! Why an EAP run ends without success.

use super::Type;

/// Why a machine does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EapError {
    /// The octets are no EAP packet, or one of the other direction.
    #[error("the EAP packet is malformed")]
    Malformed,
    /// A response or a result does not belong to the packet before it.
    #[error("the EAP Identifier is not that of the packet before")]
    Identifier,
    /// An EAP-Success came before the method had authenticated the server.
    #[error("EAP-Success came before the method was complete")]
    EarlySuccess,
    /// The other end said no.
    #[error("the EAP server sent EAP-Failure")]
    Failure,
    /// A request or response of another type than the method that is running, or after its end.
    #[error("a packet of {0} came where it has no place")]
    OutOfPlace(Type),
    /// There is no method that both ends have.
    #[error("no EAP method in common")]
    NoCommonMethod,
    /// More requests than [`super::MAX_REQUESTS`].
    #[error("the EAP run takes too many requests")]
    TooManyRequests,
    /// The identity is longer than [`super::MAX_IDENTITY_LEN`] or empty.
    #[error("the EAP identity is empty or too long")]
    Identity,
    /// The method failed.
    #[error("{0}: {1}")]
    Method(Type, MethodError),
}

/// Why a method failed. The sentences are for the person at the mobile node as well as for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MethodError {
    /// The octets are not of the method's grammar.
    #[error("a message is malformed")]
    Malformed,
    /// Well-formed, but not what comes next.
    #[error("a message came where it has no place")]
    OutOfPlace,
    /// A message or a sum of fragments above the method's bound.
    #[error("a message is too long")]
    TooLong,
    /// A MAC, a response or an authenticator that the key or password does not give.
    #[error("the other end does not have the same key or password")]
    WrongCredentials,
    /// The other end said, within the method, that it does not accept us.
    #[error("the other end does not accept the key or password")]
    Refused,
    /// A nonce, identity or choice that came back is not the one sent.
    #[error("what came back is not what was sent")]
    Mismatch,
    /// Nothing that both ends have.
    #[error("no cipher suite in common")]
    NoCommonSuite,
    /// No such key, or no such subscriber.
    #[error("there is no such identity")]
    UnknownIdentity,
    /// A pre-shared key of ours that the method cannot take.
    #[error("the pre-shared key has fewer than 16 octets; use the key that `hac subscriber add` wrote")]
    ShortKey,
    /// A password that MSCHAPv2 cannot take.
    #[error("the password is not UTF-8 text of at most 256 characters; correct it in the configuration")]
    Password,
    /// The TLS handshake failed; the sentence is in [`TlsFailure`].
    #[error("{0}")]
    Tls(TlsFailure),
    /// The directory of subscribers cannot be read.
    #[error("the directory of subscribers does not answer")]
    Unavailable,
}

/// Why TLS inside a method failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFailure {
    /// The other end's certificate is signed by nobody that is trusted here.
    #[error("the other end's certificate is not signed by a CA that is trusted here")]
    UnknownAuthority,
    /// It is for another name.
    #[error("the other end's certificate is for another name")]
    WrongName,
    /// It has expired, or is not valid yet.
    #[error("the other end's certificate has expired or is not valid yet; check both clocks")]
    Expired,
    /// It is not fit for another reason.
    #[error("the other end's certificate is refused")]
    Certificate,
    /// The other end sent an alert that says that it does not take our certificate.
    #[error("the other end refuses this end's certificate")]
    OwnCertificate,
    /// The other end sent another alert.
    #[error("the other end ended TLS with an alert")]
    Alert,
    /// Versions, suites, records.
    #[error("the TLS handshake failed")]
    Handshake,
}
