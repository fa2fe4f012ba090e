//! Ensures that work can be stopped between two calls, and never within one. In: work, and what may interrupt it. Out: how it ended.
//!
//! If a call is dropped in the middle, it is unknown whether it took effect. So each call passes the [`Gate`]; an interruption shuts it, waits for the
//! calls in flight, and only then stops the work.

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::FutureExt;
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};

/// The gate that all calls pass; it also remembers whether there may be a group.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    calls: Arc<RwLock<()>>,
    group: Arc<AtomicBool>,
}

/// While it lives, no call passes.
#[derive(Debug)]
pub struct Shut {
    _calls: OwnedRwLockWriteGuard<()>,
}

impl Gate {
    /// Makes a call, unless the gate is shut: then this never returns.
    pub async fn pass<T>(&self, call: impl Future<Output = T>) -> T {
        let _open = self.calls.read().await;
        call.await
    }

    /// Lets the calls in flight end, and no other begin.
    pub async fn shut(&self) -> Shut {
        Shut { _calls: self.calls.clone().write_owned().await }
    }

    /// A group is about to be created.
    pub fn group_comes(&self) {
        self.group.store(true, Ordering::SeqCst);
    }

    /// There is certainly no group.
    pub fn group_is_gone(&self) {
        self.group.store(false, Ordering::SeqCst);
    }

    /// Whether there is a group, or may be one later.
    #[must_use]
    pub fn may_have_group(&self) -> bool {
        self.group.load(Ordering::SeqCst)
    }
}

/// How work ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended<T> {
    /// By itself.
    With(T),
    /// Because of an interruption.
    Interrupted,
    /// By a bug in this program; the panic's message has been printed.
    Panicked,
}

/// Carries `work` out until it ends, panics or is interrupted. In each case no call is in flight afterwards.
pub async fn guarded<T>(
    gate: &Gate,
    work: impl Future<Output = T>,
    interruption: impl Future<Output = ()>,
) -> Ended<T> {
    let interrupted = async {
        interruption.await;
        gate.shut().await
    };
    tokio::select! {
        ended = AssertUnwindSafe(work).catch_unwind() => ended.map_or(Ended::Panicked, Ended::With),
        _shut = interrupted => Ended::Interrupted,
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_that_panics_ends_without_ending_the_program() {
        let work = async { panic!("a mistake") };
        assert_eq!(guarded::<()>(&Gate::default(), work, pending()).await, Ended::Panicked);
    }

    #[tokio::test]
    async fn an_interruption_waits_for_the_call_in_flight_and_lets_no_other_begin() {
        let gate = Gate::default();
        let (answer, answered) = oneshot::channel();
        let (interrupt, interrupted) = oneshot::channel();
        let mut first_call_ended = false;
        let work = async {
            gate.pass(async {
                interrupt.send(()).unwrap();
                answered.await.unwrap();
            })
            .await;
            first_call_ended = true;
            gate.pass(async { panic!("a call began after the interruption") }).await;
        };
        let interruption = async {
            interrupted.await.unwrap();
            tokio::spawn(async { answer.send(()) });
        };
        assert_eq!(guarded::<()>(&gate, work, interruption).await, Ended::Interrupted);
        assert!(first_call_ended);
    }

    #[tokio::test]
    async fn undisturbed_work_ends_with_its_result() {
        assert_eq!(guarded(&Gate::default(), ready(7), pending()).await, Ended::With(7));
    }
}
