//! The exchange, both ends against each other and against malformed messages.
