//! Which bounds hold for a column in a question: its own, or those of the one concept set that
//! the filter stays inside.

use quorate_query::codebook::{Codebook, Column, ConceptSet};
use quorate_query::number::Number;
use quorate_query::question::{Set, TableQuestion, Values};
use quorate_query::value::Scalar;

/// The bounds; `None` if the codebook has none for this question.
pub(super) fn of(
    column: &Column,
    question: &TableQuestion,
    codebook: &Codebook,
) -> Option<(Number, Number)> {
    let implied = column.when.iter().find(|when| {
        codebook
            .sets
            .get(&when.set)
            .is_some_and(|set| implies(question, set, codebook))
    });
    implied.map(|when| when.bounds).or(column.bounds)
}

fn implies(question: &TableQuestion, set: &ConceptSet, codebook: &Codebook) -> bool {
    let Some(filter) = question.filter.boxes.get(&set.column) else {
        return false;
    };
    let scale = codebook
        .column(&set.column)
        .and_then(|column| column.ty.scale());
    !filter.null && inside(filter, set, scale.unwrap_or(0))
}

fn inside(filter: &Set, set: &ConceptSet, scale: u32) -> bool {
    match &filter.values {
        Values::All | Values::NotTexts(_) => false,
        Values::Texts(texts) => texts
            .iter()
            .all(|text| set.values.contains(&Scalar::Text(text.clone()))),
        Values::Ranges(ranges) => {
            let members: Vec<i128> = set
                .values
                .iter()
                .filter_map(|v| v.as_number()?.at_scale(scale))
                .collect();
            let limit = i128::try_from(members.len()).unwrap_or(i128::MAX);
            ranges.iter().all(|range| match range {
                (Some(low), Some(high)) if high - low < limit => {
                    (*low..=*high).all(|value| members.contains(&value))
                }
                _ => false,
            })
        }
    }
}
