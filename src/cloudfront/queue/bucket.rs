//! The rate limit of the account: a token bucket that may go into debt. Pure: (calls, now) -> how long until the next reservation.
//!
//! CloudFront publishes no limits, and other tools in the account share them, so the rate is the administrator's choice.

use std::time::Duration;

use tokio::time::Instant;

/// Tokens are calls. Below zero, calls were made ahead of the rate, and the next reservation waits until they are paid for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    refilled: Instant,
}

impl Bucket {
    /// A full bucket. `rate` in calls per second, above zero; `burst` in calls, at least one.
    #[must_use]
    pub fn new(rate: f64, burst: u32, now: Instant) -> Self {
        let burst = f64::from(burst);
        Self { rate, burst, tokens: burst, refilled: now }
    }

    /// Calls per second.
    #[must_use]
    pub const fn rate(&self) -> f64 {
        self.rate
    }

    /// How long until it holds this many tokens, which must not be more than the burst; zero if it already does.
    #[must_use]
    pub fn until(&mut self, tokens: f64, now: Instant) -> Duration {
        self.refill(now);
        Duration::from_secs_f64((tokens - self.tokens).max(0.0) / self.rate)
    }

    /// Takes tokens, on credit if there are none.
    pub fn charge(&mut self, calls: u32, now: Instant) {
        self.refill(now);
        self.tokens -= f64::from(calls);
    }

    /// Gives back the tokens of calls that were not made.
    pub fn refund(&mut self, calls: u32, now: Instant) {
        self.refill(now);
        self.tokens = (self.tokens + f64::from(calls)).min(self.burst);
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.refilled).as_secs_f64();
        self.refilled = self.refilled.max(now);
        self.tokens = elapsed.mul_add(self.rate, self.tokens).min(self.burst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: f64) -> Duration {
        Duration::from_secs_f64(n)
    }

    #[test]
    fn a_burst_passes_without_delay_and_then_the_rate_applies() {
        let start = Instant::now();
        let mut bucket = Bucket::new(2.0, 3, start);
        assert_eq!(bucket.until(3.0, start), Duration::ZERO);
        bucket.charge(3, start);
        assert_eq!(bucket.until(1.0, start), seconds(0.5));
        assert_eq!(bucket.until(1.0, start + seconds(0.5)), Duration::ZERO);
    }

    #[test]
    fn calls_ahead_of_the_rate_delay_the_next_call() {
        let start = Instant::now();
        let mut bucket = Bucket::new(2.0, 1, start);
        bucket.charge(7, start);
        assert_eq!(bucket.until(1.0, start), seconds(3.5));
        bucket.refund(2, start);
        assert_eq!(bucket.until(1.0, start), seconds(2.5));
    }

    #[test]
    fn neither_idle_time_nor_a_refund_accumulates_more_than_the_burst() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10.0, 2, start);
        let later = start + seconds(3600.0);
        bucket.refund(5, later);
        bucket.charge(2, later);
        assert_eq!(bucket.until(1.0, later), seconds(0.1));
    }
}
