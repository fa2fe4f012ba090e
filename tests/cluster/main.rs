//! The operator's own binary between a real kube-apiserver and the simulator: what only the real components can prove.
//!
//! All tests share one control plane, each in a namespace of its own with its own simulator and operator. Only a test that stops the API
//! server or changes the CRD starts a control plane for itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by failing")]

mod cli;
mod credentials;
mod ending;
mod health;
mod interference;
mod journal;
mod kill_points;
mod kill_writes;
mod large;
mod leader;
mod lifecycle;
mod logs;
mod managers;
mod many;
mod members;
mod memory;
mod metrics;
mod namespaces;
mod queue;
mod ratios;
mod relay;
mod resource;
mod restarts;
mod schema;
mod scrape;
mod steps;
mod traces;
mod trouble;
mod view;
