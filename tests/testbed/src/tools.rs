//! The control plane's binaries. In: `KUBEBUILDER_ASSETS`, or the pinned Go modules of `tools/go.mod`. Out: a folder with
//! etcd, kube-apiserver, kube-controller-manager, kubectl and Helm. Talks to the file system, and builds with Go what is not built yet.

mod build;

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The variable with which controller-runtime's envtest finds prebuilt binaries, too.
const ASSETS: &str = "KUBEBUILDER_ASSETS";

/// A program of the Go modules that `tools/go.mod` pins.
struct Tool {
    name: &'static str,
    package: &'static str,
}

/// Everything that is built. A new entry needs a `tool` line in `tools/go.mod`.
const TOOLS: [Tool; 5] = [
    Tool { name: "etcd", package: "go.etcd.io/etcd/server/v3" },
    Tool { name: "kube-apiserver", package: "k8s.io/kubernetes/cmd/kube-apiserver" },
    Tool { name: "kube-controller-manager", package: "k8s.io/kubernetes/cmd/kube-controller-manager" },
    Tool { name: "kubectl", package: "k8s.io/kubernetes/cmd/kubectl" },
    Tool { name: "helm", package: "helm.sh/helm/v4/cmd/helm" },
];

/// Why the binaries are not available.
#[derive(Debug, thiserror::Error)]
pub enum ToolsError {
    /// `KUBEBUILDER_ASSETS` names a folder that does not hold all of them.
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
        /// The version that `tools/go.mod` demands.
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
}

/// A folder that holds all the binaries.
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

    pub(crate) fn etcd(&self) -> PathBuf {
        self.folder.join("etcd")
    }

    pub(crate) fn kube_apiserver(&self) -> PathBuf {
        self.folder.join("kube-apiserver")
    }

    pub(crate) fn controller_manager(&self) -> PathBuf {
        self.folder.join("kube-controller-manager")
    }

    /// kubectl of the same version as kube-apiserver; one found on the host may be older, or a wrapper.
    #[must_use]
    pub fn kubectl(&self) -> PathBuf {
        self.folder.join("kubectl")
    }

    /// Helm, for the chart.
    #[must_use]
    pub fn helm(&self) -> PathBuf {
        self.folder.join("helm")
    }
}

/// The binaries: those of `KUBEBUILDER_ASSETS` if it is set, else built once, which takes minutes and reports its progress on stderr.
pub fn ensure() -> Result<Tools> {
    match std::env::var_os(ASSETS).filter(|value| !value.is_empty()) {
        Some(folder) => given(PathBuf::from(folder)),
        None => build::ensure(),
    }
}

fn given(folder: PathBuf) -> Result<Tools> {
    let missing: Vec<_> = TOOLS.iter().map(|tool| tool.name).filter(|name| !folder.join(name).is_file()).collect();
    if missing.is_empty() {
        return Ok(Tools { folder });
    }
    Err(Error::Tools(ToolsError::Assets { folder, missing: missing.join(", no ") }))
}
