//! What an attacker computes from what was released: whole-number arithmetic over cells.
//!
//! `s3.n` is column `n` of what step 3 gave (a table without keys), `s3['f', 1].n` that of the row
//! with these keys; of several tables `s3:2['f'].n` is in the second. `shown(s3['f'].n)` is 1 where the cell was released and 0 where it was not.
//! Numbers, `+ - * /` and parentheses, nothing else. It must not know how cells came to be.

use std::fmt;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Zero;

/// A cell that an expression names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term {
    /// Step, counted from 1.
    pub step: usize,
    /// Which of its tables, counted from 1.
    pub table: usize,
    /// Keys of the row as printed; `null` is NULL.
    pub key: Vec<String>,
    /// Column of the result.
    pub column: String,
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            step,
            table,
            key,
            column,
        } = self;
        write!(f, "s{step}:{table}[{}].{column}", key.join(", "))
    }
}

/// What a cell says to whoever reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A number.
    Number(BigRational),
    /// The number of an earlier, nearly equal question.
    Near(BigRational),
    /// Without protection: a group that is not there, which counts nobody.
    Nobody,
    /// Withheld, or refused with the whole question.
    Nothing,
}

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Infer {
    /// A number as written.
    Number(BigRational),
    /// A cell.
    Term(Term),
    /// Whether a cell was released.
    Shown(Term),
    /// Two expressions.
    Binary(char, Box<Infer>, Box<Infer>),
}

/// The text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: {what} at character {at}")]
pub struct NotAnExpression {
    text: String,
    what: &'static str,
    at: usize,
}

impl Infer {
    /// Reads an expression.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<Self, NotAnExpression> {
        let mut reader = Reader {
            chars: text.chars().collect(),
            at: 0,
        };
        let wrong = |reader: &Reader, what| NotAnExpression {
            text: text.to_owned(),
            what,
            at: reader.at.saturating_add(1),
        };
        match reader.sum() {
            Ok(expression) if reader.peek().is_none() => Ok(expression),
            Ok(_) => Err(wrong(&reader, "more than one expression")),
            Err(what) => Err(wrong(&reader, what)),
        }
    }

    /// The cells that it names.
    #[must_use]
    pub fn terms(&self) -> Vec<&Term> {
        match self {
            Self::Number(_) => Vec::new(),
            Self::Term(term) | Self::Shown(term) => vec![term],
            Self::Binary(_, left, right) => [left.terms(), right.terms()].concat(),
        }
    }

    /// What it comes to; `None` where a number that it needs was withheld, or for a division by
    /// zero.
    ///
    /// # Errors
    /// Those of `see`.
    pub fn value<E>(
        &self,
        see: &impl Fn(&Term) -> Result<Seen, E>,
    ) -> Result<Option<BigRational>, E> {
        Ok(match self {
            Self::Number(number) => Some(number.clone()),
            Self::Term(term) => match see(term)? {
                Seen::Number(number) | Seen::Near(number) => Some(number),
                Seen::Nobody => Some(BigRational::zero()),
                Seen::Nothing => None,
            },
            Self::Shown(term) => {
                let shown = i64::from(!matches!(see(term)?, Seen::Nobody | Seen::Nothing));
                Some(BigRational::from_integer(BigInt::from(shown)))
            }
            Self::Binary(operator, left, right) => match (left.value(see)?, right.value(see)?) {
                (Some(left), Some(right)) => apply(*operator, left, right),
                _ => None,
            },
        })
    }
}

fn apply(operator: char, left: BigRational, right: BigRational) -> Option<BigRational> {
    match operator {
        '+' => Some(left + right),
        '-' => Some(left - right),
        '*' => Some(left * right),
        _ if right.is_zero() => None,
        _ => Some(left / right),
    }
}

struct Reader {
    chars: Vec<char>,
    at: usize,
}

type Read<T> = Result<T, &'static str>;

impl Reader {
    fn peek(&mut self) -> Option<char> {
        while self.chars.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at = self.at.saturating_add(1);
        }
        self.chars.get(self.at).copied()
    }

    fn take(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        if there {
            self.at = self.at.saturating_add(1);
        }
        there
    }

    fn need(&mut self, wanted: char, what: &'static str) -> Read<()> {
        if self.take(wanted) { Ok(()) } else { Err(what) }
    }

    fn while_in(&mut self, allowed: impl Fn(char) -> bool) -> String {
        let mut word = String::new();
        while let Some(c) = self.chars.get(self.at).copied().filter(|c| allowed(*c)) {
            word.push(c);
            self.at = self.at.saturating_add(1);
        }
        word
    }

    fn sum(&mut self) -> Read<Infer> {
        self.chain(&['+', '-'], Self::product)
    }

    fn product(&mut self) -> Read<Infer> {
        self.chain(&['*', '/'], Self::atom)
    }

    fn chain(&mut self, operators: &[char], part: fn(&mut Self) -> Read<Infer>) -> Read<Infer> {
        let mut left = part(self)?;
        while let Some(operator) = self.peek().filter(|c| operators.contains(c)) {
            self.at = self.at.saturating_add(1);
            left = Infer::Binary(operator, Box::new(left), Box::new(part(self)?));
        }
        Ok(left)
    }

    fn atom(&mut self) -> Read<Infer> {
        match self.peek() {
            Some('(') => {
                self.take('(');
                let inner = self.sum()?;
                self.need(')', "`)` is missing")?;
                Ok(inner)
            }
            Some(c) if c.is_ascii_digit() => {
                let digits = self.while_in(|c| c.is_ascii_digit());
                let number: BigInt = digits.parse().map_err(|_| "not a number")?;
                Ok(Infer::Number(BigRational::from_integer(number)))
            }
            Some('s') => {
                let word = self.while_in(|c| c.is_ascii_alphanumeric());
                if word != "shown" {
                    return Ok(Infer::Term(self.term(&word)?));
                }
                self.need('(', "`(` is missing")?;
                self.peek();
                let word = self.while_in(|c| c.is_ascii_alphanumeric());
                let term = self.term(&word)?;
                self.need(')', "`)` is missing")?;
                Ok(Infer::Shown(term))
            }
            _ => Err("not a number, a cell or `(`"),
        }
    }

    fn term(&mut self, word: &str) -> Read<Term> {
        let step = word
            .strip_prefix('s')
            .and_then(|digits| digits.parse().ok());
        let step = step.ok_or("not a step such as `s1`")?;
        let mut table = 1;
        if self.take(':') {
            let digits = self.while_in(|c| c.is_ascii_digit());
            table = digits
                .parse()
                .ok()
                .filter(|n| *n > 0)
                .ok_or("no table such as `:2`")?;
        }
        let mut key = Vec::new();
        if self.take('[') {
            loop {
                key.push(self.key()?);
                if !self.take(',') {
                    break;
                }
            }
            self.need(']', "`]` is missing")?;
        }
        self.need('.', "`.` and a column are missing")?;
        let column = match self.take('`') {
            true => {
                let name = self.while_in(|c| c != '`');
                self.need('`', "a backtick is missing")?;
                name
            }
            false => self.while_in(|c| c.is_ascii_alphanumeric() || c == '_'),
        };
        if column.is_empty() {
            return Err("no column");
        }
        Ok(Term {
            step,
            table,
            key,
            column,
        })
    }

    fn key(&mut self) -> Read<String> {
        if self.take('\'') {
            let text = self.while_in(|c| c != '\'');
            self.need('\'', "a quote is missing")?;
            return Ok(text);
        }
        self.peek();
        let text = self.while_in(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
        if text.is_empty() {
            Err("no key")
        } else {
            Ok(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(n: i64) -> BigRational {
        BigRational::from_integer(n.into())
    }

    fn value(text: &str) -> Option<BigRational> {
        let see = |term: &Term| -> Result<Seen, ()> {
            Ok(match (term.step, term.key.join("|").as_str()) {
                (1, "") if term.table == 2 => Seen::Number(number(7)),
                (1, "") => Seen::Number(number(20)),
                (2, "f|1") => Seen::Number(number(15)),
                (2, "null|2023-01-01") => Seen::Near(number(5)),
                _ => Seen::Nothing,
            })
        };
        Infer::parse(text).unwrap().value(&see).unwrap()
    }

    #[test]
    fn arithmetic_over_cells() {
        assert_eq!(value("s1.n - s2['f', 1].n"), Some(number(5)));
        assert_eq!(value("2 * (s1.n - 3) / 17"), Some(number(2)));
        assert_eq!(value("s2[null,'2023-01-01'].n_2"), Some(number(5)));
        assert_eq!(value("s1.`avg(n * 2)` - 3"), Some(number(17)), "any name");
        assert_eq!(value("s1.n - s1:2.n"), Some(number(13)), "two tables");
        assert_eq!(value("s1.n - s3.n"), None, "withheld");
        assert_eq!(value("shown(s3.n) + shown( s1.n )"), Some(number(1)));
        assert_eq!(value("s1.n / (s1.n - 20)"), None, "no such number");
        assert_eq!(value("10 - 3 - 2"), Some(number(5)));
    }

    #[test]
    fn what_is_no_expression_is_said_with_its_place() {
        for (text, says) in [
            ("s1.n -", "not a number, a cell or `(` at character 7"),
            ("s1", "`.` and a column are missing at character 3"),
            ("(s1.n", "`)` is missing at character 6"),
            ("s1.n s2.n", "more than one expression at character 6"),
            ("sx.n", "not a step such as `s1` at character 3"),
            ("s1[].n", "no key at character 4"),
            ("s1:.n", "no table such as `:2` at character 4"),
        ] {
            let error = Infer::parse(text).unwrap_err().to_string();
            assert!(error.ends_with(says), "{error}");
        }
    }
}
