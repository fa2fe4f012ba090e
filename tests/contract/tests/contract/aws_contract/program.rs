//! The program as a child process, and the account it works on. In: arguments. Out: how it ended and what it printed.

use std::{process::Stdio, time::Duration};

use cloudfront_simulator::admin::NewGroup;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use testbed::{RunFolder, Simulator};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// Longer than any run here takes.
const DEADLINE: Duration = Duration::from_mins(1);

/// A simulator that also holds a group of someone else.
pub struct Place {
    pub simulator: Simulator,
    _folder: RunFolder,
}

impl Place {
    pub async fn switched(changes: Value) -> Self {
        let folder = RunFolder::create().unwrap();
        let simulator = Simulator::start(folder.path(), [] as [&str; 0]).await.unwrap();
        simulator.admin.set_switches(&json!({ "propagation": "0s" })).await.unwrap();
        simulator.admin.set_switches(&changes).await.unwrap();
        simulator.admin.create_group(&NewGroup::named("neighbour")).await.unwrap();
        Self { simulator, _folder: folder }
    }

    /// The names of all groups.
    pub async fn groups(&self) -> Vec<String> {
        let groups = self.simulator.admin.state().await.unwrap().groups;
        groups.into_iter().map(|group| group.resource.name).collect()
    }

    /// Only what existed before is left, unchanged.
    pub async fn assert_clean(&self, when: &str) {
        let groups = self.simulator.admin.state().await.unwrap().groups;
        let [neighbour] = groups.as_slice() else { panic!("{when}: {groups:#?}") };
        assert_eq!(
            (neighbour.resource.name.as_str(), neighbour.etag.as_str()),
            ("neighbour", "E23ZP02F085DFQ"),
            "{when}"
        );
    }

    pub async fn calls(&self) -> usize {
        self.simulator.admin.requests(0).await.unwrap().len()
    }

    /// A rehearsal with short intervals.
    pub fn rehearsal(&self) -> Command {
        let mut command = program();
        command.args(["--simulator", self.simulator.endpoint(), "--rate", "10000"]);
        command.args(["--poll", "20ms", "--settle", "300ms", "--deadline", "10s"]);
        command
    }

    /// The same, with a confirmation.
    pub fn agreed(&self) -> Command {
        let mut command = self.rehearsal();
        command.env("YES", "simulator");
        command
    }
}

/// The program without anything of this process's environment.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aws-contract"));
    command.env_clear().env("HOME", "/nonexistent").env("AWS_EC2_METADATA_DISABLED", "true").kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A run in progress.
pub struct Run {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    output: String,
}

/// A run that has ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub output: String,
}

impl Run {
    /// Starts it; `typed` is its whole standard input.
    pub async fn start(mut command: Command, typed: &str) -> Self {
        let mut child = command.spawn().unwrap();
        // It may end without reading.
        let _ = child.stdin.take().unwrap().write_all(typed.as_bytes()).await;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, output: String::new() }
    }

    /// Waits for a line that holds `text`; the line.
    pub async fn says(&mut self, text: &str) -> String {
        self.says_one_of(&[text]).await
    }

    /// Waits for a line that holds one of these; the line.
    pub async fn says_one_of(&mut self, texts: &[&str]) -> String {
        let found = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                self.output += &line;
                self.output.push('\n');
                if texts.iter().any(|text| line.contains(text)) {
                    return line;
                }
            }
            panic!("it printed none of {texts:?}, but: {}", self.output)
        };
        timeout(DEADLINE, found).await.expect("it prints something")
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().unwrap().cast_signed()), signal).unwrap();
    }

    /// Waits for the end.
    pub async fn end(mut self) -> Ended {
        let rest = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                self.output += &line;
                self.output.push('\n');
            }
            self.child.stderr.take().unwrap().read_to_string(&mut self.output).await.unwrap();
            self.child.wait().await.unwrap().code()
        };
        let code = timeout(DEADLINE, rest).await.expect("the program ends");
        Ended { code, output: self.output }
    }
}

/// A run from its start to its end.
pub async fn run(command: Command, typed: &str) -> Ended {
    Run::start(command, typed).await.end().await
}
