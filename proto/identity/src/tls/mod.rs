//! The one rustls set-up of Quorate: TLS 1.3 only, ring, no resumption, ALPN `h2`.
//!
//! Resumption is off because a resumed session skips verification and would let a revoked
//! party in. The server *asks* for a client certificate but does not insist, because enrolment
//! works without one: **every other handler must call [`peer`] on the certificate the client
//! presented, and refuse when there is none.**

mod config;
mod csr;
mod peer;
mod probe;

pub use config::{client_config, enrol_client_config, server_config};
pub use csr::{Csr, check_csr, new_csr};
pub use peer::{PeerIdentity, UriError, certificates, fingerprint, parse_uri, peer, uri};
pub use probe::{ChainLink, Presented, Verdict, describe, judge, probe_config};

/// What can go wrong while setting up TLS; the fault lies with the files or peer named.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM text holds no certificate.
    #[error("{0}: no certificate in PEM form")]
    NoCertificate(&'static str),
    /// A PEM text holds no private key.
    #[error("no private key in PEM form")]
    NoKey,
    /// A certificate cannot be read.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// A certificate names no party, or several.
    #[error(transparent)]
    Uri(#[from] UriError),
    /// A signing request is malformed, asks for another name, or its signature is wrong.
    #[error("the certificate request is refused: {0}")]
    Csr(&'static str),
    /// Key generation or encoding failed.
    #[error("cannot make a certificate request: {0}")]
    Rcgen(#[from] rcgen::Error),
    /// rustls did not accept certificate, key or authority.
    #[error("TLS set-up: {0}")]
    Rustls(#[from] rustls::Error),
    /// The client certificate authority is unusable.
    #[error("certificate authority: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}
