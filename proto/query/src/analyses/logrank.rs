//! The log-rank test: do groups lose their persons to the event at the same pace? Observed less
//! expected events by interval, summed over strata (Mantel, Cancer Chemotherapy Reports 50, 1966;
//! Peto and Peto, Journal of the Royal Statistical Society A 135, 1972).
//!
//! What it must not know: what the strata are.

use super::distribution::{chi_squared_upper, normal_critical};
use super::follow_up::{Ends, total};
use super::laplacian::Laplacian;
use super::range::Range;
use super::report::Grid;

/// Two groups: observed less expected events of the second, and its variance.
struct Score {
    apart: Range,
    variance: Range,
}

/// Tests of one table of groups and of strata that are kept apart, by name.
pub(super) fn tables(kinds: &[(&str, Vec<Vec<Ends>>)], level: f64) -> Vec<Grid> {
    let mut tests = Grid::new("logrank", &["statistic", "df", "p"]);
    let mut ratios = Grid::new("hazard_ratio", &["estimate", "from", "to"]);
    for (name, strata) in kinds {
        let groups = strata.first().map_or(0, Vec::len);
        let df = f64::from(u32::try_from(groups.saturating_sub(1)).unwrap_or(u32::MAX));
        let statistic = if groups == 2 {
            let score = Score::of(strata);
            ratios.line(*name, &score.ratio(level));
            score.apart.times(score.apart).over(score.variance)
        } else {
            several(strata)
        };
        let statistic = statistic.map(|x| x.max(0.0));
        let p = statistic.probability(|x| chi_squared_upper(x, df));
        tests.line(*name, &[statistic, Range::point(df), p]);
    }
    let mut tables = vec![tests];
    tables.extend((!ratios.rows.is_empty()).then_some(ratios));
    tables
}

/// `a / (a + b)`, which grows with `a` and falls with `b`; neither is negative.
fn share(a: Range, b: Range) -> Range {
    let of = |a: f64, b: f64| if a > 0.0 { a / (a + b) } else { 0.0 };
    if a.is_exact() && b.is_exact() {
        return Range::point(of(a.value, b.value));
    }
    let value = of(a.value, b.value);
    Range::wide(value, of(a.low, b.high), of(a.high, b.low), 1e-15)
}

/// Whether it is certain that there are none: an interval without events says nothing.
fn is_none(events: &Range) -> bool {
    events.is_exact() && events.value == 0.0
}

impl Score {
    fn of(strata: &[Vec<Ends>]) -> Self {
        let zero = Range::point(0.0);
        let mut score = Self {
            apart: zero,
            variance: zero,
        };
        for stratum in strata {
            if let [first, second] = stratum.as_slice() {
                score.add(first, second);
            }
        }
        score
    }

    fn add(&mut self, first: &Ends, second: &Ends) {
        let risks = first.at_risk().into_iter().zip(second.at_risk());
        for (at, (m, n)) in risks.enumerate() {
            let (Some(d), Some(e)) = (first.events.get(at), second.events.get(at)) else {
                continue;
            };
            let all = m.plus(n);
            if all.value <= 1.0 || (is_none(d) && is_none(e)) {
                continue;
            }
            let (ours, theirs) = (share(n, m), share(m, n));
            // Observed less expected is e - (d + e) n / (m + n) = e m / (m + n) - d n / (m + n).
            let apart = e.times(theirs).minus(d.times(ours));
            let events = d.plus(*e);
            let without = first.without(at).plus(second.without(at));
            let spread = events
                .times(ours)
                .times(theirs)
                .times(without)
                .over(all.minus(Range::point(1.0)));
            self.apart = self.apart.plus(apart);
            self.variance = self.variance.plus(spread);
        }
    }

    /// Hazard of the second group over that of the first, in Peto's one step.
    fn ratio(&self, level: f64) -> [Range; 3] {
        let middle = self.apart.over(self.variance);
        let reach = Range::point(normal_critical(level)).over(self.variance.sqrt());
        let end = |x: Range| x.exp();
        [
            end(middle),
            end(middle.minus(reach)),
            end(middle.plus(reach)),
        ]
    }
}

/// Three groups or more: `x' V^-1 x` with observed less expected events `x` of all groups but the last.
/// `V` is the Laplacian of a graph of groups in which an edge weighs `Σ d (n - d) n_i n_j/(n² (n - 1))`.
fn several(strata: &[Vec<Ends>]) -> Range {
    let groups = strata.first().map_or(0, Vec::len);
    let mut apart = vec![Range::point(0.0); groups.saturating_sub(1)];
    let mut spread = Laplacian::new(groups);
    for stratum in strata {
        add(stratum, &mut apart, &mut spread);
    }
    spread.quadratic(&apart)
}

fn add(stratum: &[Ends], apart: &mut [Range], spread: &mut Laplacian) {
    let risks: Vec<Vec<Range>> = stratum.iter().map(Ends::at_risk).collect();
    let intervals = stratum.first().map_or(0, Ends::len);
    let zero = Range::point(0.0);
    for at in 0..intervals {
        let here = |ranges: &[Range]| ranges.get(at).copied().unwrap_or(zero);
        let n: Vec<Range> = risks.iter().map(|risk| here(risk)).collect();
        let d: Vec<Range> = stratum.iter().map(|ends| here(&ends.events)).collect();
        let all = total(&n);
        if all.value <= 1.0 || d.iter().all(is_none) {
            continue;
        }
        let but = |of: &[Range], group: usize| {
            let others = of.iter().enumerate().filter(|(other, _)| *other != group);
            total(others.map(|(_, range)| range))
        };
        let shares = n.iter().enumerate();
        let shares: Vec<Range> = shares
            .map(|(group, of)| share(*of, but(&n, group)))
            .collect();
        for (group, (sum, events)) in apart.iter_mut().zip(&d).enumerate() {
            // d_i - d n_i/n = d_i (n - n_i)/n - (d - d_i) n_i/n.
            let own = shares.get(group).copied().unwrap_or(zero);
            let others = share(but(&n, group), here_of(&n, group));
            *sum = sum
                .plus(events.times(others))
                .minus(but(&d, group).times(own));
        }
        let without: Vec<Range> = stratum.iter().map(|ends| ends.without(at)).collect();
        let pace = total(&d)
            .times(total(&without))
            .over(all.minus(Range::point(1.0)));
        spread.add(|one, other| {
            let [one, other] = [one, other].map(|group| here_of(&shares, group));
            pace.times(one).times(other)
        });
    }
}

fn here_of(of: &[Range], at: usize) -> Range {
    of.get(at).copied().unwrap_or(Range::point(0.0))
}
