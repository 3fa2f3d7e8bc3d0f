//! Looking at a server without trusting it: who issued the certificate that we are shown?
//!
//! Hospitals often have a proxy that opens TLS and signs it again with its own authority. The
//! probe records what is presented and refuses it, always; nothing is ever sent over it.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::version::TLS13;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::tls::TlsError;
use crate::tls::config::{provider, roots, tighten};

/// The chain that a server presented to a probe; empty until the handshake got that far.
#[derive(Clone, Debug, Default)]
pub struct Presented(Arc<Mutex<Vec<CertificateDer<'static>>>>);

impl Presented {
    /// The chain, leaf first.
    #[must_use]
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// One certificate of a chain, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainLink {
    /// Whom it names.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// SHA-256 of the certificate, `sha256:` and hex.
    pub sha256: String,
    /// End of validity, unix seconds.
    pub not_after: i64,
}

/// Whose certificate a server presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The chain ends in our own authority and fits the name.
    Ours,
    /// Our authority, but the certificate has expired, is not valid yet, or has another name.
    OursButInvalid(String),
    /// Somebody else issued it: very likely a proxy that opens TLS.
    Foreign {
        /// The issuer's name.
        issuer: String,
    },
    /// No certificate was presented.
    Nothing,
}

/// A client configuration that records the presented chain and then refuses it.
///
/// # Errors
/// If TLS cannot be set up at all.
pub fn probe_config() -> Result<(ClientConfig, Presented), TlsError> {
    let presented = Presented::default();
    let recorder = Recorder {
        presented: presented.clone(),
        provider: provider(),
    };
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(recorder))
        .with_no_client_auth();
    Ok((tighten(config), presented))
}

/// A chain in words, leaf first; certificates that cannot be read are left out.
#[must_use]
pub fn describe(chain: &[CertificateDer<'_>]) -> Vec<ChainLink> {
    let link = |der: &CertificateDer<'_>| {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(ChainLink {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            sha256: crate::digest_text(&crate::sha256(der)),
            not_after: certificate.validity().not_after.timestamp(),
        })
    };
    chain.iter().filter_map(link).collect()
}

/// Says whose certificate this is, as seen by a party that trusts only `ca_pem`.
///
/// # Errors
/// If `ca_pem` or the server name is unusable.
pub fn judge(
    chain: &[CertificateDer<'_>],
    host: &str,
    ca_pem: &str,
    now: i64,
) -> Result<Verdict, TlsError> {
    let Some((leaf, rest)) = chain.split_first() else {
        return Ok(Verdict::Nothing);
    };
    let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsError::Unreadable)?;
    let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(
        u64::try_from(now).unwrap_or(0),
    ));
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots(&[ca_pem])?), provider())
            .build()?;
    let issuer = || {
        describe(chain)
            .last()
            .map_or_else(|| "unreadable".to_owned(), |link| link.issuer.clone())
    };
    match verifier.verify_server_cert(leaf, rest, &name, &[], time) {
        Ok(_) => Ok(Verdict::Ours),
        // A bad signature: an issuer that merely has our authority's name.
        Err(rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        )) => Ok(Verdict::Foreign { issuer: issuer() }),
        Err(other) => Ok(Verdict::OursButInvalid(other.to_string())),
    }
}

#[derive(Debug)]
struct Recorder {
    presented: Presented,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(end_entity)
            .chain(intermediates)
            .map(|der| der.clone().into_owned())
            .collect();
        *self
            .presented
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = chain;
        Err(rustls::Error::InvalidCertificate(
            CertificateError::ApplicationVerificationFailure,
        ))
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("a probe trusts nothing".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("a probe trusts nothing".to_owned()))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
