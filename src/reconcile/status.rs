//! From what a pass concluded to the status that people read. Pure: (previous status, conclusion or trouble, generation, now) -> [`Outcome`].
//!
//! The same for success and failure. A conclusion that says nothing new gives back the previous status, so that nothing is written.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{
    Event, Known, Outcome, Severity, Surroundings,
    backoff::{Pace, jitter},
    conclude::kept_list,
    conclusion::{Change, Conclusion, InStep, Next, Sight},
    desired::Intent,
    memory::Memory,
    message,
    trouble::{Failure, Trouble},
};
use crate::{
    api::{ConnectionGroup, ConnectionGroupStatus, Drift, Reason, Standing, set_standing},
    cloudfront::{AnycastIpListId, ErrorClass, Group, Members, Operation, Tags},
};

/// While a group is disabled for its deletion, so long at the most a tenant that comes has no traffic before it is noticed.
const TENANTS_RECHECK: Duration = Duration::from_secs(30);

/// The object with the status of this process's last reconcile, if there was one: the cache may show an older one right after a write, and others may have
/// forged the one that is stored.
#[must_use]
pub fn with_last_status(mut object: ConnectionGroup, last: Option<&ConnectionGroupStatus>) -> ConnectionGroup {
    if let Some(last) = last.filter(|_| !bug!(StoredStatusIsBelieved)) {
        object.status = Some(last.clone());
    }
    object
}

/// The outcome of a pass.
pub fn outcome<C>(
    ended: Result<Conclusion, Failure>,
    intent: &Intent,
    known: &Known<'_>,
    memory: &mut Memory,
    around: &Surroundings<'_, C>,
) -> Outcome {
    let mut conclusion = match ended {
        Ok(conclusion) => conclusion,
        Err(failure) => of_failure(failure, intent, known, memory, around),
    };
    let requeue = requeue(&conclusion, known, memory, around);
    let status = next_status(&conclusion, intent, known, around);
    let mut events = std::mem::take(&mut conclusion.events);
    events.extend(news(&conclusion, &events, known));
    events.extend(kept_list_is_new(&conclusion, &status, intent, known));
    let drift = new_drift(&conclusion, known);
    memory.rereads = if conclusion.next == Next::ReadAgain { memory.rereads.saturating_add(1) } else { 0 };
    memory.failures = match (&conclusion.next, &conclusion.error) {
        (Next::Backoff(_), _) => memory.failures.saturating_add(1),
        // A read that is too old is neither a success nor a failure. After a refusal, something else is tried at once: nothing has succeeded yet.
        (Next::ReadAgain, _) | (_, Some(_)) => memory.failures,
        (_, None) => 0,
    };
    let Conclusion { finalizer, refused_now, error, .. } = conclusion;
    Outcome { status, finalizer, requeue, events, drift, refused: refused_now, error, withheld: None }
}

fn of_failure<C>(
    failure: Failure,
    intent: &Intent,
    known: &Known<'_>,
    memory: &Memory,
    around: &Surroundings<'_, C>,
) -> Conclusion {
    let (reason, standing, pace) = failure.trouble.verdict();
    // A deletion goes on, or waits: no edit of the spec is called for.
    let standing = if known.deleting { Standing::Reconciling } else { standing };
    let next = match failure.trouble.error().class {
        // The group is put back into service.
        ErrorClass::HasTenants if memory.is_in_use_unlisted(known.now, known.settle_window) => Next::Now,
        ErrorClass::AlreadyExists if bug!(NameTakenIsTerminal) => Next::After(Duration::MAX),
        _ => Next::Backoff(pace),
    };
    // A pass that was about to change something has read that the group is not as it should be.
    if failure.trouble.is_transient()
        && !failure.trouble.error().operation.is_mutation()
        && known.is_in_sync(around.snapshot)
        && !memory.deep_check_overdue(around.policy, around.clock.moment())
    {
        return Conclusion::unchanged().then(next).failed(failure.trouble.error().clone());
    }
    let mut text = failure.message(intent, known, around.snapshot);
    if bug!(MessageTellsTheTime) {
        text += &around.clock.wall().to_string();
    }
    let error = failure.trouble.error().clone();
    let attached = match failure.may_have_attached {
        Some(list) => Change::Set(Some(list.to_string())),
        None => Change::Keep,
    };
    let tags = match failure.trouble {
        Trouble::MayHaveTagged(sent, _) => {
            let before =
                failure.read.as_ref().map_or_else(|| known.status.tags.clone(), |read| known.tags_sent_to(read));
            Change::Set(before.into_iter().chain(sent).collect())
        }
        _ => Change::Keep,
    };
    let may_have_switched = error.operation == Operation::UpdateConnectionGroup && error.class.leaves_doubt();
    let sight = failure.read.map_or(Sight::Unchanged, |read| {
        // Whether it serves is not known until it is read again.
        let enabled = read.config.enabled.filter(|_| !may_have_switched);
        Sight::Group(Group { config: Members { enabled, ..read.config.clone() }, ..read })
    });
    Conclusion {
        tags,
        attached,
        drift: Change::Keep,
        blocked_by: Change::Keep,
        ..Conclusion::new(sight, standing, reason, text)
    }
    .then(next)
    .failed(error)
}

fn requeue<C>(
    conclusion: &Conclusion,
    known: &Known<'_>,
    memory: &mut Memory,
    around: &Surroundings<'_, C>,
) -> Duration {
    let (policy, now) = (around.policy, around.clock.moment());
    let was_due = memory.deep_check_due() <= now;
    let was_read = conclusion.error.is_none() && conclusion.next != Next::ReadAgain;
    if was_read && (was_due || matches!(conclusion.sight, Sight::Group(_))) {
        let interval = policy.deep_check_interval;
        memory.deep_check_at = Some(now + interval.mul_f64(0.9 + 0.2 * jitter(&(&known.uid, now))));
    }
    match conclusion.next {
        Next::Now => Duration::ZERO,
        Next::After(pause) => pause,
        Next::ReadAgain => Pace::Soon.delay(memory.rereads, &known.uid),
        Next::WithTheList => policy.sweep_interval_active,
        Next::Tenants => TENANTS_RECHECK.min(policy.sweep_interval_active.saturating_mul(3)),
        // A tenant that comes has no traffic until it is noticed.
        Next::Backoff(pace) if known.deleting && known.may_be_off_against_the_spec() => {
            let left = memory.usage_unknown_for(now).map(|time| policy.settle_window.saturating_sub(time));
            let longest = left.filter(|left| !left.is_zero()).map_or(TENANTS_RECHECK, |left| left.min(TENANTS_RECHECK));
            pace.delay(memory.failures, &known.uid).min(longest)
        }
        Next::Backoff(_) if conclusion.error.is_some() && bug!(FailureIsFinal) => Duration::MAX,
        Next::Backoff(pace) => pace.delay(memory.failures, &known.uid),
        Next::DeepCheck => {
            let due = memory.deep_check_due().since(now).max(Duration::from_secs(1));
            // Should lists stop coming, nothing would wake this object. With them, such a pass costs no call.
            let alone = match conclusion.standing {
                Some((Standing::Reconciling, _)) => policy.sweep_interval_active.saturating_mul(3),
                _ => policy.sweep_interval.saturating_mul(5),
            };
            due.min(alone)
        }
    }
}

fn next_status<C>(
    conclusion: &Conclusion,
    intent: &Intent,
    known: &Known<'_>,
    around: &Surroundings<'_, C>,
) -> ConnectionGroupStatus {
    let now = stored(around.clock.wall()).0;
    let mut next = known.status.clone();
    if let (Sight::Group(group), Some(id)) = (&conclusion.sight, known.id())
        && group.id != id
    {
        // What is on record is about another group.
        next.tags.clear();
        next.attached_anycast_ip_list_id = None;
        next.refused.clear();
    }
    show(&mut next, &conclusion.sight);
    if matches!(conclusion.sight, Sight::Group(_)) {
        next.owner = Some(known.claim.owner.to_string());
        next.installation = Some(known.claim.installation.to_string());
    }
    if !bug!(SentTagsAreForgotten) {
        set(&mut next.tags, &conclusion.tags);
    }
    set(&mut next.refused, &conclusion.refused);
    if known.deleting || (conclusion.standing.is_some() && conclusion.refused == Change::Keep && known.is_asked_anew())
    {
        next.refused.clear();
    }
    set(&mut next.attached_anycast_ip_list_id, &conclusion.attached);
    if conclusion.attached == Change::Keep && known.tags_are_settled() && matches!(conclusion.sight, Sight::Group(_)) {
        // Others detached it, or put theirs in its place.
        let attached = next.anycast_ip_list_id.as_ref();
        next.attached_anycast_ip_list_id = next.attached_anycast_ip_list_id.filter(|ours| Some(ours) == attached);
    }
    match conclusion.in_step {
        InStep::AsBefore => {}
        InStep::Yes => next.settled_generation = Some(known.generation).filter(|_| nothing_is_left(&next.tags, intent)),
        InStep::No => next.settled_generation = None,
    }
    set(&mut next.drift, &conclusion.drift);
    set(&mut next.blocked_by, &conclusion.blocked_by);
    match conclusion.standing {
        Some((standing, reason)) => {
            let drift = (!next.drift.is_empty()).then(|| message::drift(&next.drift));
            let standing = (standing, reason, conclusion.message.as_str());
            next.conditions = set_standing(&next.conditions, standing, drift.as_deref(), known.generation, now);
            next.observed_generation = known.generation;
            next.last_handled_reconcile_at.clone_from(&known.requested_at);
        }
        None if conclusion.message.is_empty() => {}
        None => next.conditions.iter_mut().for_each(|condition| condition.message.clone_from(&conclusion.message)),
    }
    next
}

/// Whether every tag on record as sent is one that the spec still names. Another one was not seen, but may yet show, and only a full read finds it.
fn nothing_is_left(sent: &Tags, intent: &Intent) -> bool {
    match intent {
        Intent::Present(desired) => sent.iter().all(|(key, value)| desired.tags.get(key) == Some(value)),
        Intent::Mirrored(_) | Intent::Absent { .. } | Intent::Suspended | Intent::Protected => true,
    }
}

fn set<T: Clone>(field: &mut T, change: &Change<T>) {
    if let Change::Set(value) = change {
        field.clone_from(value);
    }
}

fn show(status: &mut ConnectionGroupStatus, sight: &Sight) {
    match sight {
        Sight::Unchanged => {}
        Sight::Listed(summary) => {
            if let Some(deployment) = &summary.deployment {
                status.status = Some(deployment.as_str().to_owned());
            }
            if let Some(modified) = summary.modified {
                status.last_modified_time = Some(stored(modified));
            }
        }
        Sight::Group(group) => {
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
                // Nobody decides by them: they are CloudFront's, and may be of any kind.
                elements: _,
            } = group;
            // What an answer leaves out was not stated, and what was known of the same group, or the same version of it, stays.
            let same_group = status.id.as_deref() == Some(id.as_str());
            let same_version = same_group && status.e_tag.as_deref() == Some(etag.as_str());
            status.id = Some(id.to_string());
            status.arn = Some(arn.to_string());
            status.name = Some(name.to_string());
            status.e_tag = Some(etag.to_string());
            status.enabled = config.enabled;
            status.ipv6_enabled = config.ipv6_enabled;
            status.anycast_ip_list_id = config.anycast_ip_list_id.as_ref().map(ToString::to_string);
            let said = deployment.as_ref().map(|deployment| deployment.as_str().to_owned());
            update(&mut status.status, said, same_version);
            update(&mut status.routing_endpoint, routing_endpoint.clone(), same_group);
            status.is_default = Some(*is_default);
            update(&mut status.created_time, created.map(stored), same_group);
            update(&mut status.last_modified_time, modified.map(stored), same_version);
        }
        Sight::Nothing => {
            let previous = std::mem::replace(status, ConnectionGroupStatus::UNSEEN);
            status.observed_generation = previous.observed_generation;
            status.last_handled_reconcile_at = previous.last_handled_reconcile_at;
            status.conditions = previous.conditions;
        }
    }
}

/// What was stated, or else what was known before, if that still holds.
fn update<T>(known: &mut Option<T>, stated: Option<T>, still_holds: bool) {
    *known = stated.or_else(|| known.take().filter(|_| still_holds));
}

/// A time as the API server stores it, in whole seconds; with more, a status would never equal its stored self.
fn stored(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}

/// What others changed; in mode Observe, what status does not show yet.
fn new_drift(conclusion: &Conclusion, known: &Known<'_>) -> Vec<Drift> {
    let Change::Set(mirrored) = &conclusion.drift else { return conclusion.changed_outside.clone() };
    let is_new = |found: &&Drift| known.status.drift.iter().all(|shown| shown.field != found.field);
    conclusion.changed_outside.iter().chain(mirrored.iter().filter(is_new)).cloned().collect()
}

/// An event for a state that is new: good news once, bad news once. What goes on at once is none.
fn news(conclusion: &Conclusion, events: &[Event], known: &Known<'_>) -> Option<Event> {
    let (standing, reason) = conclusion.standing?;
    let is_told = |event: &Event| event.reason == reason;
    if known.reason() == Some(reason.as_str()) || events.iter().any(is_told) {
        return None;
    }
    // Each refused member has an event of its own.
    if matches!(&conclusion.refused, Change::Set(refused) if !refused.is_empty()) {
        return None;
    }
    let severity = match (standing, reason) {
        (Standing::Reconciling, _) if conclusion.next == Next::Now => return None,
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
    Some(Event { severity, reason, action: "Reconcile", note: conclusion.message.clone() })
}

/// An event for a list of others that stays: once for each list, and once more for each edit of the spec.
fn kept_list_is_new(
    conclusion: &Conclusion,
    next: &ConnectionGroupStatus,
    intent: &Intent,
    known: &Known<'_>,
) -> Option<Event> {
    let Sight::Group(group) = &conclusion.sight else { return None };
    let ours = next.attached_anycast_ip_list_id.as_deref().map(AnycastIpListId::new);
    let list = kept_list(intent, group.config.anycast_ip_list_id.as_ref(), ours.as_ref())?;
    let is_shown = known.status.anycast_ip_list_id.as_deref() == Some(list.as_str()) && !known.spec_is_new();
    let note = message::list_kept(list).trim_start().to_owned();
    (!is_shown).then_some(Event {
        severity: Severity::Normal,
        reason: Reason::AnycastListKept,
        action: "Reconcile",
        note,
    })
}
