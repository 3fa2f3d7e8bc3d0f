//! Projects that come with signatures: nothing runs without all of them, beyond what they say, or
//! after anybody stopped it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quorate_governance::acceptance::{Acceptance, Word};
use quorate_governance::airlock::Mode;
use quorate_governance::approval::{Approval, Subject};
use quorate_governance::parameter::Domain;
use quorate_governance::people::{Evidence, EvidenceKind};
use quorate_governance::project::{Budget, LegalBases, Member, Part, Project};
use quorate_governance::suspension::{Lift, Suspension, Target};
use quorate_governance::vote::Vote;
use quorate_governance::{Artefact, Purpose, artefact};
use quorate_identity::{Name, Signed, SigningKey, digest_text, sha256};
use quorate_query::canonical::show_digest;
use quorate_query::number::Number;
use quorate_query::question::{ParamValue, Params};
use quorate_query::value::Scalar;

use super::waits::person;
use crate::approve::tables_of;
use crate::govern;
use crate::node::Node;
use crate::testing::{BOOK, House, NOW, alice, answered, hear_at, key, people, refused};

const DAY: i64 = 86_400;
const COUNT: &str = "SELECT sex, count(*) AS n FROM person GROUP BY sex";

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn carla() -> SigningKey {
    key(1)
}

fn dora() -> SigningKey {
    key(31)
}

fn paul() -> SigningKey {
    key(32)
}

fn petra() -> SigningKey {
    key(33)
}

fn second() -> SigningKey {
    key(35)
}

fn entry(name: &str, key: &SigningKey) -> String {
    format!("{{ name = \"{name}\", key = \"{}\" }}", key.key_id())
}

/// A node whose policy file knows no project, with this in `[governance]`.
fn house(more: &str) -> House {
    let mut house = people(BOOK, "");
    let from = house.policy.find("[[project]]").unwrap();
    let to = house.policy.find("[limits]").unwrap();
    house.policy.replace_range(from..to, "");
    house.policy.push_str(&format!(
        "[governance]\ncustodian = [{}, {}]\ncommittee = [{}]\n{more}\n",
        entry("carla", &carla()),
        entry("dana", &second()),
        entry("dora", &dora()),
    ));
    house
}

fn project() -> Project {
    let columns = ["sex", "weight"].map(str::to_owned);
    Project {
        network: name("net"),
        id: name("heart-1"),
        version: 1,
        previous: String::new(),
        title: "Heart".to_owned(),
        lay_summary: "We count.".to_owned(),
        purpose: Purpose::Research,
        public_benefit: "Better care.".to_owned(),
        organisation: "Example University".to_owned(),
        legal: LegalBases {
            article6: "6(1)(e)".to_owned(),
            article9: "9(2)(j)".to_owned(),
            confidentiality: "section 251".to_owned(),
            opt_out: "yes".to_owned(),
        },
        ethics: "REC 1".to_owned(),
        dpia: "DPIA 1".to_owned(),
        applicant: person("alice", &alice()),
        members: vec![Member {
            person: person("alice", &alice()),
            part: Part::Analyst,
        }],
        nodes: BTreeSet::from([name("cleveland")]),
        data: BTreeMap::from([("person".to_owned(), columns.into_iter().collect())]),
        budget: Budget { questions: 3 },
        release: Mode::Auto,
        starts: NOW - DAY,
        expires: NOW + 10 * DAY,
    }
}

fn keep(house: &House, act: &Signed) -> String {
    crate::state::folder(&house.state()).unwrap();
    govern::keep(&house.state(), act).unwrap()
}

fn vote(house: &House, record: &str) {
    let vote = Vote {
        network: name("net"),
        record: record.to_owned(),
        voter: person("dora", &dora()),
        agrees: true,
        reason: "sound".to_owned(),
        at: NOW,
    };
    keep(house, &vote.sign(&dora()));
}

fn word(house: &House, record: &str, word: Word, at: i64) {
    let acceptance = Acceptance {
        network: name("net"),
        node: name("cleveland"),
        record: record.to_owned(),
        word,
        reason: "as decided".to_owned(),
        at,
    };
    keep(house, &acceptance.sign(&carla()));
}

fn accept() -> Word {
    Word::Accept {
        release: Mode::Auto,
        without: BTreeSet::new(),
        until: NOW + 5 * DAY,
    }
}

/// Everything that a project needs to run.
fn admit(house: &House, project: &Project) -> String {
    let record = keep(house, &project.sign(&alice()));
    vote(house, &record);
    word(house, &record, accept(), NOW);
    record
}

fn code_with(house: &House, node: &Node, sql: &str, params: Params, now: i64) -> String {
    let mut question = house.question(sql);
    if let Ok(typed) = question.request.read(&params, &house.codebook) {
        question.canonical_digest = typed.digest();
    }
    question.params = params;
    (question.not_before, question.expires) = (now - 60, now + 600);
    node.note_stamp(now + DAY);
    let message = hear_at(node, house.deliver(&question, &alice()), now).unwrap();
    match message.kind.as_str() {
        "refusal" => refused(&message).code,
        kind => kind.to_owned(),
    }
}

fn code(house: &House, node: &Node, sql: &str, now: i64) -> String {
    code_with(house, node, sql, Params::new(), now)
}

#[test]
fn a_project_runs_when_applicant_committee_and_custodian_agree() {
    let house = house("");
    let node = house.open();
    assert_eq!(code(&house, &node, COUNT, NOW), "G501", "nobody applied");
    let record = keep(&house, &project().sign(&alice()));
    assert_eq!(code(&house, &node, COUNT, NOW), "G501", "nobody voted");
    vote(&house, &record);
    assert_eq!(code(&house, &node, COUNT, NOW), "G501", "not accepted");
    word(&house, &record, accept(), NOW);
    assert_eq!(code(&house, &node, COUNT, NOW), "answer");
    let late = NOW + 5 * DAY + 1;
    assert_eq!(
        code(&house, &node, COUNT, late),
        "G501",
        "its time here is over"
    );
    word(&house, &record, Word::Refuse, NOW + 1);
    assert_eq!(code(&house, &node, COUNT, NOW + 2), "G501", "refused later");
}

/// From an answer back to everything that it rests on; no link of it can be edited.
#[test]
fn a_chain_from_result_to_acceptance_is_rebuilt_and_an_edited_link_is_caught() {
    let house = house("");
    let node = house.open();
    let record = admit(&house, &project());
    let question = house.question(COUNT);
    let delivered = house.deliver(&question, &alice());
    let asked = delivered.question.clone();
    let message = hear_at(&node, delivered, NOW).unwrap();
    let answer = answered(&message);
    let checked = answer.receipt.as_ref().unwrap().check().unwrap();
    let said = &checked.statement;
    assert_eq!(said.payload, digest_text(&asked.digest()));
    let tables = quorate_wire::tables_digest(&answer.tables);
    assert_eq!(said.tables, digest_text(&tables));
    // The record and the acceptance, each under its digest and its signature.
    let acts = govern::Acts::load(&house.state()).unwrap();
    let acceptance = acts.words[0].digest().to_owned();
    assert_eq!(said.project_record, record);
    assert_eq!(acts.projects[0].digest(), record);
    let documents = BTreeSet::from([record.clone(), acceptance]);
    assert_eq!(said.approval.documents, documents);
    // The ledger: the decision between its beginning and its end, under the root of the receipt.
    let log = house.state().join(crate::ledger::LEDGER_FILE);
    let text = std::fs::read_to_string(&log).unwrap();
    let sound = quorate_evidence::walk(text.as_bytes(), None, &[]).unwrap();
    assert_eq!(sound.tree.root(checked.record.seq), Some(checked.root));
    let place = usize::try_from(checked.record.seq).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[place].contains(&digest_text(&message.digest())));
    assert!(
        lines[..place - 1]
            .iter()
            .any(|line| line.contains(&said.payload))
    );
    // Every link bent once.
    for bent in [record.as_str(), said.tables.as_str(), said.policy.as_str()] {
        let mut receipt = answer.receipt.clone().unwrap();
        receipt.record = receipt.record.replace(bent, &digest_text(&[9; 32]));
        assert!(receipt.check().is_err(), "{bent}");
    }
    let edited = text.replacen(&said.payload, &digest_text(&[9; 32]), 1);
    assert!(quorate_evidence::walk(edited.as_bytes(), None, &[]).is_err());
    let folder = house.state().join(govern::FOLDER);
    for act in std::fs::read_dir(folder).unwrap() {
        let path = act.unwrap().path();
        let whole = std::fs::read_to_string(&path).unwrap();
        let edited = whole.replacen("\"payload\": \"e", "\"payload\": \"f", 1);
        assert_ne!(edited, whole);
        std::fs::write(&path, edited).unwrap();
        assert!(govern::Acts::load(&house.state()).is_err());
        std::fs::write(&path, whole).unwrap();
    }
}

#[test]
fn a_record_by_somebody_else_or_altered_does_not_run() {
    let house = house("");
    let node = house.open();
    let record = keep(&house, &project().sign(&dora()));
    vote(&house, &record);
    word(&house, &record, accept(), NOW);
    assert_eq!(code(&house, &node, COUNT, NOW), "G501");
    let path = std::fs::read_dir(house.state().join(govern::FOLDER)).unwrap();
    let path = path.flatten().next().unwrap().path();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        text.replacen("\"payload\": \"e", "\"payload\": \"f", 1),
    )
    .unwrap();
    assert_eq!(
        code(&house, &node, COUNT, NOW),
        "G509",
        "it could be a suspension"
    );
}

#[test]
fn columns_and_questions_beyond_the_record_are_refused() {
    let house = house("");
    let node = house.open();
    admit(&house, &project());
    let outside = [
        "SELECT town, count(*) AS n FROM person GROUP BY town",
        "SELECT count(*) AS n FROM person WHERE town = 'a'",
        "SELECT count(town) AS n FROM person",
        "WITH p AS (SELECT id, town AS sex FROM person) SELECT sex, count(*) AS n FROM p GROUP BY sex",
        "SELECT count(*) AS n FROM person WHERE id IN (SELECT id FROM person WHERE town = 'a')",
    ];
    for sql in outside {
        assert_eq!(code(&house, &node, sql, NOW), "G511", "{sql}");
    }
    let inside = "SELECT sex, avg(weight) AS w FROM person WHERE id IN (SELECT id FROM person WHERE sex = 1) GROUP BY sex";
    assert_eq!(code(&house, &node, inside, NOW), "answer");
    assert_eq!(code(&house, &node, COUNT, NOW), "answer");
    assert_eq!(
        code(&house, &node, "SELECT count(*) AS n FROM person", NOW),
        "answer"
    );
    assert_eq!(
        code(&house, &node, COUNT, NOW),
        "G517",
        "three were granted"
    );
    drop(node);
    let node = house.open();
    assert_eq!(
        code(&house, &node, COUNT, NOW),
        "G517",
        "after a restart too"
    );
}

#[test]
fn who_only_manages_asks_nothing() {
    let house = house("");
    let node = house.open();
    let mut project = project();
    project.members[0].part = Part::Manager;
    project.members.push(Member {
        person: person("bob", &key(4)),
        part: Part::Analyst,
    });
    admit(&house, &project);
    assert_eq!(code(&house, &node, COUNT, NOW), "G502");
}

#[test]
fn training_is_asked_for_and_ends() {
    let issuer = key(36);
    let required = format!(
        "issuers = [{}]\nrequired = [{{ kind = \"training\", name = \"safe\", version = \"2\" }}]",
        entry("school", &issuer)
    );
    let house = house(&required);
    let node = house.open();
    admit(&house, &project());
    assert_eq!(code(&house, &node, COUNT, NOW), "G512");
    let evidence = Evidence {
        network: name("net"),
        subject: person("alice", &alice()),
        kind: EvidenceKind::Training,
        name: "safe".to_owned(),
        version: "2".to_owned(),
        issuer: person("school", &issuer),
        issued: NOW - DAY,
        expires: NOW + DAY,
    };
    keep(&house, &evidence.sign(&issuer));
    assert_eq!(code(&house, &node, COUNT, NOW), "answer");
    assert_eq!(code(&house, &node, COUNT, NOW + DAY + 1), "G512");
}

fn suspend(house: &House, target: Target) -> String {
    let suspension = Suspension {
        network: name("net"),
        node: name("cleveland"),
        target,
        reason: "under inquiry".to_owned(),
        appeal: String::new(),
        at: NOW,
    };
    keep(house, &suspension.sign(&carla()))
}

#[test]
fn a_suspension_counts_at_once_and_two_lift_it() {
    let house = house("");
    let node = house.open();
    let mut project = project();
    project.budget.questions = 99;
    admit(&house, &project);
    let person = alice().key_id().clone();
    let targets = [
        Target::Person { key: person },
        Target::Project {
            id: name("heart-1"),
        },
        Target::Node,
    ];
    for target in targets {
        assert_eq!(code(&house, &node, COUNT, NOW), "answer");
        let suspension = suspend(&house, target);
        assert_eq!(code(&house, &node, COUNT, NOW), "G510");
        let lift = Lift {
            network: name("net"),
            node: name("cleveland"),
            suspension,
            reason: "cleared".to_owned(),
            at: NOW,
        };
        let mut lift = lift.sign(&carla());
        keep(&house, &lift);
        assert_eq!(code(&house, &node, COUNT, NOW), "G510", "one is not enough");
        artefact::cosign(&second(), &mut lift);
        keep(&house, &lift);
    }
    assert_eq!(code(&house, &node, COUNT, NOW), "answer");
    suspend(&house, Target::Project { id: name("other") });
    assert_eq!(code(&house, &node, COUNT, NOW), "answer", "another project");
}

/// A node at which this happens while its first question runs, after it was approved.
fn meanwhile(house: &House, happens: impl Fn() -> Duration + Send + Sync + 'static) -> Node {
    let looks = AtomicU64::new(0);
    let mut opening = house.opening();
    // Verify, record, read and approve have looked at the watch when it happens.
    opening.stopwatch = Arc::new(move || match looks.fetch_add(1, Ordering::SeqCst) {
        ..6 => Duration::ZERO,
        _ => happens(),
    });
    Node::open(opening).unwrap()
}

#[test]
fn a_suspension_stops_what_runs_with_nothing_released() {
    let house = house("");
    admit(&house, &project());
    let suspension = Suspension {
        network: name("net"),
        node: name("cleveland"),
        target: Target::Project {
            id: name("heart-1"),
        },
        reason: "under inquiry".to_owned(),
        appeal: String::new(),
        at: NOW,
    };
    let (act, state) = (suspension.sign(&carla()), house.state());
    let node = meanwhile(&house, move || {
        govern::keep(&state, &act).unwrap();
        Duration::ZERO
    });
    assert_eq!(code(&house, &node, COUNT, NOW), "G510");
    let released = node.unacknowledged().unwrap();
    assert!(released.iter().all(|message| message.kind == "refusal"));
}

#[test]
fn a_project_that_ends_while_a_question_runs_releases_nothing() {
    let house = house("");
    admit(&house, &project());
    let day = Duration::from_secs(86_400);
    let node = meanwhile(&house, move || 6 * day);
    assert_eq!(code(&house, &node, COUNT, NOW), "G501");
}

/// A node with approvers, of whom two must sign.
fn approving() -> House {
    house(&format!(
        "approvers = [{}, {}, {}]\napprovals = 2",
        entry("paul", &paul()),
        entry("petra", &petra()),
        entry("piet", &key(34)),
    ))
}

fn approval(house: &House, record: &str, sql: &str, subject: Subject, runs: u64) -> Approval {
    let typed = house
        .question(sql)
        .request
        .read(&Params::new(), &house.codebook);
    let tables = typed.as_ref().map(tables_of).unwrap_or(["person"].into());
    let rules = govern::rules_digest(&house.policy(), &house.codebook, &tables);
    Approval {
        network: name("net"),
        project: name("heart-1"),
        record: record.to_owned(),
        subject,
        shown: sql.to_owned(),
        codebook: house.codebook.digest.clone(),
        rules: BTreeMap::from([(name("cleveland"), rules)]),
        serial: 1,
        issued: NOW,
        expires: NOW + DAY,
        runs,
    }
}

fn exactly(house: &House, sql: &str) -> Subject {
    let typed = house.question(sql).request;
    let typed = typed.read(&Params::new(), &house.codebook).unwrap();
    let hash = show_digest(&typed.digest());
    Subject::Question { hash }
}

#[test]
fn an_approved_question_runs_as_often_as_it_was_approved() {
    let house = approving();
    let node = house.open();
    let record = admit(&house, &project());
    assert_eq!(code(&house, &node, COUNT, NOW), "G505");
    let approval = approval(&house, &record, COUNT, exactly(&house, COUNT), 2);
    let mut act = approval.sign(&paul());
    keep(&house, &act);
    assert_eq!(code(&house, &node, COUNT, NOW), "G505", "one of two");
    artefact::cosign(&petra(), &mut act);
    keep(&house, &act);
    assert_eq!(code(&house, &node, COUNT, NOW), "answer");
    let other = "SELECT sex, count(*) AS n FROM person WHERE weight >= 50 GROUP BY sex";
    assert_eq!(code(&house, &node, other, NOW), "G505", "another question");
    assert_eq!(
        code(&house, &node, COUNT, NOW + DAY + 1),
        "G505",
        "it has ended"
    );
    assert_eq!(code(&house, &node, COUNT, NOW), "answer");
    assert_eq!(
        code(&house, &node, COUNT, NOW),
        "G505",
        "two runs were granted"
    );
}

#[test]
fn an_approval_ends_with_the_rules_that_it_was_given_under() {
    let mut house = approving();
    let record = admit(&house, &project());
    let approval = approval(&house, &record, COUNT, exactly(&house, COUNT), 9);
    let mut act = approval.sign(&paul());
    artefact::cosign(&petra(), &mut act);
    keep(&house, &act);
    house.policy = house.policy.replace("[release]\n", "[release]\nk = 9\n");
    let node = house.open();
    assert_eq!(code(&house, &node, COUNT, NOW), "G505");
}

#[test]
fn a_template_runs_within_the_domains_of_its_parameters() {
    const SQL: &str = "SELECT count(*) AS n FROM person WHERE sex = $sex";
    let house = approving();
    let node = house.open();
    let record = admit(&house, &project());
    let of = BTreeSet::from(["1".to_owned()]);
    let subject = Subject::Template {
        text: digest_text(&sha256(SQL.as_bytes())),
        parameters: BTreeMap::from([("sex".to_owned(), Domain::Numbers { of })]),
    };
    let approval = approval(&house, &record, SQL, subject, 9);
    let mut act = approval.sign(&paul());
    artefact::cosign(&petra(), &mut act);
    keep(&house, &act);
    let sex = |n: i64| {
        let value = ParamValue::One(Scalar::Number(Number::from(n)));
        Params::from([("sex".to_owned(), value)])
    };
    assert_eq!(code_with(&house, &node, SQL, sex(1), NOW), "answer");
    assert_eq!(code_with(&house, &node, SQL, sex(0), NOW), "G505");
    let written = "SELECT count(*) AS n FROM person WHERE sex = 1";
    assert_eq!(
        code(&house, &node, written, NOW),
        "G505",
        "not the template"
    );
}
