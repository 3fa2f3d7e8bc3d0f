//! The bytes of definitions of derived columns, which their names are digests of.

use super::encode::{Writer, column_ref, predicate, rows, scalar, set_of_parts, tag};
use super::sha256;
use crate::codebook::ColumnRef;
use crate::derived::{Aggregate, Derived};
use crate::value::Scalar;

impl Derived {
    /// What its name holds: a digest of the definition.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        sha256(&[b"quorate/derived/v1\0", &self.canonical_bytes()])
    }

    /// The definition as bytes.
    #[must_use]
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        definition(&mut writer, self);
        writer.bytes().to_vec()
    }
}

pub(super) fn definition(w: &mut Writer, derived: &Derived) {
    let columns = |w: &mut Writer, tag: u8, all: &[&ColumnRef]| {
        w.nested(tag, |w| all.iter().for_each(|column| column_ref(w, column)));
    };
    match derived {
        Derived::Frame { frame, of } => w.nested(tag::FRAME, |w| {
            rows(w, &frame.rows, &frame.joined, &frame.filter);
            w.raw(tag::AGGREGATE, &[code(of)]);
            of.inputs().iter().for_each(|column| column_ref(w, column));
        }),
        Derived::Day(day) => w.nested(tag::DAY, |w| scalar(w, &Scalar::Date(*day))),
        Derived::Days { from, to } => columns(w, tag::DAYS, &[from, to]),
        Derived::Years { from, to } => columns(w, tag::YEARS, &[from, to]),
        Derived::Year { of } => columns(w, tag::YEAR, &[of]),
        Derived::Least(of) => columns(w, tag::LEAST, &of.iter().collect::<Vec<_>>()),
        Derived::Greatest(of) => columns(w, tag::GREATEST, &of.iter().collect::<Vec<_>>()),
        Derived::Coalesce { of, otherwise } => w.nested(tag::COALESCE, |w| {
            column_ref(w, of);
            scalar(w, otherwise);
        }),
        Derived::Case { arms, otherwise } => w.nested(tag::CASE, |w| {
            for (condition, result) in arms {
                w.nested(tag::ARM, |w| {
                    w.nested(tag::PREDICATE, |w| predicate(w, condition));
                    scalar(w, result);
                });
            }
            scalar(w, otherwise);
        }),
        Derived::Any(conditions) => set_of_parts(w, tag::ANY, conditions, |w, one| {
            w.nested(tag::PREDICATE, |w| predicate(w, one));
        }),
    }
}

fn code(of: &Aggregate) -> u8 {
    match of {
        Aggregate::Rows => 1,
        Aggregate::Distinct(_) => 2,
        Aggregate::Min(_) => 3,
        Aggregate::Max(_) => 4,
        Aggregate::Sum(_) => 5,
        Aggregate::Mean(_) => 6,
        Aggregate::First { .. } => 7,
        Aggregate::Last { .. } => 8,
    }
}
