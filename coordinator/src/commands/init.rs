//! `init`: a new state directory.

use std::fs::{self, DirBuilder};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context, bail};
use quorate_identity::SigningKey;

use crate::ca::Authority;
use crate::cli::InitArgs;
use crate::config::{self, Config, Url};
use crate::journal::Store;
use crate::server::IDENTITY;
use crate::ui;

/// Makes keys, authority, configuration and state file. Nothing is overwritten.
pub(crate) fn init(dir: &Path, args: &InitArgs, now: i64) -> anyhow::Result<()> {
    let Some(url) = Url::parse(&args.url) else {
        bail!(
            "`{}` is no address: write `--url https://host:8443`",
            args.url
        );
    };
    let file = dir.join(config::FILE);
    if file.exists() {
        bail!(
            "{} exists: this directory has a coordinator already",
            file.display()
        );
    }
    make_private(dir)?;
    let everywhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), url.port);
    let listen = args.listen.unwrap_or(everywhere);
    let key = SigningKey::generate()?;
    key.save(&dir.join(IDENTITY))?;
    Authority::create(dir, &args.network, now)?;
    Store::open(dir)?;
    // Written last: without it the directory is no coordinator.
    fs::write(&file, Config::text(&args.network, &args.url, listen))
        .with_context(|| format!("{} cannot be written", file.display()))?;
    let authority = Authority::load(dir)?;
    ui::say(&format!("key {}", key.key_id()));
    ui::say(&format!("ca {}", authority.fingerprint()));
    ui::note(&format!(
        "made the coordinator of `{}` in {}",
        args.network,
        dir.display()
    ));
    ui::note(
        "next: let the custodians propose and sign the genesis entry, with this key as coordinator",
    );
    Ok(())
}

fn make_private(dir: &Path) -> anyhow::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(dir)
        .with_context(|| format!("{} cannot be made", dir.display()))
}
