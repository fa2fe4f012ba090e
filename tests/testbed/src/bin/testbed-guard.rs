//! Prevents one child from outliving the process that requested it: `testbed-guard LOG GRACE_MS PROGRAM [ARG...]`.
//!
//! In: a pipe on stdin that the requesting process holds open as long as it lives. Out: the child's pid, or `error: ...`, as one line on
//! stdout; the child's output in LOG; the child's own exit status. Talks to the operating system only.
//!
//! The kernel closes the pipe however the requesting process ends, SIGKILL included, and the end of stdin is all this program waits for.
//! `PR_SET_PDEATHSIG` would not do: it is bound to the thread that started the child, and test threads end before their process.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use std::{env, io, thread};

use nix::sys::signal::{Signal, killpg, raise};
use nix::unistd::Pid;

/// How soon the end of the child is detected.
const TICK: Duration = Duration::from_millis(20);

fn main() -> ExitCode {
    let (mut child, grace) = match start() {
        Ok(started) => started,
        Err(reason) => {
            // If no reader is left, the failure is the same.
            let _ = writeln!(io::stdout(), "error: {reason}");
            return ExitCode::FAILURE;
        }
    };
    let _ = writeln!(io::stdout(), "{}", child.id());
    match guard(&mut child, &asker_gone(), grace) {
        Ok(status) => end_like(status),
        Err(_) => ExitCode::FAILURE,
    }
}

fn start() -> Result<(Child, Duration), String> {
    let usage = "usage: testbed-guard LOG GRACE_MS PROGRAM [ARG...]";
    let mut args = env::args_os().skip(1);
    let log = args.next().ok_or(usage)?;
    let grace = args.next().and_then(|ms| ms.to_str()?.parse().ok()).ok_or(usage)?;
    let program = args.next().ok_or(usage)?;
    let log = OpenOptions::new().create(true).append(true).open(&log).map_err(|error| format!("log: {error}"))?;
    let child = Command::new(&program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(|error| error.to_string())?)
        .stderr(log)
        // A group of its own: Ctrl-C reaches only the requesting process, which then stops its children in its own order.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("{}: {error}", program.to_string_lossy()))?;
    Ok((child, Duration::from_millis(grace)))
}

/// Hangs up when stdin does.
fn asker_gone() -> Receiver<()> {
    let (alive, gone) = channel();
    thread::spawn(move || {
        let _alive = alive;
        let _ = io::stdin().read_to_end(&mut Vec::new());
    });
    gone
}

/// Waits for the child; sends it SIGTERM when the requesting process is gone, and SIGKILL after the grace period. One thread does both, so no
/// signal can hit a process that reuses the pid of a child that was already reaped.
fn guard(child: &mut Child, asker: &Receiver<()>, grace: Duration) -> io::Result<ExitStatus> {
    let mut last_call = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        match last_call {
            None => {
                if asker.recv_timeout(TICK) == Err(RecvTimeoutError::Disconnected) {
                    signal(child, Signal::SIGTERM);
                    signal(child, Signal::SIGCONT);
                    last_call = Some(Instant::now() + grace);
                }
            }
            Some(instant) if Instant::now() >= instant => {
                signal(child, Signal::SIGKILL);
                return child.wait();
            }
            Some(_) => thread::sleep(TICK),
        }
    }
}

fn signal(child: &Child, signal: Signal) {
    if let Ok(pid) = i32::try_from(child.id()) {
        // The only possible failure is that the group is gone already.
        let _ = killpg(Pid::from_raw(pid), signal);
    }
}

/// Ends as the child did, killed by the same signal if it was.
fn end_like(status: ExitStatus) -> ExitCode {
    if let Some(signal) = status.signal().and_then(|number| Signal::try_from(number).ok()) {
        let _ = raise(signal);
    }
    ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
