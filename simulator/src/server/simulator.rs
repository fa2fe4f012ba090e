//! What all connections share: the account, the clock, the request log and the faults. Reads the system clock.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::account::{Account, Freshness};
use crate::admin::{Fault, FaultId, GroupPatch, LoggedCall};
use crate::error::ServiceError;
use crate::ids;
use crate::operation::Operation;
use crate::request::Request;
use crate::response::Response;
use crate::switches::Switches;
use crate::time::{Millis, Timestamp};
use crate::wire::{Answer, Decoded};

use super::faults::Faults;

/// One simulated AWS account that can be served.
#[derive(Debug)]
pub struct Simulator {
    shared: Mutex<Shared>,
    latency: Duration,
}

/// What the mutex guards.
#[derive(Debug)]
pub(super) struct Shared {
    pub account: Account,
    pub clock_ahead: Millis,
    pub log: Vec<LoggedCall>,
    pub calls: u64,
    pub faults: Faults,
    seen: BTreeSet<Operation>,
    seen_file: Option<File>,
}

/// A call that has arrived and is in the log.
pub(super) struct Arrived {
    pub seq: u64,
    pub request_id: String,
    pub fault: Option<(FaultId, Fault)>,
}

impl Simulator {
    /// An empty account. Each answer is held back by `latency`.
    #[must_use]
    pub fn new(switches: Switches, latency: Duration) -> Self {
        let shared = Shared {
            account: Account::new(switches),
            clock_ahead: Millis(0),
            log: Vec::new(),
            calls: 0,
            faults: Faults::default(),
            seen: BTreeSet::new(),
            seen_file: None,
        };
        Self { shared: Mutex::new(shared), latency }
    }

    /// The same, which appends the name of each operation to a file when it is called for the first time.
    #[must_use]
    pub fn telling(self, file: File) -> Self {
        self.lock().seen_file = Some(file);
        self
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn latency(&self) -> Duration {
        self.latency
    }
}

impl Shared {
    pub fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_millisecond()).after(self.clock_ahead)
    }

    /// Puts a call into the log, and finds the fault that strikes it.
    pub fn arrive(&mut self, decoded: &Decoded, access_key_id: Option<&str>) -> Arrived {
        self.calls += 1;
        let now = self.now();
        let request = decoded.as_ref().ok();
        let target = request.and_then(Request::target);
        let group = target.and_then(|target| self.account.group(now, target)).map(|group| group.resource);
        let fault = request.filter(|_| access_key_id.is_some()).and_then(|request| {
            let names =
                [target, group.as_ref().map(|group| group.id.as_str()), group.as_ref().map(|g| g.name.as_str())];
            self.faults.strike(request.operation(), &names)
        });
        if let Some(request) = request.filter(|_| access_key_id.is_some()) {
            self.note_operation(request.operation());
        }
        let request_id = ids::request_id(self.calls);
        self.log.push(LoggedCall {
            seq: self.calls,
            time: now,
            operation: request.map(Request::operation),
            target: target.map(ToOwned::to_owned),
            group_name: group.map(|group| group.name),
            request: request.cloned(),
            if_match: request.and_then(Request::if_match).map(ToOwned::to_owned),
            status: None,
            error: None,
            request_id: request_id.clone(),
            access_key_id: access_key_id.map(ToOwned::to_owned),
            fault: fault.as_ref().map(|(id, _)| *id),
            took_effect: false,
        });
        Arrived { seq: self.calls, request_id, fault }
    }

    fn note_operation(&mut self, operation: Operation) {
        if let (true, Some(file)) = (self.seen.insert(operation), &mut self.seen_file) {
            // One write, so that lines of several simulators do not mix. Whoever reads the file misses what is not in it.
            let _ = file.write_all(format!("{}\n", operation.as_str()).as_bytes());
        }
    }

    /// Carries a call out on the account.
    pub fn carry_out(&mut self, seq: u64, request: &Request, freshness: Freshness) -> Result<Response, ServiceError> {
        let now = self.now();
        let outcome = self.account.call_with(now, request, freshness);
        if let Some(entry) = self.logged(seq) {
            entry.took_effect = outcome.is_ok();
        }
        outcome
    }

    /// Someone else changes the group that a call is about.
    pub fn overtake(&mut self, request: &Request, edit: GroupPatch) {
        let now = self.now();
        if let Some(target) = request.target() {
            // What is not there cannot be overtaken: the call itself says so.
            let _ = self.account.outside_save_group(now, target, edit);
        }
    }

    /// Notes in the log what the call is answered with.
    pub fn note_answer(&mut self, seq: u64, answer: &Answer) {
        if let Some(entry) = self.logged(seq) {
            entry.status = Some(answer.status);
            entry.error.clone_from(&answer.error);
        }
    }

    fn logged(&mut self, seq: u64) -> Option<&mut LoggedCall> {
        self.log.iter_mut().rev().find(|entry| entry.seq == seq)
    }
}
