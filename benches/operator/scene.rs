//! One installation to be measured: a namespace, a simulator, an operator, and a client of the first. Starts processes; talks to all of them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use cloudfront_simulator::admin::{LoggedCall, Operation};
use connection_group_operator::api::{ConnectionGroup, ConnectionGroupSpec, is_true};
use futures::{StreamExt, TryStreamExt};
use kube::Api;
use kube::api::{ListParams, PostParams};
use testbed::{Error, Operator, Result, Testbed, wait_until};

/// As long as a change is `InProgress` in the simulator.
pub const PROPAGATION: Duration = Duration::from_secs(2);

/// Flags of an operator that never waits for its call budget.
pub const UNLIMITED: &[&str] = &["--aws-rate", "1000", "--aws-burst", "1000"];

/// This many requests of the measuring client are in flight at once.
const CLIENT_CONCURRENCY: usize = 16;

/// A running installation.
pub struct Scene {
    /// The namespace and the simulator.
    pub bed: Testbed,
    /// The operator.
    pub operator: Operator,
    /// The objects in the namespace.
    pub objects: Api<ConnectionGroup>,
}

impl Scene {
    /// Starts a simulator with these switches, besides the propagation, and an operator with these flags.
    pub async fn set(switches: &[&str], flags: &[&str]) -> Result<Self> {
        let propagation = format!("--propagation={}s", PROPAGATION.as_secs());
        let bed = Testbed::start([propagation.as_str()].iter().chain(switches)).await?;
        let operator = bed.operator().args(flags).start().await?;
        let objects = bed.api().await?;
        Ok(Self { bed, operator, objects })
    }

    /// Creates one object and waits for the API server's answer.
    pub async fn create(&self, name: &str) -> Result<()> {
        let object = ConnectionGroup::new(name, ConnectionGroupSpec::default());
        self.objects.create(&PostParams::default(), &object).await?;
        Ok(())
    }

    /// Creates objects as fast as the API server accepts them.
    pub async fn create_all(&self, names: &[String]) -> Result<()> {
        let creates = futures::stream::iter(names).map(|name| self.create(name));
        creates.buffer_unordered(CLIENT_CONCURRENCY).try_collect().await
    }

    /// Waits until this many objects exist and all of them are Ready.
    pub async fn all_ready(&self, count: usize, deadline: Duration) -> Result<()> {
        wait_until(deadline, "all objects to be Ready", async || {
            let objects = self.objects.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
            let ready = objects.iter().filter(|object| is_ready(object)).count();
            if ready == count { Ok(()) } else { Err(format!("{ready} of {count}")) }
        })
        .await
    }

    /// The calls since they were last forgotten.
    pub async fn calls(&self) -> Result<Vec<LoggedCall>> {
        Ok(self.bed.simulator.admin.requests(0).await?)
    }

    /// Forgets the calls so far.
    pub async fn forget_calls(&self) -> Result<()> {
        Ok(self.bed.simulator.admin.clear_requests().await?)
    }

    /// Waits for a call about the group of that name, or about any group.
    pub async fn call(&self, operation: Operation, name: Option<&str>, deadline: Duration) -> Result<LoggedCall> {
        wait_until(deadline, &format!("{operation} of {name:?}"), async || {
            let calls = self.calls().await.map_err(|error| error.to_string())?;
            let is_meant = |call: &LoggedCall| {
                let is_named = |name| call.group_name.as_deref() == Some(name) || call.target.as_deref() == Some(name);
                call.operation == Some(operation) && name.is_none_or(is_named)
            };
            calls.iter().find(|call| is_meant(call)).cloned().ok_or_else(|| summary(&calls))
        })
        .await
    }

    /// Physical memory that the operator uses.
    pub fn resident_memory(&mut self) -> Result<u64> {
        let path = PathBuf::from(format!("/proc/{}/status", self.operator.process().pid()));
        let status = fs::read_to_string(&path).map_err(cannot_read(&path))?;
        let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        Ok(kilobytes.and_then(|number| number.parse::<u64>().ok()).unwrap_or_default() * 1024)
    }
}

/// Whether the status is about the newest spec and Ready.
pub fn is_ready(object: &ConnectionGroup) -> bool {
    object.status.as_ref().is_some_and(|status| {
        Some(status.observed_generation) == object.metadata.generation && is_true(&status.conditions, "Ready")
    })
}

/// When a call arrived. The log has whole milliseconds, rounded down.
pub fn arrival(call: &LoggedCall) -> SystemTime {
    let milliseconds = u64::try_from(call.time.0).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds) + Duration::from_micros(500)
}

/// How often each operation was called.
pub fn summary(calls: &[LoggedCall]) -> String {
    let mut text = String::new();
    for operation in Operation::ALL {
        let count = calls.iter().filter(|call| call.operation == Some(*operation)).count();
        if count > 0 {
            let separator = if text.is_empty() { "" } else { ", " };
            let _ = write!(text, "{separator}{count} {operation}");
        }
    }
    text
}

/// Names for objects.
pub fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("group-{number:04}")).collect()
}

/// Bytes of the operator's executable.
pub fn binary_size() -> Result<u64> {
    let path = testbed::find("connection-group-operator")?;
    Ok(fs::metadata(&path).map_err(cannot_read(&path))?.len())
}

fn cannot_read(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { action: "read", path, source }
}
