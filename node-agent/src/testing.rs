//! A whole node in a temporary folder, for tests of the story: keys, roster, policy, data.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use quorate_identity::roster::{Change, Founder, cosign, genesis, unsigned};
use quorate_identity::{KeyId, Name, Role, Roster, SigningKey};
use quorate_query::analyses::Request;
use quorate_query::canonical;
use quorate_query::codebook::Codebook;
use quorate_query::question::Params;
use quorate_wire::{
    AnswerPayload, Opened, QuestionId, QuestionPayload, RefusalPayload, sign_question,
};

use crate::answer::{Delivery, Reply, answer};
use crate::node::{Node, Opening};
use crate::policy::{self, Policy};

/// The present moment of every test.
pub(crate) const NOW: i64 = 1_800_000_000;
/// What every test's delivery says of the certificate that it came with.
pub(crate) const PEER: &str = "sha256:of the coordinator's certificate";
const FAR: i64 = NOW + 400 * 86_400;

/// A node's house: everything it is opened with.
pub(crate) struct House {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) codebook: Arc<Codebook>,
    pub(crate) roster: Roster,
    pub(crate) policy: String,
    asked: std::cell::Cell<u64>,
}

/// A codebook of persons alone.
pub(crate) const BOOK: &str = r#"
[codebook]
format = 1
name = "test"
version = 1
unit = "person.id"

[release]
k = 8
round_base = 5

[table.person]
rows = "one-per-unit"
[table.person.column]
id = { type = "int", role = ["unit"] }
sex = { type = "int", role = ["filter", "group"], domain = { 0 = "f", 1 = "m" } }
town = { type = "text", role = ["filter", "group"] }
weight = { type = "int", role = ["filter", "value"], bounds = [30, 150] }

[[core]]
sql = "SELECT sex, count(*) FROM person GROUP BY sex"
"#;

/// A house with [`BOOK`], or what is made of it, over 100 persons: sex 1 for 40 of them, town "a"
/// for 60, "b" for 37 and "c" for 3, weights from 40 to 99. `release` is the policy's `[release]`.
pub(crate) fn people(book: &str, release: &str) -> House {
    let row = |i: i32| {
        let town = match i {
            ..60 => "a",
            60..97 => "b",
            _ => "c",
        };
        format!("{i},{},{town},{}\n", i32::from(i % 5 < 2), 40 + i * 7 % 60)
    };
    let rows: String = (0..100).map(row).collect();
    let policy =
        format!("[source.person]\nkind = \"csv\"\npath = \"people.csv\"\n[release]\n{release}\n");
    let people = format!("id,sex,town,weight\n{rows}");
    House::new(book, &policy, false, &[("people.csv", &people)])
}

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32]).unwrap()
}

/// The node's own key.
pub(crate) fn node_key() -> SigningKey {
    key(2)
}

/// Alice is on the roster and in the project.
pub(crate) fn alice() -> SigningKey {
    key(3)
}

/// Bob is on the roster only.
pub(crate) fn bob() -> SigningKey {
    key(4)
}

fn roster() -> Roster {
    let network: Name = Name::parse("net").unwrap();
    let custodian = key(1);
    let founder = Founder {
        name: Name::parse("carla").unwrap(),
        key: custodian.key_id().clone(),
        until: FAR,
    };
    let signed = |payload| {
        let mut entry = unsigned(payload);
        cosign(&custodian, &mut entry);
        entry
    };
    let first = signed(genesis(&network, vec![founder], NOW - 1000));
    let mut roster = Roster::verify(Some("net"), &[custodian.key_id().clone()], &[first]).unwrap();
    let members = [
        (Role::Node, "cleveland", node_key()),
        (Role::Researcher, "alice", alice()),
        (Role::Researcher, "bob", bob()),
    ];
    for (role, name, key) in members {
        let change = Change::Add {
            role,
            name: Name::parse(name).unwrap(),
            key: key.key_id().clone(),
            until: FAR,
        };
        roster
            .append(&signed(roster.propose(change, NOW - 900)))
            .unwrap();
    }
    roster
}

impl House {
    /// A house with a codebook and the `[source...]` and `[release]` parts of a policy; `files`
    /// are put into its folder.
    pub(crate) fn new(
        codebook: &str,
        sources: &str,
        synthetic: bool,
        files: &[(&str, &str)],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let codebook = quorate_query::codebook::read(codebook, "codebook.toml").unwrap();
        let tables: Vec<_> = codebook.tables.keys().map(|t| format!("\"{t}\"")).collect();
        let policy = format!(
            "[node]\nformat = 1\nname = \"cleveland\"\ncoordinator = \"https://127.0.0.1:1\"\n\
             state = \"state\"\ngenesis = [\"{}\"]\ncodebooks = [\"{}\"]\nproxy = \"none\"\n\
             [population]\nname = \"people\"\nsynthetic = {synthetic}\n{sources}\n\
             [[project]]\nid = \"heart-1\"\nuntil = 2030-12-31\ntables = [{}]\n\
             members = [{{ name = \"alice\", key = \"{}\" }}]\napproval = \"auto\"\n\
             [limits]\nmemory = \"256 MiB\"\ntime = \"30 s\"\n",
            key(1).key_id(),
            codebook.digest,
            tables.join(", "),
            alice().key_id(),
        );
        Self {
            folder,
            codebook: Arc::new(codebook),
            roster: roster(),
            policy,
            asked: std::cell::Cell::new(0),
        }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn policy(&self) -> Policy {
        let path: &Path = self.folder.path();
        policy::read(&self.policy, "node.toml", path, &[&self.codebook]).unwrap()
    }

    pub(crate) fn opening(&self) -> Opening {
        crate::state::folder(&self.state()).unwrap();
        Opening {
            policy: self.policy(),
            key: node_key(),
            roster: self.roster.clone(),
            codebooks: vec![Arc::clone(&self.codebook)],
            stopwatch: Arc::new(|| Duration::ZERO),
            timings: None,
            now: NOW,
        }
    }

    pub(crate) fn open(&self) -> Node {
        Node::open(self.opening()).unwrap()
    }

    /// A well-formed question of Alice.
    pub(crate) fn question(&self, sql: &str) -> QuestionPayload {
        self.question_of(sql.into())
    }

    /// A well-formed question of Alice, in SQL or as an analysis.
    pub(crate) fn question_of(&self, request: Request) -> QuestionPayload {
        self.asked.set(self.asked.get() + 1);
        let digest = request
            .read(&Params::new(), &self.codebook)
            .map_or([0; 32], |question| question.digest());
        QuestionPayload {
            network: "net".into(),
            question_id: QuestionId::new(self.asked.get(), &[9; 10]),
            researcher: "alice".into(),
            project: "heart-1".into(),
            purpose: "to test".into(),
            nodes: BTreeSet::new(),
            codebook: self.codebook.digest.clone(),
            roster_head: self.roster.head().hash,
            request,
            canonical_version: canonical::VERSION,
            canonical_digest: digest,
            params: BTreeMap::new(),
            not_before: NOW - 60,
            expires: NOW + 3600,
            must_understand: BTreeSet::new(),
            min_nodes: 0,
        }
    }

    pub(crate) fn deliver(&self, question: &QuestionPayload, by: &SigningKey) -> Delivery {
        Delivery {
            question: sign_question(question, by),
            round: 0,
            peer: PEER.into(),
        }
    }

    /// Alice's question, answered.
    pub(crate) fn ask(&self, node: &Node, sql: &str) -> AnswerPayload {
        answered(&tell(node, self.deliver(&self.question(sql), &alice())))
    }
}

/// What the node says.
pub(crate) fn tell(node: &Node, delivery: Delivery) -> quorate_identity::Signed {
    hear(node, delivery).expect("the node says nothing")
}

/// What the node says, if it says anything.
pub(crate) fn hear(node: &Node, delivery: Delivery) -> Option<quorate_identity::Signed> {
    hear_at(node, delivery, NOW)
}

/// What the node says at some time, if it says anything.
pub(crate) fn hear_at(
    node: &Node,
    delivery: Delivery,
    now: i64,
) -> Option<quorate_identity::Signed> {
    let waiting = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    match waiting.block_on(answer(node, delivery, now)) {
        Reply::Say(message) => Some(message),
        Reply::Waits | Reply::Nothing => None,
    }
}

/// What the node says of something that waits in its airlock, now that something has happened.
pub(crate) fn again(node: &Node, now: i64) -> Vec<Reply> {
    let waiting = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let held = node.with_store(|store| store.held()).unwrap();
    let mut replies = Vec::new();
    for one in held {
        replies.push(waiting.block_on(crate::answer::resume(node, &one, now)));
    }
    replies
}

fn node_id() -> KeyId {
    node_key().key_id().clone()
}

pub(crate) fn answered(message: &quorate_identity::Signed) -> AnswerPayload {
    if message.kind == "refusal" {
        panic!("refused: {}", refused(message).code);
    }
    let opened: Opened<AnswerPayload> = quorate_wire::open(message, &node_id()).unwrap();
    opened.into_payload()
}

pub(crate) fn refused(message: &quorate_identity::Signed) -> RefusalPayload {
    let opened: Opened<RefusalPayload> = quorate_wire::open(message, &node_id()).unwrap();
    opened.into_payload()
}
