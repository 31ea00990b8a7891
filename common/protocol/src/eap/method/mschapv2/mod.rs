//! EAP-MSCHAPv2 (type 26) as it is deployed: RFC 2759's packets in EAP. It lives inside PEAP and EAP-TTLS only, where nobody listens: who
//! reads one response in the clear finds the password's hash by trying 2^56 keys.

pub mod crypto;
mod peer;

pub use peer::MsChapV2Peer;
