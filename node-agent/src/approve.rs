//! Fourth step: this node's own policy decides, whoever else has agreed.

mod basis;

use std::collections::BTreeSet;

use quorate_governance::acceptance::AdmitError;
use quorate_governance::airlock::Mode;
use quorate_governance::approval::NoApproval;
use quorate_governance::people::{self, Lacking};
use quorate_query::problem::Code;
use quorate_query::question::{Cohort, Question as Typed};

pub use basis::Basis;
use basis::{approval_basis, asker};

use crate::govern::{GovernError, Standing};
use crate::node::Node;
use crate::policy::{Governance, Project};
use crate::read::Question;
use crate::refusal::Coded;
use crate::store::StoreError;
use crate::verify::Asker;

/// A question that this node's policy lets run. Only this module can make one.
///
/// ```compile_fail,E0451
/// fn skip(question: quorate_node::read::Question<'_>) -> quorate_node::approve::Approved<'_> {
///     quorate_node::approve::Approved { question, project: None, basis: Default::default() }
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
    project: Option<Project>,
    basis: Basis,
}

impl<'a> Approved<'a> {
    /// The question.
    #[must_use]
    pub fn question(&self) -> &Question<'a> {
        &self.question
    }

    /// `auto`, `listed`, `cohort` for a kind of question of an approved cohort, `signed`, `core` for a
    /// core table, or `custodian` in a trial.
    #[must_use]
    pub fn by(&self) -> &'static str {
        self.basis.by
    }

    /// On what it runs.
    #[must_use]
    pub fn basis(&self) -> &Basis {
        &self.basis
    }

    /// Under which project; a trial and a core table may have none.
    #[must_use]
    pub fn project(&self) -> Option<&Project> {
        self.project.as_ref()
    }

    /// How what it comes to is let out. What stays here needs nobody.
    #[must_use]
    pub fn release(&self) -> Mode {
        let stays = !matches!(self.question.asked().asker, Asker::Researcher { .. });
        match &self.project {
            Some(project) if !stays => project.release,
            _ => Mode::Auto,
        }
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
    /// No approval carries it.
    #[error("project `{project}` answers approved questions only, and this is {hash}: {why}")]
    NotApproved {
        /// The project.
        project: String,
        /// The question hash.
        hash: String,
        /// Why none does.
        why: NoApproval,
    },
    /// A signed record that does not run here.
    #[error("project `{project}`: {why}")]
    NotAdmitted {
        /// The project.
        project: String,
        /// What is missing.
        why: AdmitError,
    },
    /// A column outside the project.
    #[error("project `{0}` does not include every column of this question")]
    Column(String),
    /// A person, the project or the node was stopped.
    #[error("stopped: {0}")]
    Suspended(String),
    /// Training, agreement or accreditation.
    #[error(transparent)]
    Lacking(#[from] Lacking),
    /// Runs that were granted are used up.
    #[error("project `{0}` has used up the questions that it was granted here")]
    UsedUp(String),
    /// Acts of governance cannot be read.
    #[error(transparent)]
    Govern(#[from] GovernError),
    /// A run could not be recorded.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No source provides a table.
    #[error("no source provides table `{0}`")]
    NotHeld(String),
}

impl Coded for ApproveError {
    fn code(&self) -> Code {
        Code(match self {
            Self::Paused => "G506",
            Self::Project(_) | Self::NotAdmitted { .. } => "G501",
            Self::Member(_) => "G502",
            Self::Table { .. } => "G503",
            Self::NotReviewed { .. } => "G504",
            Self::NotListed { .. } | Self::NotApproved { .. } => "G505",
            Self::Govern(_) => "G509",
            Self::Suspended(_) => "G510",
            Self::Column(_) => "G511",
            Self::Lacking(_) => "G512",
            Self::UsedUp(_) => "G517",
            Self::Store(_) => "E901",
            Self::NotHeld(_) => "C602",
        })
    }
}

/// Asks the policy and the acts of governance: project and its time, member and pinned key, tables
/// and columns, what the member must show, on what the question runs, and how often.
///
/// # Errors
/// Says what is missing.
pub fn approve<'a>(
    node: &Node,
    question: Question<'a>,
    now: i64,
) -> Result<Approved<'a>, ApproveError> {
    if node.paused() {
        return Err(ApproveError::Paused);
    }
    let (project, basis) = match &question.asked().project {
        Some(id) => {
            let (project, basis) = permitted(node, id, &question, now)?;
            (Some(project), basis)
        }
        None if question.asked().core().is_some() => (None, Basis::plain("core")),
        None => (None, Basis::plain("custodian")),
    };
    if let Some(table) = tables(&question)
        .iter()
        .find(|table| !node.policy.sources.contains_key(**table))
    {
        return Err(ApproveError::NotHeld((*table).to_owned()));
    }
    Ok(Approved {
        question,
        project,
        basis,
    })
}

/// Everything that a project allows or does not.
fn permitted(
    node: &Node,
    id: &str,
    question: &Question<'_>,
    now: i64,
) -> Result<(Project, Basis), ApproveError> {
    let asked = question.asked();
    let standing = Standing::read(node, now)?;
    let project = stands(&standing, id, &asked.asker)?;
    shown(node, &standing, &asked.asker, now)?;
    included(&project, &tables(question))?;
    columns(&project, question)?;
    let basis = approval_basis(node, &standing, &project, question, now)?;
    let spends = matches!(asked.asker, Asker::Researcher { .. }) && node.is_durable();
    let question = asked.id.to_string();
    if spends && !node.with_store(|store| store.spend(&basis.grants, &question))? {
        return Err(ApproveError::UsedUp(project.id));
    }
    Ok((project, basis))
}

/// The project, if it runs at this moment, nobody has stopped it or the one who asks, and that one
/// is a member. Asked before anything runs, and again before anything leaves.
///
/// # Errors
/// Says what is missing.
pub(crate) fn stands(
    standing: &Standing<'_>,
    id: &str,
    asker: &Asker,
) -> Result<Project, ApproveError> {
    let project = standing.project(id).map_err(|why| match why {
        Some(why) => ApproveError::NotAdmitted {
            project: id.to_owned(),
            why,
        },
        None => ApproveError::Project(id.to_owned()),
    })?;
    let key = match asker {
        Asker::Researcher { key, .. } => Some(key),
        Asker::Custodian | Asker::Core { .. } => None,
    };
    if let Some(reason) = standing.stopped(id, key) {
        return Err(ApproveError::Suspended(reason));
    }
    member(&project, asker)?;
    Ok(project)
}

/// What the custodian wants to see of everybody who asks.
fn shown(node: &Node, standing: &Standing<'_>, of: &Asker, now: i64) -> Result<(), ApproveError> {
    let governance = &node.policy.governance;
    if let Some(person) = asker(of) {
        let issuers = Governance::keys(&governance.issuers);
        let evidence = &standing.acts.evidence;
        let roster = node.roster();
        let trusted = (roster.network().as_str(), &issuers);
        people::check(&person, &governance.required, trusted, evidence, now)?;
    }
    Ok(())
}

/// Reads the question once more with no use of any column that the project does not name: what it
/// comes to must be the same.
fn columns(project: &Project, question: &Question<'_>) -> Result<(), ApproveError> {
    let Some(granted) = &project.columns else {
        return Ok(());
    };
    let book = question.codebook().granting(|table, column| {
        let columns = granted.get(table);
        columns.is_some_and(|columns| columns.contains(column))
    });
    let asked = question.asked();
    let again = asked.request.read(&asked.params, &book);
    match again.is_ok_and(|again| again == *question.typed()) {
        true => Ok(()),
        false => Err(ApproveError::Column(project.id.clone())),
    }
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

/// What an approval of a question can rest on.
pub(crate) struct Ground<'q> {
    /// The question hash: exactly this question.
    pub(crate) hash: String,
    /// The digest of its cohort and the kind of question, if it asks of nobody and nothing else. Not of
    /// a question for review, of which exactly the question is approved.
    pub(crate) cohort: Option<(String, &'q str)>,
    /// Whether it is a question for review, which runs only if it was approved.
    pub(crate) reviewed: bool,
}

/// What an approval of this question can rest on.
pub(crate) fn ground<'q>(question: &'q Question<'_>) -> Ground<'q> {
    let request = &question.asked().request;
    let reviewed = request.is_reviewed();
    let cohort = request.cohort().filter(|_| !reviewed);
    let cohort = cohort.filter(|cohort| cohort.holds(question.typed(), question.codebook()));
    Ground {
        hash: question.hash(),
        cohort: cohort.map(|cohort| (cohort.digest(), request.kind())),
        reviewed,
    }
}

/// Every table that a question touches, those of cohorts and derived columns included.
pub(crate) fn tables<'q>(question: &'q Question<'_>) -> BTreeSet<&'q str> {
    tables_of(question.typed())
}

/// The same, of a question that nobody asked.
pub(crate) fn tables_of(typed: &Typed) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    for (_, table) in typed.tables() {
        found.insert(table.rows.as_str());
        found.extend(table.joined.iter().map(String::as_str));
        add_cohorts(&table.filter.cohorts, &mut found);
    }
    let derived = typed.derived.values();
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
