//! Break-glass (rule 8): an operator may read what one question asks, for some hours, with a reason,
//! by the word of two persons: the operator's own, and that of one who speaks for the custodian. It
//! opens no data, no result and nothing that waits to be released.

use quorate_identity::{KeyId, Name};
use serde::{Deserialize, Serialize};

use crate::artefact::{Artefact, Opened, need_text};
use crate::duties::{BreakGlass, BreakGlassError, LONGEST_BREAK_GLASS};
use crate::people::Person;

/// That somebody may read one question. Signed by the reader and by the custodian.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Glass {
    /// Network that it is for.
    pub network: Name,
    /// Node that it is for.
    pub node: Name,
    /// Who reads.
    pub who: Person,
    /// Id of the question.
    pub question: String,
    /// Why.
    pub reason: String,
    /// From when, unix seconds.
    pub at: i64,
    /// Last moment, unix seconds.
    pub until: i64,
}

impl Artefact for Glass {
    const KIND: &'static str = quorate_identity::envelope::kind::GLASS;

    fn mistakes(&self) -> Vec<String> {
        let mut found = Vec::new();
        need_text(&mut found, "question", &self.question, 100);
        need_text(&mut found, "reason", &self.reason, 2_000);
        if self.until <= self.at {
            found.push("`until` is not after `at`".to_owned());
        } else if self.until.saturating_sub(self.at) > LONGEST_BREAK_GLASS {
            found.push(BreakGlassError::TooLong.to_string());
        }
        found
    }
}

/// Where the glass is, and who counts there.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Network.
    pub network: &'a str,
    /// Node.
    pub node: &'a str,
    /// Who may read with it.
    pub operators: &'a [Person],
    /// Who speaks for the custodian.
    pub custodian: &'a [Person],
    /// Who is told.
    pub auditors: &'a [Person],
}

/// Why it opens nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GlassError {
    /// Of something else.
    #[error("rule 8: it is of another network, node, question or reader")]
    Another,
    /// Over, or not begun.
    #[error("rule 8: its hours are over, or have not begun")]
    NotCurrent,
    /// No operator.
    #[error("rule 8: `{0}` is no operator of this node")]
    NotAnOperator(Name),
    /// One person only.
    #[error("rule 8: the reader and one who speaks for the custodian must both sign")]
    OnePerson,
    /// Nobody to tell.
    #[error("rule 8: the policy names no auditor who could be told")]
    NoAuditor,
    /// Rule 8 itself.
    #[error(transparent)]
    Rule(#[from] BreakGlassError),
}

/// Whether it lets the holder of a key read a question now.
///
/// # Errors
/// The first thing that is missing.
pub fn lets(
    glass: &Opened<Glass>,
    place: &Place<'_>,
    question: &str,
    key: &KeyId,
    now: i64,
) -> Result<BreakGlass, GlassError> {
    let content = glass.content();
    let who = &content.who;
    let same = content.network.as_str() == place.network
        && content.node.as_str() == place.node
        && content.question == question
        && who.key == *key;
    if !same {
        return Err(GlassError::Another);
    }
    if !(content.at..=content.until).contains(&now) {
        return Err(GlassError::NotCurrent);
    }
    if !place.operators.contains(who) {
        return Err(GlassError::NotAnOperator(who.name.clone()));
    }
    let mut custodians = place.custodian.iter();
    let second = custodians.find(|person| glass.signed_by(&person.key) && !person.is(who));
    let second = second.filter(|_| glass.signed_by(&who.key));
    let second = second.ok_or(GlassError::OnePerson)?;
    let auditor = place.auditors.first().ok_or(GlassError::NoAuditor)?;
    let hours = (content.at, content.until);
    let opened = BreakGlass::open(who.clone(), &content.reason, hours, (second, auditor))?;
    Ok(opened)
}
