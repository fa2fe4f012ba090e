//! What the operator remembers about one object between reconciles. Lost on restart; safety must not depend on it. Pure.

use std::time::Duration;

use super::{
    ObjectView, Settings,
    drift_backoff::DriftBackoff,
    members::{MemberAttempts, MemberSet},
    observe::{Observed, Usage},
    ownership::{Owner, OwnerTag},
    plan::{Action, Block, Change, Finding, RemainingWork},
    report::{Field, Next, Report, Seen},
    tags::TagHistory,
    unlisted_use::UnlistedUse,
    unowned::Unowned,
    versions::OwnVersions,
};
use crate::{
    clock::Moment,
    cloudfront::{ApiError, ErrorClass, GroupId, Listing, Operation, Snapshot, Tenants},
};

/// State of one object, kept by uid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ObjectState {
    /// Consecutive failed reconciles.
    pub failures: u32,
    /// What the object waits for.
    pub awaits: Awaits,
    /// When the last mutation was answered or abandoned.
    pub last_write: Option<Moment>,
    /// Whether status shows the group as this process has seen it, in a read, a list or the answer to a change.
    pub has_seen_group: bool,
    /// Whether a mutation got no answer, and since then no mutation has succeeded and no read has shown the group in sync.
    pub unanswered: bool,
    /// The versions of the group that answered changes of this process have made and replaced.
    pub versions: OwnVersions,
    /// The tag changes of this process, which reads may not show yet.
    pub tags: TagHistory,
    /// Consecutive stale reads.
    pub rereads: u32,
    /// When a group was last claimed (by Create, adoption or takeover) by a call that has taken effect or may still do so. Initially the start of this process,
    /// because an earlier process may have sent a claim until then.
    pub last_claim: Moment,
    /// When the next full resync is due.
    pub resync_at: Option<Moment>,
    /// Backoff for the correction of out-of-band changes.
    pub drift_backoff: DriftBackoff,
    /// The group, if the last read showed it without an owner.
    pub unowned: Option<Unowned>,
    /// Since when no read has found the group, and no request of ours may have created or changed it.
    pub absent_since: Option<Moment>,
    /// The group whose Delete CloudFront has accepted, until a read shows a group of that name. Only messages depend on it.
    pub deleted: Option<GroupId>,
    /// Which members of the configuration have been tried.
    pub member_attempts: MemberAttempts,
    /// Since when every answer about the group's tenants has omitted their list.
    pub tenants_left_out_since: Option<Moment>,
    /// Since when every read has shown the owner or identity tag without a value.
    pub owner_unstated_since: Option<Moment>,
    /// Since when no read of the group's tenants has succeeded.
    pub usage_unknown_since: Option<Moment>,
    /// Deletes that CloudFront refused because the group is in use, although it lists no tenant.
    pub unlisted_use: UnlistedUse,
}

/// What an object waits for, after its last reconcile by this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Awaits {
    /// This process has not reconciled it yet.
    #[default]
    Unknown,
    /// Nothing, or a roll-out: the inventory shows when there is something to do.
    Inventory,
    /// Deletion: the roll-out of the disabled group.
    DisabledGroup,
    /// Deletion: proof that the group is gone, after a Delete, or after a read that did not find it.
    Absence,
    /// Something that the inventory does not show, or the end of a backoff.
    Other,
}

impl Awaits {
    /// Whether the object needs no reconcile until the inventory shows that its status is out of date.
    #[must_use]
    pub const fn is_woken_by_the_inventory(self) -> bool {
        match self {
            Self::Unknown | Self::Inventory | Self::DisabledGroup | Self::Absence => true,
            Self::Other => false,
        }
    }
}

impl ObjectState {
    /// Records a report.
    pub fn record_report(&mut self, report: &Report) {
        self.has_seen_group |= matches!(report.seen, Seen::Group(_) | Seen::Listed(_));
        if let Field::Set(awaits) = report.awaits {
            self.awaits = awaits;
        }
        self.rereads = match report.next {
            Next::ReadAgain => self.rereads.saturating_add(1),
            _ => 0,
        };
        self.failures = match (&report.next, &report.error) {
            (Next::Backoff(_), _) => self.failures.saturating_add(1),
            // A stale read is neither a success nor a failure. After a refusal something else is tried at once, but nothing has succeeded yet.
            (Next::ReadAgain, _) | (_, Some(_)) => self.failures,
            (_, None) => 0,
        };
    }

    /// Records the start of a reconcile. An edit ends the backoff after failures. An edit or a requested reconcile ends the pause of the drift backoff, and the
    /// wait for a group that CloudFront calls in use although it lists no tenant.
    pub fn record_start(&mut self, view: &ObjectView<'_>) {
        self.tags.begins(view.now);
        if view.spec_is_new() {
            self.failures = 0;
        }
        if view.is_asked_anew() {
            self.drift_backoff.waive();
            self.unlisted_use.ends();
        }
    }

    /// Records a failed read of the group's tenants. Any other failed read leaves no record.
    pub fn record_failed_tenants_read(&mut self, error: &ApiError, now: Moment) {
        if error.operation == Operation::ListDistributionTenants {
            self.usage_unknown_since.get_or_insert(now);
        }
    }

    /// Records what was read. A read that is older than a change of ours is ignored. Returns an error, which ends the reconcile, if the plan would depend on an
    /// answer that proves nothing.
    ///
    /// # Errors
    /// The answer about tenants omits their list, and not yet for long enough to count as an empty list. The emergency switch does not depend on them.
    pub fn record_read(&mut self, observed: &Observed, view: &ObjectView<'_>, now: Moment) -> Result<(), ApiError> {
        let (described, owner, usage) = match observed {
            Observed::Outdated => return Ok(()),
            Observed::Found { described, owner, usage } => (described, owner, usage),
            Observed::NotFound(_) => {
                self.usage_unknown_since = None;
                self.record_unowned(None, now);
                self.record_presence(false, now);
                return Ok(());
            }
            Observed::NotRead
            | Observed::Listed(_)
            | Observed::NeverThere
            | Observed::ClaimPending(..)
            | Observed::Unreadable => {
                self.usage_unknown_since = None;
                return Ok(());
            }
        };
        self.record_owner(owner, now);
        let unowned = OwnerTag::in_tags(&described.tags).is_none().then_some(&described.group.id);
        self.record_unowned(unowned, now);
        self.record_presence(true, now);
        match usage {
            Usage::Unknown => {}
            Usage::NotRead => self.usage_unknown_since = None,
            Usage::Tenants(tenants) => {
                self.usage_unknown_since = None;
                if tenants.any() {
                    self.unlisted_use.ends();
                }
                if !self.record_tenants(tenants, now, view.consistency_window)
                    // The emergency switch does not depend on who uses the group.
                    && (view.spec_enabled || described.group.config.enabled == Some(false))
                {
                    return Err(unlisted());
                }
            }
        }
        Ok(())
    }

    /// Records the plan: another client's changes are remembered until they are corrected or undone.
    pub fn record_plan(&mut self, action: &Action, view: &ObjectView<'_>) {
        match action {
            Action::Change(Change::Update(_, update)) => {
                self.drift_backoff.record_uncorrected(update.by_others.clone());
            }
            Action::None(Finding::Blocked(Block::Flapping(flapping))) => {
                self.drift_backoff.interrupted();
                self.drift_backoff.record_uncorrected(flapping.members.clone());
            }
            Action::Change(
                Change::Tag(.., RemainingWork::Paused(members)) | Change::Untag(.., RemainingWork::Paused(members)),
            ) => self.drift_backoff.record_uncorrected(members.clone()),
            Action::None(Finding::UpToDate(_)) => {
                self.drift_backoff.record_uncorrected(MemberSet::new());
                self.drift_backoff.interrupted();
                self.record_known_version(view);
            }
            Action::None(Finding::MembersRefused(..)) => {
                self.drift_backoff.interrupted();
                self.record_known_version(view);
            }
            // In mode Observe, status may not state whether the group is enabled: that stays in doubt.
            Action::None(Finding::Listed(_)) if view.status.enabled.is_some() => self.record_known_version(view),
            Action::Change(_) | Action::None(_) => {}
        }
    }

    /// Records that the group is as it is on record, or as the spec says. Once a consistency window has passed since the last change, this ends the doubt about
    /// its answer.
    fn record_known_version(&mut self, view: &ObjectView<'_>) {
        if self.last_write.is_none_or(|write| view.now.since(write) >= view.consistency_window) {
            self.unanswered = false;
        }
    }

    /// Records a mutation that was answered or abandoned. Lists and reads from before it are out of date.
    pub fn record_write(&mut self, now: Moment) {
        self.last_write = Some(now);
        self.tags.wrote(now);
    }

    /// Records how a mutation ended. An unanswered one may have taken effect; a refused one says nothing about an earlier one.
    pub fn record_answer<T>(&mut self, result: &Result<T, ApiError>, now: Moment) {
        if result.is_err() {
            self.drift_backoff.interrupted();
        }
        match result {
            Ok(_) => self.unanswered = false,
            Err(error) if error.class.leaves_doubt() => {
                self.unanswered = true;
                if matches!(error.operation, Operation::TagResource | Operation::UntagResource) {
                    self.tags.in_doubt(now);
                }
            }
            Err(_) => {}
        }
    }

    /// Records whether a read stated the group's owner.
    pub fn record_owner(&mut self, owner: &Owner, now: Moment) {
        self.owner_unstated_since =
            if *owner == Owner::Unstated { self.owner_unstated_since.or(Some(now)) } else { None };
    }

    /// Records whether a read found the group.
    pub fn record_presence(&mut self, found: bool, now: Moment) {
        self.absent_since = if found { None } else { self.absent_since.or(Some(now)) };
        if found {
            self.deleted = None;
        }
    }

    /// How long no read has found the group.
    #[must_use]
    pub fn absent_for(&self, now: Moment) -> Option<Duration> {
        self.absent_since.map(|since| now.since(since))
    }

    /// Records an answer about tenants, and returns whether it is believed: an omitted list counts as empty only once every answer has omitted it for a
    /// consistency window.
    pub fn record_tenants(&mut self, tenants: &Tenants, now: Moment, consistency_window: Duration) -> bool {
        if tenants.listing == Listing::Stated || tenants.any() {
            self.tenants_left_out_since = None;
            return true;
        }
        let since = *self.tenants_left_out_since.get_or_insert(now);
        now.since(since) >= consistency_window
    }

    /// How long no read of the tenants has succeeded.
    #[must_use]
    pub fn usage_unknown_for(&self, now: Moment) -> Option<Duration> {
        self.usage_unknown_since.map(|since| now.since(since))
    }

    /// Whether a list began after the last write of this process, and so shows all its writes.
    #[must_use]
    pub fn is_covered_by(&self, snapshot: &Snapshot) -> bool {
        self.last_write.is_none_or(|write| snapshot.began > write)
    }

    /// When the next full resync is due: at once, if none is planned.
    #[must_use]
    pub fn resync_due(&self) -> Moment {
        self.resync_at.unwrap_or(Moment::START)
    }

    /// Whether the full resync has been due for more than a whole interval.
    #[must_use]
    pub fn resync_overdue(&self, settings: &Settings, now: Moment) -> bool {
        now.since(self.resync_due()) > settings.resync_interval
    }
}

/// The answer about tenants omits their list, so it does not say that there are none.
fn unlisted() -> ApiError {
    let text = "the response has no list of distribution tenants, not even an empty one; the operator treats it as an empty list once this has lasted for the consistency window";
    ApiError::new(Operation::ListDistributionTenants, ErrorClass::Unexpected, None, text, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_list_that_began_before_the_last_write_proves_nothing() {
        let mut state = ObjectState::default();
        state.record_write(at(100));
        let began = |seconds| Snapshot { began: at(seconds), groups: std::collections::BTreeMap::new() };
        assert!(!state.is_covered_by(&began(100)));
        assert!(state.is_covered_by(&began(101)));
    }
}
