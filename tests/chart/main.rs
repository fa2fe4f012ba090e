//! The chart in a real kube-apiserver, installed by Helm: what it grants, what it guards, and the operator with its permissions.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by failing")]

mod check;
mod guards;
mod manifests;
mod release;
mod rights;
mod teams;
mod umbrella;
mod upgrade;
