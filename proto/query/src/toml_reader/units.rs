//! Quantities with units: durations and sizes.

use std::time::Duration;

use num_traits::ToPrimitive;

use crate::number::Number;

/// A number of bytes, written as `"1 GiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// `"30 s"`, `"250 ms"`, `"1.5 h"`: whole milliseconds.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let units = [
        ("ms", 1),
        ("s", 1000),
        ("min", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
    ];
    quantity(text, &units).map(Duration::from_millis)
}

/// `"512 MiB"`, `"64 kB"`: whole bytes.
pub(super) fn bytes(text: &str) -> Option<u64> {
    const KI: u64 = 1024;
    const K: u64 = 1000;
    let units = [
        ("B", 1),
        ("kB", K),
        ("MB", K * K),
        ("GB", K * K * K),
        ("TB", K * K * K * K),
        ("KiB", KI),
        ("MiB", KI * KI),
        ("GiB", KI * KI * KI),
        ("TiB", KI * KI * KI * KI),
    ];
    quantity(text, &units)
}

/// A number, optional space, a unit; the product must be a whole number of the smallest unit.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at_checked(split)?;
    let number: Number = number.trim_end().parse().ok()?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    let product = number.to_rational() * num_bigint::BigInt::from(*factor);
    product
        .is_integer()
        .then(|| product.to_integer().to_u64())?
}
