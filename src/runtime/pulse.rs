//! Whether the controllers still turn. In: beats, from the task that drives them. Out: how long ago the last one was. Talks to nobody.
//!
//! The health server runs in tasks of its own, and would answer although that task stands still for good.

use std::{
    convert::Infallible,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep};

const INTERVAL: Duration = Duration::from_secs(1);

/// After that long without a beat only a new start can help.
const LOST_AFTER: Duration = Duration::from_secs(30);

/// The pulse of one task.
pub struct Pulse(Mutex<Instant>);

impl Pulse {
    /// Counts from now.
    pub fn new() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    /// Beats for as long as the task that awaits it turns.
    pub async fn beat(&self) -> Infallible {
        loop {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            sleep(INTERVAL).await;
        }
    }

    /// How long there has been no beat, if that is too long.
    pub fn lost(&self) -> Option<Duration> {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(last.elapsed()).filter(|age| *age > LOST_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_stands_still_is_noticed_and_one_that_turns_is_not() {
        let pulse = Pulse::new();
        let mut beats = Box::pin(pulse.beat());
        for _ in 0..100 {
            assert!(beats.as_mut().now_or_never().is_none());
            assert_eq!(pulse.lost(), None);
            advance(INTERVAL).await;
        }
        advance(LOST_AFTER + INTERVAL).await;
        assert!(pulse.lost().is_some());
    }
}
