//! Writes what a request is answered with: ACK or NAK, bound to the request by Response Authenticator (RFC 5176 section 2.3).

use protocol::sa::Secret;

use super::order::{AUTHORIZE_ONLY, ErrorCause};
use super::request::Request;
use crate::aaa::attribute::Kind;
use crate::aaa::digest;
use crate::aaa::packet::{AttributeList, Authenticator, HEADER_LEN, TooLong};

/// What has become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is done, and on disk.
    Done,
    /// It is not; or, with [`ErrorCause::RequestInitiated`], the AAA server is asked anew.
    Refused(ErrorCause),
}

/// The answer. Message-Authenticator, where the request has one, is the first attribute of it.
///
/// # Errors
/// The request is so long that what must go back with its answer does not fit: it gets none.
pub fn write(request: &Request, verdict: Verdict, secret: &Secret) -> Result<Vec<u8>, TooLong> {
    let mut list = AttributeList::default();
    let code = match verdict {
        Verdict::Done => request.code.acknowledgement(),
        Verdict::Refused(cause) => {
            list.push(Kind::ERROR_CAUSE, &(cause as u32).to_be_bytes())?;
            request.code.acknowledgement() + 1
        }
    };
    if verdict == Verdict::Refused(ErrorCause::RequestInitiated) {
        list.push(Kind::SERVICE_TYPE, &AUTHORIZE_ONLY.to_be_bytes())?;
    }
    // Both as they came (RFC 5176 sections 3.1 and 3.3), each kind in its order.
    for kind in [Kind::STATE, Kind::PROXY_STATE] {
        request.attributes().all(kind).try_for_each(|value| list.push(kind, value))?;
    }
    Ok(seal(code, request, list.octets(), secret))
}

fn seal(code: u8, request: &Request, attributes: &[u8], secret: &Secret) -> Vec<u8> {
    let zeros: &[u8] = &[0; size_of::<Authenticator>()];
    let mac_header: &[u8] = if request.is_signed { &[Kind::MESSAGE_AUTHENTICATOR.0, 18] } else { &[] };
    let mac_len = if request.is_signed { mac_header.len() + zeros.len() } else { 0 };
    // Bounded by AttributeList::MAX_LEN.
    let [high, low] = ((HEADER_LEN + mac_len + attributes.len()) as u16).to_be_bytes();
    let head = [code, request.identifier, high, low];
    let mac = request.is_signed.then(|| digest::hmac(secret, &[&head, &request.authenticator, mac_header, zeros, attributes]));
    let attributes = [mac_header, mac.as_ref().map_or(&[], <[u8; 16]>::as_slice), attributes].concat();
    let authenticator = digest::hash(&[&head, &request.authenticator, &attributes, secret.expose()]);
    [&head[..], authenticator.as_slice(), &attributes].concat()
}

#[cfg(test)]
mod tests;
