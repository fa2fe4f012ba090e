//! Time passes in a [`World`]: reconciles and lists run when the production code schedules them. Out: the object at rest, within bounds.

use std::time::Duration;

use connection_group_operator::{account::inventory::is_hurried, api::ConnectionGroupStatus};

use super::World;

/// If nothing changes for this long, only someone else can change something: it is longer than any pause of a reconcile that has more to do.
const QUIET: Duration = Duration::from_mins(6);

/// The maximum number of calls in that time: retries have growing pauses, and what is waited for is read every half minute.
const CALLS_AT_REST: usize = 60;

impl World {
    /// The same as [`Self::settle_within`], within bounds that hold if nothing takes longer than a roll-out or two.
    pub fn settle(&mut self) -> ConnectionGroupStatus {
        self.settle_within(Duration::from_mins(10), 40)
    }

    /// Lets time pass until only someone else can change something, or the object is released. The reconciles and the lists run when the
    /// production code schedules them, and at no other time. The last change must come within that time, after no more than that many calls besides
    /// the lists, and every injected fault must have occurred.
    pub fn settle_within(&mut self, time: Duration, calls: usize) -> ConnectionGroupStatus {
        let (start, calls_before) = (self.elapsed, self.port.calls_besides_lists());
        let (mut changed_at, mut calls_at_rest) = (start, calls_before);
        while !self.released && self.elapsed.saturating_sub(changed_at) < QUIET {
            let before = (self.object.status.clone().map(without_messages), self.groups());
            self.go_on(Duration::MAX);
            if (self.object.status.clone().map(without_messages), self.groups()) != before {
                (changed_at, calls_at_rest) = (self.elapsed, self.port.calls_besides_lists());
                let (took, calls_made) = (changed_at.saturating_sub(start), calls_at_rest - calls_before);
                assert!(took <= time, "not at rest after {took:?}: {}", self.message());
                assert!(calls_made <= calls, "not at rest after {calls_made} calls: {}", self.message());
            }
        }
        let calls_since = self.port.calls_besides_lists() - calls_at_rest;
        assert!(calls_since <= CALLS_AT_REST, "{calls_since} calls although nothing changes: {}", self.message());
        assert_eq!(self.port.faults_left(), [], "injected faults that did not occur: {}", self.message());
        self.status()
    }

    /// Lets that much time pass, or as much as it takes until the object is released, and calls `inspect` after each reconcile and list.
    pub fn go_on_for(&mut self, time: Duration, mut inspect: impl FnMut(&Self)) {
        self.go_on_until(time, |world| {
            inspect(world);
            false
        });
    }

    /// The same until that holds. Returns whether it did in that time.
    pub fn go_on_until(&mut self, time: Duration, mut reached: impl FnMut(&Self) -> bool) -> bool {
        let end = self.elapsed + time;
        while !self.released && self.elapsed < end {
            self.go_on(end);
            if reached(self) {
                return true;
            }
        }
        false
    }

    /// Advances to the next moment at which a reconcile or a list may be due, and runs it; not beyond the end.
    fn go_on(&mut self, end: Duration) {
        let next = self.due.min(self.list_asked_at);
        self.advance(next.min(end).saturating_sub(self.elapsed));
        if next > end {
            return;
        }
        if self.due < self.list_asked_at {
            self.reconcile();
            return;
        }
        let hurried = || is_hurried(self.inventory_error.as_ref(), [&self.object]);
        match self.inventory_pause.as_mut().and_then(|inventory_pause| inventory_pause.next(&self.settings, hurried)) {
            Some(pause) => self.list_asked_at += pause,
            None => self.take_inventory(),
        }
    }
}

/// Without the messages: what they say about the next try changes with each try.
fn without_messages(mut status: ConnectionGroupStatus) -> ConnectionGroupStatus {
    status.conditions.iter_mut().for_each(|condition| condition.message.clear());
    status
}
