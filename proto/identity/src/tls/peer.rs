//! Who is behind a certificate: one URI `quorate://<role>/<name>`, nothing else counts.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::name::Name;
use crate::roster::Role;
use crate::tls::TlsError;

const SCHEME: &str = "quorate://";

/// A certificate that does not name exactly one party.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a party's certificate: it must name exactly one `quorate://<role>/<name>`")]
pub struct UriError;

/// The party that a certificate names, and what binds it to its identity key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    /// As what.
    pub role: Role,
    /// Who.
    pub name: Name,
    /// SHA-256 of the certificate (DER).
    pub sha256: [u8; 32],
    /// Start of validity, unix seconds.
    pub not_before: i64,
    /// End of validity, unix seconds.
    pub not_after: i64,
}

/// The URI of a party.
#[must_use]
pub fn uri(role: Role, name: &Name) -> String {
    format!("{SCHEME}{role}/{name}")
}

/// Reads what [`uri`] writes.
///
/// # Errors
/// For anything else.
pub fn parse_uri(text: &str) -> Result<(Role, Name), UriError> {
    let (role, name) = text
        .strip_prefix(SCHEME)
        .and_then(|rest| rest.split_once('/'))
        .ok_or(UriError)?;
    Ok((
        role.parse().map_err(|_| UriError)?,
        Name::parse(name).map_err(|_| UriError)?,
    ))
}

/// The party named by a certificate that TLS has verified already.
///
/// # Errors
/// If the certificate is unreadable or names no party, or several.
pub fn peer(cert_der: &[u8]) -> Result<PeerIdentity, TlsError> {
    let (rest, certificate) =
        X509Certificate::from_der(cert_der).map_err(|_| TlsError::Unreadable)?;
    if !rest.is_empty() {
        return Err(TlsError::Unreadable);
    }
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| TlsError::Unreadable)?
        .ok_or(UriError)?;
    let mut uris = names
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        });
    let (Some(only), None) = (uris.next(), uris.next()) else {
        return Err(UriError.into());
    };
    let (role, name) = parse_uri(only)?;
    let validity = certificate.validity();
    Ok(PeerIdentity {
        role,
        name,
        sha256: crate::sha256(cert_der),
        not_before: validity.not_before.timestamp(),
        not_after: validity.not_after.timestamp(),
    })
}

/// The certificates of a PEM text, leaf first.
///
/// # Errors
/// If there is none.
pub fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let found = found.map_err(|_| TlsError::Unreadable)?;
    if found.is_empty() {
        Err(TlsError::NoCertificate("certificate file"))
    } else {
        Ok(found)
    }
}

/// SHA-256 of the first certificate of a PEM text (DER): what tokens pin and `Hello` carries.
///
/// # Errors
/// If there is no certificate.
pub fn fingerprint(pem: &str) -> Result<[u8; 32], TlsError> {
    certificates(pem)?
        .first()
        .map(|der| crate::sha256(der))
        .ok_or(TlsError::NoCertificate("certificate file"))
}
