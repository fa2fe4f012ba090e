//! What can go wrong while a test bed is set up or used, each as a sentence that says where to find details. Pure.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Every failure of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
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
    /// A binary of this workspace is not where cargo puts it.
    #[error("{} is not built: run `cargo build --workspace` first", .0.display())]
    NotBuilt(PathBuf),
    /// The control plane's binaries are not available.
    #[error(transparent)]
    Tools(#[from] tools::ToolsError),
    /// A child process could not be started.
    #[error("cannot start {name}: {reason}")]
    Start {
        /// Which child.
        name: String,
        /// The error message of the system or the guard.
        reason: String,
    },
    /// A child ended, or never became ready; its log says why.
    #[error("{name} {what}; its log: {}\n{tail}", log.display())]
    Unready {
        /// Which child.
        name: String,
        /// What happened instead.
        what: String,
        /// The whole log.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// A signal could not be sent.
    #[error("cannot send {signal} to {name}: {source}")]
    Signal {
        /// Which child.
        name: String,
        /// Which signal.
        signal: nix::sys::signal::Signal,
        /// The error message of the system.
        source: nix::Error,
    },
    /// A condition did not come true in time.
    #[error("waited {waited:?} for {what}; last seen: {seen}")]
    Timeout {
        /// How long.
        waited: Duration,
        /// For what.
        what: String,
        /// What was observed instead.
        seen: String,
    },
    /// A command such as kubectl failed.
    #[error("`{command}` failed: {stderr}")]
    Command {
        /// The command line.
        command: String,
        /// Its output.
        stderr: String,
    },
    /// The Kubernetes client failed.
    #[error("Kubernetes client: {0}")]
    Kube(Box<kube::Error>),
    /// The kubeconfig we wrote was refused.
    #[error("kubeconfig: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// Keys or certificates could not be made.
    #[error("keys and certificates: {0}")]
    Certificates(#[from] rcgen::Error),
    /// The simulator's admin path refused.
    #[error(transparent)]
    Admin(#[from] crate::admin::Error),
    /// An HTTP call to a child failed.
    #[error("HTTP: {0}")]
    Http(#[from] reqwest::Error),
}

/// Short for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Kube(Box::new(error))
    }
}

impl Error {
    /// For `map_err` on file operations.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
