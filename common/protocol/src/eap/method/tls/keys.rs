//! The keys that TLS gives to a method.

use super::connection::{TlsConnection, TlsVersion};
use crate::eap::{MethodError, Msk, TlsFailure, Type};
use crate::sa::Secret;

/// Under TLS 1.3, for all methods (RFC 9190 section 2.3; RFC 9427): the context is the method's Type.
const LABEL_13: &[u8] = b"EXPORTER_EAP_TLS_Key_Material";
/// EAP-TLS (RFC 5216 section 2.3) and PEAP under TLS 1.2.
const LABEL_TLS_12: &[u8] = b"client EAP encryption";
/// EAP-TTLS under TLS 1.2 (RFC 5281 section 8).
const LABEL_TTLS_12: &[u8] = b"ttls keying material";
/// MSK and EMSK. An exporter of TLS 1.3 gives other octets for another length, so both are asked for.
const KEY_MATERIAL_LEN: usize = 128;

/// The MSK of the method of this `kind`: the first half of the key material.
///
/// # Errors
/// The handshake is not complete.
pub(super) fn msk(tls: &(impl TlsConnection + ?Sized), kind: Type) -> Result<Msk, MethodError> {
    let unfinished = MethodError::Tls(TlsFailure::Handshake);
    let context = [kind.0];
    let (label, context) = match (tls.version().ok_or(unfinished)?, kind) {
        (TlsVersion::V13, _) => (LABEL_13, Some(context.as_slice())),
        (TlsVersion::V12, Type::TTLS) => (LABEL_TTLS_12, None),
        (TlsVersion::V12, _) => (LABEL_TLS_12, None),
    };
    let material = tls.export(label, context, KEY_MATERIAL_LEN).map_err(MethodError::Tls)?;
    let msk = material.expose().get(..Msk::LEN).map(|octets| Secret::new(octets.to_vec()));
    msk.and_then(|octets| Msk::new(&octets)).ok_or(unfinished)
}
