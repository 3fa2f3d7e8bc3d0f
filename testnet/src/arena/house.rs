//! A node in this process: its folder, keys, roster and policy, and everything that can happen to
//! it. Questions go, signed, through the very story that answers the coordinator.
//!
//! Time stands still unless it is moved, and every key comes from a fixed seed, so that two houses
//! over neighbouring databases differ in nothing but their data.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use quorate_identity::roster::{Change, Founder, cosign, genesis, unsigned};
use quorate_identity::{KeyId, Name, Role, Roster, Signed, SigningKey};
use quorate_node::answer::{Delivery, Reply, answer};
use quorate_node::home::Home;
use quorate_node::node::{Node, Opening};
use quorate_node::policy;
use quorate_node::trial::{Shown, Trial, try_alone};
use quorate_query::canonical;
use quorate_query::codebook::Codebook;
use quorate_query::combine::{Combined, SiteTables, combine_tables};
use quorate_wire::{
    AnswerPayload, Opened, QuestionId, QuestionPayload, RefusalPayload, sign_question,
};
use tokio::runtime::Runtime;

pub use super::ask::Ask;
use super::ask::RESEARCHERS;

/// When every arena begins.
pub const NOW: i64 = 1_800_000_000;
const FAR: i64 = NOW + 400 * 86_400;
const NETWORK: &str = "arena";
const NODE: &str = "cleveland";
const CUSTODIAN_SEED: u8 = 1;
const NODE_SEED: u8 = 2;

/// Projects; everybody is a member of each.
pub const PROJECTS: [&str; 2] = ["one", "two"];

/// What a house is built from.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Codebooks by the name that steps call them; the first question is read against `main`.
    pub codebooks: BTreeMap<String, String>,
    /// `[source...]` of the policy.
    pub sources: String,
    /// Body of `[release]` in the policy.
    pub release: String,
    /// Whether its population is registered as synthetic, so that nothing is protected.
    pub synthetic: bool,
    /// Seed of the population's secrets.
    pub secret: u8,
    /// Files of the sources by name.
    pub files: BTreeMap<String, String>,
}

impl Plan {
    /// The world "clinic" over these files.
    #[must_use]
    pub fn clinic(files: BTreeMap<String, String>) -> Self {
        let book = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        Self {
            codebooks: BTreeMap::from([
                book("main", super::clinic::CODEBOOK),
                book("second", super::clinic::SECOND),
            ]),
            sources: super::clinic::SOURCES.to_owned(),
            release: String::new(),
            synthetic: false,
            secret: 42,
            files,
        }
    }

    /// The same house where nothing is rounded: only what is withheld protects.
    #[must_use]
    pub fn exact(mut self) -> Self {
        for text in self.codebooks.values_mut() {
            *text = text.replace("round_base = 5", "round_base = 1");
        }
        self
    }

    /// The world that an attack names: `clinic`, or `exact` where nothing is rounded.
    #[must_use]
    pub fn world(exact: bool, files: BTreeMap<String, String>) -> Self {
        let plan = Self::clinic(files);
        if exact { plan.exact() } else { plan }
    }

    /// The world "district" over these files.
    #[must_use]
    pub fn district(files: BTreeMap<String, String>) -> Self {
        let book = super::district::CODEBOOK.to_owned();
        Self {
            codebooks: BTreeMap::from([("main".to_owned(), book)]),
            ..Self::clinic(files)
        }
    }

    /// The same house without protection.
    #[must_use]
    pub fn unprotected(mut self) -> Self {
        self.synthetic = true;
        self
    }
}

/// What the node said.
#[derive(Clone, Debug)]
pub enum Said {
    /// It answered.
    Answered(Box<Told>),
    /// It refused.
    Refused {
        /// Stable code.
        code: String,
        /// Length of the signed payload.
        bytes: usize,
    },
    /// It said nothing at all.
    Silent,
}

/// An answer, opened.
#[derive(Clone, Debug)]
pub struct Told {
    /// What was signed.
    pub payload: AnswerPayload,
    /// Length of the signed payload.
    pub bytes: usize,
    /// What a researcher makes of it, table by table.
    pub combined: Vec<Combined>,
}

impl Said {
    /// The answer, if it is one.
    #[must_use]
    pub fn told(&self) -> Option<&Told> {
        match self {
            Self::Answered(told) => Some(told),
            Self::Refused { .. } | Self::Silent => None,
        }
    }

    /// The code of a refusal.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::Answered(_) | Self::Silent => None,
        }
    }
}

/// A node with its folder, and whoever asks it.
pub struct House {
    folder: tempfile::TempDir,
    plan: Plan,
    books: BTreeMap<String, Arc<Codebook>>,
    book: String,
    roster: Roster,
    runtime: Runtime,
    node: Option<Node>,
    copies: BTreeMap<usize, PathBuf>,
    asked: u64,
    now: i64,
}

impl House {
    /// Writes the files and opens the node.
    ///
    /// # Errors
    /// If a codebook or policy has a mistake, or the node does not open.
    pub fn open(plan: Plan) -> Result<Self> {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        let folder = folder.context("no temporary folder")?;
        let mut books = BTreeMap::new();
        for (name, text) in &plan.codebooks {
            let book = quorate_query::codebook::read(text, name)?;
            books.insert(name.clone(), Arc::new(book));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut house = Self {
            folder,
            plan,
            books,
            book: "main".to_owned(),
            roster: roster()?,
            runtime,
            node: None,
            copies: BTreeMap::new(),
            asked: 0,
            now: NOW,
        };
        house.lay_keys()?;
        house.write_files()?;
        house.reopen()?;
        Ok(house)
    }

    /// Asks a question, signed by its researcher, and opens what comes back.
    ///
    /// # Errors
    /// If the arena itself fails: an unknown researcher, an answer that cannot be opened.
    pub fn ask(&mut self, ask: &Ask) -> Result<Said> {
        let (_, seed, _) = ask.asker()?;
        self.approve(ask)?;
        let question = self.question(ask)?;
        let delivery = Delivery {
            question: sign_question(&question, &key(seed)?),
            round: 0,
            peer: String::new(),
        };
        let node = self.node.as_ref().context("the node is closed")?;
        match self.runtime.block_on(answer(node, delivery, self.now)) {
            Reply::Waits | Reply::Nothing => Ok(Said::Silent),
            Reply::Say(message) => self.listen(ask, &message),
        }
    }

    /// What the custodian sees when trying the question now: the table with every finding, or the
    /// code of the refusal. It leaves no trace.
    ///
    /// # Errors
    /// If the node cannot be opened for a trial.
    pub fn try_out(&self, ask: &Ask) -> Result<Result<Shown, String>> {
        self.try_on(&self.for_trials()?, ask)
    }

    /// A node with the present state for any number of trials: none leaves a trace in it.
    ///
    /// # Errors
    /// If it does not open.
    pub fn for_trials(&self) -> Result<Node> {
        Ok(Node::open_for_trial(self.opening()?)?)
    }

    /// As [`Self::try_out`], on a node that is open already.
    ///
    /// # Errors
    /// If the arena itself fails.
    pub fn try_on(&self, node: &Node, ask: &Ask) -> Result<Result<Shown, String>> {
        self.approve(ask)?;
        let trial = Trial {
            request: ask.request(),
            params: ask.params.clone(),
            codebook: self.codebook()?.digest.clone(),
            project: Some(ask.project()?),
        };
        let report = self.runtime.block_on(try_alone(node, trial, self.now));
        Ok(report
            .outcome
            .map_err(|refusal| refusal.code().0.to_owned()))
    }

    /// The data change: the next question sees another extract.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn refresh(&mut self, files: BTreeMap<String, String>) -> Result<()> {
        self.plan.files = files;
        self.write_files()
    }

    /// The node stops and starts again on the same state.
    ///
    /// # Errors
    /// If it does not open.
    pub fn restart(&mut self) -> Result<()> {
        self.reopen()
    }

    /// Another `[release]` in the policy; the node starts again.
    ///
    /// # Errors
    /// If the policy has a mistake or the node does not open.
    pub fn set_release(&mut self, release: &str) -> Result<()> {
        self.plan.release = release.to_owned();
        self.reopen()
    }

    /// Later questions are read against this codebook.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn use_codebook(&mut self, name: &str) -> Result<()> {
        if !self.books.contains_key(name) {
            bail!("no codebook `{name}`");
        }
        name.clone_into(&mut self.book);
        Ok(())
    }

    /// Keeps a copy of the state folder as it is now.
    ///
    /// # Errors
    /// If it cannot be copied.
    pub fn keep_copy(&mut self, number: usize) -> Result<()> {
        let to = self.folder.path().join(format!("copy-{number}"));
        copy(&self.state(), &to)?;
        self.copies.insert(number, to);
        Ok(())
    }

    /// Puts a copy back in place of the state folder, as from a backup, and starts the node. The
    /// coordinator shows it the newest checkpoint that it kept, as it does at every connection.
    ///
    /// # Errors
    /// If there is no such copy, or the node does not open.
    pub fn restore(&mut self, number: usize) -> Result<()> {
        let from = self.copies.get(&number).context("no such copy")?.clone();
        let seen = self.node.take().map(|node| node.ledger_head());
        fs::remove_dir_all(self.state())?;
        copy(&from, &self.state())?;
        self.reopen()?;
        // An unprotected twin shows what the attack would gain.
        if let (Some(node), Some(seen), false) = (&self.node, seen, self.plan.synthetic) {
            node.witnessed(&seen)?;
        }
        Ok(())
    }

    /// Moves the clock.
    pub fn pass(&mut self, seconds: i64) {
        self.now = self.now.saturating_add(seconds);
    }

    /// The open node.
    #[must_use]
    pub fn node(&self) -> Option<&Node> {
        self.node.as_ref()
    }

    /// The codebook that questions are read against.
    ///
    /// # Errors
    /// Never, unless the arena is built wrongly.
    pub fn codebook(&self) -> Result<&Arc<Codebook>> {
        self.books.get(&self.book).context("no such codebook")
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn reopen(&mut self) -> Result<()> {
        self.node = None;
        self.node = Some(Node::open(self.opening()?)?);
        Ok(())
    }

    fn opening(&self) -> Result<Opening> {
        let books: Vec<&Codebook> = self.books.values().map(AsRef::as_ref).collect();
        let text = self.policy_text()?;
        Ok(Opening {
            policy: policy::read(&text, "node.toml", self.folder.path(), &books)?,
            key: key(NODE_SEED)?,
            roster: self.roster.clone(),
            codebooks: self.books.values().cloned().collect(),
            stopwatch: Arc::new(|| Duration::ZERO),
            timings: None,
            now: self.now,
        })
    }

    fn policy_text(&self) -> Result<String> {
        let digests: Vec<String> = self.books.values().map(|b| quoted(&b.digest)).collect();
        let main = self.codebook()?;
        let tables: Vec<String> = main.tables.keys().map(|t| quoted(t)).collect();
        let members: Result<Vec<String>> = RESEARCHERS
            .iter()
            .map(|(name, seed, _)| {
                let id = key(*seed)?.key_id().to_string();
                Ok(format!("{{ name = \"{name}\", key = \"{id}\" }}"))
            })
            .collect();
        let (members, tables) = (members?.join(", "), tables.join(", "));
        let projects = PROJECTS.map(|id| {
            format!(
                "[[project]]\nid = \"{id}\"\nuntil = 2030-12-31\ntables = [{tables}]\n\
                 members = [{members}]\napproval = \"auto\"\n"
            )
        });
        Ok(format!(
            "[node]\nformat = 1\nname = \"{NODE}\"\ncoordinator = \"https://127.0.0.1:1\"\n\
             state = \"state\"\ngenesis = [{}]\ncodebooks = [{}]\nproxy = \"none\"\n\
             [population]\nname = \"clinic\"\nsynthetic = {}\n{}\n[release]\n{}\n{}\
             [limits]\nmemory = \"256 MiB\"\ntime = \"30 s\"\nlatency_slot = \"0 ms\"\n",
            quoted(&key(CUSTODIAN_SEED)?.key_id().to_string()),
            digests.join(", "),
            self.plan.synthetic,
            self.plan.sources,
            self.plan.release,
            projects.concat(),
        ))
    }

    /// Secrets of a fixed seed: two houses turn the same unit key into the same person id.
    fn lay_keys(&self) -> Result<()> {
        fs::DirBuilder::new().mode(0o700).create(self.state())?;
        for name in ["domain.key", "store.key"] {
            let digits = format!("{:02x}", self.plan.secret).repeat(32);
            write(&self.state().join(name), &digits)?;
        }
        Ok(())
    }

    /// Every file anew under another inode, so that no change goes unnoticed.
    fn write_files(&self) -> Result<()> {
        for (name, text) in &self.plan.files {
            let path = self.folder.path().join(name);
            let fresh = path.with_extension("new");
            write(&fresh, text)?;
            fs::rename(&fresh, &path)?;
        }
        Ok(())
    }

    /// The custodian's `approve` of exactly this question, if it is one for review; what cannot be
    /// read is not approved, and the node says why.
    fn approve(&self, ask: &Ask) -> Result<()> {
        if let (true, Ok(question)) = (ask.reviewed, ask.read(self.codebook()?)) {
            let hash = canonical::show_digest(&question.digest());
            Home::open(&self.state())?.approve(&ask.project()?, &hash)?;
        }
        Ok(())
    }

    fn question(&mut self, ask: &Ask) -> Result<QuestionPayload> {
        self.asked = self.asked.saturating_add(1);
        let codebook = self.codebook()?;
        let digest = ask
            .read(codebook)
            .map_or([0; 32], |question| question.digest());
        Ok(QuestionPayload {
            network: NETWORK.to_owned(),
            question_id: QuestionId::new(self.asked, &[9; 10]),
            researcher: ask.asker()?.0.to_owned(),
            project: ask.project()?,
            purpose: "arena".to_owned(),
            nodes: BTreeSet::new(),
            codebook: codebook.digest.clone(),
            roster_head: self.roster.head().hash,
            request: ask.request(),
            canonical_version: canonical::VERSION,
            canonical_digest: digest,
            params: ask.params.clone(),
            not_before: self.now - 60,
            expires: self.now + 3600,
            must_understand: BTreeSet::new(),
            min_nodes: 0,
        })
    }

    fn listen(&self, ask: &Ask, message: &Signed) -> Result<Said> {
        let bytes = message.payload.len();
        let node: KeyId = key(NODE_SEED)?.key_id().clone();
        if message.kind == "refusal" {
            let opened: Opened<RefusalPayload> = quorate_wire::open(message, &node)?;
            let code = opened.into_payload().code;
            return Ok(Said::Refused { code, bytes });
        }
        let opened: Opened<AnswerPayload> = quorate_wire::open(message, &node)?;
        let payload = opened.into_payload();
        let codebook = self.codebook()?;
        let question = ask
            .read(codebook)
            .map_err(|_| anyhow!("answered what cannot be read: {ask:?}"))?;
        let site = SiteTables {
            node: NODE,
            tables: Some((&payload.tables, payload.protection)),
        };
        let tables = combine_tables(&question, codebook, &[site])?.tables;
        let combined = tables.into_iter().map(|(_, table)| table).collect();
        Ok(Said::Answered(Box::new(Told {
            payload,
            bytes,
            combined,
        })))
    }
}

fn key(seed: u8) -> Result<SigningKey> {
    Ok(SigningKey::from_seed(&[seed; 32])?)
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())
}

/// Copies a folder of files and folders, private as the state folder is.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// One founder, one node, four researchers.
fn roster() -> Result<Roster> {
    let custodian = key(CUSTODIAN_SEED)?;
    let founder = Founder {
        name: Name::parse("carla")?,
        key: custodian.key_id().clone(),
        until: FAR,
    };
    let signed = |payload| {
        let mut entry = unsigned(payload);
        cosign(&custodian, &mut entry);
        entry
    };
    let network = Name::parse(NETWORK)?;
    let first = signed(genesis(&network, vec![founder], NOW - 1000));
    let mut roster = Roster::verify(Some(NETWORK), &[custodian.key_id().clone()], &[first])?;
    let people = RESEARCHERS.map(|(name, seed, _)| (Role::Researcher, name, seed));
    for (role, name, seed) in [(Role::Node, NODE, NODE_SEED)].into_iter().chain(people) {
        let change = Change::Add {
            role,
            name: Name::parse(name)?,
            key: key(seed)?.key_id().clone(),
            until: FAR,
        };
        roster.append(&signed(roster.propose(change, NOW - 900)))?;
    }
    Ok(roster)
}
