//! The command line: reads arguments, does one thing, ends with an exit code.

mod args;
mod check;
mod codebook;
mod exit;
mod text;
mod ui;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use exit::Exit;

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
    match dispatch(cli) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            ui::error(&failure.to_string());
            failure.exit.into()
        }
    }
}

fn dispatch(cli: Cli) -> Result<Exit, exit::Failure> {
    let home = text::home(cli.home)?;
    match cli.command {
        Command::Check(args) => check::run(&home, &args),
        Command::Codebook(command) => codebook::run(&command),
        Command::Login(_)
        | Command::Catalog(_)
        | Command::Query(_)
        | Command::Status(_)
        | Command::Fetch(_)
        | Command::Cancel(_)
        | Command::List(_)
        | Command::Verify(_) => Err(exit::Failure::new(
            Exit::Failed,
            "this part is still being built",
        )),
    }
}
