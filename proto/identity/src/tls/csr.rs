//! Certificate requests: made where the key stays, checked where certificates are issued.

use std::fmt;

use rcgen::{
    CertificateParams, CertificateSigningRequestParams, DistinguishedName, KeyPair, PublicKey,
    SanType,
};
use zeroize::Zeroizing;

use crate::name::Name;
use crate::roster::Role;
use crate::tls::{TlsError, parse_uri};

/// A fresh TLS key and the request for its certificate.
pub struct Csr {
    /// The request, PEM.
    pub csr_pem: String,
    /// The private key, PEM (PKCS#8). It never leaves the machine.
    pub key_pem: Zeroizing<String>,
}

impl fmt::Debug for Csr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Csr")
            .field("csr_pem", &self.csr_pem)
            .finish_non_exhaustive()
    }
}

/// Makes a P-256 key and a request for a certificate whose only name is `uri_san`.
///
/// # Errors
/// If the name is no party's URI or the operating system has no randomness.
pub fn new_csr(uri_san: &str) -> Result<Csr, TlsError> {
    parse_uri(uri_san)?;
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![SanType::URI(uri_san.try_into()?)];
    let csr_pem = params.serialize_request(&key)?.pem()?;
    Ok(Csr {
        csr_pem,
        key_pem: Zeroizing::new(key.serialize_pem()),
    })
}

/// Checks a request's own signature and that its only name is this role and name, and returns
/// the public key to certify. Nothing else in a request is used: the issuer sets the profile.
///
/// # Errors
/// If anything else is asked for.
pub fn check_csr(csr_pem: &str, role: Role, name: &Name) -> Result<PublicKey, TlsError> {
    if csr_pem.len() > 16 * 1024 {
        return Err(TlsError::Csr("it is too large"));
    }
    let request = CertificateSigningRequestParams::from_pem(csr_pem)
        .map_err(|_| TlsError::Csr("it is malformed or its signature is wrong"))?;
    match request.params.subject_alt_names.as_slice() {
        [SanType::URI(found)] if found.as_str() == crate::tls::uri(role, name) => {
            Ok(request.public_key)
        }
        _ => Err(TlsError::Csr(
            "its only name must be the URI of the party that was invited",
        )),
    }
}
