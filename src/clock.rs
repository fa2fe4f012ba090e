//! Time, passed in. A [`Moment`] orders what this process did and saw, and never jumps; a wall clock is only shown to people. Pure.

use std::{ops::Add, time::Duration};

use jiff::Timestamp;

/// Time since this process (or its leadership) began; the beginning itself is [`Moment::START`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// When this process began.
    pub const START: Self = Self(Duration::ZERO);

    /// The moment that long after the start.
    #[must_use]
    pub const fn after_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// Time from `earlier` to this moment; zero if it lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }
}

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Monotonic time, to order reads and writes.
    fn moment(&self) -> Moment;
    /// Wall-clock time, to show and to compare with CloudFront's own times.
    fn wall(&self) -> Timestamp;
}
