//! Reports on a reconcile that changes nothing. Pure: [`Finding`] -> [`Report`].

use std::time::Duration;

use super::{Field, InSync, Next, Report, Seen};
use crate::{
    api::{BlockedBy, ConditionReason, Drift, EventReason, RefusedMember, Standing},
    cloudfront::{AnycastIpListId, ApiError, Deployment, Described, Group, Summary},
    reconcile::{
        Finalizer, ObjectView,
        backoff::Backoff,
        desired::Intent,
        diff::differences,
        object_state::Awaits,
        plan::{Block, Finding, Flapping, LeftBehind, Protected, Refusal, Release, RemainingWork},
        refusal::verdict,
        tags::TAGS_VISIBLE_WITHIN,
        text,
    },
};

/// Reports on what was found. `list_error` says why the last inventory failed, if it did.
pub fn of_finding(finding: Finding, intent: &Intent, view: &ObjectView<'_>, list_error: Option<&ApiError>) -> Report {
    match finding {
        Finding::NotRead => unchanged(view),
        Finding::Outdated => Report::unchanged().then(Next::ReadAgain),
        Finding::Listed(summary) => listed(summary, intent, view),
        Finding::UpToDate(described) => {
            let mut tags = view.tags_sent_to(&described.group);
            // A tag that was sent and that the spec no longer names may still show, and must then be known as ours. A tag that was only found is never ours.
            if let (Intent::Present(desired), true) = (intent, view.sent_tags_are_visible()) {
                tags.retain(|key, value| desired.tags.get(key) == Some(value));
                if bug!(FoundTagsAreOurs) {
                    tags.clone_from(&desired.tags);
                }
            }
            let conclusive = tags_are_conclusive(&described, intent, view);
            let report = Report { tags: Field::Set(tags), ..in_sync(described.group, intent, view) };
            if conclusive { report } else { until_tags_show(report, view.sent_tags_visible_in) }
        }
        Finding::Mirrored(described, drift) => {
            let conclusive = tags_are_conclusive(&described, intent, view);
            let is_marked = view.claim.is_in(&described.tags);
            let mut report = in_sync(described.group, intent, view);
            if is_marked {
                report.message += text::KEPT_OWNER_TAG;
            }
            let report = Report { drift: Field::Set(drift), carries_owner_tag: Field::Set(is_marked), ..report };
            if conclusive { report } else { until_tags_show(report, view.sent_tags_visible_in) }
        }
        Finding::NothingToMirror => {
            reconciling(Seen::Nothing, ConditionReason::GroupNotFound, text::not_found_to_mirror(&view.name))
        }
        Finding::ConfirmAbsence => {
            let text = text::confirming_absence(&view.name, list_error, view.consistency_window);
            let next = match list_error {
                Some(_) => Next::After(view.absence_confirmed_in),
                None => Next::WithTheList,
            };
            let report = reconciling(Seen::Unchanged, ConditionReason::ConfirmingAbsence, text).then(next);
            Report { drift: Field::Keep, ..report }
        }
        Finding::DeletedOutside => {
            let text = text::deleted_outside(&view.name, view.status.id.as_deref().unwrap_or_default());
            let id = view.status.id.clone().unwrap_or_default();
            let gone = Drift { field: "group".to_owned(), desired: id, observed: String::new() };
            // If the group shows again, our tags on it must still be known as ours.
            let tags = Field::Set(view.status.tags.clone());
            let report = reconciling(Seen::Nothing, ConditionReason::DeletedOutside, text.clone()).then(Next::Now);
            let report = Report { tags, ..report };
            report.with_drift(vec![gone]).warning(EventReason::DeletedOutside, "Read", text)
        }
        Finding::AwaitDisabled(described) => disabling(described.group),
        Finding::ConfirmGone(_) => {
            let text = text::confirming_gone(&view.name, list_error, view.consistency_window);
            let next = if list_error.is_some() { Next::Backoff(Backoff::Slow) } else { Next::WithTheList };
            reconciling(Seen::Unchanged, ConditionReason::Deleting, text).awaiting(Awaits::Absence).then(next)
        }
        Finding::Release(why) => {
            let enabled = match why {
                Release::Observed(LeftBehind::MarkedGroup(enabled)) => enabled,
                Release::Gone
                | Release::NotOurs
                | Release::Elsewhere(_)
                | Release::Retained
                | Release::Observed(LeftBehind::Nothing | LeftBehind::Group | LeftBehind::Unknown) => None,
            };
            release(&why, enabled, view)
        }
        Finding::Blocked(block) => blocked(block, view),
        Finding::MembersRefused(described, refused) => members_refused(described.group, refused, view),
        Finding::Refuse(_, refusal) => refuse(&refusal, view),
    }
}

/// Nothing is new. A deletion that waits for a roll-out keeps reading the tenants, because their traffic is down.
fn unchanged(view: &ObjectView<'_>) -> Report {
    let next = if view.deleting { Next::Tenants } else { Next::Resync };
    Report::unchanged().then(next)
}

/// The group matches its spec; the deployment status decides whether it is Ready.
pub fn in_sync(group: Group, intent: &Intent, view: &ObjectView<'_>) -> Report {
    let Group { routing_endpoint, config, deployment, modified, .. } = &group;
    let mut text = text::deployed(routing_endpoint.as_deref(), config.enabled, deployment.as_ref(), *modified);
    if config.ipv6_enabled.is_none() {
        text += text::IPV6_NOT_STATED;
    }
    if let Some(list) = kept_list(intent, config.anycast_ip_list_id.as_ref(), view.attached_list(&group).as_ref()) {
        text += &text::list_kept(list);
    }
    let (standing, reason) = standing_of(deployment.as_ref(), config.enabled);
    let report = Report::new(Seen::Group(group), standing, reason, text);
    Report { refused: Field::Set(Vec::new()), in_sync: InSync::Yes, ..report }.awaiting(Awaits::Inventory)
}

/// Whether a read shows for certain how the group's tags compare with the spec; tags that were just sent may not show yet.
fn tags_are_conclusive(read: &Described, intent: &Intent, view: &ObjectView<'_>) -> bool {
    match intent {
        Intent::Present(desired) => desired.tags_are_in(&read.tags) && !view.tags_may_be_old(desired),
        Intent::Mirrored(desired) => !view.tags_may_be_old(desired),
        Intent::Suspended | Intent::Protected | Intent::Absent { .. } => true,
    }
}

/// Whether the group matches the spec, as far as CloudFront stated it. Never true for a group that is to be deleted.
pub fn is_as_asked(described: &Described, intent: &Intent, view: &ObjectView<'_>) -> bool {
    match intent {
        Intent::Present(desired) => {
            differences(desired, described, view.attached_list(&described.group).as_ref()).is_empty()
        }
        Intent::Suspended | Intent::Protected | Intent::Mirrored(_) | Intent::Absent { .. } => false,
    }
}

/// The list that the group keeps although this object did not attach it, because the spec names none.
pub fn kept_list<'a>(
    intent: &Intent,
    read: Option<&'a AnycastIpListId>,
    ours: Option<&AnycastIpListId>,
) -> Option<&'a AnycastIpListId> {
    match intent {
        Intent::Present(desired) => desired.kept_list(read, ours),
        Intent::Suspended | Intent::Protected | Intent::Mirrored(_) | Intent::Absent { .. } => None,
    }
}

/// CloudFront refused members of the spec; the rest is carried out, or will be.
pub fn members_refused(group: Group, refused: Vec<RefusedMember>, view: &ObjectView<'_>) -> Report {
    let (reason, standing) = verdict(&refused);
    let text = text::members_refused(&view.name, &refused, group.config.anycast_ip_list_id.as_ref());
    let pause = view.member_attempts.pause(view.now);
    let next = if pause.is_zero() { Next::Resync } else { Next::After(pause) };
    let report = Report::new(Seen::Group(group), standing, reason, text).then(next);
    Report { refused: Field::Set(refused), ..report }
}

/// A mutation is done; the report depends on what is left to do.
pub fn after(group: Group, left: RemainingWork, intent: &Intent, view: &ObjectView<'_>) -> Report {
    // Do not report Deploying while work remains: the next reconcile would then trust the inventory, which shows neither IPv6 nor tags.
    match left {
        RemainingWork::Nothing => in_sync(group, intent, view),
        RemainingWork::Members => {
            let text = "Part of the configuration matches the spec. The operator updates the rest next.".to_owned();
            reconciling(Seen::Group(group), ConditionReason::Updating, text).then(Next::Now)
        }
        RemainingWork::Tags => {
            let text = "The operator updates the tags next.".to_owned();
            reconciling(Seen::Group(group), ConditionReason::Updating, text).then(Next::Now)
        }
        RemainingWork::TagsToShow => until_tags_show(in_sync(group, intent, view), TAGS_VISIBLE_WITHIN),
        RemainingWork::Refused(refused) => members_refused(group, refused, view),
    }
}

/// Reads may not show the tags as they are: only another full read does.
fn until_tags_show(report: Report, time: Duration) -> Report {
    Report { in_sync: InSync::No, ..report }.then(Next::After(time))
}

/// The group is disabled so that it can be deleted.
pub fn disabling(group: Group) -> Report {
    let text = text::disabling(group.deployment.as_ref());
    reconciling(Seen::Group(group), ConditionReason::Disabling, text)
        .awaiting(Awaits::DisabledGroup)
        .then(Next::Tenants)
}

/// The object is released.
pub fn release(why: &Release, enabled: Option<bool>, view: &ObjectView<'_>) -> Report {
    let text = text::released(&view.name, why, &view.claim.owner, enabled);
    let (reason, event) = match why {
        Release::Gone => (ConditionReason::Deleted, EventReason::Deleted),
        Release::NotOurs | Release::Elsewhere(_) | Release::Retained | Release::Observed(_) => {
            (ConditionReason::Released, EventReason::Released)
        }
    };
    let report = reconciling(Seen::Unchanged, reason, text.clone());
    let report = Report { finalizer: Finalizer::Release, ..report };
    if enabled == Some(false) && view.spec_enabled {
        report.warning(event, "Release", text)
    } else {
        report.normal(event, "Release", text)
    }
}

/// A report of work in progress.
pub fn reconciling(seen: Seen, reason: ConditionReason, text: String) -> Report {
    Report::new(seen, Standing::Reconciling, reason, text)
}

fn listed(summary: Summary, intent: &Intent, view: &ObjectView<'_>) -> Report {
    if view.deleting {
        return unchanged(view);
    }
    let enabled = summary.enabled.or(view.status.enabled);
    let deployment = summary.deployment.clone().or_else(|| view.deployment());
    let (standing, reason) = standing_of(deployment.as_ref(), enabled);
    let endpoint = view.status.routing_endpoint.as_deref();
    let mut text = text::deployed(endpoint, enabled, deployment.as_ref(), summary.modified);
    if view.status.ipv6_enabled.is_none() {
        text += text::IPV6_NOT_STATED;
    }
    let ours = view.status.attached_anycast_ip_list_id.as_deref().map(AnycastIpListId::new);
    if let Some(list) = kept_list(intent, summary.anycast_ip_list_id.as_ref(), ours.as_ref()) {
        text += &text::list_kept(list);
    }
    if view.status.carries_owner_tag {
        text += text::KEPT_OWNER_TAG;
    }
    let report = Report::new(Seen::Listed(summary), standing, reason, text);
    let report = Report { drift: Field::Keep, carries_owner_tag: Field::Keep, in_sync: InSync::AsBefore, ..report };
    report.awaiting(Awaits::Inventory)
}

fn standing_of(deployment: Option<&Deployment>, enabled: Option<bool>) -> (Standing, ConditionReason) {
    match (deployment, enabled) {
        (Some(Deployment::Pending(_)), _) if bug!(ReadyBeforeRollout) => (Standing::Ready, ConditionReason::Deployed),
        (Some(Deployment::Pending(_)) | None, _) => (Standing::Reconciling, ConditionReason::Deploying),
        (Some(Deployment::Deployed), Some(true) | None) => (Standing::Ready, ConditionReason::Deployed),
        (Some(Deployment::Deployed), Some(false)) => (Standing::Ready, ConditionReason::Disabled),
    }
}

fn blocked(block: Block, view: &ObjectView<'_>) -> Report {
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
        Block::TagsPending(shown_in) => {
            let text = text::tags_pending(&view.name, view.deleting, view.consistency_window);
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
        Block::OwnerMayShow(left) => {
            let text = text::owner_may_show(&view.name, view.consistency_window);
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
            let text = text::in_use(&view.name, &tenants, described.group.config.enabled);
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

fn refuse(refusal: &Refusal, view: &ObjectView<'_>) -> Report {
    let name = &view.name;
    let (reason, text) = match refusal {
        Refusal::NotOwned(owner) => (ConditionReason::NotOwned, text::not_owned(name, owner)),
        Refusal::Elsewhere(installation) => {
            (ConditionReason::AnotherInstallation, text::elsewhere(name, installation, &view.claim.installation))
        }
        Refusal::DefaultGroup => (ConditionReason::DefaultGroup, text::default_group(name)),
        Refusal::AdoptionRefused(obstacle) => {
            (ConditionReason::AdoptionRefused, text::adoption_refused(name, obstacle))
        }
    };
    Report::new(Seen::Nothing, Standing::Stalled, reason, text).then(Next::Backoff(Backoff::Slow))
}
