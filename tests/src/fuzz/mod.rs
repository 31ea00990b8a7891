//! What the fuzz targets do with one input. `fuzz/` runs these under libFuzzer, `tests/corpus` runs them over the committed
//! corpus with any toolchain. A body panics where a promise is broken; whatever else it is given, it returns.

pub mod clear;
pub mod dynamic_authorization;
pub mod eap;
pub mod exchange;
pub mod exit_point;
pub mod frames;
pub mod gpsk;
pub mod mhauth_eap;
pub mod nat64;
pub mod neighbour;
pub mod offload;
pub mod over_tls;
pub mod packet;
pub mod pieces;
pub mod portal;
pub mod radius;
pub mod relay;
pub mod world;

/// What a target does with one input.
pub type Body = fn(&[u8]);

/// Every target: its name (of `fuzz/fuzz_targets/<name>.rs` and `fuzz/corpus/<name>/`) and its body. A line here and a file
/// there are a new target.
pub const TARGETS: &[(&str, Body)] = &[
    ("container", exchange::container),
    ("dynamic_authorization", dynamic_authorization::dynamic_authorization),
    ("eap", eap::eap),
    ("eap_tls_fragments", over_tls::eap_tls_fragments),
    ("exit_point", exit_point::exit_point),
    ("gpsk", gpsk::gpsk),
    ("inner_packet", packet::inner_packet),
    ("merge", offload::merge),
    ("mhauth_eap", mhauth_eap::mhauth_eap),
    ("mhauth_initiator", exchange::mhauth_initiator),
    ("mhauth_responder", exchange::mhauth_responder),
    ("nat64", nat64::nat64),
    ("neighbour", neighbour::neighbour),
    ("portal", portal::portal),
    ("ptype_0", clear::ptype_0),
    ("radius", radius::radius),
    ("radius_frames", frames::radius_frames),
    ("relay_frames", relay::relay_frames),
    ("segments", offload::segments),
    ("signalling", packet::signalling),
    ("ttls_avp", over_tls::ttls_avp),
    ("world", world::world),
];
