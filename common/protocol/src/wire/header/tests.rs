//! TV-headers.
