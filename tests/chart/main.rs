//! The chart in a real kube-apiserver, installed by helm: what it grants, what it guards, and the operator under its rights.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by failing")]

mod guards;
mod manifests;
mod release;
mod rights;
mod upgrade;
