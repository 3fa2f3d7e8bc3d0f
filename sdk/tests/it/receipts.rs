//! Receipts that do not fit their answers, and ledgers that are shown differently to different
//! parties.

use quorate_evidence::line;
use quorate_evidence::record::{Cells, Decided, Event, Interrupted, Record, Rules, Statement};
use quorate_evidence::{Receipt, Tree};
use quorate_identity::{Signed, digest_text};
use quorate_query::answer::{Cell, NodeTable};
use quorate_sdk::audit::Audit;
use quorate_sdk::lineage::{Standing, lineage};
use quorate_sdk::verify::{Standard, VerifiedResult, VerifyError, verify};
use quorate_wire::{AnswerPayload, Checkpoint, NodeStatus, sign, tables_digest};

use crate::world::{SEXES, World, by_sex, outcome};

/// A ledger of `before` records and a decision.
fn ledger(before: u64, record: &Record) -> (Tree, String) {
    let mut tree = Tree::default();
    for seq in 1..=before {
        let other = Record {
            seq,
            event: Event::Interrupted(Interrupted::default()),
            ..Record::default()
        };
        let json = serde_json::to_string(&other).unwrap();
        tree.push(&line::leaf(&line::hash(&json)).unwrap());
    }
    let json = serde_json::to_string(record).unwrap();
    tree.push(&line::leaf(&line::hash(&json)).unwrap());
    (tree, json)
}

/// The receipt that an honest node gives for an answer.
fn statement(answer: &AnswerPayload, question: &Signed, world: &World) -> Statement {
    let (asked, meaning) = world.read(question);
    let cells = answer.tables.iter().flat_map(|table| &table.rows);
    let cells: Vec<&Cell> = cells.flat_map(|row| &row.cells).collect();
    let withheld = cells.iter().filter(|cell| ***cell == Cell::Suppressed);
    let withheld = u64::try_from(withheld.count()).unwrap();
    Statement {
        network: answer.network.clone(),
        question: asked.question_id.to_string(),
        payload: digest_text(&question.digest()),
        hash: digest_text(&meaning.digest()),
        researcher: asked.researcher,
        project: asked.project,
        codebook: answer.codebook.clone(),
        roster: answer.roster_head.clone(),
        policy: answer.policy.clone(),
        population: answer.population.clone(),
        snapshot: answer.epoch.clone(),
        rules: Rules {
            mode: "round".to_owned(),
            k: 8,
            round_base: 5,
            noise_bound: 0,
        },
        cells: Some(Cells {
            released: u64::try_from(cells.len()).unwrap() - withheld,
            withheld,
        }),
        tables: digest_text(&tables_digest(&answer.tables)),
        ..Statement::default()
    }
}

/// A result of one node whose decision is record 9 of its ledger.
fn told(
    world: &World,
    table: NodeTable,
    change: impl FnOnce(&mut Record, &mut Statement, &mut Receipt),
) -> Result<VerifiedResult, VerifyError> {
    let asked = world.ask(SEXES);
    let mut answer = world.answer("bern", &asked.signed, table);
    let mut said = statement(&answer, &asked.signed, world);
    let mut record = Record {
        seq: 9,
        node: "bern".to_owned(),
        time: 1_790_000_005,
        ..Record::default()
    };
    let mut unused = Receipt::default();
    // Changes of record and statement are in the ledger; those of the receipt come after it.
    change(&mut record, &mut said, &mut unused);
    record.event = Event::Decided(Box::new(Decided {
        opened: 7,
        statement: said,
    }));
    let (tree, json) = ledger(8, &record);
    let mut receipt = Receipt::of_last(json, &tree).unwrap();
    if unused != Receipt::default() {
        receipt.root = unused.root;
    }
    answer.receipt = Some(receipt);
    believed(world, &asked.signed, &answer)
}

/// A result with the answer of one node.
fn believed(
    world: &World,
    question: &Signed,
    answer: &AnswerPayload,
) -> Result<VerifiedResult, VerifyError> {
    let signed = sign(answer, &world.nodes["bern"]);
    let node = outcome("bern", NodeStatus::Answered, None, Some(signed));
    let result = world.signed(&world.result(question, vec![node]));
    let standard = Standard {
        roster: &world.roster,
        codebooks: std::slice::from_ref(&world.codebook),
        asked: None,
    };
    verify(&result, standard)
}

fn other(change: impl FnOnce(&mut Record, &mut Statement)) -> &'static str {
    let table = by_sex(Some(100), None);
    match told(&World::new(), table, |record, said, _| change(record, said)) {
        Err(VerifyError::OtherReceipt { node, what }) => {
            assert_eq!(node, "bern");
            what
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("believed"),
    }
}

#[test]
fn a_receipt_that_fits_is_believed() {
    let verified = told(&World::new(), by_sex(Some(100), None), |_, _, _| ()).unwrap();
    let checked = &verified.receipts()["bern"];
    assert_eq!(checked.record.seq, 9);
    let document = quorate_sdk::report::document(&verified, false);
    let shown = document.nodes[0].receipt.as_ref().unwrap();
    assert_eq!((shown.seq, &shown.root), (9, &checked.root.to_string()));
}

#[test]
fn every_field_of_a_receipt_must_be_the_answers_own() {
    let wrong = || "sha256:0".to_owned();
    assert_eq!(
        other(|_, said| said.network = "liver".to_owned()),
        "network"
    );
    assert_eq!(other(|record, _| record.node = "cork".to_owned()), "node");
    assert_eq!(other(|_, said| said.question = wrong()), "question");
    assert_eq!(other(|_, said| said.payload = wrong()), "question");
    assert_eq!(other(|_, said| said.hash = wrong()), "question");
    assert_eq!(
        other(|_, said| said.researcher = "bob".to_owned()),
        "researcher"
    );
    assert_eq!(other(|_, said| said.project = "two".to_owned()), "project");
    assert_eq!(other(|_, said| said.codebook = wrong()), "codebook");
    assert_eq!(other(|_, said| said.roster = wrong()), "roster");
    assert_eq!(other(|_, said| said.policy = wrong()), "policy");
    assert_eq!(other(|_, said| said.population = wrong()), "population");
    assert_eq!(
        other(|_, said| said.snapshot = wrong()),
        "state of the data"
    );
    assert_eq!(other(|_, said| said.rules.k = 3), "set of rules");
    assert_eq!(other(|_, said| said.cells = None), "number of cells");
    assert_eq!(other(|_, said| said.tables = wrong()), "table");
}

#[test]
fn a_receipt_that_does_not_lead_to_its_root_is_refused() {
    let root = Tree::default().root(0).unwrap();
    let refused = told(&World::new(), by_sex(Some(100), None), |_, _, receipt| {
        receipt.root = root;
    });
    assert!(matches!(refused, Err(VerifyError::Receipt { .. })));
}

/// A decision must name what its kind of decision rests on: what is missing is missed.
#[test]
fn what_a_receipt_does_not_name_is_missed() {
    let world = World::new();
    let broken = |verified: &VerifiedResult| {
        let found = lineage(verified, &Audit::default());
        let links = found.nodes.values().flatten();
        let links = links.filter(|link| link.standing == Standing::Broken);
        let words: Vec<String> = links.map(|link| link.words.clone()).collect();
        assert_eq!(found.sound, words.is_empty());
        words.join("; ")
    };
    let with = |change: &dyn Fn(&mut Statement)| {
        let told = told(&world, by_sex(Some(100), None), |_, said, _| {
            said.approval.release = "auto".to_owned();
            change(said);
        });
        broken(&told.unwrap())
    };
    assert_eq!(with(&|_| ()), "");
    let dual = with(&|said| said.approval.release = "dual".to_owned());
    assert!(dual.contains("fewer reviews"), "{dual}");
    let never = with(&|said| said.approval.release = "none".to_owned());
    assert!(never.contains("nothing leaves"), "{never}");
    let project = with(&|said| said.project_record = digest_text(&[5; 32]));
    assert!(project.contains("no acceptance"), "{project}");
    let approval = with(&|said| said.approval.by = "signed".to_owned());
    assert!(approval.contains("no approval"), "{approval}");

    let asked = world.ask(SEXES);
    let answer = world.answer("bern", &asked.signed, by_sex(Some(100), None));
    let bare = broken(&believed(&world, &asked.signed, &answer).unwrap());
    assert!(bare.contains("carries none"), "{bare}");
}

/// A checkpoint of bern's, as a custodian or a witness hands it on.
fn checkpoint(world: &World, words: &[&str], from: u64, time: i64) -> String {
    let mut tree = Tree::default();
    words.iter().for_each(|word| tree.push(word.as_bytes()));
    let size = tree.size();
    let said = Checkpoint {
        network: "heart".to_owned(),
        node: "bern".to_owned(),
        seq: size,
        head: digest_text(&[1; 32]),
        time,
        root: tree.root(size),
        proof: tree.consistency(from, size),
    };
    let signed = sign(&said, &world.nodes["bern"]);
    serde_json::json!({ "checkpoint": signed }).to_string()
}

#[test]
fn two_ledgers_shown_to_two_parties_are_noticed_by_whoever_has_both_files() {
    let world = World::new();
    let audit = |files: &[String]| {
        let mut audit = Audit::default();
        for (at, text) in files.iter().enumerate() {
            audit
                .read(&format!("file {at}"), text, &world.roster)
                .unwrap();
        }
        audit.ledgers.remove("bern").unwrap()
    };
    let now = 1_790_000_000;
    let first = checkpoint(&world, &["a", "b"], 0, now);
    let grown = checkpoint(&world, &["a", "b", "c"], 2, now + 10);
    let honest = audit(&[first.clone(), grown.clone()]);
    assert!(honest.contradictions().is_empty() && honest.unlinked().is_empty());
    let loose = checkpoint(&world, &["a", "b", "c", "d"], 0, now + 20);
    let honest = audit(&[first.clone(), grown.clone(), loose]);
    assert_eq!(honest.unlinked(), [(3, 4)], "nothing links them yet");
    let split = checkpoint(&world, &["a", "x", "c"], 0, now + 20);
    assert_eq!(audit(&[grown.clone(), split]).contradictions().len(), 1);
    let rewritten = checkpoint(&world, &["a", "x", "c"], 2, now + 20);
    assert_eq!(audit(&[first.clone(), rewritten]).contradictions().len(), 1);
    let back = checkpoint(&world, &["a", "b"], 0, now + 30);
    assert_eq!(audit(&[grown, back]).contradictions().len(), 1);
    // What nobody of the network signed proves nothing.
    let mut forged: serde_json::Value = serde_json::from_str(&first).unwrap();
    let stranger = quorate_identity::SigningKey::from_seed(&[77; 32]).unwrap();
    let signed: Signed = serde_json::from_value(forged["checkpoint"].clone()).unwrap();
    let signed = Signed::by(&stranger, "checkpoint", signed.payload);
    forged["checkpoint"] = serde_json::to_value(signed).unwrap();
    let read = Audit::default().read("forged", &forged.to_string(), &world.roster);
    assert!(read.is_err(), "signed by nobody of the network");
    assert!(
        Audit::default()
            .read("nothing", "{}", &world.roster)
            .is_err()
    );
}
