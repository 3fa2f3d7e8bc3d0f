//! A committee's vote on one project record: quorum, lay member, and nobody on their own project.

use quorate_identity::Name;
use serde::{Deserialize, Serialize};

use crate::artefact::{Artefact, Opened, need_digest, need_text};
use crate::people::Person;
use crate::project::Project;

/// A member of the committee.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitteeMember {
    /// Who.
    pub person: Person,
    /// Whether as a member of the public.
    pub lay: bool,
}

/// Who votes, and how many must agree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committee {
    /// Its members.
    pub members: Vec<CommitteeMember>,
    /// How many must agree.
    pub quorum: usize,
    /// Whether a lay member must be among them.
    pub lay: bool,
}

/// One vote. Signed by the member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vote {
    /// Network that it is for.
    pub network: Name,
    /// Digest of the project record.
    pub record: String,
    /// Who votes.
    pub voter: Person,
    /// For it or against it.
    pub agrees: bool,
    /// Why, in the voter's words; for the committee.
    pub reason: String,
    /// When, unix seconds.
    pub at: i64,
}

impl Artefact for Vote {
    const KIND: &'static str = quorate_identity::envelope::kind::VOTE;

    fn mistakes(&self) -> Vec<String> {
        let mut found = Vec::new();
        need_digest(&mut found, "record", &self.record);
        need_text(&mut found, "reason", &self.reason, 2_000);
        found
    }
}

/// Why a record is not carried by a vote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VoteError {
    /// An applicant or member of the project voted (rule 2).
    #[error("`{0}` is on the project and cannot vote on it")]
    OwnProject(Name),
    /// Not on the committee, or with another key.
    #[error("`{0}` is not on the committee with this key")]
    NotOnCommittee(Name),
    /// Not signed by the voter alone.
    #[error("the vote of `{0}` is not signed by them alone")]
    NotTheirs(Name),
    /// Too few agree.
    #[error("{agree} of {quorum} needed votes agree")]
    Quorum {
        /// How many agree.
        agree: usize,
        /// How many must.
        quorum: usize,
    },
    /// No lay member agrees.
    #[error("no lay member of the committee agrees")]
    Lay,
    /// As many are against it as for it, or more.
    #[error("{against} votes are against the project, {agree} for it")]
    Rejected {
        /// How many agree.
        agree: usize,
        /// How many do not.
        against: usize,
    },
}

/// Counts the votes on a record; those on other records are not looked at. Of several votes of one
/// member the latest counts; of two at one moment, the one against.
///
/// # Errors
/// If a vote should not be there, or the record is not carried.
pub fn count(
    record: &Opened<Project>,
    votes: &[Opened<Vote>],
    committee: &Committee,
) -> Result<Vec<Person>, VoteError> {
    let mut latest: Vec<(&CommitteeMember, &Vote)> = Vec::new();
    let on_this = votes
        .iter()
        .filter(|vote| vote.content().record == record.digest());
    for vote in on_this {
        let member = entitled(record.content(), vote, committee)?;
        let vote = vote.content();
        match latest.iter_mut().find(|(known, _)| *known == member) {
            Some((_, old)) if (vote.at, !vote.agrees) > (old.at, !old.agrees) => *old = vote,
            Some(_) => {}
            None => latest.push((member, vote)),
        }
    }
    let agree: Vec<_> = latest.iter().filter(|(_, vote)| vote.agrees).collect();
    let against = latest.len() - agree.len();
    let quorum = committee.quorum.max(1);
    if agree.len() < quorum {
        let agree = agree.len();
        return Err(VoteError::Quorum { agree, quorum });
    }
    if against >= agree.len() {
        let agree = agree.len();
        return Err(VoteError::Rejected { agree, against });
    }
    if committee.lay && !agree.iter().any(|(member, _)| member.lay) {
        return Err(VoteError::Lay);
    }
    Ok(agree.iter().map(|(m, _)| m.person.clone()).collect())
}

fn entitled<'c>(
    record: &Project,
    vote: &Opened<Vote>,
    committee: &'c Committee,
) -> Result<&'c CommitteeMember, VoteError> {
    let voter = &vote.content().voter;
    if !vote.said_by(&voter.key, !vote.content().agrees) {
        return Err(VoteError::NotTheirs(voter.name.clone()));
    }
    if voter.among(record.people()) {
        return Err(VoteError::OwnProject(voter.name.clone()));
    }
    let mut members = committee.members.iter();
    members
        .find(|member| member.person == *voter)
        .ok_or_else(|| VoteError::NotOnCommittee(voter.name.clone()))
}
