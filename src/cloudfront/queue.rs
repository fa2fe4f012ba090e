//! The call queue: the one place that decides which CloudFront call is next, in front of the rate limit that all calls share.
//!
//! In: reservations, each of a [`Class`]. Out: the moment at which the first call of a reservation may be made. Its other calls follow at once and are
//! charged afterwards, so that there is no wait between a change and the reads that it is based on. The next reservation waits until those calls are paid
//! for, so the average rate holds. A reservation without a call takes no turn. [`line`] and its parts are pure; this file waits on tokio's clock.

mod bucket;
mod class;
mod line;
mod slowdown;

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};
use tokio::{sync::Notify, time::Instant};

use self::line::{Line, Next, Place};
use super::Operation;

pub use self::class::Class;

/// The queue. All clones are the same queue.
#[derive(Clone, Debug)]
pub struct CallQueue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Signals that something happened that may change which reservation is next, or when.
    changed: Notify,
    /// Held by the one waiter that grants turns.
    giving_turns: tokio::sync::Mutex<()>,
    last_id: AtomicU64,
}

#[derive(Debug)]
struct State {
    line: Line,
    waiting: BTreeMap<Place, Waiting>,
    granted: BTreeMap<Id, Grant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Id(u64);

#[derive(Debug)]
struct Waiting {
    id: Id,
    turn: Arc<Notify>,
}

/// A granted turn: what was charged and set aside for it, and is not used yet.
#[derive(Debug, Default)]
struct Grant {
    calls: u32,
    operations: BTreeSet<Operation>,
}

/// How many reservations of a class wait, and how long the first of them has waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// The class.
    pub class: Class,
    /// How many reservations wait.
    pub waiting: usize,
    /// How long the oldest has waited; zero if none waits.
    pub oldest: Duration,
}

/// CloudFront throttled the operation recently, so this call is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slowed;

impl CallQueue {
    /// A queue that allows `rate` calls per second, with bursts of `burst`.
    #[must_use]
    pub fn new(rate: f64, burst: u32) -> Self {
        let line = Line::new(rate, burst, Instant::now());
        Self(Arc::new(Shared {
            state: Mutex::new(State { line, waiting: BTreeMap::new(), granted: BTreeMap::new() }),
            changed: Notify::new(),
            giving_turns: tokio::sync::Mutex::default(),
            last_id: AtomicU64::new(0),
        }))
    }

    /// A reservation, which joins the queue with its first call.
    #[must_use]
    pub fn reserve(&self, class: Class) -> Reservation {
        let id = Id(self.0.last_id.fetch_add(1, Ordering::Relaxed));
        let own = Own { class, needs: BTreeSet::new(), standing: Standing::Idle };
        Reservation { queue: self.clone(), id, granted: Arc::default(), own: Mutex::new(own) }
    }

    /// CloudFront throttled a call.
    pub fn throttled(&self, operation: Operation) {
        self.lock().line.slowdowns.throttled(operation, Instant::now());
    }

    /// Calls per second over all operations.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.lock().line.bucket.rate()
    }

    /// The operations that throttling has slowed down, with their calls per second.
    #[must_use]
    pub fn slowed(&self) -> Vec<(Operation, f64)> {
        self.lock().line.slowdowns.rates(Instant::now())
    }

    /// What waits, by class.
    #[must_use]
    pub fn depths(&self) -> [Depth; 5] {
        let (now, state) = (Instant::now(), self.lock());
        Class::ALL.map(|class| {
            let (waiting, oldest) = state.line.depth_and_oldest(class, now);
            Depth { class, waiting, oldest }
        })
    }

    /// Grants turns in order until dropped. One of the waiters does so for all.
    async fn give_turns(&self) -> Infallible {
        let _only_one = self.0.giving_turns.lock().await;
        loop {
            let next = self.lock().give_turns(Instant::now());
            let pause = async {
                match next {
                    // At least the resolution of the clock; otherwise a rounding error would cause a busy loop.
                    Some(wait) => tokio::time::sleep(wait.max(Duration::from_millis(1))).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = pause => {}
                () = self.0.changed.notified() => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }
}

impl State {
    /// Grants all turns that are due now; returns how long until there may be another, if any reservation waits.
    fn give_turns(&mut self, now: Instant) -> Option<Duration> {
        loop {
            match self.line.next(now) {
                Next::Turn(place, operations) => {
                    if let Some(Waiting { id, turn }) = self.waiting.remove(&place) {
                        self.granted.insert(id, Grant { calls: place.class().usual_calls(), operations });
                        turn.notify_waiters();
                    }
                }
                Next::In(wait) => return Some(wait),
                Next::Nobody => return None,
            }
        }
    }
}

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
    standing: Standing,
}

#[derive(Clone, Copy, Debug)]
enum Standing {
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
    /// Requests a class, and operations that are known to be needed. Before its turn, the reservation may move up to a higher class; otherwise it keeps its
    /// place.
    pub fn ask_for(&self, class: Class, needs: impl IntoIterator<Item = Operation>) {
        let mut own = self.own();
        own.class = own.class.min(class);
        own.needs.extend(needs);
        let Standing::Waiting(place) = own.standing else {
            if matches!(own.standing, Standing::Idle) {
                own.class = class;
            }
            return;
        };
        let mut state = self.queue.lock();
        if let Some(waiting) = state.waiting.remove(&place) {
            let raised = state.line.raise(place, own.class);
            state.line.need(raised, own.needs.iter().copied());
            state.waiting.insert(raised, waiting);
            own.standing = Standing::Waiting(raised);
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
        matches!(self.own().standing, Standing::Begun(_) | Standing::Ended)
    }

    /// Whether it waits for its turn.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        matches!(self.own().standing, Standing::Waiting(_))
    }

    /// When its turn came, if it has.
    #[must_use]
    pub fn begun_at(&self) -> Option<Instant> {
        match self.own().standing {
            Standing::Begun(at) => Some(at),
            Standing::Idle | Standing::Waiting(_) | Standing::Ended => None,
        }
    }

    /// No further call is expected: gives back what was not used.
    pub fn end(&self) {
        let standing = std::mem::replace(&mut self.own().standing, Standing::Ended);
        let now = Instant::now();
        let mut state = self.queue.lock();
        if let Standing::Waiting(place) = standing {
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
        match own.standing {
            Standing::Idle | Standing::Ended => {
                own.needs.insert(operation);
                let place = state.line.join(own.class, own.needs.clone(), Instant::now());
                state.waiting.insert(place, Waiting { id: self.id, turn: Arc::clone(&self.granted) });
                own.standing = Standing::Waiting(place);
            }
            Standing::Waiting(place) => state.line.need(place, [operation]),
            Standing::Begun(_) => return,
        }
        drop(state);
        drop(own);
        self.queue.0.changed.notify_one();
    }

    /// Whether its turn has come; if so, it has begun from now on.
    fn has_its_turn(&self) -> bool {
        let mut own = self.own();
        let granted = self.queue.lock().granted.contains_key(&self.id);
        if granted && matches!(own.standing, Standing::Waiting(_)) {
            own.standing = Standing::Begun(Instant::now());
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

#[cfg(test)]
mod tests;
