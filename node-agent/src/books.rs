//! What questions have derived so far: history judges releases of derived columns by what it knows of
//! these columns, also for a question that names none of them.
//!
//! It is durable with the releases: a column that something which left was derived by is recorded, sealed,
//! in the transaction that records the release, and learnt from there at every start. What it must not
//! know: releases, persons.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use quorate_query::codebook::Codebook;
use quorate_query::derived::Columns;
use quorate_query::question::Question;

use crate::node::lock;

/// Codebooks with the columns that were derived, as far as these fit.
pub(crate) struct Books(Mutex<Known>);

struct Known {
    columns: Columns,
    /// By the digest of the published codebook, with how many columns it was made of.
    books: BTreeMap<String, (usize, Arc<Codebook>)>,
}

impl Books {
    /// These columns are known.
    pub(crate) fn of(columns: &Columns) -> Self {
        Self(Mutex::new(Known {
            columns: columns.clone(),
            books: BTreeMap::new(),
        }))
    }

    /// Takes notice of columns that are on the disk.
    pub(crate) fn learn(&self, columns: &Columns) {
        let mut known = lock(&self.0);
        if known.columns.len() < columns.len() {
            known.columns.clone_from(columns);
        }
    }

    /// The codebook with every derived column that is known and fits it, and those of this question.
    /// These are not remembered: nothing of them may ever leave.
    pub(crate) fn with(&self, codebook: &Arc<Codebook>, question: &Question) -> Arc<Codebook> {
        let known = lock(&self.0).book(codebook);
        let mut names = question.derived.keys();
        if names.all(|name| known.derived.contains_key(name)) {
            return known;
        }
        Arc::new(known.with(&question.derived))
    }
}

impl Known {
    fn book(&mut self, codebook: &Arc<Codebook>) -> Arc<Codebook> {
        let all = self.columns.len();
        if let Some((_, book)) = self
            .books
            .get(&codebook.digest)
            .filter(|(of, _)| *of == all)
        {
            return Arc::clone(book);
        }
        let book = match self.columns.is_empty() {
            true => Arc::clone(codebook),
            false => Arc::new(codebook.with(&self.columns)),
        };
        let made = (all, Arc::clone(&book));
        self.books.insert(codebook.digest.clone(), made);
        book
    }
}

#[cfg(test)]
mod tests {
    use quorate_query::question::Params;
    use quorate_query::sql;

    use super::*;
    use crate::testing::{BOOK, people};

    #[test]
    fn what_left_stays_known_to_every_codebook_it_fits() {
        let book = people(BOOK, "").codebook;
        let books = Books::of(&Columns::new());
        let read = |text: &str| sql::read(text, &Params::new(), &book).unwrap();
        let plain = read("SELECT count(*) FROM person");
        assert_eq!(books.with(&book, &plain).digest, book.digest);
        let case = |at: i64| {
            read(&format!(
                "WITH s AS (SELECT id, CASE WHEN sex = {at} THEN 1 ELSE 0 END AS x FROM person) SELECT x, count(*) FROM s GROUP BY x"
            ))
        };
        // A question knows its own columns; nobody else does until something of them has left.
        assert_eq!(books.with(&book, &case(0)).derived, case(0).derived);
        assert_eq!(books.with(&book, &plain).digest, book.digest);
        books.learn(&case(0).derived);
        assert_eq!(books.with(&book, &plain).derived, case(0).derived);
        let both = books.with(&book, &case(1));
        assert_eq!(both.derived.len(), 2);
        // A later version of the codebook has them too.
        let mut next = Codebook::clone(&book);
        next.digest = quorate_query::codebook::digest("another");
        let next = books.with(&Arc::new(next), &plain);
        assert_eq!(next.derived, case(0).derived);
    }
}
