//! A project runs only if its applicant, the committee and this custodian say so, and only in time.

use std::collections::BTreeSet;

use proptest::prelude::*;
use quorate_governance::acceptance::{Acceptance, AdmitError, Admitted, Deciders, Word, admit};
use quorate_governance::airlock::Mode;
use quorate_governance::project::{Part, ProjectError};
use quorate_governance::vote::{Committee, CommitteeMember, Vote, VoteError};
use quorate_governance::{Artefact, ArtefactError, Opened, Project, draft};

use crate::support::{DAY, NOW, digest, key, keys, name, person, project, signed};

fn committee() -> Committee {
    let member = |(who, lay)| CommitteeMember {
        person: person(who),
        lay,
    };
    Committee {
        members: [("dora", false), ("emil", false), ("lena", true)]
            .map(member)
            .to_vec(),
        quorum: 2,
        lay: true,
    }
}

fn vote(record: &Opened<Project>, who: &str, agrees: bool, at: i64) -> Opened<Vote> {
    let vote = Vote {
        network: name("heart"),
        record: record.digest().to_owned(),
        voter: person(who),
        agrees,
        reason: "read and discussed".to_owned(),
        at,
    };
    signed(&vote, &[who])
}

fn word(record: &Opened<Project>, node: &str, word: Word, at: i64) -> Opened<Acceptance> {
    let acceptance = Acceptance {
        network: name("heart"),
        node: name(node),
        record: record.digest().to_owned(),
        word,
        reason: "as decided".to_owned(),
        at,
    };
    signed(&acceptance, &["carla"])
}

fn accept() -> Word {
    Word::Accept {
        release: Mode::Auto,
        without: BTreeSet::new(),
        until: NOW + 10 * DAY,
    }
}

fn run(
    record: &Opened<Project>,
    votes: &[Opened<Vote>],
    words: &[Opened<Acceptance>],
    now: i64,
) -> Result<Admitted, AdmitError> {
    let deciders = Deciders {
        network: "heart",
        node: "north",
        custodian: &keys(&["carla"]),
        committee: &committee(),
    };
    admit(record, votes, words, &deciders, now)
}

fn carried(record: &Opened<Project>) -> Vec<Opened<Vote>> {
    vec![
        vote(record, "dora", true, NOW),
        vote(record, "lena", true, NOW),
    ]
}

#[test]
fn a_project_that_everybody_agrees_to_runs_until_the_nearer_end() {
    let record = signed(&project(), &["alice"]);
    let words = [word(&record, "north", accept(), NOW)];
    let admitted = run(&record, &carried(&record), &words, NOW).unwrap();
    assert_eq!(admitted.until(), NOW + 10 * DAY);
    assert_eq!(admitted.release(), Mode::Review, "the stricter of both");
    assert_eq!(admitted.digest(), record.digest());
    let late = run(&record, &carried(&record), &words, NOW + 10 * DAY + 1);
    assert_eq!(late, Err(AdmitError::NotCurrent));
    let early = run(&record, &carried(&record), &words, NOW - DAY - 1);
    assert_eq!(early, Err(AdmitError::NotCurrent));
}

#[test]
fn what_one_custodian_accepts_another_has_not() {
    let record = signed(&project(), &["alice"]);
    let words = [word(&record, "south", accept(), NOW)];
    let refused = run(&record, &carried(&record), &words, NOW);
    assert_eq!(refused, Err(AdmitError::NotAccepted));
    let veto = [
        word(&record, "north", accept(), NOW),
        word(&record, "north", Word::Refuse, NOW),
    ];
    let refused = run(&record, &carried(&record), &veto, NOW);
    assert_eq!(refused, Err(AdmitError::Refused));
}

#[test]
fn nobody_else_accepts_for_a_custodian() {
    let record = signed(&project(), &["alice"]);
    let content = word(&record, "north", accept(), NOW).content().clone();
    for by in [&["alice"][..], &["hub"], &["carla", "alice"]] {
        let words = [signed(&content, by)];
        let refused = run(&record, &carried(&record), &words, NOW);
        assert_eq!(refused, Err(AdmitError::NotAccepted), "{by:?}");
    }
}

#[test]
fn a_further_signature_voids_no_refusal() {
    let record = signed(&project(), &["alice"]);
    let yes = word(&record, "north", accept(), NOW);
    let no = word(&record, "north", Word::Refuse, NOW + 1);
    let no = signed(no.content(), &["carla", "zoe"]);
    let refused = run(&record, &carried(&record), &[yes, no], NOW + 1);
    assert_eq!(refused, Err(AdmitError::Refused));
}

#[test]
fn a_record_is_its_applicants_and_for_this_network_and_node() {
    for by in [&["mia"][..], &["alice", "mia"]] {
        let record = signed(&project(), by);
        let refused = run(&record, &carried(&record), &[], NOW);
        let expected = ProjectError::NotTheApplicant(name("alice"));
        assert_eq!(refused, Err(AdmitError::Project(expected)));
    }
    let elsewhere = Project {
        network: name("lung"),
        ..project()
    };
    let refused = run(&signed(&elsewhere, &["alice"]), &[], &[], NOW);
    assert!(matches!(
        refused,
        Err(AdmitError::Project(ProjectError::Network(_)))
    ));
    let other = Project {
        nodes: BTreeSet::from([name("south")]),
        ..project()
    };
    let record = signed(&other, &["alice"]);
    assert_eq!(run(&record, &[], &[], NOW), Err(AdmitError::NotThisNode));
}

#[test]
fn quorum_lay_member_and_majority_are_needed() {
    let record = signed(&project(), &["alice"]);
    let words = [word(&record, "north", accept(), NOW)];
    let count = |votes: &[Opened<Vote>]| match run(&record, votes, &words, NOW) {
        Err(AdmitError::Vote(error)) => Some(error),
        Ok(_) => None,
        Err(error) => panic!("{error}"),
    };
    let yes = |who| vote(&record, who, true, NOW);
    let quorum = VoteError::Quorum {
        agree: 1,
        quorum: 2,
    };
    assert_eq!(count(&[yes("dora")]), Some(quorum.clone()));
    assert_eq!(count(&[yes("dora"), yes("dora")]), Some(quorum.clone()));
    assert_eq!(count(&[yes("dora"), yes("emil")]), Some(VoteError::Lay));
    assert_eq!(count(&[yes("dora"), yes("lena")]), None);
    let later_no = vote(&record, "lena", false, NOW + 1);
    assert_eq!(count(&[yes("dora"), yes("lena"), later_no]), Some(quorum));
    let stranger = VoteError::NotOnCommittee(name("zoe"));
    assert_eq!(count(&[yes("dora"), yes("zoe")]), Some(stranger));
}

#[test]
fn nobody_votes_on_their_own_project() {
    // Rule 2: applicant or member, under their name or with their key.
    let mut committee = committee();
    committee.members.push(CommitteeMember {
        person: person("mia"),
        lay: false,
    });
    let record = signed(&project(), &["alice"]);
    let votes = [
        vote(&record, "dora", true, NOW),
        vote(&record, "mia", true, NOW),
    ];
    let refused = quorate_governance::vote::count(&record, &votes, &committee);
    assert_eq!(refused, Err(VoteError::OwnProject(name("mia"))));
}

#[test]
fn a_vote_is_for_one_record_only() {
    let record = signed(&project(), &["alice"]);
    let changed = Project {
        title: "Something else".to_owned(),
        ..project()
    };
    let other = signed(&changed, &["alice"]);
    let words = [word(&other, "north", accept(), NOW)];
    let refused = run(&other, &carried(&record), &words, NOW);
    assert!(matches!(
        refused,
        Err(AdmitError::Vote(VoteError::Quorum { .. }))
    ));
}

#[test]
fn every_field_must_be_there() {
    let text = |change: fn(&mut Project)| {
        let mut project = project();
        change(&mut project);
        project.mistakes().join("; ")
    };
    assert!(text(|p| p.dpia.clear()).contains("`dpia`"));
    assert!(text(|p| p.ethics.clear()).contains("`ethics`"));
    assert!(text(|p| p.lay_summary.clear()).contains("`lay_summary`"));
    assert!(text(|p| p.public_benefit.clear()).contains("`public_benefit`"));
    assert!(text(|p| p.legal.article6.clear()).contains("article6"));
    assert!(text(|p| p.legal.article9.clear()).contains("article9"));
    assert!(text(|p| p.legal.confidentiality.clear()).contains("confidentiality"));
    assert!(text(|p| p.legal.opt_out.clear()).contains("opt_out"));
    assert!(text(|p| p.nodes.clear()).contains("`nodes`"));
    assert!(text(|p| p.data.clear()).contains("`data`"));
    assert!(text(|p| p.expires = p.starts).contains("`expires`"));
    assert!(text(|p| p.budget.questions = 0).contains("budget"));
    assert!(text(|p| p.lay_summary = "word ".repeat(301)).contains("300 words"));
    assert!(text(|p| p.version = 2).contains("`previous`"));
    assert!(text(|p| p.members[0].part = Part::Manager).contains("analyst"));
    assert!(text(|p| p.members.push(p.members[0].clone())).contains("twice"));
    assert_eq!(text(|_| {}), "");
}

#[test]
fn bytes_in_another_spelling_or_by_another_key_are_refused() {
    let record = project();
    let pretty = serde_json::to_vec_pretty(&record).unwrap();
    let respelled = quorate_identity::Signed::by(&key("alice"), Project::KIND, pretty);
    let refused = Opened::<Project>::open(&respelled);
    assert_eq!(refused, Err(ArtefactError::Spelling("project")));
    let mut altered = record.sign(&key("alice"));
    altered.payload[20] ^= 1;
    assert!(Opened::<Project>::open(&altered).is_err());
    let other = quorate_identity::Signed::by(&key("alice"), "vote", record.to_bytes());
    assert!(Opened::<Project>::open(&other).is_err());
    assert_eq!(digest("x").len(), 71);
}

const FILE: &str = r#"
[project]
format = 1
network = "heart"
id = "heart-1"
title = "Heart disease by age"
lay_summary = "We count who has heart disease."
purpose = "research"
public_benefit = "Earlier care."
organisation = "Example University"
ethics = "REC 26/1"
dpia = "DPIA 7"
nodes = ["north"]
questions = 20
release = "dual"
starts = 2027-01-01
expires = 2027-01-01

[legal]
article6 = "6(1)(e)"
article9 = "9(2)(j)"
confidentiality = "section 251"
opt_out = "yes, 2026-11-01"

[applicant]
name = "alice"
key = "ALICE"

[[member]]
name = "alice"
key = "ALICE"
part = "analyst"

[data]
person = ["sex", "age"]
"#;

fn file() -> String {
    FILE.replace("ALICE", key("alice").key_id().as_str())
}

#[test]
fn a_project_file_is_read_and_its_last_day_counts() {
    let read = draft::read(&file(), "p.toml").unwrap();
    assert_eq!(read.release, Mode::Dual);
    assert_eq!(read.expires - read.starts, DAY - 1);
    assert!(read.mistakes().is_empty());
}

#[test]
fn a_project_file_says_every_mistake() {
    let wrong = file()
        .replace("\"research\"", "\"direct marketing\"")
        .replace("dpia = \"DPIA 7\"\n", "")
        .replace("opt_out", "optout");
    let mistakes = draft::read(&wrong, "p.toml").unwrap_err().to_string();
    assert!(mistakes.contains("never a permitted purpose"), "{mistakes}");
    assert!(mistakes.contains("dpia"), "{mistakes}");
    assert!(mistakes.contains("opt_out"), "{mistakes}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// More votes against never carry a record, and order never matters.
    #[test]
    fn votes_count_in_any_order(
        said in prop::collection::vec((0..3_usize, any::<bool>(), 0..3_i64), 0..6),
        turn in 0..6_usize,
    ) {
        let record = signed(&project(), &["alice"]);
        let who = ["dora", "emil", "lena"];
        let mut votes: Vec<_> = said
            .iter()
            .map(|(at, agrees, time)| vote(&record, who[*at], *agrees, NOW + time))
            .collect();
        let count = |votes: &[Opened<Vote>]| {
            let counted = quorate_governance::vote::count(&record, votes, &committee());
            counted.map(|people| people.into_iter().collect::<BTreeSet<_>>())
        };
        let one = count(&votes);
        let length = votes.len().max(1);
        votes.rotate_left(turn % length);
        votes.reverse();
        prop_assert_eq!(&one, &count(&votes));
        if one.is_ok() {
            for other in who {
                votes.push(vote(&record, other, false, NOW + 9));
            }
            prop_assert!(count(&votes).is_err());
        }
    }
}
