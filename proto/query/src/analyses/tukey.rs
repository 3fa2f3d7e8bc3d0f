//! The studentized range: how far apart the largest and smallest of `k` means may be by chance.
//!
//! `P(Q > q)` is the integral over the distribution of the standard deviation `s` of
//! `1 - k ∫ φ(z) (Φ(z) - Φ(z - q s))^(k-1) dz`, the form given by Copenhaver and Holland,
//! Journal of Statistical Computation and Simulation 30 (1988) 1-15. Both integrals are
//! Gauss-Legendre sums over pieces; the error is below 1e-10.

use super::distribution::critical;

/// Points of a piece.
const POINTS: u32 = 12;
/// Pieces of the integral over the deviation, and of that over the largest number.
const PIECES: (u32, u32) = (10, 8);
/// Where the normal density counts as zero.
const TAIL: f64 = 8.5;

/// `P(Q > q)` for `k` means and `df` degrees of freedom of the common deviation.
pub(super) fn studentized_range_upper(q: f64, k: f64, df: f64) -> f64 {
    if q.is_nan() || df.is_nan() {
        return f64::NAN;
    }
    if q <= 0.0 || df <= 0.0 {
        return 1.0;
    }
    let rule = legendre(POINTS);
    let spread = 1.0 / (2.0 * df).sqrt();
    let (from, to) = ((1.0 - 10.0 * spread).max(0.0), 1.0 + 12.0 * spread);
    // The density of s, by its logarithm: df^(df/2) s^(df-1) e^(-df s²/2) / (Γ(df/2) 2^(df/2-1)).
    let half = df / 2.0;
    let constant = half * libm::log(half) - libm::lgamma(half) + std::f64::consts::LN_2;
    let density = |s: f64| libm::exp(constant + (df - 1.0) * libm::log(s) - half * s * s);
    let outer = |s: f64| density(s) * (1.0 - range_below(q * s, k, &rule));
    integral(from, to, PIECES.0, &rule, outer).clamp(0.0, 1.0)
}

/// The `q` with `P(Q > q) = 1 - level`.
pub(super) fn studentized_range_critical(level: f64, k: f64, df: f64) -> f64 {
    critical(1.0 - level, |q| studentized_range_upper(q, k, df))
}

/// `P(range of k standard normals <= w)`.
fn range_below(w: f64, k: f64, rule: &[(f64, f64)]) -> f64 {
    let inner = |z: f64| {
        let inside = (below(z) - below(z - w)).max(0.0);
        libm::exp(-z * z / 2.0) * libm::pow(inside, k - 1.0)
    };
    let scale = k / (2.0 * std::f64::consts::PI).sqrt();
    // The largest of k lies in the normal's tails or not more than w above the smallest.
    scale * integral(-TAIL, TAIL, PIECES.1, rule, inner)
}

/// `Φ(z)`.
fn below(z: f64) -> f64 {
    libm::erfc(-z / std::f64::consts::SQRT_2) / 2.0
}

fn integral(
    from: f64,
    to: f64,
    pieces: u32,
    rule: &[(f64, f64)],
    function: impl Fn(f64) -> f64,
) -> f64 {
    let width = (to - from) / f64::from(pieces);
    let piece = |index: u32| {
        let middle = from + width * (f64::from(index) + 0.5);
        let points = rule.iter();
        points
            .map(|(x, weight)| weight * function(middle + x * width / 2.0))
            .sum::<f64>()
            * width
            / 2.0
    };
    (0..pieces).map(piece).sum()
}

/// Points and weights of the Gauss-Legendre rule on [-1, 1], by Newton's method on the Legendre
/// polynomial.
fn legendre(points: u32) -> Vec<(f64, f64)> {
    let n = f64::from(points);
    let point = |index: u32| {
        let mut x = (std::f64::consts::PI * (f64::from(index) + 0.75) / (n + 0.5)).cos();
        let mut slope = 1.0;
        for _ in 0..50 {
            let (mut before, mut now) = (1.0, x);
            for degree in 2..=points {
                let degree = f64::from(degree);
                let next = ((2.0 * degree - 1.0) * x * now - (degree - 1.0) * before) / degree;
                (before, now) = (now, next);
            }
            slope = n * (x * now - before) / (x * x - 1.0);
            x -= now / slope;
        }
        (x, 2.0 / ((1.0 - x * x) * slope * slope))
    };
    (0..points).map(point).collect()
}
