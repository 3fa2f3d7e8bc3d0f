//! `init` and `enrol`: keys are made here and never leave; what is printed are their public halves.

use std::path::Path;

use anyhow::{Context, bail};
use quorate_identity::token::EnrolToken;
use quorate_identity::{Role, SigningKey};

use super::args::{Enrol, Init, Place};
use super::{Done, runtime, ui};
use crate::home::{Home, HomeError};
use crate::link::{Clock, enrolment};

/// `init`: state folder and keys. Keys that are there stay; a second run repairs a first one that
/// was cut off.
pub(super) fn init(place: &Place, args: &Init) -> anyhow::Result<Done> {
    let home = place.home()?;
    let custodian = match (&args.custodian_key, args.no_custodian_key) {
        (_, true) => None,
        (path, false) => {
            let path = path.clone().unwrap_or_else(|| home.custodian_key_path());
            Some((make(&path)?, path))
        }
    };
    let node = make(&home.node_key_path())?;
    home.secrets()?;
    let custodian_id = custodian.as_ref().map(|(key, _)| key.key_id().to_string());
    if args.json {
        let keys = serde_json::json!({ "custodian": custodian_id, "node": node.key_id() });
        ui::say(&keys.to_string());
    } else {
        if let Some(id) = &custodian_id {
            ui::say(&format!("custodian {id}"));
        }
        ui::say(&format!("node {}", node.key_id()));
    }
    if let Some((_, path)) = &custodian {
        ui::note(&format!(
            "{}: signs the roster; keep it offline with the person who decides, and back it up",
            path.display()
        ));
    }
    let name = args.name.as_deref().unwrap_or("NAME");
    ui::note(&format!(
        "next: read both keys aloud to the operator, who proposes `{name}` for the roster; write the policy {}; then `quorate-node enrol TOKEN`",
        place.policy_path().display()
    ));
    Ok(Done::Well)
}

fn make(path: &Path) -> anyhow::Result<SigningKey> {
    if path.exists() {
        return Ok(SigningKey::load(path)?);
    }
    let key = SigningKey::generate()?;
    key.save(path)?;
    Ok(key)
}

/// `enrol`: the first contact, and any later one with a new token.
pub(super) fn enrol(place: &Place, args: &Enrol, clock: &Clock) -> anyhow::Result<Done> {
    let policy = place.policy()?;
    let home = Home::open(&policy.node.state)?;
    let key = home.node_key().context("run `quorate-node init` first")?;
    let token = match args.token.as_str() {
        "-" => std::io::read_to_string(std::io::stdin())?,
        token => token.to_owned(),
    };
    let token = EnrolToken::parse(&token)?;
    token.check_time(clock())?;
    if token.role.is_some_and(|role| role != Role::Node)
        || token
            .name
            .as_ref()
            .is_some_and(|name| *name != *policy.node.name)
    {
        bail!(
            "the token is for another party than node `{}`; ask the operator",
            policy.node.name
        );
    }
    if !token.genesis.is_empty() && !same(&token.genesis, &policy.node.genesis) {
        bail!(
            "the operator's genesis keys are not those of the policy: compare them with the founders in person"
        );
    }
    let enrolled = runtime()?.block_on(enrolment::enrol(&policy, &key, &token))?;
    home.save_enrolment(&enrolled.enrolment)?;
    ui::note(&format!(
        "enrolled in network `{}`",
        enrolled.enrolment.network
    ));
    for codebook in enrolled.codebooks {
        match home.accept_codebook(&policy, &codebook.digest, &codebook.text) {
            Ok(Some(_)) => ui::note(&format!("codebook {} accepted", codebook.digest)),
            Ok(None) => ui::note(&format!(
                "codebook {} is not pinned by the policy",
                codebook.digest
            )),
            Err(why) => ui::note(&why),
        }
    }
    if enrolled.roster.is_empty() {
        ui::note(
            "the network has no roster yet: custodians sign its first entry, then enrol again",
        );
        return Ok(Done::Well);
    }
    let roster = home.accept_roster(&policy, &enrolled.roster)?;
    if *roster.network() != *enrolled.enrolment.network {
        bail!(
            "the roster is one of network `{}`: not used",
            roster.network()
        );
    }
    say_standing(&home, &policy, clock())
}

fn same(a: &[quorate_identity::KeyId], b: &[quorate_identity::KeyId]) -> bool {
    let sorted = |keys: &[quorate_identity::KeyId]| {
        keys.iter()
            .cloned()
            .collect::<std::collections::BTreeSet<_>>()
    };
    sorted(a) == sorted(b)
}

fn say_standing(home: &Home, policy: &crate::policy::Policy, now: i64) -> anyhow::Result<Done> {
    let roster = match home.roster(policy) {
        Err(HomeError::NoRoster) => return Ok(Done::Well),
        found => found?,
    };
    let head = roster.head();
    ui::say(&format!("roster {} {}", head.seq, head.hash));
    match roster.member(Role::Node, &policy.node.name, now) {
        Ok(_) => ui::note("next: `quorate-node doctor`, then `quorate-node run`"),
        Err(error) => ui::note(&format!(
            "{error}: custodians sign the entry that adds this node"
        )),
    }
    Ok(Done::Well)
}
