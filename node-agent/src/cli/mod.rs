//! `quorate-node`: the custodian's command line. Here time, randomness and the environment enter.
//!
//! Data goes to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 refused,
//! 5 verification failed, 64 not understood.

mod airlock;
mod approval;
mod args;
mod conformance;
mod custodian;
mod data;
mod doctor;
mod erase;
mod extract;
mod glass;
mod govern;
mod history;
mod keys;
mod ledger;
pub(crate) mod logs;
pub(crate) mod probe;
mod register;
mod report;
mod roster;
mod serve;
mod ui;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use clap::error::ErrorKind;

use crate::home::Home;
use crate::link::Clock;
use crate::policy::{self, Policy};
use args::{
    Args, Command, DataCommand, History, HistoryCommand, LedgerCommand, Place, RosterCommand,
};

/// What a command comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    /// Exit 0.
    Well,
    /// Exit 1; what went wrong is printed.
    Badly,
    /// Exit 2: the question would be refused.
    Refused,
    /// Exit 5.
    Unverified,
}

/// Runs `quorate-node` with these arguments, the program's name first.
pub(crate) fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            let asked = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            return if asked {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(64)
            };
        }
    };
    match command(args) {
        Ok(Done::Well) if ui::is_lost() => ExitCode::FAILURE,
        Ok(Done::Well) => ExitCode::SUCCESS,
        Ok(Done::Badly) => ExitCode::FAILURE,
        Ok(Done::Refused) => ExitCode::from(2),
        Ok(Done::Unverified) => ExitCode::from(5),
        Err(error) => {
            ui::note(&format!("quorate-node: {}", told(&error)));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes; a cause that was told already is not told again.
fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            let between = if text.is_empty() { "" } else { ": " };
            text = format!("{text}{between}{cause}");
        }
    }
    text
}

fn command(args: Args) -> anyhow::Result<Done> {
    let Args { place, command } = args;
    let clock: Clock = Arc::new(|| jiff::Timestamp::now().as_second());
    match command {
        Command::Init(init) => keys::init(&place, &init),
        Command::Enrol(enrol) => keys::enrol(&place, &enrol, &clock),
        Command::Run(run) => serve::run(&place, &run, clock),
        Command::Doctor(doctor) => doctor::doctor(&place, &doctor, &clock),
        Command::Try(trial) => custodian::try_question(&place, trial, &clock),
        Command::Data {
            command: DataCommand::Check(check),
        } => data::check(&place, &check),
        Command::Data {
            command: DataCommand::Register(register),
        } => register::register(&place, &register, &clock),
        Command::Data {
            command: DataCommand::Accept,
        } => data::accept(&place),
        Command::Pause(pause) => custodian::pause(&place, &pause, &clock),
        Command::Resume(resume) => custodian::resume(&place, &resume, &clock),
        Command::Ledger {
            command: LedgerCommand::Verify(verify),
        } => custodian::verify(&place, &verify),
        Command::Ledger {
            command: LedgerCommand::Report(report),
        } => report::report(&place, &report, &clock),
        Command::Ledger {
            command: LedgerCommand::Retain(retain),
        } => ledger::retain(&place, &retain, &clock),
        Command::Ledger {
            command: LedgerCommand::Extract,
        } => extract::extract(&place),
        Command::Ledger {
            command: LedgerCommand::Prove(prove),
        } => ledger::prove(&place, &prove, &clock),
        Command::Ledger {
            command: LedgerCommand::Open(open),
        } => ledger::open(&place, &open, &clock),
        Command::History(History { command, list }) => match command {
            None => history::list(&place, &list),
            Some(HistoryCommand::Why(why)) => history::why(&place, &why),
            Some(HistoryCommand::Collide(trial)) => history::collide(&place, trial, &clock),
            Some(HistoryCommand::Used(args)) => history::used(&place, &args, &clock),
            Some(HistoryCommand::Export(to)) => history::export(&place, &to),
            Some(HistoryCommand::Import(from)) => history::import(&place, &from),
        },
        Command::Erase(erase) => erase::erase(&place, &erase, &clock),
        Command::Roster {
            command: RosterCommand::Show(show),
        } => roster::show(&place, &show, &clock),
        Command::Roster {
            command: RosterCommand::Sign(sign),
        } => roster::sign(&place, &sign, &clock),
        Command::Roster {
            command: RosterCommand::Accept(accept),
        } => roster::accept(&place, &accept),
        Command::Conformance(args) => conformance::conformance(&place, &args),
        Command::Approve(approve) => custodian::approve(&place, &approve, &clock),
        Command::Govern { command } => govern::govern(&place, command, &clock),
        Command::Airlock { command } => airlock::airlock(&place, command, &clock),
    }
}

impl Place {
    /// The policy file: as given, else `policy.toml` or `node.toml` in the node's folder.
    fn policy_path(&self) -> PathBuf {
        if let Some(path) = &self.policy {
            return path.clone();
        }
        let usual = self.dir.join("policy.toml");
        let other = self.dir.join("node.toml");
        if !usual.exists() && other.exists() {
            other
        } else {
            usual
        }
    }

    /// The policy, read against the codebooks that the node has.
    fn policy(&self) -> anyhow::Result<Policy> {
        let path = self.policy_path();
        let policy = policy::read_file(&path, &[])?;
        let home = Home::open(&policy.node.state)?;
        let codebooks = home.codebooks(&policy)?;
        let known: Vec<_> = codebooks.iter().map(Arc::as_ref).collect();
        Ok(policy::read_file(&path, &known)?)
    }

    /// The state folder: as given, else as the policy says, else `state` in the node's folder.
    fn state(&self) -> PathBuf {
        if let Some(state) = &self.state {
            return state.clone();
        }
        match policy::read_file(&self.policy_path(), &[]) {
            Ok(policy) => policy.node.state,
            Err(_) => self.dir.join("state"),
        }
    }

    fn home(&self) -> anyhow::Result<Home> {
        Ok(Home::open(&self.state())?)
    }
}

/// Threads for the line and the commands. Planning a map recurses, hence the larger stack.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(8 << 20)
        .enable_all()
        .build()
}
