//! Fourth step: this node's own policy decides, whoever else has agreed.

use std::collections::BTreeSet;

use quorate_query::problem::Code;
use quorate_query::question::Cohort;

use crate::node::Node;
use crate::policy::{Approval, Project};
use crate::read::Question;
use crate::refusal::Coded;
use crate::verify::Asker;

/// A question that this node's policy lets run. Only this module can make one.
///
/// ```compile_fail,E0451
/// fn skip(question: quorate_node::read::Question<'_>) -> quorate_node::approve::Approved<'_> {
///     quorate_node::approve::Approved { question, by: "me" }
/// }
/// ```
///
/// ```no_run
/// use quorate_node::{approve, node::Node, read};
/// fn ask<'a>(node: &Node, q: read::Question<'a>) -> Result<approve::Approved<'a>, approve::ApproveError> {
///     approve::approve(node, q, 0)
/// }
/// ```
pub struct Approved<'a> {
    question: Question<'a>,
    by: &'static str,
}

impl<'a> Approved<'a> {
    /// The question.
    #[must_use]
    pub fn question(&self) -> &Question<'a> {
        &self.question
    }

    /// `auto`, `listed`, `cohort` for a kind of question of an approved cohort, `core` for a core table,
    /// or `custodian` in a trial.
    #[must_use]
    pub fn by(&self) -> &'static str {
        self.by
    }
}

/// Why the policy does not let a question run.
#[derive(Debug, thiserror::Error)]
pub enum ApproveError {
    /// The custodian paused the node.
    #[error("the node is paused: `quorate-node resume` goes on")]
    Paused,
    /// No such project, or it has ended.
    #[error("the policy has no current project `{0}`")]
    Project(String),
    /// Not one of its members, or with another key.
    #[error("project `{0}` does not list this researcher with this key")]
    Member(String),
    /// A table outside the project.
    #[error("project `{project}` does not include table `{table}`")]
    Table {
        /// The project.
        project: String,
        /// The table.
        table: String,
    },
    /// Only listed questions run.
    #[error("project `{project}` answers listed questions only; this one is {hash}")]
    NotListed {
        /// The project.
        project: String,
        /// The question hash.
        hash: String,
    },
    /// A question for review that nobody approved here.
    #[error(
        "a question for review: look at it, then `quorate-node approve {hash} --project {project}`"
    )]
    NotReviewed {
        /// The project.
        project: String,
        /// The question hash.
        hash: String,
    },
    /// No source provides a table.
    #[error("no source provides table `{0}`")]
    NotHeld(String),
}

impl Coded for ApproveError {
    fn code(&self) -> Code {
        Code(match self {
            Self::Paused => "G506",
            Self::Project(_) => "G501",
            Self::Member(_) => "G502",
            Self::Table { .. } => "G503",
            Self::NotListed { .. } => "G505",
            Self::NotReviewed { .. } => "G504",
            Self::NotHeld(_) => "C602",
        })
    }
}

/// Asks the policy: project and its time, member and pinned key, tables, list of questions.
///
/// # Errors
/// Says what the policy lacks.
pub fn approve<'a>(
    node: &Node,
    question: Question<'a>,
    now: i64,
) -> Result<Approved<'a>, ApproveError> {
    if node.paused() {
        return Err(ApproveError::Paused);
    }
    let tables = tables(&question);
    let by = match &question.asked().project {
        Some(id) => {
            let project = current(node, id, now)?;
            member(project, &question.asked().asker)?;
            included(project, &tables)?;
            listed(node, project, &question)?
        }
        None if question.asked().core().is_some() => "core",
        None => "custodian",
    };
    if let Some(table) = tables
        .iter()
        .find(|table| !node.policy.sources.contains_key(**table))
    {
        return Err(ApproveError::NotHeld((*table).to_owned()));
    }
    Ok(Approved { question, by })
}

fn current<'n>(node: &'n Node, id: &str, now: i64) -> Result<&'n Project, ApproveError> {
    let project = node
        .policy
        .projects
        .get(id)
        .filter(|project| now < project.until);
    project.ok_or_else(|| ApproveError::Project(id.to_owned()))
}

fn member(project: &Project, asker: &Asker) -> Result<(), ApproveError> {
    let known = match asker {
        Asker::Researcher { name, key } => project.members.get(name) == Some(key),
        Asker::Custodian | Asker::Core { .. } => true,
    };
    if known {
        Ok(())
    } else {
        Err(ApproveError::Member(project.id.clone()))
    }
}

fn included(project: &Project, tables: &BTreeSet<&str>) -> Result<(), ApproveError> {
    match tables
        .iter()
        .find(|table| !project.tables.contains(**table))
    {
        Some(table) => Err(ApproveError::Table {
            project: project.id.clone(),
            table: (*table).to_owned(),
        }),
        None => Ok(()),
    }
}

fn listed(
    node: &Node,
    project: &Project,
    question: &Question<'_>,
) -> Result<&'static str, ApproveError> {
    let listed = match &project.approval {
        Approval::Auto if !question.asked().request.is_reviewed() => return Ok("auto"),
        Approval::Auto => None,
        Approval::Listed(hashes) => Some(hashes),
    };
    let Basis {
        hash,
        cohort,
        reviewed,
    } = basis(question);
    if listed.is_some_and(|hashes| hashes.contains(&hash)) || node.approved(&project.id, &hash) {
        return Ok("listed");
    }
    if let Some((cohort, kind)) = cohort
        && node.approved_cohort(&project.id, &cohort, kind)
    {
        return Ok("cohort");
    }
    let project = project.id.clone();
    Err(match reviewed {
        true => ApproveError::NotReviewed { project, hash },
        false => ApproveError::NotListed { project, hash },
    })
}

/// What an approval of a question can rest on.
pub(crate) struct Basis<'q> {
    /// The question hash: exactly this question.
    pub(crate) hash: String,
    /// The digest of its cohort and the kind of question, if it asks of nobody and nothing else. Not of
    /// a question for review, of which exactly the question is approved.
    pub(crate) cohort: Option<(String, &'q str)>,
    /// Whether it is a question for review, which runs only if it was approved.
    pub(crate) reviewed: bool,
}

/// What an approval of this question can rest on.
pub(crate) fn basis<'q>(question: &'q Question<'_>) -> Basis<'q> {
    let request = &question.asked().request;
    let reviewed = request.is_reviewed();
    let cohort = request.cohort().filter(|_| !reviewed);
    let cohort = cohort.filter(|cohort| cohort.holds(question.typed(), question.codebook()));
    Basis {
        hash: question.hash(),
        cohort: cohort.map(|cohort| (cohort.digest(), request.kind())),
        reviewed,
    }
}

/// Every table that a question touches, those of cohorts and derived columns included.
pub(crate) fn tables<'q>(question: &'q Question<'_>) -> BTreeSet<&'q str> {
    let mut found = BTreeSet::new();
    for table in question.tables() {
        found.insert(table.rows.as_str());
        found.extend(table.joined.iter().map(String::as_str));
        add_cohorts(&table.filter.cohorts, &mut found);
    }
    let derived = question.typed().derived.values();
    found.extend(derived.flat_map(quorate_query::derived::Derived::tables));
    found
}

fn add_cohorts<'q>(cohorts: &'q BTreeSet<Cohort>, found: &mut BTreeSet<&'q str>) {
    for cohort in cohorts {
        found.insert(&cohort.rows);
        found.extend(cohort.joined.iter().map(String::as_str));
        add_cohorts(&cohort.filter.cohorts, found);
    }
}
