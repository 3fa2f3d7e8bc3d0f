//! The codebook as it grows while a text is read: every derived column makes a new one, and what was
//! looked up in an earlier one stays valid.

use std::cell::{OnceCell, RefCell};

use crate::codebook::{Codebook, ColumnRef};
use crate::derived::{Called, Columns, Derived};

/// The codebook that a text is read against, and what it became.
pub(super) struct Books<'a> {
    base: &'a Codebook,
    grown: Link,
    /// What the statement of a cohort calls its columns.
    called: RefCell<Called>,
}

#[derive(Default)]
struct Link(OnceCell<Box<Grown>>);

struct Grown {
    book: Codebook,
    next: Link,
}

impl<'a> Books<'a> {
    pub(super) fn new(base: &'a Codebook) -> Self {
        Self {
            base,
            grown: Link::default(),
            called: RefCell::default(),
        }
    }

    /// Notes what the statement of a cohort calls its columns.
    pub(super) fn call(&self, called: Called) {
        self.called.borrow_mut().extend(called);
    }

    /// What the statement of a cohort calls those of these columns that it derives.
    pub(super) fn called(&self, columns: &Columns) -> Called {
        let mut called = self.called.borrow().clone();
        called.retain(|name, _| columns.contains_key(name));
        called
    }

    /// The present codebook.
    pub(super) fn present(&self) -> &Codebook {
        let mut book = self.base;
        let mut link = &self.grown;
        while let Some(grown) = link.0.get() {
            (book, link) = (&grown.book, &grown.next);
        }
        book
    }

    /// Adds a derived column, unless it is there; `None` if its definition does not fit.
    pub(super) fn derive(&self, derived: &Derived) -> Option<ColumnRef> {
        let present = self.present();
        let name = derived.reference(present);
        if present.derived.contains_key(&name) {
            return Some(name);
        }
        let mut book = present.clone();
        book.add(&name, derived).then_some(())?;
        let mut link = &self.grown;
        while let Some(grown) = link.0.get() {
            link = &grown.next;
        }
        let next = Link::default();
        link.0.get_or_init(|| Box::new(Grown { book, next }));
        Some(name)
    }
}
