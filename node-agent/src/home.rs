//! The state folder of a node: its keys, its certificate, what it knows of the network, and what
//! its custodian switched by hand. Keys are made here and never leave.
//!
//! Ledger, releases and outbox live beside these files and belong to other modules.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use quorate_identity::roster::{parse_log, write_log};
use quorate_identity::{KeyError, Roster, RosterError, SigningKey};
use quorate_query::codebook::{self, Codebook};

use crate::policy::Policy;
use crate::secrets::{SecretError, Secrets};
use crate::state::{folder, write_file};
use crate::store::{Store, StoreError};

/// The state folder.
#[derive(Clone, Debug)]
pub struct Home {
    dir: PathBuf,
}

/// The state folder does not hold what is needed. The custodian is told what to run.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// A key is missing, damaged or exposed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Never enrolled.
    #[error("{0}: not there; run `quorate-node enrol TOKEN` first")]
    NotEnrolled(PathBuf),
    /// Nobody signed a roster yet, or the node has not seen it.
    #[error(
        "no roster yet: get the signed log from the operator and run `quorate-node roster accept FILE`"
    )]
    NoRoster,
    /// The stored roster is not one that the policy's genesis keys founded.
    #[error("the stored roster is not valid: {0}")]
    Roster(#[from] RosterError),
    /// Domain key or store key.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The release store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file holds something else.
    #[error("{0}: damaged, restore it from the backup")]
    Damaged(PathBuf),
}

/// What a node needs to open a TLS connection.
#[derive(Clone, Debug)]
pub(crate) struct Enrolment {
    /// Its certificate chain, PEM.
    pub(crate) certificate: String,
    /// The private key of it, PEM.
    pub(crate) key: String,
    /// The coordinator's certificate authority, PEM.
    pub(crate) ca: String,
    /// Name of the network.
    pub(crate) network: String,
}

/// Kinds of question by approved cohort by project.
pub type Cohorts = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// File with the cohorts that the custodian approved.
const COHORTS: &str = "approved_cohorts.json";

impl Home {
    /// The folder, which `init` made; refuses one that others may look into.
    ///
    /// # Errors
    /// If it cannot be used.
    pub fn open(dir: &Path) -> Result<Self, HomeError> {
        let home = Self {
            dir: dir.to_path_buf(),
        };
        folder(dir).map_err(|error| home.io("", error))?;
        Ok(home)
    }

    /// A file of the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Where the node's identity key is.
    #[must_use]
    pub fn node_key_path(&self) -> PathBuf {
        self.path("node.key")
    }

    /// Where the custodian's key is, unless it was put elsewhere.
    #[must_use]
    pub fn custodian_key_path(&self) -> PathBuf {
        self.path("custodian.key")
    }

    /// The node's identity key.
    ///
    /// # Errors
    /// If it is missing, damaged or exposed.
    pub fn node_key(&self) -> Result<SigningKey, HomeError> {
        Ok(SigningKey::load(&self.node_key_path())?)
    }

    /// Domain key and store key; makes what is missing, unless there are releases.
    ///
    /// # Errors
    /// If one is lost, damaged or exposed, or cannot be made.
    pub fn secrets(&self) -> Result<Secrets, HomeError> {
        let used = Store::has_releases(&self.dir)?;
        Ok(Secrets::open(&self.dir, used)?)
    }

    /// What `enrol` wrote.
    pub(crate) fn enrolment(&self) -> Result<Enrolment, HomeError> {
        let path = self.path("tls.pem");
        let pem = match quorate_identity::keys::read_private(&path) {
            Ok(bytes) => String::from_utf8(bytes.to_vec()).map_err(|_| HomeError::Damaged(path))?,
            Err(KeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err(HomeError::NotEnrolled(path));
            }
            Err(error) => return Err(error.into()),
        };
        let text = |name: &str| {
            std::fs::read_to_string(self.path(name))
                .map_err(|_| HomeError::NotEnrolled(self.path(name)))
        };
        Ok(Enrolment {
            certificate: pem.clone(),
            key: pem,
            ca: text("ca.pem")?,
            network: text("network")?.trim().to_owned(),
        })
    }

    /// Replaces certificate and key. They lie in one file, so that a crash in between leaves the
    /// old pair or the new one, never a mixture.
    pub(crate) fn save_enrolment(&self, enrolment: &Enrolment) -> Result<(), HomeError> {
        self.write("ca.pem", enrolment.ca.as_bytes())?;
        self.write("network", enrolment.network.as_bytes())?;
        let pair = format!("{}\n{}", enrolment.key.trim_end(), enrolment.certificate);
        self.write("tls.pem", pair.as_bytes())
    }

    /// The roster as last accepted, verified anew from the policy's genesis keys.
    ///
    /// # Errors
    /// If there is none or it does not verify.
    pub fn roster(&self, policy: &Policy) -> Result<Roster, HomeError> {
        let path = self.path("roster.log");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(HomeError::NoRoster);
            }
            Err(error) => return Err(self.io("roster.log", error)),
        };
        Ok(Roster::verify(
            None,
            &policy.node.genesis,
            &parse_log(&text)?,
        )?)
    }

    /// Takes a log that founds the roster, or continues the one accepted last. Its head never goes
    /// back: what is on disk is never replaced by less.
    ///
    /// # Errors
    /// If the log does not verify, is shorter, or has another past.
    pub fn accept_roster(
        &self,
        policy: &Policy,
        log: &[quorate_identity::Signed],
    ) -> Result<Roster, HomeError> {
        let newer = match self.roster(policy) {
            Ok(known) => known.advance(log)?,
            Err(HomeError::NoRoster) => Roster::verify(None, &policy.node.genesis, log)?,
            Err(error) => return Err(error),
        };
        self.write("roster.log", write_log(newer.log()).as_bytes())?;
        Ok(newer)
    }

    /// The codebooks that are here and pinned by the policy.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn codebooks(&self, policy: &Policy) -> Result<Vec<Arc<Codebook>>, HomeError> {
        let pinned = policy.node.codebooks.iter();
        let found = pinned.filter_map(|digest| {
            let path = self.codebook_path(digest);
            let text = std::fs::read_to_string(&path).ok()?;
            Some((path, digest, text))
        });
        found
            .map(
                |(path, digest, text)| match codebook::read(&text, &path.display().to_string()) {
                    Ok(codebook) if codebook.digest == *digest => Ok(Arc::new(codebook)),
                    _ => Err(HomeError::Damaged(path)),
                },
            )
            .collect()
    }

    /// Keeps the text of a codebook if the policy pins it, its digest is what it claims, and the
    /// policy's release is not looser than its. `Ok(None)` means that the policy does not pin it.
    ///
    /// # Errors
    /// A sentence for the custodian.
    pub(crate) fn accept_codebook(
        &self,
        policy: &Policy,
        digest: &str,
        text: &[u8],
    ) -> Result<Option<Arc<Codebook>>, String> {
        if !policy.accepts(digest) {
            return Ok(None);
        }
        let found = quorate_identity::digest_text(&quorate_identity::sha256(text));
        if found != digest {
            return Err(format!(
                "codebook {digest}: its text has another digest, {found}"
            ));
        }
        let text = std::str::from_utf8(text).map_err(|_| format!("codebook {digest}: not text"))?;
        let codebook = codebook::read(text, digest).map_err(|mistakes| mistakes.to_string())?;
        if let Some((key, advice)) = policy.looser_than(&codebook).first() {
            return Err(format!(
                "codebook {digest}: the policy's release.{key} is {advice}"
            ));
        }
        let path = self.codebook_path(digest);
        let written =
            folder(&self.path("codebooks")).and_then(|()| write_file(&path, text.as_bytes()));
        written.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Some(Arc::new(codebook)))
    }

    fn codebook_path(&self, digest: &str) -> PathBuf {
        let digits = digest.trim_start_matches("sha256:");
        self.path("codebooks").join(format!("{digits}.toml"))
    }

    /// Stops or lets go on answering; survives a restart.
    ///
    /// # Errors
    /// If the state cannot be written.
    pub fn set_paused(&self, reason: Option<&str>) -> Result<(), HomeError> {
        match reason {
            Some(reason) => self.write("paused", reason.as_bytes()),
            None => match std::fs::remove_file(self.path("paused")) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(self.io("paused", error))
                }
                _ => Ok(()),
            },
        }
    }

    /// Why the node is paused, if it is. A state that cannot be read counts as paused.
    #[must_use]
    pub fn paused(&self) -> Option<String> {
        match std::fs::read_to_string(self.path("paused")) {
            Ok(reason) => Some(reason),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(format!("the state cannot be read: {error}")),
        }
    }

    /// Question hashes that the custodian approved by `quorate-node approve`, by project.
    ///
    /// # Errors
    /// If the list cannot be read.
    pub fn approved(&self) -> Result<BTreeMap<String, BTreeSet<String>>, HomeError> {
        match std::fs::read(self.path("approved.json")) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|_| HomeError::Damaged(self.path("approved.json"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(self.io("approved.json", error)),
        }
    }

    /// Approves a question for a project.
    ///
    /// # Errors
    /// If the list cannot be read or written.
    pub fn approve(&self, project: &str, hash: &str) -> Result<(), HomeError> {
        let mut approved = self.approved()?;
        approved
            .entry(project.to_owned())
            .or_default()
            .insert(hash.to_owned());
        let text = serde_json::to_vec_pretty(&approved)
            .map_err(|_| HomeError::Damaged(self.path("approved.json")))?;
        self.write("approved.json", &text)
    }

    /// Cohorts that the custodian approved, by project, with the kinds of question that may be asked of
    /// each.
    ///
    /// # Errors
    /// If the list cannot be read.
    pub fn approved_cohorts(&self) -> Result<Cohorts, HomeError> {
        match std::fs::read(self.path(COHORTS)) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|_| HomeError::Damaged(self.path(COHORTS)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Cohorts::new()),
            Err(error) => Err(self.io(COHORTS, error)),
        }
    }

    /// Approves a cohort for a project: questions of these kinds may be asked of it, and of no others
    /// from now on.
    ///
    /// # Errors
    /// If the list cannot be read or written.
    pub fn approve_cohort(
        &self,
        project: &str,
        digest: &str,
        kinds: BTreeSet<String>,
    ) -> Result<(), HomeError> {
        let mut all = self.approved_cohorts()?;
        let own = all.entry(project.to_owned()).or_default();
        own.insert(digest.to_owned(), kinds);
        let text =
            serde_json::to_vec_pretty(&all).map_err(|_| HomeError::Damaged(self.path(COHORTS)))?;
        self.write(COHORTS, &text)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), HomeError> {
        write_file(&self.path(name), bytes).map_err(|error| self.io(name, error))
    }

    fn io(&self, name: &str, source: io::Error) -> HomeError {
        HomeError::Io {
            path: self.path(name),
            source,
        }
    }
}
