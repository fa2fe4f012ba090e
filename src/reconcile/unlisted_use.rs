//! A group that CloudFront does not delete because it is in use, although it lists no tenant that uses it. Pure, part of the object
//! state.
//!
//! In: Deletes that CloudFront refused. Out: whether the group counts as in use, so that it serves again, and when its deletion is retried.

use std::time::Duration;

use crate::{api::ConnectionGroupStatus, clock::Moment};

/// How long such a group stays enabled before the first retry.
const FIRST_PAUSE: Duration = Duration::from_hours(1);
const LONGEST_PAUSE: Duration = Duration::from_hours(24);

/// The Deletes that CloudFront refused, if any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct UnlistedUse(Option<Refusals>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Refusals {
    first: Moment,
    last: Moment,
    /// How many Deletes were refused after a pause in which the group was enabled.
    rounds: u32,
}

impl UnlistedUse {
    /// Records a Delete that CloudFront refused because the group is in use.
    pub fn delete_was_refused(&mut self, now: Moment, consistency_window: Duration) {
        self.0 = Some(match self.0 {
            None => Refusals { first: now, last: now, rounds: 0 },
            Some(refusals) if refusals.are_proof(consistency_window) => {
                Refusals { last: now, rounds: refusals.rounds.saturating_add(1), ..refusals }
            }
            Some(refusals) => Refusals { last: now, ..refusals },
        });
    }

    /// Records that tenants are listed, or that a person asks to try again.
    pub const fn ends(&mut self) {
        self.0 = None;
    }

    /// Whether a Delete was refused.
    #[must_use]
    pub const fn is_known(self) -> bool {
        self.0.is_some()
    }

    /// Whether the group counts as in use although no tenant is listed.
    #[must_use]
    pub fn holds(self, now: Moment, consistency_window: Duration) -> bool {
        let refusals = self.0.filter(|_| !bug!(UnlistedUseIsIgnored));
        refusals.is_some_and(|it| it.are_proof(consistency_window) && now.since(it.last) < it.pause())
    }

    /// Whether an earlier process enabled the group again for this reason: a restart is no reason to disable it again.
    #[must_use]
    pub fn may_be_recent(self, status: &ConnectionGroupStatus, now: Moment) -> bool {
        let unlisted = status.blocked_by.as_ref().is_some_and(|blocked_by| blocked_by.count == 0);
        unlisted && !self.is_known() && now.since(Moment::START) < FIRST_PAUSE
    }
}

impl Refusals {
    /// Whether they span more time than a list of tenants can be stale.
    fn are_proof(self, consistency_window: Duration) -> bool {
        self.last.since(self.first) >= consistency_window
    }

    /// How long the group stays enabled before its deletion is retried.
    fn pause(self) -> Duration {
        FIRST_PAUSE.saturating_mul(1 << self.rounds.min(5)).min(LONGEST_PAUSE)
    }
}
