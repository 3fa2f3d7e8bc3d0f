//! From the result that was released back to the project's record, by an auditor who has no profile:
//! the founders' keys, the file, and what the custodian shows.

use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use quorate_governance::Artefact;
use quorate_governance::vote::Vote;
use quorate_identity::{Signed, SigningKey};
use quorate_testnet::process::Done;
use serde_json::Value;

use super::Story;
use crate::support;

/// What the auditor is told, with an exit code.
fn told(story: &Story, proof: Option<&Value>, code: i32) -> Done {
    let (result, paper) = (story.paper("result.json"), story.paper("lineage.json"));
    let nobody = story.paper("nobody");
    let genesis = story.network.ground.genesis.clone();
    let mut args = vec!["lineage", &result];
    if let Some(proof) = proof {
        fs::write(&paper, proof.to_string()).unwrap();
        args.push(&paper);
    }
    args.extend(["--genesis", &genesis, "--home", &nobody]);
    story.ask("alice", &args, code)
}

/// Every link is shown and fits; each one edited is caught.
pub(super) fn followed(story: &Story, id: &str) {
    let bare = told(story, None, 0).stdout;
    assert!(bare.contains("– project record"), "{bare}");
    assert!(bare.contains("ledger prove --question"), "{bare}");
    let shown = ["ledger", "prove", "--question", id, "--acts"];
    let proof: Value = serde_json::from_str(&story.at("north", &shown, 0).stdout).unwrap();
    let all = told(story, Some(&proof), 0).stdout;
    for words in [
        "✓ answer",
        "the question of alice arrived",
        "what leaves was decided",
        "✓ ledger record  ",
        "the answer was stored",
        "✓ project record  heart-1 version 1, \"Age and sex\": signed by",
        "✓ vote  votes for it: signed by dora (committee)",
        "✓ vote  votes for it: signed by lena (committee)",
        "✓ acceptance  accepted for north, release dual: signed by carla (custodian)",
        "✓ approval  serial 1 of this question: signed by paul, petra (approver)",
        "✓ review  these numbers may leave: signed by cleo (checker)",
        "✓ review  these numbers may leave: signed by cyril (checker)",
        "– policy",
    ] {
        assert!(all.contains(words), "`{words}` is missing in\n{all}");
    }
    let acts = proof["acts"].as_array().unwrap().len();
    assert_eq!(
        acts, 7,
        "record, two votes, acceptance, approval, two reviews"
    );
    for at in 0..acts {
        let mut bent = proof.clone();
        let payload = bent["acts"][at]["payload"].as_str().unwrap();
        let text = String::from_utf8(BASE64.decode(payload).unwrap()).unwrap();
        // Dates of acts, and the title of the record.
        let edited = text.replacen("\"at\":1", "\"at\":2", 1);
        let edited = edited.replacen("\"issued\":1", "\"issued\":2", 1);
        let edited = edited.replacen("Age and sex", "Age and sax", 1);
        assert_ne!(edited, text);
        bent["acts"][at]["payload"] = BASE64.encode(edited).into();
        let caught = told(story, Some(&bent), 5).stdout;
        assert!(caught.contains('✗'), "act {at}: {caught}");
    }
    signed_otherwise(story, &proof);
    shown_otherwise(story, &proof);
}

/// The same acts, signed by others, by fewer, or by somebody who is nobody here.
fn signed_otherwise(story: &Story, proof: &Value) {
    let acts = proof["acts"].as_array().unwrap();
    let stranger = SigningKey::from_seed(&[88; 32]).unwrap();
    for (at, act) in acts.iter().enumerate() {
        let signed: Signed = serde_json::from_value(act.clone()).unwrap();
        let other = Signed::by(&stranger, &signed.kind, signed.payload.clone());
        let mut bent = proof.clone();
        bent["acts"][at] = serde_json::to_value(&other).unwrap();
        let caught = told(story, Some(&bent), 5).stdout;
        assert!(caught.contains('✗'), "{}: {caught}", signed.kind);
        if signed.signatures.len() > 1 {
            let mut fewer = signed.clone();
            fewer.signatures.pop();
            bent["acts"][at] = serde_json::to_value(&fewer).unwrap();
            told(story, Some(&bent), 5);
        }
        bent["acts"][at] = act.clone();
        let all = bent["acts"].as_array_mut().unwrap();
        all.push(serde_json::to_value(&other).unwrap());
        told(story, Some(&bent), 5);
    }
    let vote = acts.iter().find(|act| act["kind"] == "vote").unwrap();
    let vote: Signed = serde_json::from_value(vote.clone()).unwrap();
    let mut invented: Vote = serde_json::from_slice(&vote.payload).unwrap();
    invented.voter.key = stranger.key_id().clone();
    let mut bent = proof.clone();
    let all = bent["acts"].as_array_mut().unwrap();
    all.push(serde_json::to_value(invented.sign(&stranger)).unwrap());
    let claimed = told(story, Some(&bent), 0).stdout;
    assert!(claimed.contains("– vote"), "only claimed: {claimed}");
}

/// Records that were altered, left out, or that nothing links to the receipt.
fn shown_otherwise(story: &Story, proof: &Value) {
    let entries = proof["entries"].as_array().unwrap().len();
    for at in 0..entries {
        let mut bent = proof.clone();
        let record = bent["entries"][at]["record"].as_str().unwrap();
        let edited = record.replacen("\"time\":1", "\"time\":2", 1);
        assert_ne!(edited, record);
        bent["entries"][at]["record"] = edited.into();
        told(story, Some(&bent), 5);
    }
    let mut bent = proof.clone();
    let notes = bent["entries"].as_array_mut().unwrap();
    notes.retain(|entry| !entry["record"].as_str().unwrap().contains("\"noted\""));
    assert!(notes.len() < entries);
    let less = told(story, Some(&bent), 0).stdout;
    for claimed in ["– vote", "– acceptance", "– approval", "– review"] {
        assert!(less.contains(claimed), "{claimed}: {less}");
    }
    let mut bent = proof.clone();
    let signature = &mut bent["checkpoint"]["signatures"][0]["signature"];
    let mut bytes = BASE64.decode(signature.as_str().unwrap()).unwrap();
    bytes[0] ^= 1;
    *signature = BASE64.encode(bytes).into();
    told(story, Some(&bent), 5);
}

/// The result as a Five Safes RO-Crate, judged by software of others where that is installed.
pub(super) fn handed_on(story: &Story) {
    let (result, out) = (story.paper("result.json"), story.paper("crate"));
    story.ask("alice", &["crate", &result, "--out", &out], 0);
    let program = support::wish("QUORATE_PYTHON").unwrap_or_else(|| "python3".to_owned());
    let run = |args: &[&str]| Command::new(&program).args(args).output();
    let needs = "import rocrate, rocrate_validator";
    if !run(&["-c", needs]).is_ok_and(|done| done.status.success()) {
        println!("skipped: {program} does not know `{needs}`");
        return;
    }
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/crate/validate.py");
    let judged = run(&[tool.to_str().unwrap(), &out]).unwrap();
    let said = String::from_utf8_lossy(&judged.stdout).into_owned();
    let failed = String::from_utf8_lossy(&judged.stderr).into_owned();
    assert!(judged.status.success(), "{said}{failed}");
    assert!(said.contains("0 mistakes"), "{said}");
}
