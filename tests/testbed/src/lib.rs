//! A test bed on one bare machine: a real Kubernetes control plane, the simulator and the operator, all as child processes.
//! In: the workspace's built binaries and the pinned Go tools. Out: handles that stop what they started. Talks to all of them.
//!
//! ```no_run
//! use std::time::Duration;
//! use testbed::{Testbed, wait_until};
//!
//! # async fn a_group_comes_to_be() -> testbed::Result<()> {
//! let bed = Testbed::start(["--propagation", "1s"]).await?;
//! let mut operator = bed.operator().args(["--inventory-interval", "1s"]).start().await?;
//! let (version, kind) = ("cloudfront.kube-operators.dev/v1alpha1", "ConnectionGroup");
//! bed.apply(&format!("{{apiVersion: {version}, kind: {kind}, metadata: {{name: edge}}, spec: {{}}}}")).await?;
//! wait_until(Duration::from_secs(10), "a group at CloudFront", async || match bed.simulator.admin.group("edge").await {
//!     Ok(Some(group)) => Ok(group),
//!     other => Err(format!("{other:?}")),
//! })
//! .await?;
//! operator.kill().await?;
//! operator.restart().await?;
//! # Ok(())
//! # }
//! ```
#![expect(clippy::missing_errors_doc, reason = "every error of this crate is a sentence that explains itself")]

pub mod admin;
mod bed;
mod binaries;
mod control_plane;
mod error;
mod forward_proxy;
mod operator;
mod port;
mod process;
mod proxy;
mod random;
mod run_folder;
mod simulator;
mod wait;

pub use bed::Testbed;
pub use binaries::find;
pub use control_plane::{Audited, ControlPlane, client, repository};
pub use error::{Error, Result};
pub use forward_proxy::{Authority, ForwardProxy};
pub use operator::{Operator, OperatorBuilder};
pub use port::free as free_port;
pub use process::{Launch, Process, Signal};
pub use proxy::Proxy;
pub use run_folder::RunFolder;
pub use simulator::Simulator;
pub use tools::{Tool, Tools};
pub use wait::{wait_for, wait_gone, wait_until};
