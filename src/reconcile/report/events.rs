//! The events of a report, and the drift that it is the first to see. Pure.

use super::{Field, Next, Report, Seen, states::kept_list};
use crate::{
    api::{ConditionReason, ConnectionGroupStatus, Drift, EventReason, Standing},
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

/// One event for each new state. A reconcile that continues at once emits none.
fn new_state(report: &Report, view: &ObjectView<'_>) -> Option<Event> {
    let (standing, reason) = report.standing?;
    let continues = standing == Standing::Reconciling && report.next == Next::Now;
    // Each refused member has an event of its own.
    let is_told_by_member = matches!(&report.refused, Field::Set(refused) if !refused.is_empty());
    if continues || is_told_by_member || !is_announced(reason) || view.reason() == Some(reason.as_str()) {
        return None;
    }
    let severity = match standing {
        Standing::Ready => Severity::Normal,
        Standing::Reconciling | Standing::Stalled => Severity::Warning,
    };
    Some(Event { severity, reason: EventReason::NewState(reason), action: "Reconcile", note: report.message.clone() })
}

/// Whether a new state of this reason is worth an event.
const fn is_announced(reason: ConditionReason) -> bool {
    match reason {
        // Waits that are part of a normal life.
        ConditionReason::Adopting
        | ConditionReason::ClaimPending
        | ConditionReason::ConfirmingAbsence
        | ConditionReason::Deleting
        | ConditionReason::Deploying
        | ConditionReason::Disabling
        | ConditionReason::Suspended
        | ConditionReason::TagsPending
        | ConditionReason::Updating
        // What was done has an event of its own.
        | ConditionReason::Adopted
        | ConditionReason::Deleted
        | ConditionReason::DeletedOutside
        | ConditionReason::EnabledAgain
        | ConditionReason::Released
        | ConditionReason::Tagged
        | ConditionReason::TakenOver => false,
        ConditionReason::AccessDenied
        | ConditionReason::AdoptionRefused
        | ConditionReason::AlreadyExists
        | ConditionReason::AnotherInstallation
        | ConditionReason::AnycastDetachRejected
        | ConditionReason::AnycastIpListNotFound
        | ConditionReason::ChangeNotApplied
        | ConditionReason::Conflict
        | ConditionReason::CredentialsUnavailable
        | ConditionReason::DefaultGroup
        | ConditionReason::DeletionProtected
        | ConditionReason::Deployed
        | ConditionReason::Disabled
        | ConditionReason::DriftFlapping
        | ConditionReason::Drifted
        | ConditionReason::GroupNotFound
        | ConditionReason::InUse
        | ConditionReason::InvalidArgument
        | ConditionReason::NotOwned
        | ConditionReason::OwnerTagEmpty
        | ConditionReason::OwnerTagMissing
        | ConditionReason::QuotaExceeded
        | ConditionReason::SchemaOutdated
        | ConditionReason::ServiceUnavailable
        | ConditionReason::Throttled
        | ConditionReason::UnexpectedResponse => true,
    }
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
        reason: EventReason::AnycastListKept,
        action: "Reconcile",
        note,
    })
}
