//! How long until the next retry. Pure: (pace, consecutive failures, seed) -> delay.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

/// How fast retries follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backoff {
    /// The cause is likely to pass by itself: from 1 s to 5 min.
    Quick,
    /// Someone else has to act: from 30 s to 5 min.
    Slow,
    /// The cause is sure to pass soon: from 1 s to 10 s. The call queue knows when a throttled operation may be called again; reads catch up within a minute.
    Soon,
}

impl Backoff {
    const fn first(self) -> Duration {
        match self {
            Self::Quick | Self::Soon => Duration::from_secs(1),
            Self::Slow => Duration::from_secs(30),
        }
    }

    const fn longest(self) -> Duration {
        match self {
            Self::Quick | Self::Slow => Duration::from_mins(5),
            Self::Soon => Duration::from_secs(10),
        }
    }

    /// The delay after `failures` failed tries: doubled each time, capped, then shortened by up to a fifth.
    ///
    /// The jitter comes from `seed` (the object's uid), so that a reconcile is a function of its inputs.
    #[must_use]
    pub fn delay(self, failures: u32, seed: &str) -> Duration {
        let doubled = self.first().saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX));
        doubled.min(self.longest()).mul_f64(1.0 - 0.2 * jitter(&(seed, failures)))
    }
}

/// A number in 0..1 that is always the same for the same seed, and evenly distributed over seeds.
#[must_use]
pub fn jitter(seed: &impl Hash) -> f64 {
    let mut hasher = DefaultHasher::new();
    seed.hash(&mut hasher);
    let [a, b, ..] = hasher.finish().to_be_bytes();
    f64::from(u16::from_be_bytes([a, b])) / 65536.0
}

/// A pause as people read it: in whole seconds, or in milliseconds below one second.
#[must_use]
pub fn in_words(pause: Duration) -> String {
    const SECOND: Duration = Duration::from_secs(1);
    let unit = if pause < SECOND { Duration::from_millis(1) } else { SECOND };
    // Rounded up, so that nothing is announced too early.
    match pause.as_nanos().div_ceil(unit.as_nanos()) {
        0 => "at once".to_owned(),
        units => humantime::format_duration(unit.saturating_mul(u32::try_from(units).unwrap_or(u32::MAX))).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_their_longest_and_never_overflow() {
        for (pace, failures, nominal) in [
            (Backoff::Quick, 0, 1),
            (Backoff::Quick, 3, 8),
            (Backoff::Quick, 9, 300),
            (Backoff::Quick, u32::MAX, 300),
            (Backoff::Slow, 0, 30),
            (Backoff::Slow, 1, 60),
            (Backoff::Slow, 31, 300),
            (Backoff::Soon, 2, 4),
            (Backoff::Soon, 31, 10),
        ] {
            let delay = pace.delay(failures, "uid").as_secs_f64();
            let nominal = f64::from(nominal);
            assert!(delay <= nominal && delay >= nominal * 0.8, "{pace:?} {failures}: {delay}");
        }
    }

    #[test]
    fn objects_that_failed_together_do_not_come_back_together() {
        let delays = (0..200).map(|n| Backoff::Slow.delay(2, &format!("uid-{n}")).as_secs_f64()).collect::<Vec<_>>();
        // The jitter spans a fifth of two minutes. Each quarter of that holds about a quarter of the objects.
        for part in 0..4 {
            let (from, to) = (96.0 + 6.0 * f64::from(part), 102.0 + 6.0 * f64::from(part));
            let many = delays.iter().filter(|delay| **delay > from && **delay <= to).count();
            assert!((25..=75).contains(&many), "{many} of 200 after {from} to {to} s");
        }
    }

    #[test]
    fn an_object_that_fails_again_is_not_early_or_late_each_time_alike() {
        let early = |failures| Backoff::Quick.delay(failures, "uid").as_secs_f64() / f64::from(1 << failures);
        assert_eq!(early(3).to_bits(), early(3).to_bits(), "a reconcile is a function of its inputs");
        assert!((1..8).any(|failures| (early(failures) - early(0)).abs() > 0.02));
    }

    #[test]
    fn a_pause_is_told_in_whole_seconds_below_one_in_milliseconds_and_none_is_at_once() {
        for (nanoseconds, words) in [
            (0, "at once"),
            (1, "1ms"),
            (5_000_000, "5ms"),
            (250_400_000, "251ms"),
            (999_999_999, "1s"),
            (1_000_000_000, "1s"),
            (1_876_543_219, "2s"),
            (291_234_567_891, "4m 52s"),
        ] {
            assert_eq!(in_words(Duration::from_nanos(nanoseconds)), words);
        }
    }
}
