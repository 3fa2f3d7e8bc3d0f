//! The embedded certificate authority. It only makes TLS work: a certificate without a place in
//! the roster opens no door. It certifies keys that it never sees and sets every field itself.
//! It must not know who was invited; that is `enrol`.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use quorate_identity::keys::{read_private, write_private};
use quorate_identity::tls::{self, TlsError};
use quorate_identity::{KeyError, Name, Role, digest_text};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
    SerialNumber,
};

const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca.key";
/// The authority itself lasts twenty years; replacing it means enrolling everyone again.
const ROOT_LIFE: Duration = Duration::from_secs(20 * 365 * 24 * 3600);
/// The server's certificate; it is made anew at each start and long before its end.
pub(crate) const SERVER_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// How far clocks of the parties may differ.
const SKEW: Duration = Duration::from_secs(300);

/// Why the authority cannot be made, read or used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaError {
    /// A key file is missing, exposed or damaged.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The certificate file is missing or cannot be written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The requester asks for what it was not invited to.
    #[error(transparent)]
    Request(TlsError),
    /// The authority's own files do not fit each other.
    #[error(
        "the certificate authority cannot be used ({0}): restore ca.pem and ca.key from a backup"
    )]
    Unusable(#[from] rcgen::Error),
}

/// A certificate that was just issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Issued {
    /// The certificate, PEM.
    pub(crate) pem: String,
    /// `sha256:` and hex of its DER bytes.
    pub(crate) sha256: String,
    /// Its last second.
    pub(crate) not_after: i64,
}

/// A server certificate with its chain and key, PEM. The key lives in memory only.
pub(crate) struct ServerCertificate {
    /// Leaf, then the authority.
    pub(crate) chain_pem: String,
    /// Private key.
    pub(crate) key_pem: String,
}

/// The certificate authority of one network.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    sha256: [u8; 32],
}

impl Authority {
    /// Makes a new authority and writes its two files.
    pub(crate) fn create(dir: &Path, network: &Name, now: i64) -> Result<(), CaError> {
        let key = KeyPair::generate()?;
        let mut params = profile(now, ROOT_LIFE);
        params
            .distinguished_name
            .push(DnType::CommonName, format!("Quorate network {network}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.serial_number = Some(serial()?);
        let certificate = params.self_signed(&key)?;
        write_private(&dir.join(KEY), key.serialize_pem().as_bytes())?;
        let path = dir.join(CERTIFICATE);
        std::fs::write(&path, certificate.pem()).map_err(|source| CaError::File { path, source })
    }

    /// Reads the authority of a state directory.
    pub(crate) fn load(dir: &Path) -> Result<Self, CaError> {
        let path = dir.join(CERTIFICATE);
        let pem = std::fs::read_to_string(&path).map_err(|source| CaError::File {
            path: path.clone(),
            source,
        })?;
        let key = read_private(&dir.join(KEY))?;
        let key = std::str::from_utf8(&key).map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
        let issuer = Issuer::from_ca_cert_pem(&pem, KeyPair::from_pem(key)?)?;
        let sha256 = tls::fingerprint(&pem).map_err(CaError::Request)?;
        Ok(Self {
            issuer,
            pem,
            sha256,
        })
    }

    /// The authority's certificate, PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// What enrolment tokens pin.
    pub(crate) fn fingerprint(&self) -> String {
        digest_text(&self.sha256)
    }

    /// Certifies the key of a request for one party, whose URI is the only name in it.
    pub(crate) fn issue_client(
        &self,
        csr_pem: &str,
        (role, name): (Role, &Name),
        now: i64,
        life: Duration,
    ) -> Result<Issued, CaError> {
        let key = tls::check_csr(csr_pem, role, name).map_err(CaError::Request)?;
        let mut params = profile(now, life);
        params.subject_alt_names = vec![SanType::URI(tls::uri(role, name).try_into()?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = self.sign(params, &key)?;
        Ok(Issued {
            sha256: digest_text(&quorate_identity::sha256(certificate.der())),
            pem: certificate.pem(),
            not_after: now.saturating_add(seconds(life)),
        })
    }

    /// Makes a key and a certificate for the server under the names it is reached by.
    pub(crate) fn issue_server(
        &self,
        hosts: &[&str],
        now: i64,
    ) -> Result<ServerCertificate, CaError> {
        let key = KeyPair::generate()?;
        let mut params = profile(now, SERVER_LIFE);
        for host in hosts {
            params.subject_alt_names.push(match host.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName((*host).try_into()?),
            });
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = self.sign(params, &key)?;
        Ok(ServerCertificate {
            chain_pem: format!("{}{}", certificate.pem(), self.pem),
            key_pem: key.serialize_pem(),
        })
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        key: &impl PublicKeyData,
    ) -> Result<Certificate, CaError> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(serial()?);
        Ok(params.signed_by(key, &self.issuer)?)
    }
}

/// An empty profile that is valid from now on.
fn profile(now: i64, life: Duration) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let now = Duration::from_secs(u64::try_from(now).unwrap_or(0));
    params.not_before = epoch + now.saturating_sub(SKEW);
    params.not_after = epoch + now.saturating_add(life);
    params
}

/// A positive random number of 16 bytes.
fn serial() -> Result<SerialNumber, KeyError> {
    let mut bytes = quorate_identity::random::<16>()?;
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    Ok(SerialNumber::from_slice(&bytes))
}

/// A duration in whole seconds.
pub(crate) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Authority, CaError};
    use quorate_identity::{Name, Role, tls};
    use std::time::Duration;

    const NOW: i64 = 1_800_000_000;

    fn authority() -> (tempfile::TempDir, Authority) {
        let dir = tempfile::tempdir().unwrap();
        Authority::create(dir.path(), &Name::parse("heart").unwrap(), NOW).unwrap();
        let authority = Authority::load(dir.path()).unwrap();
        (dir, authority)
    }

    #[test]
    fn a_certificate_names_the_party_and_nothing_else() {
        let (_dir, authority) = authority();
        let name = Name::parse("north").unwrap();
        let csr = tls::new_csr(&tls::uri(Role::Node, &name)).unwrap();
        let issued = authority
            .issue_client(
                &csr.csr_pem,
                (Role::Node, &name),
                NOW,
                Duration::from_secs(60),
            )
            .unwrap();
        let der = tls::certificates(&issued.pem).unwrap();
        let peer = tls::peer(&der[0]).unwrap();
        assert_eq!((peer.role, peer.name), (Role::Node, name));
        assert_eq!(peer.not_after, NOW + 60);
        assert_eq!(issued.not_after, NOW + 60);
        assert_eq!(quorate_identity::digest_text(&peer.sha256), issued.sha256);
    }

    #[test]
    fn a_request_for_another_name_is_refused() {
        let (_dir, authority) = authority();
        let (north, south) = (Name::parse("north").unwrap(), Name::parse("south").unwrap());
        let csr = tls::new_csr(&tls::uri(Role::Node, &north)).unwrap();
        let life = Duration::from_secs(60);
        for holder in [(Role::Node, &south), (Role::Researcher, &north)] {
            let refused = authority.issue_client(&csr.csr_pem, holder, NOW, life);
            assert!(matches!(refused, Err(CaError::Request(_))));
        }
    }

    #[test]
    fn an_authority_is_never_overwritten() {
        let (dir, authority) = authority();
        let again = Authority::create(dir.path(), &Name::parse("heart").unwrap(), NOW);
        assert!(matches!(again, Err(CaError::Key(_))));
        assert_eq!(
            Authority::load(dir.path()).unwrap().fingerprint(),
            authority.fingerprint()
        );
    }

    #[test]
    fn the_server_certificate_makes_a_server() {
        let (_dir, authority) = authority();
        let made = authority
            .issue_server(&["127.0.0.1", "hub.example.org"], NOW)
            .unwrap();
        tls::server_config(&made.chain_pem, &made.key_pem, authority.pem()).unwrap();
    }
}
