//! One reservation in the call queue, from its first call to its end. Waits on tokio's clock.
//!
//! In: a [`Class`], the operations that are known to be needed, and each call. Out: the moment at which the call may be made. What the reservation was
//! charged for and did not use goes back to the queue at its end.

use std::{collections::BTreeSet, sync::Arc};

use parking_lot::{Mutex, MutexGuard};
use tokio::{sync::Notify, time::Instant};

use super::{CallQueue, Class, Grant, Id, Slowed, State, Waiting, line::Place};
use crate::cloudfront::Operation;

/// The right to make the calls of one reconcile, or of one inventory, without a wait between them. Dropping it gives back what it did not use.
#[derive(Debug)]
pub struct Reservation {
    queue: CallQueue,
    id: Id,
    granted: Arc<Notify>,
    own: Mutex<Own>,
}

#[derive(Debug)]
struct Own {
    class: Class,
    needs: BTreeSet<Operation>,
    turn_state: TurnState,
}

#[derive(Clone, Copy, Debug)]
enum TurnState {
    /// No call was requested.
    Idle,
    /// In the line, or granted a turn that it has not noticed yet.
    Waiting(Place),
    /// Its turn came at this time.
    Begun(Instant),
    /// No further call is expected.
    Ended,
}

impl Reservation {
    /// A reservation in that queue, which joins it with its first call.
    pub(super) fn new(queue: CallQueue, id: Id, class: Class) -> Self {
        let own = Own { class, needs: BTreeSet::new(), turn_state: TurnState::Idle };
        Self { queue, id, granted: Arc::default(), own: Mutex::new(own) }
    }

    /// Requests a class, and operations that are known to be needed. Before its turn, the reservation may move up to a higher class; otherwise it keeps its
    /// place.
    pub fn ask_for(&self, class: Class, needs: impl IntoIterator<Item = Operation>) {
        let mut own = self.own();
        own.class = own.class.min(class);
        own.needs.extend(needs);
        let TurnState::Waiting(place) = own.turn_state else {
            if matches!(own.turn_state, TurnState::Idle) {
                own.class = class;
            }
            return;
        };
        let mut state = self.queue.lock();
        if let Some(waiting) = state.waiting.remove(&place) {
            let raised = state.line.raise(place, own.class);
            state.line.need(raised, own.needs.iter().copied());
            state.waiting.insert(raised, waiting);
            own.turn_state = TurnState::Waiting(raised);
        }
        drop(state);
        self.queue.0.changed.notify_one();
    }

    /// Returns when this call may be made: the first call of a reservation waits for its turn, the others are made at once.
    ///
    /// # Errors
    /// CloudFront throttled this operation recently, and this call would have to wait between others of the same reservation.
    pub async fn admit(&self, operation: Operation) -> Result<(), Slowed> {
        self.turn(operation).await;
        self.spend(operation)
    }

    /// Waits for the turn of this reservation. `operation` is expected to be its first call.
    pub async fn turn(&self, operation: Operation) {
        self.join(operation);
        loop {
            let turn = self.granted.notified();
            tokio::pin!(turn);
            turn.as_mut().enable();
            if self.has_its_turn() {
                return;
            }
            tokio::select! {
                biased;
                () = turn => {}
                never = self.queue.give_turns() => match never {},
            }
        }
    }

    /// Whether a call has been made, or may be made by now.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        matches!(self.own().turn_state, TurnState::Begun(_) | TurnState::Ended)
    }

    /// Whether it waits for its turn.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        matches!(self.own().turn_state, TurnState::Waiting(_))
    }

    /// When its turn came, if it has.
    #[must_use]
    pub fn begun_at(&self) -> Option<Instant> {
        match self.own().turn_state {
            TurnState::Begun(at) => Some(at),
            TurnState::Idle | TurnState::Waiting(_) | TurnState::Ended => None,
        }
    }

    /// No further call is expected: gives back what was not used.
    pub fn end(&self) {
        let turn_state = std::mem::replace(&mut self.own().turn_state, TurnState::Ended);
        let now = Instant::now();
        let mut state = self.queue.lock();
        if let TurnState::Waiting(place) = turn_state {
            state.waiting.remove(&place);
            state.line.leave(place);
        }
        if let Some(Grant { calls, operations }) = state.granted.remove(&self.id) {
            state.line.bucket.refund(calls, now);
            for operation in operations {
                state.line.slowdowns.refund(operation);
            }
        }
        drop(state);
        self.queue.0.changed.notify_one();
    }

    /// Joins the line, if it has not yet; while it waits there, it also waits for this operation.
    fn join(&self, operation: Operation) {
        let mut own = self.own();
        let mut state = self.queue.lock();
        match own.turn_state {
            TurnState::Idle | TurnState::Ended => {
                own.needs.insert(operation);
                let place = state.line.join(own.class, own.needs.clone(), Instant::now());
                state.waiting.insert(place, Waiting { id: self.id, turn: Arc::clone(&self.granted) });
                own.turn_state = TurnState::Waiting(place);
            }
            TurnState::Waiting(place) => state.line.need(place, [operation]),
            TurnState::Begun(_) => return,
        }
        drop(state);
        drop(own);
        self.queue.0.changed.notify_one();
    }

    /// Whether its turn has come; if so, it has begun from now on.
    fn has_its_turn(&self) -> bool {
        let mut own = self.own();
        let granted = self.queue.lock().granted.contains_key(&self.id);
        if granted && matches!(own.turn_state, TurnState::Waiting(_)) {
            own.turn_state = TurnState::Begun(Instant::now());
        }
        granted
    }

    /// Counts a call, first against the prepaid calls of the turn.
    fn spend(&self, operation: Operation) -> Result<(), Slowed> {
        let now = Instant::now();
        let mut state = self.queue.lock();
        let State { line, granted, waiting: _ } = &mut *state;
        let mut ended = Grant::default();
        let grant = granted.get_mut(&self.id).unwrap_or(&mut ended);
        if !grant.operations.remove(&operation) && !line.slowdowns.take(operation, now) {
            return Err(Slowed);
        }
        match grant.calls.checked_sub(1) {
            Some(left) => grant.calls = left,
            None => line.bucket.charge(1, now),
        }
        Ok(())
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.end();
    }
}
