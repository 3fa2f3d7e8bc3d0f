//! Evidence in progress: what one cell has gathered so far.

use quorate_disclosure::evidence::{
    CellEvidence, Contributions, MeasureEvidence, Moments, ValueEvidence, Values,
};
use roaring::RoaringBitmap;

use super::fit::MAX_PERSONS;
use super::fold::FoldError;
use super::layout::Part;

/// One cell in progress.
#[derive(Clone)]
pub(super) struct CellTally {
    people: RoaringBitmap,
    rows: u64,
    pub(super) measures: Vec<MeasureTally>,
}

/// One measure of a cell in progress.
#[derive(Clone)]
pub(super) enum MeasureTally {
    /// Persons and their counted rows.
    Count(Vec<(u32, i128)>),
    /// Persons and their totals.
    Moments {
        totals: Vec<(u32, i128)>,
        rows: u64,
        squares: i128,
        scale: u32,
    },
    /// Persons per value.
    Values(Values),
}

impl CellTally {
    /// Nobody yet.
    pub(super) fn new(parts: &[Part]) -> Self {
        Self {
            people: RoaringBitmap::new(),
            rows: 0,
            measures: parts.iter().map(MeasureTally::new).collect(),
        }
    }

    /// One more person, with this many rows.
    pub(super) fn add(&mut self, person: u32, rows: u64) -> Result<(), FoldError> {
        if self.people.len() >= MAX_PERSONS {
            return Err(FoldError::TooMany);
        }
        self.people.insert(person);
        self.rows = more(self.rows, rows)?;
        Ok(())
    }

    /// The evidence.
    pub(super) fn finish(self) -> Result<CellEvidence, FoldError> {
        let measures = self.measures.into_iter().map(MeasureTally::finish);
        Ok(CellEvidence {
            people: self.people,
            rows: self.rows,
            measures: measures.collect::<Result<_, _>>()?,
        })
    }
}

impl MeasureTally {
    fn new(part: &Part) -> Self {
        match part {
            Part::All | Part::Present { .. } => Self::Count(Vec::new()),
            Part::Moments { scale, .. } => Self::Moments {
                totals: Vec::new(),
                rows: 0,
                squares: 0,
                scale: *scale,
            },
            Part::Values { domain, .. } => Self::Values(no_values(domain.len())),
        }
    }

    pub(super) fn add_rows(&mut self, person: u32, counted: u64) -> Result<(), FoldError> {
        let Self::Count(rows) = self else {
            return Err(FoldError::Shape);
        };
        if counted > 0 {
            rows.push((person, counted.into()));
        }
        Ok(())
    }

    pub(super) fn add_total(
        &mut self,
        person: u32,
        counted: u64,
        total: i128,
        square: i128,
    ) -> Result<(), FoldError> {
        let Self::Moments {
            totals,
            rows,
            squares,
            ..
        } = self
        else {
            return Err(FoldError::Shape);
        };
        totals.push((person, total));
        *rows = more(*rows, counted)?;
        *squares = squares.checked_add(square).ok_or(FoldError::TooMany)?;
        Ok(())
    }

    /// `counted` and `domain` go together: rows of the person at each value.
    pub(super) fn add_values(
        &mut self,
        person: u32,
        counted: &[u64],
        domain: &[i128],
    ) -> Result<(), FoldError> {
        let Self::Values(found) = self else {
            return Err(FoldError::Shape);
        };
        let total: u64 = counted.iter().sum();
        if total == 0 {
            return Ok(());
        }
        found.any.insert(person);
        let mut pairs = counted.iter().zip(domain);
        if pairs.any(|(&rows, &value)| rows > 0 && value != 0) {
            found.nonzero.insert(person);
        }
        for (value, &rows) in found.values.iter_mut().zip(counted) {
            if rows > 0 {
                value.people.insert(person);
            }
            value.rows = more(value.rows, rows)?;
            value.elsewhere = more(value.elsewhere, u64::from(total > rows))?;
        }
        Ok(())
    }

    fn finish(self) -> Result<MeasureEvidence, FoldError> {
        let contributions = |pairs| Contributions::of(pairs).map_err(|_| FoldError::TooMany);
        Ok(match self {
            Self::Count(rows) => MeasureEvidence::Count(contributions(rows)?),
            Self::Moments {
                totals,
                rows,
                squares,
                scale,
            } => MeasureEvidence::Moments(Moments {
                totals: contributions(totals)?,
                rows,
                squares,
                scale,
            }),
            Self::Values(values) => MeasureEvidence::Values(values),
        })
    }
}

/// The evidence of a cell that nobody is in.
pub(crate) fn nobody(parts: &[Part]) -> CellEvidence {
    let measure = |part: &Part| match part {
        Part::All | Part::Present { .. } => MeasureEvidence::Count(Contributions::default()),
        Part::Moments { scale, .. } => MeasureEvidence::Moments(Moments {
            totals: Contributions::default(),
            rows: 0,
            squares: 0,
            scale: *scale,
        }),
        Part::Values { domain, .. } => MeasureEvidence::Values(no_values(domain.len())),
    };
    CellEvidence {
        people: RoaringBitmap::new(),
        rows: 0,
        measures: parts.iter().map(measure).collect(),
    }
}

fn no_values(domain: usize) -> Values {
    Values {
        any: RoaringBitmap::new(),
        nonzero: RoaringBitmap::new(),
        values: vec![ValueEvidence::default(); domain],
    }
}

fn more(count: u64, by: u64) -> Result<u64, FoldError> {
    count.checked_add(by).ok_or(FoldError::TooMany)
}
