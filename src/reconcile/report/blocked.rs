//! Reports on what a reconcile waits for, and on groups that it does not touch. Pure: [`Block`] or [`NotManaged`] -> [`Report`].

use super::{Field, InSync, Next, Report, Seen, states::reconciling};
use crate::{
    api::{BlockedBy, ConditionReason, Standing},
    cloudfront::Group,
    reconcile::{
        ObjectView,
        backoff::Backoff,
        ownership::Rival,
        plan::{Block, Flapping, NotManaged, Protected},
        text,
    },
};

pub fn blocked(block: Block, view: &ObjectView<'_>) -> Report {
    match block {
        Block::Suspended => suspended(view),
        Block::DeletionProtected(protected) => {
            let (seen, next) = match protected {
                Protected::NotRead => (Seen::Unchanged, Next::Resync),
                Protected::Listed(summary) => (Seen::Listed(summary), Next::Resync),
                Protected::Ours(described) => (Seen::Group(described.group), Next::Resync),
                Protected::NotOurs => (Seen::Unchanged, Next::Backoff(Backoff::Slow)),
            };
            let text = text::deletion_protected(view.spec_enabled);
            reconciling(seen, ConditionReason::DeletionProtected, text).then(next)
        }
        Block::TagsPending(read, shown_in) => {
            let traffic = if view.deleting { "" } else { text::traffic_once_ours(view.traffic_once_ours(&read.group)) };
            let text = text::tags_pending(&view.name, view.deleting, view.consistency_window) + traffic;
            reconciling(Seen::Unchanged, ConditionReason::TagsPending, text).then(Next::After(shown_in))
        }
        Block::OwnerUnstated(read) if view.is_reported_ready(&read.group) && !view.owner_unstated_for_long => {
            Report { in_sync: InSync::No, ..Report::unchanged() }.then(Next::Backoff(Backoff::Slow))
        }
        Block::OwnerUnstated(_) => {
            let text = text::owner_unstated(&view.name, view.deleting);
            reconciling(Seen::Unchanged, ConditionReason::OwnerTagEmpty, text).then(Next::Backoff(Backoff::Slow))
        }
        Block::ClaimPending(left, elsewhere) => {
            let (reason, text) = match elsewhere {
                Some(installation) => (
                    ConditionReason::AnotherInstallation,
                    text::elsewhere_until_released(
                        &view.name,
                        &installation,
                        &view.claim.installation,
                        view.consistency_window,
                    ),
                ),
                None => (ConditionReason::ClaimPending, text::claim_pending(&view.name, view.consistency_window)),
            };
            reconciling(Seen::Unchanged, reason, text).then(Next::After(left))
        }
        Block::TagsOfAnother => {
            reconciling(Seen::Nothing, ConditionReason::Adopting, text::tags_of_another(&view.name)).then(Next::Now)
        }
        Block::OwnerMayShow(read, left) => {
            let text = text::owner_may_show(&view.name, view.consistency_window)
                + text::traffic_once_ours(view.traffic_once_ours(&read.group));
            reconciling(Seen::Unchanged, ConditionReason::Adopting, text).then(Next::After(left))
        }
        Block::OwnerTagMissing(read, left) if view.is_reported_ready(&read.group) => {
            Report { in_sync: InSync::No, ..Report::unchanged() }.then(Next::After(left))
        }
        Block::OwnerTagMissing(read, left) => {
            let (reason, text) = if view.is_recorded_as_ours(&read.group) {
                let text = text::owner_tag_missing(&view.name, view.deleting, view.consistency_window);
                (ConditionReason::OwnerTagMissing, text)
            } else {
                (ConditionReason::TagsPending, text::owner_tag_may_show(&view.name, view.consistency_window))
            };
            let report = reconciling(Seen::Unchanged, reason, text).then(Next::After(left));
            Report { drift: Field::Keep, ..report }
        }
        Block::Flapping(flapping) => {
            let Flapping { described, changes, members: _, pause } = *flapping;
            let text = text::flapping(&view.name, &changes, pause);
            reconciling(Seen::Group(described.group), ConditionReason::DriftFlapping, text)
                .then(Next::After(pause.left))
        }
        Block::InUse(described, tenants) => {
            let text = text::in_use(&view.name, &tenants, &described.group);
            // An empty page with more to follow counts as at least one; zero means that CloudFront calls the group in use without listing a tenant.
            let count = tenants.count.max(usize::from(tenants.any()));
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            let blocked_by = Field::Set(Some(BlockedBy { count, tenants: tenants.names }));
            let report = reconciling(Seen::Group(described.group), ConditionReason::InUse, text)
                .then(Next::Backoff(Backoff::Slow));
            Report { blocked_by, ..report }
        }
    }
}

/// Conditions keep their values and only the message changes. An object that was never reconciled, or is being deleted, reports that it waits.
fn suspended(view: &ObjectView<'_>) -> Report {
    let text = text::suspended(view.deleting, view.enablement());
    if view.deleting || view.status.conditions.is_empty() {
        return reconciling(Seen::Unchanged, ConditionReason::Suspended, text);
    }
    Report { message: text, ..Report::unchanged() }
}

pub fn not_managed(group: &Group, why: &NotManaged, view: &ObjectView<'_>) -> Report {
    let name = &view.name;
    let traffic = view.traffic_once_ours(group);
    let (reason, text) = match why {
        NotManaged::NotOwned(Rival::Object(owner)) => {
            (ConditionReason::NotOwned, text::not_owned(name, owner, traffic))
        }
        NotManaged::NotOwned(Rival::Namesake(namesake)) => {
            (ConditionReason::NotOwned, text::of_a_namesake(name, namesake, traffic))
        }
        NotManaged::NotOwned(Rival::Foreign(foreign)) => {
            (ConditionReason::NotOwned, text::of_another_owner_id(name, foreign, traffic))
        }
        NotManaged::Elsewhere(installation) => (
            ConditionReason::AnotherInstallation,
            text::elsewhere(name, installation, &view.claim.installation, traffic),
        ),
        NotManaged::DefaultGroup => (ConditionReason::DefaultGroup, text::default_group(name)),
        NotManaged::AdoptionRefused(obstacle) => {
            (ConditionReason::AdoptionRefused, text::adoption_refused(name, obstacle))
        }
    };
    let text = text + text::CHECKS_AGAIN;
    Report::new(Seen::Nothing, Standing::Stalled, reason, text).then(Next::Backoff(Backoff::Slow))
}
