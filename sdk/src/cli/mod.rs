//! The command line: reads arguments, does one thing, ends with an exit code.

mod analyse;
mod args;
mod audit;
mod catalog;
mod check;
mod clock;
mod codebook;
mod exit;
mod lineage;
mod login;
mod packet;
mod progress;
mod query;
mod questions;
mod register;
mod show;
mod text;
mod trust;
mod ui;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::client::Client;
use crate::profile::Profile;
use args::{Cli, Command};
use exit::{Exit, Failure};

/// Runs `quorate` with these arguments, the program's name first.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Answered
            };
            let _ = error.print();
            return exit.into();
        }
    };
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(dispatch(cli)));
    match outcome {
        Ok(Exit::Answered) if ui::is_lost() => Exit::Failed.into(),
        Ok(exit) => exit.into(),
        Err(failure) => {
            // Words of others must not steer the terminal.
            let text = failure.to_string();
            let text: Vec<String> = text.lines().map(crate::render::clean).collect();
            let text = text.join("\n");
            ui::say(&if failure.placed {
                text
            } else {
                format!("quorate: {text}")
            });
            failure.exit.into()
        }
    }
}

async fn dispatch(cli: Cli) -> Result<Exit, Failure> {
    let home = text::home(cli.home)?;
    match cli.command {
        Command::Login(args) => login::run(&home, &args).await,
        Command::Catalog(args) => catalog::run(&home, &args).await,
        Command::Check(args) => check::run(&home, &args),
        Command::Query(args) => query::run(&home, &args).await,
        Command::Analyse(args) => analyse::run(&home, &args).await,
        Command::Status(args) => questions::status(&home, &args).await,
        Command::Fetch(args) => questions::fetch(&home, &args).await,
        Command::Cancel(args) => questions::cancel(&home, &args).await,
        Command::List(args) => questions::list(&home, &args).await,
        Command::Verify(args) => verify::run(&home, &args),
        Command::Audit(args) => audit::run(&home, &args),
        Command::Lineage(args) => lineage::run(&home, &args),
        Command::Crate(args) => packet::run(&home, &args),
        Command::Register(args) => register::run(&home, &args),
        Command::Codebook(command) => codebook::run(&command),
    }
}

/// A connection of this profile, its certificate renewed where that is due.
async fn client(profile: Profile) -> Result<Client, Failure> {
    if let Err(error) = crate::login::renew_if_due(&profile, clock::now()).await {
        ui::say(&format!("the certificate could not be renewed: {error}"));
    }
    Client::connect(profile).map_err(Failure::client)
}
