//! What an answer rests on, from its signed bytes back to the project's record, link by link.
//!
//! The receipt inside an answer names by digest everything that its node's decision rests on. What
//! a custodian shows under such a digest (records of the ledger, signed acts of governance) is held
//! against the digest, against its own signatures and against what the receipt says of it. What it
//! must not know: files, networks, and what a policy holds: who may vote, approve or review is for
//! the node to decide; here stands who did.

use std::collections::{BTreeMap, BTreeSet};

use quorate_evidence::receipt::Checked;
use quorate_evidence::record::{Event, Record, Statement};
use quorate_governance::acceptance::{Acceptance, Word};
use quorate_governance::airlock::{Review, Verdict};
use quorate_governance::approval::{Approval, Subject};
use quorate_governance::project::{self, Part};
use quorate_governance::vote::Vote;
use quorate_governance::{Artefact, ArtefactError, Opened, Project};
use quorate_identity::{KeyId, Roster, Signed, digest_text};
use serde::Serialize;

use crate::audit::Audit;
use crate::verify::{VerifiedResult, Words};

/// How far a link is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It was shown, is what its digest says, and says what the receipt says.
    Shown,
    /// Only its digest is known.
    Named,
    /// It is not what names it.
    Broken,
}

/// One link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// What it is: `answer`, `ledger record`, `project record`, `vote`, `acceptance`, `approval`,
    /// `review`, `document`, `data`, `policy`.
    pub what: &'static str,
    /// Its digest; empty where there is nothing.
    pub digest: String,
    /// How far it is known.
    pub standing: Standing,
    /// What it says, or what is wrong with it.
    pub words: String,
}

/// Everything that a result rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lineage {
    /// The links of every node whose answer carries a receipt, from the answer back.
    pub nodes: BTreeMap<String, Vec<Link>>,
    /// Acts that were shown and that no answer names: of something else, or edited.
    pub strangers: Vec<Link>,
}

impl Lineage {
    /// Whether every link that was shown is what names it.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let links = self.nodes.values().flatten();
        self.strangers.is_empty() && links.into_iter().all(|l| l.standing != Standing::Broken)
    }
}

/// Follows a result back.
#[must_use]
pub fn lineage(verified: &VerifiedResult, roster: &Roster, audit: &Audit) -> Lineage {
    let mut found = Lineage::default();
    let mut strangers: BTreeMap<String, &Signed> = audit
        .acts
        .iter()
        .map(|act| (digest_text(&act.digest()), act))
        .collect();
    for (node, words) in verified.words() {
        let (Words::Answer(answer), Some(receipt)) = (words, verified.receipts().get(node)) else {
            continue;
        };
        let chain = Chain {
            node,
            receipt,
            told: &receipt.statement,
            answer: digest_text(&answer.digest()),
            roster,
        };
        let records = audit.records.get(node);
        let mut links = vec![chain.signed(answer.signer())];
        links.extend(chain.ledger(records.unwrap_or(&BTreeMap::new())));
        links.extend(chain.documents(&audit.acts));
        links.extend(chain.kept());
        strangers.retain(|digest, act| !chain.names(digest, act));
        found.nodes.insert(node.clone(), links);
    }
    let words = "no answer here names it: it belongs to something else, or was edited";
    let stranger = |(digest, _)| link("act", digest, Err(words.to_owned()));
    found.strangers = strangers.into_iter().map(stranger).collect();
    found
}

/// What one node's links are held against.
struct Chain<'a> {
    node: &'a str,
    receipt: &'a Checked,
    told: &'a Statement,
    /// Digest of the signed answer.
    answer: String,
    roster: &'a Roster,
}

/// What an act says, or why it is not what names it.
type Said = Result<String, String>;

impl Chain<'_> {
    fn signed(&self, key: &KeyId) -> Link {
        Link {
            what: "answer",
            digest: self.answer.clone(),
            standing: Standing::Shown,
            words: format!("signed by {} {key}", self.node),
        }
    }

    /// The records of the question: its arrival, the decision, what left.
    fn ledger(&self, shown: &BTreeMap<u64, (Record, String)>) -> Vec<Link> {
        let decided = self.record(
            self.receipt.record.seq,
            self.receipt.hash.clone(),
            Ok("what leaves was decided; its receipt is in the answer".to_owned()),
        );
        let mut links = BTreeMap::from([(self.receipt.record.seq, decided)]);
        for (seq, (record, hash)) in shown {
            if let Some(said) = self.of_record(*seq, record, hash) {
                links.insert(*seq, self.record(*seq, hash.clone(), said));
            }
        }
        links.into_values().collect()
    }

    /// What a record says of the question, if it is one of it and not in the receipt.
    fn of_record(&self, seq: u64, record: &Record, hash: &str) -> Option<Said> {
        let question = &self.told.question;
        match &record.event {
            Event::Open(open) if open.question == *question => {
                let same = open.payload == self.told.payload && open.policy == self.told.policy;
                let words = format!("the question of {} arrived", open.actor.subject);
                Some(hold(same, "another question, or another policy").map(|()| words))
            }
            Event::Close(close) if close.question == *question => {
                let same = close.outcome != "answered" || close.result == self.answer;
                let words = format!("the outcome was stored: {}", close.outcome);
                Some(hold(same, "another answer than this one left").map(|()| words))
            }
            _ if seq == self.receipt.record.seq && hash != self.receipt.hash => {
                Some(Err("not the record in the receipt".to_owned()))
            }
            _ => None,
        }
    }

    fn record(&self, seq: u64, digest: String, said: Said) -> Link {
        let said = said.map(|words| format!("{seq}: {words}"));
        link("ledger record", digest, said)
    }

    /// The signed acts that the decision names, and the votes on its project's record.
    fn documents(&self, acts: &[Signed]) -> Vec<Link> {
        let shown: BTreeMap<String, &Signed> = acts
            .iter()
            .map(|act| (digest_text(&act.digest()), act))
            .collect();
        let mut links = Vec::new();
        let record = &self.told.project_record;
        if !record.is_empty() {
            links.push(match shown.get(record) {
                Some(act) => link("project record", record.clone(), self.project(act)),
                None => named("project record", record, &self.told.project),
            });
            for (digest, act) in &shown {
                if act.kind == Vote::KIND && votes_on(act, record) {
                    links.push(link("vote", digest.clone(), self.vote(act)));
                }
            }
        }
        for digest in self.told.approval.documents.iter().filter(|d| *d != record) {
            links.push(match shown.get(digest) {
                Some(act) => self.document(digest, act),
                None => named("document", digest, "its custodian has it"),
            });
        }
        links
    }

    /// Whether the decision rests on an act, or the act on the same record.
    fn names(&self, digest: &String, act: &Signed) -> bool {
        let record = &self.told.project_record;
        let named = digest == record || self.told.approval.documents.contains(digest);
        named || act.kind == Vote::KIND && votes_on(act, record)
    }

    fn document(&self, digest: &str, act: &Signed) -> Link {
        let (what, said) = match act.kind.as_str() {
            Acceptance::KIND => ("acceptance", self.acceptance(act)),
            Approval::KIND => ("approval", self.approval(act)),
            Review::KIND => ("review", self.review(act)),
            other => (
                "document",
                Err(format!("a {other}: no decision rests on such")),
            ),
        };
        link(what, digest.to_owned(), said)
    }

    fn project(&self, act: &Signed) -> Said {
        let record: Opened<Project> = open(act)?;
        project::check(&record, &self.told.network).map_err(|why| why.to_string())?;
        let content = record.content();
        hold(content.id == *self.told.project, "of another project")?;
        let asks = content.members.iter().any(|member| {
            member.part == Part::Analyst && member.person.name == *self.told.researcher
        });
        hold(asks, "who asked is no analyst of it")?;
        let covered = |column: &String| {
            let (table, name) = column.split_once('.').unwrap_or((column, ""));
            let columns = content.data.get(table);
            columns.is_some_and(|columns| columns.contains(name))
        };
        let outside: BTreeSet<_> = self.told.columns.iter().filter(|c| !covered(c)).collect();
        hold(
            outside.is_empty(),
            "columns were used that it does not name",
        )?;
        Ok(format!(
            "{} version {}, \"{}\": signed by {}, who applies",
            content.id, content.version, content.title, content.applicant.name
        ))
    }

    fn vote(&self, act: &Signed) -> Said {
        let vote: Opened<Vote> = open(act)?;
        let content = vote.content();
        let theirs = vote.said_by(&content.voter.key, !content.agrees);
        hold(theirs, "not signed by who votes")?;
        let word = if content.agrees { "for" } else { "against" };
        Ok(format!("{} votes {word} it", content.voter.name))
    }

    fn acceptance(&self, act: &Signed) -> Said {
        let word: Opened<Acceptance> = open(act)?;
        let content = word.content();
        self.of_this(content.network.as_str(), content.node.as_str())?;
        let same = content.record == self.told.project_record;
        hold(same, "of another project record")?;
        let Word::Accept { release, .. } = &content.word else {
            return Err("a refusal: nothing may rest on it".to_owned());
        };
        Ok(format!(
            "accepted for {}, release {}: signed by {}",
            self.node,
            release.as_str(),
            self.signers(word.signers(), content.at)
        ))
    }

    fn approval(&self, act: &Signed) -> Said {
        let approval: Opened<Approval> = open(act)?;
        let content = approval.content();
        hold(content.network == *self.told.network, "of another network")?;
        hold(content.project == *self.told.project, "of another project")?;
        hold(
            content.codebook == self.told.codebook,
            "of another codebook",
        )?;
        let of = match &content.subject {
            Subject::Question { hash } => {
                hold(*hash == self.told.hash, "of another question")?;
                "this question"
            }
            Subject::Cohort { .. } => "questions of its cohort",
            Subject::Template { .. } => "its text, with parameters in their domains",
        };
        Ok(format!(
            "serial {} of {of}: signed by {}",
            content.serial,
            self.signers(approval.signers(), content.issued)
        ))
    }

    fn review(&self, act: &Signed) -> Said {
        let review: Opened<Review> = open(act)?;
        let content = review.content();
        self.of_this(content.network.as_str(), content.node.as_str())?;
        let same = content.question == self.told.question;
        hold(same, "of another question")?;
        hold(
            review.said_by(&content.checker.key, false),
            "not signed by its checker alone",
        )?;
        let word = match &content.verdict {
            Verdict::Approve => "may leave".to_owned(),
            Verdict::Suppress { cells } => format!("{} cells more withheld", cells.len()),
            Verdict::Return { .. } => return Err("it was returned, and left".to_owned()),
        };
        Ok(format!("{} says: {word}", content.checker.name))
    }

    fn of_this(&self, network: &str, node: &str) -> Result<(), String> {
        hold(network == self.told.network, "of another network")?;
        hold(node == self.node, "of another node")
    }

    /// Names in the roster, where it knows a key.
    fn signers(&self, keys: &BTreeSet<KeyId>, at: i64) -> String {
        let name = |key: &KeyId| match self.roster.by_key(key, at) {
            Ok(member) => format!("{} ({})", member.name, member.role),
            Err(_) => key.to_string(),
        };
        keys.iter().map(name).collect::<Vec<_>>().join(", ")
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

fn open<A: Artefact>(act: &Signed) -> Result<Opened<A>, String> {
    Opened::open(act).map_err(|why: ArtefactError| why.to_string())
}

fn votes_on(act: &Signed, record: &str) -> bool {
    let vote: Result<Vote, _> = quorate_governance::artefact::read(&act.payload);
    vote.is_ok_and(|vote| vote.record == record)
}

fn hold(right: bool, why: &str) -> Result<(), String> {
    if right { Ok(()) } else { Err(why.to_owned()) }
}

fn named(what: &'static str, digest: &str, words: &str) -> Link {
    Link {
        what,
        digest: digest.to_owned(),
        standing: Standing::Named,
        words: words.to_owned(),
    }
}

fn link(what: &'static str, digest: String, said: Said) -> Link {
    let (standing, words) = match said {
        Ok(words) => (Standing::Shown, words),
        Err(why) => (Standing::Broken, why),
    };
    Link {
        what,
        digest,
        standing,
        words,
    }
}
