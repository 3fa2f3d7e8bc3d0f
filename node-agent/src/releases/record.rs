//! What the release store remembers, record by record, and the bytes of it.

use quorate_disclosure::Finding;
use quorate_disclosure::evidence::Persons;
use quorate_disclosure::history::caps::Asked;
use quorate_disclosure::history::{
    Entry, Facet, Footprint, Form, ReleaseId, Shape, Spread, State, Traits,
};
use quorate_query::canonical::decode_derived;
use quorate_query::codebook::ColumnRef;
use quorate_query::derived::Derived;
use quorate_query::question::{Cohort, Predicate, Set, Values};

use super::bytes::{Reader, Writer};

/// Version of the bytes that are written.
const VERSION: u8 = 2;
/// The first version: its facets do not say what each person adds, and have no spread.
const FIRST: u8 = 1;

/// With which question something left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Occasion {
    /// Unix seconds.
    pub time: i64,
    /// Id of the question; empty for a core table.
    pub question: String,
    /// Under which project.
    pub project: String,
    /// Who asked; `core` for a core table.
    pub principal: String,
    /// Codebook it was read against.
    pub codebook: String,
    /// Policy in force.
    pub policy: String,
}

/// A state of the data from which something left for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protected {
    /// Which state.
    pub epoch: String,
    /// The one protection of everything that leaves of it.
    pub protection: String,
    /// Unix seconds.
    pub time: i64,
}

/// A core table of a codebook has been released to history.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CoreDone {
    /// In which state of the data.
    pub epoch: String,
    /// Under which protection.
    pub protection: String,
    /// Of which codebook.
    pub codebook: String,
    /// Which statement, from 0.
    pub statement: u32,
}

/// A cell that was withheld, in words for the custodian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The cell.
    pub cell: String,
    /// The rule.
    pub rule: String,
    /// What it found; an earlier release is called by its name (`Entry::name`).
    pub why: String,
}

impl Reason {
    /// A finding in words.
    #[must_use]
    pub fn of(finding: &Finding) -> Self {
        let key: Vec<String> = finding.key.iter().map(ToString::to_string).collect();
        let measure = finding.measure.saturating_add(1);
        Self {
            cell: format!("({}) measure {measure}", key.join(", ")),
            rule: finding.rule.to_owned(),
            why: finding.why.clone(),
        }
    }
}

/// What a question was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Which question.
    pub occasion: Occasion,
    /// State of the data.
    pub epoch: String,
    /// The question in canonical words.
    pub asked: String,
    /// Cells that left for the first time.
    pub fresh: u32,
    /// Cells that repeat an earlier release.
    pub repeated: u32,
    /// Why cells were withheld, cell by cell.
    pub reasons: Vec<Reason>,
}

/// One record of the release store.
#[derive(Clone, PartialEq)]
pub enum Record {
    /// What everything of a state of the data goes through.
    Protected(Protected),
    /// A cell left, or was given up.
    Release(Box<(Entry, Occasion)>),
    /// A core table was released to history.
    Core(CoreDone),
    /// What a question was told.
    Told(Box<Told>),
    /// How many cells a question was for.
    Asked(Asked),
    /// A column that something which left was derived by: its name and its definition.
    Derived(ColumnRef, Derived),
}

impl Record {
    /// What the record is known by: there is at most one of each.
    pub(super) fn key(&self, population: &str) -> Vec<u8> {
        let mut to = Writer::default();
        to.text(population);
        match self {
            Self::Protected(seen) => {
                to.byte(1);
                to.text(&seen.epoch);
            }
            Self::Release(release) => {
                to.byte(2);
                write_id(&mut to, &release.0.id);
            }
            Self::Core(done) => {
                to.byte(3);
                write_core(&mut to, done);
            }
            Self::Told(told) => {
                to.byte(4);
                to.text(&told.occasion.question);
                to.text(&told.occasion.principal);
                to.i64(told.occasion.time);
            }
            Self::Asked(asked) => {
                to.byte(5);
                to.text(&asked.epoch);
                to.text(&asked.principal);
                to.text(&asked.question);
            }
            Self::Derived(name, _) => {
                to.byte(6);
                to.text(&name.table);
                to.text(&name.column);
            }
        }
        to.0
    }

    pub(super) fn encode(&self, population: &str) -> Vec<u8> {
        let mut to = Writer::default();
        to.byte(VERSION);
        to.text(population);
        match self {
            Self::Protected(seen) => {
                to.byte(1);
                to.text(&seen.epoch);
                to.text(&seen.protection);
                to.i64(seen.time);
            }
            Self::Release(release) => {
                to.byte(2);
                write_occasion(&mut to, &release.1);
                write_entry(&mut to, &release.0);
            }
            Self::Core(done) => {
                to.byte(3);
                write_core(&mut to, done);
            }
            Self::Told(told) => {
                to.byte(4);
                write_occasion(&mut to, &told.occasion);
                to.text(&told.epoch);
                to.text(&told.asked);
                to.u32(told.fresh);
                to.u32(told.repeated);
                to.list(told.reasons.iter(), write_reason);
            }
            Self::Asked(asked) => {
                to.byte(5);
                to.text(&asked.epoch);
                to.text(&asked.principal);
                to.text(&asked.question);
                to.u64(asked.cells);
                to.i64(asked.time);
            }
            Self::Derived(name, derived) => {
                to.byte(6);
                to.text(&name.table);
                to.text(&name.column);
                to.bytes(&derived.canonical_bytes());
            }
        }
        to.0
    }

    /// The population and the record.
    pub(super) fn decode(bytes: &[u8]) -> Option<(String, Self)> {
        let mut from = Reader(bytes);
        let version = from.byte()?;
        if ![FIRST, VERSION].contains(&version) {
            return None;
        }
        let population = from.text()?;
        let record = match from.byte()? {
            1 => Self::Protected(Protected {
                epoch: from.text()?,
                protection: from.text()?,
                time: from.i64()?,
            }),
            2 => {
                let occasion = read_occasion(&mut from)?;
                Self::Release(Box::new((read_entry(&mut from, version)?, occasion)))
            }
            3 => Self::Core(CoreDone {
                epoch: from.text()?,
                protection: from.text()?,
                codebook: from.text()?,
                statement: from.u32()?,
            }),
            4 => Self::Told(Box::new(Told {
                occasion: read_occasion(&mut from)?,
                epoch: from.text()?,
                asked: from.text()?,
                fresh: from.u32()?,
                repeated: from.u32()?,
                reasons: from.list(read_reason)?,
            })),
            5 => Self::Asked(Asked {
                epoch: from.text()?,
                principal: from.text()?,
                question: from.text()?,
                cells: from.u64()?,
                time: from.i64()?,
            }),
            6 => {
                let name = ColumnRef {
                    table: from.text()?,
                    column: from.text()?,
                };
                Self::Derived(name, decode_derived(from.bytes()?).ok()?)
            }
            _ => return None,
        };
        from.0.is_empty().then_some((population, record))
    }
}

fn write_core(to: &mut Writer, done: &CoreDone) {
    to.text(&done.epoch);
    to.text(&done.protection);
    to.text(&done.codebook);
    to.u32(done.statement);
}

fn write_occasion(to: &mut Writer, occasion: &Occasion) {
    to.i64(occasion.time);
    to.text(&occasion.question);
    to.text(&occasion.project);
    to.text(&occasion.principal);
    to.text(&occasion.codebook);
    to.text(&occasion.policy);
}

fn read_occasion(from: &mut Reader<'_>) -> Option<Occasion> {
    Some(Occasion {
        time: from.i64()?,
        question: from.text()?,
        project: from.text()?,
        principal: from.text()?,
        codebook: from.text()?,
        policy: from.text()?,
    })
}

fn write_reason(to: &mut Writer, reason: &Reason) {
    to.text(&reason.cell);
    to.text(&reason.rule);
    to.text(&reason.why);
}

fn read_reason(from: &mut Reader<'_>) -> Option<Reason> {
    Some(Reason {
        cell: from.text()?,
        rule: from.text()?,
        why: from.text()?,
    })
}

fn write_id(to: &mut Writer, id: &ReleaseId) {
    to.digest(&id.predicate);
    to.digest(&id.vec);
    to.text(&id.epoch);
    to.text(&id.protection);
}

fn read_id(from: &mut Reader<'_>) -> Option<ReleaseId> {
    Some(ReleaseId {
        predicate: from.digest()?,
        vec: from.digest()?,
        epoch: from.text()?,
        protection: from.text()?,
    })
}

fn write_entry(to: &mut Writer, entry: &Entry) {
    write_id(to, &entry.id);
    write_shape(to, &entry.shape);
    match &entry.state {
        State::Released(parts) => {
            to.byte(1);
            to.list(parts.iter(), Writer::number);
        }
        State::Sacrificed => to.byte(2),
        State::Near(parts) => {
            to.byte(3);
            to.list(parts.iter(), Writer::number);
        }
        State::Union { exact } => {
            to.byte(4);
            to.flag(*exact);
        }
    }
    to.text(&entry.project);
    to.flag(entry.core);
    to.list(entry.facets.iter(), write_facet);
}

fn read_entry(from: &mut Reader<'_>, version: u8) -> Option<Entry> {
    Some(Entry {
        id: read_id(from)?,
        shape: read_shape(from)?,
        state: match from.byte()? {
            1 => State::Released(from.list(Reader::number)?),
            2 => State::Sacrificed,
            3 => State::Near(from.list(Reader::number)?),
            4 => State::Union {
                exact: from.flag()?,
            },
            _ => return None,
        },
        project: from.text()?,
        core: from.flag()?,
        facets: together(from.list(|from| match version {
            FIRST => read_first_facet(from),
            _ => read_facet(from),
        })?),
    })
}

/// Facets of which one is mostly about the same persons as the one before: these are held once.
fn together(mut facets: Vec<Facet>) -> Vec<Facet> {
    let mut last: Option<Persons> = None;
    for facet in &mut facets {
        let people = &mut facet.footprint.people;
        if let Some(same) = last.filter(|last| last == people) {
            *people = same;
        }
        last = Some(people.clone());
    }
    facets
}

fn write_facet(to: &mut Writer, facet: &Facet) {
    to.digest(&facet.vec);
    match &facet.form {
        Form::Persons => to.byte(1),
        Form::Rows(most) => {
            to.byte(2);
            to.u32(*most);
        }
        Form::Sum(of) => {
            to.byte(3);
            to.digest(of);
        }
    }
    write_shape(to, &facet.shape);
    to.people(&facet.footprint.people);
    to.i128(facet.footprint.abs);
    for some in [&facet.footprint.largest, &facet.footprint.sample] {
        to.list(some.iter(), |to, (person, addend)| {
            to.u32(*person);
            to.i128(*addend);
        });
    }
    let spread = facet.footprint.spread.as_ref();
    to.flag(spread.is_some());
    if let Some(spread) = spread {
        to.flag(spread.traits().signed);
        to.flag(spread.traits().limited);
        to.list(spread.sums().iter(), |to, sum| to.i64(*sum));
    }
}

fn read_facet(from: &mut Reader<'_>) -> Option<Facet> {
    Some(Facet {
        vec: from.digest()?,
        form: match from.byte()? {
            1 => Form::Persons,
            2 => Form::Rows(from.u32()?),
            3 => Form::Sum(from.digest()?),
            _ => return None,
        },
        shape: read_shape(from)?,
        footprint: Footprint {
            people: from.people()?.into(),
            abs: from.i128()?,
            largest: from.list(read_addend)?,
            sample: from.list(read_addend)?,
            spread: match from.flag()? {
                true => Some(read_spread(from)?),
                false => None,
            },
        },
    })
}

/// As the first version wrote it. A number that counts one for each person counts persons; how many
/// rows of each another counts is not known; a sum is known by what it was called.
fn read_first_facet(from: &mut Reader<'_>) -> Option<Facet> {
    let vec = from.digest()?;
    let counts = from.flag()?;
    let shape = read_shape(from)?;
    let mut footprint = Footprint {
        people: from.people()?.into(),
        abs: from.i128()?,
        largest: from.list(read_addend)?,
        sample: Vec::new(),
        spread: None,
    };
    let one_each = counts && footprint.abs == i128::from(footprint.people.len());
    footprint.spread = one_each.then(|| Spread::of_persons(&footprint.people));
    Some(Facet {
        vec,
        form: match counts {
            true if one_each => Form::Persons,
            true => Form::Rows(0),
            false => Form::Sum(vec),
        },
        shape,
        footprint,
    })
}

fn read_addend(from: &mut Reader<'_>) -> Option<(u32, i128)> {
    Some((from.u32()?, from.i128()?))
}

fn read_spread(from: &mut Reader<'_>) -> Option<Spread> {
    let traits = Traits {
        signed: from.flag()?,
        limited: from.flag()?,
    };
    Spread::kept(from.list(Reader::i64)?, traits)
}

fn write_shape(to: &mut Writer, shape: &Shape) {
    to.text(&shape.rows);
    to.list(shape.joined.iter(), |to, text| to.text(text));
    write_predicate(to, &shape.predicate);
}

fn read_shape(from: &mut Reader<'_>) -> Option<Shape> {
    Some(Shape {
        rows: from.text()?,
        joined: from.texts()?,
        predicate: read_predicate(from)?,
    })
}

fn write_predicate(to: &mut Writer, predicate: &Predicate) {
    to.list(predicate.boxes.iter(), |to, (column, set)| {
        to.text(&column.table);
        to.text(&column.column);
        to.flag(set.null);
        write_values(to, &set.values);
    });
    to.list(predicate.cohorts.iter(), |to, cohort| {
        to.flag(cohort.negated);
        to.text(&cohort.rows);
        to.list(cohort.joined.iter(), |to, text| to.text(text));
        write_predicate(to, &cohort.filter);
    });
}

fn read_predicate(from: &mut Reader<'_>) -> Option<Predicate> {
    let boxes = from.list(|from| {
        let column = ColumnRef {
            table: from.text()?,
            column: from.text()?,
        };
        let set = Set {
            null: from.flag()?,
            values: read_values(from)?,
        };
        Some((column, set))
    })?;
    let cohorts = from.list(|from| {
        Some(Cohort {
            negated: from.flag()?,
            rows: from.text()?,
            joined: from.texts()?,
            filter: read_predicate(from)?,
        })
    })?;
    Some(Predicate {
        boxes: boxes.into_iter().collect(),
        cohorts: cohorts.into_iter().collect(),
    })
}

fn write_values(to: &mut Writer, values: &Values) {
    match values {
        Values::All => to.byte(1),
        Values::Ranges(ranges) => {
            to.byte(2);
            to.list(ranges.iter(), |to, (low, high)| {
                for end in [low, high] {
                    to.flag(end.is_some());
                    to.i128(end.unwrap_or(0));
                }
            });
        }
        Values::Texts(texts) => {
            to.byte(3);
            to.list(texts.iter(), |to, text| to.text(text));
        }
        Values::NotTexts(texts) => {
            to.byte(4);
            to.list(texts.iter(), |to, text| to.text(text));
        }
    }
}

fn read_values(from: &mut Reader<'_>) -> Option<Values> {
    Some(match from.byte()? {
        1 => Values::All,
        2 => Values::Ranges(from.list(|from| Some((read_end(from)?, read_end(from)?)))?),
        3 => Values::Texts(from.texts()?),
        4 => Values::NotTexts(from.texts()?),
        _ => return None,
    })
}

fn read_end(from: &mut Reader<'_>) -> Option<Option<i128>> {
    let there = from.flag()?;
    let end = from.i128()?;
    Some(there.then_some(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(to: &mut Writer, (counts, abs): (bool, i128)) {
        to.digest(&[5; 32]);
        to.flag(counts);
        write_shape(to, &shape());
        to.people(&(1..4).collect());
        to.i128(abs);
        to.list([(2_u32, 9_i128)].iter(), |to, (person, addend)| {
            to.u32(*person);
            to.i128(*addend);
        });
    }

    fn shape() -> Shape {
        Shape {
            rows: "person".to_owned(),
            joined: std::collections::BTreeSet::new(),
            predicate: Predicate::default(),
        }
    }

    /// What the first version wrote is read, with nothing assumed that it did not say.
    #[test]
    fn facets_of_the_first_version_are_read() {
        let mut to = Writer::default();
        to.byte(1);
        to.text("p");
        to.byte(2);
        write_occasion(&mut to, &Occasion::default());
        let id = ReleaseId {
            predicate: [1; 32],
            vec: [2; 32],
            epoch: "e".to_owned(),
            protection: "p".to_owned(),
        };
        write_id(&mut to, &id);
        write_shape(&mut to, &shape());
        to.byte(2);
        to.text("project");
        to.flag(false);
        to.list([(true, 3), (true, 8), (false, 3)].into_iter(), first);
        let Some((_, Record::Release(release))) = Record::decode(&to.0) else {
            panic!("it is not read");
        };
        let facets = &release.0.facets;
        let forms: Vec<Form> = facets.iter().map(|facet| facet.form).collect();
        assert_eq!(forms, [Form::Persons, Form::Rows(0), Form::Sum([5; 32])]);
        let known = |facet: &Facet| facet.footprint.spread.is_some();
        let known: Vec<bool> = facets.iter().map(known).collect();
        assert_eq!(known, [true, false, false]);
        // Written again, it is what it was.
        let again = Record::Release(release.clone()).encode("p");
        assert!(Record::decode(&again) == Some(("p".to_owned(), Record::Release(release))));
        // Later versions are not guessed at.
        to.0[0] = 3;
        assert!(Record::decode(&to.0).is_none());
    }
}
