//! When a result was finished is the coordinator's word, and standing in the roster is judged at
//! that moment: a coordinator that dates a result back could let words count whose signer's term
//! has ended since. The times under other parties' signatures hold it. What it must not know: the
//! clock of this machine.

use std::collections::BTreeMap;

use quorate_evidence::receipt::Checked;
use quorate_wire::{Opened, QuestionPayload, ResultPayload};

use super::VerifyError;
use crate::ask::CLOCKS;

/// The end is not before the question's beginning, nor before any decision that it rests on.
pub(super) fn not_dated_back(
    result: &Opened<ResultPayload>,
    question: &Opened<QuestionPayload>,
    receipts: &BTreeMap<String, Checked>,
) -> Result<(), VerifyError> {
    let finished = result.payload().finished;
    let asked = question.payload().not_before;
    let decided = receipts
        .iter()
        .map(|(node, checked)| (format!("the decision of `{node}`"), checked.record.time));
    let begun = std::iter::once(("the question".to_owned(), asked));
    let later = begun
        .chain(decided)
        .find(|(_, time)| finished.saturating_add(CLOCKS) < *time);
    match later {
        None => Ok(()),
        Some((what, time)) => Err(VerifyError::BackDated {
            seconds: time.saturating_sub(finished),
            what,
        }),
    }
}
