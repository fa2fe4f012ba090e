//! Explores the production reconcile exhaustively: every order of calls, edits, out-of-band changes, propagation, faults and crashes within the bounds of a
//! scenario. `explore` is the engine, `actions` is what can happen, and `properties` and `convergence` are what must always hold.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by failing")]

mod account;
mod actions;
mod bugs;
mod canon;
mod checker;
mod classes;
mod convergence;
mod explorations;
mod explore;
mod goal;
mod outside;
mod passes;
mod people;
mod plans;
mod properties;
mod ready;
mod records;
mod replay;
mod reviewed;
mod rounds;
mod scenarios;
mod seen;
mod state;
mod story;

/// States consist of millions of small allocations; the system allocator would take a third of the run time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
