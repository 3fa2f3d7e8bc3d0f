//! Ed25519 keys: ids, signing, and the key file.
//!
//! A key file is three lines of text, readable by its owner only:
//! ```text
//! quorate-key 1
//! id ed25519:<base64url of the public key>
//! seed <base64url of the 32-byte seed>
//! ```
//! The id is there so that a person can tell keys apart and so that a damaged seed is noticed.

use std::fmt;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::envelope::{Signature, signed_bytes};

const ALGORITHM: &str = "ed25519:";
const FILE_HEAD: &str = "quorate-key 1";
const FILE_LIMIT: u64 = 16 * 1024;

/// What can be wrong with a key or its file.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not `ed25519:` and 43 base64url characters.
    #[error("not a key id: write `ed25519:` and the 43 characters of the public key")]
    NotAKeyId,
    /// The file is no key file, or damaged.
    #[error("{path}: not a key file, or damaged ({what}); restore it from the backup")]
    NotAKeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, without the content.
        what: &'static str,
    },
    /// Others may read the private key.
    #[error(
        "{path}: mode {mode:o} lets others read this private key; run `chmod 600 {path}`, and replace the key if they may have read it"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A key is never overwritten.
    #[error("{path}: exists already; a key is never overwritten, move the old file away first")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The operating system has no randomness to give.
    #[error("the operating system gave no random bytes")]
    NoRandomness,
}

/// A public key: `ed25519:` and base64url without padding. Equal keys have equal text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(String);

impl KeyId {
    /// Reads the one spelling of a key id.
    ///
    /// # Errors
    /// For anything else.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let id = Self(text.to_owned());
        if id.decode().is_some_and(|public| Self::of(&public) == id) {
            Ok(id)
        } else {
            Err(KeyError::NotAKeyId)
        }
    }

    /// The id of a public key.
    #[must_use]
    pub fn of(public: &[u8; 32]) -> Self {
        Self(format!("{ALGORITHM}{}", BASE64.encode(public)))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn decode(&self) -> Option<[u8; 32]> {
        BASE64
            .decode(self.0.strip_prefix(ALGORITHM)?)
            .ok()?
            .try_into()
            .ok()
    }

    /// Whether `signature` is this key's over `quorate/v1/<kind>\0` and the payload.
    #[must_use]
    pub fn verifies(&self, kind: &str, payload: &[u8], signature: &[u8; 64]) -> bool {
        self.decode().is_some_and(|public| {
            UnparsedPublicKey::new(&ED25519, public)
                .verify(&signed_bytes(kind, payload), signature)
                .is_ok()
        })
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for KeyId {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for KeyId {
    type Error = KeyError;
    fn try_from(text: String) -> Result<Self, KeyError> {
        Self::parse(&text)
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0
    }
}

/// A private Ed25519 key. It cannot be printed, cloned or serialised, only saved once.
pub struct SigningKey {
    seed: Zeroizing<[u8; 32]>,
    pair: Ed25519KeyPair,
    id: KeyId,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.id)
    }
}

impl SigningKey {
    /// A fresh key.
    ///
    /// # Errors
    /// If the operating system has no randomness to give.
    pub fn generate() -> Result<Self, KeyError> {
        Self::from_seed(&crate::random::<32>()?)
    }

    /// The key of a seed: for tests and for networks that must come out the same every time.
    ///
    /// # Errors
    /// Never for 32 bytes; the type leaves room for other algorithms.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::NotAKeyId)?;
        let public: [u8; 32] = pair
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| KeyError::NotAKeyId)?;
        Ok(Self {
            seed: Zeroizing::new(*seed),
            pair,
            id: KeyId::of(&public),
        })
    }

    /// The public half.
    #[must_use]
    pub fn key_id(&self) -> &KeyId {
        &self.id
    }

    /// Signs `quorate/v1/<kind>\0` followed by the payload.
    #[must_use]
    pub fn sign(&self, kind: &str, payload: &[u8]) -> Signature {
        let made = self.pair.sign(&signed_bytes(kind, payload));
        let mut signature = [0; 64];
        signature
            .iter_mut()
            .zip(made.as_ref())
            .for_each(|(to, from)| *to = *from);
        Signature {
            key_id: self.id.clone(),
            signature,
        }
    }

    /// Writes a new key file that only its owner can read, and makes it durable.
    ///
    /// # Errors
    /// If the file exists or cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), KeyError> {
        let text = Zeroizing::new(format!(
            "{FILE_HEAD}\nid {}\nseed {}\n",
            self.id,
            *Zeroizing::new(BASE64.encode(*self.seed))
        ));
        write_private(path, text.as_bytes())
    }

    /// Reads a key file; refuses one that others may read.
    ///
    /// # Errors
    /// If the file cannot be read, is exposed, or is not what [`SigningKey::save`] writes.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let text = read_private(path)?;
        let damaged = |what| KeyError::NotAKeyFile {
            path: path.to_owned(),
            what,
        };
        let text = std::str::from_utf8(&text).map_err(|_| damaged("not text"))?;
        let mut lines = text.lines();
        if lines.next() != Some(FILE_HEAD) {
            return Err(damaged("the first line is not `quorate-key 1`"));
        }
        let id = lines
            .next()
            .and_then(|line| line.strip_prefix("id "))
            .ok_or_else(|| damaged("no line `id`"))?;
        let seed = lines
            .next()
            .and_then(|line| line.strip_prefix("seed "))
            .ok_or_else(|| damaged("no line `seed`"))?;
        if lines.next().is_some() {
            return Err(damaged("more than three lines"));
        }
        let seed = Zeroizing::new(
            BASE64
                .decode(seed)
                .map_err(|_| damaged("the seed is not base64url"))?,
        );
        let seed: Zeroizing<[u8; 32]> = Zeroizing::new(
            seed.as_slice()
                .try_into()
                .map_err(|_| damaged("the seed is not 32 bytes"))?,
        );
        let key = Self::from_seed(&seed)?;
        if key.id.as_str() == id {
            Ok(key)
        } else {
            Err(damaged("seed and id do not belong together"))
        }
    }
}

/// Writes a new file that only its owner can read (a private key of any sort), and makes it durable.
///
/// # Errors
/// If the file exists or cannot be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let io = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AlreadyExists => KeyError::Exists {
            path: path.to_owned(),
        },
        _ => KeyError::Io {
            path: path.to_owned(),
            source,
        },
    };
    let mut file = options.open(path).map_err(io)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| sync_folder(path))
        .map_err(io)
}

/// Makes the name of a new file durable, not only its content.
#[cfg(unix)]
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Reads a small private file; refuses one that its group or everybody may read or write.
///
/// # Errors
/// If the file cannot be read, is too large, or is exposed.
pub fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let io = |source| KeyError::Io {
        path: path.to_owned(),
        source,
    };
    let mut file = std::fs::File::open(path).map_err(io)?;
    let meta = file.metadata().map_err(io)?;
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
    }
    if !meta.is_file() || meta.len() > FILE_LIMIT {
        return Err(KeyError::NotAKeyFile {
            path: path.to_owned(),
            what: "not a small regular file",
        });
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}
