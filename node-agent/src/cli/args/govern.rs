//! Options of `govern` and `airlock`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum GovernCommand {
    /// Take in signed acts: records, votes, evidence, approvals, lifts
    Add(GovernFiles),
    /// Every act that is held here, by digest
    List,
    /// Every project record, and whether it runs here or what is missing
    Projects,
    /// Write down a project from its file and sign it as its applicant
    Record(GovernRecord),
    /// Vote on a project record
    Vote(GovernVote),
    /// Accept a project record for this node
    Accept(GovernAccept),
    /// Refuse a project record for this node, or end it
    Refuse(GovernRefuse),
    /// State that somebody was trained, accepted an agreement or is accredited
    Evidence(GovernEvidence),
    /// Write down an approval of a question, for approvers to sign
    Approval(GovernApproval),
    /// Add a signature to an act, after it was shown
    Sign(GovernSign),
    /// Stop a person, a project or this node at once
    Suspend(GovernSuspend),
    /// Write down the end of a suspension, for two persons to sign
    Lift(GovernLift),
    /// Write down that the policy file takes the place of the one in force, for two to sign
    Change(GovernChange),
    /// Break-glass: write down that an operator reads one question, and sign it as that operator
    Glass(GovernGlass),
    /// Read what one question asks, with a glass that two have signed; the ledger is told
    Read(GovernRead),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct GovernFiles {
    /// The files
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct GovernRecord {
    /// The project file
    pub(crate) file: PathBuf,
    /// The applicant's identity key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Where to put the signed record
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct GovernVote {
    /// The signed record
    pub(crate) record: PathBuf,
    /// Your name, as the policies list you
    #[arg(long)]
    pub(crate) name: String,
    /// Your key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Vote against it [default: for it]
    #[arg(long)]
    pub(crate) against: bool,
    /// Why
    #[arg(long)]
    pub(crate) reason: String,
    /// Where to put the signed vote
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct GovernAccept {
    /// Digest of the record, as `govern projects` shows it
    pub(crate) record: String,
    /// The custodian's key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// How answers are let out here, if stricter than the record says: auto, review, dual, none
    #[arg(long, default_value = "auto")]
    pub(crate) release: String,
    /// A table of the record that is left out here (repeatable)
    #[arg(long, value_name = "TABLE")]
    pub(crate) without: Vec<String>,
    /// Last day here, if earlier than the record says
    #[arg(long, value_name = "DAY")]
    pub(crate) until: Option<jiff::civil::Date>,
    /// Why, for your own files
    #[arg(long)]
    pub(crate) reason: String,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct GovernRefuse {
    /// Digest of the record, as `govern projects` shows it
    pub(crate) record: String,
    /// The custodian's key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Why, for your own files
    #[arg(long)]
    pub(crate) reason: String,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct GovernEvidence {
    /// Network that it is for
    #[arg(long)]
    pub(crate) network: String,
    /// Who has it, as NAME=KEY
    #[arg(long, value_name = "NAME=KEY")]
    pub(crate) subject: String,
    /// training, agreement or accreditation
    #[arg(long)]
    pub(crate) kind: String,
    /// Of which course or agreement
    #[arg(long)]
    pub(crate) name: String,
    /// Of which version
    #[arg(long = "of-version", value_name = "VERSION")]
    pub(crate) of_version: String,
    /// Your own name
    #[arg(long)]
    pub(crate) issuer: String,
    /// Your key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Last day at which it counts
    #[arg(long, value_name = "DAY")]
    pub(crate) until: jiff::civil::Date,
    /// Where to put it
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct GovernApproval {
    /// What is asked, as in `quorate-node try`
    #[command(flatten)]
    pub(in crate::cli) question: super::Try,
    /// Approve the text with parameters in these domains, such as age=18..65, sex=0|1, town='a'|'b'
    /// (repeatable); the parameters given by --param are only an example then
    #[arg(long = "domain", value_name = "NAME=DOMAIN")]
    pub(crate) domains: Vec<String>,
    /// Approve every question of these kinds of the cohort of --cohort, such as query,table1,lm
    #[arg(long, value_delimiter = ',', value_name = "KIND,KIND", requires = "cohort", conflicts_with_all = ["domains", "sql", "file", "analysis", "reviewed"])]
    pub(crate) kinds: Vec<String>,
    /// How often it may run here
    #[arg(long)]
    pub(crate) runs: u64,
    /// Last day
    #[arg(long, value_name = "DAY")]
    pub(crate) until: jiff::civil::Date,
    /// Where to put it, unsigned
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct GovernSign {
    /// The act; it is changed in place
    pub(crate) file: PathBuf,
    /// Your key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
}

#[derive(Debug, ClapArgs)]
#[group(id = "target", required = true, multiple = false)]
pub(crate) struct Stopped {
    /// Whoever holds this key
    #[arg(long, value_name = "KEY")]
    pub(crate) person: Option<String>,
    /// This project
    #[arg(long, value_name = "ID")]
    pub(crate) project: Option<String>,
    /// This whole node
    #[arg(long)]
    pub(crate) node: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct GovernSuspend {
    #[command(flatten)]
    pub(crate) target: Stopped,
    /// Why
    #[arg(long)]
    pub(crate) reason: String,
    /// Your key: the custodian's or an operator's
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct GovernLift {
    /// Digest of the suspension, as `govern list` shows it
    pub(crate) suspension: String,
    /// Why
    #[arg(long)]
    pub(crate) reason: String,
    /// Where to put it, unsigned
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct GovernChange {
    /// Why
    #[arg(long)]
    pub(crate) reason: String,
    /// Where to put it, unsigned
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct GovernGlass {
    /// Id of the question
    pub(crate) question: String,
    /// Your name, as the policy lists you among its operators
    #[arg(long)]
    pub(crate) name: String,
    /// Your key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Why
    #[arg(long)]
    pub(crate) reason: String,
    /// For how many hours
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=4))]
    pub(crate) hours: u8,
    /// Where to put it; one who speaks for the custodian signs it too
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct GovernRead {
    /// Id of the question
    pub(crate) question: String,
    /// Your key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AirlockCommand {
    /// What waits, oldest first
    List(AirlockList),
    /// What one question asks and exactly what would leave
    Show(AirlockShow),
    /// Let it out as it was shown
    Approve(AirlockSay),
    /// Send it back
    Return(AirlockReturn),
    /// Hide cells of it: what would leave changes and must be seen anew
    Suppress(AirlockSuppress),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct AirlockList {
    /// Print JSON, one line a question
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct AirlockShow {
    /// Id of the question
    pub(crate) question: String,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct AirlockSay {
    /// Id of the question
    pub(crate) question: String,
    /// Your key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// For the custodian's files; researchers never see it
    #[arg(long, default_value = "")]
    pub(crate) comment: String,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct AirlockReturn {
    #[command(flatten)]
    pub(crate) say: AirlockSay,
    /// What the researcher is told: outside-purpose, too-detailed or unclear
    #[arg(long)]
    pub(crate) reason: String,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct AirlockSuppress {
    #[command(flatten)]
    pub(crate) say: AirlockSay,
    /// A cell as TABLE:ROW:CELL, as `airlock show` numbers them (repeatable)
    #[arg(long = "cell", value_name = "TABLE:ROW:CELL", required = true)]
    pub(crate) cells: Vec<String>,
}
