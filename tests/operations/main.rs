//! What an administrator does: the steps of the documents, run as they are written, and what can go wrong with an installation.
//!
//! Commands are taken from `docs/`, so a step that no longer works fails here. kubectl and Helm are real, against a real kube-apiserver; no Pods run,
//! so the operator is a process that is started with what Helm wrote into the Deployment. `terraform` only records how it was called.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by failing")]

mod cluster;
mod credentials;
mod document;
mod emergency;
mod gitops;
mod identity;
mod install;
mod migrate;
mod mistakes;
mod on_call;
mod policy;
mod recovery;
mod rights;
mod schema;
mod uninstall;
mod usage;
