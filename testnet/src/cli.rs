//! The commands of `quorate-testnet`.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Parser, Subcommand, ValueEnum};

use crate::generate::{self, model::HOSPITALS, tables::tables, write};
use crate::network::{Network, Options};
use crate::{bench, demo, faults, print, process};

/// A whole network of real processes on this machine.
#[derive(Debug, Parser)]
#[command(name = "quorate-testnet", version, propagate_version = true)]
struct Cli {
    /// Without a command: make four hospitals, start them, ask three questions, show the tables.
    #[command(subcommand)]
    command: Option<Command>,
    /// Stay up afterwards and tell how to go on
    #[arg(long)]
    keep: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the network of a spec and print the ready line; stops at SIGTERM, SIGINT or end of input
    Up {
        /// The spec
        #[arg(long)]
        spec: PathBuf,
        /// What a name in the spec means (repeatable)
        #[arg(long, value_name = "NAME=VALUE")]
        set: Vec<String>,
        /// Make everything in this folder
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Write the made-up patients of the four hospitals to files
    Generate {
        /// Folder; every hospital gets one in it
        #[arg(long)]
        out: PathBuf,
        /// File format
        #[arg(long, value_enum, default_value_t = FileFormat::Csv)]
        format: FileFormat,
        /// Seed
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Number of persons, in percent of the model's
        #[arg(long, default_value_t = 100)]
        scale: u32,
    },
    /// Kill and restart parties while questions run, and show that nothing is lost or answered twice
    Faults,
    /// Measure a small question and TPC-H Q1 and Q6 over four nodes, and the same work in one process
    Bench {
        /// Instead: what disclosure control costs
        #[command(subcommand)]
        part: Option<BenchPart>,
        /// TPC-H scale factor
        #[arg(long, default_value_t = 0.01)]
        scale_factor: f64,
        /// How often each question is asked
        #[arg(long, default_value_t = 20)]
        runs: u32,
    },
    /// Be one party: node, coordinator or cli, with the arguments of that program
    #[command(disable_help_flag = true)]
    Role {
        /// Which, and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

#[derive(Debug, Subcommand)]
enum BenchPart {
    /// Measure evidence and rules of release against the same aggregate on the bare engine, and the
    /// comparison of a cell with everything ever released
    Disclosure {
        /// Rows of the tables
        #[arg(long, value_delimiter = ',', default_values_t = [1_000_000, 4_000_000, 16_000_000])]
        rows: Vec<u32>,
        /// How often each question is asked
        #[arg(long, default_value_t = 5)]
        runs: u32,
        /// Persons that releases are about
        #[arg(long, default_value_t = 1_000_000)]
        persons: u32,
        /// Releases to compare with
        #[arg(long, default_value_t = 2000)]
        releases: u32,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FileFormat {
    Csv,
    Parquet,
}

/// Exit code of a wrong command line; 2 means that a question was refused.
const USAGE: u8 = 64;

/// Runs the test network's command line.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    if args.get(1).map(OsString::as_os_str) == Some(OsStr::new("role")) {
        return role(args.get(2..).unwrap_or_default());
    }
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => {
            let failed = error.use_stderr();
            drop(error.print());
            return ExitCode::from(if failed { USAGE } else { 0 });
        }
    };
    match command(cli) {
        Ok(code) => code,
        Err(error) => {
            print::note(&format!("quorate-testnet: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn command(cli: Cli) -> anyhow::Result<ExitCode> {
    let exe = std::env::current_exe()?;
    match cli.command {
        None => demo::run(&exe, cli.keep),
        Some(Command::Up { spec, set, dir }) => up(&exe, &spec, &set, dir.as_deref()),
        Some(Command::Generate {
            out,
            format,
            seed,
            scale,
        }) => {
            generate(&out, format, seed, scale)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Faults) => faults::run(&exe),
        Some(Command::Bench {
            part:
                Some(BenchPart::Disclosure {
                    rows,
                    runs,
                    persons,
                    releases,
                }),
            ..
        }) => bench::disclosure::run(&rows, runs, persons, releases),
        Some(Command::Bench {
            scale_factor, runs, ..
        }) => bench::run(&exe, scale_factor, runs),
        Some(Command::Role { args }) => Ok(role(&args)),
    }
}

/// Becomes one party.
fn role(args: &[OsString]) -> ExitCode {
    let with_parent = args.first().is_some_and(|arg| arg == "--with-parent");
    if with_parent {
        process::follow_parent();
    }
    let mut rest = args.iter().skip(usize::from(with_parent));
    let role = rest
        .next()
        .and_then(|role| role.to_str())
        .unwrap_or_default();
    let with_name = |name: &str| {
        std::iter::once(OsString::from(name))
            .chain(rest.cloned())
            .collect::<Vec<_>>()
    };
    match role {
        "node" => quorate_node::run(with_name("quorate-node")),
        "coordinator" => quorate_coordinator::run(with_name("quorate-coordinator")),
        "cli" => quorate_sdk::run(with_name("quorate")),
        _ => {
            print::note("quorate-testnet: write `role node`, `role coordinator` or `role cli`");
            ExitCode::from(USAGE)
        }
    }
}

/// Starts a network and stays until somebody ends it.
fn up(exe: &Path, spec: &Path, set: &[String], dir: Option<&Path>) -> anyhow::Result<ExitCode> {
    let mut options = Options::new(exe);
    for pair in set {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| anyhow::anyhow!("--set {pair}: write --set NAME=VALUE"))?;
        options = options.set(name, value);
    }
    if let Some(dir) = dir {
        options = options.folder(dir);
    }
    let signals = Signals::listen()?.or_end_of_input();
    let mut network = Network::start(spec, &options)?;
    signals.expect();
    print::out(&network.ready().to_string());
    signals.wait();
    network.stop();
    Ok(ExitCode::SUCCESS)
}

/// SIGTERM, SIGINT, or the end of standard input if that counts too.
///
/// Until somebody waits for them, they end the process at once: whatever it has started ends with
/// it, because every child holds a pipe to it.
pub struct Signals {
    send: std::sync::mpsc::Sender<()>,
    receive: std::sync::mpsc::Receiver<()>,
    waiting: Arc<AtomicBool>,
}

/// Exit code after a signal that came before everything was up.
const INTERRUPTED: i32 = 130;

impl Signals {
    /// Starts to listen.
    ///
    /// # Errors
    /// When signals cannot be caught.
    pub fn listen() -> anyhow::Result<Self> {
        let (send, receive) = std::sync::mpsc::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let waiting = Arc::new(AtomicBool::new(false));
        let (early, on_signal) = (Arc::clone(&waiting), send.clone());
        std::thread::spawn(move || {
            runtime.block_on(async {
                use tokio::signal::unix::{SignalKind, signal};
                let (Ok(mut term), Ok(mut int)) = (
                    signal(SignalKind::terminate()),
                    signal(SignalKind::interrupt()),
                ) else {
                    return;
                };
                tokio::select! { _ = term.recv() => (), _ = int.recv() => () }
            });
            if !early.load(Ordering::Relaxed) {
                std::process::exit(INTERRUPTED);
            }
            let _nobody_waits = on_signal.send(());
        });
        Ok(Self {
            send,
            receive,
            waiting,
        })
    }

    /// Listens to the end of standard input as well.
    #[must_use]
    pub fn or_end_of_input(self) -> Self {
        let send = self.send.clone();
        std::thread::spawn(move || {
            let mut buffer = [0_u8; 256];
            while std::io::stdin()
                .lock()
                .read(&mut buffer)
                .is_ok_and(|read| read > 0)
            {}
            let _nobody_waits = send.send(());
        });
        self
    }

    /// From now on they are waited for.
    pub fn expect(&self) {
        self.waiting.store(true, Ordering::Relaxed);
    }

    /// Blocks until one of them comes.
    pub fn wait(&self) {
        self.expect();
        let _ended = self.receive.recv();
    }
}

fn generate(out: &Path, format: FileFormat, seed: u64, scale: u32) -> anyhow::Result<()> {
    let format = match format {
        FileFormat::Csv => write::Format::Csv,
        FileFormat::Parquet => write::Format::Parquet,
    };
    for (place, hospital) in (0..).zip(&HOSPITALS) {
        let people = generate::patients(seed, place, hospital, scale);
        write::write(&tables(&people), &out.join(hospital.name), format)?;
        print::note(&format!(
            "{}: {} persons, {}",
            hospital.name,
            people.len(),
            hospital.about
        ));
    }
    Ok(())
}
