//! Acts of governance that this node holds: signed records, votes, acceptances, approvals, evidence,
//! reviews, suspensions, each in a file of its own, named by its digest.
//!
//! They are read anew for every question, so that a suspension counts at once. A file that cannot
//! be read stops everything: it could be a suspension. What follows from the acts is for
//! `quorate-governance` to say; this module must not know any answer.

mod act;
mod admission;
pub mod change;
mod error;
mod rules;
mod shelf;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use quorate_governance::acceptance::Acceptance;
use quorate_governance::airlock::Review;
use quorate_governance::approval::Approval;
use quorate_governance::artefact::{Artefact, Opened};
use quorate_governance::change::Change;
use quorate_governance::glass::Glass;
use quorate_governance::people::Evidence;
use quorate_governance::project::Project;
use quorate_governance::suspension::{Lift, Suspension};
use quorate_governance::vote::Vote;
use quorate_identity::{Signed, digest_text};

use act::Act;
pub(crate) use admission::stands;
pub use admission::{Standing, admitted};
pub use error::GovernError;
pub(crate) use rules::{rules_digest, rules_of_all};
pub(crate) use shelf::Shelf;
pub(crate) use told::{complete, tell};

use crate::state::{folder, write_file};

/// Name of the folder in the state folder.
pub const FOLDER: &str = "governance";

/// The acts of governance that a node holds.
#[derive(Clone, Debug, Default)]
pub struct Acts {
    /// Project records.
    pub projects: Vec<Opened<Project>>,
    /// Votes on them.
    pub votes: Vec<Opened<Vote>>,
    /// The custodian's words on them.
    pub words: Vec<Opened<Acceptance>>,
    /// Training, agreements, accreditation.
    pub evidence: Vec<Opened<Evidence>>,
    /// Approvals of questions.
    pub approvals: Vec<Opened<Approval>>,
    /// Suspensions.
    pub suspensions: Vec<Opened<Suspension>>,
    /// Their ends.
    pub lifts: Vec<Opened<Lift>>,
    /// Changes of the policy.
    pub changes: Vec<Opened<Change>>,
    /// Who may read a question that is closed to their role.
    pub glasses: Vec<Opened<Glass>>,
}

impl Acts {
    /// Reads everything but reviews. Nothing is there where there is no folder.
    ///
    /// # Errors
    /// If anything in it cannot be read or does not verify.
    pub fn load(state: &Path) -> Result<Self, GovernError> {
        Self::read(&Shelf::default(), &state.join(FOLDER))
    }

    /// The same, where what was verified before need not be verified again.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub(crate) fn read(shelf: &Shelf, folder: &Path) -> Result<Self, GovernError> {
        let mut acts = Self::default();
        for act in shelf.acts(folder, |kind| kind != Review::KIND)? {
            acts.put(&act);
        }
        Ok(acts)
    }

    fn put(&mut self, act: &Act) {
        match act {
            Act::Project(one) => self.projects.push(one.as_ref().clone()),
            Act::Vote(one) => self.votes.push(one.clone()),
            Act::Acceptance(one) => self.words.push(one.clone()),
            Act::Evidence(one) => self.evidence.push(one.clone()),
            Act::Approval(one) => self.approvals.push(one.clone()),
            Act::Suspension(one) => self.suspensions.push(one.clone()),
            Act::Lift(one) => self.lifts.push(one.clone()),
            Act::Change(one) => self.changes.push(one.clone()),
            Act::Glass(one) => self.glasses.push(one.clone()),
            Act::Review(_) => {}
        }
    }

    /// Digests of all of them.
    fn digests(&self) -> BTreeSet<&str> {
        fn of<A: Artefact>(acts: &[Opened<A>]) -> impl Iterator<Item = &str> {
            acts.iter().map(Opened::digest)
        }
        of(&self.projects)
            .chain(of(&self.votes))
            .chain(of(&self.words))
            .chain(of(&self.evidence))
            .chain(of(&self.approvals))
            .chain(of(&self.suspensions))
            .chain(of(&self.lifts))
            .chain(of(&self.changes))
            .chain(of(&self.glasses))
            .collect()
    }
}

/// The reviews that this node holds, of one question or of all.
///
/// # Errors
/// If any review cannot be read.
pub fn reviews(state: &Path, question: Option<&str>) -> Result<Vec<Opened<Review>>, GovernError> {
    reviews_on(&Shelf::default(), &state.join(FOLDER), question)
}

/// The same, where what was verified before need not be verified again.
///
/// # Errors
/// As [`reviews`].
pub(crate) fn reviews_on(
    shelf: &Shelf,
    folder: &Path,
    question: Option<&str>,
) -> Result<Vec<Opened<Review>>, GovernError> {
    let mut found = Vec::new();
    for act in shelf.acts(folder, |kind| kind == Review::KIND)? {
        if let Act::Review(review) = act.as_ref()
            && question.is_none_or(|question| review.content().question == question)
        {
            found.push(review.clone());
        }
    }
    Ok(found)
}

/// Verifies an act and keeps it: its digest. Signatures of an act that is there already are added
/// to it.
///
/// # Errors
/// If it is not in order, or cannot be written.
pub fn keep(state: &Path, signed: &Signed) -> Result<String, GovernError> {
    let mut act = signed.clone();
    Act::open(&act)?;
    let dir = state.join(FOLDER);
    folder(&dir).map_err(|error| GovernError::io(&dir, &error))?;
    let path = dir.join(file_name(&act));
    match std::fs::read(&path) {
        Ok(bytes) => {
            let known: Signed = parse(&path, &bytes)?;
            let ours = |key| act.signatures.iter().any(|s| s.key_id == key);
            let more: Vec<_> = known
                .signatures
                .into_iter()
                .filter(|s| !ours(s.key_id.clone()))
                .collect();
            act.signatures.extend(more);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(GovernError::io(&path, &error)),
    }
    write_file(&path, &to_text(&act)).map_err(|error| GovernError::io(&path, &error))?;
    Ok(digest_text(&act.digest()))
}

/// An act as it lies in a file.
#[must_use]
pub fn to_text(signed: &Signed) -> Vec<u8> {
    // Base64, digests and key ids always have a JSON form.
    let mut text = serde_json::to_vec_pretty(signed).unwrap_or_default();
    text.push(b'\n');
    text
}

/// Reads an act from a file. Nothing is verified yet.
///
/// # Errors
/// If it is none.
pub fn read_file(path: &Path) -> Result<Signed, GovernError> {
    let bytes = std::fs::read(path).map_err(|error| GovernError::io(path, &error))?;
    parse(path, &bytes)
}

/// The signed acts with these digests, and the votes on the records among them, in the order of
/// their files' names.
///
/// # Errors
/// If any act cannot be read or does not verify.
pub(crate) fn behind(state: &Path, named: &BTreeSet<String>) -> Result<Vec<Signed>, GovernError> {
    let mut found = BTreeMap::new();
    for entry in listing(&state.join(FOLDER))? {
        let path = entry.path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let signed = read_file(&path)?;
        let wanted = match Act::open(&signed) {
            Ok(Act::Vote(vote)) => named.contains(&vote.content().record),
            Ok(act) => named.contains(act.digest()),
            Err(why) => return Err(GovernError::Damaged { path, why }),
        };
        if wanted {
            found.insert(path, signed);
        }
    }
    Ok(found.into_values().collect())
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Signed, GovernError> {
    serde_json::from_slice(bytes).map_err(|_| GovernError::NotAnAct(path.to_path_buf()))
}

fn file_name(signed: &Signed) -> String {
    let digest = digest_text(&signed.digest());
    let digits = digest.trim_start_matches("sha256:");
    format!("{}-{digits}.json", signed.kind)
}

fn listing(dir: &Path) -> Result<Vec<std::fs::DirEntry>, GovernError> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(GovernError::io(dir, &error)),
    };
    let entries: Result<Vec<_>, _> = entries.collect();
    entries.map_err(|error| GovernError::io(dir, &error))
}
