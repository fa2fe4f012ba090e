//! The production reconcile against the simulator's `Account`, in this process: every mode, every promise, most failures. No network, no clock.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by failing")]

mod anycast;
mod attached;
mod claims;
mod clock;
mod codes;
mod crash;
mod deletion;
mod doubts;
mod drift;
mod drift_backoff;
mod elements;
mod errors;
mod failures;
mod frugality;
mod installations;
mod inventory;
mod lag;
mod manage;
mod members;
mod modes;
mod neighbours;
mod odd;
mod orphans;
mod ownership;
mod pace;
mod ports;
mod proofs;
mod properties;
mod restored;
mod sentences;
mod stale;
mod states;
mod table;
mod unstated;
mod view;
mod world;
