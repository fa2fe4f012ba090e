//! Children start with a clean environment and end with this process. Starts shells, and a whole control plane below a process that is then killed.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use testbed::{Launch, Process, RunFolder, Signal, wait_until};

type Outcome = Result<(), Box<dyn Error>>;

fn shell(folder: &RunFolder, script: &str) -> Launch {
    Launch::new("shell", "/bin/sh", folder.path()).args(["-c", script])
}

#[tokio::test]
async fn a_child_gets_nothing_from_our_environment_but_path() -> Outcome {
    let folder = RunFolder::create()?;
    let mut child = Process::start(&Launch::new("env", "/usr/bin/env", folder.path()).env("GIVEN", "yes"))?;
    assert!(child.wait_exit(Duration::from_secs(5)).await?.success());
    let printed = fs::read_to_string(child.log())?;
    let mut names: Vec<_> = printed.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(names, ["GIVEN", "HOME", "PATH"]);
    Ok(())
}

#[tokio::test]
async fn a_child_reports_how_it_ended() -> Outcome {
    let folder = RunFolder::create()?;
    let mut child = Process::start(&shell(&folder, "exit 7"))?;
    assert_eq!(child.wait_exit(Duration::from_secs(5)).await?.code(), Some(7));
    assert!(child.signal(Signal::SIGTERM).is_err(), "a signal reached a process that has ended");

    let mut child = Process::start(&shell(&folder, "sleep 60"))?;
    assert!(child.is_running());
    assert!(child.wait_exit(Duration::from_millis(100)).await.is_err());
    child.signal(Signal::SIGKILL)?;
    assert_eq!(child.wait_exit(Duration::from_secs(5)).await?.signal(), Some(9));
    Ok(())
}

#[test]
fn a_child_that_does_not_stop_is_killed_after_its_grace_period() -> Outcome {
    let folder = RunFolder::create()?;
    let mut launch = shell(&folder, "trap '' TERM; sleep 60; sleep 60");
    launch.grace = Duration::from_millis(300);
    let child = Process::start(&launch)?;
    let (pid, start) = (child.pid(), Instant::now());
    drop(child);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    Ok(())
}

#[test]
fn a_missing_program_is_named() -> Outcome {
    let folder = RunFolder::create()?;
    let refused = Process::start(&Launch::new("ghost", "/no/such/program", folder.path()));
    let sentence = refused.err().ok_or("started")?.to_string();
    assert!(sentence.starts_with("cannot start ghost: /no/such/program: "), "{sentence}");
    Ok(())
}

/// All processes that run in a folder, guards included. A zombie no longer has a working folder.
fn running_in(folder: &Path) -> Vec<PathBuf> {
    let processes = fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    processes.filter(|process| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == folder)).collect()
}

#[tokio::test]
async fn nothing_is_left_of_a_control_plane_whose_owner_is_killed() -> Outcome {
    for signal in [Signal::SIGKILL, Signal::SIGINT] {
        let mut owner = Command::new(env!("CARGO_BIN_EXE_testbed")).arg("up").stdout(Stdio::piped()).spawn()?;
        let first_line = BufReader::new(owner.stdout.take().ok_or("no stdout")?).lines().next().ok_or("no line")??;
        let kubeconfig = first_line.strip_prefix("export KUBECONFIG=").ok_or("no kubeconfig")?;
        let folder = Path::new(kubeconfig).parent().ok_or("no folder")?.to_owned();
        assert_eq!(running_in(&folder).len(), 4, "etcd, kube-apiserver, and a guard for each");

        nix::sys::signal::kill(nix::unistd::Pid::from_raw(owner.id().cast_signed()), signal)?;
        owner.wait()?;
        wait_until(Duration::from_secs(10), "every process to end", async || match running_in(&folder) {
            left if left.is_empty() => Ok(()),
            left => Err(format!("{signal}: {left:?}")),
        })
        .await?;
    }
    Ok(())
}
