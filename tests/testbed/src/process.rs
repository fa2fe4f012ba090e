//! Child processes that cannot outlive us. In: a `Launch`. Out: a `Process`. Talks to the operating system.
//!
//! Each child runs under `testbed-guard`, which ends it when the pipe that this process holds is closed: by `stop`, by `Drop`,
//! or by the kernel when this process is gone for whatever reason. Nothing here is bound to a thread or to a tokio runtime.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

pub use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::binaries;
use crate::error::{Error, Result};

/// How often the state of a child is checked while something waits for it.
const POLL: Duration = Duration::from_millis(20);

/// What to start, and where.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Its name in messages; its log is `<name>.log`.
    pub name: String,
    /// The binary.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its environment, besides PATH and HOME: nothing is inherited, so that no proxy, profile or credential of the host
    /// reaches a child.
    pub env: Vec<(String, String)>,
    /// Its working folder, its HOME, and the place of its log.
    pub folder: PathBuf,
    /// How long it may take to stop after SIGTERM, before it is killed.
    pub grace: Duration,
}

impl Launch {
    /// A launch without arguments, and with a grace period of two seconds.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>, folder: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            folder: folder.into(),
            grace: Duration::from_secs(2),
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Where the child's output goes; a second start of the same launch appends.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }
}

/// A running child, or one that has ended. Dropping it stops the child and waits until it is gone.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    guard: Child,
    /// Closing it tells the guard to stop the child.
    lifeline: Option<ChildStdin>,
    pid: u32,
}

impl Process {
    /// Starts a child. It may end again at once: see `is_running`.
    pub fn start(launch: &Launch) -> Result<Self> {
        let failed = |reason: String| Error::Start { name: launch.name.clone(), reason };
        let mut guard = Command::new(binaries::find("testbed-guard")?)
            .arg(launch.log())
            .arg(launch.grace.as_millis().to_string())
            .arg(&launch.program)
            .args(&launch.args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &launch.folder)
            .envs(launch.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&launch.folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let lifeline = guard.stdin.take();
        let mut answer = String::new();
        if let Some(stdout) = guard.stdout.take() {
            BufReader::new(stdout).read_line(&mut answer).map_err(|error| failed(error.to_string()))?;
        }
        let Ok(pid) = answer.trim().parse() else {
            let _ = guard.wait();
            return Err(failed(answer.trim().trim_start_matches("error: ").to_owned()));
        };
        Ok(Self { name: launch.name.clone(), log: launch.log(), guard, lifeline, pid })
    }

    /// The child's process id: the program's own, not its guard's.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The file that holds the child's output.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Whether the child has not ended yet.
    pub fn is_running(&mut self) -> bool {
        matches!(self.guard.try_wait(), Ok(None))
    }

    /// Sends a signal to the child: SIGTERM, SIGKILL, SIGSTOP, SIGCONT, ...
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        let refused = |source| Error::Signal { name: self.name.clone(), signal, source };
        if !matches!(self.guard.try_wait(), Ok(None)) {
            return Err(refused(nix::Error::ESRCH));
        }
        kill(Pid::from_raw(self.pid.cast_signed()), signal).map_err(refused)
    }

    /// Waits for the child to end by itself. The exit status of a child killed by a signal shows that signal.
    pub async fn wait_exit(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Ok(Some(status)) = self.guard.try_wait() {
                return Ok(status);
            }
            if start.elapsed() >= deadline {
                return Err(self.unready(format!("did not end within {deadline:?}")));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Sends the child SIGTERM, kills it after its grace period, and waits until it is gone.
    pub fn stop(&mut self) {
        self.lifeline = None;
        let _ = self.guard.wait();
    }

    /// An error about this child that shows the end of its log.
    pub(crate) fn unready(&self, what: impl Into<String>) -> Error {
        Error::Unready { name: self.name.clone(), what: what.into(), log: self.log.clone(), tail: tail(&self.log) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The last lines of a log, indented.
pub(crate) fn tail(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<_> = text.lines().rev().take(15).map(|line| format!("    {line}")).collect();
    lines.reverse();
    lines.join("\n")
}
