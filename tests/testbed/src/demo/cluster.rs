//! The cluster of the demo: a control plane of its own, or one that exists already, such as kind's. In: optionally the name of a kubeconfig's context. Out: a
//! cluster that serves the custom resource, and that is left as it was found. Runs kubectl.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;

use serde_json::Value;
use testbed::{ControlPlane, Error, Result, RunFolder, Tool};
use tokio::process::Command;
use tokio::sync::OnceCell;

use super::NAMESPACE;

const CRD: &str = "connectiongroups.cloudfront.kube-operators.dev";
const CRD_FILE: &str = "crds/connectiongroups.yaml";

/// Where the demo is played.
pub(super) enum Cluster {
    /// Started for the demo; ends with it.
    Own(Arc<ControlPlane>),
    /// Exists already, and stays.
    Given(Given),
}

/// A cluster of the audience.
pub(super) struct Given {
    kubeconfig: PathBuf,
    folder: RunFolder,
    /// Who had written the definition when the demo had created it.
    writers: OnceCell<String>,
}

/// Why a given cluster is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("kubectl is not in PATH, and the demo does not build it for a cluster that exists: {0}")]
    NoKubectl(std::io::Error),
    #[error("kubeconfig has no usable context {context}: {answer}\nits contexts: {known}")]
    Context { context: String, answer: String, known: String },
    #[error(
        "the cluster has {what} already. The demo creates it and removes it at the end: use a cluster that does not have it"
    )]
    Occupied { what: String },
    #[error(
        "{what}. So the demo removed nothing of what it created: the CustomResourceDefinition {CRD}, the namespace {NAMESPACE}, and objects with the finalizer {}",
        finalizer()
    )]
    NotAlone { what: String },
}

/// The owner id of this run, which no other installation has.
pub(super) fn owner_id() -> String {
    format!("demo-{}", std::process::id())
}

fn finalizer() -> String {
    format!("cloudfront.kube-operators.dev/{}", owner_id())
}

impl Cluster {
    /// Starts a control plane.
    pub(super) async fn own() -> Result<Self> {
        Ok(Self::Own(ControlPlane::start().await?))
    }

    /// A copy of the context in a kubeconfig of its own, so that another choice of the current context does not move the demo to another cluster.
    pub(super) async fn given(context: &str) -> std::result::Result<Self, super::DemoError> {
        let view = ["config", "view", "--minify", "--flatten", "--raw", "--context", context];
        let answer =
            Command::new("kubectl").args(view).stdin(Stdio::null()).output().await.map_err(Refusal::NoKubectl)?;
        if !answer.status.success() {
            let known = Command::new("kubectl").args(["config", "get-contexts", "--output=name"]).output().await;
            let known = known.map_err(Refusal::NoKubectl)?.stdout;
            let [answer, known] =
                [&answer.stderr, &known].map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
            return Err(
                Refusal::Context { context: context.to_owned(), answer, known: known.replace('\n', ", ") }.into()
            );
        }
        let folder = RunFolder::create()?;
        let kubeconfig = folder.path().join("kubeconfig");
        let write = |path: &Path| {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(&answer.stdout)
        };
        let failed = |source| Error::Io { action: "write", path: kubeconfig.clone(), source };
        write(&kubeconfig).map_err(failed)?;
        let cluster = Self::Given(Given { kubeconfig, folder, writers: OnceCell::new() });
        cluster.refuse_what_is_there("the CustomResourceDefinition", "customresourcedefinition", CRD).await?;
        cluster.refuse_what_is_there("the namespace", "namespace", NAMESPACE).await?;
        Ok(cluster)
    }

    async fn refuse_what_is_there(
        &self,
        what: &str,
        kind: &str,
        name: &str,
    ) -> std::result::Result<(), super::DemoError> {
        match self.kubectl_ok(&["get", kind, name, "--ignore-not-found", "--output=name"]).await?.trim() {
            "" => Ok(()),
            _ => Err(Refusal::Occupied { what: format!("{what} {name}") }.into()),
        }
    }

    pub(super) fn kubeconfig(&self) -> &Path {
        match self {
            Self::Own(control_plane) => control_plane.kubeconfig(),
            Self::Given(given) => &given.kubeconfig,
        }
    }

    /// The kubectl that fits the cluster.
    pub(super) fn kubectl_program(&self) -> PathBuf {
        match self {
            Self::Own(control_plane) => control_plane.tools().path(Tool::Kubectl),
            Self::Given(_) => PathBuf::from("kubectl"),
        }
    }

    /// Where the logs are.
    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::Own(control_plane) => control_plane.folder(),
            Self::Given(given) => given.folder.path(),
        }
    }

    pub(super) async fn client(&self) -> Result<kube::Client> {
        testbed::client(self.kubeconfig()).await
    }

    /// Runs kubectl at the root of the repository.
    pub(super) async fn kubectl<A: AsRef<OsStr>>(&self, args: &[A]) -> Result<Output> {
        match self {
            Self::Own(control_plane) => control_plane.kubectl(args).await,
            Self::Given(given) => {
                let mut command = Command::new(self.kubectl_program());
                command.args(args).env("KUBECONFIG", &given.kubeconfig).current_dir(testbed::repository());
                let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
                output.map_err(|error| Error::Start { name: "kubectl".to_owned(), reason: error.to_string() })
            }
        }
    }

    async fn kubectl_ok(&self, args: &[&str]) -> Result<String> {
        let output = self.kubectl(args).await?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Error::Command { command: format!("kubectl {}", args.join(" ")), stderr })
    }

    /// Installs the custom resource.
    pub(super) async fn install(&self) -> Result<()> {
        self.kubectl_ok(&["apply", "--server-side", "-f", CRD_FILE]).await?;
        self.kubectl_ok(&["wait", "--for=condition=Established", "--timeout=30s", "-f", CRD_FILE]).await?;
        if let Self::Given(given) = self {
            given.writers.get_or_try_init(|| self.writers()).await?;
        }
        Ok(())
    }

    async fn writers(&self) -> Result<String> {
        let managers = "jsonpath={.metadata.managedFields[*].manager}";
        self.kubectl_ok(&["get", "customresourcedefinition", CRD, "--show-managed-fields", "--output", managers]).await
    }

    /// Removes what the demo created in a given cluster, unless someone else uses it by now. The groups are simulated, so the demo's finalizers protect nothing.
    pub(super) async fn leave(&self) -> std::result::Result<(), super::DemoError> {
        let Self::Given(Given { writers, .. }) = self else { return Ok(()) };
        let Some(writers) = writers.get() else { return Ok(()) };
        if self.writers().await? != *writers {
            let what = format!("Someone else has written the CustomResourceDefinition {CRD} since the demo created it");
            return Err(Refusal::NotAlone { what }.into());
        }
        let list = self.kubectl_ok(&["get", "connectiongroups", "--all-namespaces", "--output=json"]).await?;
        let unreadable =
            |error| Refusal::NotAlone { what: format!("The list of the ConnectionGroups cannot be read: {error}") };
        let list: Value = serde_json::from_str(&list).map_err(unreadable)?;
        let objects: Vec<_> =
            list["items"].as_array().into_iter().flatten().map(|object| &object["metadata"]).collect();
        let ours = finalizer();
        let of_others = |object: &&&Value| {
            object["finalizers"].as_array().into_iter().flatten().any(|finalizer| finalizer.as_str() != Some(&ours))
        };
        let word = |object: &Value, key: &str| object[key].as_str().unwrap_or_default().to_owned();
        if let Some(object) = objects.iter().find(of_others) {
            let what = format!(
                "ConnectionGroup {}/{} has a finalizer that is not the demo's",
                word(object, "namespace"),
                word(object, "name")
            );
            return Err(Refusal::NotAlone { what }.into());
        }
        for object in objects {
            let (namespace, name) = (word(object, "namespace"), word(object, "name"));
            let object = ["connectiongroup", &name, "--namespace", &namespace];
            let finalizers = r#"{"metadata":{"finalizers":null}}"#;
            self.kubectl_ok(&[&["delete"], &object[..], &["--wait=false"]].concat()).await?;
            // The object may be gone at once; the deletions below fail if it is not.
            self.kubectl(&[&["patch"], &object[..], &["--type=merge", "--patch", finalizers]].concat()).await?;
        }
        self.kubectl_ok(&["delete", "customresourcedefinition", CRD, "--ignore-not-found", "--timeout=30s"]).await?;
        // Without a wait: the cluster's own controller empties it.
        self.kubectl_ok(&["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false"]).await?;
        Ok(())
    }
}
