//! Proof, before anything runs, that no sum of a question can leave its number type.

use super::layout::{Layout, Part};

/// No population of a node has more persons, and no table more rows, than this.
pub const MAX_PERSONS: u64 = 1 << 32;

/// Sums in the engine have 38 decimal digits.
const LIMIT: i128 = 10_i128.pow(38);

/// A column's bounds are too wide for exact sums.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "measure {measure}: sums within its bounds may exceed 38 digits; the codebook must narrow its bounds or scale"
)]
pub struct TooWide {
    /// Index of the measure.
    pub measure: usize,
}

/// Proves that every sum, and every sum of squares, of at most [`MAX_PERSONS`] persons with
/// `max_rows` rows each stays below 10^38, and every value and every person's total within 64 bits.
pub fn fits(layout: &Layout) -> Result<(), TooWide> {
    for (measure, part) in layout.parts.iter().enumerate() {
        let fits = match part {
            Part::Moments { low, high, .. } => bounded(*low, *high, layout.max_rows.unwrap_or(1)),
            Part::Values { domain, .. } => domain.iter().all(|v| i64::try_from(*v).is_ok()),
            Part::Products { most, .. } => layout.max_rows.is_none() && product_fits(*most),
            Part::All { .. } | Part::Present { .. } => true,
        };
        if !fits {
            return Err(TooWide { measure });
        }
    }
    Ok(())
}

/// Products about any numbers within the bounds are at most four times the product of the sizes.
fn product_fits([left, right]: [i128; 2]) -> bool {
    let small = [left, right]
        .iter()
        .all(|most| i64::try_from(*most).is_ok());
    let product = left.checked_mul(right).and_then(|most| most.checked_mul(4));
    let total = product.and_then(|most| most.checked_mul(i128::from(MAX_PERSONS)));
    small && total.is_some_and(|total| total < LIMIT)
}

fn bounded(low: i128, high: i128, max_rows: u64) -> bool {
    let greatest = low
        .checked_abs()
        .zip(high.checked_abs())
        .map(|(l, h)| l.max(h).max(1));
    let total = greatest.and_then(|g| g.checked_mul(i128::from(max_rows.max(1))));
    let small = total.is_some_and(|total| i64::try_from(total).is_ok());
    small
        && greatest
            .and_then(|g| g.checked_mul(g))
            .and_then(|g| g.checked_mul(i128::from(max_rows.max(1))))
            .and_then(|g| g.checked_mul(i128::from(MAX_PERSONS)))
            .is_some_and(|total| total < LIMIT)
}

#[cfg(test)]
mod tests {
    use super::super::layout::Counted;
    use super::*;

    fn layout(low: i128, high: i128, max_rows: Option<u64>) -> Layout {
        Layout {
            keys: 0,
            max_rows,
            parts: vec![
                Part::All { of: Counted::Rows },
                Part::Moments {
                    at: 0,
                    scale: 2,
                    low,
                    high,
                },
            ],
        }
    }

    #[test]
    fn products_fit_as_squares_do() {
        let layout = |most: [i128; 2], max_rows| Layout {
            keys: 0,
            max_rows,
            parts: vec![Part::Products {
                at: [1, 2],
                centres: [0, 0],
                most,
                scale: 0,
            }],
        };
        assert_eq!(fits(&layout([120, 30_000], None)), Ok(()));
        assert_eq!(fits(&layout([10_i128.pow(13); 2], None)), Ok(()));
        let wide = layout([10_i128.pow(14); 2], None);
        assert_eq!(fits(&wide), Err(TooWide { measure: 0 }));
        let events = layout([1, 1], Some(5));
        assert_eq!(fits(&events), Err(TooWide { measure: 0 }));
    }

    #[test]
    fn ordinary_bounds_fit_and_absurd_ones_do_not() {
        assert_eq!(fits(&layout(4_000, 30_000, Some(500))), Ok(()));
        assert_eq!(
            fits(&layout(0, 10_i128.pow(15), None)),
            Err(TooWide { measure: 1 })
        );
        assert_eq!(
            fits(&layout(i128::MIN, 0, None)),
            Err(TooWide { measure: 1 })
        );
        assert_eq!(fits(&layout(0, 10_i128.pow(13), None)), Ok(()));
        assert_eq!(
            fits(&layout(0, 10_i128.pow(13), Some(1_000_000))),
            Err(TooWide { measure: 1 })
        );
    }
}
