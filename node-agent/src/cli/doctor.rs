//! `doctor`: everything that could be wrong, from the disk to the coordinator, in one go.

use quorate_governance::Opened;
use quorate_identity::Role;
use quorate_identity::tls::{Verdict, certificates, fingerprint, peer};

use super::args::{Doctor, Place};
use super::probe::{Seen, letter, look, route_text};
use super::{Done, roster, runtime, ui};
use crate::govern::Acts;
use crate::home::Home;
use crate::link::Clock;
use crate::link::dial::{Route, Target};
use crate::peers::{PEERS_FILE, Peers, UNWITNESSED};
use crate::policy::Policy;
use crate::source::{FileError, files};

/// Least free space for ledger, releases and outbox.
const LEAST_FREE: u64 = 256 << 20;

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    /// `None` is well but worth a word.
    well: Option<bool>,
    text: String,
}

/// Everything found so far.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn well(&mut self, what: &'static str, text: impl Into<String>) {
        self.0.push(Finding {
            what,
            well: Some(true),
            text: text.into(),
        });
    }

    fn bad(&mut self, what: &'static str, text: impl Into<String>) {
        self.0.push(Finding {
            what,
            well: Some(false),
            text: text.into(),
        });
    }

    fn note(&mut self, what: &'static str, text: impl Into<String>) {
        self.0.push(Finding {
            what,
            well: None,
            text: text.into(),
        });
    }

    fn judge<T>(
        &mut self,
        what: &'static str,
        outcome: Result<T, impl std::fmt::Display>,
        well: &str,
    ) -> Option<T> {
        match outcome {
            Ok(value) => {
                self.well(what, well);
                Some(value)
            }
            Err(error) => {
                self.bad(what, error.to_string());
                None
            }
        }
    }
}

/// Looks at everything; exit 1 if anything is wrong.
pub(super) fn doctor(place: &Place, args: &Doctor, clock: &Clock) -> anyhow::Result<Done> {
    let mut found = Findings::default();
    let mut mail = None;
    let path = place.policy_path();
    if let Some(policy) = found.judge(
        "policy",
        place.policy(),
        &format!("{} has no mistake", path.display()),
    ) {
        if let Some(home) = found.judge(
            "state",
            Home::open(&policy.node.state),
            "only its owner can look into it",
        ) {
            keys(&mut found, &home);
            certificate(&mut found, &home, &policy, clock());
            standing(&mut found, &home, &policy, clock());
            disk(&mut found, &policy);
            glasses(&mut found, &policy, clock());
            witnesses(&mut found, &home, &policy, clock());
            mail = runtime()?.block_on(network(&mut found, &home, &policy, clock()));
        }
        sources(&mut found, &policy);
    }
    let well = found.0.iter().all(|finding| finding.well != Some(false));
    if args.json {
        let list: Vec<_> = found.0.iter().map(json).collect();
        ui::say(&serde_json::json!({ "well": well, "findings": list, "letter": mail }).to_string());
    } else {
        for Finding { what, well, text } in &found.0 {
            let mark = match well {
                Some(true) => "ok  ",
                Some(false) => "FAIL",
                None => "note",
            };
            ui::say(&format!("{mark} {what}: {text}"));
        }
        if let Some(mail) = mail {
            ui::say(&format!("\n{mail}"));
        }
    }
    Ok(if well { Done::Well } else { Done::Badly })
}

/// Says who may read a question that is closed to their role.
fn glasses(found: &mut Findings, policy: &Policy, now: i64) {
    match Acts::load(&policy.node.state) {
        Ok(acts) => {
            let open = acts.glasses.iter().map(Opened::content);
            for glass in open.filter(|glass| now <= glass.until) {
                let (who, until) = (&glass.who.name, roster::time(glass.until));
                let text = format!("{who} reads question {} until {until}", glass.question);
                found.note("break-glass", text);
            }
        }
        Err(error) => found.bad("governance", error.to_string()),
    }
}

fn json(finding: &Finding) -> serde_json::Value {
    serde_json::json!({ "what": finding.what, "ok": finding.well, "text": finding.text })
}

fn keys(found: &mut Findings, home: &Home) {
    found.judge(
        "identity key",
        home.node_key(),
        "readable by its owner only",
    );
    found.judge(
        "domain key and store key",
        home.secrets(),
        "readable by their owner only; keep them in the backup",
    );
    if home.custodian_key_path().exists() {
        found.note(
            "custodian key",
            "it lies on this machine: better offline, with the person who decides",
        );
    }
}

fn certificate(found: &mut Findings, home: &Home, policy: &Policy, now: i64) {
    let Some(enrolment) = found.judge(
        "enrolment",
        home.enrolment(),
        "certificate, key and authority are there",
    ) else {
        return;
    };
    let leaf = certificates(&enrolment.certificate)
        .ok()
        .and_then(|chain| chain.first().cloned());
    let Some(Ok(named)) = leaf.map(|der| peer(&der)) else {
        return found.bad("certificate", "it cannot be read: enrol again");
    };
    if named.role != Role::Node || named.name != *policy.node.name {
        found.bad(
            "certificate",
            format!(
                "it is for {} {}, the policy says node {}",
                named.role, named.name, policy.node.name
            ),
        );
    } else if now < named.not_before {
        let from = roster::time(named.not_before);
        found.bad("clock", format!("by this machine's clock ({}) the certificate is not valid before {from}: set the clock", roster::time(now)));
    } else if now > named.not_after {
        found.bad(
            "certificate",
            format!(
                "it ended {}: enrol again with a new token",
                roster::time(named.not_after)
            ),
        );
    } else {
        found.well(
            "certificate",
            format!(
                "valid until {}; renewed by itself",
                roster::time(named.not_after)
            ),
        );
    }
}

fn standing(found: &mut Findings, home: &Home, policy: &Policy, now: i64) {
    if let Some(roster) = found.judge(
        "roster",
        home.roster(policy),
        "verifies from the policy's genesis keys",
    ) {
        match roster.member(Role::Node, &policy.node.name, now) {
            Err(error) => found.bad("roster entry", error.to_string()),
            Ok(member) => match home.node_key() {
                Ok(key) if *key.key_id() != member.key => {
                    found.bad(
                        "roster entry",
                        format!(
                            "it names {}, this node's key is {}",
                            member.key,
                            key.key_id()
                        ),
                    );
                }
                _ => found.well(
                    "roster entry",
                    format!("until {}", roster::time(member.until)),
                ),
            },
        }
    }
    let Some(known) = found.judge(
        "codebooks",
        home.codebooks(policy),
        "those that are here are whole",
    ) else {
        return;
    };
    for digest in &policy.node.codebooks {
        if known.iter().all(|codebook| codebook.digest != *digest) {
            found.note(
                "codebooks",
                format!("{digest} is pinned but not here yet; the coordinator sends it"),
            );
        }
    }
    if let Some(reason) = home.paused() {
        found.note("paused", format!("every question is refused: {reason}"));
    }
}

/// What this node saw of the others' ledgers, and the coordinator with it.
fn witnesses(found: &mut Findings, home: &Home, policy: &Policy, now: i64) {
    let peers = match Peers::read(&policy.node.state) {
        Ok(peers) => peers,
        Err(error) => {
            return found.bad(
                "other ledgers",
                format!("{PEERS_FILE}: {error}; it is begun anew"),
            );
        }
    };
    for (name, peer) in peers.iter() {
        let size = peer.sightings.keys().next_back().copied().unwrap_or(0);
        let heard = roster::time(peer.heard);
        if let Some(conflict) = peer.conflicts.first() {
            let count = peer.conflicts.len();
            found.bad(
                "other ledgers",
                format!(
                    "{name} contradicts itself ({count} times, first {}): {}. Both signed checkpoints are in {PEERS_FILE}: show them to its custodian and to the auditor",
                    roster::time(conflict.time),
                    conflict.why
                ),
            );
        } else {
            found.well(
                "other ledgers",
                format!("{name}: {size} records, heard {heard}"),
            );
        }
    }
    let roster = home.roster(policy);
    let alone = roster.map(|roster| peers.unwitnessed(&roster, &policy.node.name, now));
    match (alone, peers.freshest()) {
        (Ok(Some(since)), _) => found.bad(
            "other ledgers",
            format!(
                "no other node's ledger was seen since {}: nobody outside the coordinator witnesses this one either, and answers say so ({UNWITNESSED}); ask another custodian what they see",
                roster::time(since)
            ),
        ),
        (_, Some(_)) => {}
        (_, None) => found.note("other ledgers", "none was seen yet: this node has no witness but the coordinator"),
    }
}

fn disk(found: &mut Findings, policy: &Policy) {
    match rustix::fs::statvfs(&policy.node.state) {
        Ok(space) => {
            let free = space.f_bavail.saturating_mul(space.f_frsize);
            let text = format!("{} MiB free for the state", free >> 20);
            if free < LEAST_FREE {
                found.bad(
                    "disk",
                    format!("{text}, less than {} MiB", LEAST_FREE >> 20),
                );
            } else {
                found.well("disk", text);
            }
        }
        Err(error) => found.bad("disk", error.to_string()),
    }
}

fn sources(found: &mut Findings, policy: &Policy) {
    for (name, spec) in &policy.sources {
        let listed = files::list(&spec.path, spec.kind.extension())
            .and_then(|paths| files::readable(&paths).map(|()| paths.len()));
        match listed {
            Ok(files) => found.well(
                "source",
                format!(
                    "{name}: {files} {} can be read; `data check` reads the rows",
                    if files == 1 { "file" } else { "files" }
                ),
            ),
            Err(error @ FileError::Missing { .. }) => {
                found.bad("source", format!("{name}: {error}"))
            }
            Err(error) => found.bad("source", format!("{name}: {error}")),
        }
    }
}

/// Name, TCP, proxy, TLS. Returns the letter to the IT department if somebody opens TLS.
async fn network(found: &mut Findings, home: &Home, policy: &Policy, now: i64) -> Option<String> {
    let target = found.judge(
        "address",
        Target::parse(&policy.node.coordinator),
        &policy.node.coordinator,
    )?;
    let route = Route::choose(&policy.node.proxy, &target);
    found.note("route", route_text(&route, &target));
    let enrolment = home.enrolment().ok();
    let Some(ca) = enrolment.map(|enrolment| enrolment.ca) else {
        found.note("TLS", "cannot be judged before `quorate-node enrol`");
        return None;
    };
    match look(policy, &ca, now).await {
        Err(error) | Ok(Seen::Unreachable(error)) => found.bad("connection", error.to_string()),
        Ok(Seen::NoTls(what)) => found.bad(
            "TLS",
            format!("the other end does not speak TLS 1.3 ({what})"),
        ),
        Ok(Seen::Shown(Verdict::Ours, _)) => found.well(
            "TLS",
            "the coordinator shows a certificate of the network's authority",
        ),
        Ok(Seen::Shown(Verdict::Nothing, _)) => found.bad("TLS", "no certificate was shown"),
        Ok(Seen::Shown(Verdict::OursButInvalid(what), _)) => {
            found.bad("TLS", format!("the coordinator's certificate is not valid ({what}): if this machine's clock ({}) is right, tell the operator", roster::time(now)));
        }
        Ok(Seen::Shown(Verdict::Foreign { issuer }, chain)) => {
            found.bad("TLS", format!("somebody opens TLS on the way: shown was {}. Send the text below to your IT department", chain.join(", ")));
            let expected = fingerprint(&ca).map_or_else(
                |_| "unknown".to_owned(),
                |sha| quorate_identity::digest_text(&sha),
            );
            return Some(letter(
                &format!("{}:{}", target.host, target.port),
                &issuer,
                &expected,
            ));
        }
    }
    None
}
