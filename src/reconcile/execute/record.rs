//! Records in the object state how each call of a change ended. Reads the clock.

use std::collections::BTreeSet;

use super::Series;
use crate::{
    api::{Drift, Member},
    cloudfront::{ApiError, CloudFront, ErrorClass, Group},
    reconcile::{
        Inputs, ObjectView,
        drift_backoff::Continuation,
        members::MemberSet,
        object_state::ObjectState,
        plan::{RemainingWork, Update},
    },
};

/// Records in the object state how each call ended.
pub struct Record<'a, 'b, C> {
    pub state: &'a mut ObjectState,
    pub inputs: &'a Inputs<'b, C>,
}

impl<C: CloudFront> Record<'_, '_, C> {
    /// Records a change.
    pub fn ended<T>(&mut self, result: Result<T, ApiError>) -> Result<T, ApiError> {
        self.state.record_write(self.inputs.clock.moment());
        self.state.record_answer(&result, self.inputs.clock.moment());
        result
    }

    /// Records an update, whose answer shows the version that it produced.
    pub fn updated(&mut self, read: &Group, result: Result<Group, ApiError>) -> Result<Group, ApiError> {
        if let Ok(group) = &result {
            self.state.versions.updated(read, group, self.inputs.clock.moment());
            self.state.absent_since = None;
            self.state.has_seen_group = true;
        }
        self.ended(result)
    }

    /// Records a change that claims a group. A call that was refused claims nothing, unless the refusal may hide an earlier Create of ours.
    pub fn claimed<T>(&mut self, result: Result<T, ApiError>) -> Result<T, ApiError> {
        let may_take_effect = match &result {
            Ok(_) => true,
            Err(error) => {
                let may_hide_our_own = matches!(error.class, ErrorClass::AlreadyExists | ErrorClass::LimitExceeded);
                (may_hide_our_own || error.class.leaves_doubt()) && !bug!(DoubtfulCreateIsForgotten)
            }
        };
        if may_take_effect {
            self.state.record_claim(self.inputs.clock.moment());
        } else {
            self.state.record_write(self.inputs.clock.moment());
        }
        self.state.record_answer(&result, self.inputs.clock.moment());
        result
    }

    /// Records a failed change of tags: without an answer, their values are unknown.
    pub fn tags_in_doubt(&mut self, error: &ApiError, keys: &BTreeSet<String>) {
        if error.class.leaves_doubt() {
            self.state.tags.confirmed.forget(keys);
        }
    }

    /// Records out-of-band changes that were corrected, if any.
    pub fn corrected(&mut self, changes: &[Drift], left: &RemainingWork, view: &ObjectView<'_>) -> Series {
        if changes.is_empty() {
            return Series::Short;
        }
        let now = self.inputs.clock.moment();
        let rest = match left {
            _ if view.pause.is_some() => Continuation::AfterThePause,
            RemainingWork::Members | RemainingWork::Tags => Continuation::AtOnce,
            RemainingWork::Nothing
            | RemainingWork::Paused(_)
            | RemainingWork::TagsToShow
            | RemainingWork::Refused(_) => Continuation::Nothing,
        };
        let is_changed = |member: &&Member| changes.iter().any(|change| change.field == member.as_str());
        let members = Member::ALL.iter().filter(is_changed).copied().collect();
        self.state.drift_backoff.corrected(&members, rest, now);
        if self.state.drift_backoff.is_third_in_a_row(now) { Series::Flapping } else { Series::Short }
    }

    /// Records which changes of other clients remain after an update that was partial, or that CloudFront carried out without these members.
    pub fn remains(&mut self, update: &Update, kept: &MemberSet) {
        let corrected = &update.selection.members - kept;
        self.state.drift_backoff.record_uncorrected(&update.by_others - &corrected);
    }

    /// Records an update of members that succeeded.
    pub fn carried_out(&mut self, view: &ObjectView<'_>) {
        self.state.member_attempts = view.member_attempts.clone();
        self.state.member_attempts.carried_out();
    }

    /// Records an update of members that was refused because of its content.
    pub fn refused(&mut self, update: &Update, view: &ObjectView<'_>) {
        self.state.member_attempts = view.member_attempts.clone();
        self.state.member_attempts.refused(&update.selection, &update.open, &view.uid, view.now);
    }
}
