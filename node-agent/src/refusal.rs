//! A refusal: a stable code for the caller, and a sentence that only the custodian reads.

use std::fmt::Display;

use quorate_query::problem::Code;

/// Why a question gets no answer. The detail may quote files and the engine; it never leaves.
pub struct Refusal {
    code: Code,
    detail: String,
}

impl Refusal {
    /// A refusal with this code; the detail is for the custodian.
    pub fn new(code: Code, detail: impl Display) -> Self {
        Self {
            code,
            detail: detail.to_string(),
        }
    }

    /// What the caller is told.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// What the custodian is told.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Whether the custodian has to know why: everything but the text itself and its sender.
    #[must_use]
    pub fn concerns_custodian(&self) -> bool {
        !self.code.0.starts_with(['V', 'A'])
    }

    /// Whether it says nothing about the question, its sender or its project: a fault, a limit, a
    /// source or a node that is held up. What waits goes on waiting.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        let held_up = ["G506", "G507", "G508", "G509"];
        self.code.0.starts_with(['E', 'L', 'C']) || held_up.contains(&self.code.0)
    }

    /// Whether it is a fault of ours, so that the caller gets a ticket.
    #[must_use]
    pub fn is_fault(&self) -> bool {
        self.code.0.starts_with('E')
    }
}

/// An error of a step that knows its code.
pub(crate) trait Coded: Display {
    /// What the caller is told.
    fn code(&self) -> Code;
}

impl<E: Coded> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::new(error.code(), error)
    }
}
