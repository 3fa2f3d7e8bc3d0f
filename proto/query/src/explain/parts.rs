//! The parts of an explanation, sentence by sentence.

use std::collections::{BTreeMap, BTreeSet};

use crate::canonical::text;
use crate::codebook::{Codebook, Column, ColumnRef, RowsPer};
use crate::derived;
use crate::domain;
use crate::measure::facts::facts;
use crate::number::Number;
use crate::question::{Cohort, Measure, Predicate, Set, TableQuestion, Values};
use crate::release::k_eff;
use crate::set::{Range, scalar};
use crate::spell;

/// Lists in sentences are cut after this many parts.
const SHOWN: usize = 8;

/// Columns and what they are used for.
pub(super) fn columns(q: &TableQuestion, cb: &Codebook) -> Vec<String> {
    let mut uses: BTreeMap<&ColumnRef, BTreeSet<&'static str>> = BTreeMap::new();
    filter_uses(&q.filter, &mut uses);
    for input in cb.derived.values().flat_map(derived::Derived::inputs) {
        uses.entry(input).or_default().insert("derived from");
    }
    for key in &q.keys {
        uses.entry(key.column()).or_default().insert("group key");
    }
    for measure in &q.measures {
        let (column, word) = match measure {
            Measure::Persons { of } | Measure::Events { of } => {
                (of.as_ref(), "counted where present")
            }
            Measure::Moments { column } => (Some(column), "mean and standard deviation"),
            Measure::ValueCounts { column } => (Some(column), "counts per value"),
            Measure::Products { .. } => (None, "mean product"),
        };
        if let Some(column) = column {
            uses.entry(column).or_default().insert(word);
        }
        if let Measure::Products { left, right } = measure {
            for column in [left, right] {
                uses.entry(column).or_default().insert(word);
            }
        }
    }
    uses.into_iter()
        .map(|(name, words)| {
            let words = words.into_iter().collect::<Vec<_>>().join(", ");
            format!(
                "{}{}: {words}",
                derived::shown(name),
                about(cb.column(name))
            )
        })
        .collect()
}

fn filter_uses<'q>(p: &'q Predicate, uses: &mut BTreeMap<&'q ColumnRef, BTreeSet<&'static str>>) {
    for column in p.boxes.keys() {
        uses.entry(column).or_default().insert("condition");
    }
    for cohort in &p.cohorts {
        filter_uses(&cohort.filter, uses);
    }
}

fn about(column: Option<&Column>) -> String {
    let Some(column) = column else {
        return String::new();
    };
    let mut words = vec![column.ty.to_string()];
    words.extend(column.unit.clone());
    if column.sensitive {
        words.push(sensitive(column));
    }
    format!(" ({})", words.join(", "))
}

fn sensitive(column: &Column) -> String {
    let values: Vec<String> = column
        .sensitive_values
        .iter()
        .map(ToString::to_string)
        .collect();
    match values.as_slice() {
        [] => "sensitive".to_owned(),
        _ => format!("sensitive: {}", values.join(", ")),
    }
}

/// What a node does with its own rows, in order.
pub(super) fn computes(q: &TableQuestion, cb: &Codebook) -> Vec<String> {
    let mut steps = vec![format!(
        "takes the rows of {}",
        text::tables(&q.rows, &q.joined)
    )];
    if !q.joined.is_empty() {
        steps.push(
            "joins them on the unit key; a person without a row in one of them is left out"
                .to_owned(),
        );
    }
    steps.extend(
        conditions(&q.filter, cb)
            .into_iter()
            .map(|c| format!("keeps rows where {c}")),
    );
    if !q.keys.is_empty() {
        let keys = q
            .keys
            .iter()
            .map(text::key_text)
            .collect::<Vec<_>>()
            .join(", ");
        steps.push(format!("groups them by {keys}; {}", cells(q, cb)));
    }
    let many = cb.tables.get(&q.rows).map(|t| t.rows);
    if let Some(RowsPer::Many { max_rows }) = many {
        steps.push(format!("counts at most {max_rows} rows of one person"));
    }
    steps.extend(q.measures.iter().map(|m| measured(m, q, cb)));
    steps
}

fn cells(q: &TableQuestion, cb: &Codebook) -> String {
    match domain::count(q, cb) {
        Some(cells) => format!("every one of the {cells} cells is listed, shown or withheld"),
        None => "the domain is open: only cells that may be shown are listed".to_owned(),
    }
}

fn measured(measure: &Measure, q: &TableQuestion, cb: &Codebook) -> String {
    let what = text::measure_text(measure);
    let bounds = facts(measure, q, cb).and_then(|f| Some((f.bounds?, f.unit)));
    match (measure, bounds) {
        (Measure::Moments { .. }, Some(((low, high), unit))) => {
            let unit = unit.map(|u| format!(" {u}")).unwrap_or_default();
            format!("per cell: {what}, each person's values clamped to {low} to {high}{unit}")
        }
        (Measure::Products { left, right }, _) => {
            let centres = facts(measure, q, cb).and_then(|facts| facts.centres);
            let less = |of: &ColumnRef, centre: &Number| format!("{} less {centre}", of.column);
            let both =
                centres.map(|(l, r)| format!(": {} times {}", less(left, &l), less(right, &r)));
            format!("per cell: {what}{}", both.unwrap_or_default())
        }
        _ => format!("per cell: {what}"),
    }
}

fn conditions(p: &Predicate, cb: &Codebook) -> Vec<String> {
    let boxes = p.boxes.iter().map(|(name, set)| {
        let column = derived::shown(name);
        cb.column(name).map_or_else(
            || column.clone(),
            |c| format!("{column} {}", set_words(set, c)),
        )
    });
    boxes
        .chain(p.cohorts.iter().map(|c| cohort(c, cb)))
        .collect()
}

fn cohort(c: &Cohort, cb: &Codebook) -> String {
    let verb = if c.negated { "has no row" } else { "has a row" };
    let inner = conditions(&c.filter, cb).join(" and ");
    let inner = if inner.is_empty() {
        inner
    } else {
        format!(" where {inner}")
    };
    format!(
        "the person {verb} in {}{inner}",
        text::tables(&c.rows, &c.joined)
    )
}

fn set_words(set: &Set, column: &Column) -> String {
    let words = match &set.values {
        Values::All => "is not missing".to_owned(),
        Values::Ranges(ranges) if ranges.is_empty() => "is missing".to_owned(),
        Values::Ranges(ranges) => {
            let parts = ranges
                .iter()
                .take(SHOWN)
                .map(|range| range_words(range, column));
            shortened(parts.collect::<Vec<_>>().join(" or "), ranges.len())
        }
        Values::Texts(texts) => format!("is {}", text_words(texts, column)),
        Values::NotTexts(texts) => format!("is not {}", text_words(texts, column)),
    };
    if set.null && !set.values.is_empty() {
        format!("{words} or is missing")
    } else {
        words
    }
}

fn text_words(texts: &BTreeSet<String>, column: &Column) -> String {
    let parts = texts.iter().take(SHOWN).map(|t| {
        let value = crate::value::Scalar::Text(t.clone());
        labelled(&value, column)
    });
    shortened(parts.collect::<Vec<_>>().join(" or "), texts.len())
}

fn shortened(text: String, total: usize) -> String {
    if total > SHOWN {
        format!("{text} or ... ({total} in all)")
    } else {
        text
    }
}

fn range_words(range: &Range, column: &Column) -> String {
    let show = |ordinal: i128| {
        scalar(ordinal, column.ty)
            .map_or_else(|| ordinal.to_string(), |value| labelled(&value, column))
    };
    match range {
        (Some(low), Some(high)) if low == high => format!("is {}", show(*low)),
        (Some(low), Some(high)) => format!("is {} to {}", show(*low), show(*high)),
        (Some(low), None) => format!("is at least {}", show(*low)),
        (None, Some(high)) => format!("is at most {}", show(*high)),
        (None, None) => "is not missing".to_owned(),
    }
}

fn labelled(value: &crate::value::Scalar, column: &Column) -> String {
    let shown = spell::literal(value);
    match column.label(value).filter(|label| !label.is_empty()) {
        Some(label) => format!("{shown} ({label})"),
        None => shown,
    }
}

/// What leaves a node, per cell.
pub(super) fn sends(q: &TableQuestion, cb: &Codebook) -> Vec<String> {
    let base = cb.release.round_base;
    let mut parts: Vec<String> = q
        .measures
        .iter()
        .map(|measure| match measure {
            Measure::Persons { .. } => format!("the number of persons, rounded to {base}"),
            Measure::Events { .. } => format!("the number of rows, rounded to {base}"),
            Measure::Moments { column } => format!(
                "mean and standard deviation of {}, rounded to a grid that follows from bounds and rounded number of persons",
                cb.in_words(column)
            ),
            Measure::ValueCounts { column } => {
                format!("the count of each value of {}, rounded to {base}", cb.in_words(column))
            }
            Measure::Products { left, right } => format!(
                "the mean product of {} and {}, rounded to a grid that follows from bounds and rounded number of persons",
                left.column, right.column
            ),
        })
        .collect();
    parts.push("or, in place of any of these, that it is withheld, without a reason".to_owned());
    parts.push("signed by the node; no row, no identifier, no unrounded number".to_owned());
    parts
}

/// What happens to released values.
pub(super) fn combines(q: &TableQuestion) -> Vec<String> {
    let mut steps = vec!["adds up or weights what the nodes released, with an interval for what is rounded or withheld".to_owned()];
    let column =
        |c: &crate::question::OutputColumn| format!("{} = {}", c.name, text::expr(&c.expr, q));
    steps.extend(q.output.columns.iter().map(column));
    steps.extend(
        q.output
            .having
            .iter()
            .map(|h| format!("keeps rows where {}", text::condition(h, q))),
    );
    if !q.output.order.is_empty() {
        let order = q
            .output
            .order
            .iter()
            .map(|o| text::order(o, q))
            .collect::<Vec<_>>()
            .join(", ");
        steps.push(format!(
            "orders by {order}; withheld values last, ties by key"
        ));
    }
    steps.extend(q.output.limit.map(|n| format!("shows the first {n} rows")));
    steps
}

/// Rules that can withhold a cell, with the codebook's parameters; a node may be stricter.
pub(super) fn rules(q: &TableQuestion, cb: &Codebook) -> Vec<String> {
    let release = &cb.release;
    let least = k_eff(release.k, release.round_base);
    let zeros = if release.zeros_public {
        "zeros are public"
    } else {
        "zeros included"
    };
    let mut rules = vec![format!(
        "R1, R2: a cell of fewer than {least} persons is withheld, {zeros}"
    )];
    let sums = q.measures.iter().any(|m| {
        matches!(
            m,
            Measure::Moments { .. } | Measure::ValueCounts { .. } | Measure::Products { .. }
        )
    });
    if sums {
        rules.push(format!(
            "R1b: a sum, mean or deviation needs {least} persons with a value other than zero; counts per value need {least} outside the commonest"
        ));
    }
    rules.push(format!(
        "R11: a table has at most {} cells; a closed one is refused beyond that, an open one withheld",
        release.max_cells
    ));
    if release.min_nodes > 1 {
        rules.push(format!(
            "the question needs answers of at least {} nodes",
            release.min_nodes
        ));
    }
    if missing_keys(q, cb) {
        rules.push("rows without a value of a group key are left out, because how many there are is not public".to_owned());
    }
    rules
}

/// Whether some group key's missing values are not public.
fn missing_keys(q: &TableQuestion, cb: &Codebook) -> bool {
    q.keys.iter().any(|key| {
        let filtered = q
            .filter
            .boxes
            .get(key.column())
            .is_some_and(|set| !set.null);
        let hidden = |c: &Column| !c.missing_public && !c.required;
        !filtered && cb.column(key.column()).is_some_and(hidden)
    })
}
