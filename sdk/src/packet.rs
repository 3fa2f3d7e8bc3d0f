//! A released result as a Five Safes RO-Crate (profile 0.4): what was asked, for which project, by
//! whom, what each node checked and decided under which rules, and the result itself, in a BagIt
//! folder with SHA-512 manifests.
//!
//! Only of a verified result. The same result gives the same files. What it must not know: files
//! and clocks; it hands out names and contents.

use std::collections::BTreeMap;

use quorate_evidence::receipt::Checked;
use serde_json::{Value, json};
use sha2::{Digest, Sha512};

use crate::report;
use crate::verify::{VerifiedResult, Words};

/// The profile that the crate conforms to.
const PROFILE: &str = "https://w3id.org/5s-crate/0.4";

/// Every file of the bag by its path, in order.
#[must_use]
pub fn bag(verified: &VerifiedResult, licence: &str) -> BTreeMap<String, String> {
    let document = report::document(verified, true);
    let result = serde_json::to_string_pretty(&document).unwrap_or_default() + "\n";
    let question = verified.question().payload();
    let text = question.request.text(verified.codebook());
    let metadata = json!({
        "@context": "https://w3id.org/ro/crate/1.1/context",
        "@graph": graph(verified, licence),
    });
    let metadata = serde_json::to_string_pretty(&metadata).unwrap_or_default() + "\n";
    let mut files = BTreeMap::from([
        ("data/question.sql".to_owned(), text + "\n"),
        ("data/result.json".to_owned(), result),
        ("data/ro-crate-metadata.json".to_owned(), metadata),
    ]);
    let payload = manifest(files.iter());
    files.insert("manifest-sha512.txt".to_owned(), payload);
    let bagit = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
    files.insert("bagit.txt".to_owned(), bagit.to_owned());
    let tags = files.iter().filter(|(name, _)| !name.starts_with("data/"));
    let tags = manifest(tags);
    files.insert("tagmanifest-sha512.txt".to_owned(), tags);
    files
}

fn manifest<'a>(files: impl Iterator<Item = (&'a String, &'a String)>) -> String {
    let line = |(name, content): (&String, &String)| {
        let digest = Sha512::digest(content.as_bytes());
        format!("{}  {name}\n", hex::encode(digest))
    };
    files.map(line).collect()
}

/// The entities of the crate.
fn graph(verified: &VerifiedResult, licence: &str) -> Vec<Value> {
    let asked = verified.question().payload();
    let finished = moment(verified.result().payload().finished);
    let checks: Vec<Value> = verified
        .receipts()
        .iter()
        .map(|(node, checked)| check(node, checked))
        .collect();
    let mut mentions = vec![json!({ "@id": "#query" })];
    mentions.extend(
        checks
            .iter()
            .filter_map(|check| Some(json!({ "@id": check.get("@id")? }))),
    );
    let licence_id = if licence.contains("://") {
        licence
    } else {
        "#licence"
    };
    let mut graph = vec![
        json!({
            "@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": { "@id": "./" },
            "conformsTo": { "@id": "https://w3id.org/ro/crate/1.1" },
        }),
        json!({
            "@id": "./", "@type": "Dataset", "conformsTo": { "@id": PROFILE },
            "name": format!("Released result of question {}", asked.question_id),
            "description": asked.purpose, "datePublished": finished,
            "license": { "@id": licence_id }, "author": { "@id": "#person" }, "sourceOrganization": { "@id": "#project" },
            "mainEntity": { "@id": "question.sql" },
            "hasPart": [{ "@id": "question.sql" }, { "@id": "result.json" }],
            "mentions": one_or_all(mentions),
        }),
        json!({
            "@id": "question.sql", "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
            "name": "The question, as it was signed", "programmingLanguage": { "@id": "#sql" },
            "identifier": verified.hash(), "encodingFormat": "application/sql",
        }),
        json!({
            "@id": licence_id, "@type": "CreativeWork", "name": licence,
            "description": "The terms under which the released result may be used",
        }),
        json!({ "@id": "#sql", "@type": "ComputerLanguage", "name": "SQL" }),
        json!({
            "@id": "result.json", "@type": "File", "encodingFormat": "application/json",
            "name": "The verified result, with every node's signed answer",
        }),
        json!({ "@id": "#person", "@type": "Person", "name": asked.researcher }),
        json!({ "@id": "#project", "@type": "Project", "name": asked.project }),
        json!({
            "@id": "#query", "@type": "CreateAction", "name": "The question, run at every node",
            "actionStatus": "http://schema.org/CompletedActionStatus", "endTime": finished,
            "agent": { "@id": "#person" }, "instrument": { "@id": "question.sql" },
            "result": { "@id": "result.json" },
        }),
    ];
    for (node, words) in verified.words() {
        if let Words::Answer(_) | Words::Refusal(_) = words {
            let id = format!("#node-{node}");
            graph.push(json!({ "@id": id, "@type": "Organization", "name": node }));
        }
    }
    graph.extend(checks);
    graph
}

/// The form that the profile asks for: a single value stands alone.
fn one_or_all(mut values: Vec<Value>) -> Value {
    match (values.len(), values.pop()) {
        (1, Some(only)) => only,
        (_, last) => values.into_iter().chain(last).collect(),
    }
}

/// What a node checked before it let its part go.
fn check(node: &str, checked: &Checked) -> Value {
    let said = &checked.statement;
    let rules = &said.rules;
    json!({
        "@id": format!("#check-{node}"), "@type": "AssessAction",
        "additionalType": { "@id": "https://w3id.org/shp#DisclosureCheck" },
        "name": format!("Disclosure check at {node}: released"),
        "actionStatus": "http://schema.org/CompletedActionStatus",
        "agent": { "@id": format!("#node-{node}") }, "object": { "@id": "result.json" },
        "endTime": moment(checked.record.time),
        "description": format!(
            "approved by {}, released {}; mode {}, threshold {}, rounding {}; record {} of the ledger with root {}",
            said.approval.by, said.approval.release, rules.mode, rules.k, rules.round_base,
            checked.record.seq, checked.root
        ),
        "instrument": [said.policy, said.codebook],
    })
}

/// A moment as RFC 3339, in UTC.
fn moment(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| String::new(), |time| time.to_string())
}
