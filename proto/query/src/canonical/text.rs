//! The canonical form for people: the same parts in the same order, one line each. Nothing
//! rests on this text; hashes are over the bytes.

use std::fmt::Write as _;

use crate::codebook::ColumnRef;
use crate::derived::{Derived, shown};
use crate::question::{
    BinaryOp, Body, Cohort, CompareOp, Condition, Expr, Grain, GroupKey, Measure, OrderBy,
    Predicate, Question, Set, Stat, TableQuestion, Values,
};
use crate::set::Range;
use crate::spell;
use crate::value::Scalar;

/// Sets with more parts than this are shown by their beginning and their size.
const SHOWN: usize = 12;

pub(super) fn question(question: &Question) -> String {
    let mut lines: Vec<String> = question.derived.iter().map(definition).collect();
    lines.push(match &question.body {
        Body::Table(table) => table_question(table),
        Body::Tables(tables) => {
            let all = tables.iter();
            all.map(|named| format!("table    {}\n{}", named.name, table_question(&named.table)))
                .collect::<Vec<_>>()
                .join("\n")
        }
    });
    lines.join("\n")
}

fn definition((name, derived): (&ColumnRef, &Derived)) -> String {
    format!("derive   {}: {}", column(name), meaning(derived))
}

/// A definition in words.
pub(crate) fn meaning(derived: &Derived) -> String {
    let all = |columns: Vec<&ColumnRef>| {
        let columns: Vec<String> = columns.into_iter().map(column).collect();
        columns.join(", ")
    };
    match derived {
        Derived::Frame { frame, of } => {
            let rows = cohort_rows(&frame.cohort(false));
            format!("{}({}) of {rows}", of.word(), all(of.inputs()))
        }
        Derived::Day(day) => format!("the day {}", Scalar::Date(*day)),
        Derived::Days { from, to } => format!("days from {} to {}", column(from), column(to)),
        Derived::Years { from, to } => {
            format!("full years from {} to {}", column(from), column(to))
        }
        Derived::Year { of } => format!("year of {}", column(of)),
        Derived::Least(of) => format!("earliest of {}", all(of.iter().collect())),
        Derived::Greatest(of) => format!("latest of {}", all(of.iter().collect())),
        Derived::Coalesce { of, otherwise } => {
            format!(
                "{}, where missing {}",
                column(of),
                spell::literal(otherwise)
            )
        }
        Derived::Case { arms, otherwise } => {
            let arms = arms.iter().map(|(condition, result)| {
                let condition = conditions(condition).join("; ");
                format!("{} if {condition}, ", spell::literal(result))
            });
            format!(
                "{}else {}",
                arms.collect::<String>(),
                spell::literal(otherwise)
            )
        }
        Derived::Any(any) => {
            let any = any
                .iter()
                .map(|one| format!("({})", conditions(one).join("; ")));
            format!("1 if {}, else 0", any.collect::<Vec<_>>().join(" or "))
        }
    }
}

fn table_question(q: &TableQuestion) -> String {
    let mut lines = vec![format!("rows     {}", tables(&q.rows, &q.joined))];
    lines.extend(
        conditions(&q.filter)
            .into_iter()
            .map(|line| format!("where    {line}")),
    );
    lines.extend(
        q.keys
            .iter()
            .map(|key| format!("by       {}", key_text(key))),
    );
    lines.extend(
        q.measures
            .iter()
            .map(|m| format!("measure  {}", measure_text(m))),
    );
    lines.extend(
        q.output
            .columns
            .iter()
            .map(|c| format!("output   {}", expr(&c.expr, q))),
    );
    lines.extend(
        q.output
            .having
            .iter()
            .map(|h| format!("having   {}", condition(h, q))),
    );
    lines.extend(
        q.output
            .order
            .iter()
            .map(|o| format!("order    {}", order(o, q))),
    );
    lines.extend(q.output.limit.map(|n| format!("limit    {n}")));
    lines.join("\n")
}

pub(crate) fn tables(rows: &str, joined: &std::collections::BTreeSet<String>) -> String {
    joined
        .iter()
        .fold(rows.to_owned(), |text, table| text + " + " + table)
}

fn conditions(p: &Predicate) -> Vec<String> {
    let boxes = p
        .boxes
        .iter()
        .map(|(name, set)| format!("{} {}", column(name), set_text(set)));
    boxes.chain(p.cohorts.iter().map(cohort)).collect()
}

fn cohort(c: &Cohort) -> String {
    let not = if c.negated { "not " } else { "" };
    format!("person {not}in ({})", cohort_rows(c))
}

/// The rows of a cohort or a frame.
fn cohort_rows(c: &Cohort) -> String {
    let inner = conditions(&c.filter).join("; ");
    let inner = if inner.is_empty() {
        inner
    } else {
        format!(" where {inner}")
    };
    format!("{}{inner}", tables(&c.rows, &c.joined))
}

fn column(name: &ColumnRef) -> String {
    shown(name)
}

fn set_text(set: &Set) -> String {
    let values = match &set.values {
        Values::All => return "is not missing".to_owned(),
        Values::Ranges(ranges) if ranges.is_empty() => return "is missing".to_owned(),
        Values::Ranges(ranges) => listed(ranges.iter().map(range), ranges.len()),
        Values::Texts(texts) => listed(texts.iter().map(|t| quoted(t)), texts.len()),
        Values::NotTexts(texts) => {
            format!(
                "not {}",
                listed(texts.iter().map(|t| quoted(t)), texts.len())
            )
        }
    };
    if set.null {
        format!("in {values} or missing")
    } else {
        format!("in {values}")
    }
}

fn range(range: &Range) -> String {
    match range {
        (Some(low), Some(high)) if low == high => low.to_string(),
        (low, high) => {
            let end = |end: &Option<i128>| end.map_or(String::new(), |e| e.to_string());
            format!("{}..{}", end(low), end(high))
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn listed(parts: impl Iterator<Item = String>, total: usize) -> String {
    let mut text = format!("{{{}", parts.take(SHOWN).collect::<Vec<_>>().join(", "));
    if total > SHOWN {
        let _ = write!(text, ", ... {total} in all");
    }
    text + "}"
}

pub(crate) fn key_text(key: &GroupKey) -> String {
    match key {
        GroupKey::Column(name) => column(name),
        GroupKey::Band {
            column: name,
            width,
        } => {
            format!("floor({}/{width})*{width}", column(name))
        }
        GroupKey::Period {
            column: name,
            grain,
        } => {
            let grain = match grain {
                Grain::Month => "month",
                Grain::Quarter => "quarter",
                Grain::Year => "year",
            };
            format!("date_trunc('{grain}', {})", column(name))
        }
    }
}

pub(crate) fn measure_text(measure: &Measure) -> String {
    match measure {
        Measure::Persons { of: None } => "persons".to_owned(),
        Measure::Persons { of: Some(name) } => format!("persons with {}", column(name)),
        Measure::Events { of: None } => "events".to_owned(),
        Measure::Events { of: Some(name) } => format!("events with {}", column(name)),
        Measure::Moments { column: name } => format!("moments of {}", column(name)),
        Measure::ValueCounts { column: name } => format!("counts per value of {}", column(name)),
        Measure::Products { left, right } => {
            format!("mean product of {} and {}", column(left), column(right))
        }
    }
}

pub(crate) fn expr(e: &Expr, q: &TableQuestion) -> String {
    match e {
        Expr::Key(n) => q.keys.get(*n).map_or_else(|| format!("key {n}"), key_text),
        Expr::Stat { measure, stat } => {
            let of = q
                .measures
                .get(*measure)
                .map_or_else(|| measure.to_string(), measure_text);
            match stat {
                Stat::Count => of,
                stat => format!("{} from {of}", stat_text(*stat)),
            }
        }
        Expr::Literal(n) => n.to_string(),
        Expr::Binary { op, left, right } => {
            let op = match op {
                BinaryOp::Add => '+',
                BinaryOp::Sub => '-',
                BinaryOp::Mul => '*',
                BinaryOp::Div => '/',
            };
            format!("({} {op} {})", expr(left, q), expr(right, q))
        }
    }
}

fn stat_text(stat: Stat) -> &'static str {
    match stat {
        Stat::Count => "count",
        Stat::Sum => "sum",
        Stat::Mean => "mean",
        Stat::SdSample => "sample sd",
        Stat::SdPop => "population sd",
        Stat::VarSample => "sample variance",
        Stat::VarPop => "population variance",
    }
}

pub(crate) fn condition(c: &Condition, q: &TableQuestion) -> String {
    match c {
        Condition::Compare { op, left, right } => {
            format!("{} {} {}", expr(left, q), sign(*op), expr(right, q))
        }
        Condition::KeyIs { key, op, value } => {
            format!(
                "{} {} {}",
                expr(&Expr::Key(*key), q),
                sign(*op),
                spell::literal(value)
            )
        }
        Condition::And(all) => {
            let mut terms: Vec<String> = all.iter().map(|one| condition(one, q)).collect();
            terms.sort_unstable();
            terms.dedup();
            terms.join(" and ")
        }
    }
}

fn sign(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Eq => "=",
        CompareOp::Ne => "<>",
        CompareOp::Lt => "<",
        CompareOp::Le => "<=",
        CompareOp::Gt => ">",
        CompareOp::Ge => ">=",
    }
}

pub(crate) fn order(o: &OrderBy, q: &TableQuestion) -> String {
    let direction = if o.descending {
        "descending"
    } else {
        "ascending"
    };
    format!("{} {direction}", expr(&o.expr, q))
}
