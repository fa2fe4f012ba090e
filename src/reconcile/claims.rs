//! Requests of ours that claim a group (Create, adoption, takeover) and may still take effect, or be too recent for a read to show them. Pure, part of the
//! object state. Source: docs/cloudfront-api.md, Idempotency.

use std::time::Duration;

use super::ObjectState;
use crate::clock::Moment;

impl ObjectState {
    /// Records a call that claims a group, answered or not.
    pub fn record_claim(&mut self, now: Moment) {
        self.record_write(now);
        self.last_claim = now;
        // That earlier reads found no group says nothing about the group that it claims.
        self.absent_since = None;
    }

    /// From when on no claim of ours can still take effect, or be too recent for a read to show it: reads are eventually consistent
    /// (docs/cloudfront-api.md, Idempotency).
    #[must_use]
    pub fn claims_pending_until(&self, consistency_window: Duration) -> Moment {
        let is_ours = self.last_claim > Moment::START;
        let may_land = (is_ours || !bug!(EarlierProcessIsForgotten)) && !bug!(ConsistencyWindowIsSkipped);
        if may_land { self.last_claim + consistency_window } else { self.last_claim }
    }

    /// How long until then; at most the consistency window.
    #[must_use]
    pub fn claims_pending_for(&self, consistency_window: Duration, now: Moment) -> Duration {
        self.claims_pending_until(consistency_window).since(now).min(consistency_window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    #[test]
    fn whatever_became_of_the_last_claim_it_may_land_for_one_consistency_window() {
        let window = Duration::from_mins(1);
        let mut state = ObjectState::default();
        assert_eq!(state.claims_pending_until(window), at(60), "an earlier process may have sent one");
        state.record_claim(at(100));
        state.record_write(at(200));
        assert_eq!(state.claims_pending_until(window), at(160));
    }
}
