//! An operator that reconciles `ConnectionGroup` objects to Amazon CloudFront connection groups.
//!
//! A connection group serves thousands of customer domains. The priorities, in this order: never touch what is not ours, never take traffic down unless
//! asked, never lose or duplicate a group in a crash, never get stuck, never go blind; then be fast and make few calls.
//!
//! Dependencies point one way. What each module may import is in a table (docs/design.md, The parts); a test reads the imports
//! (`tests/documents/imports.rs`).
//!
//! - [`api`]: the custom resource. Pure data, with defaults and validation rules in the schema.
//! - [`cloudfront`]: the port, the names of all error codes, and the call queue with its rate limit; in `cloudfront::sdk`, the adapter over the AWS SDK.
//! - [`reconcile`]: one reconcile, as a function of (object, state, inputs) that returns an outcome. Each step is a file or a folder: `desired` -> `observe`
//!   -> `plan` -> `freshness` and `execute` -> `report`. It has no Kubernetes client, so that a test can run the production code through every interleaving.
//!   In `reconcile::due`: when an object is due.
//! - [`account`]: what belongs to one AWS account. In `account::inventory`: one List of all groups, every minute by default, instead of a poll for each
//!   object; it wakes the objects that it shows to be out of date. In `account::orphans`: groups with our owner tag that no object manages; reported, never
//!   deleted.
//! - [`leadership`]: at most one active replica: the Lease, the clock of the leadership term, and the fence that stops a former leader.
//! - [`controller`]: Kubernetes. Applies an outcome: finalizer, status, events, requeue, metrics.
//! - [`telemetry`]: log lines, and optional traces.
//! - [`check`]: what an installation needs, checked once.
//! - [`network`]: proxies, trusted authorities and HTTP clients, as the environment asks for them.
//! - [`cli`]: the command line. [`flag_values`]: values of flags that several modules have.
//! - [`clock`]: the time, as a parameter.
//! - [`bugs`]: deliberate bugs, which the model check must catch; not compiled into releases.
//!
//! The main rules:
//!
//! - The owner tag `cloudfront.kube-operators.dev/owner`, sent inside Create and read in the same reconcile as any mutation, is the only authority on
//!   ownership. Status is a cache: it may be forged, stale or lost.
//! - A reconcile makes at most one mutation; an update or a Delete has If-Match from its own read. If CloudFront says that this version is outdated, the
//!   group is read again.
//! - If a Create is refused because the name exists or a quota is used up, our own earlier Create may have succeeded: read first, then decide.
//! - A group counts as deleted, so that the finalizer may be removed, only after two proofs. Get says that it is gone, and a complete inventory does not show
//!   it. That inventory began after our last write, and after the time in which an abandoned Create may still take effect.
//! - If an inventory newer than our last write shows the id and `ETag` of the last full read, only the deployment status can have changed, so no call is
//!   made. One exception: a deletion that waits for the roll-out of its disabled group reads the group's tenants.
//! - The SDK's retries are off: every attempt goes through the call queue, and the reconcile decides about the next one.

#[macro_use]
pub mod bugs;

pub mod account;
pub mod api;
pub mod check;
pub mod cli;
pub mod clock;
pub mod cloudfront;
pub mod controller;
pub mod flag_values;
pub mod leadership;
pub mod network;
pub mod reconcile;
pub mod telemetry;
