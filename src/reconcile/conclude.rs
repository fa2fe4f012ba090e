//! What a pass concludes where nothing is to be changed. Pure: [`Finding`] -> [`Conclusion`].

use super::{
    Finalizer, Known,
    backoff::Pace,
    conclusion::{Change, Conclusion, InStep, Next, Sight},
    desired::Intent,
    message,
    plan::{Block, Finding, Left, Refusal, Release},
};
use crate::{
    api::{BlockedBy, Drift, Reason, Standing},
    cloudfront::{AnycastIpListId, ApiError, Deployment, Group, Summary},
};

/// Concludes. `list_trouble` tells why the last list failed, if it did.
pub fn conclude(finding: Finding, intent: &Intent, known: &Known<'_>, list_trouble: Option<&ApiError>) -> Conclusion {
    match finding {
        Finding::NotLooked => Conclusion::unchanged(),
        Finding::Listed(summary) => listed(summary, known),
        Finding::UpToDate(described) => {
            let mut tags = known.status.tags.clone();
            // One that was sent, and that nobody asks for any more, may yet show and must then be known as ours. One that was only found is never ours.
            if let (Intent::Present(desired), true) = (intent, known.tags_are_settled) {
                tags.retain(|key, value| desired.tags.get(key) == Some(value));
            }
            Conclusion { tags: Change::Set(tags), ..in_step(described.group) }
        }
        Finding::Mirrored(described, drift) => {
            let mut conclusion = in_step(described.group);
            if known.claim.is_in(&described.tags) {
                conclusion.message += message::KEPT_OWNER_TAG;
            }
            Conclusion { drift: Change::Set(drift), ..conclusion }
        }
        Finding::NothingToMirror => {
            reconciling(Sight::Nothing, Reason::GroupNotFound, message::not_found_to_mirror(&known.name))
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
        Finding::ConfirmGone => {
            let text = message::confirming_gone(&known.name, list_trouble);
            let next = if list_trouble.is_some() { Next::Backoff(Pace::Slow) } else { Next::WithTheList };
            reconciling(Sight::Unchanged, Reason::Deleting, text).then(next)
        }
        Finding::Release(why) => release(&why, known),
        Finding::Blocked(block) => blocked(block, known),
        Finding::Refuse(described, refusal) => refuse(described.group, &refusal, known),
    }
}

/// The group equals its spec; whether it is rolled out decides.
pub fn in_step(group: Group) -> Conclusion {
    let Group { routing_endpoint, config, deployment, modified, .. } = &group;
    let text = message::deployed(routing_endpoint.as_deref(), config.enabled, deployment.as_ref(), *modified);
    let (standing, reason) = standing_of(deployment.as_ref(), config.enabled);
    Conclusion { in_step: InStep::Yes, ..Conclusion::new(Sight::Group(group), standing, reason, text) }
}

/// A mutation is done; what is left decides.
pub fn after(group: Group, left: Left, known: &Known<'_>) -> Conclusion {
    match left {
        Left::Nothing => in_step(group),
        Left::Tags => {
            let text = "The configuration matches the spec; its tags are put in step next.".to_owned();
            reconciling(Sight::Group(group), Reason::Conflict, text).then(Next::Now)
        }
        Left::Stuck(list) => stuck(group, list, known),
    }
}

/// CloudFront keeps a list attached that is to be detached.
pub fn stuck(group: Group, list: AnycastIpListId, known: &Known<'_>) -> Conclusion {
    refuse(group, &Refusal::AnycastDetachRejected(list), known)
}

/// The group is disabled on its way to being deleted.
pub fn disabling(group: Group) -> Conclusion {
    let text = message::disabling(group.deployment.as_ref());
    reconciling(Sight::Group(group), Reason::Disabling, text)
}

/// The object may go.
pub fn release(why: &Release, known: &Known<'_>) -> Conclusion {
    let disabled = known.status.enabled == Some(false);
    let text = message::released(&known.name, why, &known.claim.owner, disabled);
    let reason = if *why == Release::Gone { Reason::Deleted } else { Reason::Released };
    let conclusion = reconciling(Sight::Unchanged, reason, text.clone());
    Conclusion { finalizer: Finalizer::Release, ..conclusion }.tell(reason, "Release", text)
}

/// A conclusion that more is to come.
pub fn reconciling(sight: Sight, reason: Reason, text: String) -> Conclusion {
    Conclusion::new(sight, Standing::Reconciling, reason, text)
}

fn listed(summary: Summary, known: &Known<'_>) -> Conclusion {
    if known.deleting {
        return Conclusion::unchanged();
    }
    let enabled = summary.enabled.or(known.status.enabled);
    let deployment = summary.deployment.clone().or_else(|| known.deployment());
    let (standing, reason) = standing_of(deployment.as_ref(), enabled);
    let endpoint = known.status.routing_endpoint.as_deref();
    let mut text = message::deployed(endpoint, enabled, deployment.as_ref(), summary.modified);
    if known.message().is_some_and(|said| said.ends_with(message::KEPT_OWNER_TAG)) {
        text += message::KEPT_OWNER_TAG;
    }
    let conclusion = Conclusion::new(Sight::Listed(summary), standing, reason, text);
    Conclusion { drift: Change::Keep, in_step: InStep::AsBefore, ..conclusion }
}

const fn standing_of(deployment: Option<&Deployment>, enabled: Option<bool>) -> (Standing, Reason) {
    match (deployment, enabled) {
        (Some(Deployment::Pending(_)) | None, _) => (Standing::Reconciling, Reason::Deploying),
        (Some(Deployment::Deployed), Some(true) | None) => (Standing::Ready, Reason::Deployed),
        (Some(Deployment::Deployed), Some(false)) => (Standing::Ready, Reason::Disabled),
    }
}

fn blocked(block: Block, known: &Known<'_>) -> Conclusion {
    match block {
        Block::Suspended => suspended(known),
        Block::DeletionProtected => {
            reconciling(Sight::Unchanged, Reason::DeletionProtected, message::DELETION_PROTECTED.to_owned())
        }
        Block::TagsPending => reconciling(Sight::Unchanged, Reason::Conflict, message::tags_pending(&known.name))
            .then(Next::Backoff(Pace::Quick)),
        Block::ClaimMayLand(left) => {
            let text = message::claim_may_land(&known.name);
            reconciling(Sight::Unchanged, Reason::Conflict, text).then(Next::After(left))
        }
        Block::TagsOfAnother => {
            reconciling(Sight::Nothing, Reason::Conflict, message::tags_of_another(&known.name)).then(Next::Now)
        }
        Block::OwnerMayShow(left) => {
            let (reason, text) = if known.deleting {
                (Reason::Conflict, message::lost_owner_may_show(&known.name, left))
            } else {
                (Reason::Adopting, message::owner_may_show(&known.name, left))
            };
            reconciling(Sight::Unchanged, reason, text).then(Next::After(left))
        }
        Block::Flapping(described, changes, pause) => {
            let text = message::flapping(&known.name, &changes, pause);
            reconciling(Sight::Group(described.group), Reason::DriftFlapping, text).then(Next::After(pause.left))
        }
        Block::InUse(described, tenants) => {
            let text = message::in_use(&known.name, &tenants, described.group.config.enabled != Some(false));
            let count = i64::try_from(tenants.count).unwrap_or(i64::MAX);
            let blocked_by = Change::Set(Some(BlockedBy { count, tenants: tenants.names }));
            let conclusion =
                reconciling(Sight::Group(described.group), Reason::InUse, text).then(Next::Backoff(Pace::Slow));
            Conclusion { blocked_by, ..conclusion }
        }
    }
}

/// Conditions keep their values, only the message changes; an object never looked at, or being deleted, says that it waits.
fn suspended(known: &Known<'_>) -> Conclusion {
    let text = if known.deleting { message::SUSPENDED_DELETION } else { message::SUSPENDED }.to_owned();
    if known.deleting || known.status.conditions.is_empty() {
        return reconciling(Sight::Unchanged, Reason::Suspended, text);
    }
    Conclusion { message: text, ..Conclusion::unchanged() }
}

fn refuse(group: Group, refusal: &Refusal, known: &Known<'_>) -> Conclusion {
    let name = &known.name;
    let (sight, reason, text) = match refusal {
        Refusal::NotOwned(owner) => (Sight::Nothing, Reason::NotOwned, message::not_owned(name, owner)),
        Refusal::Elsewhere(installation) => {
            let text = message::elsewhere(name, installation, &known.claim.installation);
            (Sight::Nothing, Reason::AnotherInstallation, text)
        }
        Refusal::DefaultGroup => (Sight::Nothing, Reason::DefaultGroup, message::default_group(name)),
        Refusal::AdoptionRefused(obstacle) => {
            (Sight::Nothing, Reason::AdoptionRefused, message::adoption_refused(name, obstacle))
        }
        Refusal::AnycastDetachRejected(list) => {
            let text = message::detach_rejected(name, list);
            // What was said when CloudFront refused ends with the request id of that refusal.
            let said = known.message().filter(|said| said.starts_with(&text)).map(ToOwned::to_owned);
            (Sight::Group(group), Reason::AnycastDetachRejected, said.unwrap_or(text))
        }
    };
    Conclusion::new(sight, Standing::Stalled, reason, text).then(Next::Backoff(Pace::Slow))
}
