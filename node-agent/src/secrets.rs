//! The two secrets of a population: the domain key and the store key.
//!
//! The *domain key* turns unit keys into person ids and draws the noise of perturbed counts. It is
//! made once and never replaced: with another key every person would be somebody new, and no new
//! question could be compared with what has left. The *store key* seals whatever is kept at rest
//! about persons and released values, so that a copied file tells nothing. Both lie beside the
//! other keys, readable by the owner only, and belong in the backup. This module must not know what
//! is sealed.

use std::io;
use std::path::{Path, PathBuf};

use quorate_identity::KeyError;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;

/// File name of the domain key in the state folder.
pub const DOMAIN_KEY_FILE: &str = "domain.key";
/// File name of the store key in the state folder.
pub const STORE_KEY_FILE: &str = "store.key";

/// The secrets cannot be used: the node does not start.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// A file is exposed, or cannot be read or written.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A file holds something else than a key.
    #[error("{0}: damaged; restore it from the backup")]
    Damaged(PathBuf),
    /// The key is gone, but what was made with it is here.
    #[error(
        "{0}: not there, but this node has releases that were made with it; restore it from the backup, never make a new one"
    )]
    Lost(PathBuf),
    /// Something was sealed with another key, or altered.
    #[error("does not open with this node's store key: it was altered, or the key is another one")]
    Sealed,
}

/// Both secrets. They cannot be printed, copied or serialised.
pub struct Secrets {
    domain: [u8; 32],
    store: StoreKey,
}

impl Secrets {
    /// The secrets of a state folder. What is missing is made, unless `used` says that something
    /// here was made with it.
    ///
    /// # Errors
    /// If a key is lost, damaged or exposed, or cannot be made.
    pub fn open(folder: &Path, used: bool) -> Result<Self, SecretError> {
        let key = |name: &str| read_or_make(&folder.join(name), used);
        Ok(Self {
            domain: key(DOMAIN_KEY_FILE)?,
            store: StoreKey::new(&key(STORE_KEY_FILE)?)?,
        })
    }

    /// The domain key.
    #[must_use]
    pub fn domain(&self) -> &[u8; 32] {
        &self.domain
    }

    /// The name under which a state of the data is known outside: `sha256:` and 64 digits, the same
    /// for the same state. A digest of the data itself would let whoever knows all persons but one
    /// try out what the last one's record says.
    #[must_use]
    pub fn label(&self, epoch: &str) -> String {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &self.domain);
        let tag = ring::hmac::sign(&key, format!("quorate epoch label\0{epoch}").as_bytes());
        format!("sha256:{}", hex::encode(tag.as_ref()))
    }

    /// The store key.
    #[must_use]
    pub fn store(&self) -> &StoreKey {
        &self.store
    }
}

/// Reads a key: 64 hexadecimal digits, readable by the owner only. Makes it if it may be new.
fn read_or_make(path: &Path, used: bool) -> Result<[u8; 32], SecretError> {
    match read(path) {
        Err(SecretError::Key(KeyError::Io { source, .. }))
            if source.kind() == io::ErrorKind::NotFound =>
        {
            if used {
                return Err(SecretError::Lost(path.to_owned()));
            }
            let fresh = hex::encode(quorate_identity::random::<32>()?);
            quorate_identity::keys::write_private(path, fresh.as_bytes())?;
            read(path)
        }
        found => found,
    }
}

fn read(path: &Path) -> Result<[u8; 32], SecretError> {
    let text = quorate_identity::keys::read_private(path)?;
    let mut key = [0; 32];
    hex::decode_to_slice(text.trim_ascii(), &mut key)
        .map_err(|_| SecretError::Damaged(path.to_owned()))?;
    Ok(key)
}

/// Seals bytes at rest: ChaCha20-Poly1305, a random nonce each.
///
/// Nonces are 96 random bits, which is safe for far more than the 2^30 rows that a store can hold.
#[derive(Clone)]
pub struct StoreKey {
    seals: LessSafeKey,
    tags: hmac::Key,
}

impl StoreKey {
    /// A key of these bytes.
    ///
    /// # Errors
    /// Never with 32 bytes; the cipher says so itself.
    pub fn new(bytes: &[u8; 32]) -> Result<Self, SecretError> {
        let root = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let part = |what: &[u8]| hmac::sign(&root, what);
        let seals = UnboundKey::new(&CHACHA20_POLY1305, part(b"quorate seal 1").as_ref());
        Ok(Self {
            seals: LessSafeKey::new(seals.map_err(|_| SecretError::Sealed)?),
            tags: hmac::Key::new(hmac::HMAC_SHA256, part(b"quorate tag 1").as_ref()),
        })
    }

    /// A name for something that must not be readable: the same for the same bytes, and of no use
    /// to whoever lacks the key.
    #[must_use]
    pub fn tag(&self, what: &[u8]) -> [u8; 32] {
        let mut tag = [0; 32];
        tag.copy_from_slice(hmac::sign(&self.tags, what).as_ref());
        tag
    }

    /// Seals `plain`; it opens only beside the same `place` (table and key fields), so that sealed
    /// bytes cannot be moved to another row.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn seal(&self, place: &[u8], plain: &[u8]) -> Result<Vec<u8>, SecretError> {
        let nonce = quorate_identity::random::<NONCE_LEN>()?;
        let mut body = plain.to_vec();
        self.seals
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place),
                &mut body,
            )
            .map_err(|_| SecretError::Sealed)?;
        let mut sealed = nonce.to_vec();
        sealed.append(&mut body);
        Ok(sealed)
    }

    /// Opens what was sealed beside the same `place`.
    ///
    /// # Errors
    /// If it was altered, moved, or sealed with another key.
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SecretError> {
        let (nonce, body) = sealed
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(SecretError::Sealed)?;
        let mut body = body.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self
            .seals
            .open_in_place(nonce, Aad::from(place), &mut body)
            .map_err(|_| SecretError::Sealed)?;
        let length = plain.len();
        body.truncate(length);
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keys_are_made_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let first = Secrets::open(folder.path(), false).unwrap();
        let again = Secrets::open(folder.path(), true).unwrap();
        assert_eq!(first.domain(), again.domain());
        assert_ne!(first.domain(), &[0; 32]);
        let sealed = first.store().seal(b"place", b"plain").unwrap();
        assert_eq!(again.store().open(b"place", &sealed).unwrap(), b"plain");
        for name in [DOMAIN_KEY_FILE, STORE_KEY_FILE] {
            let mode = std::fs::metadata(folder.path().join(name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_lost_key_is_never_replaced() {
        for name in [DOMAIN_KEY_FILE, STORE_KEY_FILE] {
            let folder = tempfile::tempdir().unwrap();
            Secrets::open(folder.path(), false).unwrap();
            std::fs::remove_file(folder.path().join(name)).unwrap();
            let error = Secrets::open(folder.path(), true).err().unwrap();
            assert!(error.to_string().contains("restore it from the backup"));
            assert!(!folder.path().join(name).exists());
        }
    }

    #[test]
    fn a_damaged_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(STORE_KEY_FILE);
        quorate_identity::keys::write_private(&path, b"not a key").unwrap();
        let error = Secrets::open(folder.path(), false).err().unwrap();
        assert!(error.to_string().contains("store.key: damaged"));
    }

    #[test]
    fn what_is_sealed_opens_only_where_it_was_put() {
        let key = StoreKey::new(&[7; 32]).unwrap();
        let other = StoreKey::new(&[8; 32]).unwrap();
        let sealed = key.seal(b"release 1", b"secret").unwrap();
        assert!(!sealed.windows(6).any(|w| w == b"secret"));
        assert_ne!(sealed, key.seal(b"release 1", b"secret").unwrap());
        assert!(key.open(b"release 2", &sealed).is_err());
        assert!(other.open(b"release 1", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(key.open(b"release 1", &altered).is_err(), "byte {at}");
            assert!(key.open(b"release 1", &sealed[..at]).is_err());
        }
        assert_eq!(key.open(b"release 1", &sealed).unwrap(), b"secret");
    }
}
