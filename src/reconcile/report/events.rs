//! The events of a report, and the drift that it is the first to see. Pure.

use super::{Field, Next, Report, Seen, finding::kept_list};
use crate::{
    api::{ConnectionGroupStatus, Drift, Reason, Standing},
    cloudfront::AnycastIpListId,
    reconcile::{Event, ObjectView, Severity, desired::Intent, text},
};

/// The events to emit, in order: what was done, then the new state of the object.
pub fn events(report: &Report, next: &ConnectionGroupStatus, intent: &Intent, view: &ObjectView<'_>) -> Vec<Event> {
    let state = new_state(report, view);
    report.events.iter().cloned().chain(state).chain(kept_list_is_new(report, next, intent, view)).collect()
}

/// Out-of-band changes; in mode Observe, those that status does not show yet.
pub fn new_drift(report: &Report, view: &ObjectView<'_>) -> Vec<Drift> {
    let Field::Set(mirrored) = &report.drift else { return report.changed_outside.clone() };
    let is_new = |found: &&Drift| view.status.drift.iter().all(|shown| shown.field != found.field);
    report.changed_outside.iter().chain(mirrored.iter().filter(is_new)).cloned().collect()
}

/// An event for a new state, once for each. A reconcile that continues at once emits none.
fn new_state(report: &Report, view: &ObjectView<'_>) -> Option<Event> {
    let (standing, reason) = report.standing?;
    let is_told = |event: &Event| event.reason == reason;
    if view.reason() == Some(reason.as_str()) || report.events.iter().any(is_told) {
        return None;
    }
    // Each refused member has an event of its own.
    if matches!(&report.refused, Field::Set(refused) if !refused.is_empty()) {
        return None;
    }
    let severity = match (standing, reason) {
        (Standing::Reconciling, _) if report.next == Next::Now => return None,
        (
            _,
            Reason::Adopting
            | Reason::ConfirmingAbsence
            | Reason::Deploying
            | Reason::Disabling
            | Reason::Deleting
            | Reason::Suspended,
        ) => {
            return None;
        }
        (Standing::Ready, _) => Severity::Normal,
        (Standing::Reconciling | Standing::Stalled, _) => Severity::Warning,
    };
    Some(Event { severity, reason, action: "Reconcile", note: report.message.clone() })
}

/// An event for an attached list that stays although it is not ours: once for each list, and once more for each edit of the spec.
fn kept_list_is_new(
    report: &Report,
    next: &ConnectionGroupStatus,
    intent: &Intent,
    view: &ObjectView<'_>,
) -> Option<Event> {
    let Seen::Group(group) = &report.seen else { return None };
    let ours = next.attached_anycast_ip_list_id.as_deref().map(AnycastIpListId::new);
    let list = kept_list(intent, group.config.anycast_ip_list_id.as_ref(), ours.as_ref())?;
    let is_shown = view.status.anycast_ip_list_id.as_deref() == Some(list.as_str()) && !view.spec_is_new();
    let note = text::list_kept(list).trim_start().to_owned();
    (!is_shown).then_some(Event {
        severity: Severity::Normal,
        reason: Reason::AnycastListKept,
        action: "Reconcile",
        note,
    })
}
