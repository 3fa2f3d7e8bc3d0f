//! People with keys, and a project that is in order: tests change one thing of it.

use std::collections::{BTreeMap, BTreeSet};

use quorate_governance::airlock::Mode;
use quorate_governance::people::Person;
use quorate_governance::project::{Budget, LegalBases, Member, Part, Project};
use quorate_governance::{Artefact, Opened, Purpose};
use quorate_identity::{KeyId, Name, SigningKey, sha256};

/// The moment of most tests.
pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const DAY: i64 = 86_400;

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Everybody's key follows from their name.
pub(crate) fn key(who: &str) -> SigningKey {
    SigningKey::from_seed(&sha256(who.as_bytes())).unwrap()
}

pub(crate) fn person(who: &str) -> Person {
    Person {
        name: name(who),
        key: key(who).key_id().clone(),
    }
}

pub(crate) fn people(names: &[&str]) -> Vec<Person> {
    names.iter().map(|who| person(who)).collect()
}

pub(crate) fn keys(names: &[&str]) -> BTreeSet<KeyId> {
    names.iter().map(|who| key(who).key_id().clone()).collect()
}

pub(crate) fn digest(of: &str) -> String {
    quorate_identity::digest_text(&sha256(of.as_bytes()))
}

/// Signs by these people and opens again.
pub(crate) fn signed<A: Artefact>(content: &A, by: &[&str]) -> Opened<A> {
    let mut signed = content.sign(&key(by[0]));
    for who in &by[1..] {
        quorate_governance::artefact::cosign(&key(who), &mut signed);
    }
    Opened::open(&signed).unwrap()
}

pub(crate) fn project() -> Project {
    let columns = ["sex", "age"].map(str::to_owned);
    Project {
        network: name("heart"),
        id: name("heart-1"),
        version: 1,
        previous: String::new(),
        title: "Heart disease by age".to_owned(),
        lay_summary: "We count who has heart disease.".to_owned(),
        purpose: Purpose::Research,
        public_benefit: "Earlier care.".to_owned(),
        organisation: "Example University".to_owned(),
        legal: LegalBases {
            article6: "6(1)(e)".to_owned(),
            article9: "9(2)(j)".to_owned(),
            confidentiality: "section 251".to_owned(),
            opt_out: "yes, 2026-11-01".to_owned(),
        },
        ethics: "REC 26/1".to_owned(),
        dpia: "DPIA 7".to_owned(),
        applicant: person("alice"),
        members: vec![
            Member {
                person: person("alice"),
                part: Part::Analyst,
            },
            Member {
                person: person("mia"),
                part: Part::Manager,
            },
        ],
        nodes: BTreeSet::from([name("north"), name("south")]),
        data: BTreeMap::from([("person".to_owned(), columns.into_iter().collect())]),
        budget: Budget { questions: 20 },
        release: Mode::Review,
        starts: NOW - DAY,
        expires: NOW + 30 * DAY,
    }
}
