//! The shipping reconcile, explored exhaustively: every order of calls, edits, outside changes, propagation, faults and crashes within the
//! bounds of a scenario. `explore` is the engine, `actions` what can happen, `properties` and `convergence` what must hold whatever happens.

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

/// States are millions of small pieces, and the system's own allocator takes a third of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
