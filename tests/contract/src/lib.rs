//! The contract of the port to CloudFront: what the operator relies on, as sentences that a target keeps or breaks.
//!
//! - [`suite`] holds the sentences. They use nothing but the port, and rely on nothing that AWS does not document.
//! - [`switches`] asks a target what it does where AWS is silent: one answer for each switch of the simulator.
//! - [`guard`] and [`clean_up`] ensure that nothing is left behind.
//!
//! Three targets: the simulator's `Account` in this process, the simulator over HTTP through the operator's own adapter, and AWS. The first two are
//! tests; AWS is the program `aws-contract`, which asks for confirmation first.

pub mod clean_up;
pub mod cloud;
pub mod guard;
pub mod suite;
pub mod switches;
pub mod target;
