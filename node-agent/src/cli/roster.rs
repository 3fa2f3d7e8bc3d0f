//! `roster show|sign|accept`: the custodian looks, signs, and takes what others signed. Proposals
//! and signatures travel as files; the key stays where it is.

use std::path::Path;

use anyhow::{Context, bail};
use quorate_identity::roster::{Change, Entry, cosign, parse_log, write_log};
use quorate_identity::{Head, Signed, SigningKey, digest_text};

use super::args::{Place, RosterFile, RosterShow, RosterSign};
use super::{Done, ui};
use crate::home::{Home, HomeError};
use crate::link::Clock;

/// `roster show`.
pub(super) fn show(place: &Place, args: &RosterShow, clock: &Clock) -> anyhow::Result<Done> {
    match &args.file {
        Some(file) => {
            for signed in read(file)? {
                show_entry(&signed)?;
            }
        }
        None => {
            let policy = place.policy()?;
            let roster = Home::open(&policy.node.state)?.roster(&policy)?;
            let Head { seq, hash } = roster.head();
            ui::note(&format!(
                "network {}, entry {seq} {hash}, quorum {}",
                roster.network(),
                roster.quorum()
            ));
            let mut table = comfy_table::Table::new();
            table.load_preset(comfy_table::presets::NOTHING);
            table.set_header(["role", "name", "key", "until"]);
            for member in roster.members(clock()) {
                let (role, until) = (member.role.to_string(), time(member.until));
                table.add_row([role, member.name.to_string(), member.key.to_string(), until]);
            }
            ui::say(&table.to_string());
        }
    }
    Ok(Done::Well)
}

fn show_entry(signed: &Signed) -> anyhow::Result<()> {
    let entry = Entry::parse(&signed.payload)?;
    ui::say(&format!(
        "entry {} of network {}, proposed {}, {}",
        entry.seq,
        entry.network,
        time(entry.at),
        digest_text(&signed.digest())
    ));
    match &entry.change {
        Change::Genesis { custodians } => {
            for founder in custodians {
                let (name, key) = (&founder.name, &founder.key);
                ui::say(&format!(
                    "  founds the network with custodian {name} {key} until {}",
                    time(founder.until)
                ));
            }
        }
        Change::Add {
            role,
            name,
            key,
            until,
        } => {
            ui::say(&format!(
                "  adds {role} {name} {key} until {}",
                time(*until)
            ));
        }
        Change::Revoke { role, name, key } => ui::say(&format!("  revokes {role} {name} {key}")),
    }
    for signature in &signed.signatures {
        let good = signature
            .key_id
            .verifies(&signed.kind, &signed.payload, &signature.signature);
        ui::say(&format!(
            "  {} by {}",
            if good { "signed" } else { "BAD SIGNATURE" },
            signature.key_id
        ));
    }
    Ok(())
}

/// `roster sign`: signs every entry that this key has not signed yet, after checking that the
/// entries follow each other and, where this node has a roster, follow that.
pub(super) fn sign(place: &Place, args: &RosterSign, clock: &Clock) -> anyhow::Result<Done> {
    let home = place.home()?;
    let path = args
        .key
        .clone()
        .unwrap_or_else(|| home.custodian_key_path());
    let key =
        SigningKey::load(&path).context("the custodian's key (`--key FILE` says where it is)")?;
    let mut entries = read(&args.file)?;
    if entries.is_empty() {
        bail!("{}: no entry in it", args.file.display());
    }
    check_order(place, &home, &entries)?;
    let mut signed = 0;
    for entry in &mut entries {
        let parsed = Entry::parse(&entry.payload)?;
        if parsed.at > clock() + 300 {
            bail!(
                "entry {} is dated in the future ({}): not signed",
                parsed.seq,
                time(parsed.at)
            );
        }
        show_entry(entry)?;
        if entry
            .signatures
            .iter()
            .all(|signature| signature.key_id != *key.key_id())
        {
            cosign(&key, entry);
            signed += 1;
        }
    }
    std::fs::write(&args.file, write_log(&entries))
        .with_context(|| format!("{} cannot be written", args.file.display()))?;
    ui::note(&format!(
        "{signed} of {} entries signed by {}; send the file back to the operator",
        entries.len(),
        key.key_id()
    ));
    Ok(Done::Well)
}

/// An entry names the one before it; a proposal that forks the accepted roster is not signed.
fn check_order(place: &Place, home: &Home, entries: &[Signed]) -> anyhow::Result<()> {
    let mut previous: Option<Head> = None;
    if let Ok(policy) = place.policy() {
        match home.roster(&policy) {
            Ok(roster) => {
                let first = entries
                    .first()
                    .map(|entry| Entry::parse(&entry.payload))
                    .transpose()?;
                if first.is_some_and(|first| first.seq > roster.head().seq) {
                    previous = Some(roster.head());
                }
            }
            Err(HomeError::NoRoster) => {}
            Err(error) => return Err(error.into()),
        }
    }
    for entry in entries {
        let parsed = Entry::parse(&entry.payload)?;
        if let Some(before) = &previous
            && (parsed.seq != before.seq + 1 || parsed.previous != before.hash)
        {
            // Our own copy may be older than the operator's; then only the order within counts.
            if parsed.seq <= before.seq + 1 {
                bail!(
                    "entry {} does not follow entry {} {}: not signed",
                    parsed.seq,
                    before.seq,
                    before.hash
                );
            }
        }
        previous = Some(Head {
            seq: parsed.seq,
            hash: digest_text(&entry.digest()),
        });
    }
    Ok(())
}

/// `roster accept`.
pub(super) fn accept(place: &Place, args: &RosterFile) -> anyhow::Result<Done> {
    let policy = place.policy()?;
    let home = Home::open(&policy.node.state)?;
    let mut log = read(&args.file)?;
    // The file may hold only the newest entries.
    if let Ok(known) = home.roster(&policy) {
        let first = log
            .first()
            .map(|entry| Entry::parse(&entry.payload))
            .transpose()?;
        if first.is_some_and(|first| first.seq == known.head().seq + 1) {
            log.splice(0..0, known.log().iter().cloned());
        }
    }
    let roster = home.accept_roster(&policy, &log)?;
    let head = roster.head();
    ui::say(&format!("roster {} {}", head.seq, head.hash));
    Ok(Done::Well)
}

fn read(file: &Path) -> anyhow::Result<Vec<Signed>> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(parse_log(&text)?)
}

/// Unix seconds for people.
pub(super) fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| seconds.to_string(), |time| time.to_string())
}
