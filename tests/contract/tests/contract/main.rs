//! The contract on two targets, and the program that checks it on the third, against the simulator.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by failing")]

mod account;
mod aws_contract;
mod doubts;
mod http;

use contract::suite::{Finding, life};
use contract::target::Target;

/// Every sentence about the life of one group holds.
async fn lives(target: &impl Target) {
    let broken = life::live(target, |_| ()).await.into_iter().filter(|finding| finding.verdict.is_err());
    assert_eq!(broken.collect::<Vec<Finding>>(), []);
}
