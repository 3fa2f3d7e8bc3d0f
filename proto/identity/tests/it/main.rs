//! What adversaries try on keys, envelopes, rosters and TLS, through the public interface.

#[cfg(test)]
mod keys;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod roster;
#[cfg(test)]
mod stamps;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tls;
