//! The roster's paper work: the coordinator writes proposals and publishes what custodians have
//! signed. It holds no custodian key.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use comfy_table::Table;
use quorate_identity::roster::{Change, Entry, Founder, genesis, parse_log, unsigned, write_log};
use quorate_identity::{Head, Name, Role, Roster, Signed, digest_text};

use crate::cli::{ListArgs, OutArgs, Proposal, UntilArgs};
use crate::config::Config;
use crate::journal::Store;
use crate::{commands, roster_store, ui};

/// Two years, in seconds.
const TERM: i64 = 2 * 365 * 24 * 3600;

/// `roster propose`: writes an unsigned entry.
pub(crate) fn propose(dir: &Path, proposal: Proposal, now: i64) -> anyhow::Result<()> {
    let config = Config::load(dir).map_err(anyhow::Error::msg)?;
    let known = roster_store::load(&Store::open_existing(dir)?, &config.network)?;
    let (out, payload) = match proposal {
        Proposal::Genesis {
            custodians,
            until,
            out,
        } => {
            if known.is_some() || out.out.exists() {
                bail!(
                    "the network is founded already, or {} exists",
                    out.out.display()
                );
            }
            let until = last_second(&until, now)?;
            let founder = |(name, key)| Founder { name, key, until };
            let founders = custodians.into_iter().map(founder).collect();
            (out, genesis(&config.network, founders, now))
        }
        Proposal::Add {
            role,
            name,
            key,
            until,
            out,
        } => {
            let change = Change::Add {
                role,
                name,
                key,
                until: last_second(&until, now)?,
            };
            let payload = next(&config.network, known.as_ref(), &out, change, now)?;
            (out, payload)
        }
        Proposal::Revoke { role, name, out } => {
            let Some(roster) = &known else {
                bail!("there is no roster yet")
            };
            let key = roster.member(role, name.as_str(), now)?.key.clone();
            let change = Change::Revoke { role, name, key };
            let payload = next(&config.network, known.as_ref(), &out, change, now)?;
            (out, payload)
        }
    };
    let mut entries = read(&out)?;
    entries.push(unsigned(payload));
    fs::write(&out.out, write_log(&entries))
        .with_context(|| format!("{} cannot be written", out.out.display()))?;
    ui::say(&out.out.display().to_string());
    ui::note("next: `quorate-node roster sign` by the custodians, then `roster publish`");
    Ok(())
}

/// The payload of the entry that follows the roster and what the file holds already.
fn next(
    network: &Name,
    known: Option<&Roster>,
    out: &OutArgs,
    change: Change,
    now: i64,
) -> anyhow::Result<Vec<u8>> {
    let (head, last) = match (read(out)?.last(), known) {
        (Some(signed), _) => {
            let entry = Entry::parse(&signed.payload)?;
            (
                Head {
                    seq: entry.seq,
                    hash: digest_text(&signed.digest()),
                },
                entry.at,
            )
        }
        (None, Some(roster)) => return Ok(roster.propose(change, now)),
        (None, None) => bail!("there is no roster yet: propose its genesis entry first"),
    };
    Ok(Entry::after(&head, network, change, now.max(last)).to_bytes())
}

fn read(out: &OutArgs) -> anyhow::Result<Vec<Signed>> {
    if !out.out.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(&out.out)
        .with_context(|| format!("{} cannot be read", out.out.display()))?;
    Ok(parse_log(&text)?)
}

fn last_second(until: &UntilArgs, now: i64) -> anyhow::Result<i64> {
    let Some(day) = until.until else {
        return Ok(now.saturating_add(TERM));
    };
    let end = day.tomorrow()?.to_zoned(jiff::tz::TimeZone::UTC)?;
    Ok(end.timestamp().as_second().saturating_sub(1))
}

/// `roster publish`: verifies quorum and order, then appends.
pub(crate) fn publish(dir: &Path, file: &Path, now: i64) -> anyhow::Result<()> {
    let config = Config::load(dir).map_err(anyhow::Error::msg)?;
    let text =
        fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let mut store = Store::open_existing(dir)?;
    let entries = parse_log(&text).with_context(|| file.display().to_string())?;
    let roster = roster_store::publish(&mut store, &config.network, &entries, now)?;
    let head = roster.head();
    ui::say(&format!("{} {}", head.seq, head.hash));
    Ok(())
}

/// `roster show`: who is in the roster now.
pub(crate) fn show(dir: &Path, args: ListArgs, now: i64) -> anyhow::Result<()> {
    let config = Config::load(dir).map_err(anyhow::Error::msg)?;
    let Some(roster) = roster_store::load(&Store::open_existing(dir)?, &config.network)? else {
        bail!("there is no roster yet");
    };
    let head = roster.head();
    ui::note(&format!("entry {} {}", head.seq, head.hash));
    if args.json {
        for m in roster.members(now) {
            let line = serde_json::json!({
                "role": m.role, "name": m.name, "key": m.key, "until": m.until
            });
            ui::say(&line.to_string());
        }
        return Ok(());
    }
    let mut table = Table::new();
    table.set_header(["role", "name", "key", "until"]);
    for m in roster.members(now) {
        table.add_row([
            m.role.to_string(),
            m.name.to_string(),
            m.key.to_string(),
            commands::time(m.until),
        ]);
    }
    ui::say(&table.to_string());
    if roster.members(now).all(|m| m.role != Role::Coordinator) {
        ui::note("no coordinator is in the roster: results cannot be verified by researchers");
    }
    Ok(())
}
