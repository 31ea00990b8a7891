//! MHAuth: the exchange in which a mobile node authenticates to its Home Agent Controller inside TLS and gets its security
//! association, home agent and home addresses (RFC 6618 section 5).
