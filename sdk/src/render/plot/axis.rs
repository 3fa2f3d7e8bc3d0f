//! Scales and ticks: from values to places on the paper, and round numbers to write beside them.

use super::svg::number;

/// A scale from values to places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
    log: bool,
}

impl Scale {
    /// Equal steps are equally long.
    pub(super) fn linear((from, to): (f64, f64), (start, end): (f64, f64)) -> Self {
        let to = if to > from { to } else { from + 1.0 };
        Self {
            from,
            to,
            start,
            end,
            log: false,
        }
    }

    /// Equal ratios are equally long; values are above zero.
    pub(super) fn log((from, to): (f64, f64), (start, end): (f64, f64)) -> Self {
        let to = if to > from { to } else { from * 2.0 };
        Self {
            from,
            to,
            start,
            end,
            log: true,
        }
    }

    /// Where a value lies; one beyond an end lies at it.
    pub(super) fn at(&self, value: f64) -> f64 {
        let value = value.clamp(self.from, self.to);
        let part = if self.log {
            (value / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        };
        self.start + part * (self.end - self.start)
    }

    /// Whether a value lies on the paper.
    pub(super) fn holds(&self, value: f64) -> bool {
        self.from <= value && value <= self.to
    }
}

/// The power of ten at or below a number above zero.
fn decade(value: f64) -> f64 {
    let mut power = 1.0;
    while power * 10.0 <= value * (1.0 + 1e-9) {
        power *= 10.0;
    }
    while power > value * (1.0 + 1e-9) {
        power /= 10.0;
    }
    power
}

/// A step of 1, 2 or 5 times a power of ten of which at most `most` fit between two values.
pub(super) fn step(from: f64, to: f64, most: f64) -> f64 {
    let rough = ((to - from) / most).max(1e-300);
    let power = decade(rough);
    let fits = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|times| rough <= times * power * (1.0 + 1e-9));
    fits.unwrap_or(10.0) * power
}

/// Round numbers between two values, both ends included where they are round.
pub(super) fn ticks(from: f64, to: f64, most: f64) -> Vec<f64> {
    let step = step(from, to, most);
    let mut ticks = Vec::new();
    let mut number = (from / step - 1e-9).ceil();
    while number * step <= to + step * 1e-9 && ticks.len() < 100 {
        ticks.push(number * step);
        number += 1.0;
    }
    ticks
}

/// Round numbers for a scale of ratios.
pub(super) fn log_ticks(from: f64, to: f64) -> Vec<f64> {
    let all = |times: &[f64]| -> Vec<f64> {
        let mut power = decade(from);
        let mut found = Vec::new();
        while power <= to * (1.0 + 1e-9) && found.len() < 100 {
            // Below one, dividing by a power of ten gives the number nearest to 0.7; multiplying by 0.1 does not.
            let below = (1.0 / power).round();
            let here = times.iter().map(|times| {
                if power < 1.0 {
                    times / below
                } else {
                    times * power
                }
            });
            found.extend(here.filter(|x| *x >= from * (1.0 - 1e-9) && *x <= to * (1.0 + 1e-9)));
            power *= 10.0;
        }
        found
    };
    let fine = all(&[1.0, 1.5, 2.0, 3.0, 5.0, 7.0]);
    let middle = all(&[1.0, 2.0, 5.0]);
    match (fine.len(), middle.len()) {
        (..=8, _) => fine,
        (_, ..=10) => middle,
        _ => all(&[1.0]),
    }
}

/// The ends of a round scale that holds two values.
pub(super) fn around(low: f64, high: f64, most: f64) -> (f64, f64) {
    let high = if high > low { high } else { low + 1.0 };
    let step = step(low, high, most);
    (
        (low / step + 1e-9).floor() * step,
        (high / step - 1e-9).ceil() * step,
    )
}

/// A tick as text: as many decimals as the step has, thousands apart.
pub(super) fn label(value: f64, step: f64) -> String {
    let mut places = 0_usize;
    let mut unit = 1.0;
    while unit > step * (1.0 + 1e-9) && places < 9 {
        unit /= 10.0;
        places += 1;
    }
    grouped(&format!("{value:.places$}"))
}

/// A tick of a scale of ratios.
pub(super) fn plain(value: f64) -> String {
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text.is_empty() {
        number(value)
    } else {
        grouped(text)
    }
}

/// Digits before the point in threes, from five on.
pub(super) fn grouped(text: &str) -> String {
    let (sign, text) = text
        .strip_prefix('-')
        .map_or(("", text), |rest| ("−", rest));
    let (whole, rest) = text
        .split_once('.')
        .map_or((text, None), |(a, b)| (a, Some(b)));
    let zero =
        whole.chars().all(|c| c == '0') && rest.is_none_or(|rest| rest.chars().all(|c| c == '0'));
    let sign = if zero { "" } else { sign };
    let digits: Vec<char> = whole.chars().collect();
    let mut out = String::from(sign);
    for (at, digit) in digits.iter().enumerate() {
        if digits.len() > 4 && at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(*digit);
    }
    if let Some(rest) = rest {
        out.push('.');
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Scale, around, grouped, label, log_ticks, step, ticks};

    #[test]
    fn ticks_are_round_and_cover() {
        assert_eq!(
            ticks(0.0, 60.0, 6.0),
            [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
        );
        assert_eq!(ticks(-0.3, 0.3, 4.0), [-0.2, 0.0, 0.2]);
        assert!((step(0.0, 1.0, 5.0) - 0.2).abs() < 1e-12);
        assert_eq!(around(3.0, 97.0, 5.0), (0.0, 100.0));
        assert_eq!(log_ticks(0.5, 4.0), [0.5, 0.7, 1.0, 1.5, 2.0, 3.0]);
        assert_eq!(log_ticks(0.01, 1000.0).len(), 6);
        for (from, to) in [(0.0, 1e-7), (5.0, 5.1), (-3e6, 1e9)] {
            let found = ticks(from, to, 6.0);
            assert!((2..=8).contains(&found.len()), "{from} {to} {found:?}");
        }
    }

    #[test]
    fn labels_have_the_decimals_of_their_step() {
        assert_eq!(label(0.2, 0.1), "0.2");
        assert_eq!(label(-20_000.0, 5000.0), "−20,000");
        assert_eq!(label(-0.0, 0.5), "0.0");
        assert_eq!(grouped("1234"), "1234");
        assert_eq!(grouped("1234567.5"), "1,234,567.5");
    }

    #[test]
    fn what_lies_beyond_is_drawn_at_the_end() {
        let scale = Scale::log((0.5, 8.0), (0.0, 100.0));
        assert!((scale.at(2.0) - 50.0).abs() < 1e-9);
        assert!((scale.at(100.0) - 100.0).abs() < 1e-9);
        assert!(!scale.holds(100.0) && scale.holds(1.0));
    }
}
