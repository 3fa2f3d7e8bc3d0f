//! The way back from the bytes of tables and boxes, for whoever kept them: version 1 only.
//!
//! Strict: exactly the bytes that the encoding makes are read, everything else is refused.
//! What this file must not know: who kept the bytes, and why.

mod derived;

use std::collections::BTreeSet;

use super::encode::tag;
use super::predicate_bytes;
use crate::codebook::ColumnRef;
use crate::question::{Cohort, Predicate, Set, Values};
use crate::set::Range;
pub use derived::decode_derived;

/// Cohorts within cohorts: far beyond what a question can say.
const DEEPEST: u32 = 32;

/// The bytes are not an encoding of tables and boxes: whoever kept them is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are not tables and boxes in canonical form 1: {0}")]
pub struct DecodeError(&'static str);

/// Tables and boxes from the bytes that [`predicate_bytes`] made of them.
///
/// # Errors
/// If the bytes are not exactly such an encoding.
pub fn decode_rows(bytes: &[u8]) -> Result<(String, BTreeSet<String>, Predicate), DecodeError> {
    let mut reader = Reader { rest: bytes };
    let found = reader.rows(0)?;
    reader.end()?;
    let (rows, joined, predicate) = &found;
    // Order, repetition and everything else that reading forgives.
    if predicate_bytes(rows, joined, predicate) == bytes {
        Ok(found)
    } else {
        Err(DecodeError("fields are not in their order"))
    }
}

/// Fields that were not read yet.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The content of the next field, which must have this tag.
    fn field(&mut self, tag: u8) -> Result<&'a [u8], DecodeError> {
        let short = DecodeError("a field is cut off");
        let (found, rest) = self.rest.split_first().ok_or(short)?;
        if *found != tag {
            return Err(DecodeError("a field is not the one expected"));
        }
        let (length, rest) = rest.split_first_chunk::<4>().ok_or(short)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| short)?;
        let (content, rest) = rest.split_at_checked(length).ok_or(short)?;
        self.rest = rest;
        Ok(content)
    }

    fn nested(&mut self, tag: u8) -> Result<Self, DecodeError> {
        self.field(tag).map(|rest| Reader { rest })
    }

    fn text(&mut self, tag: u8) -> Result<String, DecodeError> {
        let bytes = self.field(tag)?;
        let text = std::str::from_utf8(bytes).map_err(|_| DecodeError("a text is not UTF-8"))?;
        Ok(text.to_owned())
    }

    fn flag(&mut self, tag: u8) -> Result<bool, DecodeError> {
        match self.field(tag)? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(DecodeError("a flag is neither 0 nor 1")),
        }
    }

    fn ordinal(&mut self, tag: u8) -> Result<Option<i128>, DecodeError> {
        if self.peek() != Some(tag) {
            return Ok(None);
        }
        let bytes = self.field(tag)?.try_into();
        let bytes = bytes.map_err(|_| DecodeError("an ordinal does not have 16 bytes"))?;
        Ok(Some(i128::from_be_bytes(bytes)))
    }

    /// Every field with this tag, read by `read`, until another one comes.
    fn each<T, C: FromIterator<T>>(
        &mut self,
        tag: u8,
        mut read: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<C, DecodeError> {
        let next = || (self.peek() == Some(tag)).then(|| read(self));
        std::iter::from_fn(next).collect()
    }

    fn end(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError("there is more than expected"))
        }
    }

    fn rows(&mut self, depth: u32) -> Result<(String, BTreeSet<String>, Predicate), DecodeError> {
        let rows = self.text(tag::ROWS)?;
        let joined = self.each(tag::JOINED, |r| r.text(tag::JOINED))?;
        let mut inner = self.nested(tag::PREDICATE)?;
        let predicate = inner.predicate(depth)?;
        inner.end()?;
        Ok((rows, joined, predicate))
    }

    fn predicate(&mut self, depth: u32) -> Result<Predicate, DecodeError> {
        let boxes = self.each(tag::BOX, Self::boxed)?;
        let cohorts = self.each(tag::COHORT, |r| r.cohort(depth))?;
        Ok(Predicate { boxes, cohorts })
    }

    fn column(&mut self) -> Result<ColumnRef, DecodeError> {
        let mut name = self.nested(tag::COLUMN)?;
        let column = ColumnRef {
            table: name.text(tag::COLUMN_TABLE)?,
            column: name.text(tag::COLUMN_NAME)?,
        };
        name.end()?;
        Ok(column)
    }

    fn cohort(&mut self, depth: u32) -> Result<Cohort, DecodeError> {
        if depth >= DEEPEST {
            return Err(DecodeError("cohorts are nested too deeply"));
        }
        let mut inner = self.nested(tag::COHORT)?;
        let negated = inner.flag(tag::NEGATED)?;
        let (rows, joined, filter) = inner.rows(depth.saturating_add(1))?;
        inner.end()?;
        Ok(Cohort {
            negated,
            rows,
            joined,
            filter,
        })
    }

    fn boxed(&mut self) -> Result<(ColumnRef, Set), DecodeError> {
        let mut inner = self.nested(tag::BOX)?;
        let column = inner.column()?;
        let null = inner.flag(tag::NULL_IN)?;
        let values = inner.values()?;
        inner.end()?;
        Ok((column, Set { null, values }))
    }

    fn values(&mut self) -> Result<Values, DecodeError> {
        match self.peek() {
            Some(tag::ALL) => {
                let empty = self.field(tag::ALL)?.is_empty();
                empty
                    .then_some(Values::All)
                    .ok_or(DecodeError("there is more than expected"))
            }
            Some(tag::RANGES) => {
                let mut inner = self.nested(tag::RANGES)?;
                let ranges = inner.each(tag::RANGE, Self::range)?;
                inner.end()?;
                Ok(Values::Ranges(ranges))
            }
            Some(tag::TEXTS) => Ok(Values::Texts(self.texts(tag::TEXTS)?)),
            Some(tag::NOT_TEXTS) => Ok(Values::NotTexts(self.texts(tag::NOT_TEXTS)?)),
            _ => Err(DecodeError("a field is not the one expected")),
        }
    }

    fn range(&mut self) -> Result<Range, DecodeError> {
        let mut inner = self.nested(tag::RANGE)?;
        let ends = (inner.ordinal(tag::LOW)?, inner.ordinal(tag::HIGH)?);
        inner.end()?;
        Ok(ends)
    }

    fn texts(&mut self, tag: u8) -> Result<BTreeSet<String>, DecodeError> {
        let mut inner = self.nested(tag)?;
        let texts = inner.each(super::encode::tag::TEXT, |r| {
            r.text(super::encode::tag::TEXT)
        })?;
        inner.end()?;
        Ok(texts)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, btree_set, vec};
    use proptest::prelude::*;

    use super::*;

    fn name() -> impl Strategy<Value = String> {
        "[a-z_]{1,6}"
    }

    fn values() -> impl Strategy<Value = Values> {
        let end = || prop_oneof![1 => Just(None), 3 => any::<i128>().prop_map(Some)];
        prop_oneof![
            Just(Values::All),
            vec((end(), end()), 0..4).prop_map(Values::Ranges),
            btree_set("\\PC{0,5}", 0..4).prop_map(Values::Texts),
            btree_set("\\PC{0,5}", 0..4).prop_map(Values::NotTexts),
        ]
    }

    fn predicate() -> impl Strategy<Value = Predicate> {
        let boxes = || {
            let column = (name(), name()).prop_map(|(table, column)| ColumnRef { table, column });
            let set = (any::<bool>(), values()).prop_map(|(null, values)| Set { null, values });
            btree_map(column, set, 0..4)
        };
        let leaf = boxes().prop_map(|boxes| Predicate {
            boxes,
            ..Predicate::default()
        });
        leaf.prop_recursive(3, 8, 3, move |inner| {
            let cohort = (any::<bool>(), name(), btree_set(name(), 0..3), inner).prop_map(
                |(negated, rows, joined, filter)| Cohort {
                    negated,
                    rows,
                    joined,
                    filter,
                },
            );
            (boxes(), btree_set(cohort, 0..3))
                .prop_map(|(boxes, cohorts)| Predicate { boxes, cohorts })
        })
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_read_back(
            rows in name(),
            joined in btree_set(name(), 0..3),
            predicate in predicate(),
        ) {
            let bytes = predicate_bytes(&rows, &joined, &predicate);
            prop_assert_eq!(decode_rows(&bytes), Ok((rows, joined, predicate)));
        }

        /// Whatever is read is the one encoding of what was read: no two byte strings mean the same.
        #[test]
        fn a_changed_byte_is_refused_or_means_something_else(
            predicate in predicate(),
            at in any::<prop::sample::Index>(),
            to in any::<u8>(),
            cut in any::<prop::sample::Index>(),
        ) {
            let good = predicate_bytes("t", &BTreeSet::new(), &predicate);
            let mut bytes = good.clone();
            let at = at.index(bytes.len());
            bytes[at] = to;
            if let Ok((rows, joined, found)) = decode_rows(&bytes) {
                prop_assert_eq!(predicate_bytes(&rows, &joined, &found), bytes);
            }
            let cut = cut.index(good.len());
            prop_assert!(decode_rows(&good[..cut]).is_err());
            let longer = [good.as_slice(), &[to]].concat();
            prop_assert!(decode_rows(&longer).is_err());
        }

        #[test]
        fn no_bytes_break_the_reader(bytes in vec(any::<u8>(), 0..200)) {
            prop_assert!(decode_rows(&bytes).is_err());
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let mut filter = Predicate::default();
        let cohort = |filter| Cohort {
            negated: false,
            rows: "t".into(),
            joined: BTreeSet::new(),
            filter,
        };
        for depth in 0..40 {
            let bytes = predicate_bytes("t", &BTreeSet::new(), &filter);
            assert_eq!(decode_rows(&bytes).is_ok(), depth <= DEEPEST, "{depth}");
            filter = Predicate {
                cohorts: [cohort(filter)].into(),
                ..Predicate::default()
            };
        }
    }

    #[test]
    fn order_and_repetition_are_refused() {
        let texts = |texts: [&str; 2]| {
            let text = |t: &str| [&[tag::TEXT, 0, 0, 0, 1], t.as_bytes()].concat();
            [text(texts[0]), text(texts[1])].concat()
        };
        let column = ColumnRef {
            table: "t".into(),
            column: "c".into(),
        };
        let set = Set {
            null: false,
            values: Values::Texts(["a".to_owned(), "b".to_owned()].into()),
        };
        let filter = Predicate {
            boxes: [(column, set)].into(),
            ..Predicate::default()
        };
        let good = predicate_bytes("t", &BTreeSet::new(), &filter);
        let from = texts(["a", "b"]);
        let at = good.windows(from.len()).position(|w| w == from).unwrap();
        for to in [texts(["b", "a"]), texts(["a", "a"])] {
            let mut bytes = good.clone();
            bytes[at..at + to.len()].copy_from_slice(&to);
            let refused = DecodeError("fields are not in their order");
            assert_eq!(decode_rows(&bytes), Err(refused));
        }
    }
}
