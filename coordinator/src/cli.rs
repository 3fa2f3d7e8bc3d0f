//! The command line. Operator commands work on the state directory while `run` is up: it notices
//! what they change, so there is no port for operators.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use quorate_identity::{KeyId, Name, Role};

use crate::{clock, commands, ui};

/// Usage errors; 2 means refused elsewhere.
const USAGE: u8 = 64;

/// The coordinator of a network: carries signed questions to nodes and signed answers back.
#[derive(Debug, Parser)]
#[command(name = "quorate-coordinator", version)]
struct Cli {
    /// The state directory.
    #[arg(
        long,
        global = true,
        default_value = ".",
        env = "QUORATE_COORDINATOR_DIR"
    )]
    dir: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make keys, certificate authority and configuration in the state directory.
    Init(InitArgs),
    /// Serve until SIGTERM or Ctrl-C.
    Run,
    /// Show the nodes: who is connected, since when, with which roster.
    Nodes(ListArgs),
    /// Show the newest questions: states, times, codes.
    Questions(ListArgs),
    /// Make a token that lets one node or researcher enrol once.
    EnrolToken(TokenArgs),
    /// Revoke every certificate of a node or researcher and end its sessions.
    Revoke(HolderArgs),
    /// Propose and publish roster entries; custodians sign them in between.
    #[command(subcommand)]
    Roster(RosterCommand),
    /// Publish a codebook.
    #[command(subcommand)]
    Codebook(CodebookCommand),
    /// Copy the state file while the coordinator runs, and check the copy.
    Backup {
        /// Where to.
        file: PathBuf,
    },
    /// Look for what is wrong.
    Doctor,
}

/// What `init` needs.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Name of the network.
    #[arg(long, value_parser = Name::parse)]
    pub(crate) network: Name,
    /// Where nodes and researchers reach it, `https://host:8443`.
    #[arg(long)]
    pub(crate) url: String,
    /// Where it listens; without it every address and the port of the url.
    #[arg(long)]
    pub(crate) listen: Option<SocketAddr>,
}

/// How a list is shown.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ListArgs {
    /// As JSON, one object a line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Most lines.
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: u32,
}

/// Who can hold a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Holder {
    /// A node.
    Node,
    /// A researcher.
    Researcher,
}

impl From<Holder> for Role {
    fn from(holder: Holder) -> Self {
        match holder {
            Holder::Node => Self::Node,
            Holder::Researcher => Self::Researcher,
        }
    }
}

/// Somebody who can hold a certificate.
#[derive(Debug, Args)]
pub(crate) struct HolderArgs {
    /// As what.
    #[arg(long)]
    pub(crate) role: Holder,
    /// Under which roster name.
    #[arg(long, value_parser = Name::parse)]
    pub(crate) name: Name,
}

/// What a token needs.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    #[command(flatten)]
    pub(crate) holder: HolderArgs,
    /// How long the token works.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(i64).range(1..=720))]
    pub(crate) hours: i64,
}

#[derive(Debug, Subcommand)]
enum RosterCommand {
    /// Write an entry for custodians to sign with `quorate-node roster sign`. Into an existing
    /// file the entry is put after those in it, so that several are signed together.
    #[command(subcommand)]
    Propose(Proposal),
    /// Verify and publish signed entries; the first one ever is the genesis entry.
    Publish {
        /// The signed file.
        file: PathBuf,
    },
    /// Show who is in the roster.
    Show(ListArgs),
}

/// A roster entry to be proposed.
#[derive(Debug, Subcommand)]
pub(crate) enum Proposal {
    /// The first entry: who founds the network.
    Genesis {
        /// A founder, `name=ed25519:...`; several are allowed.
        #[arg(long = "custodian", required = true, value_parser = founder)]
        custodians: Vec<(Name, KeyId)>,
        #[command(flatten)]
        until: UntilArgs,
        #[command(flatten)]
        out: OutArgs,
    },
    /// A new member, or a longer term.
    Add {
        /// As what: custodian, node, researcher, approver or coordinator.
        #[arg(long)]
        role: Role,
        /// Under which name.
        #[arg(long, value_parser = Name::parse)]
        name: Name,
        /// With which key.
        #[arg(long, value_parser = KeyId::parse)]
        key: KeyId,
        #[command(flatten)]
        until: UntilArgs,
        #[command(flatten)]
        out: OutArgs,
    },
    /// The end of a membership; its key never comes back.
    Revoke {
        /// As what.
        #[arg(long)]
        role: Role,
        /// Under which name.
        #[arg(long, value_parser = Name::parse)]
        name: Name,
        #[command(flatten)]
        out: OutArgs,
    },
}

/// When a membership ends.
#[derive(Debug, Args)]
pub(crate) struct UntilArgs {
    /// Last day of the membership, such as 2028-12-31; without it two years from now.
    #[arg(long)]
    pub(crate) until: Option<jiff::civil::Date>,
}

/// Where a proposal goes.
#[derive(Debug, Args)]
pub(crate) struct OutArgs {
    /// The file to write.
    #[arg(long, default_value = "proposal.jsonl")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Subcommand)]
enum CodebookCommand {
    /// Check a codebook, put its set files into the text, and publish it.
    Publish {
        /// The codebook.
        file: PathBuf,
    },
    /// Show the published codebooks.
    List,
}

fn founder(text: &str) -> Result<(Name, KeyId), String> {
    let (name, key) = text.split_once('=').ok_or("write name=ed25519:...")?;
    let name = Name::parse(name).map_err(|error| error.to_string())?;
    Ok((name, KeyId::parse(key).map_err(|error| error.to_string())?))
}

/// Runs one command.
pub(crate) fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let asked_for = !error.use_stderr();
            let _ = error.print();
            return if asked_for {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(USAGE)
            };
        }
    };
    match dispatch(cli) {
        Ok(_) if ui::is_lost() => ExitCode::FAILURE,
        Ok(code) => code,
        Err(error) => {
            ui::note(&told(&error));
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

fn dispatch(Cli { dir, command }: Cli) -> anyhow::Result<ExitCode> {
    let clock = clock::system();
    let now = clock();
    match command {
        Command::Init(args) => commands::init::init(&dir, &args, now)?,
        Command::Run => commands::serve::run(&dir, clock)?,
        Command::Nodes(args) => commands::show::nodes(&dir, args, now)?,
        Command::Questions(args) => commands::show::questions(&dir, args)?,
        Command::EnrolToken(args) => commands::people::token(&dir, &args, now)?,
        Command::Revoke(args) => commands::people::revoke(&dir, &args, now)?,
        Command::Roster(RosterCommand::Propose(p)) => commands::roster::propose(&dir, p, now)?,
        Command::Roster(RosterCommand::Publish { file }) => {
            commands::roster::publish(&dir, &file, now)?;
        }
        Command::Roster(RosterCommand::Show(args)) => commands::roster::show(&dir, args, now)?,
        Command::Codebook(CodebookCommand::Publish { file }) => {
            commands::show::publish_codebook(&dir, &file, now)?;
        }
        Command::Codebook(CodebookCommand::List) => commands::show::codebooks(&dir)?,
        Command::Backup { file } => commands::keep::backup(&dir, &file)?,
        Command::Doctor => return commands::keep::doctor(&dir, now),
    }
    Ok(ExitCode::SUCCESS)
}
