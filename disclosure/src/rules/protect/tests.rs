//! Laws of perturbation: the distribution of the table, bounds, and nothing but who is in a cell.

#![expect(
    clippy::cast_precision_loss,
    reason = "statistics of a test need no last digits"
)]

use fastrand::Rng;
use num_rational::BigRational;
use proptest::prelude::*;
use quorate_query::measure::facts::Facts;
use quorate_query::number::Number;
use quorate_query::question::{Measure, Stat};
use quorate_query::release::ReleaseParams;
use roaring::RoaringBitmap;

use super::ptable::{D, PTable, VARIANCE};
use super::{Noise, NoiseKey, other_protection, parts, protection_name};
use crate::evidence::{CellEvidence, Contributions, MeasureEvidence, Moments};
use crate::history::ReleaseId;

const COUNT: Measure = Measure::Persons { of: None };

fn noise(key: &NoiseKey) -> Option<Noise<'_>> {
    Some(Noise { key, sum: [7; 32] })
}

fn cell(people: &RoaringBitmap, ages: &[i128]) -> CellEvidence {
    let pairs: Vec<(u32, i128)> = people.iter().zip(ages.iter().copied()).collect();
    let squares = pairs.iter().map(|(_, age)| age * age).sum();
    let totals = Contributions::of(pairs).unwrap();
    CellEvidence {
        each: None,
        people: people.clone().into(),
        rows: people.len(),
        measures: vec![
            MeasureEvidence::Count(Contributions::ones(people.clone())),
            MeasureEvidence::Moments(Moments {
                each: None,
                rows: totals.persons(),
                squares,
                totals,
                scale: 0,
            }),
        ],
    }
}

/// The perturbed count of some persons.
pub(in crate::rules) fn count(key: &NoiseKey, people: &RoaringBitmap, k: u32) -> i128 {
    let params = ReleaseParams {
        k,
        ..ReleaseParams::default()
    };
    let cell = cell(people, &[]);
    let evidence = &cell.measures[0];
    let shown = parts(
        &COUNT,
        &Facts::default(),
        &cell,
        evidence,
        &params,
        noise(key),
    );
    shown.unwrap()[0].at_scale(0).unwrap()
}

/// How often a noise occurs, in a million, rounded down.
pub(in crate::rules) fn per_million(noise: i64) -> i128 {
    let PTable(table) = PTable::standard();
    let (_, weight) = table.iter().find(|(v, _)| *v == noise).unwrap();
    i128::try_from((weight * 1_000_000) >> 64).unwrap()
}

fn some(rng: &mut Rng, n: usize) -> RoaringBitmap {
    let mut people = RoaringBitmap::new();
    while people.len() < u64::try_from(n).unwrap() {
        people.insert(rng.u32(0..1_000_000));
    }
    people
}

#[test]
fn the_table_has_the_moments_it_is_made_for() {
    let PTable(table) = PTable::standard();
    assert_eq!(table.len(), 11);
    assert_eq!(table.iter().map(|(_, w)| w).sum::<u128>(), 1 << 64);
    let weighted = |of: &dyn Fn(i128) -> i128| -> i128 {
        let each = table
            .iter()
            .map(|(v, w)| of(i128::from(*v)) * i128::try_from(*w).unwrap());
        each.sum()
    };
    assert_eq!(weighted(&|v| v), 0);
    let off = weighted(&|v| v * v) - (i128::from(VARIANCE) << 64);
    assert!(off.abs() < 1 << 24, "variance off by {off} / 2^64");
    let falls = |side: &[(i64, u128)]| side.windows(2).all(|pair| pair[0].1 > pair[1].1);
    assert!(falls(&table[5..]), "likelier the smaller it is");
}

/// Moving probability in any way that keeps sum, mean and variance lowers the entropy.
#[test]
fn no_distribution_with_these_moments_has_more_entropy() {
    let PTable(table) = PTable::standard();
    let p: Vec<f64> = table
        .iter()
        .map(|(_, w)| *w as f64 / 2_f64.powi(64))
        .collect();
    let entropy = |p: &[f64]| -p.iter().map(|p| p * p.ln()).sum::<f64>();
    for at in 0..p.len() - 3 {
        // third differences are orthogonal to 1, v and v^2
        for sign in [1.0, -1.0] {
            let mut moved = p.clone();
            for (step, by) in [1.0, -3.0, 3.0, -1.0].iter().enumerate() {
                moved[at + step] += sign * by * 1e-4;
            }
            assert!(entropy(&moved) < entropy(&p), "{at} {sign}");
        }
    }
}

/// The example of the Handbook on Statistical Disclosure Control, chapter 5.4: three record keys
/// 0.9, 0.3 and 0.6 have the cell key 0.8, which in the last rows of its table means +1.
#[test]
fn the_handbooks_example_is_looked_up_as_it_says() {
    let share = |tenths: u128| u64::try_from(tenths * (1 << 64) / 10).unwrap();
    let table = PTable(
        vec![(-1, 3), (0, 4), (1, 3)]
            .into_iter()
            .map(|(v, w)| (v, w * (1 << 64) / 10))
            .collect(),
    );
    let key = [9, 3, 6].map(share).into_iter().fold(0, u64::wrapping_add);
    assert_eq!(
        key.abs_diff(share(8)).min(9),
        key.abs_diff(share(8)),
        "0.8, but for rounding"
    );
    assert_eq!(table.at(key, -1), 1);
    assert_eq!(
        [0, 2, 4, 6, 9].map(|t| table.at(share(t), -1)),
        [-1, -1, 0, 0, 1]
    );
}

/// RFC 4231, test case 2, cut to eight bytes: how a person's number is drawn.
#[test]
fn a_persons_number_is_the_head_of_an_hmac() {
    let tag = ring::hmac::sign(
        &ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"Jefe"),
        b"what do ya want for nothing?",
    );
    assert_eq!(hex::encode(&tag.as_ref()[..8]), "5bdcc146bf60754e");
    let secret = [3_u8; 32];
    let person = 258_u32;
    let whole = ring::hmac::sign(
        &ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &secret),
        &[&[9_u8; 32][..], &[0, 0, 1, 2]].concat(),
    );
    let first: [u8; 8] = whole.as_ref()[..8].try_into().unwrap();
    let alone = RoaringBitmap::from_iter([person]);
    assert_eq!(
        NoiseKey::new(&secret).of_cell(&[9; 32], &alone),
        u64::from_be_bytes(first)
    );
}

/// Chi-square of the noise of many sets of persons against the table, with fixed seeds.
#[test]
fn noise_follows_the_table() {
    const SETS: u32 = 5_000;
    let key = NoiseKey::new(b"a secret of this test");
    let k = 8;
    for (n, seed) in [(8, 1), (9, 2), (11, 3), (13, 4), (20, 5)] {
        let mut rng = Rng::with_seed(seed);
        let mut seen = [0_u32; 11];
        for _ in 0..SETS {
            let v = count(&key, &some(&mut rng, n), k) - i128::try_from(n).unwrap();
            seen[usize::try_from(v + 5).unwrap()] += 1;
        }
        let least = i64::from(k) - i64::try_from(n).unwrap();
        let PTable(table) = PTable::standard();
        let allowed: f64 = table
            .iter()
            .filter(|(v, _)| *v >= least)
            .map(|(_, w)| *w as f64)
            .sum();
        let mut chi = 0.0;
        let (mut sum, mut squares) = (0.0, 0.0);
        for ((v, weight), seen) in table.iter().zip(seen) {
            sum += *v as f64 * f64::from(seen);
            squares += (*v * *v) as f64 * f64::from(seen);
            if *v < least {
                assert_eq!(seen, 0, "n {n}: {v} would show less than k");
                continue;
            }
            let expected = f64::from(SETS) * *weight as f64 / allowed;
            chi += (f64::from(seen) - expected).powi(2) / expected;
        }
        // one in a thousand is above 29.6 with ten degrees of freedom
        assert!(chi < 29.6, "n {n}: chi-square {chi}");
        if n >= 13 {
            let (mean, variance) = (sum / f64::from(SETS), squares / f64::from(SETS));
            assert!(
                mean.abs() < 4.0 * (3.0 / f64::from(SETS)).sqrt(),
                "mean {mean}"
            );
            assert!((variance - 3.0).abs() < 0.25, "variance {variance}");
        }
    }
}

#[test]
fn a_mean_is_off_by_at_most_one_persons_contribution() {
    let facts = Facts {
        bounds: Some((Number::new(0, 0), Number::new(120, 0))),
        complete: true,
        ..Facts::default()
    };
    let column = quorate_query::codebook::ColumnRef {
        table: "person".to_owned(),
        column: "age".to_owned(),
    };
    let measure = Measure::Moments { column };
    let params = ReleaseParams::default();
    let key = NoiseKey::new(b"another secret");
    let mut rng = Rng::with_seed(11);
    let mut moved = 0;
    for _ in 0..300 {
        let people = some(&mut rng, 50);
        let ages: Vec<i128> = (0..50).map(|_| rng.i128(20..100)).collect();
        let cell = cell(&people, &ages);
        let shown =
            |noise| parts(&measure, &facts, &cell, &cell.measures[1], &params, noise).unwrap();
        let (exact, noisy) = (shown(None), shown(noise(&key)));
        assert_eq!(shown(noise(&key)), noisy, "the same again");
        // thousandths; half a grid on either side, and 120 years shared by 50 persons
        let off = (exact[2].at_scale(3).unwrap() - noisy[2].at_scale(3).unwrap()).abs();
        assert!(off <= 2_400 + 500, "{off}");
        moved += u32::from(off > 500);
        assert!((noisy[0].at_scale(0).unwrap() - 50).abs() <= i128::from(D));
    }
    assert!(moved > 100, "the sum is perturbed: {moved} of 300");
}

/// A mean over the rows of persons who have so many each.
fn over_events(rows: &[i128]) -> (CellEvidence, u64) {
    let each = Contributions::of((0_u32..).zip(rows.iter().copied()).collect()).unwrap();
    let counted = u64::try_from(each.sum()).unwrap();
    let moments = Moments {
        totals: Contributions::of((0_u32..).zip(rows.iter().map(|n| n * 50)).collect()).unwrap(),
        rows: counted,
        squares: rows.iter().map(|n| n * 2500).sum(),
        each: Some(each.clone()),
        scale: 0,
    };
    let cell = CellEvidence {
        people: each.people().clone(),
        rows: counted,
        each: Some(each),
        measures: vec![MeasureEvidence::Moments(moments)],
    };
    (cell, counted)
}

#[test]
fn the_rows_of_a_mean_are_told_if_enough_have_several() {
    let column = quorate_query::codebook::ColumnRef {
        table: "visit".to_owned(),
        column: "cost".to_owned(),
    };
    let measure = Measure::Moments { column };
    for complete in [true, false] {
        let facts = Facts {
            bounds: Some((Number::new(0, 0), Number::new(120, 0))),
            complete,
            max_rows: Some(9),
            ..Facts::default()
        };
        for (several, told) in [(0, false), (1, false), (7, false), (8, true), (30, true)] {
            let rows: Vec<i128> = (0..40).map(|at| if at < several { 9 } else { 1 }).collect();
            let (cell, counted) = over_events(&rows);
            for base in [1, 5] {
                let params = ReleaseParams {
                    round_base: base,
                    ..ReleaseParams::default()
                };
                let shown = parts(&measure, &facts, &cell, &cell.measures[0], &params, None);
                let shown = shown.unwrap();
                let protection = quorate_query::answer::Protection {
                    mode: quorate_query::answer::Mode::Round,
                    k: params.k,
                    round_base: base,
                };
                assert_eq!(shown[1] != shown[0], told, "{several} of 40: {shown:?}");
                let site = quorate_query::measure::SiteParts {
                    parts: &shown,
                    protection,
                    near: false,
                };
                let rows = quorate_query::measure::estimate(&measure, &facts, Stat::Count, &[site]);
                let (rows, truth) = (rows.unwrap(), BigRational::from_integer(counted.into()));
                assert!(rows.low <= truth && truth <= rows.high, "{several}");
            }
        }
    }
}

#[test]
fn one_protection_an_epoch() {
    let params = ReleaseParams::default();
    let (round, perturbed) = (
        protection_name(&params, false),
        protection_name(&params, true),
    );
    let id = |epoch: &str| ReleaseId {
        predicate: [0; 32],
        vec: [0; 32],
        epoch: epoch.to_owned(),
        protection: round.clone(),
    };
    let earlier = [id("1"), id("2")];
    assert_eq!(other_protection(&earlier, "2", &round), None);
    assert_eq!(
        other_protection(&earlier, "2", &perturbed),
        Some(round.as_str())
    );
    assert_eq!(other_protection(&earlier, "3", &perturbed), None);
    assert_eq!(
        other_protection(&earlier, "2", "round k=10 base=5"),
        None,
        "stricter, but of the same kind"
    );
}

proptest! {
    /// Equal sets have equal noise whoever asks, other keys other noise; no output lies between 1
    /// and k - 1, and none is further off than D.
    #[test]
    fn noise_is_a_function_of_who_is_in_the_cell(
        people in prop::collection::btree_set(0_u32..5_000, 8..60),
        k in 1_u32..9,
        secret in any::<[u8; 32]>(),
    ) {
        let key = NoiseKey::new(&secret);
        let forward: RoaringBitmap = people.iter().copied().collect();
        let backward: RoaringBitmap = people.iter().rev().copied().collect();
        let n = i128::try_from(people.len()).unwrap();
        let shown = count(&key, &forward, k);
        prop_assert_eq!(shown, count(&key, &backward, k));
        prop_assert!((shown - n).abs() <= i128::from(D));
        prop_assert!(shown >= i128::from(k));
        let other = NoiseKey::new(&[secret.as_slice(), b"x"].concat());
        prop_assert_ne!(key.of_cell(&[1; 32], &forward), other.of_cell(&[1; 32], &forward));
        prop_assert_ne!(key.of_cell(&[1; 32], &forward), key.of_cell(&[2; 32], &forward));
    }
}
