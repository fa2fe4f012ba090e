//! The call queue: the one place that decides which CloudFront call is next, in front of the rate limit that all calls share.
//!
//! In: reservations, each of a [`Class`]. Out: the moment at which the first call of a reservation may be made. Its other calls follow at once and are
//! charged afterwards, so that there is no wait between a change and the reads that it is based on. The next reservation waits until those calls are paid
//! for, so the average rate holds. A reservation without a call takes no turn. [`line`] and its parts are pure; this file and [`reservation`] wait
//! on tokio's clock.

mod bucket;
mod class;
mod line;
mod reservation;
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

pub use self::{class::Class, reservation::Reservation};

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
        Reservation::new(self.clone(), id, class)
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

#[cfg(test)]
mod tests;
