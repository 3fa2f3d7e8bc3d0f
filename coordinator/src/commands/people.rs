//! Letting people in and shutting them out.

use std::path::Path;

use anyhow::bail;
use quorate_identity::{KeyId, Role, Roster};

use crate::ca::Authority;
use crate::cli::{HolderArgs, TokenArgs};
use crate::config::Config;
use crate::enrol::{TokenPurpose, make_token};
use crate::journal::Store;
use crate::{commands, roster_store, ui};

/// `enrol-token`: prints a token that works once.
pub(crate) fn token(dir: &Path, args: &TokenArgs, now: i64) -> anyhow::Result<()> {
    let config = Config::load(dir).map_err(anyhow::Error::msg)?;
    let mut store = Store::open_existing(dir)?;
    let bound = store.port()?;
    if config.url.port == 0 && bound.is_none() {
        bail!("the port is open until the first start: `run` the coordinator first");
    }
    let roster = roster_store::load(&store, &config.network)?;
    let genesis: Vec<KeyId> = roster
        .as_ref()
        .map(Roster::founders)
        .unwrap_or_default()
        .to_vec();
    let purpose = TokenPurpose {
        role: Role::from(args.holder.role),
        name: args.holder.name.clone(),
        url: config.url.with_port(bound),
        ca_sha256: Authority::load(dir)?.fingerprint(),
        until: now.saturating_add(args.hours.saturating_mul(3600)),
        genesis,
    };
    let known = roster.as_ref().is_some_and(|roster| {
        let (role, name) = (purpose.role, purpose.name.as_str());
        roster.member(role, name, now).is_ok()
    });
    if !known {
        ui::note(&format!(
            "the roster has no current {} `{}`: the token is of no use before custodians have signed one",
            purpose.role, purpose.name
        ));
    }
    let token = make_token(&mut store, purpose, now)?;
    ui::say(&token.to_string());
    ui::note(&format!(
        "works once, until {}; hand it over by a channel you trust",
        commands::time(token.until)
    ));
    Ok(())
}

/// `revoke`: ends every certificate and open token of a holder.
pub(crate) fn revoke(dir: &Path, args: &HolderArgs, now: i64) -> anyhow::Result<()> {
    let mut store = Store::open_existing(dir)?;
    let (role, name) = (Role::from(args.role), args.name.as_str());
    let revoked = store.revoke(role.as_str(), name, now)?;
    let config = Config::load(dir).map_err(anyhow::Error::msg)?;
    let roster = roster_store::load(&store, &config.network)?;
    let known = roster.is_some_and(|roster| roster.member(role, name, now).is_ok());
    if revoked == 0 && !known {
        bail!("there is no certificate of a {role} `{name}`, and the roster has none of that name");
    }
    ui::note(&format!(
        "{role} `{name}`: {revoked} certificate(s) revoked, open tokens ended"
    ));
    ui::note("the roster entry stands until custodians revoke it: `roster propose revoke`");
    Ok(())
}
