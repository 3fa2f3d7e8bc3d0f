//! Third step: the text becomes a typed question against a pinned codebook, or is refused. An analysis
//! is expanded here and read as a text is: what its sender made of it counts for nothing.

use std::sync::Arc;

use quorate_query::canonical;
use quorate_query::codebook::Codebook;
use quorate_query::problem::{Code, Problem};
use quorate_query::question::{Question as Typed, TableQuestion};

use crate::node::Node;
use crate::record::Recorded;
use crate::refusal::Coded;
use crate::verify::Asked;

/// A question that was read here. Only this module can make one; the researcher's text ends here.
///
/// ```compile_fail,E0451
/// use quorate_node::read::Question;
/// fn forge<'a>(typed: quorate_query::question::Question, q: Question<'a>) -> Question<'a> {
///     Question { typed, ..q }
/// }
/// ```
///
/// ```no_run
/// fn look<'a>(question: &'a quorate_node::read::Question<'a>) -> &'a quorate_query::codebook::Codebook {
///     question.codebook()
/// }
/// ```
pub struct Question<'a> {
    recorded: &'a Recorded,
    typed: Typed,
    codebook: Arc<Codebook>,
    book: Arc<Codebook>,
}

impl<'a> Question<'a> {
    /// The entry it was recorded under.
    #[must_use]
    pub fn recorded(&self) -> &'a Recorded {
        self.recorded
    }

    /// What was asked.
    #[must_use]
    pub fn asked(&self) -> &'a Asked {
        self.recorded.verified().asked()
    }

    /// The typed question.
    #[must_use]
    pub fn typed(&self) -> &Typed {
        &self.typed
    }

    /// The tables that are asked for, in the order in which they are decided.
    #[must_use]
    pub fn tables(&self) -> Vec<&TableQuestion> {
        let named = self.typed.tables().into_iter();
        named.map(|(_, table)| table).collect()
    }

    /// The codebook it was read against.
    #[must_use]
    pub fn codebook(&self) -> &Arc<Codebook> {
        &self.codebook
    }

    /// That codebook with the columns that the question derives, and those derived before: what
    /// domains, facts and rules of its tables are looked up in. Sources know nothing of them.
    #[must_use]
    pub fn book(&self) -> &Arc<Codebook> {
        &self.book
    }

    /// The question hash, `sha256:...`.
    #[must_use]
    pub fn hash(&self) -> String {
        canonical::show_digest(&self.typed.digest())
    }
}

/// Why a text is no question here.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The policy does not pin the codebook, or the node does not have it.
    #[error("codebook {0} is not pinned by the policy, or this node does not have its text")]
    Codebook(String),
    /// Outside the language.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// We read it differently than the researcher's own software.
    #[error("the canonical form that the researcher signed differs from ours")]
    Canonical,
}

impl Coded for ReadError {
    fn code(&self) -> Code {
        match self {
            Self::Codebook(_) => Code("C601"),
            Self::Problem(problem) => problem.code,
            Self::Canonical => Code("A408"),
        }
    }
}

/// Reads the text and compares its canonical form with the one that was signed.
///
/// # Errors
/// Says why it is not a question here; nothing of the text is kept.
pub fn read<'a>(node: &Node, recorded: &'a Recorded) -> Result<Question<'a>, ReadError> {
    let asked = recorded.verified().asked();
    let codebook = node
        .codebook(&asked.codebook)
        .ok_or_else(|| ReadError::Codebook(asked.codebook.clone()))?;
    let typed = asked.request.read(&asked.params, &codebook)?;
    let ours = (canonical::VERSION, typed.digest());
    if asked.canonical.is_some_and(|signed| signed != ours) {
        return Err(ReadError::Canonical);
    }
    let book = node.books.with(&codebook, &typed);
    let question = Question {
        recorded,
        typed,
        codebook,
        book,
    };
    recorded.note_hash(question.hash());
    Ok(question)
}
