//! Separation of duties: twelve rules. Most live where the act lives that they bound (votes,
//! reviews, approvals, changes); here are the pairs of roles nobody may hold together and what
//! each role may do at all.
//!
//! | rule | where |
//! |---|---|
//! | 1 author, approver and checker of one project are three persons | [`on_project`] |
//! | 2 applicants do not vote | [`crate::vote::count`] |
//! | 3 loosening takes two persons and a delay | [`crate::change::in_force`] |
//! | 4 operators touch no data, result or release | [`may`] |
//! | 5 the node signs what leaves; `dual` needs two checkers | [`crate::airlock::judge`] |
//! | 6 a coordinator decides nothing | [`may`] |
//! | 7 one pauses, two resume | [`crate::suspension::standing`] |
//! | 8 break-glass is short, reasoned and told | [`crate::glass::lets`] |
//! | 9 auditors only read, and operate nothing here | [`may`], [`at_one_node`] |
//! | 10 grants expire | [`Grant`] |
//! | 11 a conflict found later voids pending decisions | [`crate::airlock::judge`] |
//! | 12 approvals travel only where a custodian opted in | [`crate::approval::check`] |

use std::collections::{BTreeMap, BTreeSet};

use quorate_identity::Name;

use crate::people::Person;

/// What somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Asks.
    Researcher,
    /// Approves questions.
    Approver,
    /// Judges outputs.
    Checker,
    /// Answers for the data.
    Custodian,
    /// Runs a node.
    Operator,
    /// Reads the record.
    Auditor,
    /// Votes on projects.
    Committee,
    /// Runs the coordinator.
    Coordinator,
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// Ask a question.
    Ask,
    /// Read a released result.
    ReadResult,
    /// Read what is not released yet.
    ReadUnreleased,
    /// Read the data.
    ReadData,
    /// Vote on a project.
    Vote,
    /// Accept a project for a node.
    AcceptProject,
    /// Approve a question.
    ApproveQuestion,
    /// Decide on an output.
    Review,
    /// Change a policy.
    ChangePolicy,
    /// Pause or suspend.
    Pause,
    /// Resume or lift a suspension.
    Resume,
    /// Start, stop and back up a node.
    Operate,
    /// Read the ledger.
    ReadLedger,
    /// Carry messages.
    Carry,
}

impl Act {
    /// Every act.
    pub const ALL: [Act; 14] = [
        Act::Ask,
        Act::ReadResult,
        Act::ReadUnreleased,
        Act::ReadData,
        Act::Vote,
        Act::AcceptProject,
        Act::ApproveQuestion,
        Act::Review,
        Act::ChangePolicy,
        Act::Pause,
        Act::Resume,
        Act::Operate,
        Act::ReadLedger,
        Act::Carry,
    ];
}

/// Whether a role may do something. What is not listed is not allowed.
#[must_use]
pub fn may(role: Role, act: Act) -> bool {
    let allowed: &[Act] = match role {
        Role::Researcher => &[Act::Ask, Act::ReadResult],
        Role::Approver => &[Act::ApproveQuestion],
        Role::Checker => &[Act::ReadUnreleased, Act::Review],
        Role::Custodian => &[
            Act::ReadData,
            Act::AcceptProject,
            Act::ChangePolicy,
            Act::Pause,
            Act::Resume,
            Act::ReadLedger,
        ],
        Role::Operator => &[Act::Operate, Act::Pause],
        Role::Auditor => &[Act::ReadLedger],
        Role::Committee => &[Act::Vote],
        Role::Coordinator => &[Act::Carry],
    };
    allowed.contains(&act)
}

/// A pair of duties that one person must not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Rule 1.
    #[error("rule 1: `{person}` is {one} and {other} of one project")]
    Project {
        /// Who.
        person: Name,
        /// One duty.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
    /// Rule 9.
    #[error("rule 9: `{0}` is auditor and operator of one node")]
    AuditorOperates(Name),
    /// An auditor reads only.
    #[error("rule 9: the auditor `{person}` is also {other} at this node")]
    AuditorActs {
        /// Who.
        person: Name,
        /// What else.
        other: &'static str,
    },
    /// An operator decides nothing.
    #[error("rule 4: the operator `{person}` is also {other} at this node")]
    OperatorDecides {
        /// Who.
        person: Name,
        /// What else.
        other: &'static str,
    },
}

/// Rule 1: members, approvers and checkers of one project are different persons.
///
/// # Errors
/// The first person with two of these duties.
pub fn on_project<'p>(
    members: impl Iterator<Item = &'p Person>,
    approvers: &[Person],
    checkers: &[Person],
) -> Result<(), Conflict> {
    let conflict = |person: &Person, one, other| Conflict::Project {
        person: person.name.clone(),
        one,
        other,
    };
    for member in members {
        if member.among(approvers) {
            return Err(conflict(member, "member", "query approver"));
        }
        if member.among(checkers) {
            return Err(conflict(member, "member", "output checker"));
        }
    }
    match approvers.iter().find(|person| person.among(checkers)) {
        Some(both) => Err(conflict(both, "query approver", "output checker")),
        None => Ok(()),
    }
}

/// Rules 4 and 9: what operators and auditors of a node must not be there as well.
///
/// # Errors
/// The first forbidden pair.
pub fn at_one_node(duties: &BTreeMap<&'static str, Vec<Person>>) -> Result<(), Conflict> {
    let none = Vec::new();
    let holders = |duty: &str| duties.get(duty).unwrap_or(&none);
    let (operators, auditors) = (holders("operator"), holders("auditor"));
    if let Some(both) = auditors.iter().find(|person| person.among(operators)) {
        return Err(Conflict::AuditorOperates(both.name.clone()));
    }
    for (other, people) in duties {
        if let Some(both) = people.iter().find(|p| p.among(auditors))
            && *other != "auditor"
        {
            let person = both.name.clone();
            return Err(Conflict::AuditorActs { person, other });
        }
        if let Some(both) = people.iter().find(|p| p.among(operators))
            && *other != "operator"
        {
            let person = both.name.clone();
            return Err(Conflict::OperatorDecides { person, other });
        }
    }
    Ok(())
}

/// Longest break-glass access: four hours, in seconds.
pub const LONGEST_BREAK_GLASS: i64 = 4 * 3600;

/// Access that an emergency needs: bounded, reasoned and told (rule 8). Only [`BreakGlass::open`]
/// makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakGlass {
    who: Person,
    until: i64,
    told: BTreeSet<Person>,
}

/// Why the glass stays whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BreakGlassError {
    /// No reason.
    #[error("rule 8: give a reason")]
    NoReason,
    /// Too long.
    #[error("rule 8: at most four hours")]
    TooLong,
    /// Nobody who must know is told.
    #[error("rule 8: custodian and auditor must both be told, and be somebody else")]
    NotTold,
}

impl BreakGlass {
    /// Opens it.
    ///
    /// # Errors
    /// If there is no reason, no near end, or nobody else knows.
    pub fn open(
        who: Person,
        reason: &str,
        (now, until): (i64, i64),
        (custodian, auditor): (&Person, &Person),
    ) -> Result<Self, BreakGlassError> {
        if reason.trim().is_empty() {
            return Err(BreakGlassError::NoReason);
        }
        if until <= now || until.saturating_sub(now) > LONGEST_BREAK_GLASS {
            return Err(BreakGlassError::TooLong);
        }
        if who.is(custodian) || who.is(auditor) || custodian.is(auditor) {
            return Err(BreakGlassError::NotTold);
        }
        let told = BTreeSet::from([custodian.clone(), auditor.clone()]);
        Ok(Self { who, until, told })
    }

    /// Whether it lets this person in now.
    #[must_use]
    pub fn lets(&self, who: &Person, now: i64) -> bool {
        self.who == *who && now <= self.until
    }

    /// Who is told.
    #[must_use]
    pub fn told(&self) -> &BTreeSet<Person> {
        &self.told
    }
}

/// Longest grant of a role: one year, in seconds.
pub const LONGEST_GRANT: i64 = 366 * 86_400;

/// That somebody holds a role until a day (rule 10). There is no grant without an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    role: Role,
    until: i64,
}

/// A grant without a sensible end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule 10: a role is granted for a year at most, and ends after it begins")]
pub struct GrantError;

impl Grant {
    /// Grants a role from a moment until another.
    ///
    /// # Errors
    /// If it has no near end.
    pub fn new(role: Role, from: i64, until: i64) -> Result<Self, GrantError> {
        match until > from && until.saturating_sub(from) <= LONGEST_GRANT {
            true => Ok(Self { role, until }),
            false => Err(GrantError),
        }
    }

    /// Whether it allows an act now.
    #[must_use]
    pub fn allows(&self, act: Act, now: i64) -> bool {
        now <= self.until && may(self.role, act)
    }
}
