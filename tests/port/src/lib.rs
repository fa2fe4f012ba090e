//! The operator's port to CloudFront, for tests.
//!
//! - [`Call`] and [`Answer`] are the port as values; [`AnsweredBy`] is the one implementation of the trait that tests share: anything that answers a
//!   [`Call`] is a port.
//! - [`InProcess`] is the simulator's `Account` with faults injected by the test. It is reached directly, which is fast, or through the production
//!   adapter, whose requests are decoded and answered in this process as the simulator does over HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by failing")]
#![expect(clippy::missing_panics_doc, reason = "nothing panics unless a test is wrong")]

mod account;
mod adapter;
mod call;
mod codes;
mod direct;
mod fault;
mod plan;

use std::{
    pin::pin,
    sync::LazyLock,
    task::{Context, Poll, Waker},
};

use tokio::runtime::{Builder, Runtime};

pub use account::{InProcess, Way};
pub use call::{Answer, AnsweredBy, Answering, Call};
pub use codes::CODES;
pub use fault::{Fault, LeftOut};
pub use plan::PlanName;

/// Runs a future that waits for nothing but the effects of its own polls.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    // The adapter sets timers, though none of them is waited for.
    static TIMERS: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a clock needs no resources"));
    let _entered = TIMERS.enter();
    let mut context = Context::from_waker(Waker::noop());
    let mut future = pin!(future);
    for _ in 0..POLLS {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
    panic!("the reconcile waited for something other than the port")
}

/// Each call of the adapter takes a few; a reconcile makes a handful of calls, a list as many as there are pages.
const POLLS: u32 = 10_000;
