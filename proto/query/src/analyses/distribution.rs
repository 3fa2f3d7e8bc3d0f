//! Tail probabilities and critical values. Incomplete gamma and beta functions come from a crate;
//! here is only what statistics makes of them.

use statrs::function::{beta::checked_beta_reg, gamma::checked_gamma_ur};

/// `P(|Z| > |z|)` of a standard normal.
pub(super) fn normal_two_sided(z: f64) -> f64 {
    libm::erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// `P(|T| > |t|)` of Student's t; 1 without degrees of freedom, when nothing is known.
pub(super) fn student_two_sided(t: f64, df: f64) -> f64 {
    if df.is_nan() || t.is_nan() {
        return f64::NAN;
    }
    if df <= 0.0 {
        return 1.0;
    }
    if t.is_infinite() {
        return 0.0;
    }
    incomplete_beta(df / 2.0, 0.5, df / (df + t * t))
}

/// `P(X > x)` of chi-squared.
pub(super) fn chi_squared_upper(x: f64, df: f64) -> f64 {
    if x.is_nan() || df <= 0.0 {
        return f64::NAN;
    }
    if x <= 0.0 {
        return 1.0;
    }
    if x.is_infinite() {
        return 0.0;
    }
    checked_gamma_ur(df / 2.0, x / 2.0).unwrap_or(f64::NAN)
}

/// `P(F > f)` of Fisher's F.
pub(super) fn fisher_upper(f: f64, between: f64, within: f64) -> f64 {
    if f.is_nan() || between <= 0.0 {
        return f64::NAN;
    }
    if within <= 0.0 || f <= 0.0 {
        return 1.0;
    }
    if f.is_infinite() {
        return 0.0;
    }
    incomplete_beta(within / 2.0, between / 2.0, within / (within + between * f))
}

/// The `z` with `P(|Z| > z) = 1 - level`.
pub(super) fn normal_critical(level: f64) -> f64 {
    critical(1.0 - level, normal_two_sided)
}

/// The `t` with `P(|T| > t) = 1 - level`; infinite without degrees of freedom.
pub(super) fn student_critical(level: f64, df: f64) -> f64 {
    if df <= 0.0 {
        return f64::INFINITY;
    }
    critical(1.0 - level, |t| student_two_sided(t, df))
}

/// Limits of the mean of a count of Poisson that came to `x` (Garwood, Biometrika 28, 1936).
pub(super) fn poisson_interval(x: f64, level: f64) -> (f64, f64) {
    let tail = (1.0 - level) / 2.0;
    let half = |df: f64, tail: f64| critical(tail, |q| chi_squared_upper(q, df)) / 2.0;
    let low = if x > 0.0 {
        half(2.0 * x, 1.0 - tail)
    } else {
        0.0
    };
    (low, half(2.0 * x + 2.0, tail))
}

/// Limits of the ratio of the means of two counts of Poisson that came to `x` and `y`: those of Clopper
/// and Pearson for the share of `x` among both.
pub(super) fn ratio_interval(x: f64, y: f64, level: f64) -> (f64, f64) {
    let tail = (1.0 - level) / 2.0;
    // P(B <= p) of a beta distribution at the odds p / (1 - p).
    let above = |odds: f64, a: f64, b: f64| incomplete_beta(b, a, 1.0 / (1.0 + odds));
    let low = if x > 0.0 {
        critical(1.0 - tail, |odds| above(odds, x, y + 1.0))
    } else {
        0.0
    };
    let high = if y > 0.0 {
        critical(tail, |odds| above(odds, x + 1.0, y))
    } else {
        f64::INFINITY
    };
    (low, high)
}

/// Where a probability that falls from 1 at zero reaches `tail`: doubled until it lies between, then by
/// false position in the form of Dowell and Jarratt (Illinois), which never loses the bracket.
pub(super) fn critical(tail: f64, upper: impl Fn(f64) -> f64) -> f64 {
    let over = |x: f64| upper(x) - tail;
    let (mut low, mut above) = (0.0, 1.0 - tail);
    let mut high = 1.0;
    let mut below = over(high);
    while below > 0.0 {
        (low, above) = (high, below);
        high *= 2.0;
        if high > 1e12 {
            return f64::INFINITY;
        }
        below = over(high);
    }
    let mut last = f64::NAN;
    for _ in 0..200 {
        let next = high - below * (high - low) / (below - above);
        let found = over(next);
        if found == 0.0 || (next - last).abs() <= 1e-15 * next || high - low <= 1e-15 * high {
            return next;
        }
        if found > 0.0 {
            (low, above) = (next, found);
            below /= if last < next { 2.0 } else { 1.0 };
        } else {
            (high, below) = (next, found);
            above /= if last > next { 2.0 } else { 1.0 };
        }
        last = next;
    }
    f64::midpoint(low, high)
}

fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    checked_beta_reg(a, b, x.clamp(0.0, 1.0)).unwrap_or(f64::NAN)
}
