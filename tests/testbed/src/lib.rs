//! A test bed on one bare machine: a real Kubernetes control plane, the simulator and the operator, all as child processes.
//! In: the workspace's built binaries and the pinned Go tools. Out: handles that end what they started. Talks to all of them.
#![expect(clippy::missing_errors_doc, reason = "every error of this crate is a sentence that explains itself")]

pub mod admin;
mod bed;
mod binaries;
mod control_plane;
mod error;
mod operator;
mod port;
mod process;
mod random;
mod run_folder;
mod simulator;
pub mod tools;
mod wait;

pub use bed::Testbed;
pub use binaries::find;
pub use control_plane::ControlPlane;
pub use error::{Error, Result};
pub use operator::{Operator, OperatorBuilder};
pub use process::{Launch, Process, Signal};
pub use run_folder::RunFolder;
pub use simulator::Simulator;
pub use wait::{wait_for, wait_gone, wait_until};
