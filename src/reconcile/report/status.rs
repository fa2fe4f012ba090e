//! The status after a report. Reads the clock, otherwise pure: (report, intent, object view with the previous status) -> status. A report that says nothing
//! new returns the previous status, so that nothing is written.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Field, InSync, Report, Seen};
use crate::{
    api::{ConnectionGroup, ConnectionGroupStatus, set_message, set_standing},
    cloudfront::{Group, Members, Tags},
    reconcile::{Finalizer, Inputs, ObjectView, desired::Intent, text},
};

/// The object with the status of this process's last reconcile, if there was one: the cache may show an older status right after a write, and others may have
/// forged the stored one.
#[must_use]
pub fn with_last_status(mut object: ConnectionGroup, last: Option<&ConnectionGroupStatus>) -> ConnectionGroup {
    if let Some(last) = last.filter(|_| !bug!(StoredStatusIsBelieved)) {
        object.status = Some(last.clone());
    }
    object
}

/// The status after this report.
pub fn next_status<C>(
    report: &Report,
    intent: &Intent,
    view: &ObjectView<'_>,
    inputs: &Inputs<'_, C>,
) -> ConnectionGroupStatus {
    let now = stored(inputs.clock.wall()).0;
    let mut next = view.status.clone();
    if let (Seen::Group(group), Some(id)) = (&report.seen, view.id())
        && group.id != id
    {
        // What is on record belongs to another group.
        next.tags.clear();
        next.attached_anycast_ip_list_id = None;
        next.refused.clear();
    }
    show(&mut next, &report.seen);
    if matches!(report.seen, Seen::Group(_)) {
        next.installation = Some(view.claim.installation.to_string());
        next.owner = match (intent, &report.carries_owner_tag) {
            (Intent::Mirrored(_), Field::Keep) => next.owner,
            (Intent::Mirrored(_), Field::Set(false)) => None,
            _ => Some(view.claim.owner.to_string()),
        };
    }
    if report.finalizer == Finalizer::Release {
        next.owner = None;
    }
    if !bug!(SentTagsAreForgotten) {
        set(&mut next.tags, &report.tags);
    }
    set(&mut next.refused, &report.refused);
    if view.deleting || (report.standing.is_some() && report.refused == Field::Keep && view.is_asked_anew()) {
        next.refused.clear();
    }
    set(&mut next.attached_anycast_ip_list_id, &report.attached);
    if report.attached == Field::Keep && view.sent_tags_are_visible() && matches!(report.seen, Seen::Group(_)) {
        // Someone else detached or replaced it.
        let attached = next.anycast_ip_list_id.as_ref();
        next.attached_anycast_ip_list_id = next.attached_anycast_ip_list_id.filter(|ours| Some(ours) == attached);
    }
    match report.in_sync {
        InSync::AsBefore => {}
        InSync::Yes => next.synced_generation = Some(view.generation).filter(|_| nothing_is_left(&next.tags, intent)),
        InSync::No => next.synced_generation = None,
    }
    set(&mut next.drift, &report.drift);
    set(&mut next.carries_owner_tag, &report.carries_owner_tag);
    set(&mut next.blocked_by, &report.blocked_by);
    match report.standing {
        Some((standing, reason)) => {
            let drift = (!next.drift.is_empty()).then(|| text::drift(&next.drift));
            let standing = (standing, reason, report.message.as_str());
            next.conditions = set_standing(&next.conditions, standing, drift.as_deref(), view.generation, now);
            next.observed_generation = view.generation;
            next.last_handled_reconcile_at.clone_from(&view.requested_at);
        }
        None if report.message.is_empty() => {}
        None => set_message(&mut next.conditions, &report.message),
    }
    next
}

/// Whether the spec still names every tag on record as sent. Any other tag was not seen but may still show, and only a full read finds it.
fn nothing_is_left(sent: &Tags, intent: &Intent) -> bool {
    match intent {
        Intent::Present(desired) => sent.iter().all(|(key, value)| desired.tags.get(key) == Some(value)),
        Intent::Mirrored(_) | Intent::Absent { .. } | Intent::Suspended | Intent::Protected => true,
    }
}

fn set<T: Clone>(field: &mut T, change: &Field<T>) {
    if let Field::Set(value) = change {
        field.clone_from(value);
    }
}

fn show(status: &mut ConnectionGroupStatus, seen: &Seen) {
    match seen {
        Seen::Unchanged => {}
        Seen::Listed(summary) => {
            if let Some(deployment) = &summary.deployment {
                status.status = Some(deployment.as_str().to_owned());
            }
            if let Some(modified) = summary.modified {
                status.last_modified_time = Some(stored(modified));
            }
        }
        Seen::Group(group) => {
            // No `..`: every member of the response that the operator knows has its place in status.
            let Group {
                id,
                arn,
                name,
                etag,
                config,
                deployment,
                routing_endpoint,
                is_default,
                created,
                modified,
                // Nothing is decided by them: they are CloudFront's, and may be of any kind.
                elements: _,
            } = group;
            // What an answer omits was not stated: what was known about the same group, or the same version of it, stays.
            let same_group = status.id.as_deref() == Some(id.as_str());
            let same_version = same_group && status.e_tag.as_deref() == Some(etag.as_str());
            status.id = Some(id.to_string());
            status.arn = Some(arn.to_string());
            status.name = Some(name.to_string());
            status.e_tag = Some(etag.to_string());
            let Members { enabled, ipv6_enabled, anycast_ip_list_id } = config;
            status.enabled = *enabled;
            status.ipv6_enabled = *ipv6_enabled;
            status.anycast_ip_list_id = anycast_ip_list_id.as_ref().map(ToString::to_string);
            let stated = deployment.as_ref().map(|deployment| deployment.as_str().to_owned());
            update(&mut status.status, stated, same_version);
            update(&mut status.routing_endpoint, routing_endpoint.clone(), same_group);
            status.is_default = Some(*is_default);
            update(&mut status.created_time, created.map(stored), same_group);
            update(&mut status.last_modified_time, modified.map(stored), same_version);
        }
        Seen::Nothing => {
            let previous = std::mem::replace(status, ConnectionGroupStatus::UNSEEN);
            status.observed_generation = previous.observed_generation;
            status.last_handled_reconcile_at = previous.last_handled_reconcile_at;
            status.conditions = previous.conditions;
        }
    }
}

/// What was stated, otherwise what was known before, if that still holds.
fn update<T>(known: &mut Option<T>, stated: Option<T>, still_holds: bool) {
    *known = stated.or_else(|| known.take().filter(|_| still_holds));
}

/// A time as the API server stores it, in whole seconds: with fractions, a status would never equal the stored one.
fn stored(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}
