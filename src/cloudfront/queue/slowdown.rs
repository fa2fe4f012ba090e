//! How much CloudFront's throttling has slowed down each operation. Pure: (operation, now) -> whether it may be called.
//!
//! AWS limits each operation separately, so a throttled Create says nothing about reads. Throttling halves the rate of that operation, which grows back to
//! the account's rate over a minute; then the slowdown is forgotten.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use crate::cloudfront::Operation;

/// The operations that CloudFront has throttled recently.
#[derive(Clone, Debug, PartialEq)]
pub struct Slowdowns {
    full_rate: f64,
    slowed: BTreeMap<Operation, Slowdown>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Slowdown {
    /// Calls per second.
    rate: f64,
    /// Calls that may be made now: at most one, so that they are spread evenly.
    tokens: f64,
    refilled: Instant,
    halved: Instant,
}

const SLOWEST_SHARE: f64 = 1.0 / 32.0;
const SECONDS_TO_FULL_RATE: f64 = 60.0;

/// Answers to concurrent calls count once.
const ONE_HALVING_PER: Duration = Duration::from_secs(1);

/// A whole token, except for a rounding error.
const ONE: f64 = 1.0 - 1e-9;

impl Slowdowns {
    /// None yet. `full_rate` in calls per second, above zero.
    #[must_use]
    pub const fn new(full_rate: f64) -> Self {
        Self { full_rate, slowed: BTreeMap::new() }
    }

    /// CloudFront throttled a call.
    pub fn throttled(&mut self, operation: Operation, now: Instant) {
        self.refill(now);
        let (full, slowest) = (self.full_rate, self.full_rate * SLOWEST_SHARE);
        let new = Slowdown { rate: full / 2.0, tokens: 0.0, refilled: now, halved: now };
        let slowdown = self.slowed.entry(operation).or_insert(new);
        slowdown.tokens = 0.0;
        if now.saturating_duration_since(slowdown.halved) >= ONE_HALVING_PER {
            slowdown.rate = (slowdown.rate / 2.0).max(slowest);
            slowdown.halved = now;
        }
    }

    /// How long until the operation may be called; zero if it may be called now.
    #[must_use]
    pub fn until(&mut self, operation: Operation, now: Instant) -> Duration {
        self.refill(now);
        let missing = self.slowed.get(&operation).map(|slowdown| ((ONE - slowdown.tokens).max(0.0), slowdown.rate));
        missing.map_or(Duration::ZERO, |(tokens, rate)| Duration::from_secs_f64(tokens / rate))
    }

    /// Takes the right to call the operation once; returns whether there was one.
    #[must_use]
    pub fn take(&mut self, operation: Operation, now: Instant) -> bool {
        let ready = self.until(operation, now).is_zero();
        if let Some(slowdown) = self.slowed.get_mut(&operation).filter(|_| ready) {
            slowdown.tokens -= 1.0;
        }
        ready
    }

    /// Gives the right back.
    pub fn refund(&mut self, operation: Operation) {
        if let Some(slowdown) = self.slowed.get_mut(&operation) {
            slowdown.tokens = (slowdown.tokens + 1.0).min(1.0);
        }
    }

    /// The operations that are slowed down, with their calls per second.
    #[must_use]
    pub fn rates(&mut self, now: Instant) -> Vec<(Operation, f64)> {
        self.refill(now);
        self.slowed.iter().map(|(operation, slowdown)| (*operation, slowdown.rate)).collect()
    }

    fn refill(&mut self, now: Instant) {
        let full = self.full_rate;
        self.slowed.retain(|_, slowdown| {
            let elapsed = now.saturating_duration_since(slowdown.refilled).as_secs_f64();
            slowdown.refilled = slowdown.refilled.max(now);
            slowdown.tokens = elapsed.mul_add(slowdown.rate, slowdown.tokens).min(1.0);
            slowdown.rate += elapsed * full / SECONDS_TO_FULL_RATE;
            slowdown.rate < full
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Operation::{CreateConnectionGroup as CREATE, GetConnectionGroup as GET};

    fn seconds(n: f64) -> Duration {
        Duration::from_secs_f64(n)
    }

    fn rate(slowdowns: &mut Slowdowns, now: Instant) -> Option<f64> {
        slowdowns.rates(now).first().map(|(_, rate)| *rate)
    }

    #[test]
    fn throttling_halves_the_rate_of_that_operation_at_most_once_a_second_and_a_minute_restores_it() {
        let start = Instant::now();
        let mut slowdowns = Slowdowns::new(2.0);
        slowdowns.throttled(CREATE, start);
        slowdowns.throttled(CREATE, start);
        assert_eq!(slowdowns.rates(start), [(CREATE, 1.0)], "throttled answers of concurrent calls count once");
        assert!(!slowdowns.take(CREATE, start) && slowdowns.take(GET, start));
        assert!(slowdowns.take(CREATE, start + seconds(1.0)));
        assert!(!slowdowns.take(CREATE, start + seconds(1.0)), "one at a time");
        assert_eq!(rate(&mut slowdowns, start + seconds(60.0)), None);
        assert!([(); 9].iter().all(|()| slowdowns.take(CREATE, start + seconds(60.0))));
    }

    #[test]
    fn the_rate_never_falls_to_zero() {
        let start = Instant::now();
        let mut slowdowns = Slowdowns::new(2.0);
        for second in 0..100 {
            slowdowns.throttled(CREATE, start + seconds(f64::from(second)));
        }
        let now = start + seconds(99.0);
        assert!(rate(&mut slowdowns, now).is_some_and(|rate| rate >= 2.0 / 32.0));
        assert!(slowdowns.until(CREATE, now) <= seconds(16.0));
    }

    #[test]
    fn a_permit_that_was_returned_is_available_to_the_next_waiter() {
        let start = Instant::now();
        let mut slowdowns = Slowdowns::new(2.0);
        slowdowns.throttled(CREATE, start);
        let later = start + slowdowns.until(CREATE, start);
        assert!(slowdowns.take(CREATE, later) && !slowdowns.take(CREATE, later));
        slowdowns.refund(CREATE);
        assert!(slowdowns.take(CREATE, later));
    }
}
