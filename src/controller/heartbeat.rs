//! Whether this process still makes progress. In: heartbeats of the task that drives the controllers, and the calls in flight. Out: what is stuck, if
//! anything is. Does no I/O.
//!
//! The health server runs in its own task, and would answer even if the controllers hung forever. A reconcile is not timed as a whole, because its waits are
//! bounded elsewhere: requests to the API server by the client's timeouts, calls to CloudFront by theirs, which is checked here as well. The wait for the
//! rate limit has no bound and is no reason for a restart, which would only prolong it.

use std::{convert::Infallible, future::Future, time::Duration};

use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use crate::{cloudfront::Operation, leadership::fence::Fence};

const INTERVAL: Duration = Duration::from_secs(1);

/// After this long without a heartbeat, only a restart can help.
const LOST_AFTER: Duration = Duration::from_secs(30);

/// A call that exceeds its timeout by this much can only be stuck.
const STUCK_AFTER: Duration = Duration::from_mins(2);

/// The heartbeat of the controllers.
pub struct Heartbeat {
    last: Mutex<Instant>,
    fence: Fence,
    call_timeout: Duration,
}

/// What is stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stuck {
    /// Nothing is reconciled.
    #[error("the controllers have stood still for {} s", .0.as_secs())]
    Controllers(Duration),
    /// One object is no longer reconciled.
    #[error("a call of {operation} has been in flight for {} s, which is far beyond its time-out", .age.as_secs())]
    Call {
        /// The operation of the call.
        operation: Operation,
        /// How long it has been in flight.
        age: Duration,
    },
}

impl Heartbeat {
    /// The first heartbeat is now.
    pub fn new(fence: Fence, call_timeout: Duration) -> Self {
        Self { last: Mutex::new(Instant::now()), fence, call_timeout }
    }

    /// Does this work, with heartbeats for as long as the task that awaits it makes progress: work that blocks the task stops the heartbeat as well.
    pub async fn beside<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            done = work => done,
            never = self.beat() => match never {},
        }
    }

    async fn beat(&self) -> Infallible {
        loop {
            *self.last.lock() = Instant::now();
            sleep(INTERVAL).await;
        }
    }

    /// What has been stuck for so long that only a restart can help.
    pub fn stuck(&self) -> Option<Stuck> {
        let silence = self.last.lock().elapsed();
        let longest = self.call_timeout.saturating_add(STUCK_AFTER);
        let call = self.fence.oldest_call().filter(|(_, age)| *age > longest);
        let controllers = Some(silence).filter(|age| *age > LOST_AFTER).map(Stuck::Controllers);
        controllers.or_else(|| call.map(|(operation, age)| Stuck::Call { operation, age }))
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures::FutureExt;
    use tokio::time::advance;

    use super::*;

    const CALL_TIMEOUT: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_task_that_hangs_is_detected_and_a_running_one_is_not() {
        let pulse = Heartbeat::new(Fence::default(), CALL_TIMEOUT);
        let mut work = Box::pin(pulse.beside(pending::<()>()));
        for _ in 0..100 {
            assert!(work.as_mut().now_or_never().is_none());
            assert_eq!(pulse.stuck(), None);
            advance(INTERVAL).await;
        }
        // The task is no longer polled, while the other tasks of the process continue.
        for _ in 0..40 {
            advance(INTERVAL).await;
            tokio::task::yield_now().await;
        }
        assert!(matches!(pulse.stuck(), Some(Stuck::Controllers(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_never_ends_is_detected_although_the_controllers_run() {
        let fence = Fence::default();
        fence.open();
        let pulse = Heartbeat::new(fence.clone(), CALL_TIMEOUT);
        let mut beats = Box::pin(pulse.beside(pending::<()>()));
        let operation = Operation::GetConnectionGroup;
        let ((), call) = fence.scope().begin(operation, std::future::ready(())).await;
        let (mut elapsed, longest) = (Duration::ZERO, CALL_TIMEOUT + STUCK_AFTER);
        while elapsed <= longest {
            assert!(beats.as_mut().now_or_never().is_none());
            assert_eq!(pulse.stuck(), None);
            advance(INTERVAL).await;
            elapsed += INTERVAL;
        }
        assert!(beats.as_mut().now_or_never().is_none());
        assert_eq!(pulse.stuck(), Some(Stuck::Call { operation, age: elapsed }));
        drop(call);
        assert_eq!(pulse.stuck(), None);
    }
}
