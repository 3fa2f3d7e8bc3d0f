//! Values of columns: what a literal, a parameter, a domain entry or a group key can be.

use crate::number::Number;

/// The type a codebook gives to a column. Every custodian's data is converted to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ColumnType {
    /// 64-bit whole number.
    Int,
    /// Fixed-point number with this many digits after the point (0 to 9).
    Decimal {
        /// Digits after the decimal point.
        scale: u32,
    },
    /// UTF-8 text.
    Text,
    /// Calendar day.
    Date,
    /// True or false.
    Bool,
}

/// One value. `Null` sorts first; equal numbers are equal whatever their spelling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scalar {
    /// Missing.
    Null,
    /// True or false.
    Bool(bool),
    /// Int or decimal.
    Number(Number),
    /// Days since 1970-01-01.
    Date(i32),
    /// Text.
    Text(String),
}
