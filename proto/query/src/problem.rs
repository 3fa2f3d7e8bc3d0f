//! Refusals that callers see: stable codes, one sentence each, never a value from data.

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

/// A stable problem code: a letter for the family and three digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub &'static str);
