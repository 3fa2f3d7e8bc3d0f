//! The program as a person runs it: commands, exit codes, what stands on which stream.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::coordinator::{Mood, Network};
use crate::world::{CODEBOOK, SEXES};

pub(crate) fn quorate(home: &Path, args: &[&str]) -> Output {
    command(home, args).output().unwrap()
}

pub(crate) fn command(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command
        .args(args)
        .env("QUORATE_HOME", home)
        .stdin(Stdio::null());
    command
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) fn expect(output: &Output, code: i32) {
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}\n{}",
        out(output),
        err(output)
    );
}

/// A network whose alice has logged in and compared the founder's key.
pub(crate) fn joined() -> Network {
    let network = Network::start();
    let token = network.token().to_string();
    let login = quorate(
        network.home(),
        &[
            "login",
            &token,
            "--genesis",
            &network.genesis,
            "--project",
            "heart-1",
        ],
    );
    expect(&login, 0);
    assert!(!err(&login).contains("COMPARE"), "{}", err(&login));
    network
}

#[test]
fn a_researcher_joins_asks_and_verifies() {
    let network = joined();
    let home = network.home();
    let asked = quorate(home, &["query", SEXES]);
    expect(&asked, 0);
    let table = out(&asked);
    for words in [
        "0 female", "1 male", "245", "(243–)", "150", "Absent", "oslo",
    ] {
        assert!(table.contains(words), "`{words}` is missing in\n{table}");
    }
    assert!(err(&asked).contains("bern  answered"), "{}", err(&asked));
    assert!(err(&asked).contains("oslo  absent"), "{}", err(&asked));

    let file = network.file("result.json");
    let file = file.to_str().unwrap();
    expect(
        &quorate(home, &["query", SEXES, "--by-site", "--out", file]),
        0,
    );
    let verified = quorate(home, &["verify", file]);
    expect(&verified, 0);
    assert!(
        out(&verified).contains("equal to the byte"),
        "{}",
        out(&verified)
    );

    // A newer roster does not invalidate what was saved.
    network.grow();
    expect(&quorate(home, &["query", SEXES]), 0);
    expect(&quorate(home, &["verify", file]), 0);
}

#[test]
fn a_tampered_file_is_not_verified() {
    let network = joined();
    let home = network.home();
    let file = network.file("result.json");
    let path = file.to_str().unwrap();
    expect(
        &quorate(home, &["query", SEXES, "--format", "json", "--out", path]),
        0,
    );
    let text = std::fs::read_to_string(&file).unwrap();
    let genuine: Value = serde_json::from_str(&text).unwrap();

    let verdict = |change: &dyn Fn(&mut Value)| {
        let mut document = genuine.clone();
        change(&mut document);
        assert_ne!(document, genuine);
        std::fs::write(&file, document.to_string()).unwrap();
        quorate(home, &["verify", path])
    };
    let value = |document: &mut Value| {
        document["rows"][0]["cells"]["n"]["value"] = "155".into();
    };
    let status = |document: &mut Value| document["nodes"][0]["status"] = "late".into();
    let text = |document: &mut Value| document["question"]["text"] = "SELECT 1".into();
    let shorter = |document: &mut Value| {
        document["roster"].as_array_mut().unwrap().pop();
    };
    let unsigned = |document: &mut Value| {
        document.as_object_mut().unwrap().remove("signed");
    };
    let flipped = |document: &mut Value| {
        let signed = document["signed"].as_str().unwrap().to_owned();
        let mut bytes = signed.into_bytes();
        let middle = bytes.len() / 2;
        bytes[middle] = if bytes[middle] == b'A' { b'B' } else { b'A' };
        document["signed"] = String::from_utf8(bytes).unwrap().into();
    };
    let total = |document: &mut Value| document["total"] = 999.into();
    let note = |document: &mut Value| {
        document["rows"][0]["cells"]["n"]["remark"] = "exact".into();
    };
    let less = |document: &mut Value| {
        document.as_object_mut().unwrap().remove("nodes");
    };
    let changes: [&dyn Fn(&mut Value); 9] = [
        &value, &status, &text, &shorter, &unsigned, &flipped, &total, &note, &less,
    ];
    for change in changes {
        let refused = verdict(change);
        expect(&refused, 5);
        assert!(err(&refused).contains("NOT VERIFIED"), "{}", err(&refused));
        assert_eq!(out(&refused), "");
    }
    std::fs::write(&file, genuine.to_string()).unwrap();
    expect(&quorate(home, &["verify", path]), 0);
}

#[test]
fn a_lying_coordinator_shows_nothing() {
    let network = joined();
    network.mood(Mood::Lying);
    let lied = quorate(network.home(), &["query", SEXES]);
    expect(&lied, 5);
    assert_eq!(out(&lied), "");
    assert!(err(&lied).contains("NOT VERIFIED"), "{}", err(&lied));
}

#[test]
fn refusals_end_with_two() {
    let network = joined();
    let home = network.home();
    let by_language = quorate(home, &["query", "SELECT max(age) FROM person"]);
    expect(&by_language, 2);
    assert_eq!(out(&by_language), "");
    assert!(err(&by_language).contains("^^^"), "{}", err(&by_language));
    let as_json = quorate(
        home,
        &["query", "SELECT max(age) FROM person", "--format", "json"],
    );
    expect(&as_json, 2);
    let document: Value = serde_json::from_str(&out(&as_json)).unwrap();
    assert_eq!(document["schema"], "quorate.result/1");
    assert_eq!(document["status"], "refused");
    assert_eq!(document["problem"]["code"], "V500");
    assert_eq!(document["problem"]["span"], serde_json::json!([7, 15]));
    let missing = quorate(
        home,
        &["query", "SELECT count(*) FROM person WHERE age >= $a"],
    );
    expect(&missing, 2);
    assert!(err(&missing).contains("V700"), "{}", err(&missing));
    let superfluous = quorate(home, &["query", SEXES, "--param", "a=1"]);
    expect(&superfluous, 2);
    assert!(err(&superfluous).contains("V700"), "{}", err(&superfluous));
    let by_coordinator = quorate(home, &["query", SEXES, "--project", "other"]);
    expect(&by_coordinator, 2);
    assert!(
        err(&by_coordinator).contains("G501"),
        "{}",
        err(&by_coordinator)
    );

    network.mood(Mood::Refusing);
    let by_nodes = quorate(home, &["query", SEXES]);
    expect(&by_nodes, 2);
    assert!(
        out(&by_nodes).contains("bern, cork, oslo: G501"),
        "{}",
        out(&by_nodes)
    );
}

#[test]
fn too_few_nodes_end_with_three() {
    let network = joined();
    let few = quorate(network.home(), &["query", SEXES, "--min-nodes", "3"]);
    expect(&few, 3);
    assert!(out(&few).contains("X801"), "{}", out(&few));
}

#[test]
fn a_question_that_waits_for_a_person_ends_with_four_and_its_id() {
    let network = joined();
    let home = network.home();
    network.mood(Mood::Waiting);
    let waiting = quorate(home, &["query", SEXES]);
    expect(&waiting, 4);
    let id = out(&waiting).trim().to_owned();
    assert_eq!(id.len(), 36, "{id}");
    let start: String = id.chars().take(18).collect();
    expect(&quorate(home, &["status", &start]), 4);
    expect(&quorate(home, &["fetch", &id]), 4);
    let json = quorate(home, &["query", SEXES, "--format", "json", "--no-wait"]);
    expect(&json, 4);
    let document: Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!(document["status"], "waiting");
    expect(&quorate(home, &["cancel", &id]), 0);

    network.mood(Mood::Honest);
    let fetched = quorate(home, &["fetch", &start, "--format", "csv"]);
    expect(&fetched, 0);
    assert_eq!(
        out(&fetched),
        "sex,n,n__status,n__lower,n__upper,n__nodes\n0,150,released,146,154,2\n1,245,released,243,,1\n"
    );
    let list = quorate(home, &["list"]);
    expect(&list, 0);
    assert!(out(&list).contains(&id), "{}", out(&list));
    expect(&quorate(home, &["cancel", &id]), 1);
}

#[test]
fn a_coordinator_that_falls_over_loses_nothing() {
    let network = joined();
    network.mood(Mood::Falling);
    let asked = quorate(network.home(), &["query", SEXES]);
    expect(&asked, 0);
    assert!(out(&asked).contains("245"), "{}", out(&asked));
    let said = err(&asked);
    assert!(
        said.contains("trying again") && said.contains("connected again"),
        "{said}"
    );
    // Once by the researcher, once because the coordinator had forgotten it.
    assert_eq!(network.submissions(), 2);
}

#[cfg(unix)]
#[test]
fn ctrl_c_says_that_the_question_goes_on() {
    use std::io::{BufRead, BufReader};

    let network = joined();
    network.mood(Mood::Stuck);
    let mut child = command(network.home(), &["query", SEXES])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("cork  answered") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "ended early");
    }
    let interrupt = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(interrupt.success());
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut said, &mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    expect(&output, 4);
    let id = out(&output).trim().to_owned();
    assert!(rest.contains("the question goes on without you"), "{rest}");
    assert!(rest.contains(&format!("quorate fetch {id}")), "{rest}");
}

#[test]
fn usage_ends_with_sixty_four() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    for args in [
        &["bogus"][..],
        &["query", "--no-such-option"],
        &["query"],
        &["query", SEXES, "--file", "q.sql"],
        &["query", SEXES, "--format", "xls"],
        &["query", SEXES, "--wait", "--no-wait"],
        &["check", SEXES, "--param", "a"],
        &["login", "nonsense"],
        &[],
    ] {
        let output = quorate(home, args);
        expect(&output, 64);
        assert_eq!(out(&output), "", "{args:?}");
    }
    expect(&quorate(home, &["--help"]), 0);
    expect(&quorate(home, &["--version"]), 0);
}

#[test]
fn without_a_profile_one_is_told_how_to_get_one() {
    let home = tempfile::tempdir().unwrap();
    let output = quorate(home.path(), &["query", SEXES]);
    expect(&output, 1);
    assert!(
        err(&output).contains("quorate login TOKEN"),
        "{}",
        err(&output)
    );
    let key = quorate(home.path(), &["login"]);
    expect(&key, 0);
    assert!(out(&key).starts_with("ed25519:"), "{}", out(&key));
    assert_eq!(
        out(&quorate(home.path(), &["login"])),
        out(&key),
        "the key stays the same"
    );
}

#[test]
fn an_unreachable_coordinator_is_named_and_known_mistakes_are_still_found() {
    let network = joined();
    let home = network.home().to_owned();
    let config = home.join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let text = text.replace(&network.address.to_string(), &gone.to_string());
    std::fs::write(&config, text).unwrap();
    let output = quorate(&home, &["query", SEXES]);
    expect(&output, 1);
    assert!(err(&output).contains(&gone.to_string()), "{}", err(&output));
    assert!(err(&output).contains("nobody listens"), "{}", err(&output));
    expect(
        &quorate(&home, &["query", "SELECT max(age) FROM person"]),
        2,
    );
    expect(&quorate(&home, &["catalog"]), 0);
}

#[test]
fn another_networks_founders_are_refused() {
    let network = Network::start();
    let stranger = quorate_identity::SigningKey::from_seed(&[200; 32]).unwrap();
    let token = network.token().to_string();
    let genesis = stranger.key_id().to_string();
    let refused = quorate(network.home(), &["login", &token, "--genesis", &genesis]);
    expect(&refused, 5);
    assert!(!network.file("config.toml").exists());
}

#[test]
fn keys_that_nobody_compared_are_shown_for_comparison() {
    let network = Network::start();
    let login = quorate(network.home(), &["login", &network.token().to_string()]);
    expect(&login, 0);
    assert!(err(&login).contains("COMPARE"), "{}", err(&login));
    assert!(err(&login).contains(&network.genesis), "{}", err(&login));
}

#[test]
fn a_certificate_is_renewed_once_before_it_ends() {
    let network = Network::start();
    network.issue_old_certificates();
    let token = network.token().to_string();
    let home = network.home();
    expect(
        &quorate(home, &["login", &token, "--genesis", &network.genesis]),
        0,
    );
    let before = std::fs::read(network.file("tls.pem")).unwrap();
    for _ in 0..2 {
        expect(&quorate(home, &["query", SEXES, "--project", "heart-1"]), 0);
    }
    assert_eq!(network.renewals(), 1);
    assert_ne!(
        std::fs::read(network.file("tls.pem")).unwrap(),
        before,
        "each certificate has its own key"
    );
}

#[test]
fn the_sdk_asks_in_one_call() {
    use quorate_sdk::ask::Draft;
    use quorate_sdk::client::{Client, Event};
    use quorate_sdk::profile::Profile;

    let network = joined();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut seen = Vec::new();
    let result = runtime.block_on(async {
        let mut client = Client::connect(Profile::open(network.home()).unwrap()).unwrap();
        let codebook = client.catalogue().await.unwrap().codebooks.remove(0);
        let draft = Draft {
            request: SEXES.into(),
            project: "heart-1".to_owned(),
            ..Draft::default()
        };
        let now = 1_790_000_000_000;
        client
            .ask(&draft, &codebook, now, &mut |event| seen.push(event))
            .await
            .unwrap()
    });
    let nodes = seen.iter().filter_map(|event| match event {
        Event::Node(node) => Some((node.node.as_str(), node.status.as_str())),
        _ => None,
    });
    assert!(
        nodes
            .into_iter()
            .any(|(node, status)| node == "cork" && status == "answered")
    );
    let batch = result.to_batch().unwrap();
    assert_eq!((batch.num_rows(), batch.num_columns()), (2, 6));
    assert_eq!(batch.schema().metadata()["quorate.status"], "answered");
}

#[test]
fn a_token_for_another_authority_is_refused() {
    let network = Network::start();
    let mut token = network.token();
    token.ca_sha256 = format!("sha256:{}", "0".repeat(64));
    let refused = quorate(network.home(), &["login", &token.to_string()]);
    expect(&refused, 1);
    assert!(
        err(&refused).contains("not your network's coordinator"),
        "{}",
        err(&refused)
    );
}

#[test]
fn the_catalog_tells_what_can_be_written() {
    let network = joined();
    let home = network.home();
    let all = quorate(home, &["catalog"]);
    expect(&all, 0);
    assert!(
        out(&all).contains("node oslo  not connected"),
        "{}",
        out(&all)
    );
    let person = quorate(home, &["catalog", "person"]);
    expect(&person, 0);
    for words in [
        "0 female, 1 male",
        "0 to 120; bands of 5, 10, 20",
        "int [a]",
    ] {
        assert!(
            out(&person).contains(words),
            "`{words}` is missing in\n{}",
            out(&person)
        );
    }
    let by_label = quorate(home, &["catalog", "--search", "FEMALE"]);
    assert!(
        out(&by_label).contains("sex") && !out(&by_label).contains("age"),
        "{}",
        out(&by_label)
    );
    assert!(out(&quorate(home, &["catalog", "--search", "nowhere"])).contains("nothing fits"));
    let unknown = quorate(home, &["catalog", "persons"]);
    expect(&unknown, 1);
    assert!(
        err(&unknown).contains("the codebook has person"),
        "{}",
        err(&unknown)
    );
}

#[test]
fn check_explains_and_refuses_offline() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("codebook.toml");
    std::fs::write(&file, CODEBOOK).unwrap();
    let book = file.to_str().unwrap();
    let good = quorate(home.path(), &["check", SEXES, "--codebook", book]);
    expect(&good, 0);
    assert!(out(&good).contains("sha256:"), "{}", out(&good));
    assert!(!out(&good).contains("R1: "), "{}", out(&good));
    let more = ["check", SEXES, "--codebook", book, "--disclosure"];
    let good = quorate(home.path(), &more);
    expect(&good, 0);
    assert!(out(&good).contains("  - R1: 8 persons"), "{}", out(&good));
    let json = [more.as_slice(), &["--format", "json"]].concat();
    let document: Value = serde_json::from_str(&out(&quorate(home.path(), &json))).unwrap();
    let instead = &document["disclosure"]["instead"][0];
    assert_eq!(instead, "leave out sex: 1 cell instead of 2");
    let bad = quorate(
        home.path(),
        &[
            "check",
            "SELECT age, count(*) FROM person GROUP BY age",
            "--codebook",
            book,
            "--format",
            "json",
        ],
    );
    expect(&bad, 2);
    let document: Value = serde_json::from_str(&out(&bad)).unwrap();
    assert_eq!(document["problem"]["code"], "V402");
    assert_eq!(document["problem"]["write"], "floor(age/5)*5");
    std::fs::write(
        home.path().join("broken.toml"),
        CODEBOOK.replace("format = 1", "format = 2\nfoo = 3"),
    )
    .unwrap();
    let broken = home.path().join("broken.toml");
    let broken = quorate(
        home.path(),
        &["codebook", "check", broken.to_str().unwrap()],
    );
    expect(&broken, 1);
    assert_eq!(
        err(&broken)
            .lines()
            .filter(|line| line.contains("broken.toml:"))
            .count(),
        2,
        "{}",
        err(&broken)
    );
    let diff = quorate(home.path(), &["codebook", "diff", book, book]);
    expect(&diff, 0);
    assert!(
        out(&diff).starts_with("the same codebook"),
        "{}",
        out(&diff)
    );
    let set = home.path().join("regions.csv");
    std::fs::write(&set, "region,name\nBE,Bern\nZH,Zürich\n").unwrap();
    let given = format!("r={}", set.display());
    let sql = "SELECT count(*) FROM person WHERE region IN ($r) AND sex = $s";
    let args = [
        "check",
        sql,
        "--codebook",
        book,
        "--set",
        &given,
        "--param",
        "s=1",
    ];
    expect(&quorate(home.path(), &args), 0);
}
