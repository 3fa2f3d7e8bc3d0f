//! The commands and their options.

mod govern;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};

pub(super) use govern::{
    AirlockCommand, AirlockList, AirlockReturn, AirlockSay, AirlockShow, AirlockSuppress,
    GovernAccept, GovernApproval, GovernChange, GovernCommand, GovernEvidence, GovernFiles,
    GovernGlass, GovernLift, GovernRead, GovernRecord, GovernRefuse, GovernSign, GovernSuspend,
    GovernVote,
};

/// A custodian's node: answers questions about data that stays here.
#[derive(Debug, Parser)]
#[command(name = "quorate-node", version, propagate_version = true)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) place: Place,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Where the node is.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct Place {
    /// The node's folder
    #[arg(long, global = true, value_name = "DIR", default_value = ".")]
    pub(super) dir: PathBuf,
    /// The policy file [default: policy.toml or node.toml in the node's folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) policy: Option<PathBuf>,
    /// The state folder [default: as the policy says, else `state` in the node's folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) state: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make the state folder and the keys, and print their public halves
    Init(Init),
    /// Get a certificate from the coordinator
    Enrol(Enrol),
    /// Connect to the coordinator and answer questions
    Run(Run),
    /// Look for everything that could be wrong, from the disk to the coordinator
    Doctor(Doctor),
    /// Ask the own node a question alone: shows what would leave, sends nothing
    Try(Try),
    /// The data behind the codebook's tables
    Data {
        #[command(subcommand)]
        command: DataCommand,
    },
    /// Refuse every question from now on
    Pause(Pause),
    /// Go on answering; where the policy lists two who speak for the custodian, two of them
    Resume(Resume),
    /// The record of what was asked and what left
    Ledger {
        #[command(subcommand)]
        command: LedgerCommand,
    },
    /// What has left, newest first; why something did not; and carrying all of it over to a backup
    History(History),
    /// Forget who a person was: the releases stay, nothing links them to the person any more
    Erase(Erase),
    /// Who may act in the network
    Roster {
        #[command(subcommand)]
        command: RosterCommand,
    },
    /// Which requirements are met by what, and which test shows it
    Conformance(Conformance),
    /// Approve one question for a project with `approval = "listed"`
    Approve(Approve),
    /// Projects, votes, approvals, evidence, suspensions: signed acts of governance
    Govern {
        #[command(subcommand)]
        command: GovernCommand,
    },
    /// What waits for output checkers
    Airlock {
        #[command(subcommand)]
        command: AirlockCommand,
    },
}

#[derive(Debug, ClapArgs)]
pub(super) struct Init {
    /// Name of the node, for the advice that is printed
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Where to put the custodian's key, which signs the roster [default: custodian.key in the state folder]
    #[arg(long, value_name = "FILE")]
    pub(super) custodian_key: Option<PathBuf>,
    /// Make no custodian's key: this custodian has one already
    #[arg(long, conflicts_with = "custodian_key")]
    pub(super) no_custodian_key: bool,
    /// Print the keys as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Enrol {
    /// The token that the coordinator's operator gave you; `-` reads it from standard input
    pub(super) token: String,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Run {
    /// Write the time of each step of each question to this file, one JSON line a question
    #[arg(long, value_name = "FILE")]
    pub(super) timings: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Doctor {
    /// Print the findings as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Try {
    /// The question
    #[arg(required_unless_present_any = ["file", "analysis", "cohort"], conflicts_with = "file")]
    pub(super) sql: Option<String>,
    /// Read the question from a file
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// An analysis in place of a question, such as table1
    #[arg(long, value_name = "NAME", conflicts_with_all = ["sql", "file"])]
    pub(super) analysis: Option<String>,
    /// An argument of the analysis, such as by=sex (repeatable)
    #[arg(long = "argument", value_name = "NAME=VALUE", requires = "analysis")]
    pub(super) arguments: Vec<String>,
    /// A parameter, such as age=50 (repeatable)
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub(super) params: Vec<String>,
    /// As a question of this project
    #[arg(long)]
    pub(super) project: Option<String>,
    /// A file with the statement of a cohort, to be used as the table `cohort`; without a question,
    /// how many persons are in it
    #[arg(long, value_name = "FILE")]
    pub(super) cohort: Option<PathBuf>,
    /// Columns of the cohort that none of its persons may lack
    #[arg(long, value_delimiter = ',', value_name = "A,B", requires = "cohort")]
    pub(super) complete: Vec<String>,
    /// As a question for review, with OR, NOT, arithmetic inside sums and LEFT JOIN
    #[arg(long)]
    pub(super) reviewed: bool,
    /// Which codebook, by digest or file [default: the only one that the policy pins]
    #[arg(long, value_name = "DIGEST|FILE")]
    pub(super) codebook: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum DataCommand {
    /// Compare every source with the codebook; prints every problem at once
    Check(DataCheck),
    /// Register the present state of the data: count who stands out, and sign it as its custodian
    Register(DataRegister),
    /// Accept the present files of every source with `refresh = "hold"`
    Accept,
}

#[derive(Debug, ClapArgs)]
pub(super) struct DataRegister {
    /// Which codebook, by digest or file [default: the only one that the policy pins]
    #[arg(long, value_name = "DIGEST|FILE")]
    pub(super) codebook: Option<String>,
    /// A column of the unit table that somebody might know of a person (repeatable) [default: all
    /// that can be filtered or grouped by and are not sensitive]
    #[arg(long, value_name = "COLUMN")]
    pub(super) quasi: Vec<String>,
    /// The custodian's key [default: custodian.key in the state folder]
    #[arg(long, value_name = "FILE")]
    pub(super) key: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct DataCheck {
    /// Which codebook, by digest or file [default: the only one that the policy pins]
    #[arg(long, value_name = "DIGEST|FILE")]
    pub(super) codebook: Option<String>,
    /// Print the findings as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Pause {
    /// Why, for your own records
    #[arg(long, default_value = "paused by the custodian")]
    pub(super) reason: String,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Resume {
    /// The key of one who speaks for the custodian (twice)
    #[arg(long = "key", value_name = "FILE")]
    pub(super) keys: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum LedgerCommand {
    /// Verify the chain and every signature
    Verify(LedgerVerify),
    /// Write a signed checkpoint, with the proof that a record is in the ledger, or that the ledger
    /// continues an earlier one
    Prove(LedgerProve),
    /// Open one commitment of one record, and no other: what the purpose, parameters or filter were
    Open(LedgerOpen),
    /// Who touched which data, by person or by dataset; that it was read is recorded
    Report(LedgerReport),
    /// Remove the words of old records; their hashes and signatures stay. The node must not be running
    Retain(LedgerRetain),
    /// Print this node's part of the public register, counted from the ledger and signed
    Extract,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Conformance {
    /// Print JSON, with the tests
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct LedgerRetain {
    /// Records before this day (UTC), which is at least a year ago
    #[arg(long, value_name = "DAY")]
    pub(super) before: jiff::civil::Date,
    /// Under which rule
    #[arg(long)]
    pub(super) reason: String,
}

#[derive(Debug, ClapArgs)]
pub(super) struct LedgerReport {
    /// Who reads it
    #[arg(long, value_name = "NAME")]
    pub(super) reader: String,
    /// By what
    #[arg(long, value_enum, default_value_t = ReportBy::Person)]
    pub(super) by: ReportBy,
    /// Print JSON, with every single access
    #[arg(long)]
    pub(super) json: bool,
}

/// How a report is ordered.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum ReportBy {
    /// By who asked
    Person,
    /// By table of the codebook
    Dataset,
    /// Acts of governance and commands, one by one
    Act,
}

impl ReportBy {
    /// How it is written.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Dataset => "dataset",
            Self::Act => "act",
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(super) struct LedgerProve {
    /// Number of a record to show
    #[arg(long, value_name = "SEQ")]
    pub(super) record: Option<u64>,
    /// Id of a question: every record of it, from its arrival to what left
    #[arg(long, value_name = "ID", conflicts_with = "record")]
    pub(super) question: Option<String>,
    /// With the signed acts that its decision rests on and who signed them: project record, votes, acceptance,
    /// approval, reviews, all with their reasons and comments
    #[arg(long, requires = "question")]
    pub(super) acts: bool,
    /// Size of an earlier ledger that this one continues
    #[arg(long, value_name = "SEQ")]
    pub(super) continues: Option<u64>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct LedgerOpen {
    /// Number of the record
    #[arg(long, value_name = "SEQ")]
    pub(super) record: u64,
    /// purpose, params or filter
    #[arg(long)]
    pub(super) field: String,
    /// What it was
    #[arg(long, conflicts_with = "result")]
    pub(super) value: Option<String>,
    /// A saved result (JSON) of the question, which says what it was
    #[arg(long, value_name = "FILE")]
    pub(super) result: Option<std::path::PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct LedgerVerify {
    /// A checkpoint that somebody else kept, as SEQ:HASH
    #[arg(long, value_name = "SEQ:HASH")]
    pub(super) checkpoint: Option<String>,
}

#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct History {
    #[command(subcommand)]
    pub(super) command: Option<HistoryCommand>,
    #[command(flatten)]
    pub(super) list: HistoryList,
}

#[derive(Debug, ClapArgs)]
pub(super) struct HistoryList {
    /// How many lines
    #[arg(long, default_value_t = 50)]
    pub(super) limit: u32,
    /// Only what left under this project
    #[arg(long)]
    pub(super) project: Option<String>,
    /// Only what left on this day (UTC), such as 2026-11-22
    #[arg(long, value_name = "DAY")]
    pub(super) day: Option<jiff::civil::Date>,
    /// Print JSON, one line a question
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum HistoryCommand {
    /// What a question was told, and why cells of it were withheld
    Why(HistoryWhy),
    /// Which earlier releases a question would collide with; sends and spends nothing
    Collide(Try),
    /// How much of the caps on asked cells is used, of the present data and by whom
    Used(HistoryUsed),
    /// Write ledger and releases to a sealed file, for the backup
    Export(HistoryFile),
    /// Catch up from an exported file after a backup was put back; the node must not be running
    Import(HistoryFile),
}

#[derive(Debug, ClapArgs)]
pub(super) struct HistoryWhy {
    /// The question's id, as `quorate-node history` shows it
    pub(super) question: String,
}

#[derive(Debug, ClapArgs)]
pub(super) struct HistoryUsed {
    /// Print JSON, one line a cap
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct HistoryFile {
    /// The file
    pub(super) file: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Erase {
    /// The person's unit key, as it stands in the data; `-` reads it from standard input
    pub(super) unit_key: String,
    /// Which codebook, by digest or file [default: the only one that the policy pins]
    #[arg(long, value_name = "DIGEST|FILE")]
    pub(super) codebook: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum RosterCommand {
    /// Show a proposal, or the roster as accepted
    Show(RosterShow),
    /// Sign every entry of a file of proposals, after you have looked at it
    Sign(RosterSign),
    /// Take a signed log that somebody gave you
    Accept(RosterFile),
}

#[derive(Debug, ClapArgs)]
pub(super) struct RosterShow {
    /// A file of entries [default: the accepted roster]
    pub(super) file: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct RosterSign {
    /// The file; it is changed in place
    pub(super) file: PathBuf,
    /// The custodian's key [default: custodian.key in the state folder]
    #[arg(long, value_name = "FILE")]
    pub(super) key: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct RosterFile {
    /// The file
    pub(super) file: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(super) struct Approve {
    /// The question hash, sha256:...
    #[arg(required_unless_present = "cohort", conflicts_with = "cohort")]
    pub(super) hash: Option<String>,
    /// In place of a question: the digest of a cohort, of which questions of the kinds may be asked
    #[arg(long, value_name = "sha256:...", requires = "kinds")]
    pub(super) cohort: Option<String>,
    /// Kinds of question that may be asked of the cohort: query, and names of analyses
    #[arg(long, value_delimiter = ',', value_name = "A,B", requires = "cohort")]
    pub(super) kinds: Vec<String>,
    /// The project
    #[arg(long)]
    pub(super) project: String,
}
