//! Reports of the states that several findings, effects and blocks lead to, and what these reports have in common. Pure.

use std::time::Duration;

use super::{Field, InSync, Next, Report, Seen};
use crate::{
    api::{ConditionReason, EventReason, RefusedMember, Standing},
    cloudfront::{AnycastIpListId, Deployment, Described, Group},
    reconcile::{
        Finalizer, ObjectView,
        desired::Intent,
        diff::differences,
        object_state::Awaits,
        plan::{LeftBehind, Release, RemainingWork},
        refusal::verdict,
        tags::TAGS_VISIBLE_WITHIN,
        text,
    },
};

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
        RemainingWork::Paused(_) => {
            let text = "The tags match the spec, apart from another client's changes. The operator corrects those after a pause.";
            reconciling(Seen::Group(group), ConditionReason::Updating, text.to_owned()).then(Next::Now)
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
pub fn until_tags_show(report: Report, time: Duration) -> Report {
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
    let text = match why {
        Release::Gone | Release::Observed(LeftBehind::Nothing) => after_our_delete(text, view),
        Release::NotOurs
        | Release::Elsewhere(_)
        | Release::Retained
        | Release::Observed(LeftBehind::Group | LeftBehind::MarkedGroup(_) | LeftBehind::Unknown) => text,
    };
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

/// The message about a group that is gone: it says who deleted the group if this process did.
pub fn after_our_delete(text: String, view: &ObjectView<'_>) -> String {
    match &view.deleted {
        Some(id) => format!("{} {text}", text::deleted(&view.name, id)),
        None => text,
    }
}

/// A report of work in progress.
pub fn reconciling(seen: Seen, reason: ConditionReason, text: String) -> Report {
    Report::new(seen, Standing::Reconciling, reason, text)
}

pub fn standing_of(deployment: Option<&Deployment>, enabled: Option<bool>) -> (Standing, ConditionReason) {
    match (deployment, enabled) {
        (Some(Deployment::Pending(_)), _) if bug!(ReadyBeforeRollout) => (Standing::Ready, ConditionReason::Deployed),
        (Some(Deployment::Pending(_)) | None, _) => (Standing::Reconciling, ConditionReason::Deploying),
        (Some(Deployment::Deployed), Some(true) | None) => (Standing::Ready, ConditionReason::Deployed),
        (Some(Deployment::Deployed), Some(false)) => (Standing::Ready, ConditionReason::Disabled),
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
