//! H3, closure of a table: whoever has its cells has their sums, and beside a known total also what
//! is left of it. So every sum over some of the keys is judged like a release of its own, and kept
//! for later questions. Where one shows too much, the smallest cell in it is given up, by what
//! would be released; it stays withheld from then on.
//!
//! Page: `docs/disclosure/H3.md`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use quorate_query::answer::Cell;
use quorate_query::codebook::{ColumnRef, RowsPer};
use quorate_query::question::Set;
use quorate_query::value::Scalar;
use sha2::{Digest, Sha256};

use crate::contributions::Sums;
use crate::decide::{Draft, Listed, withheld};
use crate::evidence::Contributions;
use crate::facets::narrow;
use crate::history::{
    Across, Addends, Entry, Facet, FacetCandidate, Footprint, Form, History, Hit, Near, ReleaseId,
    Shape, State, Statement, same,
};
use crate::table::Finding;

/// Gives up cells until no sum of the others shows too much; then the sums are kept. Whether a cell
/// was given up.
pub(crate) fn close(draft: &mut Draft<'_, '_>, history: &mut History) -> bool {
    let mut given_up = false;
    if draft.sheet.question.keys.is_empty() {
        return given_up;
    }
    let mut sums = Sums::default();
    loop {
        match try_to_close(draft, &mut sums, history) {
            Ok(unions) => {
                draft.beside.extend(unions);
                return given_up;
            }
            Err(found) => {
                let (victim, hit) = *found;
                given_up = true;
                history.roll_back(draft.from);
                give_up(draft, victim, hit);
                for cell in draft.listed.iter().filter(|cell| cell.fresh) {
                    history.hold(cell.entry.clone());
                }
            }
        }
    }
}

/// The sums of a table, or which cell is given up and why.
fn try_to_close(
    draft: &Draft<'_, '_>,
    sums: &mut Sums,
    history: &mut History,
) -> Result<Vec<Entry>, Box<(usize, Hit)>> {
    let mut unions = Vec::new();
    for margin in margins(draft) {
        let union = margin.union(draft, sums);
        let mut hits = match &union {
            Some((entry, facets)) => history.audit_union(draft.from, facets, entry.id.vec),
            None => Vec::new(),
        };
        hits.extend(margin.remainder(draft, history));
        let smallest = margin.fresh(draft).max_by_key(|(_, cell)| cell.rank());
        if let (Some(hit), Some((victim, _))) = (hits.into_iter().next(), smallest) {
            return Err(Box::new((victim, hit)));
        }
        if let Some((entry, _)) = union {
            history.hold(entry.clone());
            unions.push(entry);
        }
    }
    Ok(unions)
}

fn give_up(draft: &mut Draft<'_, '_>, victim: usize, hit: Hit) {
    if victim >= draft.listed.len() {
        return;
    }
    let mut cell = draft.listed.remove(victim);
    let Some(row) = draft.rows.get_mut(cell.row) else {
        return;
    };
    if let Some(place) = row.cells.get_mut(cell.measure) {
        *place = Cell::Suppressed;
    }
    let (rule, mut reason) = withheld(hit);
    reason.why = format!("given up so that others can leave ({rule}: {})", reason.why);
    let finding = Finding::new(row.key.clone(), cell.measure, ("H3", reason));
    draft.outcome.findings.push(finding);
    cell.entry.state = State::Sacrificed;
    cell.entry.facets.clear();
    draft.beside.push(cell.entry);
}

/// The cells of one measure that have some keys in common.
struct Margin {
    measure: usize,
    /// Places of the keys that are summed over.
    varying: Vec<usize>,
    /// Values of the others.
    fixed: Vec<Scalar>,
    /// Which of the listed cells are in it.
    cells: Vec<usize>,
}

/// Every margin with a listed cell: fewer keys summed over first.
fn margins(draft: &Draft<'_, '_>) -> Vec<Margin> {
    let keys = draft.sheet.question.keys.len();
    let mut all = Vec::new();
    let mut subsets: Vec<Vec<usize>> = vec![Vec::new()];
    for place in 0..keys {
        let with: Vec<Vec<usize>> = subsets
            .iter()
            .map(|subset| subset.iter().copied().chain([place]).collect())
            .collect();
        subsets.extend(with);
    }
    subsets.sort_by_key(Vec::len);
    for measure in 0..draft.sheet.question.measures.len() {
        for varying in subsets.iter().filter(|subset| !subset.is_empty()) {
            let mut groups: BTreeMap<Vec<Scalar>, Vec<usize>> = BTreeMap::new();
            for (at, cell) in draft.listed.iter().enumerate() {
                let key = draft.rows.get(cell.row).map(|row| fixed(&row.key, varying));
                if let Some(key) = key.filter(|_| cell.measure == measure) {
                    groups.entry(key).or_default().push(at);
                }
            }
            all.extend(groups.into_iter().map(|(fixed, cells)| Margin {
                measure,
                varying: varying.clone(),
                fixed,
                cells,
            }));
        }
    }
    all
}

fn fixed(key: &[Scalar], varying: &[usize]) -> Vec<Scalar> {
    let kept = key
        .iter()
        .enumerate()
        .filter(|(at, _)| !varying.contains(at));
    kept.map(|(_, value)| value.clone()).collect()
}

/// What facets of which nobody is in two add up to: nothing is looked at person by person.
fn apart<'a>(
    all: &[&FacetCandidate<'a>],
    is_sum: bool,
    sums: &mut Sums,
) -> Option<(Footprint, Option<Addends<'a>>)> {
    let footprints = || all.iter().map(|one| &one.facet.footprint);
    let people = sums.people(footprints().map(|one| one.people.clone()).collect());
    let persons: u64 = footprints().map(|one| one.people.len()).sum();
    if persons != people.len() {
        return None;
    }
    let lists = all.iter().map(|one| one.contributions.as_ref()?.listed());
    let lists = match is_sum {
        true => Some(Addends::Apart(lists.collect::<Option<Vec<_>>>()?)),
        false => None,
    };
    Some((Footprint::apart(people, footprints()), lists))
}

/// What facets add up to, person by person.
fn together<'a>(
    all: &[&FacetCandidate<'a>],
    one_each: bool,
    is_sum: bool,
    sums: &mut Sums,
) -> Option<(Footprint, Option<Addends<'a>>)> {
    let own = |one: &FacetCandidate<'_>| one.facet.footprint.people.clone();
    let contributions = if one_each {
        Contributions::ones(sums.people(all.iter().map(|one| own(one)).collect()))
    } else {
        let parts = all.iter().map(|one| match &one.contributions {
            Some(Addends::Of(list)) => list.as_ref().clone(),
            _ => Contributions::ones(own(one)),
        });
        // That every sum over the population fits was proven before anything ran.
        sums.of(parts.collect()).ok()?
    };
    let footprint = Footprint::of(&contributions);
    Some((
        footprint,
        is_sum.then_some(Addends::Of(Cow::Owned(contributions))),
    ))
}

impl Margin {
    fn listed<'d, 'a>(
        &'d self,
        draft: &'d Draft<'_, 'a>,
    ) -> impl Iterator<Item = (usize, &'d Listed<'a>)> {
        let cells = self.cells.iter();
        cells.filter_map(|at| Some((*at, draft.listed.get(*at)?)))
    }

    fn fresh<'d, 'a>(
        &'d self,
        draft: &'d Draft<'_, 'a>,
    ) -> impl Iterator<Item = (usize, &'d Listed<'a>)> {
        self.listed(draft).filter(|(_, cell)| cell.fresh)
    }

    fn columns<'d>(&self, draft: &'d Draft<'_, '_>) -> Vec<&'d ColumnRef> {
        let keys = &draft.sheet.question.keys;
        let places = self.varying.iter();
        places
            .filter_map(|place| Some(keys.get(*place)?.column()))
            .collect()
    }

    /// What the listed cells add up to; nothing if that is a single cell.
    fn union<'a>(
        &self,
        draft: &Draft<'_, 'a>,
        sums: &mut Sums,
    ) -> Option<(Entry, Vec<FacetCandidate<'a>>)> {
        let (_, first) = self.listed(draft).next()?;
        if self.cells.len() < 2 {
            return None;
        }
        let facets = (0..first.facets.len()).filter_map(|at| self.sum(draft, at, sums));
        let facets: Vec<FacetCandidate<'a>> = facets.collect();
        // What is no statement of its form says so itself; the others of its measure may be exact.
        let says_so = |facet: &FacetCandidate<'_>| facet.facet.form == Form::Rows(0);
        let exact = facets.iter().all(|facet| facet.exact || says_so(facet));
        let entry = Entry {
            id: self.id(draft, &first.entry.id),
            shape: facets.first()?.facet.shape.clone(),
            state: State::Union { exact },
            project: draft.sheet.project.to_owned(),
            core: draft.sheet.core,
            facets: facets.iter().map(|facet| facet.facet.clone()).collect(),
        };
        Some((entry, facets))
    }

    /// The union of cells is known by the cells.
    fn id(&self, draft: &Draft<'_, '_>, like: &ReleaseId) -> ReleaseId {
        let cells = self.listed(draft).map(|(_, cell)| cell.entry.id.predicate);
        let cells: BTreeSet<[u8; 32]> = cells.collect();
        let mut hash = Sha256::new();
        hash.update(b"quorate/union/v1\0");
        cells.iter().for_each(|cell| hash.update(cell));
        ReleaseId {
            predicate: hash.finalize().into(),
            ..like.clone()
        }
    }

    /// Whether the listed cells fill a box: every combination of the values that occur is there.
    fn is_box(&self, draft: &Draft<'_, '_>) -> bool {
        let columns: BTreeSet<&ColumnRef> = self.columns(draft).into_iter().collect();
        let values = |place: &usize| {
            let keys = self
                .listed(draft)
                .filter_map(|(_, cell)| draft.rows.get(cell.row));
            let values: BTreeSet<&Scalar> = keys.filter_map(|row| row.key.get(*place)).collect();
            values.len()
        };
        let size = self
            .varying
            .iter()
            .map(values)
            .fold(1, usize::saturating_mul);
        columns.len() == self.varying.len() && size == self.cells.len()
    }

    /// Whether somebody may be in several cells: the keys are columns of a table of events.
    fn may_overlap(&self, draft: &Draft<'_, '_>) -> bool {
        let sheet = draft.sheet;
        let table = sheet.codebook.tables.get(&sheet.question.rows);
        let events = table.is_some_and(|table| matches!(table.rows, RowsPer::Many { .. }));
        let mut columns = self.columns(draft).into_iter();
        events && columns.any(|column| column.table == sheet.question.rows)
    }

    /// One facet of all listed cells together, in the smallest box around them. Numbers of persons
    /// add up to more than their union where somebody may be in several cells.
    fn sum<'a>(
        &self,
        draft: &Draft<'_, 'a>,
        at: usize,
        sums: &mut Sums,
    ) -> Option<FacetCandidate<'a>> {
        let all: Vec<&FacetCandidate<'a>> = self
            .listed(draft)
            .filter_map(|(_, cell)| cell.facets.get(at))
            .collect();
        let first = all.first()?;
        let may_overlap = self.may_overlap(draft);
        let persons = |candidate: &&FacetCandidate<'_>| candidate.facet.form == Form::Persons;
        let overlap = may_overlap && all.iter().any(persons);
        let one_each = all.iter().all(persons) && !overlap;
        // Beside some means rows are told, beside others persons in their place.
        let mixed = all.iter().any(|other| other.facet.form != first.facet.form);
        let addends = || all.iter().filter_map(|one| one.contributions.as_ref());
        let limited = addends().any(Addends::is_limited);
        let is_known = |one: &&FacetCandidate<'_>| one.contributions.is_some() || persons(one);
        let known = all.iter().all(is_known);
        let is_sum = !first.facet.form.is_count();
        let (mut footprint, contributions) = match apart(&all, is_sum, sums) {
            Some(found) => found,
            None => together(&all, one_each, is_sum, sums)?,
        };
        footprint.spread = footprint.spread.filter(|_| known);
        let shapes: Vec<&Shape> = all.iter().map(|candidate| &candidate.asked).collect();
        let asked = self.around(draft, &shapes)?;
        let also = match overlap || mixed {
            true => Vec::new(),
            false => self.also(draft, &all)?,
        };
        let form = match overlap || mixed {
            true => Form::Rows(0),
            false => first.facet.form,
        };
        Some(FacetCandidate {
            facet: Facet {
                vec: first.facet.vec,
                form,
                shape: same(&asked, form, draft.sheet.codebook),
                footprint,
            },
            asked,
            contributions,
            first_vec: first.first_vec,
            clamp: first.clamp,
            across: Across {
                also,
                ..first.across.clone()
            },
            same_in_every_box: first.same_in_every_box && !overlap,
            // Parts of what limits took something off do not add up to it.
            exact: self.is_box(draft)
                && !overlap
                && !mixed
                && !(may_overlap && (limited || !known)),
        })
    }

    /// What the sum of all is too, where each is: their lists have one order.
    fn also(&self, draft: &Draft<'_, '_>, all: &[&FacetCandidate<'_>]) -> Option<Vec<Statement>> {
        let first = &all.first()?.across.also;
        if all.iter().any(|one| one.across.also.len() != first.len()) {
            return Some(Vec::new());
        }
        let each = first.iter().enumerate().map(|(at, like)| {
            let shapes = all.iter().map(|one| one.across.also.get(at));
            let shapes: Option<Vec<&Statement>> = shapes.collect();
            let shapes = shapes?;
            let alike = |one: &&Statement| one.vec == like.vec && one.form == like.form;
            let shapes: Vec<&Shape> = shapes.into_iter().filter(alike).map(|s| &s.shape).collect();
            let whole = shapes.len() == all.len();
            let shape = self.around(draft, &shapes).filter(|_| whole)?;
            Some(Statement {
                shape,
                ..like.clone()
            })
        });
        Some(each.flatten().collect())
    }

    fn around(&self, draft: &Draft<'_, '_>, shapes: &[&Shape]) -> Option<Shape> {
        let mut around = (*shapes.first()?).clone();
        for column in self.columns(draft) {
            let sets = shapes.iter().map(|shape| {
                let set = shape.predicate.boxes.get(column);
                set.cloned().unwrap_or_else(Set::anything)
            });
            let all = sets.reduce(|a, b| Set {
                null: a.null || b.null,
                values: a.values.union(&b.values),
            });
            around.predicate.boxes.remove(column);
            narrow(&mut around.predicate, column, &all?, draft.sheet.codebook);
        }
        Some(around)
    }

    /// A known total beside which a single withheld cell is left over, which it would show.
    fn remainder(&self, draft: &Draft<'_, '_>, history: &History) -> Option<Hit> {
        let rows = draft.rows.iter();
        let rows: Vec<_> = rows
            .filter(|row| fixed(&row.key, &self.varying) == self.fixed)
            .collect();
        let hidden = rows
            .iter()
            .filter(|row| !matches!(row.cells.get(self.measure), Some(Cell::Value(_))));
        if hidden.count() != 1 {
            return None;
        }
        let has_null = |place: &usize| {
            rows.iter()
                .any(|row| row.key.get(*place) == Some(&Scalar::Null))
        };
        let (_, first) = self.listed(draft).next()?;
        let known = first.facets.iter().find_map(|candidate| {
            let mut whole = candidate.asked.clone();
            for (column, place) in self.columns(draft).into_iter().zip(&self.varying) {
                let all = draft.sheet.question.filter.boxes.get(column);
                let all = all.cloned().unwrap_or_else(Set::anything);
                let all = if has_null(place) {
                    all
                } else {
                    all.intersect(&Set::not_null())
                };
                whole.predicate.boxes.remove(column);
                narrow(&mut whole.predicate, column, &all, draft.sheet.codebook);
            }
            let whole = same(&whole, candidate.facet.form, draft.sheet.codebook);
            history.total(&candidate.facet, &whole)
        });
        known.map(|total| Hit {
            rule: "total",
            why: format!("an earlier total, {total}, would show the only withheld cell"),
            statistic: None,
            near: Near::No,
        })
    }
}
