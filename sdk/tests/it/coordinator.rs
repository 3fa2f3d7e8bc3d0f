//! A coordinator on loopback.
