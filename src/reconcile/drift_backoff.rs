//! How fast the changes of others are corrected: the first at once, each further one after a longer pause. Pure.
//!
//! A tool that keeps changing a group, a forgotten script or a second source of truth, is told of, and not fought in a tight loop: each round
//! is a roll-out. Whoever edits the object or asks for a reconcile does not wait.

use std::time::Duration;

use super::backoff::Backoff;
use crate::clock::Moment;

/// What is remembered of changes by others that were corrected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DriftBackoff {
    rounds: u32,
    last: Moment,
    /// Whether a change of others was read, and is not corrected yet.
    open: bool,
    /// Whether somebody has asked for something since the last round.
    waived: bool,
}

/// The time until the next change of others is corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Changes that were corrected so far, with less than [`PEACE`] between two of them.
    pub rounds: u32,
    /// The whole pause.
    pub length: Duration,
    /// What is left of it.
    pub left: Duration,
}

/// So long after the last round, a series is over.
const PEACE: Duration = Duration::from_hours(1);

/// From the third round on it is no accident.
const FLAPPING: u32 = 3;

impl DriftBackoff {
    /// Takes note of whether what was just read is a change of others.
    pub const fn observed(&mut self, changed_by_others: bool) {
        self.open = changed_by_others;
    }

    /// Whether a change of others was read, and is not corrected yet.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open
    }

    /// Takes note of an edit, or of a requested reconcile: whoever asks does not wait, and what differs now is not others' doing.
    pub const fn waive(&mut self) {
        self.open = false;
        self.waived = true;
    }

    /// Takes note of a change of others that was corrected.
    pub fn corrected(&mut self, now: Moment) {
        self.rounds = self.rounds(now).saturating_add(1);
        self.last = now;
        (self.open, self.waived) = (false, false);
    }

    /// Rounds of the series that is going on.
    #[must_use]
    pub fn rounds(&self, now: Moment) -> u32 {
        if now.since(self.last) < PEACE { self.rounds } else { 0 }
    }

    /// The round by which people are to be told, even if none had to wait.
    #[must_use]
    pub fn is_flapping(&self, now: Moment) -> bool {
        self.rounds(now) == FLAPPING
    }

    /// How long the next change of others has to wait, if it has to.
    #[must_use]
    pub fn pause(&self, seed: &str, now: Moment) -> Option<Pause> {
        let rounds = self.rounds(now);
        if rounds == 0 || self.waived {
            return None;
        }
        let length = Backoff::Quick.delay(rounds, seed);
        let left = length.saturating_sub(now.since(self.last));
        (!left.is_zero()).then_some(Pause { rounds, length, left })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    fn after_rounds(rounds: u64) -> DriftBackoff {
        let mut series = DriftBackoff::default();
        (1..=rounds).for_each(|round| series.corrected(at(1000 * round)));
        series
    }

    #[test]
    fn nobody_waits_before_the_first_round_and_the_pause_ends() {
        assert_eq!(after_rounds(0).pause("uid", at(0)), None);
        let pause = after_rounds(1).pause("uid", at(1000)).unwrap();
        assert_eq!((pause.rounds, pause.left), (1, pause.length));
        assert_eq!(after_rounds(1).pause("uid", at(1002)), None);
    }

    #[test]
    fn the_pause_grows_and_its_rest_shrinks() {
        let pause = after_rounds(6).pause("uid", at(6010)).unwrap();
        assert!(pause.length > Duration::from_secs(50) && pause.length <= Duration::from_secs(64));
        assert_eq!(pause.left + Duration::from_secs(10), pause.length);
    }

    #[test]
    fn an_hour_without_a_round_is_peace() {
        assert_eq!(after_rounds(3).rounds(at(3000 + 3599)), 3);
        assert_eq!(after_rounds(3).rounds(at(3000 + 3600)), 0);
        assert!(after_rounds(3).is_flapping(at(3000)) && !after_rounds(4).is_flapping(at(4000)));
    }
}
