//! The simulator's account in this process, with the faults that a test has injected. In: requests. Out: what CloudFront would answer. Synchronous
//! underneath: no network, no clock of its own.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard},
};

use cloudfront_simulator::{Account, Freshness, Request, Response, ServiceError, Timestamp, admin::GroupPatch};
use connection_group_operator::cloudfront::{Operation, sdk::Sdk};

use crate::{
    adapter,
    call::{Answer, Answering, Call},
    fault::{Fault, LeftOut, Refusal},
};

/// An account that answers the port. All clones are the same account.
#[derive(Clone)]
pub struct InProcess {
    pub(crate) cloud: Cloud,
    /// Boxed because it is large, and the model check creates many accounts without it.
    adapter: Option<Box<Sdk>>,
}

/// How calls reach the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Directly: fast; a property of `tests/reconcile` checks that the answers are the same as through the adapter.
    Direct,
    /// Through the production adapter.
    Adapter,
}

/// What is behind the port: the account, and the faults.
#[derive(Clone)]
pub(crate) struct Cloud(Arc<Mutex<Inner>>);

#[derive(Clone)]
struct Inner {
    account: Account,
    now: Timestamp,
    calls: Vec<Operation>,
    faults: Vec<Ordered>,
    left_out: BTreeSet<LeftOut>,
    answers_lost: usize,
}

/// A fault that waits for its call.
#[derive(Clone, Copy, Debug)]
struct Ordered {
    operation: Operation,
    fault: Fault,
    lasts: Lasts,
}

/// How many calls a fault applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lasts {
    /// One.
    Once,
    /// One, or none.
    OnceAtMost,
    /// All, until the faults stop.
    UntilTheyStop,
}

impl Inner {
    fn fault_of(&mut self, operation: Operation) -> Option<Fault> {
        let next = self.faults.iter().position(|ordered| ordered.operation == operation)?;
        let Ordered { fault, lasts, .. } = self.faults[next];
        if lasts != Lasts::UntilTheyStop {
            self.faults.remove(next);
        }
        Some(fault)
    }

    fn faults_left(&self) -> Vec<(Operation, Fault)> {
        let left = self.faults.iter().filter(|ordered| ordered.lasts == Lasts::Once);
        left.map(|ordered| (ordered.operation, ordered.fault)).collect()
    }
}

/// A test that injects a fault which no call meets does not test what it claims to.
impl Drop for Inner {
    fn drop(&mut self) {
        let left = self.faults_left();
        assert!(std::thread::panicking() || left.is_empty(), "faults that no call has met: {left:?}");
    }
}

/// The result of a request.
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it is made, and the model check makes millions")]
pub(crate) enum Reply {
    Refused(Refusal),
    /// It took effect.
    Lost,
    Answered {
        outcome: Result<Response, ServiceError>,
        left_out: BTreeSet<LeftOut>,
        /// Whether there is no list where one was requested.
        without_list: bool,
    },
}

impl InProcess {
    /// This account, reached in that way.
    #[must_use]
    pub fn new(way: Way, account: Account, now: Timestamp) -> Self {
        Self::behind(way, Cloud::new(account, now))
    }

    fn behind(way: Way, cloud: Cloud) -> Self {
        let adapter = match way {
            Way::Direct => None,
            Way::Adapter => Some(Box::new(adapter::connected(cloud.clone()))),
        };
        Self { cloud, adapter }
    }

    /// Another account that is like this one now, reached in the same way.
    #[must_use]
    pub fn fork(&self) -> Self {
        let way = if self.adapter.is_some() { Way::Adapter } else { Way::Direct };
        Self::behind(way, Cloud(Arc::new(Mutex::new(self.cloud.lock().clone()))))
    }

    /// The account itself, for out-of-band changes.
    pub fn account<T>(&self, act: impl FnOnce(&mut Account, Timestamp) -> T) -> T {
        let mut inner = self.cloud.lock();
        let now = inner.now;
        act(&mut inner.account, now)
    }

    /// The time at the account.
    pub fn set_now(&self, now: Timestamp) {
        self.cloud.lock().now = now;
    }

    /// Injects a fault into the next call of that operation; several are used up in order. One that no call meets is an error of the test.
    pub fn fail(&self, operation: Operation, fault: Fault) {
        self.order(operation, fault, Lasts::Once);
    }

    /// The same, where there may be no such call.
    pub fn may_fail(&self, operation: Operation, fault: Fault) {
        self.order(operation, fault, Lasts::OnceAtMost);
    }

    /// From now on, every call of that operation has this fault, until the faults stop.
    pub fn keep_failing(&self, operation: Operation, fault: Fault) {
        self.order(operation, fault, Lasts::UntilTheyStop);
    }

    fn order(&self, operation: Operation, fault: Fault, lasts: Lasts) {
        self.cloud.lock().faults.push(Ordered { operation, fault, lasts });
    }

    /// Removes every injected fault that no call has met.
    pub fn faults_stop(&self) {
        self.cloud.lock().faults.clear();
    }

    /// The injected faults that no call has met.
    #[must_use]
    pub fn faults_left(&self) -> Vec<(Operation, Fault)> {
        self.cloud.lock().faults_left()
    }

    /// From now on, all answers omit these members.
    pub fn leave_out(&self, members: impl IntoIterator<Item = LeftOut>) {
        self.cloud.lock().left_out.extend(members);
    }

    /// From now on, answers are complete again.
    pub fn leave_nothing_out(&self) {
        self.cloud.lock().left_out.clear();
    }

    /// The calls since the last time that this was called.
    #[must_use]
    pub fn take_calls(&self) -> Vec<Operation> {
        std::mem::take(&mut self.cloud.lock().calls)
    }

    /// How many of the calls since the last time they were taken are not lists of groups.
    #[must_use]
    pub fn calls_besides_lists(&self) -> usize {
        self.cloud.lock().calls.iter().filter(|call| **call != Operation::ListConnectionGroups).count()
    }

    /// How many calls took effect so far, and their answers were lost.
    #[must_use]
    pub fn answers_lost(&self) -> usize {
        self.cloud.lock().answers_lost
    }
}

impl Answering for InProcess {
    async fn answer(&self, call: Call) -> Answer {
        match &self.adapter {
            None => self.answer_directly(&call),
            Some(adapter) => Box::pin(call.made_at(&**adapter)).await,
        }
    }
}

impl Cloud {
    fn new(account: Account, now: Timestamp) -> Self {
        let (calls, faults, left_out) = (Vec::new(), Vec::new(), BTreeSet::new());
        Self(Arc::new(Mutex::new(Inner { account, now, calls, faults, left_out, answers_lost: 0 })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// Carries out a request, unless a fault prevents it.
    pub(crate) fn call(&self, operation: Operation, request: &Request) -> Reply {
        let mut inner = self.lock();
        inner.calls.push(operation);
        let now = inner.now;
        let fault = inner.fault_of(operation);
        if let Some(refusal) = fault.and_then(Fault::refusal) {
            return Reply::Refused(refusal);
        }
        if fault == Some(Fault::ChangedJustBefore) {
            let patch = GroupPatch { ipv6_enabled: Some(false), ..GroupPatch::default() };
            inner.account.outside_edit_group(now, request.target().unwrap(), patch).unwrap();
        }
        let freshness =
            if fault == Some(Fault::Stale) { Freshness::Stale { versions: 1 } } else { Freshness::AsSwitched };
        let mut outcome = inner.account.call_with(now, request, freshness);
        if fault == Some(Fault::AnswerLost) {
            inner.answers_lost += 1;
            return Reply::Lost;
        }
        if let (Some(fault), Ok(answer)) = (fault, &mut outcome) {
            fault.spoil(answer);
        }
        let left_out = if fault == Some(Fault::Lacking) { LeftOut::ALL.into() } else { inner.left_out.clone() };
        Reply::Answered { outcome, left_out, without_list: fault == Some(Fault::ListLeftOut) }
    }
}
