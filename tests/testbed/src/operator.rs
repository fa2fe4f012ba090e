//! The operator as a child process. In: a control plane's kubeconfig and a CloudFront endpoint. Out: a running, ready operator.
//! Starts it; talks to its HTTP endpoints.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use crate::error::Result;
use crate::process::{Launch, Process, Signal};
use crate::{Error, binaries, port, wait};

const START_DEADLINE: Duration = Duration::from_mins(2);

/// The configuration of an operator.
#[derive(Clone, Debug)]
pub struct OperatorBuilder {
    folder: PathBuf,
    owner_id: String,
    endpoint: String,
    kubeconfig: PathBuf,
    namespace: Option<String>,
    args: Vec<OsString>,
    env: Vec<(String, String)>,
}

impl OperatorBuilder {
    /// The name of this installation in owner tags.
    #[must_use]
    pub fn owner_id(mut self, owner_id: impl Into<String>) -> Self {
        self.owner_id = owner_id.into();
        self
    }

    /// The only namespace to watch; without it, all.
    #[must_use]
    pub fn watch_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Another kubeconfig than the admin's, for an operator with only the permissions of a ServiceAccount.
    #[must_use]
    pub fn kubeconfig(mut self, path: impl Into<PathBuf>) -> Self {
        self.kubeconfig = path.into();
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// One more environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Starts it and waits until it is ready.
    pub async fn start(self) -> Result<Operator> {
        for _ in 0..port::ATTEMPTS {
            let ports = [port::free()?, port::free()?];
            let launch = self.launch(ports)?;
            let [metrics, health] = ports.map(|port| format!("http://127.0.0.1:{port}"));
            let mut process = Process::start(&launch)?;
            match ready(&mut process, &health).await {
                Ok(()) => return Ok(Operator { process, launch, metrics, health }),
                Err(_) if !process.is_running() && port::was_taken(process.log()) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Start { name: self.owner_id, reason: "every free port was taken at once".to_owned() })
    }

    fn launch(&self, [metrics, health]: [u16; 2]) -> Result<Launch> {
        let name = format!("operator-{}-{metrics}", self.owner_id);
        let mut launch = Launch::new(name, binaries::find("connection-group-operator")?, &self.folder)
            .args([
                "run",
                "--owner-id",
                &self.owner_id,
                "--aws-endpoint-url",
                &self.endpoint,
                "--allow-insecure-endpoint",
            ])
            .args([format!("--metrics-addr=127.0.0.1:{metrics}"), format!("--health-addr=127.0.0.1:{health}")])
            .args([OsString::from("--kubeconfig"), self.kubeconfig.clone().into()])
            .env("AWS_ACCESS_KEY_ID", "AKIATESTBED")
            .env("AWS_SECRET_ACCESS_KEY", "testbed")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            // Shorter than at AWS, so that deletions need not wait a minute; flags override these.
            .env("CONNECTION_GROUP_OPERATOR_AWS_CALL_TIMEOUT", "5s")
            .env("CONNECTION_GROUP_OPERATOR_CONSISTENCY_WINDOW", "5s");
        if let Some(namespace) = &self.namespace {
            launch = launch.args(["--watch-namespace", namespace]);
        }
        launch = launch.args(self.args.iter().cloned());
        launch.env.extend(self.env.iter().cloned());
        Ok(launch)
    }
}

/// A running operator, or one that has ended; dropping it stops it.
#[derive(Debug)]
pub struct Operator {
    process: Process,
    launch: Launch,
    metrics: String,
    health: String,
}

impl Operator {
    /// An operator that works on the objects of a control plane and the groups of an endpoint; logs go to `folder`.
    pub fn builder(folder: &Path, kubeconfig: &Path, endpoint: impl Into<String>) -> OperatorBuilder {
        OperatorBuilder {
            folder: folder.to_owned(),
            owner_id: "testbed".to_owned(),
            endpoint: endpoint.into(),
            kubeconfig: kubeconfig.to_owned(),
            namespace: None,
            args: Vec::new(),
            env: Vec::new(),
        }
    }

    /// The address of /livez, /healthz and /readyz: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn health(&self) -> &str {
        &self.health
    }

    /// The process, to be frozen or inspected.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Its output since the first start.
    #[must_use]
    pub fn log(&self) -> &Path {
        self.process.log()
    }

    /// Its answer on /metrics.
    pub async fn metrics(&self) -> Result<String> {
        Ok(reqwest::get(format!("{}/metrics", self.metrics)).await?.error_for_status()?.text().await?)
    }

    /// Kills it, as the failure of a node does: SIGKILL, without a shutdown.
    pub async fn kill(&mut self) -> Result<()> {
        self.process.signal(Signal::SIGKILL)?;
        self.process.wait_exit(Duration::from_secs(10)).await.map(drop)
    }

    /// Sends it SIGTERM, as a rollout does, and returns how it ended.
    pub async fn terminate(&mut self, deadline: Duration) -> Result<ExitStatus> {
        self.process.signal(Signal::SIGTERM)?;
        self.process.wait_exit(deadline).await
    }

    /// Starts it again with the same arguments, after stopping it if it still runs, and waits until it is ready.
    pub async fn restart(&mut self) -> Result<()> {
        self.process.stop();
        self.process = Process::start(&self.launch)?;
        ready(&mut self.process, &self.health).await
    }
}

async fn ready(process: &mut Process, health: &str) -> Result<()> {
    wait::until_ready(process, START_DEADLINE, async || {
        let answer = reqwest::get(format!("{health}/readyz")).await.map_err(|error| error.to_string())?;
        if answer.status().is_success() { Ok(()) } else { Err(format!("/readyz answers {}", answer.status())) }
    })
    .await
}
