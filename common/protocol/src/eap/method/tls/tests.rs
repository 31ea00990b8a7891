//! The methods over a scripted connection.
