//! An operator that keeps Amazon CloudFront connection groups as their `ConnectionGroup` objects say.
//!
//! A connection group is the front door of thousands of customer domains. So, in this order: never touch what is not ours, never take
//! traffic down unasked, never lose or duplicate a group in a crash, never wedge, never go blind; then fast and frugal.
//!
//! Arrows point one way: `main -> cli -> runtime -> {due, sweep, orphans} -> reconcile -> {api, cloudfront}`.
//!
//! - [`api`]: the custom resource. Pure data, with defaults and rules in the schema.
//! - [`reconcile`]: one reconcile, as a function of (object, state, inputs) that returns an outcome. Its steps are files:
//!   `desired` -> `observe` -> `plan` -> `execute` -> `report`. It knows no Kubernetes client, so that a test can run the shipping code through every
//!   interleaving.
//! - [`cloudfront`]: the port, its adapter over the AWS SDK, the names of all error codes, and the call budget.
//! - [`sweep`]: one List of the account every minute instead of a poll for each object; wakes what changed.
//! - [`due`]: what else makes an object due for a pass: its last outcome, and what people ask of it.
//! - [`orphans`]: groups with our owner tag that no object names; reported, never deleted.
//! - [`runtime`]: Kubernetes. Carries an outcome out: finalizer, status, events, requeue, metrics.
//! - [`telemetry`]: log lines, and traces for those who ask.
//!
//! What holds it together:
//!
//! - The owner tag `cloudfront.kube-operators.dev/owner`, sent inside Create and read in the same pass as any mutation, is the only
//!   authority about ownership. Status is a cache: it may be forged, stale or lost.
//! - A pass makes at most one mutation, with If-Match from its own read. A version that CloudFront calls outdated is read anew.
//! - A Create that is refused because the name exists, or because a quota is used up, may hide our own earlier Create: look, then decide.
//! - The finalizer goes only after two proofs that the group is gone: Get says so, and a complete list begun after our last write, and after
//!   the time in which a given-up Create may still land, does not show it.
//! - Where a list newer than our last write shows the id and `ETag` of the last full read, only the deployment status can have changed:
//!   no call is made.
//! - The SDK's retries are off: every attempt passes the budget, and the reconcile decides about the next.

#[macro_use]
pub mod bugs;

pub mod api;
pub mod cli;
pub mod clock;
pub mod cloudfront;
pub mod due;
pub mod orphans;
pub mod reconcile;
pub mod runtime;
pub mod sweep;
pub mod telemetry;
