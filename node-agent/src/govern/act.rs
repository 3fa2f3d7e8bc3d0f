//! One signed act of governance of any kind, verified, and what the ledger may tell of it: public
//! facts and digests, never a reason, a comment or a text.

use std::collections::BTreeSet;

use quorate_evidence::record::ACCEPTED;
use quorate_governance::acceptance::{Acceptance, Word};
use quorate_governance::airlock::{Review, Verdict};
use quorate_governance::approval::Approval;
use quorate_governance::artefact::{Artefact, ArtefactError, Opened};
use quorate_governance::change::Change;
use quorate_governance::glass::Glass;
use quorate_governance::people::Evidence;
use quorate_governance::project::Project;
use quorate_governance::suspension::{Lift, Suspension, Target};
use quorate_governance::vote::Vote;
use quorate_identity::{KeyId, Signed};

/// A signed act whose signatures are valid and whose content is in order.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// A project record.
    Project(Box<Opened<Project>>),
    /// A vote on one.
    Vote(Opened<Vote>),
    /// The custodian's word on one.
    Acceptance(Opened<Acceptance>),
    /// Training, an agreement, an accreditation.
    Evidence(Opened<Evidence>),
    /// An approval of a question.
    Approval(Opened<Approval>),
    /// A suspension.
    Suspension(Opened<Suspension>),
    /// Its end.
    Lift(Opened<Lift>),
    /// A change of the policy.
    Change(Opened<Change>),
    /// An output checker's word.
    Review(Opened<Review>),
    /// Break-glass.
    Glass(Opened<Glass>),
}

/// Does the same with what is in an act, whatever its kind.
macro_rules! each {
    ($act:expr, $one:ident => $do:expr) => {
        match $act {
            Act::Project(boxed) => {
                let $one = boxed.as_ref();
                $do
            }
            Act::Vote($one) => $do,
            Act::Acceptance($one) => $do,
            Act::Evidence($one) => $do,
            Act::Approval($one) => $do,
            Act::Suspension($one) => $do,
            Act::Lift($one) => $do,
            Act::Change($one) => $do,
            Act::Review($one) => $do,
            Act::Glass($one) => $do,
        }
    };
}

impl Act {
    /// Opens a signed act of any kind.
    ///
    /// # Errors
    /// If a signature is wrong, the content is not in order, or the kind is no act's.
    pub(crate) fn open(signed: &Signed) -> Result<Self, ArtefactError> {
        Ok(match signed.kind.as_str() {
            Project::KIND => Self::Project(Box::new(Opened::open(signed)?)),
            Vote::KIND => Self::Vote(Opened::open(signed)?),
            Acceptance::KIND => Self::Acceptance(Opened::open(signed)?),
            Evidence::KIND => Self::Evidence(Opened::open(signed)?),
            Approval::KIND => Self::Approval(Opened::open(signed)?),
            Suspension::KIND => Self::Suspension(Opened::open(signed)?),
            Lift::KIND => Self::Lift(Opened::open(signed)?),
            Change::KIND => Self::Change(Opened::open(signed)?),
            Review::KIND => Self::Review(Opened::open(signed)?),
            Glass::KIND => Self::Glass(Opened::open(signed)?),
            _ => return Err(quorate_identity::SignatureError::UnknownKind.into()),
        })
    }

    /// How others point to it.
    pub(crate) fn digest(&self) -> &str {
        each!(self, one => one.digest())
    }

    /// Who signed it.
    pub(crate) fn signers(&self) -> &BTreeSet<KeyId> {
        each!(self, one => one.signers())
    }

    /// Its kind.
    pub(crate) fn kind(&self) -> &'static str {
        fn kind<A: Artefact>(_: &Opened<A>) -> &'static str {
            A::KIND
        }
        each!(self, one => kind(one))
    }

    /// What it says, in words that may stand in the ledger.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Project(one) => {
                let one = one.content();
                format!("project {} version {}", one.id, one.version)
            }
            Self::Vote(one) => {
                let word = if one.content().agrees {
                    "for"
                } else {
                    "against"
                };
                format!("{word} {}", one.content().record)
            }
            Self::Acceptance(one) => match &one.content().word {
                Word::Accept { release, .. } => {
                    format!("{ACCEPTED} ({}) {}", release.as_str(), one.content().record)
                }
                Word::Refuse => format!("refused {}", one.content().record),
            },
            Self::Evidence(one) => {
                let one = one.content();
                format!(
                    "{} has `{}` version {}",
                    one.subject.name, one.name, one.version
                )
            }
            Self::Approval(one) => {
                let one = one.content();
                format!(
                    "project {} serial {} runs {}",
                    one.project, one.serial, one.runs
                )
            }
            Self::Suspension(one) => match &one.content().target {
                Target::Person { key } => format!("person {key}"),
                Target::Project { id } => format!("project {id}"),
                Target::Node => "node".to_owned(),
            },
            Self::Lift(one) => format!("lifts {}", one.content().suspension),
            Self::Change(one) => {
                let one = one.content();
                format!("policy {} to {}", one.from, one.to)
            }
            Self::Review(one) => {
                let word = match &one.content().verdict {
                    Verdict::Approve => "approve",
                    Verdict::Return { .. } => "return",
                    Verdict::Suppress { .. } => "suppress",
                };
                format!("{word} question {}", one.content().question)
            }
            Self::Glass(one) => {
                let one = one.content();
                let (who, until) = (&one.who.name, one.until);
                format!("{who} reads question {} until {until}", one.question)
            }
        }
    }
}
