//! The right to act. Who leads extends it; without it no call leaves this process. Tells the time, talks to nobody.
//!
//! A leader that stood still (a frozen process, an API server that did not answer) must not go on as if no time had passed: another process may
//! lead by then. So the right ends by itself, and is looked at just before a call is sent and again before its answer is used.

use std::{
    future::pending,
    sync::{Arc, Mutex, PoisonError},
};

use aws_sdk_cloudfront::config::{
    ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::box_error::BoxError;
use tokio::time::Instant;

/// The right to act, shared by everything that acts.
#[derive(Clone, Debug, Default)]
pub struct Fence(Arc<Mutex<Right>>);

/// Why a request was not sent.
#[derive(Debug, thiserror::Error)]
#[error("not sent: this process does not lead")]
pub struct Closed;

#[derive(Clone, Copy, Debug, Default)]
enum Right {
    #[default]
    None,
    Until(Instant),
    Always,
}

impl Fence {
    /// For a process that shares its work with no other.
    pub fn open(&self) {
        self.set(Right::Always);
    }

    /// For a leader, until then.
    pub fn extend(&self, until: Instant) {
        self.set(Right::Until(until));
    }

    /// For good, or until it is opened or extended anew.
    pub fn close(&self) {
        self.set(Right::None);
    }

    /// Returns at once while the right lasts. Else never: whoever waits here has nothing left to do, and the process is about to end.
    pub async fn pass(&self) {
        if !self.is_open() {
            pending::<()>().await;
        }
    }

    /// Whether the right lasts.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Right::None => false,
            Right::Until(end) => Instant::now() < end,
            Right::Always => true,
        }
    }

    fn set(&self, right: Right) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = right;
    }
}

/// Credentials may have taken long to come; this is the last step before a call leaves.
impl Intercept for Fence {
    fn name(&self) -> &'static str {
        "Fence"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.is_open() { Ok(()) } else { Err(Closed.into()) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_right_to_act_is_given_extended_and_ends_by_itself() {
        let fence = Fence::default();
        assert!(fence.pass().now_or_never().is_none());
        fence.extend(Instant::now() + Duration::from_secs(10));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(fence.pass().now_or_never().is_some());
        fence.extend(Instant::now() + Duration::from_secs(10));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(fence.pass().now_or_never().is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(fence.pass().now_or_never().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn without_others_it_never_ends() {
        let fence = Fence::default();
        fence.open();
        tokio::time::advance(Duration::from_hours(24 * 365)).await;
        assert!(fence.pass().now_or_never().is_some());
    }
}
