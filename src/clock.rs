//! The time, passed in. A [`Moment`] orders what this process did and read, and never jumps. Wall-clock time is only for display and for comparison with
//! CloudFront's own times. Pure.

use std::{ops::Add, time::Duration};

use jiff::Timestamp;

/// Time since this process (or its leadership term) began; the beginning itself is [`Moment::START`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// When this process (or its leadership term) began.
    pub const START: Self = Self(Duration::ZERO);

    /// The moment `elapsed` after the start.
    #[must_use]
    pub const fn after_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// Time from `earlier` to this moment; zero if `earlier` is later than this moment.
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

/// A source of time.
pub trait Clock: Send + Sync {
    /// Monotonic time, to order reads and writes.
    fn moment(&self) -> Moment;
    /// Wall-clock time, for display and for comparison with CloudFront's own times.
    fn wall(&self) -> Timestamp;
}
