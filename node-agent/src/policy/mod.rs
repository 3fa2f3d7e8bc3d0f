//! The node policy: what a custodian wrote down about its own node.
//!
//! One file, read once at start by [`read()`], every mistake reported together. A node without a
//! policy does not start. Nothing a request says can change what is in here. The policy does not
//! know what a codebook holds: [`Policy::release_for`] only lets the node be stricter than it.

mod governance;
mod looser;
mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use quorate_disclosure::history::caps::Caps;
use quorate_governance::Person;
use quorate_governance::airlock::Mode;
use quorate_identity::{KeyId, Name};
use quorate_query::codebook::Codebook;
use quorate_query::release::ReleaseParams;
use sha2::{Digest, Sha256};

pub use governance::Governance;
pub use looser::looser;
pub use read::{read, read_file};

/// A policy that was read and found free of mistakes.
#[derive(Clone, Debug)]
pub struct Policy {
    /// `sha256:` + hex of the exact text that was read.
    pub digest: String,
    /// The folder that relative paths start from: where the policy file lies.
    pub base: PathBuf,
    /// Who this node is and whom it talks to.
    pub node: NodeSection,
    /// The people whose records these are.
    pub population: Population,
    /// Where each table comes from, by the codebook's table name.
    pub sources: BTreeMap<String, SourceSpec>,
    /// Projects by id that the custodian wrote down itself; others come with signatures.
    pub projects: BTreeMap<String, Project>,
    /// Who decides here besides the custodian.
    pub governance: Governance,
    /// What one question may cost.
    pub limits: Limits,
    /// What the custodian made stricter than the codebook.
    pub release: ReleaseFloor,
    /// How many cells may be asked for (H6).
    pub caps: Caps,
}

/// Who this node is and whom it talks to.
#[derive(Clone, Debug)]
pub struct NodeSection {
    /// Name in the roster.
    pub name: String,
    /// The coordinator's address.
    pub coordinator: String,
    /// State folder (0700).
    pub state: PathBuf,
    /// Genesis keys of the roster, read out of band.
    pub genesis: Vec<KeyId>,
    /// Digests of the codebooks that this node accepts.
    pub codebooks: BTreeSet<String>,
    /// How to get out.
    pub proxy: Proxy,
    /// Files with further certificate authorities that the coordinator's certificate may come from.
    pub extra_ca: Vec<PathBuf>,
}

/// How a connection leaves the institution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// As the environment says (`HTTPS_PROXY`, `NO_PROXY`).
    Env,
    /// This HTTP CONNECT proxy.
    Url(String),
    /// Directly.
    None,
}

/// The custodian's unit domain: history and person ids belong to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Population {
    /// Its name.
    pub name: String,
    /// Invented people: the only way to answers without protection.
    pub synthetic: bool,
    /// Only states of the data that a custodian registered are asked about.
    pub registered: bool,
}

/// One table's source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSpec {
    /// Format and how to read it.
    pub kind: SourceKind,
    /// A file, a folder or a glob; absolute.
    pub path: String,
    /// The custodian's own SQL over `source`.
    pub map: Option<String>,
    /// What happens when the files change.
    pub refresh: Refresh,
}

/// Format of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// Text with a header line.
    Csv(CsvOptions),
    /// Parquet.
    Parquet,
}

/// How text becomes values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvOptions {
    /// Between fields.
    pub delimiter: u8,
    /// Before the digits after the point.
    pub decimal: u8,
    /// Bytes to characters.
    pub encoding: Encoding,
    /// Texts that mean "missing".
    pub nulls: BTreeSet<String>,
    /// How days are written (strftime).
    pub date_format: String,
}

/// Bytes to characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// ISO 8859-1.
    Latin1,
}

/// What happens when a source changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// A new epoch starts at the next question.
    Auto,
    /// The source is sealed until the custodian accepts it.
    Hold,
}

impl Project {
    /// Where a member with this key works, if the custodian wrote it down.
    #[must_use]
    pub fn organisation(&self, name: &str, key: &KeyId) -> Option<&str> {
        self.members.get(name).filter(|known| *known == key)?;
        self.organisations.get(name).map(String::as_str)
    }

    /// Everybody with an interest in its answers.
    #[must_use]
    pub fn everybody(&self) -> Vec<Person> {
        let members = self.members.iter().filter_map(|(name, key)| {
            let (name, key) = (Name::parse(name).ok()?, key.clone());
            Some(Person { name, key })
        });
        members.chain(self.others.iter().cloned()).collect()
    }
}

impl SourceKind {
    /// How files of this kind end.
    #[must_use]
    pub fn extension(&self) -> &'static str {
        match self {
            Self::Csv(_) => "csv",
            Self::Parquet => "parquet",
        }
    }
}

/// What a project may ask of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its id.
    pub id: String,
    /// First second at which it has ended (unix).
    pub until: i64,
    /// Tables it may name.
    pub tables: BTreeSet<String>,
    /// Its people, each pinned to an identity key.
    pub members: BTreeMap<String, KeyId>,
    /// Where they work, as far as the custodian wrote it down.
    pub organisations: BTreeMap<String, String>,
    /// On which legal basis the data are used, in the custodian's words.
    pub legal_basis: Option<String>,
    /// Whether a person must have seen the question.
    pub approval: Approval,
    /// Whether persons must see what would leave.
    pub release: Mode,
    /// Columns that it may use of each table; `None` for all.
    pub columns: Option<BTreeMap<String, BTreeSet<String>>>,
    /// Digest of its signed record; empty for a project of the policy file.
    pub record: String,
    /// Digest of the custodian's acceptance of that record; empty as well.
    pub acceptance: String,
    /// Questions that may run here; `None` for any number.
    pub questions: Option<u64>,
    /// People of the project who do not ask.
    pub others: Vec<Person>,
}

/// Who approves a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approval {
    /// Strict questions run without a person.
    Auto,
    /// Only questions whose hash (`sha256:..`) is listed.
    Listed(BTreeSet<String>),
    /// Only questions that as many approvers have signed as the policy says.
    Signed,
}

/// What one question may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes for the engine.
    pub memory_bytes: u64,
    /// Time for the engine.
    pub time: Duration,
    /// Questions at a time.
    pub concurrent: usize,
    /// Answers leave at arrival plus a multiple of this.
    pub latency_slot: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 1 << 30,
            time: Duration::from_secs(30),
            concurrent: 2,
            latency_slot: Duration::from_millis(250),
        }
    }
}

/// What the custodian made stricter; `None` means as the codebook says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReleaseFloor {
    /// Least number of persons behind a cell.
    pub k: Option<u32>,
    /// Rounding base.
    pub round_base: Option<u32>,
    /// R4.
    pub p_pct: Option<u32>,
    /// R5.
    pub nk: Option<(u32, u32)>,
    /// R8.
    pub dof: Option<u32>,
    /// R11.
    pub max_cells: Option<u32>,
}

impl Policy {
    /// The parameters of release at this node: the codebook's, made stricter where the policy says so.
    /// Never looser, whatever the policy holds: [`Policy::looser_than`] reports that separately.
    #[must_use]
    pub fn release_for(&self, codebook: &Codebook) -> ReleaseParams {
        let floor = &codebook.release;
        let own = &self.release;
        ReleaseParams {
            mode: floor.mode,
            k: own.k.unwrap_or(floor.k).max(floor.k),
            round_base: own
                .round_base
                .unwrap_or(floor.round_base)
                .max(floor.round_base),
            p_pct: own.p_pct.unwrap_or(floor.p_pct).max(floor.p_pct),
            nk: own
                .nk
                .filter(|nk| stricter_nk(*nk, floor.nk))
                .unwrap_or(floor.nk),
            dof: own.dof.unwrap_or(floor.dof).max(floor.dof),
            max_cells: own
                .max_cells
                .unwrap_or(floor.max_cells)
                .min(floor.max_cells),
            group_share: floor.group_share,
            sparse: floor.sparse,
            min_nodes: floor.min_nodes,
            zeros_public: floor.zeros_public,
        }
    }

    /// Every key of `[release]` that asks for less than this codebook's floor, and what to write.
    #[must_use]
    pub fn looser_than(&self, codebook: &Codebook) -> Vec<(&'static str, String)> {
        let (own, floor) = (&self.release, &codebook.release);
        let looser = |floor: String| {
            format!("looser than the codebook's {floor}, write {floor} or stricter")
        };
        let mut found = Vec::new();
        let least = [
            ("k", own.k, floor.k),
            ("round_base", own.round_base, floor.round_base),
            ("p_pct", own.p_pct, floor.p_pct),
            ("dof", own.dof, floor.dof),
        ];
        for (key, own, floor) in least {
            if own.is_some_and(|own| own < floor) {
                found.push((key, looser(floor.to_string())));
            }
        }
        if own.max_cells.is_some_and(|own| own > floor.max_cells) {
            found.push(("max_cells", looser(floor.max_cells.to_string())));
        }
        if own.nk.is_some_and(|nk| !stricter_nk(nk, floor.nk)) {
            let (contributors, share) = floor.nk;
            found.push((
                "nk",
                looser(format!(
                    "[{contributors}, {}.{:02}]",
                    share / 100,
                    share % 100
                )),
            ));
        }
        found
    }

    /// Whether this node accepts a codebook of that digest.
    #[must_use]
    pub fn accepts(&self, codebook_digest: &str) -> bool {
        self.node.codebooks.contains(codebook_digest)
    }

    /// A path of the policy as seen from the folder of the policy file.
    #[must_use]
    pub fn resolve(&self, path: impl AsRef<Path>) -> PathBuf {
        self.base.join(path)
    }
}

/// More contributors seen together, or a smaller share allowed, is stricter.
fn stricter_nk(own: (u32, u32), floor: (u32, u32)) -> bool {
    own.0 >= floor.0 && own.1 <= floor.1
}

/// `sha256:` + hex of the policy's exact text.
pub(crate) fn digest(text: &str) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(text.as_bytes())))
}
