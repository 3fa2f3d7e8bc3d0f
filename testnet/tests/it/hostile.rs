//! A coordinator against everybody: it has the real one's machine, with the certificate authority
//! and the identity key, and real nodes and a real researcher connect to it. It replays, alters,
//! forges, forks, withholds, invents a node and an approver, and dates things back. Every test says
//! who refuses or notices that. Beside each lie it is honest, so that the lie is what is refused.

use std::path::{Path, PathBuf};
use std::time::Duration;

use quorate_evidence::Tree;
use quorate_identity::roster::{Change, cosign, unsigned};
use quorate_identity::{Name, Role, Signed, SigningKey};
use quorate_query::answer::Cell;
use quorate_query::number::Number;
use quorate_testnet::adversary::client::Forger;
use quorate_testnet::adversary::coordinator::FalseCoordinator;
use quorate_testnet::adversary::desk::{Lie, Lies};
use quorate_testnet::network::Network;
use quorate_testnet::process::Done;
use quorate_testnet::{clock, evidence};
use quorate_wire::v1::{self, hub_frame::Frame};
use quorate_wire::{
    AnswerPayload, Checkpoint, LogCheckpoint, NodeOutcome, NodeStatus, Payload, QuestionStatus,
    ResultPayload, sign,
};

use crate::{badinput, support};

const PATIENCE: Duration = Duration::from_secs(30);
const VICTIM: &str = "northfield";
const OTHER: &str = "southport";
const SQL: &str = "SELECT count(*) AS n FROM person";

/// A network whose every party has been led to the liar.
struct Stage {
    network: Network,
    liar: FalseCoordinator,
    alice: Forger,
    dir: PathBuf,
}

impl Stage {
    fn set() -> Self {
        let dir = support::scratch();
        let network = badinput::lab(&dir, "state");
        support::answer(&network, "alice", SQL);
        let alice = Forger::of(network.home("alice").unwrap()).unwrap();
        let text = std::fs::read(support::specs().join("omop/codebook.toml")).unwrap();
        let codebook = v1::Codebook {
            digest: alice.codebook.digest.clone(),
            text,
        };
        let welcome = v1::Welcome {
            network: "lab".into(),
            protocol: 1,
            roster: alice.roster.log().iter().map(Into::into).collect(),
            codebooks: vec![codebook],
            time: clock::unix(),
            stamps: Vec::new(),
        };
        let liar = FalseCoordinator::start(&network.dir.join("coordinator"), welcome).unwrap();
        let stage = Self {
            network,
            liar,
            alice,
            dir,
        };
        stage.lead();
        stage
    }

    /// Nodes come over their links; the researcher's machine is told another address.
    fn lead(&self) {
        for node in self.network.node_names() {
            self.network.lead(&node, self.liar.address());
        }
        let all = self.network.node_names();
        let there = clock::wait_for(PATIENCE, || (self.liar.attached() == all).then_some(()));
        assert!(there.is_some(), "attached: {:?}", self.liar.attached());
        let config = self.network.home("alice").unwrap().join("config.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        let ready = self.network.ready();
        let honest = ready["coordinator"].as_str().unwrap();
        assert!(text.contains(honest), "{text}");
        let led = text.replace(honest, &format!("https://{}", self.liar.address()));
        std::fs::write(&config, led).unwrap();
    }

    /// What alice's machine makes of an answer under these lies.
    fn told(&self, lies: Lies) -> Done {
        self.liar.lie(lies);
        support::ask(&self.network, "alice", SQL, &[])
    }

    /// Saves a result as it is shown under these lies.
    fn saved(&self, name: &str, lies: Lies) -> PathBuf {
        self.liar.lie(lies);
        let path = self.dir.join(name);
        let out = path.display().to_string();
        let done = self
            .network
            .quorate("alice", ["query", SQL, "--out", &out])
            .unwrap();
        assert_eq!(done.code, Some(0), "{name}\n{}{}", done.stdout, done.stderr);
        path
    }

    /// The researcher's machine refuses it, and says why.
    fn refused(&self, what: &str, lies: Lies, says: &str) {
        let done = self.told(lies);
        let text = done.stdout + &done.stderr;
        assert_eq!(done.code, Some(5), "{what}\n{text}");
        assert!(text.contains(says), "{what}: not `{says}` in\n{text}");
    }

    fn state(&self, node: &str) -> PathBuf {
        self.network.node(node).unwrap().dir.join("state")
    }

    fn audit(&self, files: &[&Path], ledger: Option<&str>) -> (Option<i32>, String) {
        let files = files.iter().map(|file| file.display().to_string());
        let mut args: Vec<String> = std::iter::once("audit".to_owned()).chain(files).collect();
        if let Some(node) = ledger {
            let file = self.state(node).join("ledger.log");
            args.extend(["--ledger".to_owned(), format!("{node}={}", file.display())]);
        }
        let done = self.network.quorate("alice", args).unwrap();
        (done.code, done.stdout + &done.stderr)
    }
}

fn nodes(lie: impl Fn(&mut Vec<NodeOutcome>) + Send + 'static) -> Lies {
    Lies {
        nodes: Some(Box::new(lie)),
        ..Lies::default()
    }
}

fn result(lie: impl Fn(&mut ResultPayload) + Send + 'static) -> Lies {
    Lies {
        result: Some(Box::new(lie)),
        ..Lies::default()
    }
}

fn envelope(lie: impl Fn(&mut Signed) + Send + 'static) -> Lies {
    Lies {
        signed: Some(Box::new(lie)),
        ..Lies::default()
    }
}

fn stranger() -> SigningKey {
    SigningKey::from_seed(&[77; 32]).unwrap()
}

/// A node's answer with other numbers, as bytes and signed by whom ever.
fn other_numbers(node: &NodeOutcome) -> AnswerPayload {
    let signed = node.signed.as_ref().unwrap();
    let mut answer = AnswerPayload::decode(&signed.payload).unwrap();
    answer.tables[0].rows[0].cells[0] = Cell::Value(vec![Number::new(9_995, 0)]);
    answer
}

#[test]
fn a_hostile_coordinator_is_refused_by_the_researchers_machine() {
    let stage = Stage::set();
    let honest = stage.told(Lies::default());
    assert_eq!(honest.code, Some(0), "{}{}", honest.stdout, honest.stderr);
    let value: serde_json::Value = serde_json::from_str(&honest.stdout).unwrap();
    let cell = &value["rows"][0]["cells"]["n"]["value"];
    let number = cell
        .as_str()
        .map_or_else(|| cell.to_string(), str::to_owned);
    alters(&stage, &number);
    forges_and_invents(&stage);
    withholds(&stage);
    replays_and_dates_back(&stage);
    forks_for_researchers(&stage);
    // After all that an honest answer is still believed.
    let honest = stage.told(Lies::default());
    assert_eq!(honest.code, Some(0), "{}{}", honest.stdout, honest.stderr);
}

fn alters(stage: &Stage, number: &str) {
    let number = number.to_owned();
    let total = result(move |result| {
        let text = String::from_utf8(result.combined.clone()).unwrap();
        let altered = text.replace(&number, "9995");
        assert_ne!(altered, text);
        result.combined = altered.into_bytes();
    });
    stage.refused("an altered total", total, "the coordinator's table");
    let altered = nodes(|nodes| {
        let payload = other_numbers(&nodes[0]).encode();
        nodes[0].signed.as_mut().unwrap().payload = payload;
    });
    stage.refused("an altered answer", altered, "`northfield` are not its own");
    let swapped = nodes(|nodes| {
        let (a, b) = (nodes[0].signed.take(), nodes[1].signed.take());
        (nodes[0].signed, nodes[1].signed) = (b, a);
    });
    stage.refused("answers swapped", swapped, "belong to another node");
    let key = stranger();
    let question = result(move |result| {
        result.question = sign(
            &quorate_wire::QuestionPayload::decode(&result.question.payload).unwrap(),
            &key,
        );
    });
    stage.refused("an altered question", question, "another question");
}

fn forges_and_invents(stage: &Stage) {
    let own = stage.network.dir.join("coordinator/identity.key");
    let key = SigningKey::load(&own).unwrap();
    let forged = nodes(move |nodes| {
        let answer = other_numbers(&nodes[0]);
        nodes[0].signed = Some(sign(&answer, &key));
    });
    stage.refused("a forged answer", forged, "`northfield` are not its own");
    let invented = nodes(|nodes| {
        let mut answer = other_numbers(&nodes[0]);
        answer.node = "westhill".to_owned();
        nodes.push(NodeOutcome {
            name: "westhill".to_owned(),
            status: NodeStatus::Answered,
            code: None,
            signed: Some(sign(&answer, &stranger())),
        });
    });
    stage.refused("an invented node", invented, "`westhill` are not its own");
    let refusal = nodes(|nodes| {
        (nodes[0].status, nodes[0].signed) = (NodeStatus::Refused, None);
        nodes[0].code = Some("G502".to_owned());
    });
    stage.refused("an invented refusal", refusal, "`northfield` refused");
    let unsigned = envelope(|signed| {
        let result = ResultPayload::decode(&signed.payload).unwrap();
        *signed = sign(&result, &stranger());
    });
    stage.refused("another's result", unsigned, "not signed by this network's");
}

fn withholds(stage: &Stage) {
    let dropped = nodes(|nodes| drop(nodes.remove(0)));
    stage.refused("a node left out", dropped, "`northfield` was asked");
    let kept_back = result(|result| {
        result.status = QuestionStatus::TooFewNodes;
        result.combined.clear();
        result.problem = Some("X801".to_owned());
    });
    stage.refused("answers kept back", kept_back, "the coordinator says");
    // The victim was not there, says the coordinator.
    let silenced = nodes(|nodes| {
        (nodes[0].status, nodes[0].signed) = (NodeStatus::Absent, None);
    });
    let silenced = stage.saved("silenced.json", silenced);
    // Nobody can see from outside whether a node was silent. Its ledger can.
    let (code, told) = stage.audit(&[&silenced], None);
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = stage.audit(&[&silenced], Some(VICTIM));
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("left the answer out"), "{told}");
}

fn replays_and_dates_back(stage: &Stage) {
    let earlier = stage.saved("earlier.json", Lies::default());
    let text = std::fs::read_to_string(earlier).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let bytes = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        value["signed"].as_str().unwrap(),
    );
    let earlier = quorate_wire::signed_from_bytes(&bytes.unwrap()).unwrap();
    let answers = ResultPayload::decode(&earlier.payload).unwrap().nodes;
    let replayed = nodes(move |nodes| nodes[0].signed = answers[0].signed.clone());
    stage.refused("an earlier answer", replayed, "belong to another question");
    let replayed = envelope(move |signed| *signed = earlier.clone());
    stage.refused("an earlier result", replayed, "another question");
    let back = result(|result| result.finished -= 7200);
    stage.refused("a result dated back", back, "dated it back");
}

/// The roster with an entry that the coordinator made and signed.
fn forked(stage: &Stage, role: Role, name: &str) -> Vec<v1::Signed> {
    let change = Change::Add {
        role,
        name: Name::parse(name).unwrap(),
        key: stranger().key_id().clone(),
        until: clock::unix() + 86_400,
    };
    let mut entry = unsigned(stage.alice.roster.propose(change, clock::unix()));
    cosign(stage.liar.key(), &mut entry);
    let log = stage.alice.roster.log().iter();
    log.map(Into::into).chain([(&entry).into()]).collect()
}

fn forks_for_researchers(stage: &Stage) {
    let roster = |lie: Lie<Vec<v1::Signed>>| Lies {
        roster: Some(lie),
        ..Lies::default()
    };
    let known = stage.network.home("alice").unwrap().join("roster.log");
    let before = std::fs::read(&known).unwrap();
    let log = forked(stage, Role::Node, "westhill");
    let invented = roster(Box::new(move |roster| roster.clone_from(&log)));
    stage.refused("a roster entry of its own", invented, "entry");
    let cut = roster(Box::new(|roster| drop(roster.pop())));
    stage.refused("a roster set back", cut, "roster");
    assert_eq!(std::fs::read(&known).unwrap(), before);
    let lies = Lies {
        codebooks: Some(Box::new(|books| books[0].text.extend(b"\n# looser\n"))),
        ..Lies::default()
    };
    stage.liar.lie(lies);
    let shown = stage.network.quorate("alice", ["catalog"]).unwrap();
    let text = shown.stdout + &shown.stderr;
    assert!(text.contains("`codebook digest` is not valid"), "{text}");
    assert!(text.contains(&stage.alice.codebook.digest), "{text}");
}

#[test]
fn a_hostile_coordinator_is_refused_and_noticed_by_nodes_and_auditors() {
    let mut stage = Stage::set();
    forges_questions(&stage);
    forks_for_nodes(&stage);
    forges_a_checkpoint(&stage);
    rewrites_its_log(&stage);
    shows_two_logs(&stage);
    // Back at the honest coordinator everything goes on.
    for node in stage.network.node_names() {
        stage.network.lead(&node, stage.network.address());
    }
    stage.network.start_all().unwrap();
    let verified = stage.network.custodian(VICTIM, ["ledger", "verify"]);
    assert_eq!(verified.unwrap().code, Some(0));
}

fn answered(stage: &Stage) -> usize {
    let events = evidence::events(&stage.network.node(VICTIM).unwrap().dir);
    let closed = events.iter().filter(|event| event["kind"] == "close");
    closed
        .filter(|event| event["outcome"] == "answered")
        .count()
}

/// In the researcher's name, or in the name of a researcher whom only the coordinator knows.
fn forges_questions(stage: &Stage) {
    let before = answered(stage);
    let now = clock::unix();
    let honest = stage.alice.honest(SQL, "study-1", now).unwrap();
    let forged = sign(&honest, stage.liar.key());
    let mut unknown = stage.alice.renew(honest, now).unwrap();
    unknown.researcher = "eve".to_owned();
    for (what, question) in [
        ("in alice's name", forged),
        ("of an invented researcher", sign(&unknown, &stranger())),
    ] {
        while stage.liar.next(Duration::ZERO).is_some() {}
        assert!(stage.liar.deliver(&question, now + 60), "{what}");
        if let Some((kind, signed)) = stage.liar.outcome(Duration::from_secs(3)) {
            assert_eq!(kind, "refusal", "{what}");
            let refusal = quorate_wire::RefusalPayload::decode(&signed.payload).unwrap();
            let codes = ["A400", "A401", "A406"];
            assert!(
                codes.contains(&refusal.code.as_str()),
                "{what}: {refusal:?}"
            );
        }
    }
    assert_eq!(answered(stage), before);
}

/// A node keeps its roster and hangs up on whoever shows it another.
fn forks_for_nodes(stage: &Stage) {
    let known = stage.state(VICTIM).join("roster.log");
    let before = std::fs::read(&known).unwrap();
    for (what, name) in [(Role::Node, "westhill"), (Role::Researcher, "eve")] {
        let entries = forked(stage, what, name);
        let said = stage.network.node_log(VICTIM).len();
        let update = v1::RosterUpdate {
            entries,
            stamps: Vec::new(),
        };
        assert!(stage.liar.send_to(VICTIM, Frame::Roster(update)));
        let told = clock::wait_for(PATIENCE, || {
            let log = stage.network.node_log(VICTIM);
            let news = log.get(said..).unwrap_or_default().to_lowercase();
            (news.contains("roster") && news.contains("\"connected\"")).then_some(())
        });
        assert!(told.is_some(), "{}", stage.network.node_log(VICTIM));
        assert_eq!(std::fs::read(&known).unwrap(), before, "{name}");
    }
}

/// Where a log of these words stands, signed with the coordinator's key.
fn log(stage: &Stage, words: &[&str], from: u64) -> Frame {
    let mut tree = Tree::default();
    words.iter().for_each(|word| tree.push(word.as_bytes()));
    let size = tree.size();
    let root = tree.root(size).unwrap();
    let mut members = stage.alice.roster.members(clock::unix());
    let own = members.find(|member| member.key == *stage.liar.key().key_id());
    let said = LogCheckpoint(Checkpoint {
        network: "lab".to_owned(),
        node: own.unwrap().name.to_string(),
        seq: size,
        head: root.to_string(),
        time: clock::unix(),
        root: Some(root),
        proof: tree.consistency(from, size),
    });
    let checkpoint = Some((&sign(&said, stage.liar.key())).into());
    Frame::Witness(v1::Witness { checkpoint })
}

/// Whether a node has taken note of a log or ledger of this size.
fn noted(stage: &Stage, node: &str, size: u64) -> bool {
    let path = stage.state(node).join("peers.json");
    let there = clock::wait_for(PATIENCE, || {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        text.contains(&format!("\"size\":{size},")).then_some(())
    });
    there.is_some()
}

/// Sizes far beyond those of the real log, so that nothing of it is in the way.
fn words(size: usize, last: &'static str) -> Vec<&'static str> {
    let mut words = vec!["honest"; size];
    words.push(last);
    words
}

/// In another node's name, signed by whoever is no node: nobody's word, also no evidence against it.
fn forges_a_checkpoint(stage: &Stage) {
    let Frame::Witness(v1::Witness { checkpoint }) = log(stage, &words(300, "forged"), 0) else {
        panic!("no witness");
    };
    let signed = Signed::try_from(checkpoint.unwrap()).unwrap();
    let LogCheckpoint(said) = LogCheckpoint::decode(&signed.payload).unwrap();
    let said = Checkpoint {
        node: OTHER.to_owned(),
        ..said
    };
    let checkpoint = Some((&sign(&said, stage.liar.key())).into());
    let forged = Frame::Witness(v1::Witness { checkpoint });
    assert!(stage.liar.send_to(VICTIM, forged));
    // Frames are taken in their order: what comes next is there, the forged one is not.
    assert!(
        stage
            .liar
            .send_to(VICTIM, log(stage, &words(350, "a result"), 0))
    );
    assert!(noted(stage, VICTIM, 351));
    let peers = std::fs::read_to_string(stage.state(VICTIM).join("peers.json")).unwrap();
    assert!(!peers.contains("\"size\":301,"), "{peers}");
}

/// A result that it signed is altered in its log afterwards, and a witness has the proof.
fn rewrites_its_log(stage: &Stage) {
    assert!(
        stage
            .liar
            .send_to(VICTIM, log(stage, &words(400, "a result"), 0))
    );
    assert!(noted(stage, VICTIM, 401));
    let rewritten = words(400, "another result");
    assert!(stage.liar.send_to(VICTIM, log(stage, &rewritten, 0)));
    assert!(conflict(stage, VICTIM));
    let doctor = stage.network.custodian(VICTIM, ["doctor"]).unwrap();
    assert!(
        doctor.stdout.contains("coordinator ") && doctor.stdout.contains("contradict"),
        "{}",
        doctor.stdout
    );
}

fn conflict(stage: &Stage, node: &str) -> bool {
    let there = clock::wait_for(PATIENCE, || {
        let text = std::fs::read_to_string(stage.state(node).join("peers.json")).ok()?;
        let peers: serde_json::Value = serde_json::from_str(&text).ok()?;
        let mut all = peers.as_object()?.iter();
        all.find(|(name, peer)| {
            name.starts_with("coordinator ") && peer["conflicts"][0].is_object()
        })?;
        Some(())
    });
    there.is_some()
}

/// Two nodes are shown two logs. Neither can know; whoever has both files does.
fn shows_two_logs(stage: &Stage) {
    assert!(
        stage
            .liar
            .send_to(VICTIM, log(stage, &words(500, "one"), 0))
    );
    assert!(stage.liar.send_to(OTHER, log(stage, &words(500, "two"), 0)));
    for node in [VICTIM, OTHER] {
        assert!(noted(stage, node, 501), "{node}");
    }
    let files = [VICTIM, OTHER].map(|node| stage.state(node).join("peers.json"));
    let (code, told) = stage.audit(&[&files[0], &files[1]], None);
    assert_eq!(code, Some(5), "{told}");
    assert!(told.contains("two ledgers of 501 records"), "{told}");
}

/// Only the keys that the custodian's policy names approve, whoever carries the papers.
#[test]
fn an_invented_approver_counts_for_nothing() {
    let dir = support::scratch();
    let paul = SigningKey::from_seed(&[51; 32]).unwrap();
    let carla = SigningKey::from_seed(&[52; 32]).unwrap();
    let more = format!(
        "\n[governance]\ncustodian = [{{ name = \"carla\", key = \"{}\" }}]\n\
         approvers = [{{ name = \"paul\", key = \"{}\" }}]\napprovals = 1\n\
         [[project]]\nid = \"study-2\"\nuntil = 2030-12-31\ntables = [\"person\"]\n\
         members = [{{ name = \"alice\", key = \"${{key:alice}}\" }}]\napproval = \"signed\"\n",
        carla.key_id(),
        paul.key_id()
    );
    let network = badinput::lab_with(&dir, "state", &more);
    let key = dir.join("paul.key");
    paul.save(&key).unwrap();
    let coordinators = network.dir.join("coordinator/identity.key");
    let paper = dir.join("approval.json").display().to_string();
    let node = |args: &[&str]| {
        let done = network.custodian(VICTIM, args).unwrap();
        assert_eq!(
            done.code,
            Some(0),
            "{args:?}\n{}{}",
            done.stdout,
            done.stderr
        );
    };
    node(&[
        "govern",
        "approval",
        SQL,
        "--project",
        "study-2",
        "--runs",
        "3",
        "--until",
        "2030-01-01",
        "--out",
        &paper,
    ]);
    let asked = || {
        let more = ["--project", "study-2", "--nodes", VICTIM];
        let done = support::ask(&network, "alice", SQL, &more);
        let value: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        value["nodes"][0]["code"].as_str().map(str::to_owned)
    };
    assert_eq!(asked().as_deref(), Some("G505"), "nobody approved");
    let by = |key: &Path| {
        node(&[
            "govern",
            "sign",
            &paper,
            "--key",
            &key.display().to_string(),
        ])
    };
    by(&coordinators);
    let added = network
        .custodian(VICTIM, ["govern", "add", &paper])
        .unwrap();
    assert_eq!(
        asked().as_deref(),
        Some("G505"),
        "the coordinator approves nothing\n{}",
        added.stderr
    );
    by(&key);
    node(&["govern", "add", &paper]);
    assert_eq!(asked(), None, "the approver of the policy does");
}
