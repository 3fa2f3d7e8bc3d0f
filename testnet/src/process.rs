//! Parties as real processes: this very binary, run again in one role.
//!
//! A long-lived party writes to a log file of its own and holds the reading end of a pipe; when the
//! test network goes away, however it goes, the pipe ends and the party stops itself.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::clock::wait_for;

/// The role a process plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A custodian's node.
    Node,
    /// The coordinator.
    Coordinator,
    /// The `quorate` command line.
    Cli,
}

impl Role {
    /// The word after `role` on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Coordinator => "coordinator",
            Self::Cli => "cli",
        }
    }
}

/// What went wrong with a process.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It could not be started.
    #[error("cannot start {what}: {source}")]
    Start {
        /// Who.
        what: String,
        /// Cause.
        source: std::io::Error,
    },
    /// It ended with a failure.
    #[error("`{what}` ended with {status}:\n{output}")]
    Failed {
        /// Its command line.
        what: String,
        /// Exit status.
        status: String,
        /// What it wrote.
        output: String,
    },
    /// A log file could not be written.
    #[error("cannot write {path}: {source}")]
    Log {
        /// Path.
        path: String,
        /// Cause.
        source: std::io::Error,
    },
}

/// What a command wrote, and how it ended.
#[derive(Clone, Debug)]
pub struct Done {
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A command line of one role.
#[derive(Clone, Debug)]
pub struct Line {
    exe: PathBuf,
    role: Role,
    args: Vec<OsString>,
    folder: PathBuf,
    home: Option<PathBuf>,
}

impl Line {
    /// A command of `role` of the binary `exe`, to be run in `folder`.
    #[must_use]
    pub fn new(exe: &Path, role: Role, folder: &Path) -> Self {
        Self {
            exe: exe.into(),
            role,
            args: Vec::new(),
            folder: folder.into(),
            home: None,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, args: I) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets the researcher's home.
    #[must_use]
    pub fn home(mut self, home: &Path) -> Self {
        self.home = Some(home.into());
        self
    }

    /// The words a person would type; tokens are hidden, because they go into logs and messages.
    #[must_use]
    pub fn words(&self) -> String {
        let args: Vec<_> = self.args.iter().map(|arg| arg.to_string_lossy()).collect();
        secretless(&format!("{} {}", self.role.word(), args.join(" ")))
    }

    fn command(&self, with_parent: bool) -> Command {
        let mut command = Command::new(&self.exe);
        command.arg("role");
        if with_parent {
            command.arg("--with-parent");
        }
        command
            .arg(self.role.word())
            .args(&self.args)
            .current_dir(&self.folder);
        if let Some(home) = &self.home {
            command.env("QUORATE_HOME", home);
        }
        command
    }

    /// Runs the command to its end and returns what it wrote, whatever its exit code.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self) -> Result<Done, ProcessError> {
        let output = self
            .command(false)
            .stdin(Stdio::null())
            .output()
            .map_err(|source| ProcessError::Start {
                what: self.words(),
                source,
            })?;
        Ok(Done {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs the command to its end, which must be a good one, and returns its standard output.
    ///
    /// # Errors
    /// When it cannot be started or fails.
    pub fn succeed(&self) -> Result<String, ProcessError> {
        let done = self.run()?;
        if done.code == Some(0) {
            return Ok(done.stdout);
        }
        Err(ProcessError::Failed {
            what: self.words(),
            status: done
                .code
                .map_or("a signal".into(), |code| format!("exit code {code}")),
            output: format!("{}{}", done.stdout, done.stderr),
        })
    }

    /// Starts the command and lets it run beside us, its output piped to the caller.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(&self) -> Result<Child, ProcessError> {
        self.command(false)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| ProcessError::Start {
                what: self.words(),
                source,
            })
    }
}

/// A long-lived party that can be killed and started again.
#[derive(Debug)]
pub struct Party {
    line: Line,
    log: PathBuf,
    child: Option<Child>,
}

/// How long a party has to stop by itself.
const GRACE: Duration = Duration::from_secs(5);

impl Party {
    /// A party that does not run yet.
    #[must_use]
    pub fn new(line: Line, log: &Path) -> Self {
        Self {
            line,
            log: log.into(),
            child: None,
        }
    }

    /// Replaces its command line; takes effect at the next start.
    pub fn set_line(&mut self, line: Line) {
        self.line = line;
    }

    /// Starts it; a party that runs is left alone.
    ///
    /// # Errors
    /// When it cannot be started or its log cannot be written.
    pub fn start(&mut self) -> Result<(), ProcessError> {
        if self.alive() {
            return Ok(());
        }
        let mut log = self.open_log()?;
        let failed = |source| ProcessError::Log {
            path: self.log.display().to_string(),
            source,
        };
        writeln!(log, "-- {}", self.line.words()).map_err(failed)?;
        let out = log.try_clone().map_err(failed)?;
        let child = self
            .line
            .command(true)
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(log)
            .process_group(0)
            .spawn()
            .map_err(|source| ProcessError::Start {
                what: self.line.words(),
                source,
            })?;
        self.child = Some(child);
        Ok(())
    }

    fn open_log(&self) -> Result<File, ProcessError> {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(|source| ProcessError::Log {
                path: self.log.display().to_string(),
                source,
            })
    }

    /// Whether it runs.
    pub fn alive(&mut self) -> bool {
        self.child
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Its process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Sends a signal to it.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = self.pid().and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
            let _gone = rustix::process::kill_process(pid, signal);
        }
    }

    /// Asks it to stop, and kills it if it does not; true if it stopped by itself.
    pub fn stop(&mut self) -> bool {
        if !self.alive() {
            self.child = None;
            return true;
        }
        self.signal(rustix::process::Signal::TERM);
        let stopped = wait_for(GRACE, || (!self.alive()).then_some(())).is_some();
        self.kill();
        stopped
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Enrolment tokens are secrets until they are used: a log shows that there was one.
#[must_use]
pub fn secretless(text: &str) -> String {
    let hide = |word: &str| {
        if word.starts_with("qt1.") {
            "qt1.(hidden)".to_owned()
        } else {
            word.to_owned()
        }
    };
    let line = |line: &str| line.split(' ').map(hide).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// In a party's process: stops it when the process that started it is gone.
pub fn follow_parent() {
    std::thread::spawn(|| {
        let mut sink = std::io::sink();
        drop(std::io::copy(&mut std::io::stdin().lock(), &mut sink));
        let me = rustix::process::getpid();
        let _gone = rustix::process::kill_process(me, rustix::process::Signal::TERM);
        std::thread::sleep(GRACE);
        std::process::exit(1);
    });
}
