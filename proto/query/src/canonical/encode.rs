//! The bytes of canonical form version 1. Frozen: a change is a new version.

use std::collections::BTreeSet;

use super::{VERSION, derived};
use crate::codebook::ColumnRef;
use crate::number::Number;
use crate::question::{
    BinaryOp, Body, Cohort, CompareOp, Condition, Expr, Grain, GroupKey, Measure, OrderBy, Output,
    Predicate, Question, Set, Stat, TableQuestion, Values,
};
use crate::value::Scalar;

/// Tags of version 1, as published in `docs/canonical-form.md`.
pub(super) mod tag {
    pub(crate) const VERSION: u8 = 0x01;
    pub(crate) const TABLE: u8 = 0x02;
    pub(crate) const TABLES: u8 = 0x03;
    pub(crate) const DERIVED: u8 = 0x0D;
    pub(crate) const ROWS: u8 = 0x10;
    pub(crate) const JOINED: u8 = 0x11;
    pub(crate) const PREDICATE: u8 = 0x12;
    pub(crate) const KEY: u8 = 0x13;
    pub(crate) const MEASURE: u8 = 0x14;
    pub(crate) const OUTPUT: u8 = 0x15;
    pub(crate) const BOX: u8 = 0x20;
    pub(crate) const COHORT: u8 = 0x21;
    pub(crate) const NULL_IN: u8 = 0x22;
    pub(crate) const NEGATED: u8 = 0x23;
    pub(crate) const COLUMN: u8 = 0x30;
    pub(crate) const COLUMN_TABLE: u8 = 0x31;
    pub(crate) const COLUMN_NAME: u8 = 0x32;
    pub(crate) const ALL: u8 = 0x40;
    pub(crate) const RANGES: u8 = 0x41;
    pub(crate) const TEXTS: u8 = 0x42;
    pub(crate) const NOT_TEXTS: u8 = 0x43;
    pub(crate) const RANGE: u8 = 0x44;
    pub(crate) const LOW: u8 = 0x45;
    pub(crate) const HIGH: u8 = 0x46;
    pub(crate) const TEXT: u8 = 0x47;
    pub(crate) const KEY_COLUMN: u8 = 0x60;
    pub(crate) const KEY_BAND: u8 = 0x61;
    pub(crate) const KEY_PERIOD: u8 = 0x62;
    pub(crate) const WIDTH: u8 = 0x63;
    pub(crate) const GRAIN: u8 = 0x64;
    pub(crate) const PERSONS: u8 = 0x70;
    pub(crate) const EVENTS: u8 = 0x71;
    pub(crate) const MOMENTS: u8 = 0x72;
    pub(crate) const VALUE_COUNTS: u8 = 0x73;
    pub(crate) const PRODUCTS: u8 = 0x74;
    pub(crate) const OUT_COLUMN: u8 = 0x80;
    pub(crate) const HAVING: u8 = 0x81;
    pub(crate) const ORDER: u8 = 0x82;
    pub(crate) const LIMIT: u8 = 0x83;
    pub(crate) const DESCENDING: u8 = 0x84;
    pub(crate) const EXPR_KEY: u8 = 0x90;
    pub(crate) const EXPR_STAT: u8 = 0x91;
    pub(crate) const EXPR_LITERAL: u8 = 0x92;
    pub(crate) const EXPR_BINARY: u8 = 0x93;
    pub(crate) const STAT_MEASURE: u8 = 0x94;
    pub(crate) const STAT: u8 = 0x95;
    pub(crate) const OPERATOR: u8 = 0x96;
    pub(crate) const COMPARE: u8 = 0xA0;
    pub(crate) const KEY_IS: u8 = 0xA1;
    pub(crate) const AND: u8 = 0xA2;
    pub(crate) const SCALAR_NULL: u8 = 0xB0;
    pub(crate) const SCALAR_BOOL: u8 = 0xB1;
    pub(crate) const SCALAR_NUMBER: u8 = 0xB2;
    pub(crate) const SCALAR_DATE: u8 = 0xB3;
    pub(crate) const SCALAR_TEXT: u8 = 0xB4;
    pub(crate) const BASE: u8 = 0xC0;
    pub(crate) const MAX_ROWS: u8 = 0xC1;
    pub(crate) const LOWER: u8 = 0xC2;
    pub(crate) const UPPER: u8 = 0xC3;
    pub(crate) const DOMAIN: u8 = 0xC4;
    pub(crate) const INCOMPLETE: u8 = 0xC5;
    pub(crate) const CENTRE: u8 = 0xC6;
    pub(crate) const FRAME: u8 = 0xD0;
    pub(crate) const AGGREGATE: u8 = 0xD1;
    pub(crate) const DAYS: u8 = 0xD2;
    pub(crate) const YEARS: u8 = 0xD3;
    pub(crate) const YEAR: u8 = 0xD4;
    pub(crate) const LEAST: u8 = 0xD5;
    pub(crate) const GREATEST: u8 = 0xD6;
    pub(crate) const COALESCE: u8 = 0xD7;
    pub(crate) const CASE: u8 = 0xD8;
    pub(crate) const ARM: u8 = 0xD9;
    pub(crate) const DAY: u8 = 0xDA;
    pub(crate) const ANY: u8 = 0xDB;
}

/// Appends fields: tag, length, content.
#[derive(Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn raw(&mut self, tag: u8, content: &[u8]) {
        // Texts are limited to kilobytes and lists to thousands, so lengths always fit.
        let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
        self.bytes.push(tag);
        self.bytes.extend(length.to_be_bytes());
        self.bytes.extend(content);
    }

    pub(super) fn nested(&mut self, tag: u8, write: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        write(&mut inner);
        self.raw(tag, &inner.bytes);
    }

    pub(super) fn text(&mut self, tag: u8, text: &str) {
        self.raw(tag, text.as_bytes());
    }

    pub(super) fn number_u64(&mut self, tag: u8, n: u64) {
        self.raw(tag, &n.to_be_bytes());
    }

    pub(super) fn flag(&mut self, tag: u8, flag: bool) {
        self.raw(tag, &[u8::from(flag)]);
    }

    fn index(&mut self, tag: u8, index: usize) {
        self.number_u64(tag, u64::try_from(index).unwrap_or(u64::MAX));
    }

    pub(super) fn decimal(&mut self, tag: u8, n: &Number) {
        let mut content = n.mantissa().to_be_bytes().to_vec();
        content.extend(n.exponent().to_be_bytes());
        self.raw(tag, &content);
    }
}

pub(super) fn question(question: &Question) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.raw(tag::VERSION, &VERSION.to_be_bytes());
    for (column, derived) in &question.derived {
        writer.nested(tag::DERIVED, |w| {
            column_ref(w, column);
            derived::definition(w, derived);
        });
    }
    match &question.body {
        Body::Table(table) => writer.nested(tag::TABLE, |w| table_question(w, table)),
        // Names mean nothing, order does: a table is decided beside those before it.
        Body::Tables(tables) => writer.nested(tag::TABLES, |w| {
            for named in tables {
                w.nested(tag::TABLE, |w| table_question(w, &named.table));
            }
        }),
    }
    writer.bytes
}

fn table_question(w: &mut Writer, q: &TableQuestion) {
    rows(w, &q.rows, &q.joined, &q.filter);
    for key in &q.keys {
        w.nested(tag::KEY, |w| group_key(w, key));
    }
    for one in &q.measures {
        w.nested(tag::MEASURE, |w| measure(w, one));
    }
    w.nested(tag::OUTPUT, |w| output(w, &q.output));
}

pub(super) fn rows(w: &mut Writer, rows: &str, joined: &BTreeSet<String>, p: &Predicate) {
    w.text(tag::ROWS, rows);
    for table in joined {
        w.text(tag::JOINED, table);
    }
    w.nested(tag::PREDICATE, |w| predicate(w, p));
}

pub(super) fn predicate(w: &mut Writer, p: &Predicate) {
    for (column, set) in &p.boxes {
        w.nested(tag::BOX, |w| {
            column_ref(w, column);
            set_of(w, set);
        });
    }
    for cohort in &p.cohorts {
        w.nested(tag::COHORT, |w| cohort_of(w, cohort));
    }
}

fn cohort_of(w: &mut Writer, cohort: &Cohort) {
    w.flag(tag::NEGATED, cohort.negated);
    rows(w, &cohort.rows, &cohort.joined, &cohort.filter);
}

pub(super) fn column_ref(w: &mut Writer, column: &ColumnRef) {
    w.nested(tag::COLUMN, |w| {
        w.text(tag::COLUMN_TABLE, &column.table);
        w.text(tag::COLUMN_NAME, &column.column);
    });
}

fn set_of(w: &mut Writer, set: &Set) {
    w.flag(tag::NULL_IN, set.null);
    match &set.values {
        Values::All => w.raw(tag::ALL, &[]),
        Values::Ranges(ranges) => w.nested(tag::RANGES, |w| {
            for range in ranges {
                w.nested(tag::RANGE, |w| ends(w, *range));
            }
        }),
        Values::Texts(texts) => w.nested(tag::TEXTS, |w| each_text(w, texts)),
        Values::NotTexts(texts) => w.nested(tag::NOT_TEXTS, |w| each_text(w, texts)),
    }
}

fn ends(w: &mut Writer, (low, high): (Option<i128>, Option<i128>)) {
    if let Some(low) = low {
        w.raw(tag::LOW, &low.to_be_bytes());
    }
    if let Some(high) = high {
        w.raw(tag::HIGH, &high.to_be_bytes());
    }
}

fn each_text(w: &mut Writer, texts: &BTreeSet<String>) {
    for text in texts {
        w.text(tag::TEXT, text);
    }
}

fn group_key(w: &mut Writer, key: &GroupKey) {
    match key {
        GroupKey::Column(column) => w.nested(tag::KEY_COLUMN, |w| column_ref(w, column)),
        GroupKey::Band { column, width } => w.nested(tag::KEY_BAND, |w| {
            column_ref(w, column);
            w.decimal(tag::WIDTH, width);
        }),
        GroupKey::Period { column, grain } => w.nested(tag::KEY_PERIOD, |w| {
            column_ref(w, column);
            let grain = match grain {
                Grain::Month => 1,
                Grain::Quarter => 2,
                Grain::Year => 3,
            };
            w.raw(tag::GRAIN, &[grain]);
        }),
    }
}

pub(super) fn measure(w: &mut Writer, measure: &Measure) {
    match measure {
        Measure::Persons { of } => w.nested(tag::PERSONS, |w| optional_column(w, of.as_ref())),
        Measure::Events { of } => w.nested(tag::EVENTS, |w| optional_column(w, of.as_ref())),
        Measure::Moments { column } => w.nested(tag::MOMENTS, |w| column_ref(w, column)),
        Measure::ValueCounts { column } => w.nested(tag::VALUE_COUNTS, |w| column_ref(w, column)),
        Measure::Products { left, right } => w.nested(tag::PRODUCTS, |w| {
            column_ref(w, left);
            column_ref(w, right);
        }),
    }
}

fn optional_column(w: &mut Writer, column: Option<&ColumnRef>) {
    if let Some(column) = column {
        column_ref(w, column);
    }
}

fn output(w: &mut Writer, output: &Output) {
    for column in &output.columns {
        w.nested(tag::OUT_COLUMN, |w| expr(w, &column.expr));
    }
    if let Some(having) = &output.having {
        w.nested(tag::HAVING, |w| condition(w, having));
    }
    for order in &output.order {
        w.nested(tag::ORDER, |w| order_by(w, order));
    }
    if let Some(limit) = output.limit {
        w.number_u64(tag::LIMIT, limit);
    }
}

fn order_by(w: &mut Writer, order: &OrderBy) {
    expr(w, &order.expr);
    w.flag(tag::DESCENDING, order.descending);
}

fn expr(w: &mut Writer, e: &Expr) {
    match e {
        Expr::Key(n) => w.index(tag::EXPR_KEY, *n),
        Expr::Stat { measure, stat } => w.nested(tag::EXPR_STAT, |w| {
            w.index(tag::STAT_MEASURE, *measure);
            w.raw(tag::STAT, &[stat_code(*stat)]);
        }),
        Expr::Literal(n) => w.decimal(tag::EXPR_LITERAL, n),
        Expr::Binary { op, left, right } => w.nested(tag::EXPR_BINARY, |w| {
            let op = match op {
                BinaryOp::Add => 1,
                BinaryOp::Sub => 2,
                BinaryOp::Mul => 3,
                BinaryOp::Div => 4,
            };
            w.raw(tag::OPERATOR, &[op]);
            expr(w, left);
            expr(w, right);
        }),
    }
}

fn stat_code(stat: Stat) -> u8 {
    match stat {
        Stat::Count => 1,
        Stat::Sum => 2,
        Stat::Mean => 3,
        Stat::SdSample => 4,
        Stat::SdPop => 5,
        Stat::VarSample => 6,
        Stat::VarPop => 7,
    }
}

fn condition(w: &mut Writer, c: &Condition) {
    match c {
        Condition::Compare { op, left, right } => w.nested(tag::COMPARE, |w| {
            w.raw(tag::OPERATOR, &[compare_code(*op)]);
            expr(w, left);
            expr(w, right);
        }),
        Condition::KeyIs { key, op, value } => w.nested(tag::KEY_IS, |w| {
            w.index(tag::EXPR_KEY, *key);
            w.raw(tag::OPERATOR, &[compare_code(*op)]);
            scalar(w, value);
        }),
        // Order and repetition of the terms mean nothing.
        Condition::And(all) => set_of_parts(w, tag::AND, all, condition),
    }
}

fn compare_code(op: CompareOp) -> u8 {
    match op {
        CompareOp::Eq => 1,
        CompareOp::Ne => 2,
        CompareOp::Lt => 3,
        CompareOp::Le => 4,
        CompareOp::Gt => 5,
        CompareOp::Ge => 6,
    }
}

/// A field whose parts are ascending by their bytes, each once.
pub(super) fn set_of_parts<T>(
    w: &mut Writer,
    tag: u8,
    parts: impl IntoIterator<Item = T>,
    write: impl Fn(&mut Writer, T),
) {
    let parts: BTreeSet<Vec<u8>> = parts
        .into_iter()
        .map(|part| {
            let mut inner = Writer::default();
            write(&mut inner, part);
            inner.bytes
        })
        .collect();
    w.nested(tag, |w| parts.iter().for_each(|part| w.bytes.extend(part)));
}

pub(super) fn scalar(w: &mut Writer, value: &Scalar) {
    match value {
        Scalar::Null => w.raw(tag::SCALAR_NULL, &[]),
        Scalar::Bool(b) => w.flag(tag::SCALAR_BOOL, *b),
        Scalar::Number(n) => w.decimal(tag::SCALAR_NUMBER, n),
        Scalar::Date(days) => w.raw(tag::SCALAR_DATE, &days.to_be_bytes()),
        Scalar::Text(text) => w.text(tag::SCALAR_TEXT, text),
    }
}
