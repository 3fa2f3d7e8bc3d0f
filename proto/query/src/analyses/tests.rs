//! Tail probabilities against independent software, limits against brute force.

use num_rational::BigRational;

use super::Entry;
use super::distribution::{
    chi_squared_upper, fisher_upper, normal_critical, normal_two_sided, student_critical,
    student_two_sided,
};
use super::range::Range;
use super::tukey::{studentized_range_critical, studentized_range_upper};
use crate::combine::Interval;

#[test]
fn tails_are_those_of_independent_software() {
    let text = include_str!("../../tests/reference/analyses.json");
    let reference: serde_json::Value = serde_json::from_str(text).unwrap();
    let tails = reference["tails"].as_array().unwrap();
    assert!(tails.len() > 150);
    for tail in tails {
        let at: Vec<f64> = tail[1]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|x| x.as_f64())
            .collect();
        let theirs = tail[2].as_f64().unwrap();
        let (ours, absolute) = match tail[0].as_str().unwrap() {
            "student" => (student_two_sided(at[0], at[1]), 0.0),
            "chi_squared" => (chi_squared_upper(at[0], at[1]), 0.0),
            "fisher" => (fisher_upper(at[0], at[1], at[2]), 0.0),
            "range" => (studentized_range_upper(at[0], at[1], at[2]), 1e-9),
            other => panic!("{other}"),
        };
        let apart = (ours - theirs).abs();
        assert!(apart <= 1e-10 * theirs + absolute, "{tail}: {ours}");
    }
}

#[test]
fn critical_values_are_those_of_the_tables() {
    for (found, table) in [
        (normal_critical(0.95), 1.959_963_984_540_054),
        (normal_critical(0.99), 2.575_829_303_548_901),
        (student_critical(0.95, 10.0), 2.228_138_851_986_274),
        (student_critical(0.9, 1.0), 6.313_751_514_675_04),
    ] {
        assert!((found - table).abs() < 1e-9, "{found} {table}");
    }
    // Tukey's table: three groups, ten degrees of freedom, 5 %.
    let range = studentized_range_critical(0.95, 3.0, 10.0);
    assert!((range - 3.877).abs() < 1e-3, "{range}");
    assert_eq!(student_critical(0.95, 0.0), f64::INFINITY);
}

#[test]
fn limits_of_a_quotient_hold_every_quotient() {
    let wide = |low: f64, high: f64| Range {
        value: f64::midpoint(low, high),
        low,
        high,
    };
    let steps = |range: Range| {
        (0..=10).map(move |i| range.low + (range.high - range.low) * f64::from(i) / 10.0)
    };
    let cases = [
        (-2.0, 3.0, 1.0, 4.0),
        (0.0, 5.0, 0.0, 2.0),
        (1.0, 2.0, -3.0, -1.0),
    ];
    for (a, b, c, d) in cases {
        let (x, y) = (wide(a, b), wide(c, d));
        let (product, quotient, sum) = (x.times(y), x.over(y), x.minus(y));
        for p in steps(x) {
            for q in steps(y) {
                assert!(product.low <= p * q && p * q <= product.high);
                assert!(sum.low <= p - q && p - q <= sum.high);
                if q != 0.0 {
                    assert!(quotient.low <= p / q && p / q <= quotient.high);
                }
            }
        }
    }
    let unknown = wide(1.0, 2.0).over(wide(-1.0, 1.0));
    assert!(unknown.low.is_infinite() && unknown.high.is_infinite());
}

#[test]
fn a_point_stays_a_point() {
    let x = Range::point(0.1)
        .plus(Range::point(0.2))
        .sqrt()
        .over(Range::point(3.0));
    assert!(x.is_exact());
    assert!(x.abs().probability(normal_two_sided).is_exact());
}

#[test]
fn numbers_are_written_as_far_as_their_limits_support() {
    let written = |range: Range| {
        let Entry {
            value,
            lower,
            upper,
        } = Entry::of(range);
        [value, lower, upper].map(|part| part.unwrap_or_else(|| "-".to_owned()))
    };
    let within = |value: f64, low: f64, high: f64| written(Range { value, low, high });
    let whole = |n: i64| BigRational::from_integer(n.into());
    let count = Interval::new(whole(140), whole(136), whole(144));
    assert_eq!(written(Range::of(&count)), ["140", "136", "144"]);
    assert_eq!(written(Range::point(0.1)), ["0.1", "0.1", "0.1"]);
    assert_eq!(within(48.93, 31.25, 66.75), ["48.9", "31.2", "66.8"]);
    assert_eq!(
        within(152.416, 152.061, 152.751),
        ["152.4", "152.06", "152.76"]
    );
    assert_eq!(
        within(2.636e-12, 1.0e-17, 1.913e-8),
        ["2.64e-12", "1e-17", "1.92e-8"]
    );
    assert_eq!(within(0.0, 0.0, 1e-300), ["0", "0", "1e-100"]);
    assert_eq!(within(-0.5, -2.0, f64::INFINITY), ["-0.5", "-2", "-"]);
    assert_eq!(written(Range::NONE), ["-", "-", "-"]);
}
