//! Problems: one table of stable codes, each with a sentence for the caller, one for the
//! custodian's own log, and whose turn it is.
//!
//! A code depends on the question, on signed standing and on public policy, never on data.
//! What this file must not know: how a problem travels, and what was in any row.

use std::fmt;

use crate::problem_table::TABLE;

/// Where in the SQL text a problem lies: byte offsets, end exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// Why something was refused. Depends on the question and public policy only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Stable code such as `V402`.
    pub code: Code,
    /// One sentence for the caller.
    pub message: String,
    /// The offending part of the text, where there is one.
    pub span: Option<Span>,
    /// What to write instead, where there is a nearest allowed form.
    pub write: Option<String>,
}

impl Problem {
    /// A problem with the table's own sentence for the caller, without span or suggestion.
    #[must_use]
    pub fn of(code: Code) -> Self {
        let message = code.entry().map_or("refused", |entry| entry.caller);
        Self::new(code, message)
    }

    /// A problem with its own sentence.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            span: None,
            write: None,
        }
    }

    /// The same problem at a place in the text.
    #[must_use]
    pub fn at(mut self, span: Option<Span>) -> Self {
        self.span = span;
        self
    }

    /// The same problem with what to write instead.
    #[must_use]
    pub fn write(mut self, text: impl Into<String>) -> Self {
        self.write = Some(text.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        if let Some(write) = &self.write {
            write!(f, "; write `{write}`")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

/// A stable problem code: a letter for the family and three digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub &'static str);

impl Code {
    /// The code of the table that is written like this.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        TABLE
            .iter()
            .map(|entry| entry.code)
            .find(|code| code.0 == text)
    }

    /// This code's line of the table.
    #[must_use]
    pub fn entry(self) -> Option<&'static Entry> {
        TABLE.iter().find(|entry| entry.code == self)
    }

    /// What kind of problem it is, by its letter.
    #[must_use]
    pub fn family(self) -> Option<Family> {
        Family::ALL
            .into_iter()
            .find(|family| self.0.starts_with(family.letter()))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What a code is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// The question as written.
    Question,
    /// Identity, freshness, roster.
    Identity,
    /// Approval and project.
    Approval,
    /// Codebook and the tables a node holds.
    Codebook,
    /// Limits of a node.
    Limits,
    /// Quorum and the fate of a whole question.
    Quorum,
    /// Our own fault.
    Internal,
}

impl Family {
    /// Every family, in the order of the table.
    pub const ALL: [Self; 7] = [
        Self::Question,
        Self::Identity,
        Self::Approval,
        Self::Codebook,
        Self::Limits,
        Self::Quorum,
        Self::Internal,
    ];

    /// The letter its codes begin with.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Question => 'V',
            Self::Identity => 'A',
            Self::Approval => 'G',
            Self::Codebook => 'C',
            Self::Limits => 'L',
            Self::Quorum => 'X',
            Self::Internal => 'E',
        }
    }
}

/// Who has to act before the same request can succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// The researcher: write the question differently, renew, or choose another project.
    Researcher,
    /// The custodian of the node that refused.
    Custodian,
    /// The consortium's operator of the coordinator.
    Operator,
    /// Nobody: wait and ask again.
    Wait,
}

impl Turn {
    /// The word used in documentation and in the operator's view.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Researcher => "researcher",
            Self::Custodian => "custodian",
            Self::Operator => "operator",
            Self::Wait => "wait and retry",
        }
    }
}

/// One line of the problem table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The code.
    pub code: Code,
    /// What it is, in a few words.
    pub title: &'static str,
    /// One sentence for the caller.
    pub caller: &'static str,
    /// One sentence for the custodian's own log.
    pub custodian: &'static str,
    /// Whose turn it is.
    pub turn: Turn,
}

/// Every code, in ascending order within its family.
#[must_use]
pub fn table() -> &'static [Entry] {
    TABLE
}
