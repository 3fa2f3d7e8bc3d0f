//! The commands and options of `quorate`, as clap reads them. Their documentation comments are the
//! help texts. What happens on a command is decided in the modules beside this one.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use super::analyse::AnalyseArgs;
pub(crate) use super::trust::TrustArgs;

/// Ask many institutions one question; no row leaves any of them.
#[derive(Debug, Parser)]
#[command(name = "quorate", version, propagate_version = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Folder with your identity and settings; else $QUORATE_HOME, else the platform's configuration folder.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Join a network with the token its operator gave you; without a token, make and show your key
    Login(LoginArgs),
    /// Show what can be asked about: tables, columns, bands, labels, sets, nodes
    Catalog(CatalogArgs),
    /// Explain a question without asking it: what each node would compute and send, or why it is refused
    Check(CheckArgs),
    /// Ask a question and show the verified answer
    Query(QueryArgs),
    /// Ask for an analysis, such as a t-test, and show statistics made of the verified answer
    #[command(alias = "analyze")]
    Analyse(AnalyseArgs),
    /// Show how far a question is
    Status(IdArgs),
    /// Get, verify and show the answer to an earlier question
    Fetch(FetchArgs),
    /// Withdraw a question that is still open
    Cancel(IdArgs),
    /// List your questions, newest first
    List(ListArgs),
    /// Verify a saved result (JSON) without the network
    Verify(VerifyArgs),
    /// Compare what nodes' ledgers were shown as: results, proofs, files of witnesses
    Audit(AuditArgs),
    /// Rebuild what a saved result rests on, link by link: project, acceptance, approval, ledger records, answer
    Lineage(LineageArgs),
    /// Write a saved result as a Five Safes RO-Crate, after verifying it
    Crate(CrateArgs),
    /// Make the public register of data use from nodes' extracts, or check that it is what they give
    Register(RegisterArgs),
    /// Check, draft or compare codebooks
    #[command(subcommand)]
    Codebook(CodebookCommand),
}

/// `login`
#[derive(Debug, Args)]
pub(crate) struct LoginArgs {
    /// The token, beginning with qt1.
    pub(crate) token: Option<String>,
    /// Your name in the roster
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Fingerprint of a custodian's key that the roster begins with, read out of band (repeatable)
    #[arg(long, value_name = "ed25519:...")]
    pub(crate) genesis: Vec<String>,
    /// Project to ask for when none is named
    #[arg(long)]
    pub(crate) project: Option<String>,
}

/// `audit`
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// Results in JSON, outputs of `quorate-node ledger prove` and `open`, `peers.json` of nodes
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// A whole ledger that its custodian gave you (repeatable)
    #[arg(long, value_name = "NODE=FILE")]
    pub(crate) ledger: Vec<String>,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
}

/// `lineage`
#[derive(Debug, Args)]
pub(crate) struct LineageArgs {
    /// The result, in JSON
    pub(crate) result: PathBuf,
    /// Outputs of `quorate-node ledger prove --question ID --acts`, one of each custodian
    pub(crate) proofs: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
}

/// `crate`
#[derive(Debug, Args)]
pub(crate) struct CrateArgs {
    /// The result, in JSON
    pub(crate) result: PathBuf,
    /// Folder of the bag
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Licence of the result
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://creativecommons.org/licenses/by/4.0/"
    )]
    pub(crate) licence: String,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
}

/// `register`
#[derive(Debug, Args)]
pub(crate) struct RegisterArgs {
    /// Outputs of `quorate-node ledger extract`, one of each node
    #[arg(required = true)]
    pub(crate) extracts: Vec<PathBuf>,
    /// A signed project record that the ledgers name (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(crate) project: Vec<PathBuf>,
    /// Folder of index.html, register.csv and register.json
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Write nothing: compare the files in the folder with what the ledgers give
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
}

/// `catalog`
#[derive(Debug, Args)]
pub(crate) struct CatalogArgs {
    /// One table in detail
    pub(crate) table: Option<String>,
    /// Only tables, columns, labels and sets that contain this word
    #[arg(long, value_name = "WORD")]
    pub(crate) search: Option<String>,
    #[command(flatten)]
    pub(crate) codebook: CodebookArg,
}

/// Which codebook.
#[derive(Debug, Args)]
pub(crate) struct CodebookArg {
    /// A codebook file, or name or sha256:... of one that the network publishes
    #[arg(long, value_name = "FILE|NAME|DIGEST")]
    pub(crate) codebook: Option<String>,
}

/// A question and its parameters.
#[derive(Debug, Args)]
pub(crate) struct TextArgs {
    /// The question, in SQL
    #[arg(
        required_unless_present = "file",
        conflicts_with = "file",
        value_name = "SQL"
    )]
    pub(crate) sql: Option<String>,
    /// Read the question from a file (- for standard input)
    #[arg(long, value_name = "F")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) params: ParamArgs,
}

/// Parameters of a text.
#[derive(Debug, Args)]
pub(crate) struct ParamArgs {
    /// Value of $NAME: a number, a day as YYYY-MM-DD, true or false, else text; '"42"' is text (repeatable)
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) param: Vec<String>,
    /// Values of $NAME from a file: one per line, or the first column of a CSV (repeatable)
    #[arg(long, value_name = "NAME=FILE")]
    pub(crate) set: Vec<String>,
}

/// `check`
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) text: TextArgs,
    #[command(flatten)]
    pub(crate) codebook: CodebookArg,
    #[command(flatten)]
    pub(crate) cohort: CohortArgs,
    /// Say what could be withheld, by which rule, and what to ask instead
    #[arg(long)]
    pub(crate) disclosure: bool,
    /// How to show it
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    pub(crate) format: CheckFormat,
}

/// Formats of `check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For reading
    Text,
    /// For programs
    Json,
}

/// `query`
#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    #[command(flatten)]
    pub(crate) text: TextArgs,
    #[command(flatten)]
    pub(crate) ask: AskArgs,
}

/// What every question needs beside itself.
#[derive(Debug, Args)]
pub(crate) struct AskArgs {
    #[command(flatten)]
    pub(crate) codebook: CodebookArg,
    #[command(flatten)]
    pub(crate) cohort: CohortArgs,
    /// Project to ask for
    #[arg(long, value_name = "P")]
    pub(crate) project: Option<String>,
    /// Why you ask, for the custodians' records
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) purpose: String,
    /// Ask only these nodes
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub(crate) nodes: Vec<String>,
    /// Answer only if at least so many nodes do
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) min_nodes: u32,
    /// Keep waiting while a node's custodian decides
    #[arg(long, conflicts_with = "no_wait")]
    pub(crate) wait: bool,
    /// Print the question's id as soon as it is recorded, and leave
    #[arg(long)]
    pub(crate) no_wait: bool,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

/// Whom to ask about.
#[derive(Debug, Args)]
pub(crate) struct CohortArgs {
    /// A file with the statement of a cohort, to be used as the table `cohort`
    #[arg(long, value_name = "F")]
    pub(crate) cohort: Option<PathBuf>,
    /// Columns of the cohort that none of its persons may lack
    #[arg(long, value_delimiter = ',', value_name = "A,B", requires = "cohort")]
    pub(crate) complete: Vec<String>,
    /// For review: OR, NOT, arithmetic inside sums and LEFT JOIN are read, and every node waits until
    /// its custodian has approved exactly this question
    #[arg(long)]
    pub(crate) reviewed: bool,
}

/// How to show a result.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Show each node's own value too
    #[arg(long)]
    pub(crate) by_site: bool,
    /// How to write the result; else as the ending of --out says, else as a table
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Write the result to a file instead of standard output
    #[arg(long, value_name = "F")]
    pub(crate) out: Option<PathBuf>,
    /// Also draw it, as SVG
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,
    /// Which picture; else what suits the result
    #[arg(long, value_enum, requires = "plot")]
    pub(crate) picture: Option<Picture>,
    /// What to write above the picture
    #[arg(long, value_name = "TEXT", requires = "plot")]
    pub(crate) title: Option<String>,
    /// Of an analysis, write the released cells as CSV, Arrow or Parquet instead of the statistics
    #[arg(long)]
    pub(crate) cells: bool,
}

/// Kinds of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Picture {
    /// Counts by one key: a histogram over bands, else bars
    Bars,
    /// Boxes of quartiles
    Boxes,
    /// Estimates with their intervals
    Forest,
    /// Curves of survival with numbers at risk
    Survival,
    /// Who answered, and what was withheld
    Coverage,
}

/// Formats of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For reading
    Table,
    /// Everything, signed bytes included; `quorate verify` reads it
    Json,
    /// Columns x, x__status, x__lower, x__upper, x__nodes
    Csv,
    /// Arrow IPC file, same columns, provenance in the schema metadata
    Arrow,
    /// Parquet, likewise
    Parquet,
}

/// A question by id.
#[derive(Debug, Args)]
pub(crate) struct IdArgs {
    /// The question's id, or its first characters
    pub(crate) id: String,
}

/// `fetch`
#[derive(Debug, Args)]
pub(crate) struct FetchArgs {
    /// The question's id, or its first characters
    pub(crate) id: String,
    /// Wait for the answer if there is none yet
    #[arg(long)]
    pub(crate) wait: bool,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

/// `list`
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// At most so many
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: u32,
}

/// `verify`
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// A result written with --format json
    pub(crate) file: PathBuf,
    /// Codebook of the question, where neither file nor cache holds it
    #[arg(long, value_name = "FILE")]
    pub(crate) codebook: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
}

/// `codebook`
#[derive(Debug, Subcommand)]
pub(crate) enum CodebookCommand {
    /// Read a codebook and report every mistake at once
    Check {
        /// The codebook
        file: PathBuf,
    },
    /// Write a commented codebook without roles from CSV or Parquet files, for a person to fill in
    Draft {
        /// One file per table
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Name of the codebook
        #[arg(long, default_value = "draft")]
        name: String,
        /// Write it to a file instead of standard output
        #[arg(long, value_name = "F")]
        out: Option<PathBuf>,
    },
    /// Tell what changed from one codebook to another, and what it means for questions
    Diff {
        /// Before
        old: PathBuf,
        /// After
        new: PathBuf,
    },
}
