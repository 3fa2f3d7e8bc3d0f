//! The airlock: executed, checked, decided, released, and no other way. Here is what decides: modes
//! of release, reviews by output checkers, and what follows from a set of them.
//!
//! A review is bound to the digest of what would leave, so that nothing else leaves on it. A
//! checker may always hide more; there is no word for showing more.

use std::collections::BTreeSet;

use quorate_identity::Name;
use serde::{Deserialize, Serialize};

use crate::artefact::{Artefact, Opened, need_digest, need_text};
use crate::people::Person;

/// How answers of a project are let out, loosest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The rules of release decide alone.
    Auto,
    /// One output checker decides on what they let through.
    Review,
    /// Two do.
    Dual,
    /// Nothing leaves.
    None,
}

impl Mode {
    /// Every mode with its word, loosest first.
    pub const WORDS: [(&'static str, Mode); 4] = [
        ("auto", Mode::Auto),
        ("review", Mode::Review),
        ("dual", Mode::Dual),
        ("none", Mode::None),
    ];

    /// How it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let mut words = Self::WORDS.into_iter();
        words
            .find(|(_, mode)| *mode == self)
            .map_or("none", |(word, _)| word)
    }

    /// How many checkers must agree; `None` if nothing ever leaves.
    #[must_use]
    pub fn checkers(self) -> Option<usize> {
        match self {
            Self::Auto => Some(0),
            Self::Review => Some(1),
            Self::Dual => Some(2),
            Self::None => None,
        }
    }
}

/// What a researcher is told of a return: one of these, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is not what the project is for.
    OutsidePurpose,
    /// It is finer than the project needs.
    TooDetailed,
    /// It cannot be judged as it is: ask more simply.
    Unclear,
}

impl Reason {
    /// Every reason with its word.
    pub const WORDS: [(&'static str, Reason); 3] = [
        ("outside-purpose", Reason::OutsidePurpose),
        ("too-detailed", Reason::TooDetailed),
        ("unclear", Reason::Unclear),
    ];

    /// The code of the public table that says it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::OutsidePurpose => "G513",
            Self::TooDetailed => "G514",
            Self::Unclear => "G515",
        }
    }
}

/// One cell of what would leave, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Which table, from 0.
    pub table: u32,
    /// Which row, from 0.
    pub row: u32,
    /// Which measure, from 0.
    pub cell: u32,
}

/// What a checker says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Verdict {
    /// This may leave.
    Approve,
    /// Nothing leaves; the researcher is told why.
    Return {
        /// Why.
        reason: Reason,
    },
    /// These cells must not leave: what would leave changes and is reviewed anew.
    Suppress {
        /// Which.
        cells: BTreeSet<Place>,
    },
}

/// One review. Signed by the checker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Network that it is for.
    pub network: Name,
    /// Node that it is for.
    pub node: Name,
    /// Id of the question.
    pub question: String,
    /// Digest of what would leave, as the checker saw it.
    pub outcome: String,
    /// What they say.
    pub verdict: Verdict,
    /// Who says it.
    pub checker: Person,
    /// For the custodian's files; a researcher never sees it.
    pub comment: String,
    /// When, unix seconds.
    pub at: i64,
}

impl Artefact for Review {
    const KIND: &'static str = quorate_identity::envelope::kind::REVIEW;

    fn mistakes(&self) -> Vec<String> {
        let mut found = Vec::new();
        need_digest(&mut found, "outcome", &self.outcome);
        need_text(&mut found, "question", &self.question, 100);
        if self.comment.len() > 4_000 {
            found.push("`comment` is longer than 4000 bytes".to_owned());
        }
        if let Verdict::Suppress { cells } = &self.verdict
            && cells.is_empty()
        {
            found.push("`suppress` names no cell".to_owned());
        }
        found
    }
}

/// What is up for review.
pub struct Waiting<'a> {
    /// Network and node.
    pub network: &'a str,
    /// Node.
    pub node: &'a str,
    /// Id of the question.
    pub question: &'a str,
    /// Digest of what would leave now.
    pub outcome: &'a str,
    /// How its project is let out.
    pub mode: Mode,
    /// Output checkers with a current standing here.
    pub checkers: &'a [Person],
    /// Everybody on the project at this moment, and everybody who approved the question.
    pub conflicted: &'a [Person],
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It waits for so many more checkers.
    Waits(usize),
    /// It may leave: these checkers said so.
    Leaves(Vec<Person>),
    /// It goes back.
    Returned {
        /// What the researcher is told.
        reason: Reason,
        /// Who said so.
        by: Person,
    },
    /// Nothing of this project leaves.
    Never,
}

/// Why a review does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// About something else.
    #[error("the review is of another question, node or network")]
    Another,
    /// Of other numbers.
    #[error("what would leave has changed since it was reviewed: look again")]
    Outdated,
    /// Not signed by the one it names.
    #[error("the review of `{0}` is not signed by them alone")]
    NotTheirs(Name),
    /// Not a checker.
    #[error("`{0}` is not an output checker of this node")]
    NotAChecker(Name),
    /// Rule 1 or 11.
    #[error("`{0}` is on the project, or approved the question, and cannot review it")]
    Conflict(Name),
}

/// Whether a review counts at this moment. A conflict that arose after it was written voids it
/// (rule 11).
///
/// # Errors
/// Why it does not.
pub fn counts(review: &Opened<Review>, waiting: &Waiting<'_>) -> Result<(), ReviewError> {
    let content = review.content();
    let checker = &content.checker;
    let same = content.network.as_str() == waiting.network
        && content.node.as_str() == waiting.node
        && content.question == waiting.question;
    if !same {
        return Err(ReviewError::Another);
    }
    if !review.said_by(&checker.key, content.verdict != Verdict::Approve) {
        return Err(ReviewError::NotTheirs(checker.name.clone()));
    }
    if !waiting.checkers.contains(checker) {
        return Err(ReviewError::NotAChecker(checker.name.clone()));
    }
    if checker.among(waiting.conflicted) {
        return Err(ReviewError::Conflict(checker.name.clone()));
    }
    if content.outcome != waiting.outcome {
        return Err(ReviewError::Outdated);
    }
    Ok(())
}

/// Whether a review counts, were it of what would leave now: a wish to hold back is never outdated.
fn of_whatever_outcome(review: &Opened<Review>, waiting: &Waiting<'_>) -> bool {
    matches!(counts(review, waiting), Ok(()) | Err(ReviewError::Outdated))
}

/// What follows from the reviews of a question. One return is enough to send it back; letting it
/// out takes as many different persons as the mode says, all of this very outcome.
#[must_use]
pub fn judge(waiting: &Waiting<'_>, reviews: &[Opened<Review>]) -> Judgement {
    let Some(needed) = waiting.mode.checkers() else {
        return Judgement::Never;
    };
    let stands = |review: &&Opened<Review>| of_whatever_outcome(review, waiting);
    let returned = reviews.iter().filter(stands).map(Opened::content);
    let returned = returned.filter_map(|review| match &review.verdict {
        Verdict::Return { reason } => Some((*reason, review.checker.clone())),
        Verdict::Approve | Verdict::Suppress { .. } => None,
    });
    if let Some((reason, by)) = returned.min() {
        return Judgement::Returned { reason, by };
    }
    let counted = reviews
        .iter()
        .filter(|review| counts(review, waiting).is_ok())
        .map(Opened::content);
    let mut agree: Vec<Person> = Vec::new();
    for review in counted {
        match &review.verdict {
            Verdict::Approve if !review.checker.among(&agree) => agree.push(review.checker.clone()),
            Verdict::Approve | Verdict::Return { .. } | Verdict::Suppress { .. } => {}
        }
    }
    match needed.saturating_sub(agree.len()) {
        0 => Judgement::Leaves(agree),
        more => Judgement::Waits(more),
    }
}

/// Every cell that counting checkers have asked to hide in this question, of whatever outcome: a
/// wish to hide is never outdated by another one.
#[must_use]
pub fn hidden(waiting: &Waiting<'_>, reviews: &[Opened<Review>]) -> BTreeSet<Place> {
    let stands = |review: &&Opened<Review>| of_whatever_outcome(review, waiting);
    let cells =
        reviews
            .iter()
            .filter(stands)
            .filter_map(|review| match &review.content().verdict {
                Verdict::Suppress { cells } => Some(cells.iter().copied()),
                Verdict::Approve | Verdict::Return { .. } => None,
            });
    cells.flatten().collect()
}
