//! Training, agreements and accreditation count only from a trusted issuer, in the very version
//! that is required, and until they end.

use std::collections::BTreeSet;

use quorate_governance::people::{Evidence, EvidenceKind, Required, check};
use quorate_governance::{Artefact, Opened};

use crate::support::{DAY, NOW, keys, name, person, signed};

fn evidence(kind: EvidenceKind, version: &str, expires: i64) -> Evidence {
    Evidence {
        network: name("heart"),
        subject: person("alice"),
        kind,
        name: "safe-use".to_owned(),
        version: version.to_owned(),
        issuer: person("school"),
        issued: NOW - DAY,
        expires,
    }
}

fn required(kind: EvidenceKind) -> BTreeSet<Required> {
    BTreeSet::from([Required {
        kind,
        name: "safe-use".to_owned(),
        version: "2".to_owned(),
    }])
}

fn has(shown: &[Opened<Evidence>], kind: EvidenceKind, now: i64) -> bool {
    let issuers = keys(&["school"]);
    check(
        &person("alice"),
        &required(kind),
        ("heart", &issuers),
        shown,
        now,
    )
    .is_ok()
}

#[test]
fn training_counts_until_it_expires() {
    let training = EvidenceKind::Training;
    let shown = [signed(&evidence(training, "2", NOW + DAY), &["school"])];
    assert!(has(&shown, training, NOW));
    assert!(has(&shown, training, NOW + DAY));
    assert!(!has(&shown, training, NOW + DAY + 1), "expired");
    assert!(!has(&shown, training, NOW - 2 * DAY), "not issued yet");
    assert!(!has(&shown, EvidenceKind::Agreement, NOW), "another kind");
    assert!(!has(&[], training, NOW));
}

#[test]
fn a_new_version_of_an_agreement_must_be_accepted_anew() {
    let agreement = EvidenceKind::Agreement;
    let shown = [signed(&evidence(agreement, "1", NOW + DAY), &["school"])];
    assert!(!has(&shown, agreement, NOW));
}

#[test]
fn evidence_is_not_self_made_nor_borrowed() {
    let training = EvidenceKind::Training;
    let content = evidence(training, "2", NOW + DAY);
    assert!(!has(&[signed(&content, &["alice"])], training, NOW));
    assert!(!has(
        &[signed(&content, &["school", "alice"])],
        training,
        NOW
    ));
    let mut others = content.clone();
    others.subject = person("bob");
    assert!(!has(&[signed(&others, &["school"])], training, NOW));
    let mut elsewhere = content.clone();
    elsewhere.network = name("lung");
    assert!(!has(&[signed(&elsewhere, &["school"])], training, NOW));
    let mut unknown = content.clone();
    unknown.issuer = person("mill");
    assert!(!has(&[signed(&unknown, &["mill"])], training, NOW));
    let mut own = content;
    own.issuer = person("alice");
    assert!(own.mistakes().join("; ").contains("about themselves"));
}
