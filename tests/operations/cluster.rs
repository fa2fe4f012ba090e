//! A cluster in which nothing is installed yet, and an AWS account. In: commands. Out: what they print, and an operator that
//! follows the release. Starts processes; talks to kube-apiserver.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use cloudfront_simulator::admin::{GroupState, LoggedCall, Request, Tags};
use connection_group_operator::api::{ConnectionGroup, condition};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::Patch;
use kube::api::PatchParams;
use serde_json::{Value, json};
use testbed::{ControlPlane, Operator, OperatorBuilder, Result, Simulator, Tool, wait_for};

use crate::document;

pub const RELEASE: &str = "connection-group-operator";
pub const PATIENCE: Duration = Duration::from_mins(3);

/// A control plane of its own and the operator that runs there, if one is installed.
pub struct Cluster {
    pub control_plane: Arc<ControlPlane>,
    pub operator: Option<Operator>,
    endpoint: String,
    bin: PathBuf,
}

/// An operator with short intervals.
pub fn hurried(operator: OperatorBuilder) -> OperatorBuilder {
    operator
        .args(["--inventory-interval=1s", "--inventory-interval-active=200ms", "--aws-rate=100", "--aws-burst=100"])
        .args(["--aws-call-timeout=2s", "--consistency-window=2s"])
}

impl Cluster {
    /// An empty cluster, and an account.
    pub async fn start() -> Result<(Self, Simulator)> {
        let control_plane = ControlPlane::start().await?;
        // Roll-outs take no time.
        let simulator = Simulator::start(control_plane.folder(), ["--propagation=100ms"]).await?;
        Ok((Self::on(control_plane, &simulator), simulator))
    }

    /// A cluster on this control plane, with the account behind `simulator`.
    pub fn on(control_plane: Arc<ControlPlane>, simulator: &Simulator) -> Self {
        let bin = control_plane.folder().join("bin");
        let make = || -> std::io::Result<()> {
            std::fs::create_dir_all(&bin)?;
            symlink(control_plane.tools().path(Tool::Kubectl), bin.join("kubectl"))?;
            symlink(control_plane.tools().path(Tool::Helm), bin.join("helm"))?;
            let note = "#!/bin/sh\necho \"terraform $*\"\n";
            std::fs::write(bin.join("terraform"), note)?;
            std::fs::set_permissions(bin.join("terraform"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        };
        make().expect("the run's folder can be written to");
        Self { control_plane, operator: None, endpoint: simulator.endpoint().to_owned(), bin }
    }

    /// Runs a block of a document at the root of the repository, and makes the operator follow what it did to the release.
    pub async fn run(&mut self, script: &str) -> Result<String> {
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let path = [self.bin.clone()].into_iter().chain(std::env::split_paths(&inherited));
        let output = tokio::process::Command::new("bash")
            .args(["-euo", "pipefail", "-c", script])
            .env_clear()
            .env("PATH", std::env::join_paths(path).expect("paths without colons"))
            .env("HOME", self.control_plane.folder())
            .env("TMPDIR", self.control_plane.folder())
            .env("KUBECONFIG", self.control_plane.kubeconfig())
            .env("CLOUDFRONT", &self.endpoint)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .expect("there is a bash");
        let [stdout, stderr] =
            [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        assert!(output.status.success(), "{script}\n--- failed:\n{stdout}{stderr}");
        document::ran(script);
        if script.contains("helm ") {
            self.follow_the_release().await?;
        }
        Ok(stdout)
    }

    /// Runs blocks one after the other, and returns all that they print.
    pub async fn run_all(&mut self, scripts: &[String]) -> Result<String> {
        let mut printed = String::new();
        for script in scripts {
            printed += &self.run(script).await?;
        }
        Ok(printed)
    }

    /// Stands in for kubelet: an operator with owner id, identity and adoption key of the release's Deployment; none without a Deployment.
    async fn follow_the_release(&mut self) -> Result<()> {
        let Some(args) = self.release_args().await? else {
            self.operator = None;
            return Ok(());
        };
        let owner_id =
            args.iter().find_map(|arg| arg.strip_prefix("--owner-id=")).expect("the chart sets the owner id");
        let (folder, kubeconfig) = (self.control_plane.folder(), self.control_plane.kubeconfig());
        let mut builder = hurried(Operator::builder(folder, kubeconfig, &self.endpoint).owner_id(owner_id));
        if args.iter().any(|arg| arg.starts_with("--allow-adoption") && !arg.ends_with("=false")) {
            builder = builder.args(["--allow-adoption"]);
        }
        let identity = ["--identity-namespace=", "--take-over-installation="];
        builder = builder.args(args.iter().filter(|arg| identity.iter().any(|flag| arg.starts_with(flag))).cloned());
        self.operator = None;
        self.operator = Some(builder.start().await?);
        Ok(())
    }

    /// The release's configuration of the operator; `None` if it is not installed.
    pub async fn release_args(&self) -> Result<Option<Vec<String>>> {
        let deployments = Api::<Deployment>::namespaced(self.control_plane.client().await?, RELEASE);
        let Some(deployment) = deployments.get_opt(RELEASE).await? else { return Ok(None) };
        let pod = deployment.spec.and_then(|spec| spec.template.spec).expect("a Deployment has a Pod");
        Ok(Some(pod.containers[0].args.clone().unwrap_or_default()))
    }

    /// The objects of a namespace.
    pub async fn objects(&self, namespace: &str) -> Result<Api<ConnectionGroup>> {
        Ok(Api::namespaced(self.control_plane.client().await?, namespace))
    }

    /// Waits until the newest spec of an object is in the state that has this reason.
    pub async fn settled(&self, namespace: &str, name: &str, reason: &str) -> Result<ConnectionGroup> {
        let met = |object: &ConnectionGroup| {
            object.status.as_ref().is_some_and(|status| {
                Some(status.observed_generation) == object.metadata.generation
                    && condition(&status.conditions, "Ready").is_some_and(|ready| ready.reason == reason)
            })
        };
        wait_for(&self.objects(namespace).await?, name, PATIENCE, &format!("{name} to be {reason}"), met).await
    }

    /// Merges a change into an object.
    pub async fn patch(&self, namespace: &str, name: &str, change: Value) -> Result<ConnectionGroup> {
        let patch = Patch::Merge(change);
        Ok(self.objects(namespace).await?.patch(name, &PatchParams::default(), &patch).await?)
    }

    /// Requests a reconcile of an object.
    pub async fn look_now(&self, namespace: &str, name: &str, when: &str) -> Result<ConnectionGroup> {
        let annotation = json!({ "cloudfront.kube-operators.dev/reconcile-requested-at": when });
        self.patch(namespace, name, json!({ "metadata": { "annotations": annotation } })).await
    }
}

/// The message of `Ready`.
pub fn message(object: &ConnectionGroup) -> &str {
    let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    &condition(conditions, "Ready").expect("an object that the operator has reconciled has the condition Ready").message
}

/// The number of the newest call, to read only later ones.
pub async fn now(simulator: &Simulator) -> Result<u64> {
    Ok(simulator.admin.requests(0).await?.last().map_or(0, |call| call.seq))
}

/// The calls since then that were meant to change something.
pub async fn writes(simulator: &Simulator, since: u64) -> Result<Vec<Request>> {
    let calls = simulator.admin.requests(since).await?;
    let requests = calls.into_iter().filter_map(|call: LoggedCall| call.request);
    Ok(requests.filter(|request| !request.operation().is_read()).collect())
}

/// A group that must exist.
pub async fn group(simulator: &Simulator, name: &str) -> Result<GroupState> {
    Ok(simulator.admin.group(name).await?.unwrap_or_else(|| panic!("there is no group {name}")))
}

/// The tags on a group that must exist.
pub async fn tags(simulator: &Simulator, name: &str) -> Result<Tags> {
    Ok(group(simulator, name).await?.resource.tags.unwrap_or_default())
}
