//! On what a question may run: nobody has to see it, the custodian listed it, or as many approvers
//! as the policy asks for have signed it. The one place that looks at approvals.

use std::collections::BTreeSet;

use quorate_governance::Person;
use quorate_governance::approval::{Approvers, Asked, NoApproval, OfCohort, choose};
use quorate_identity::{Name, digest_text, sha256};
use quorate_query::analyses::Request;

use super::{ApproveError, Ground, ground, tables};
use crate::govern::{Standing, rules_digest, rules_of_all, stands};
use crate::node::Node;
use crate::policy::{Approval, Project};
use crate::read::Question;
use crate::verify::Asker;

/// On what a question runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Basis {
    /// `auto`, `listed`, `cohort`, `signed`, `core` or `custodian`.
    pub by: &'static str,
    /// Digest of the approval that carries it, where one does.
    pub approval: Option<String>,
    /// Who approved it.
    pub approvers: Vec<Person>,
    /// Runs that it spends: what was granted, and how many.
    pub grants: Vec<(String, u64)>,
}

impl Basis {
    /// One that needs nobody.
    pub(super) fn plain(by: &'static str) -> Self {
        Self {
            by,
            ..Self::default()
        }
    }
}

/// The basis of a question under its project.
///
/// # Errors
/// If its project wants an approval and there is none that counts.
pub(super) fn approval_basis(
    node: &Node,
    standing: &Standing<'_>,
    project: &Project,
    question: &Question<'_>,
    now: i64,
) -> Result<Basis, ApproveError> {
    let ground = ground(question);
    let mut basis = match &project.approval {
        Approval::Auto if !ground.reviewed => Basis::plain("auto"),
        Approval::Auto => listed(node, project, None, ground)?,
        Approval::Listed(hashes) => listed(node, project, Some(hashes), ground)?,
        Approval::Signed => signed(node, standing, project, question, now)?,
    };
    if let Some(questions) = project.questions {
        let granted = format!("project {} {}", project.id, project.record);
        basis.grants.push((granted, questions));
    }
    Ok(basis)
}

fn listed(
    node: &Node,
    project: &Project,
    hashes: Option<&BTreeSet<String>>,
    ground: Ground<'_>,
) -> Result<Basis, ApproveError> {
    let Ground {
        hash,
        cohort,
        reviewed,
    } = ground;
    if hashes.is_some_and(|hashes| hashes.contains(&hash)) || node.approved(&project.id, &hash) {
        return Ok(Basis::plain("listed"));
    }
    if let Some((cohort, kind)) = cohort
        && node.approved_cohort(&project.id, &cohort, kind)
    {
        return Ok(Basis::plain("cohort"));
    }
    let project = project.id.clone();
    Err(match reviewed {
        true => ApproveError::NotReviewed { project, hash },
        false => ApproveError::NotListed { project, hash },
    })
}

/// Looks for an approval by enough approvers whose keys still stand.
fn signed(
    node: &Node,
    standing: &Standing<'_>,
    project: &Project,
    question: &Question<'_>,
    now: i64,
) -> Result<Basis, ApproveError> {
    let (governance, roster) = (&node.policy.governance, node.roster());
    let asked = question.asked();
    let asker = asker(&asked.asker);
    let persons: Vec<Person> = governance
        .approvers
        .iter()
        .filter(|person| stands(&roster, &person.key, now))
        .cloned()
        .collect();
    let everybody = project.everybody();
    let approvers = Approvers {
        persons: &persons,
        needed: governance.approvals,
        project: &everybody,
        recognise: governance.recognise,
    };
    let Ground { hash, cohort, .. } = ground(question);
    let text = text(&asked.request);
    let rules = rules_digest(&node.policy, question.codebook(), &tables(question));
    let every_rule = rules_of_all(&node.policy, question.codebook());
    let asked_for = Asked {
        network: roster.network().as_str(),
        node: &node.policy.node.name,
        project: &project.id,
        record: &project.record,
        hash: &hash,
        cohort: cohort.as_ref().map(|(hash, kind)| OfCohort {
            hash,
            kind,
            rules: &every_rule,
        }),
        text: text.as_deref(),
        params: &asked.params,
        codebook: &asked.codebook,
        rules: &rules,
        asker: asker.as_ref(),
    };
    let id = asked.id.to_string();
    // A count that cannot be read counts as used up.
    let used = |digest: &str| {
        let granted = granted(digest);
        node.with_store(|store| store.runs(&granted, &id))
            .unwrap_or(u64::MAX)
    };
    let chosen = choose(&standing.acts.approvals, &asked_for, &approvers, now, used);
    let (approval, by) = chosen.map_err(|why| not_approved(project, &hash, why))?;
    let runs = approval.content().runs;
    Ok(Basis {
        by: "signed",
        approval: Some(approval.digest().to_owned()),
        approvers: by,
        grants: vec![(granted(approval.digest()), runs)],
    })
}

fn granted(approval: &str) -> String {
    format!("approval {approval}")
}

fn not_approved(project: &Project, hash: &str, why: NoApproval) -> ApproveError {
    ApproveError::NotApproved {
        project: project.id.clone(),
        hash: hash.to_owned(),
        why,
    }
}

/// SHA-256 of the text, where the request is one: what templates are known by.
fn text(request: &Request) -> Option<String> {
    match request {
        Request::Sql(sql) => Some(digest_text(&sha256(sql.as_bytes()))),
        _ => None,
    }
}

/// Who asks, as a person; a trial and a core table are nobody's.
pub(super) fn asker(asker: &Asker) -> Option<Person> {
    match asker {
        Asker::Researcher { name, key } => Some(Person {
            name: Name::parse(name).ok()?,
            key: key.clone(),
        }),
        Asker::Custodian | Asker::Core { .. } => None,
    }
}
