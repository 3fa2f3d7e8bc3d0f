//! Keeping the coordinator alive: backup and doctor.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use quorate_identity::{Role, SigningKey};

use crate::ca::Authority;
use crate::config::Config;
use crate::journal::Store;
use crate::server::{IDENTITY, is_running};
use crate::{codebooks, roster_store, ui};

/// `backup`: a checked copy of the state file.
pub(crate) fn backup(dir: &Path, file: &Path) -> anyhow::Result<()> {
    if file.exists() {
        bail!("{} exists: a backup never overwrites", file.display());
    }
    let store = Store::open_existing(dir)?;
    store
        .backup(file)
        .with_context(|| format!("{} is not a good backup", file.display()))?;
    ui::say(&file.display().to_string());
    ui::note("also keep, in a safe place: ca.pem, ca.key, identity.key, coordinator.toml");
    Ok(())
}

/// `doctor`: one line a finding; exit 1 if something is wrong.
pub(crate) fn doctor(dir: &Path, now: i64) -> anyhow::Result<ExitCode> {
    let mut sound = true;
    let mut check = |what: &str, found: anyhow::Result<String>| match found {
        Ok(text) => ui::say(&format!("ok    {what}: {text}")),
        Err(error) => {
            sound = false;
            ui::say(&format!("WRONG {what}: {error:#}"));
        }
    };
    let config = Config::load(dir).map_err(anyhow::Error::msg);
    let network = config.as_ref().ok().map(|config| config.network.clone());
    check(
        "configuration",
        config.map(|config| config.url.with_port(None)),
    );
    check(
        "authority",
        Authority::load(dir)
            .map(|a| a.fingerprint())
            .map_err(Into::into),
    );
    let key = SigningKey::load(&dir.join(IDENTITY));
    let id = key.as_ref().ok().map(|key| key.key_id().clone());
    check(
        "identity key",
        key.map(|key| key.key_id().to_string()).map_err(Into::into),
    );
    match Store::open_existing(dir) {
        Err(error) => check("state file", Err(error.into())),
        Ok(store) => {
            check(
                "state file",
                store
                    .check()
                    .map(|()| "sound".to_owned())
                    .map_err(Into::into),
            );
            let books = codebooks::load(&store).map(|books| format!("{} published", books.len()));
            check("codebooks", books.map_err(Into::into));
            if let Some(network) = network {
                let roster = roster_store::load(&store, &network);
                check(
                    "roster",
                    roster.map_err(Into::into).and_then(|roster| {
                        let roster = roster.context("none yet: publish the genesis entry")?;
                        let id = id.context("the identity key cannot be read")?;
                        let member = roster
                            .by_key(&id, now)
                            .context("this coordinator is not in it")?;
                        if member.role != Role::Coordinator {
                            bail!("this coordinator's key stands in it in another role");
                        }
                        Ok(format!("entry {}", roster.head().seq))
                    }),
                );
            }
        }
    }
    ui::note(if is_running(dir) {
        "the coordinator is running"
    } else {
        "the coordinator is not running"
    });
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
