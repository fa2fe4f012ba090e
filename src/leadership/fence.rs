//! Fencing: whether calls may be made. In: how long this process has the right to act, and whether it is shutting down. Out: a decision just before each call
//! is sent, and again before its answer is used. Reads the clock; does no I/O.
//!
//! Two rules:
//! - A leader that made no progress (a frozen process, an API server that did not answer) must not continue as if no time had passed: another process may be
//!   the leader by then. So the right to act expires by itself.
//! - Once the process is draining, no change is started. A reconcile that has already sent a change may still read what it needs to report it; any other
//!   starts no call at all.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::{Future, pending},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aws_sdk_cloudfront::config::{
    ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::{box_error::BoxError, client::orchestrator::Metadata};
use parking_lot::{Mutex, MutexGuard};
use tokio::{
    sync::{SetOnce, watch},
    time::Instant,
};

use crate::cloudfront::Operation;

/// The right to act, shared by everything that acts.
#[derive(Clone, Debug)]
pub struct Fence {
    state: watch::Sender<State>,
    calls: Arc<Calls>,
}

/// Why a request was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// Another process may act now.
    #[error("not sent: this process does not hold the right to act")]
    NotLeading,
    /// The process is shutting down.
    #[error("not sent: this process is shutting down")]
    Draining,
}

#[derive(Clone, Copy, Debug)]
struct State {
    right: Right,
    phase: Phase,
}

#[derive(Clone, Copy, Debug)]
enum Right {
    None,
    Until(Instant),
    Always,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Draining,
}

impl Right {
    fn lasts(self) -> bool {
        match self {
            Self::None => false,
            Self::Until(end) => Instant::now() < end,
            Self::Always => true,
        }
    }
}

/// The calls in flight.
#[derive(Debug, Default)]
struct Calls(Mutex<Numbered>);

#[derive(Debug, Default)]
struct Numbered {
    begun: u64,
    in_flight: BTreeMap<u64, (Operation, Instant)>,
}

impl Calls {
    fn lock(&self) -> MutexGuard<'_, Numbered> {
        self.0.lock()
    }
}

impl Default for Fence {
    fn default() -> Self {
        let state = State { right: Right::None, phase: Phase::Running };
        Self { state: watch::Sender::new(state), calls: Arc::default() }
    }
}

impl Fence {
    /// Grants the right to act without an end, to a process without leader election.
    pub fn open(&self) {
        self.grant(Right::Always);
    }

    /// Grants the right to act until then, to a leader.
    pub fn extend(&self, until: Instant) {
        self.grant(Right::Until(until));
    }

    /// Withdraws the right to act, until it is granted again.
    pub fn close(&self) {
        self.grant(Right::None);
    }

    /// From now on no change is started.
    pub fn drain(&self) {
        self.state.send_modify(|state| state.phase = Phase::Draining);
    }

    /// Whether the process is draining, so that no change may be started.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.state.borrow().phase == Phase::Draining
    }

    /// Waits until the process is draining, so that no change may be started.
    pub async fn draining(&self) {
        self.until(|state| state.phase == Phase::Draining).await;
    }

    /// Waits for the right to act: returns at once if it lasts, otherwise as soon as it is granted again.
    pub async fn pass(&self) {
        self.until(|state| state.right.lasts()).await;
    }

    /// Whether this process may still act.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state.borrow().right.lasts()
    }

    /// Whether a call may be sent now.
    ///
    /// # Errors
    /// Why it may not.
    pub fn admits(&self, operation: Operation) -> Result<(), NotSent> {
        let State { right, phase } = *self.state.borrow();
        match phase {
            _ if !right.lasts() => Err(NotSent::NotLeading),
            Phase::Draining if operation.is_mutation() => Err(NotSent::Draining),
            Phase::Draining | Phase::Running => Ok(()),
        }
    }

    /// A scope for the calls of one reconcile, or of anything else that ends as a whole.
    #[must_use]
    pub fn scope(&self) -> CallScope {
        CallScope(Arc::new(Scoped { fence: self.clone(), changed: AtomicBool::new(false), abandoned: SetOnce::new() }))
    }

    /// The call that has been in flight for the longest time.
    #[must_use]
    pub fn oldest_call(&self) -> Option<(Operation, Duration)> {
        let calls = self.calls.lock();
        calls.in_flight.values().map(|(operation, began)| (*operation, began.elapsed())).max_by_key(|(_, age)| *age)
    }

    /// Whether the call may be sent now, as the last step before that: credentials may have taken long to arrive.
    fn admits_call(&self, bag: &ConfigBag) -> Result<(), NotSent> {
        let name = bag.load::<Metadata>().map(Metadata::name);
        // An unknown call is treated as a change.
        let operation = Operation::ALL.iter().copied().find(|operation| Some(operation.as_str()) == name);
        self.admits(operation.unwrap_or(Operation::DeleteConnectionGroup))
    }

    fn grant(&self, right: Right) {
        self.state.send_modify(|state| state.right = right);
    }

    async fn until(&self, met: impl Fn(&State) -> bool) {
        // It fails only without a sender, and `self` has one.
        if self.state.subscribe().wait_for(|state| met(state)).await.is_err() {
            pending::<()>().await;
        }
    }
}

/// The calls of one reconcile. If one of them is not started, the reconcile has nothing to report, and its caller drops it.
#[derive(Clone, Debug)]
pub struct CallScope(Arc<Scoped>);

#[derive(Debug)]
struct Scoped {
    fence: Fence,
    /// Whether a change has been started, whose answer must be used.
    changed: AtomicBool,
    abandoned: SetOnce<()>,
}

/// A call in flight, until it is dropped.
#[derive(Debug)]
pub struct InFlight {
    calls: Arc<Calls>,
    number: u64,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.calls.lock().in_flight.remove(&self.number);
    }
}

impl CallScope {
    /// Waits for `turn` and for the right to act, and starts a call. Never returns if the call must not be started: then the scope is abandoned.
    pub async fn begin<T>(&self, operation: Operation, turn: impl Future<Output = T>) -> (T, InFlight) {
        let Scoped { fence, changed, abandoned: _ } = &*self.0;
        let nothing_begun = async {
            fence.draining().await;
            if changed.load(Ordering::SeqCst) {
                pending::<()>().await;
            }
        };
        let turn = tokio::select! {
            biased;
            () = nothing_begun => match self.abandon().await {},
            turn = async { (turn.await, fence.pass().await).0 } => turn,
        };
        if operation.is_mutation() {
            if fence.is_draining() {
                match self.abandon().await {}
            }
            changed.store(true, Ordering::SeqCst);
        }
        let mut calls = fence.calls.lock();
        let number = calls.begun;
        calls.begun = number.wrapping_add(1);
        calls.in_flight.insert(number, (operation, Instant::now()));
        (turn, InFlight { calls: Arc::clone(&fence.calls), number })
    }

    /// Abandons the scope; never returns.
    pub async fn abandon(&self) -> Infallible {
        // It may have been abandoned already.
        let _ = self.0.abandoned.set(());
        pending().await
    }

    /// Waits until the scope is abandoned, because a call was not started.
    pub async fn abandoned(&self) {
        self.0.abandoned.wait().await;
    }
}

/// The last check before a call is sent.
impl Intercept for Fence {
    fn name(&self) -> &'static str {
        "Fence"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        Ok(self.admits_call(bag)?)
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudfront::config::Layer;
    use futures::{FutureExt, poll};

    use super::*;

    const READ: Operation = Operation::GetConnectionGroup;
    const CHANGE: Operation = Operation::UpdateConnectionGroup;

    fn open() -> Fence {
        let fence = Fence::default();
        fence.open();
        fence
    }

    fn now() -> std::future::Ready<()> {
        std::future::ready(())
    }

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
        assert_eq!(fence.admits(READ), Err(NotSent::NotLeading));
    }

    #[tokio::test(start_paused = true)]
    async fn without_others_it_never_ends() {
        let fence = open();
        tokio::time::advance(Duration::from_hours(24 * 365)).await;
        assert!(fence.pass().now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_right_that_lapsed_goes_on_when_it_is_granted_again() {
        let fence = Fence::default();
        fence.extend(Instant::now() + Duration::from_secs(10));
        tokio::time::advance(Duration::from_secs(11)).await;
        let mut waiting = Box::pin(fence.pass());
        assert!(poll!(&mut waiting).is_pending());
        fence.extend(Instant::now() + Duration::from_secs(10));
        tokio::time::timeout(Duration::from_secs(1), waiting).await.expect("it is woken");
    }

    #[tokio::test]
    async fn once_the_process_drains_no_change_is_begun_and_what_was_begun_may_be_read_about() {
        let fence = open();
        let (idle, reading, writing) = (fence.scope(), fence.scope(), fence.scope());
        let ((), read) = reading.begin(READ, now()).await;
        let ((), change) = writing.begin(CHANGE, now()).await;
        fence.drain();
        assert!(fence.pass().now_or_never().is_some(), "answers are used");
        drop((read, change));

        for (scope, operation) in [(&idle, READ), (&idle, CHANGE), (&reading, READ), (&reading, CHANGE)] {
            assert!(scope.begin(operation, now()).now_or_never().is_none(), "{operation}");
            scope.abandoned().await;
        }
        assert!(writing.begin(READ, now()).now_or_never().is_some());
        assert!(writing.abandoned().now_or_never().is_none());
        assert!(writing.begin(CHANGE, now()).now_or_never().is_none());
        writing.abandoned().await;
    }

    #[tokio::test]
    async fn a_call_that_waits_for_its_turn_when_the_process_drains_is_not_begun() {
        let fence = open();
        for operation in Operation::ALL.iter().copied() {
            let fence = open();
            let scope = fence.scope();
            let mut call = Box::pin(scope.begin(operation, pending::<()>()));
            assert!(poll!(&mut call).is_pending() && scope.abandoned().now_or_never().is_none());
            fence.drain();
            assert!(poll!(&mut call).is_pending());
            scope.abandoned().await;
        }
        assert_eq!(fence.oldest_call(), None);
    }

    /// What the SDK knows about a call of that name just before it is sent.
    fn call(name: &str) -> ConfigBag {
        let mut layer = Layer::new("call");
        layer.store_put(Metadata::new(name.to_owned(), "CloudFront"));
        ConfigBag::of_layers(vec![layer])
    }

    #[tokio::test]
    async fn just_before_it_is_sent_every_call_is_refused_without_the_right_to_act() {
        let fence = Fence::default();
        let refused = |name: &str| fence.admits_call(&call(name)).err() == Some(NotSent::NotLeading);
        assert!(Operation::ALL.iter().all(|operation| refused(operation.as_str())) && refused("ALaterOne"));
    }

    #[tokio::test]
    async fn just_before_it_is_sent_a_change_is_refused_if_the_process_drains_and_a_read_is_not() {
        let fence = open();
        fence.drain();
        for operation in Operation::ALL.iter().copied() {
            let refused = operation.is_mutation().then_some(NotSent::Draining);
            assert_eq!(fence.admits_call(&call(operation.as_str())).err(), refused, "{operation}");
        }
        assert_eq!(fence.admits_call(&call("ALaterOne")), Err(NotSent::Draining), "it may be a change");
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_call_in_flight_is_known_until_it_has_ended() {
        let fence = open();
        let ((), first) = fence.scope().begin(CHANGE, now()).await;
        tokio::time::advance(Duration::from_secs(5)).await;
        let ((), second) = fence.scope().begin(READ, now()).await;
        assert_eq!(fence.oldest_call(), Some((CHANGE, Duration::from_secs(5))));
        drop(first);
        assert_eq!(fence.oldest_call(), Some((READ, Duration::ZERO)));
        drop(second);
        assert_eq!(fence.oldest_call(), None);
    }
}
