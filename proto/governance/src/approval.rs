//! Approvals of questions: m of n signatures over exactly one question, one cohort, or one template
//! with the domains of its parameters, for one project, codebook and set of rules, until a day and
//! for so many runs. A changed literal outside a declared parameter is another question.

use std::collections::{BTreeMap, BTreeSet};

use quorate_identity::Name;
use quorate_query::question::Params;
use serde::{Deserialize, Serialize};

use crate::artefact::{Artefact, Opened, need_digest};
use crate::parameter::{self, Domain, ParameterError};
use crate::people::Person;

/// What is approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Subject {
    /// The question with this hash.
    Question {
        /// Digest of canonical form and codebook.
        hash: String,
    },
    /// Every question of the listed kinds about the cohort with this hash.
    Cohort {
        /// Digest of the cohort.
        hash: String,
        /// Names of analyses such as `table1`; `query` for any text.
        kinds: BTreeSet<String>,
    },
    /// This text, with parameters in these domains.
    Template {
        /// SHA-256 of the text, byte for byte.
        text: String,
        /// Domain of each parameter.
        parameters: BTreeMap<String, Domain>,
    },
}

/// An approval of a question. Signed by approvers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Network that it is for.
    pub network: Name,
    /// Project that it is for.
    pub project: Name,
    /// Digest of the project's record; empty for a project that only the policy file knows.
    pub record: String,
    /// What is approved.
    pub subject: Subject,
    /// What the approvers saw: text or canonical form, for comparing with later questions.
    pub shown: String,
    /// Digest of the codebook.
    pub codebook: String,
    /// For each node, the digest of rules and views of the tables that are touched there.
    pub rules: BTreeMap<Name, String>,
    /// Number of the approval within its project: the highest of one subject counts.
    pub serial: u64,
    /// When it was written, unix seconds.
    pub issued: i64,
    /// Last moment, unix seconds.
    pub expires: i64,
    /// How often it may run at each node.
    pub runs: u64,
}

impl Artefact for Approval {
    const KIND: &'static str = quorate_identity::envelope::kind::APPROVAL;

    fn mistakes(&self) -> Vec<String> {
        let mut found = Vec::new();
        need_digest(&mut found, "codebook", &self.codebook);
        if !self.record.is_empty() {
            need_digest(&mut found, "record", &self.record);
        }
        for digest in self.rules.values() {
            need_digest(&mut found, "rules", digest);
        }
        match &self.subject {
            Subject::Question { hash } => need_digest(&mut found, "subject.hash", hash),
            Subject::Cohort { hash, kinds } => {
                need_digest(&mut found, "subject.hash", hash);
                if kinds.is_empty() {
                    found.push("`subject.kinds` names no analysis".to_owned());
                }
            }
            Subject::Template { text, parameters } => {
                need_digest(&mut found, "subject.text", text);
                found.extend(
                    parameters
                        .iter()
                        .filter_map(|(name, domain)| domain.mistake(name)),
                );
            }
        }
        if self.expires <= self.issued {
            found.push("`expires` is not after `issued`".to_owned());
        }
        if self.runs == 0 {
            found.push("`runs` is 0: it could never run".to_owned());
        }
        found
    }
}

/// What a question asks of a cohort.
#[derive(Clone, Copy, Debug)]
pub struct OfCohort<'a> {
    /// Hash of the cohort.
    pub hash: &'a str,
    /// The name of an analysis, or `query`.
    pub kind: &'a str,
    /// Digest of this node's rules and views of every table: which of them a cohort's questions
    /// touch is not known when it is approved.
    pub rules: &'a str,
}

/// A question as a node has read it.
pub struct Asked<'a> {
    /// Network.
    pub network: &'a str,
    /// Node.
    pub node: &'a str,
    /// Project.
    pub project: &'a str,
    /// Digest of the project's record; empty for a project of the policy file.
    pub record: &'a str,
    /// Question hash.
    pub hash: &'a str,
    /// Its cohort, if it is about one and nobody else.
    pub cohort: Option<OfCohort<'a>>,
    /// SHA-256 of its text, if it is one.
    pub text: Option<&'a str>,
    /// Its parameters.
    pub params: &'a Params,
    /// Digest of the codebook.
    pub codebook: &'a str,
    /// Digest of this node's rules and views of the tables that it touches.
    pub rules: &'a str,
    /// Who asks; nobody in a trial.
    pub asker: Option<&'a Person>,
}

/// Who may approve here, and how many must.
pub struct Approvers<'a> {
    /// Persons with a current standing as approvers.
    pub persons: &'a [Person],
    /// How many must sign.
    pub needed: usize,
    /// People of the project: none of them approves it.
    pub project: &'a [Person],
    /// Whether approvals count that do not name this node (rule 12).
    pub recognise: bool,
}

/// Why an approval does not carry a question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// It is about something else.
    #[error("the approval is of another question, project, codebook or network")]
    Another,
    /// A parameter.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// Rules or views have changed since.
    #[error("rules or views of its tables have changed at this node since it was approved")]
    RulesChanged,
    /// Rule 12.
    #[error("rule 12: the approval does not name this node, and the custodian has not opted in")]
    NotForThisNode,
    /// Over, or not begun.
    #[error("the approval has expired, or is dated in the future")]
    NotCurrent,
    /// Rule 1.
    #[error("rule 1: `{0}` approves and is on the project, or asks")]
    OwnProject(Name),
    /// Too few.
    #[error("{signed} of {needed} needed approvers have signed")]
    TooFew {
        /// How many may and have.
        signed: usize,
        /// How many must.
        needed: usize,
    },
}

/// Whether one approval carries a question at this node at this moment: who approved it.
///
/// # Errors
/// The first thing that is missing.
pub fn check(
    approval: &Opened<Approval>,
    asked: &Asked<'_>,
    approvers: &Approvers<'_>,
    now: i64,
) -> Result<Vec<Person>, ApprovalError> {
    let content = approval.content();
    is_about(content, asked)?;
    let now_in_force = match (&content.subject, &asked.cohort) {
        (Subject::Cohort { .. }, Some(cohort)) => cohort.rules,
        _ => asked.rules,
    };
    match content.rules.iter().find(|(node, _)| **node == *asked.node) {
        Some((_, rules)) if rules == now_in_force => {}
        Some(_) => return Err(ApprovalError::RulesChanged),
        None if approvers.recognise => {}
        None => return Err(ApprovalError::NotForThisNode),
    }
    if !(content.issued..=content.expires).contains(&now) {
        return Err(ApprovalError::NotCurrent);
    }
    let signed = signers(approval, approvers);
    let conflicted = signed
        .iter()
        .find(|person| person.among(approvers.project) || person.among(asked.asker));
    if let Some(person) = conflicted {
        return Err(ApprovalError::OwnProject(person.name.clone()));
    }
    let (count, needed) = (signed.len(), approvers.needed.max(1));
    if count < needed {
        let signed = count;
        return Err(ApprovalError::TooFew { signed, needed });
    }
    Ok(signed.into_iter().cloned().collect())
}

/// Whether an approval is of this question, for this project: whoever signed it, and whenever.
///
/// # Errors
/// If it is of something else, or a parameter is outside its domain.
pub fn is_about(content: &Approval, asked: &Asked<'_>) -> Result<(), ApprovalError> {
    let same = content.network.as_str() == asked.network
        && content.project.as_str() == asked.project
        && content.record == asked.record
        && content.codebook == asked.codebook;
    let subject = match &content.subject {
        Subject::Question { hash } => hash == asked.hash,
        Subject::Cohort { hash, kinds } => asked
            .cohort
            .is_some_and(|cohort| cohort.hash == hash && kinds.contains(cohort.kind)),
        Subject::Template { text, parameters } => {
            let ours = asked.text == Some(text.as_str());
            if same && ours {
                parameter::check(parameters, asked.params)?;
            }
            ours
        }
    };
    match same && subject {
        true => Ok(()),
        false => Err(ApprovalError::Another),
    }
}

/// Approvers who signed, each person once whatever the number of their keys.
fn signers<'p>(approval: &Opened<Approval>, approvers: &Approvers<'p>) -> Vec<&'p Person> {
    let mut names = BTreeSet::new();
    let persons = approvers.persons.iter();
    let signed = persons.filter(|person| approval.signers().contains(&person.key));
    signed.filter(|person| names.insert(&person.name)).collect()
}

/// The approval that carries a question: of those that do, the one with the highest serial that
/// has runs left. `used` says how often an approval has run here.
///
/// # Errors
/// If none does: why the nearest one does not, or that its runs are used up.
pub fn choose<'a>(
    approvals: &'a [Opened<Approval>],
    asked: &Asked<'_>,
    approvers: &Approvers<'_>,
    now: i64,
    used: impl Fn(&str) -> u64,
) -> Result<(&'a Opened<Approval>, Vec<Person>), NoApproval> {
    let mut nearest = None;
    let mut newest_first: Vec<_> = approvals.iter().collect();
    newest_first.sort_by_key(|one| std::cmp::Reverse((one.content().serial, one.digest())));
    for approval in newest_first {
        match check(approval, asked, approvers, now) {
            Ok(by) if used(approval.digest()) < approval.content().runs => {
                return Ok((approval, by));
            }
            Ok(_) => return Err(NoApproval::UsedUp),
            Err(ApprovalError::Another) => {}
            Err(error) => nearest = nearest.or(Some(error)),
        }
    }
    Err(nearest.map_or(NoApproval::None, NoApproval::Error))
}

/// Why no approval carries a question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoApproval {
    /// There is none for it.
    #[error("nobody has approved this question")]
    None,
    /// There is one, and it does not count.
    #[error(transparent)]
    Error(ApprovalError),
    /// All its runs are used.
    #[error("the runs that were approved are used up at this node")]
    UsedUp,
}
