//! What a pass concludes where nothing is to be changed. Pure: [`Finding`] -> [`Conclusion`].

use std::time::Duration;

use super::{
    Finalizer, Known,
    backoff::Pace,
    conclusion::{Change, Conclusion, InStep, Next, Sight},
    desired::Intent,
    differences::differences,
    message,
    ownership::TAGS_SETTLE,
    plan::{Block, Finding, Left, Protected, Refusal, Release, Remains},
    refusal::verdict,
};
use crate::{
    api::{BlockedBy, Drift, Reason, RefusedMember, Standing},
    cloudfront::{AnycastIpListId, ApiError, Deployment, Described, Group, Summary},
};

/// Concludes. `list_trouble` tells why the last list failed, if it did.
pub fn conclude(finding: Finding, intent: &Intent, known: &Known<'_>, list_trouble: Option<&ApiError>) -> Conclusion {
    match finding {
        Finding::NotLooked => unchanged(known),
        Finding::Outdated => Conclusion::unchanged().then(Next::ReadAgain),
        Finding::Listed(summary) => listed(summary, intent, known),
        Finding::UpToDate(described) => {
            let mut tags = known.tags_sent_to(&described.group);
            // One that was sent, and that nobody asks for any more, may yet show and must then be known as ours. One that was only found is never ours.
            if let (Intent::Present(desired), true) = (intent, known.tags_are_settled()) {
                tags.retain(|key, value| desired.tags.get(key) == Some(value));
                if bug!(FoundTagsAreOurs) {
                    tags.clone_from(&desired.tags);
                }
            }
            let settles = settles_tags(&described, intent, known);
            let conclusion = Conclusion { tags: Change::Set(tags), ..in_step(described.group, intent, known) };
            if settles { conclusion } else { until_tags_show(conclusion, known.tags_settle_in) }
        }
        Finding::Mirrored(described, drift) => {
            let settles = drift.is_empty() || settles_tags(&described, intent, known);
            let mut conclusion = in_step(described.group, intent, known);
            if known.claim.is_in(&described.tags) {
                conclusion.message += message::KEPT_OWNER_TAG;
            }
            let conclusion = Conclusion { drift: Change::Set(drift), ..conclusion };
            if settles { conclusion } else { until_tags_show(conclusion, known.tags_settle_in) }
        }
        Finding::NothingToMirror => {
            reconciling(Sight::Nothing, Reason::GroupNotFound, message::not_found_to_mirror(&known.name))
        }
        Finding::ConfirmAbsence => {
            let text = message::confirming_absence(&known.name, list_trouble, known.settle_window);
            let next = match list_trouble {
                Some(_) => Next::After(known.absence_confirmed_in),
                None => Next::WithTheList,
            };
            let conclusion = reconciling(Sight::Unchanged, Reason::ConfirmingAbsence, text).then(next);
            Conclusion { drift: Change::Keep, ..conclusion }
        }
        Finding::DeletedOutside => {
            let text = message::deleted_outside(&known.name, known.status.id.as_deref().unwrap_or_default());
            let id = known.status.id.clone().unwrap_or_default();
            let gone = Drift { field: "group".to_owned(), desired: id, observed: String::new() };
            // Should it show again, our tags on it are still known.
            let tags = Change::Set(known.status.tags.clone());
            let conclusion = reconciling(Sight::Nothing, Reason::DeletedOutside, text.clone()).then(Next::Now);
            let conclusion = Conclusion { tags, ..conclusion };
            conclusion.despite(vec![gone]).warn(Reason::DeletedOutside, "Read", text)
        }
        Finding::AwaitDisabled(described) => disabling(described.group),
        Finding::ConfirmGone(absence) => {
            let text = message::confirming_gone(&known.name, absence, list_trouble);
            let next = if list_trouble.is_some() { Next::Backoff(Pace::Slow) } else { Next::WithTheList };
            reconciling(Sight::Unchanged, Reason::Deleting, text).then(next)
        }
        Finding::Release(why) => {
            let enabled = match why {
                Release::Observed(Remains::MarkedGroup(enabled)) => enabled,
                Release::Gone
                | Release::NotOurs
                | Release::Elsewhere(_)
                | Release::Retained
                | Release::Observed(Remains::Nothing | Remains::Group | Remains::Unknown) => None,
            };
            release(&why, enabled, known)
        }
        Finding::Blocked(block) => blocked(block, known),
        Finding::MembersRefused(described, refused) => members_refused(described.group, refused, known),
        Finding::Refuse(_, refusal) => refuse(&refusal, known),
    }
}

/// Nothing is news. A deletion that waits for a roll-out looks for tenants now and then, whose traffic is down.
fn unchanged(known: &Known<'_>) -> Conclusion {
    let next = if known.deleting { Next::Tenants } else { Next::DeepCheck };
    Conclusion::unchanged().then(next)
}

/// The group equals its spec; whether it is rolled out decides.
pub fn in_step(group: Group, intent: &Intent, known: &Known<'_>) -> Conclusion {
    let Group { routing_endpoint, config, deployment, modified, .. } = &group;
    let mut text = message::deployed(routing_endpoint.as_deref(), config.enabled, deployment.as_ref(), *modified);
    if config.ipv6_enabled.is_none() {
        text += message::IPV6_NOT_STATED;
    }
    if let Some(list) = kept_list(intent, config.anycast_ip_list_id.as_ref(), known.attached_list(&group).as_ref()) {
        text += &message::list_kept(list);
    }
    let (standing, reason) = standing_of(deployment.as_ref(), config.enabled);
    let conclusion = Conclusion::new(Sight::Group(group), standing, reason, text);
    Conclusion { refused: Change::Set(Vec::new()), in_step: InStep::Yes, ..conclusion }
}

/// Whether a read tells how the group's tags compare with the spec; those that were sent a moment ago may not show yet.
fn settles_tags(read: &Described, intent: &Intent, known: &Known<'_>) -> bool {
    match intent {
        Intent::Present(desired) => desired.tags_are_in(&read.tags) && !known.tags_may_be_old(desired),
        Intent::Mirrored(desired) => !known.tags_may_be_old(desired),
        Intent::Suspended | Intent::Protected | Intent::Absent { .. } => true,
    }
}

/// Whether the group is as the spec asks for, as far as it was stated. One that is to go is not.
pub fn is_as_asked(described: &Described, intent: &Intent, known: &Known<'_>) -> bool {
    match intent {
        Intent::Present(desired) => {
            differences(desired, described, known.attached_list(&described.group).as_ref()).is_empty()
        }
        Intent::Suspended | Intent::Protected | Intent::Mirrored(_) | Intent::Absent { .. } => false,
    }
}

/// The list of others that the group keeps, because the spec names none.
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

/// CloudFront refused members of the spec; what is left of it is carried out, or follows.
pub fn members_refused(group: Group, refused: Vec<RefusedMember>, known: &Known<'_>) -> Conclusion {
    let (reason, standing) = verdict(&refused);
    let text = message::members_refused(&known.name, &refused, group.config.anycast_ip_list_id.as_ref());
    let pause = known.trial.pause(known.now);
    let next = if pause.is_zero() { Next::DeepCheck } else { Next::After(pause) };
    let conclusion = Conclusion::new(Sight::Group(group), standing, reason, text).then(next);
    Conclusion { refused: Change::Set(refused), ..conclusion }
}

/// A mutation is done; what is left decides.
pub fn after(group: Group, left: Left, intent: &Intent, known: &Known<'_>) -> Conclusion {
    // Not Deploying while something is left: that would let the next pass settle from the list, which shows neither IPv6 nor tags.
    match left {
        Left::Nothing => in_step(group, intent, known),
        Left::Members => {
            let text = "A part of the configuration matches the spec; the rest is updated next.".to_owned();
            reconciling(Sight::Group(group), Reason::Updating, text).then(Next::Now)
        }
        Left::Tags => {
            let text = "The tags are updated next.".to_owned();
            reconciling(Sight::Group(group), Reason::Updating, text).then(Next::Now)
        }
        Left::TagsToShow => until_tags_show(in_step(group, intent, known), TAGS_SETTLE),
        Left::Refused(refused) => members_refused(group, refused, known),
    }
}

/// Tags that a read may not show as they are: only another full read tells.
fn until_tags_show(conclusion: Conclusion, time: Duration) -> Conclusion {
    Conclusion { in_step: InStep::No, ..conclusion }.then(Next::After(time))
}

/// The group is disabled on its way to being deleted.
pub fn disabling(group: Group) -> Conclusion {
    let text = message::disabling(group.deployment.as_ref());
    reconciling(Sight::Group(group), Reason::Disabling, text).then(Next::Tenants)
}

/// The object may go.
pub fn release(why: &Release, enabled: Option<bool>, known: &Known<'_>) -> Conclusion {
    let text = message::released(&known.name, why, &known.claim.owner, enabled);
    let reason = if *why == Release::Gone { Reason::Deleted } else { Reason::Released };
    let conclusion = reconciling(Sight::Unchanged, reason, text.clone());
    let conclusion = Conclusion { finalizer: Finalizer::Release, ..conclusion };
    if enabled == Some(false) && known.wants_traffic {
        conclusion.warn(reason, "Release", text)
    } else {
        conclusion.tell(reason, "Release", text)
    }
}

/// A conclusion that more is to come.
pub fn reconciling(sight: Sight, reason: Reason, text: String) -> Conclusion {
    Conclusion::new(sight, Standing::Reconciling, reason, text)
}

fn listed(summary: Summary, intent: &Intent, known: &Known<'_>) -> Conclusion {
    if known.deleting {
        return unchanged(known);
    }
    let enabled = summary.enabled.or(known.status.enabled);
    let deployment = summary.deployment.clone().or_else(|| known.deployment());
    let (standing, reason) = standing_of(deployment.as_ref(), enabled);
    let endpoint = known.status.routing_endpoint.as_deref();
    let mut text = message::deployed(endpoint, enabled, deployment.as_ref(), summary.modified);
    if known.status.ipv6_enabled.is_none() {
        text += message::IPV6_NOT_STATED;
    }
    let ours = known.status.attached_anycast_ip_list_id.as_deref().map(AnycastIpListId::new);
    if let Some(list) = kept_list(intent, summary.anycast_ip_list_id.as_ref(), ours.as_ref()) {
        text += &message::list_kept(list);
    }
    if known.message().is_some_and(|said| said.ends_with(message::KEPT_OWNER_TAG)) {
        text += message::KEPT_OWNER_TAG;
    }
    let conclusion = Conclusion::new(Sight::Listed(summary), standing, reason, text);
    Conclusion { drift: Change::Keep, in_step: InStep::AsBefore, ..conclusion }
}

fn standing_of(deployment: Option<&Deployment>, enabled: Option<bool>) -> (Standing, Reason) {
    match (deployment, enabled) {
        (Some(Deployment::Pending(_)), _) if bug!(ReadyBeforeRollout) => (Standing::Ready, Reason::Deployed),
        (Some(Deployment::Pending(_)) | None, _) => (Standing::Reconciling, Reason::Deploying),
        (Some(Deployment::Deployed), Some(true) | None) => (Standing::Ready, Reason::Deployed),
        (Some(Deployment::Deployed), Some(false)) => (Standing::Ready, Reason::Disabled),
    }
}

fn blocked(block: Block, known: &Known<'_>) -> Conclusion {
    match block {
        Block::Suspended => suspended(known),
        Block::DeletionProtected(protected) => {
            let (sight, next) = match protected {
                Protected::NotRead => (Sight::Unchanged, Next::DeepCheck),
                Protected::Listed(summary) => (Sight::Listed(summary), Next::DeepCheck),
                Protected::Ours(described) => (Sight::Group(described.group), Next::DeepCheck),
                Protected::NotOurs => (Sight::Unchanged, Next::Backoff(Pace::Slow)),
            };
            let text = message::deletion_protected(known.wants_traffic);
            reconciling(sight, Reason::DeletionProtected, text).then(next)
        }
        Block::TagsPending(shown_in) => {
            let next = shown_in.map_or(Next::Backoff(Pace::Quick), Next::After);
            reconciling(Sight::Unchanged, Reason::Conflict, message::tags_pending(&known.name)).then(next)
        }
        Block::OwnerUnstated(read) if known.was_told_of(&read.group) && !known.owner_unstated_for_long => {
            Conclusion { in_step: InStep::No, ..Conclusion::unchanged() }.then(Next::Backoff(Pace::Slow))
        }
        Block::OwnerUnstated(_) => {
            let text = message::owner_unstated(&known.name);
            reconciling(Sight::Unchanged, Reason::Conflict, text).then(Next::Backoff(Pace::Slow))
        }
        Block::ClaimMayLand(left, elsewhere) => {
            let (reason, text) = match elsewhere {
                Some(installation) => (
                    Reason::AnotherInstallation,
                    message::elsewhere_until_released(&known.name, &installation, &known.claim.installation),
                ),
                None => (Reason::Conflict, message::claim_may_land(&known.name)),
            };
            reconciling(Sight::Unchanged, reason, text).then(Next::After(left))
        }
        Block::TagsOfAnother => {
            reconciling(Sight::Nothing, Reason::Conflict, message::tags_of_another(&known.name)).then(Next::Now)
        }
        Block::OwnerMayShow(left) => {
            let text = message::owner_may_show(&known.name, known.settle_window);
            reconciling(Sight::Unchanged, Reason::Adopting, text).then(Next::After(left))
        }
        Block::OwnerTagMissing(read, left) if known.was_told_of(&read.group) => {
            Conclusion { in_step: InStep::No, ..Conclusion::unchanged() }.then(Next::After(left))
        }
        Block::OwnerTagMissing(read, left) => {
            let text = match known.id() {
                Some(id) if id == read.group.id => {
                    message::owner_tag_missing(&known.name, known.deleting, known.settle_window)
                }
                Some(_) | None => message::owner_tag_may_show(&known.name, known.settle_window),
            };
            let conclusion = reconciling(Sight::Unchanged, Reason::Conflict, text).then(Next::After(left));
            Conclusion { drift: Change::Keep, ..conclusion }
        }
        Block::Flapping(described, changes, pause) => {
            let text = message::flapping(&known.name, &changes, pause);
            reconciling(Sight::Group(described.group), Reason::DriftFlapping, text).then(Next::After(pause.left))
        }
        Block::InUse(described, tenants) => {
            let enabled = described.group.config.enabled != Some(false);
            let text = message::in_use(&known.name, &tenants, enabled);
            // An empty page with more to follow is of at least one; none at all is what CloudFront calls in use without listing a tenant.
            let count = tenants.count.max(usize::from(tenants.any()));
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            let blocked_by = Change::Set(Some(BlockedBy { count, tenants: tenants.names }));
            let conclusion =
                reconciling(Sight::Group(described.group), Reason::InUse, text).then(Next::Backoff(Pace::Slow));
            Conclusion { blocked_by, ..conclusion }
        }
    }
}

/// Conditions keep their values, only the message changes; an object never looked at, or being deleted, says that it waits.
fn suspended(known: &Known<'_>) -> Conclusion {
    let text = message::suspended(known.deleting, known.service());
    if known.deleting || known.status.conditions.is_empty() {
        return reconciling(Sight::Unchanged, Reason::Suspended, text);
    }
    Conclusion { message: text, ..Conclusion::unchanged() }
}

fn refuse(refusal: &Refusal, known: &Known<'_>) -> Conclusion {
    let name = &known.name;
    let (reason, text) = match refusal {
        Refusal::NotOwned(owner) => (Reason::NotOwned, message::not_owned(name, owner)),
        Refusal::Elsewhere(installation) => {
            (Reason::AnotherInstallation, message::elsewhere(name, installation, &known.claim.installation))
        }
        Refusal::DefaultGroup => (Reason::DefaultGroup, message::default_group(name)),
        Refusal::AdoptionRefused(obstacle) => (Reason::AdoptionRefused, message::adoption_refused(name, obstacle)),
    };
    Conclusion::new(Sight::Nothing, Standing::Stalled, reason, text).then(Next::Backoff(Pace::Slow))
}
