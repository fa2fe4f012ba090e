//! Reports on a reconcile that changes nothing. Pure: [`Finding`] -> [`Report`].

use super::{
    Field, InSync, Next, Report, Seen,
    blocked::{blocked, not_managed},
    states::{
        after_our_delete, disabling, in_sync, kept_list, members_refused, reconciling, release, standing_of,
        until_tags_show,
    },
};
use crate::{
    api::{ConditionReason, Drift, EventReason, Mode},
    cloudfront::{AnycastIpListId, ApiError, Described, Summary},
    reconcile::{
        ObjectView,
        backoff::Backoff,
        desired::Intent,
        object_state::Awaits,
        ownership::OwnerTag,
        plan::{Finding, LeftBehind, Release},
        text,
    },
};

/// Reports on what was found. `inventory_error` says why the last inventory failed, if it did.
pub fn of_finding(
    finding: Finding,
    intent: &Intent,
    view: &ObjectView<'_>,
    inventory_error: Option<&ApiError>,
) -> Report {
    match finding {
        Finding::NotRead => unchanged(view),
        Finding::Outdated => Report::unchanged().then(Next::ReadAgain),
        Finding::Listed(summary) => listed(summary, intent, view),
        Finding::UpToDate(described) => up_to_date(described, intent, view),
        Finding::Mirrored(described, drift) => mirrored(described, drift, intent, view),
        Finding::NothingToMirror => {
            reconciling(Seen::Nothing, ConditionReason::GroupNotFound, text::not_found_to_mirror(&view.name))
        }
        Finding::ConfirmAbsence => {
            let mode = if matches!(intent, Intent::Mirrored(_)) { Mode::Observe } else { Mode::Manage };
            let text = text::confirming_absence(&view.name, inventory_error, view.consistency_window, mode);
            let next = match inventory_error {
                Some(_) => Next::After(view.absence_confirmed_in),
                None => Next::WithTheInventory,
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
            report.with_changed_outside(vec![gone]).warning(EventReason::DeletedOutside, "Read", text)
        }
        Finding::AwaitDisabled(described) => disabling(described.group),
        Finding::ConfirmGone(_) => {
            let text =
                after_our_delete(text::confirming_gone(&view.name, inventory_error, view.consistency_window), view);
            let next = if inventory_error.is_some() { Next::Backoff(Backoff::Slow) } else { Next::WithTheInventory };
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
        Finding::NotManaged(described, why) => not_managed(&described.group, &why, view),
    }
}

fn up_to_date(described: Described, intent: &Intent, view: &ObjectView<'_>) -> Report {
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

/// Mode Observe: the group as it is.
fn mirrored(described: Described, drift: Vec<Drift>, intent: &Intent, view: &ObjectView<'_>) -> Report {
    let conclusive = tags_are_conclusive(&described, intent, view);
    let is_marked = view.claim.is_in(&described.tags);
    // One read without an owner tag may be stale.
    let shows_no_owner = OwnerTag::in_tags(&described.tags).is_none();
    let shown_in =
        (shows_no_owner && view.may_still_be_ours(&described.group)).then(|| view.owner_may_show_for(&described.group));
    let mut report = in_sync(described.group, intent, view);
    if is_marked {
        report.message += text::KEPT_OWNER_TAG;
    }
    let report = Report { drift: Field::Set(drift), carries_owner_tag: Field::Set(is_marked), ..report };
    match shown_in {
        Some(time) => until_tags_show(Report { carries_owner_tag: Field::Keep, ..report }, time),
        None if conclusive => report,
        None => until_tags_show(report, view.sent_tags_visible_in),
    }
}

/// Nothing is new. A deletion that waits for a roll-out keeps reading the tenants, because their traffic is down.
fn unchanged(view: &ObjectView<'_>) -> Report {
    let next = if view.deleting { Next::Tenants } else { Next::Resync };
    Report::unchanged().then(next)
}

/// Whether a read shows for certain how the group's tags compare with the spec; tags that were just sent may not show yet.
fn tags_are_conclusive(read: &Described, intent: &Intent, view: &ObjectView<'_>) -> bool {
    match intent {
        Intent::Present(desired) => desired.tags_are_in(&read.tags) && !view.tags_may_be_old(desired),
        Intent::Mirrored(desired) => !view.tags_may_be_old(desired),
        Intent::Suspended | Intent::Protected | Intent::Absent { .. } => true,
    }
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
