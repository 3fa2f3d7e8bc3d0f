//! What adversaries try on keys, envelopes, rosters and TLS, through the public interface.

mod keys;
mod laws;
mod roster;
mod support;
mod tls;
