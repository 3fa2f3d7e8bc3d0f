//! A network: custodian, coordinator, researcher, three nodes that sign what they are told to.

use std::collections::{BTreeMap, BTreeSet};

use quorate_identity::roster::{Change, Founder, cosign, genesis, unsigned};
use quorate_identity::{Name, Role, Roster, Signed, SigningKey};
use quorate_query::answer::{Cell, Mode, NodeRow, NodeTable, Protection};
use quorate_query::codebook::{self, Codebook};
use quorate_query::combine::{SiteTables, combine_tables};
use quorate_query::number::Number;
use quorate_query::question::Question;
use quorate_query::value::Scalar;
use quorate_sdk::ask::{self, Asked, Draft};
use quorate_wire::{
    AnswerPayload, LedgerRef, NodeOutcome, NodeStatus, Note, Payload, QuestionPayload,
    QuestionStatus, RefusalPayload, ResultPayload, sign,
};

pub(crate) const CODEBOOK: &str = r#"
[codebook]
format = 1
name = "cvd"
version = 3
unit = "person.person_id"
[table.person]
rows = "one-per-unit"
[table.person.column]
person_id = { type = "int", role = ["unit"] }
sex = { type = "int", role = ["filter", "group"], domain = { 0 = "female", 1 = "male" } }
age = { type = "int", unit = "a", role = ["filter", "group", "value"], bounds = [0, 120], bands = [5, 10, 20] }
region = { type = "text", role = ["filter", "group"] }
"#;

pub(crate) const SEXES: &str = "SELECT sex, count(*) AS n FROM person GROUP BY sex";

/// Everybody's entries end then.
const UNTIL: i64 = 4_000_000_000;

pub(crate) struct World {
    pub(crate) custodian: SigningKey,
    pub(crate) hub: SigningKey,
    pub(crate) alice: SigningKey,
    pub(crate) nodes: BTreeMap<&'static str, SigningKey>,
    pub(crate) roster: Roster,
    pub(crate) codebook: Codebook,
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32]).unwrap()
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

impl World {
    pub(crate) fn new() -> Self {
        let (custodian, hub, alice) = (key(1), key(2), key(3));
        let nodes = BTreeMap::from([("bern", key(10)), ("cork", key(11)), ("oslo", key(12))]);
        let founder = Founder {
            name: name("carol"),
            key: custodian.key_id().clone(),
            until: UNTIL,
        };
        let mut first = unsigned(genesis(&name("heart"), vec![founder], 1_700_000_000));
        cosign(&custodian, &mut first);
        let roster =
            Roster::verify(Some("heart"), &[custodian.key_id().clone()], &[first]).unwrap();
        let codebook = codebook::read(CODEBOOK, "codebook.toml").unwrap();
        let mut world = Self {
            custodian,
            hub,
            alice,
            nodes,
            roster,
            codebook,
        };
        world.add(Role::Coordinator, "hub", &key(2));
        world.add(Role::Researcher, "alice", &key(3));
        for (node, seed) in [("bern", 10), ("cork", 11), ("oslo", 12)] {
            world.add(Role::Node, node, &key(seed));
        }
        world
    }

    /// Alice has another key: the one that her profile made.
    pub(crate) fn replace_alice(&mut self, key: &SigningKey) {
        let (role, old) = (Role::Researcher, SigningKey::from_seed(&[3; 32]).unwrap());
        let revoked = Change::Revoke {
            role,
            name: name("alice"),
            key: old.key_id().clone(),
        };
        self.change(revoked);
        self.add(role, "alice", key);
    }

    /// A custodian signs somebody in.
    pub(crate) fn add(&mut self, role: Role, who: &str, member: &SigningKey) {
        let change = Change::Add {
            role,
            name: name(who),
            key: member.key_id().clone(),
            until: UNTIL,
        };
        self.change(change);
    }

    pub(crate) fn change(&mut self, change: Change) {
        let mut entry = unsigned(self.roster.propose(change, 1_700_000_100));
        cosign(&self.custodian, &mut entry);
        self.roster.append(&entry).unwrap();
    }

    pub(crate) fn ask(&self, sql: &str) -> Asked {
        let draft = Draft {
            request: sql.into(),
            project: "heart-1".to_owned(),
            min_nodes: 1,
            ..Draft::default()
        };
        self.sign(&draft)
    }

    pub(crate) fn sign(&self, draft: &Draft) -> Asked {
        let now = 1_790_000_000_000;
        ask::sign(
            draft,
            "alice",
            &self.codebook,
            &self.roster,
            &self.alice,
            now,
        )
        .unwrap()
    }

    pub(crate) fn read(&self, question: &Signed) -> (QuestionPayload, Question) {
        let payload = QuestionPayload::decode(&question.payload).unwrap();
        let meaning = payload
            .request
            .read(&payload.params, &self.codebook)
            .unwrap();
        (payload, meaning)
    }

    /// A node's answer to a question: what it would sign, before it does.
    pub(crate) fn answer(&self, node: &str, question: &Signed, table: NodeTable) -> AnswerPayload {
        let (asked, _) = self.read(question);
        AnswerPayload {
            network: "heart".to_owned(),
            node: node.to_owned(),
            question_id: asked.question_id,
            question_digest: question.digest(),
            round: 0,
            roster_head: self.roster.head().hash,
            codebook: self.codebook.digest.clone(),
            population: format!("{node}-people"),
            epoch: digest(b"epoch"),
            policy: digest(b"policy"),
            protection: Protection {
                mode: Mode::Round,
                k: 8,
                round_base: 5,
            },
            tables: vec![table],
            notes: vec![Note {
                code: "N150".to_owned(),
                text: "the data end in 2025".to_owned(),
            }],
            ledger: LedgerRef {
                seq: 7,
                head: digest(node.as_bytes()),
            },
            receipt: None,
            padding: 0,
        }
    }

    pub(crate) fn answered(&self, node: &str, question: &Signed, table: NodeTable) -> NodeOutcome {
        let signed = sign(&self.answer(node, question, table), &self.nodes[node]);
        outcome(node, NodeStatus::Answered, None, Some(signed))
    }

    pub(crate) fn refused(&self, node: &str, question: &Signed, code: &str) -> NodeOutcome {
        let (asked, _) = self.read(question);
        let refusal = RefusalPayload {
            network: "heart".to_owned(),
            node: node.to_owned(),
            question_id: asked.question_id,
            question_digest: question.digest(),
            round: 0,
            roster_head: self.roster.head().hash,
            codebook: self.codebook.digest.clone(),
            population: format!("{node}-people"),
            epoch: String::new(),
            code: code.to_owned(),
            ticket: String::new(),
            ledger: None,
        };
        let signed = sign(&refusal, &self.nodes[node]);
        outcome(node, NodeStatus::Refused, Some(code), Some(signed))
    }

    /// What an honest coordinator makes of the nodes' words.
    pub(crate) fn result(&self, question: &Signed, nodes: Vec<NodeOutcome>) -> ResultPayload {
        let (asked, meaning) = self.read(question);
        let answers: Vec<Option<AnswerPayload>> = nodes
            .iter()
            .map(|node| AnswerPayload::decode(&node.signed.as_ref()?.payload).ok())
            .collect();
        let sites: Vec<SiteTables<'_>> = nodes
            .iter()
            .zip(&answers)
            .map(|(node, answer)| SiteTables {
                node: &node.name,
                tables: answer
                    .as_ref()
                    .map(|answer| (answer.tables.as_slice(), answer.protection)),
            })
            .collect();
        let count = u32::try_from(answers.iter().flatten().count()).unwrap();
        let (status, problem, combined) = if count >= asked.min_nodes.max(1) {
            let combined = combine_tables(&meaning, &self.codebook, &sites).unwrap();
            (QuestionStatus::Answered, None, combined.to_bytes())
        } else if nodes.iter().all(|node| node.status == NodeStatus::Refused) {
            (QuestionStatus::Refused, nodes[0].code.clone(), Vec::new())
        } else {
            (
                QuestionStatus::TooFewNodes,
                Some("X801".to_owned()),
                Vec::new(),
            )
        };
        ResultPayload {
            network: "heart".to_owned(),
            question_id: asked.question_id,
            question: question.clone(),
            nodes,
            status,
            combined,
            finished: asked.not_before + quorate_sdk::ask::CLOCKS + 10,
            problem,
        }
    }

    pub(crate) fn signed(&self, result: &ResultPayload) -> Signed {
        sign(result, &self.hub)
    }
}

pub(crate) fn outcome(
    node: &str,
    status: NodeStatus,
    code: Option<&str>,
    signed: Option<Signed>,
) -> NodeOutcome {
    NodeOutcome {
        name: node.to_owned(),
        status,
        code: code.map(str::to_owned),
        signed,
    }
}

pub(crate) fn absent(node: &str) -> NodeOutcome {
    outcome(node, NodeStatus::Absent, None, None)
}

/// Persons by sex; `None` is withheld.
pub(crate) fn by_sex(female: Option<i64>, male: Option<i64>) -> NodeTable {
    let row = |sex: i64, persons: Option<i64>| NodeRow {
        key: vec![Scalar::Number(Number::from(sex))],
        cells: vec![persons.map_or(Cell::Suppressed, |n| Cell::Value(vec![Number::from(n)]))],
    };
    NodeTable {
        rows: vec![row(0, female), row(1, male)],
    }
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    quorate_identity::digest_text(&quorate_identity::sha256(bytes))
}

pub(crate) fn names(nodes: &[&str]) -> BTreeSet<String> {
    nodes.iter().map(|node| (*node).to_owned()).collect()
}
