//! The call budget: one token bucket for the whole account, shared by everything that calls CloudFront.
//!
//! In: a lane. Out: the moment at which one call may be made. What a person waits for goes before sweeps and deep checks, but a
//! background call that has waited longer than `patience` moves up, so nothing starves. `Throttling` halves the rate, which then grows
//! back over a minute. [`Bucket`] is pure; [`Budget`] waits on tokio's clock. CloudFront publishes no limits (docs/cloudfront-api.md, Rate limits).

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// Who waits for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// A person: create, update, delete and the reads just before.
    Urgent,
    /// Nobody: sweeps and deep checks.
    Background,
}

/// The arithmetic of the budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    configured: f64,
    rate: f64,
    burst: f64,
    tokens: f64,
    refilled: Instant,
    slowed: Option<Instant>,
}

const SLOWEST_SHARE: f64 = 1.0 / 32.0;
const SECONDS_TO_FULL_RATE: f64 = 60.0;
const ONE_SLOWDOWN_PER: Duration = Duration::from_secs(1);

impl Bucket {
    /// A full bucket. `rate` in calls per second, above zero; `burst` in calls, at least one.
    #[must_use]
    pub fn new(rate: f64, burst: u32, now: Instant) -> Self {
        let burst = f64::from(burst);
        Self { configured: rate, rate, burst, tokens: burst, refilled: now, slowed: None }
    }

    /// Takes a token, or says how long until there is one.
    ///
    /// # Errors
    /// The time to wait, when the bucket is empty.
    pub fn take(&mut self, now: Instant) -> Result<(), Duration> {
        self.refill(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.tokens) / self.rate))
    }

    /// CloudFront throttled a call: empties the bucket and halves the rate, once a second at most.
    pub fn throttled(&mut self, now: Instant) {
        self.refill(now);
        self.tokens = self.tokens.min(0.0);
        if self.slowed.is_none_or(|at| now.duration_since(at) >= ONE_SLOWDOWN_PER) {
            self.rate = (self.rate / 2.0).max(self.configured * SLOWEST_SHARE);
            self.slowed = Some(now);
        }
    }

    /// Calls per second at this time.
    #[must_use]
    pub const fn rate(&self) -> f64 {
        self.rate
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.refilled).as_secs_f64();
        self.refilled = now;
        self.tokens = elapsed.mul_add(self.rate, self.tokens).min(self.burst);
        self.rate = (elapsed * self.configured / SECONDS_TO_FULL_RATE + self.rate).min(self.configured);
    }
}

/// The budget that all calls share.
#[derive(Debug)]
pub struct Budget {
    bucket: Mutex<Bucket>,
    urgent_turn: tokio::sync::Mutex<()>,
    background_turn: tokio::sync::Mutex<()>,
    urgent_waiting: AtomicUsize,
    overdue_waiting: AtomicUsize,
    overdue_went_last: AtomicBool,
    patience: Duration,
}

struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn on(counter: &'a AtomicUsize) -> Self {
        counter.fetch_add(1, Ordering::SeqCst);
        Self(counter)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

const LOOK_AGAIN: Duration = Duration::from_millis(20);

impl Budget {
    /// A budget of `rate` calls per second with bursts of `burst`; a background call waits for urgent ones for `patience` at most, and from
    /// then on takes turns with them.
    #[must_use]
    pub fn new(rate: f64, burst: u32, patience: Duration) -> Self {
        Self {
            bucket: Mutex::new(Bucket::new(rate, burst, Instant::now())),
            urgent_turn: tokio::sync::Mutex::default(),
            background_turn: tokio::sync::Mutex::default(),
            urgent_waiting: AtomicUsize::new(0),
            overdue_waiting: AtomicUsize::new(0),
            overdue_went_last: AtomicBool::new(false),
            patience,
        }
    }

    /// Waits for this caller's turn; within a lane, first come, first served. Dropping the future gives the turn back.
    pub async fn acquire(&self, lane: Lane) {
        match lane {
            Lane::Urgent => {
                let _waiting = Waiting::on(&self.urgent_waiting);
                let _turn = self.urgent_turn.lock().await;
                self.take_unless(|| Self::is_waited_for(&self.overdue_waiting) && !self.overdue_went_last()).await;
                self.overdue_went_last.store(false, Ordering::SeqCst);
            }
            Lane::Background => {
                let deadline = Instant::now() + self.patience;
                let _turn = self.background_turn.lock().await;
                let in_time = self.take_unless(|| Self::is_waited_for(&self.urgent_waiting));
                if tokio::time::timeout_at(deadline, in_time).await.is_err() {
                    let _overdue = Waiting::on(&self.overdue_waiting);
                    self.take_unless(|| Self::is_waited_for(&self.urgent_waiting) && self.overdue_went_last()).await;
                    self.overdue_went_last.store(true, Ordering::SeqCst);
                }
            }
        }
    }

    /// Tells the budget that CloudFront throttled a call.
    pub fn throttled(&self) {
        self.lock().throttled(Instant::now());
    }

    /// Calls per second that the budget allows at this time.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.lock().rate()
    }

    async fn take_unless(&self, others_first: impl Fn() -> bool) {
        loop {
            let wait = if others_first() {
                LOOK_AGAIN
            } else {
                match self.lock().take(Instant::now()) {
                    Ok(()) => return,
                    Err(wait) => wait,
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    fn is_waited_for(lane: &AtomicUsize) -> bool {
        lane.load(Ordering::SeqCst) > 0
    }

    fn overdue_went_last(&self) -> bool {
        self.overdue_went_last.load(Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn seconds(n: f64) -> Duration {
        Duration::from_secs_f64(n)
    }

    #[test]
    fn a_burst_is_free_and_then_the_rate_holds() {
        let start = Instant::now();
        let mut bucket = Bucket::new(2.0, 3, start);
        assert_eq!([(); 3].map(|()| bucket.take(start)), [Ok(()); 3]);
        assert_eq!(bucket.take(start), Err(seconds(0.5)));
        assert_eq!(bucket.take(start + seconds(0.5)), Ok(()));
    }

    #[test]
    fn idle_time_never_saves_up_more_than_the_burst() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10.0, 2, start);
        let later = start + seconds(3600.0);
        assert!(bucket.take(later).is_ok() && bucket.take(later).is_ok());
        assert!(bucket.take(later).is_err());
    }

    #[test]
    fn throttling_halves_the_rate_once_a_second_and_a_minute_restores_it() {
        let start = Instant::now();
        let mut bucket = Bucket::new(2.0, 10, start);
        bucket.throttled(start);
        bucket.throttled(start);
        assert!((bucket.rate() - 1.0).abs() < 1e-9, "answers that were under way together count once");
        assert_eq!(bucket.take(start), Err(seconds(1.0)), "the burst is gone");
        let _ = bucket.take(start + seconds(60.0));
        assert!((bucket.rate() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn the_rate_never_falls_to_nothing() {
        let start = Instant::now();
        let mut bucket = Bucket::new(2.0, 1, start);
        for second in 0..100 {
            bucket.throttled(start + seconds(f64::from(second) * 1.0));
        }
        assert!(bucket.rate() >= 2.0 / 32.0);
    }

    async fn order_of(budget: Budget, lanes: &[(Lane, &'static str)], gap: Duration) -> Vec<&'static str> {
        let budget = Arc::new(budget);
        let done = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for (lane, name) in lanes.iter().copied() {
            let (budget, done) = (Arc::clone(&budget), Arc::clone(&done));
            tasks.push(tokio::spawn(async move {
                budget.acquire(lane).await;
                done.lock().unwrap().push(name);
            }));
            tokio::time::sleep(gap).await;
        }
        for task in tasks {
            task.await.unwrap();
        }
        Arc::try_unwrap(done).unwrap().into_inner().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_person_waits_for_goes_before_the_background() {
        let budget = Budget::new(1.0, 1, Duration::from_mins(1));
        let lanes = [(Lane::Urgent, "first"), (Lane::Background, "sweep"), (Lane::Urgent, "a"), (Lane::Urgent, "b")];
        assert_eq!(order_of(budget, &lanes, Duration::from_millis(1)).await, ["first", "a", "b", "sweep"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_background_call_that_waited_too_long_moves_up() {
        let budget = Budget::new(1.0, 1, Duration::from_millis(1500));
        let lanes = [
            (Lane::Urgent, "first"),
            (Lane::Background, "sweep"),
            (Lane::Urgent, "a"),
            (Lane::Urgent, "b"),
            (Lane::Urgent, "c"),
        ];
        assert_eq!(order_of(budget, &lanes, Duration::from_millis(1)).await, ["first", "a", "sweep", "b", "c"]);
    }

    #[tokio::test(start_paused = true)]
    async fn many_overdue_background_calls_take_turns_with_people() {
        let budget = Budget::new(1.0, 1, Duration::from_millis(1500));
        let (sweep, person) = (Lane::Background, Lane::Urgent);
        let lanes =
            [(person, "first"), (sweep, "1"), (sweep, "2"), (sweep, "3"), (person, "a"), (person, "b"), (person, "c")];
        assert_eq!(order_of(budget, &lanes, Duration::from_millis(1)).await, ["first", "a", "1", "b", "2", "c", "3"]);
    }
}
