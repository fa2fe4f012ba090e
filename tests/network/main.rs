//! The operator's binary in the networks that people have: behind proxies that ask for a password or inspect TLS, and behind a NAT that forgets idle
//! connections. Also with IPv6 alone, and with credentials that are replaced while it runs.
//!
//! The API server and the proxies are real, and the simulator stands in for CloudFront. All tests share one control plane, each in a namespace of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by failing")]

mod certificates;
mod check;
mod families;
mod idle;
mod proxies;
mod refused;
mod region;
mod rotation;
mod steps;
