//! What an answer rests on, from its signed bytes back to the project's record, link by link.
//!
//! The receipt inside an answer names by digest everything that its node's decision rests on. What
//! a custodian shows under such a digest (records of the ledger, signed acts of governance) is held
//! against the digest, against its own signatures, and against what question and receipt say. Who
//! may vote, accept, approve or review stands in no roster: the node's ledger tells in what part each
//! signer of an act signed, and an act of which it tells nothing is never more than claimed. What
//! this module must not know: files and networks.

mod acts;
mod records;

use std::collections::{BTreeMap, BTreeSet};

use quorate_evidence::receipt::Checked;
use quorate_evidence::record::Statement;
use quorate_identity::{Signed, digest_text};
use quorate_wire::{AnswerPayload, Opened};
use serde::Serialize;

use crate::audit::{Audit, Ledger};
use crate::verify::{VerifiedResult, Words};

/// How far a link is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It was shown, is what its digest says, and says what question and receipt say.
    Shown,
    /// It is known by its digest, or claimed by somebody of whom nothing that was shown tells.
    Named,
    /// It is not what names it, or it is missing.
    Broken,
}

/// One link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// What it is: `answer`, `ledger record`, `project record`, `vote`, `acceptance`, `approval`,
    /// `review`, `document`, `data`, `policy`, `receipt`, `ledger`, `act`.
    pub what: &'static str,
    /// Its digest; empty where there is none.
    pub digest: String,
    /// How far it is known.
    pub standing: Standing,
    /// What it says, or what is wrong with it.
    pub words: String,
}

impl Link {
    fn new(what: &'static str, digest: &str, said: Said) -> Self {
        let (standing, words) = match said {
            Ok(said) => said,
            Err(why) => (Standing::Broken, why),
        };
        Self {
            what,
            digest: digest.to_owned(),
            standing,
            words,
        }
    }
}

/// Everything that a result rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lineage {
    /// Whether every link that was shown is what names it, and none is missing.
    pub sound: bool,
    /// Which network.
    pub network: String,
    /// Id of the question.
    pub question: String,
    /// The links of every node that answered, from the answer back.
    pub nodes: BTreeMap<String, Vec<Link>>,
    /// Acts that were shown and that no answer names: of something else, or edited.
    pub strangers: Vec<Link>,
}

/// Follows a result back.
#[must_use]
pub fn lineage(verified: &VerifiedResult, audit: &Audit) -> Lineage {
    let mut found = Lineage {
        network: verified.question().payload().network.clone(),
        question: verified.question().payload().question_id.to_string(),
        ..Lineage::default()
    };
    let (acts, mut strangers) = by_digest(&audit.acts);
    let mut unnamed: BTreeSet<&String> = acts.keys().collect();
    for (node, words) in verified.words() {
        let Words::Answer(answer) = words else {
            continue;
        };
        let digest = digest_text(&answer.digest());
        let signed = format!("signed by {node} {}", answer.signer());
        let mut links = vec![Link::new("answer", &digest, Ok((Standing::Shown, signed)))];
        if let Some(receipt) = verified.receipts().get(node) {
            let empty = Ledger::default();
            let chain = Chain {
                node,
                receipt,
                told: &receipt.statement,
                answer,
                verified,
                ledger: audit.ledgers.get(node).unwrap_or(&empty),
            };
            links.extend(chain.links(&acts));
            unnamed.retain(|digest| {
                acts.get(*digest)
                    .is_some_and(|act| !chain.names(digest, act))
            });
        } else {
            let why = "the answer carries none: its node shows nothing of its decision";
            links.push(Link::new("receipt", "", Err(why.to_owned())));
        }
        found.nodes.insert(node.clone(), links);
    }
    let words = "no answer here names it: it belongs to something else, or was edited";
    let stranger = |digest: &String| Link::new("act", digest, Err(words.to_owned()));
    strangers.extend(unnamed.into_iter().map(stranger));
    found.strangers = strangers;
    let all = found.nodes.values().flatten().chain(&found.strangers);
    found.sound = all
        .into_iter()
        .all(|link| link.standing != Standing::Broken);
    found
}

/// Acts by digest; one that stands twice with other signatures is broken.
fn by_digest(acts: &[Signed]) -> (BTreeMap<String, &Signed>, Vec<Link>) {
    let (mut found, mut twice) = (BTreeMap::new(), Vec::new());
    for act in acts {
        let digest = digest_text(&act.digest());
        if let Some(known) = found.insert(digest.clone(), act)
            && known != act
        {
            let why = "it is shown twice, with other signatures";
            twice.push(Link::new("act", &digest, Err(why.to_owned())));
        }
    }
    (found, twice)
}

/// What one node's links are held against.
struct Chain<'a> {
    node: &'a str,
    receipt: &'a Checked,
    told: &'a Statement,
    answer: &'a Opened<AnswerPayload>,
    verified: &'a VerifiedResult,
    /// What was shown of the node's ledger.
    ledger: &'a Ledger,
}

/// What a link says and how far it is known, or what is wrong with it.
type Said = Result<(Standing, String), String>;

impl Chain<'_> {
    fn links(&self, acts: &BTreeMap<String, &Signed>) -> Vec<Link> {
        let mut links = self.records();
        links.extend(self.documents(acts));
        links.extend(self.kept());
        let wrong = self.ledger.contradictions().into_iter();
        links.extend(wrong.map(|why| Link::new("ledger", "", Err(why))));
        links
    }

    /// What stays with the custodian: state of the data and policy.
    fn kept(&self) -> Vec<Link> {
        let mut links = Vec::new();
        if !self.told.registration.is_empty() {
            let words = "registration of the state of the data; it stays with its custodian";
            links.push(named("data", &self.told.registration, words));
        }
        let words = "in force when it was decided; it stays with its custodian";
        links.push(named("policy", &self.told.policy, words));
        links
    }
}

fn hold(right: bool, why: &str) -> Result<(), String> {
    if right { Ok(()) } else { Err(why.to_owned()) }
}

fn named(what: &'static str, digest: &str, words: &str) -> Link {
    Link::new(what, digest, Ok((Standing::Named, words.to_owned())))
}
