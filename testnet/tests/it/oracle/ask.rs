//! Questions over one table with a row per person, written as SQL and evaluated by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What the codebook says about a column, written down again for the oracle.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// Name.
    pub(crate) name: &'static str,
    /// Digits after the point; values are held as whole numbers of that unit.
    pub(crate) scale: u32,
    /// Bounds, in whole numbers of that unit; `None` for a column with a domain.
    pub(crate) bounds: Option<(i128, i128)>,
    /// Closed domain.
    pub(crate) domain: Vec<i128>,
    /// Whether the number of missing values is public.
    pub(crate) missing_public: bool,
}

/// One person: values by column, missing ones absent.
pub(crate) type Person = BTreeMap<&'static str, i128>;
/// Values of the group keys; `None` is NULL.
pub(crate) type Key = Vec<Option<i128>>;

/// A group key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By {
    /// Bare column.
    Column(&'static str),
    /// `floor(column / width) * width`.
    Band(&'static str, i128),
}

impl By {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Column(column) => column.to_owned(),
            Self::Band(column, width) => format!("{column}_band_{width}"),
        }
    }

    fn sql(self) -> String {
        match self {
            Self::Column(column) => column.to_owned(),
            Self::Band(column, width) => format!("floor({column} / {width}) * {width}"),
        }
    }

    fn of(self, person: &Person) -> Option<i128> {
        match self {
            Self::Column(column) => person.get(column).copied(),
            Self::Band(column, width) => person.get(column).map(|v| v.div_euclid(width) * width),
        }
    }

    pub(crate) fn column(self) -> &'static str {
        match self {
            Self::Column(column) | Self::Band(column, _) => column,
        }
    }

    /// Whether the filter lets any value of this key through.
    fn possible(self, key: Option<i128>, filter: &[Where]) -> bool {
        let (column, width) = match self {
            Self::Column(column) => (column, 1),
            Self::Band(column, width) => (column, width),
        };
        let values: Vec<Option<i128>> = match key {
            None => vec![None],
            Some(low) => (low..low + width).map(Some).collect(),
        };
        let alone = |value: &Option<i128>| {
            let person: Person = value.iter().map(|value| (column, *value)).collect();
            filter
                .iter()
                .filter(|f| f.column() == column)
                .all(|f| f.holds(&person))
        };
        values.iter().any(alone)
    }

    fn domain(self, columns: &[Column]) -> Vec<Option<i128>> {
        let column = find(columns, self.column());
        let mut keys: BTreeSet<Option<i128>> = match (self, column.bounds) {
            (Self::Band(_, width), Some((low, high))) => {
                let band = |v: i128| v.div_euclid(width) * width;
                let steps = (band(high) - band(low)) / width;
                (0..=steps)
                    .map(|step| Some(band(low) + step * width))
                    .collect()
            }
            _ => column.domain.iter().copied().map(Some).collect(),
        };
        if column.missing_public {
            keys.insert(None);
        }
        keys.into_iter().collect()
    }
}

/// A statistic of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stat {
    /// `count(*)`
    Persons,
    /// `count(column)`
    Known(&'static str),
    /// `avg(column)`
    Mean(&'static str),
    /// `stddev(column)`
    Sd(&'static str),
    /// `sum(column)`
    Sum(&'static str),
}

impl Stat {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Persons => "n".to_owned(),
            Self::Known(column) => format!("n_{column}"),
            Self::Mean(column) => format!("mean_{column}"),
            Self::Sd(column) => format!("sd_{column}"),
            Self::Sum(column) => format!("sum_{column}"),
        }
    }

    fn sql(self) -> String {
        match self {
            Self::Persons => "count(*)".to_owned(),
            Self::Known(column) => format!("count({column})"),
            Self::Mean(column) => format!("avg({column})"),
            Self::Sd(column) => format!("stddev({column})"),
            Self::Sum(column) => format!("sum({column})"),
        }
    }

    pub(crate) fn column(self) -> Option<&'static str> {
        match self {
            Self::Persons => None,
            Self::Known(c) | Self::Mean(c) | Self::Sd(c) | Self::Sum(c) => Some(c),
        }
    }
}

/// A condition in WHERE.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Where {
    /// `column >= value`
    AtLeast(&'static str, i128),
    /// `column < value`
    Below(&'static str, i128),
    /// `column = value`
    Is(&'static str, i128),
    /// `column IN (...)`
    In(&'static str, &'static [i128]),
    /// `column IS NOT NULL`
    Known(&'static str),
    /// `column IS NULL`
    Missing(&'static str),
}

impl Where {
    fn sql(self) -> String {
        match self {
            Self::AtLeast(column, value) => format!("{column} >= {value}"),
            Self::Below(column, value) => format!("{column} < {value}"),
            Self::Is(column, value) => format!("{column} = {value}"),
            Self::In(column, values) => {
                let list: Vec<_> = values.iter().map(i128::to_string).collect();
                format!("{column} IN ({})", list.join(", "))
            }
            Self::Known(column) => format!("{column} IS NOT NULL"),
            Self::Missing(column) => format!("{column} IS NULL"),
        }
    }

    fn column(self) -> &'static str {
        match self {
            Self::AtLeast(column, _)
            | Self::Below(column, _)
            | Self::Is(column, _)
            | Self::In(column, _)
            | Self::Known(column)
            | Self::Missing(column) => column,
        }
    }

    fn holds(self, person: &Person) -> bool {
        let value = |column: &str| person.get(column).copied();
        match self {
            Self::AtLeast(column, bound) => value(column).is_some_and(|v| v >= bound),
            Self::Below(column, bound) => value(column).is_some_and(|v| v < bound),
            Self::Is(column, wanted) => value(column) == Some(wanted),
            Self::In(column, values) => value(column).is_some_and(|v| values.contains(&v)),
            Self::Known(column) => value(column).is_some(),
            Self::Missing(column) => value(column).is_none(),
        }
    }
}

/// A question.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ask {
    pub(crate) by: Vec<By>,
    pub(crate) stats: Vec<Stat>,
    pub(crate) filter: Vec<Where>,
}

impl Ask {
    pub(crate) fn new(by: &[By], stats: &[Stat], filter: &[Where]) -> Self {
        Self {
            by: by.to_vec(),
            stats: stats.to_vec(),
            filter: filter.to_vec(),
        }
    }

    /// The question as a researcher would type it.
    pub(crate) fn sql(&self) -> String {
        let keys = self.by.iter().map(|by| match by {
            By::Column(column) => (*column).to_owned(),
            By::Band(..) => format!("{} AS {}", by.sql(), by.name()),
        });
        let stats = self
            .stats
            .iter()
            .map(|stat| format!("{} AS {}", stat.sql(), stat.name()));
        let list: Vec<String> = keys.chain(stats).collect();
        let mut sql = format!("SELECT {} FROM person", list.join(", "));
        let filter: Vec<String> = self.filter.iter().map(|f| f.sql()).collect();
        if !filter.is_empty() {
            write!(sql, " WHERE {}", filter.join(" AND ")).unwrap();
        }
        let groups: Vec<String> = self.by.iter().map(|by| by.sql()).collect();
        if !groups.is_empty() {
            write!(sql, " GROUP BY {}", groups.join(", ")).unwrap();
        }
        sql
    }

    /// The persons of every cell, out of those that the filter lets through.
    pub(crate) fn cells<'p>(&self, people: &'p [Person]) -> BTreeMap<Key, Vec<&'p Person>> {
        let mut cells: BTreeMap<Key, Vec<&Person>> = BTreeMap::new();
        for person in people
            .iter()
            .filter(|p| self.filter.iter().all(|f| f.holds(p)))
        {
            cells
                .entry(self.by.iter().map(|by| by.of(person)).collect())
                .or_default()
                .push(person);
        }
        cells
    }

    /// Every key that a protected answer lists: those that the filter does not rule out.
    pub(crate) fn closed(&self, columns: &[Column]) -> Vec<Key> {
        let mut keys: Vec<Key> = vec![Vec::new()];
        for by in &self.by {
            let mut domain = by.domain(columns);
            domain.retain(|key| by.possible(*key, &self.filter));
            keys = keys
                .into_iter()
                .flat_map(|key| domain.iter().map(move |v| [key.clone(), vec![*v]].concat()))
                .collect();
        }
        keys
    }
}

/// The column of a name.
pub(crate) fn find<'c>(columns: &'c [Column], name: &str) -> &'c Column {
    columns
        .iter()
        .find(|column| column.name == name)
        .unwrap_or_else(|| panic!("no column {name}"))
}
