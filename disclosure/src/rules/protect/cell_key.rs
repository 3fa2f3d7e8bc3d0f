//! Mode cell_key: counts and sums perturbed by a noise that is a function of who is in the cell.
//!
//! Every person has a secret number; those of a cell, added up, are the cell's key, and the key
//! picks the noise from the perturbation table. The same persons always get the same noise,
//! however they were asked for, so asking again gives nothing new and nothing can be averaged out.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::pow;
use quorate_query::measure::facts::Facts;
use quorate_query::measure::moments::{self, CellSize, ExactMoments};
use quorate_query::measure::products;
use quorate_query::number::Number;
use quorate_query::question::Measure;
use quorate_query::release::ReleaseParams;
use ring::hmac;
use roaring::RoaringBitmap;

use super::ptable::{D, PTable};
use super::{Noise, round};
use crate::evidence::{CellEvidence, MeasureEvidence};
use crate::facets::count_vec;

/// The secret of a population from which all noise is drawn. It cannot be printed.
#[derive(Clone)]
pub struct NoiseKey(hmac::Key);

impl NoiseKey {
    /// A key from secret bytes; they stay the same as long as the population exists.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The secret number of a person: the first eight bytes of HMAC(key, family || person).
    fn of_person(&self, family: &[u8; 32], person: u32) -> u64 {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(family);
        context.update(&person.to_be_bytes());
        let tag = context.sign();
        let first = tag.as_ref().iter().take(8);
        first.fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// The key of a cell: the numbers of its persons, added up modulo 2^64.
    pub(super) fn of_cell(&self, family: &[u8; 32], people: &RoaringBitmap) -> u64 {
        let each = people.iter().map(|person| self.of_person(family, person));
        each.fold(0, u64::wrapping_add)
    }
}

/// The perturbed parts of one measure.
pub(super) fn parts(
    measure: &Measure,
    facts: &Facts,
    (cell, evidence): (&CellEvidence, &MeasureEvidence),
    params: &ReleaseParams,
    noise: Noise<'_>,
) -> Option<Vec<Number>> {
    let count = |people: &RoaringBitmap, n: u64| Some(noise.count(people, n, params)?.into());
    match evidence {
        MeasureEvidence::Count(counted) => {
            let n = match measure {
                Measure::Events { .. } => round::rows_of(counted)?,
                _ => counted.persons(),
            };
            Some(vec![count(counted.people(), n)?])
        }
        MeasureEvidence::Values(found) => {
            let each = found.values.iter();
            each.map(|value| count(&value.people, value.rows)).collect()
        }
        MeasureEvidence::Moments(found) => {
            let people = if facts.complete {
                found.totals.people()
            } else {
                &cell.people
            };
            let size = round::size(facts, cell, found, params);
            let shown = CellSize {
                persons: noise.count(people, size.persons, params)?,
                rows: noise.count(people, size.rows, params)?,
                ..size
            };
            let exact = round::exact_moments(found);
            noise.mean(facts, found.totals.people(), &exact, shown, params)
        }
        MeasureEvidence::Products(found) => {
            let (people, exact) = (found.centred.people(), round::exact_products(found));
            let persons = noise.count(people, exact.persons, params)?;
            let shown = CellSize {
                persons,
                rows: persons,
                complete: true,
            };
            let parts = noise.mean(facts, people, &exact.as_moments(), shown, params)?;
            products::two(&parts)
        }
    }
}

impl Noise<'_> {
    /// A number of these persons or of their rows, perturbed. Nobody stays nobody.
    fn count(self, people: &RoaringBitmap, n: u64, params: &ReleaseParams) -> Option<u64> {
        if n == 0 {
            return params.zeros_public.then_some(0);
        }
        let least = i64::from(params.k).checked_sub(i64::try_from(n).ok()?)?;
        let key = self.key.of_cell(&count_vec(), people);
        n.checked_add_signed(PTable::standard().at(key, least))
    }

    /// Sizes, mean and standard deviation. The sum is perturbed by at most what one person can
    /// add: noise v of -D..=D moves it by v/D of that.
    fn mean(
        self,
        facts: &Facts,
        people: &RoaringBitmap,
        exact: &ExactMoments,
        shown: CellSize,
        params: &ReleaseParams,
    ) -> Option<Vec<Number>> {
        let bounds = facts.bounds?;
        let key = self.key.of_cell(&self.sum, people);
        let v = PTable::standard().at(key, -i64::from(D));
        let (low, high) = (bounds.0.to_rational(), bounds.1.to_rational());
        let whole = |n: i64| BigRational::from_integer(n.into());
        let most = (-&low).max(high.clone()) * whole(facts.max_rows.map_or(1, i64::from));
        let scale = pow(BigInt::from(10), usize::try_from(exact.scale).ok()?);
        let sum = BigRational::new(exact.sum.into(), scale);
        let rows = BigRational::from_integer(exact.rows.into());
        let mean = (sum + most * whole(v) / whole(D.into())) / rows;
        moments::perturbed(exact, &mean.clamp(low, high), bounds, shown, params)
    }
}
