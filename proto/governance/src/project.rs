//! The project record: what an applicant asks to do, signed by the applicant. It is complete, or
//! it is not a record: a field that a committee must see cannot be left out.

use std::collections::{BTreeMap, BTreeSet};

use quorate_identity::Name;
use serde::{Deserialize, Serialize};

use crate::airlock::Mode;
use crate::artefact::{Artefact, Opened, need_digest, need_text};
use crate::people::Person;
use crate::purpose::Purpose;

/// Words that a lay summary may have at most.
pub const LAY_SUMMARY_WORDS: usize = 300;
/// Longest run of a project: five years, in seconds.
pub const LONGEST: i64 = 5 * 366 * 86_400;

/// What somebody is in a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Asks questions and reads results.
    Analyst,
    /// Keeps members and dates right; asks nothing, reads no result.
    Manager,
}

/// A member of a project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Who.
    pub person: Person,
    /// As what.
    pub part: Part,
}

/// On which grounds personal data are used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegalBases {
    /// GDPR Article 6 basis.
    pub article6: String,
    /// GDPR Article 9 condition.
    pub article9: String,
    /// How the common-law duty of confidentiality is met, or why there is none.
    pub confidentiality: String,
    /// Whether opt-outs were applied: `yes`, `no` or `not applicable`, with the day.
    pub opt_out: String,
}

/// How much a project may ask, at each node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Questions that may run.
    pub questions: u64,
}

/// A project record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Project {
    /// Network that it is for.
    pub network: Name,
    /// Id of the project.
    pub id: Name,
    /// 1 for the first record, then one more each.
    pub version: u32,
    /// Digest of the record before; empty for the first.
    pub previous: String,
    /// Title.
    pub title: String,
    /// What it is about, for everybody; at most 300 words.
    pub lay_summary: String,
    /// What for.
    pub purpose: Purpose,
    /// What the public has of it.
    pub public_benefit: String,
    /// Who answers for it.
    pub organisation: String,
    /// On which grounds.
    pub legal: LegalBases,
    /// Reference of the ethics approval.
    pub ethics: String,
    /// Reference of the data protection impact assessment.
    pub dpia: String,
    /// Who applies, and signs.
    pub applicant: Person,
    /// Its people.
    pub members: Vec<Member>,
    /// Nodes that are asked to take part.
    pub nodes: BTreeSet<Name>,
    /// Tables and the columns of each that it may use.
    pub data: BTreeMap<String, BTreeSet<String>>,
    /// How much it may ask at each node.
    pub budget: Budget,
    /// How its answers are let out, at least.
    pub release: Mode,
    /// First moment, unix seconds.
    pub starts: i64,
    /// Last moment, unix seconds.
    pub expires: i64,
}

impl Artefact for Project {
    const KIND: &'static str = quorate_identity::envelope::kind::PROJECT;

    fn mistakes(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.check_words(&mut found);
        self.check_people(&mut found);
        self.check_data(&mut found);
        if self.starts >= self.expires {
            found.push("`expires` is not after `starts`".to_owned());
        } else if self.expires.saturating_sub(self.starts) > LONGEST {
            found.push("a project runs for five years at most".to_owned());
        }
        if self.budget.questions == 0 {
            found.push("`budget.questions` is 0: nothing could be asked".to_owned());
        }
        match (self.version, self.previous.as_str()) {
            (0, _) => found.push("`version` counts from 1".to_owned()),
            (1, "") => {}
            (1, _) => found.push("the first record has no `previous`".to_owned()),
            (_, previous) => need_digest(&mut found, "previous", previous),
        }
        found
    }
}

impl Project {
    fn check_words(&self, found: &mut Vec<String>) {
        let LegalBases {
            article6,
            article9,
            confidentiality,
            opt_out,
        } = &self.legal;
        for (name, text, max) in [
            ("title", &self.title, 300),
            ("lay_summary", &self.lay_summary, 4_000),
            ("public_benefit", &self.public_benefit, 4_000),
            ("organisation", &self.organisation, 200),
            ("legal.article6", article6, 400),
            ("legal.article9", article9, 400),
            ("legal.confidentiality", confidentiality, 400),
            ("legal.opt_out", opt_out, 100),
            ("ethics", &self.ethics, 200),
            ("dpia", &self.dpia, 200),
        ] {
            need_text(found, name, text, max);
        }
        if self.lay_summary.split_whitespace().count() > LAY_SUMMARY_WORDS {
            found.push(format!(
                "`lay_summary` has more than {LAY_SUMMARY_WORDS} words"
            ));
        }
    }

    fn check_people(&self, found: &mut Vec<String>) {
        if !self.members.iter().any(|m| m.part == Part::Analyst) {
            found.push("no member is an analyst: nobody could ask".to_owned());
        }
        for (at, member) in self.members.iter().enumerate() {
            let others = self.members.iter().skip(at + 1);
            if member.person.among(others.map(|other| &other.person)) {
                found.push(format!("`{}` is a member twice", member.person.name));
            }
        }
    }

    fn check_data(&self, found: &mut Vec<String>) {
        if self.nodes.is_empty() {
            found.push("`nodes` names no node".to_owned());
        }
        if self.data.is_empty() {
            found.push("`data` names no table".to_owned());
        }
        for (table, columns) in &self.data {
            if columns.is_empty() {
                found.push(format!(
                    "`data.{table}` names no column: only what is named may be used"
                ));
            }
        }
    }

    /// Everybody with an interest in the outcome: applicant and members.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        std::iter::once(&self.applicant).chain(self.members.iter().map(|m| &m.person))
    }

    /// Whether it runs at this moment.
    #[must_use]
    pub fn is_current(&self, now: i64) -> bool {
        (self.starts..=self.expires).contains(&now)
    }
}

/// Why a record is not its applicant's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProjectError {
    /// Signed by somebody else.
    #[error("the project record is not signed by its applicant `{0}` alone")]
    NotTheApplicant(Name),
    /// For another network.
    #[error("the project record is for the network `{0}`")]
    Network(Name),
}

/// Checks who signed, and for which network.
///
/// # Errors
/// If it is not the applicant, or the network is another one.
pub fn check(record: &Opened<Project>, network: &str) -> Result<(), ProjectError> {
    let content = record.content();
    if content.network.as_str() != network {
        return Err(ProjectError::Network(content.network.clone()));
    }
    match record.sole_signer() {
        Some(key) if *key == content.applicant.key => Ok(()),
        _ => Err(ProjectError::NotTheApplicant(
            content.applicant.name.clone(),
        )),
    }
}
