//! SQL text to typed question, or a refusal.

use crate::codebook::Codebook;
use crate::problem::{Code, Problem};
use crate::question::{Params, Question};

/// Reads a question against a codebook.
///
/// # Errors
/// A [`Problem`] with a V code, a sentence, the place, and the nearest allowed form.
pub fn read(_sql: &str, _params: &Params, _codebook: &Codebook) -> Result<Question, Problem> {
    Err(Problem::of(Code("V101")))
}
