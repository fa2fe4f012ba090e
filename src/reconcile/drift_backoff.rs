//! Drift backoff: how fast out-of-band changes are corrected. The first is corrected at once, each further one after a longer pause. Pure.
//!
//! A tool that keeps changing a group (a forgotten script, a second source of truth) is reported, and not fought in a tight loop: each correction is a
//! roll-out. Edits of the object and requested reconciles do not wait.

use std::time::Duration;

use super::{backoff::Backoff, members::MemberSet};
use crate::clock::Moment;

/// What is remembered about corrected out-of-band changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DriftBackoff {
    rounds: u32,
    last: Moment,
    /// The members in which another client's change was read and is not corrected yet.
    uncorrected: MemberSet,
    /// Whether someone has asked for something since the last correction.
    waived: bool,
    /// If the last correction left more to correct, which follows at once: the members that were corrected since it began.
    continues: Option<MemberSet>,
}

/// The time until the next out-of-band change is corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Corrections so far, with less than [`PEACE`] between any two in a row.
    pub rounds: u32,
    /// The whole pause.
    pub length: Duration,
    /// What is left of it.
    pub left: Duration,
}

/// When the rest of an out-of-band change is corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuation {
    /// At once: the correction is a first step.
    AtOnce,
    /// There is no rest.
    Nothing,
    /// After the pause, during which this correction was made.
    AfterThePause,
}

/// A series ends after this long without a correction.
const PEACE: Duration = Duration::from_hours(1);

/// A third correction in one series is no accident.
const FLAPPING: u32 = 3;

impl DriftBackoff {
    /// Records the members in which another client's change is still to be corrected.
    pub fn record_uncorrected(&mut self, members: MemberSet) {
        self.uncorrected = members;
    }

    /// The members in which another client's change was read and is not corrected yet.
    #[must_use]
    pub const fn uncorrected(&self) -> &MemberSet {
        &self.uncorrected
    }

    /// Records an edit or a requested reconcile: it does not wait, and what differs now is not an out-of-band change.
    pub fn waive(&mut self) {
        self.uncorrected.clear();
        self.waived = true;
    }

    /// Records an out-of-band change of these members that was corrected; none for tags. What is left follows at once, without a pause, unless the same
    /// member had to be corrected again in between.
    pub fn corrected(&mut self, members: &MemberSet, rest: Continuation, now: Moment) {
        self.rounds = self.rounds(now).saturating_add(1);
        if rest != Continuation::AfterThePause {
            self.last = now;
        }
        self.waived = false;
        let before = self.continues.take().unwrap_or_default();
        let is_first = before.is_disjoint(members);
        self.continues = (rest == Continuation::AtOnce && is_first).then(|| &before | members);
    }

    /// Records that a change failed, or that there was nothing to change: what is left waits as any other correction does.
    pub fn interrupted(&mut self) {
        self.continues = None;
    }

    /// Corrections in the current series.
    #[must_use]
    pub fn rounds(&self, now: Moment) -> u32 {
        if now.since(self.last) < PEACE { self.rounds } else { 0 }
    }

    /// Whether this correction triggers the warning, even if no correction was delayed.
    #[must_use]
    pub fn is_third_in_a_row(&self, now: Moment) -> bool {
        self.rounds(now) == FLAPPING
    }

    /// Whether the next correction does not wait: someone has asked for something, or it follows another one.
    #[must_use]
    pub const fn is_exempt(&self) -> bool {
        self.waived || self.continues.is_some()
    }

    /// How long the next correction has to wait, if it has to.
    #[must_use]
    pub fn pause(&self, seed: &str, now: Moment) -> Option<Pause> {
        let rounds = self.rounds(now);
        if rounds == 0 || self.is_exempt() {
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
        (1..=rounds).for_each(|round| series.corrected(&MemberSet::new(), Continuation::Nothing, at(1000 * round)));
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
        assert!(after_rounds(3).is_third_in_a_row(at(3000)) && !after_rounds(4).is_third_in_a_row(at(4000)));
    }
}
