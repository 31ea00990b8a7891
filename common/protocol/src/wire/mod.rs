//! Octets <-> meaning, without state.
