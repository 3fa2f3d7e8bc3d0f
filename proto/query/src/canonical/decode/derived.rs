//! The way back from the bytes of definitions of derived columns, for whoever kept them.

use std::collections::BTreeSet;

use super::{DecodeError, Reader};
use crate::canonical::encode::tag;
use crate::codebook::ColumnRef;
use crate::derived::{Aggregate, Derived, Frame};
use crate::number::Number;
use crate::question::Predicate;
use crate::value::Scalar;

/// The definition that [`Derived::canonical_bytes`] made these bytes of.
///
/// # Errors
/// If the bytes are not exactly such an encoding.
pub fn decode_derived(bytes: &[u8]) -> Result<Derived, DecodeError> {
    let mut reader = Reader { rest: bytes };
    let found = reader.definition()?;
    reader.end()?;
    if found.canonical_bytes() == bytes {
        Ok(found)
    } else {
        Err(DecodeError("fields are not in their order"))
    }
}

impl Reader<'_> {
    fn definition(&mut self) -> Result<Derived, DecodeError> {
        let tag = self.peek().ok_or(DecodeError("a field is cut off"))?;
        let mut inner = self.nested(tag)?;
        let found = match tag {
            tag::FRAME => inner.frame()?,
            tag::DAY => match inner.scalar()? {
                Scalar::Date(day) => Derived::Day(day),
                _ => return Err(DecodeError("a day is no date")),
            },
            tag::DAYS => Derived::Days {
                from: inner.column()?,
                to: inner.column()?,
            },
            tag::YEARS => Derived::Years {
                from: inner.column()?,
                to: inner.column()?,
            },
            tag::YEAR => Derived::Year {
                of: inner.column()?,
            },
            tag::LEAST => Derived::Least(inner.columns()?),
            tag::GREATEST => Derived::Greatest(inner.columns()?),
            tag::COALESCE => Derived::Coalesce {
                of: inner.column()?,
                otherwise: inner.scalar()?,
            },
            tag::CASE => Derived::Case {
                arms: inner.each(tag::ARM, Self::arm)?,
                otherwise: inner.scalar()?,
            },
            tag::ANY => Derived::Any(inner.each(tag::PREDICATE, Self::conditions)?),
            _ => return Err(DecodeError("a field is not the one expected")),
        };
        inner.end()?;
        Ok(found)
    }

    fn frame(&mut self) -> Result<Derived, DecodeError> {
        let (rows, joined, filter) = self.rows(0)?;
        let code = self.field(tag::AGGREGATE)?;
        let of = match code {
            [1] => Aggregate::Rows,
            [2] => Aggregate::Distinct(self.column()?),
            [3] => Aggregate::Min(self.column()?),
            [4] => Aggregate::Max(self.column()?),
            [5] => Aggregate::Sum(self.column()?),
            [6] => Aggregate::Mean(self.column()?),
            [7] => Aggregate::First {
                value: self.column()?,
                by: self.column()?,
            },
            [8] => Aggregate::Last {
                value: self.column()?,
                by: self.column()?,
            },
            _ => return Err(DecodeError("there is no such aggregate")),
        };
        let frame = Frame {
            rows,
            joined,
            filter,
        };
        Ok(Derived::Frame { frame, of })
    }

    fn conditions(&mut self) -> Result<Predicate, DecodeError> {
        let mut inner = self.nested(tag::PREDICATE)?;
        let found = inner.predicate(0)?;
        inner.end()?;
        Ok(found)
    }

    fn arm(&mut self) -> Result<(Predicate, Scalar), DecodeError> {
        let mut inner = self.nested(tag::ARM)?;
        let found = (inner.conditions()?, inner.scalar()?);
        inner.end()?;
        Ok(found)
    }

    fn columns(&mut self) -> Result<BTreeSet<ColumnRef>, DecodeError> {
        self.each(tag::COLUMN, Self::column)
    }

    fn scalar(&mut self) -> Result<Scalar, DecodeError> {
        let wrong = DecodeError("a value is not the one expected");
        match self.peek() {
            Some(tag::SCALAR_NULL) => match self.field(tag::SCALAR_NULL)? {
                [] => Ok(Scalar::Null),
                _ => Err(wrong),
            },
            Some(tag::SCALAR_BOOL) => self.flag(tag::SCALAR_BOOL).map(Scalar::Bool),
            Some(tag::SCALAR_NUMBER) => {
                let bytes = self.field(tag::SCALAR_NUMBER)?;
                let (mantissa, exponent) = bytes.split_first_chunk::<16>().ok_or(wrong)?;
                let exponent = exponent.try_into().map_err(|_| wrong)?;
                Ok(Scalar::Number(Number::new(
                    i128::from_be_bytes(*mantissa),
                    i32::from_be_bytes(exponent),
                )))
            }
            Some(tag::SCALAR_DATE) => {
                let bytes = self.field(tag::SCALAR_DATE)?;
                let bytes = bytes.try_into().map_err(|_| wrong)?;
                Ok(Scalar::Date(i32::from_be_bytes(bytes)))
            }
            Some(tag::SCALAR_TEXT) => self.text(tag::SCALAR_TEXT).map(Scalar::Text),
            _ => Err(wrong),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::question::{Set, Values};

    fn column() -> impl Strategy<Value = ColumnRef> {
        ("[a-z]{1,4}", "[a-z:0-9]{1,6}").prop_map(|(table, column)| ColumnRef { table, column })
    }

    fn predicate() -> impl Strategy<Value = Predicate> {
        let set = (any::<bool>(), vec(0..9_i128, 0..3)).prop_map(|(null, all)| Set {
            null,
            values: Values::points(all),
        });
        proptest::collection::btree_map(column(), set, 0..3).prop_map(|boxes| Predicate {
            boxes,
            ..Predicate::default()
        })
    }

    fn scalar() -> impl Strategy<Value = Scalar> {
        prop_oneof![
            Just(Scalar::Null),
            any::<bool>().prop_map(Scalar::Bool),
            (any::<i128>(), -9..9).prop_map(|(m, e)| Scalar::Number(Number::new(m, e))),
            any::<i32>().prop_map(Scalar::Date),
            "\\PC{0,5}".prop_map(Scalar::Text),
        ]
    }

    fn aggregate() -> impl Strategy<Value = Aggregate> {
        let pair = || (column(), column());
        prop_oneof![
            Just(Aggregate::Rows),
            column().prop_map(Aggregate::Distinct),
            column().prop_map(Aggregate::Min),
            column().prop_map(Aggregate::Max),
            column().prop_map(Aggregate::Sum),
            column().prop_map(Aggregate::Mean),
            pair().prop_map(|(value, by)| Aggregate::First { value, by }),
            pair().prop_map(|(value, by)| Aggregate::Last { value, by }),
        ]
    }

    fn definition() -> impl Strategy<Value = Derived> {
        let columns = || proptest::collection::btree_set(column(), 0..4);
        let frame = ("[a-z]{1,4}", predicate(), aggregate());
        prop_oneof![
            frame.prop_map(|(rows, filter, of)| Derived::Frame {
                frame: Frame {
                    rows,
                    joined: BTreeSet::from(["j".to_owned()]),
                    filter
                },
                of
            }),
            any::<i32>().prop_map(Derived::Day),
            (column(), column()).prop_map(|(from, to)| Derived::Days { from, to }),
            (column(), column()).prop_map(|(from, to)| Derived::Years { from, to }),
            column().prop_map(|of| Derived::Year { of }),
            columns().prop_map(Derived::Least),
            columns().prop_map(Derived::Greatest),
            (column(), scalar()).prop_map(|(of, otherwise)| Derived::Coalesce { of, otherwise }),
            (vec((predicate(), scalar()), 0..3), scalar())
                .prop_map(|(arms, otherwise)| Derived::Case { arms, otherwise }),
            proptest::collection::btree_set(predicate(), 0..4).prop_map(Derived::Any),
        ]
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_read_back(derived in definition()) {
            prop_assert_eq!(decode_derived(&derived.canonical_bytes()), Ok(derived));
        }

        /// Whatever is read is the one encoding of what was read.
        #[test]
        fn a_changed_byte_is_refused_or_means_something_else(
            derived in definition(),
            at in any::<prop::sample::Index>(),
            to in any::<u8>(),
            cut in any::<prop::sample::Index>(),
        ) {
            let good = derived.canonical_bytes();
            let mut bytes = good.clone();
            let at = at.index(bytes.len());
            bytes[at] = to;
            if let Ok(found) = decode_derived(&bytes) {
                prop_assert_eq!(found.canonical_bytes(), bytes);
            }
            prop_assert!(decode_derived(&good[..cut.index(good.len())]).is_err());
            prop_assert!(decode_derived(&[good.as_slice(), &[to]].concat()).is_err());
        }

        #[test]
        fn no_bytes_break_the_reader(bytes in vec(any::<u8>(), 0..200)) {
            if let Ok(found) = decode_derived(&bytes) {
                prop_assert_eq!(found.canonical_bytes(), bytes);
            }
        }
    }
}
