//! What the simulator promises, seen from outside: the account as a state machine, and the server over HTTP.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod account;
mod admin_path;
mod endpoint;
mod faults;
mod groups;
mod groups_undocumented;
mod lags;
mod lists_and_tenants;
mod outside;
mod readme;
mod tags;
mod wire;
