//! The binaries of a Kubernetes control plane and its clients. In: `KUBEBUILDER_ASSETS`, or the pinned Go modules of `go.mod`. Out: a folder that has
//! those that are wanted. Talks to the file system, and builds with Go what is not built yet.

mod build;

use std::path::{Path, PathBuf};

/// The variable with which controller-runtime's envtest finds prebuilt binaries, too.
const ASSETS: &str = "KUBEBUILDER_ASSETS";

/// A program of the Go modules that `go.mod` pins. A new one needs a `tool` line there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// The store of the API server.
    Etcd,
    /// The API server.
    KubeApiserver,
    /// The controllers that come with Kubernetes.
    KubeControllerManager,
    /// The client for people.
    Kubectl,
    /// The client for charts.
    Helm,
}

/// What a control plane and its user need; envtest's own assets are the same three.
pub const CONTROL_PLANE: [Tool; 3] = [Tool::Etcd, Tool::KubeApiserver, Tool::Kubectl];

/// What the tests need.
pub const ALL: [Tool; 5] = [Tool::Etcd, Tool::KubeApiserver, Tool::Kubectl, Tool::KubeControllerManager, Tool::Helm];

impl Tool {
    /// The name of the binary.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::Kubectl => "kubectl",
            Self::Helm => "helm",
        }
    }

    const fn package(self) -> &'static str {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3",
            Self::KubeApiserver => "k8s.io/kubernetes/cmd/kube-apiserver",
            Self::KubeControllerManager => "k8s.io/kubernetes/cmd/kube-controller-manager",
            Self::Kubectl => "k8s.io/kubernetes/cmd/kubectl",
            Self::Helm => "helm.sh/helm/v4/cmd/helm",
        }
    }
}

/// Why the binaries are not available.
#[derive(Debug, thiserror::Error)]
pub enum ToolsError {
    /// `KUBEBUILDER_ASSETS` names a folder that does not hold all that is wanted.
    #[error(
        "KUBEBUILDER_ASSETS is {}, and there is no {missing} in it; put it there, or unset the variable to have it built",
        folder.display()
    )]
    Assets {
        /// The variable's value.
        folder: PathBuf,
        /// The missing binaries.
        missing: String,
    },
    /// No Go.
    #[error(
        "Go {needed} or later is needed to build {tools}, and {found}; install it, or set KUBEBUILDER_ASSETS to a folder that \
         holds the binaries"
    )]
    Go {
        /// The version that `go.mod` demands.
        needed: String,
        /// What was found instead.
        found: String,
        /// What is to be built.
        tools: String,
    },
    /// Go could not build one.
    #[error("building {tool} failed; the log: {}\n{tail}", log.display())]
    Build {
        /// Which.
        tool: &'static str,
        /// Go's output.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was being done, as a verb.
        action: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// The error message of the system.
        source: std::io::Error,
    },
    /// Go was there a moment ago, and could not be started.
    #[error("cannot run go: {0}")]
    Run(std::io::Error),
}

impl ToolsError {
    /// For `map_err` on file operations.
    fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// A folder that holds binaries.
#[derive(Clone, Debug)]
pub struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// One of those that were wanted.
    #[must_use]
    pub fn path(&self, tool: Tool) -> PathBuf {
        self.folder.join(tool.name())
    }
}

/// The wanted binaries: those of `KUBEBUILDER_ASSETS` if it is set, else built once, which takes minutes and reports its progress on stderr.
///
/// # Errors
/// Each is a sentence that explains itself.
pub fn ensure(wanted: &[Tool]) -> Result<Tools, ToolsError> {
    match std::env::var_os(ASSETS).filter(|value| !value.is_empty()) {
        Some(folder) => given(PathBuf::from(folder), wanted),
        None => build::ensure(wanted),
    }
}

fn given(folder: PathBuf, wanted: &[Tool]) -> Result<Tools, ToolsError> {
    let missing: Vec<_> = wanted.iter().map(|tool| tool.name()).filter(|name| !folder.join(name).is_file()).collect();
    if missing.is_empty() {
        return Ok(Tools { folder });
    }
    Err(ToolsError::Assets { folder, missing: missing.join(", no ") })
}

/// Where cargo puts what it builds for the running executable's profile: `target/debug` for `target/debug/testbed`, and also for
/// `target/debug/deps/<test>` and `target/debug/examples/<example>`.
///
/// # Errors
/// If the system does not know the running executable.
pub fn profile_folder() -> Result<PathBuf, ToolsError> {
    let mut folder = std::env::current_exe().map_err(ToolsError::io("find", "the running executable".as_ref()))?;
    folder.pop();
    if folder.ends_with("deps") || folder.ends_with("examples") {
        folder.pop();
    }
    Ok(folder)
}

/// Cargo's target folder: for files that outlive one run but not `cargo clean`.
///
/// # Errors
/// If the system does not know the running executable.
pub fn target_folder() -> Result<PathBuf, ToolsError> {
    let mut folder = profile_folder()?;
    folder.pop();
    Ok(folder)
}
