//! Reports on a reconcile that made a change, or whose change CloudFront did not accept. Pure: [`Effect`] -> [`Report`].

use std::time::Duration;

use super::{
    Field, InSync, Next, Report, Seen,
    states::{after, disabling, in_sync, is_as_asked, members_refused, reconciling, release},
};
use crate::{
    api::{ConditionReason, Drift, EventReason, Member, RefusalCause, RefusedMember, is_true},
    cloudfront::{Described, Group, Members, NewGroup},
    reconcile::{
        ObjectState, ObjectView,
        backoff::Backoff,
        desired::Intent,
        diff::tag_field,
        execute::{Effect, MembersRefused, Postponed, Series, Switched, Tagged, TenantsRead, Updated},
        members::{contradicts, differing, value},
        object_state::Awaits,
        plan::{Release, RemainingWork, TagsLeft, Update},
        text,
    },
};

/// How long tags usually take to show: the next change of tags waits for it, or the same tags would be set again.
const TAGS_USUALLY_VISIBLE_WITHIN: Duration = Duration::from_secs(1);

/// Reports on a change that was made, or that CloudFront did not accept.
pub fn of_effect(effect: Effect, intent: &Intent, view: &ObjectView<'_>, state: &ObjectState) -> Report {
    match effect {
        Effect::Created(group, new) => created(group, &new, intent, view),
        Effect::Adopted(group) => {
            let text = format!("The operator adopted connection group {}, which had no owner.", view.name);
            let report = reconciling(Seen::Group(group), ConditionReason::Adopted, text.clone());
            // Any list that it has was attached before the adoption.
            let report = Report { attached: Field::Set(None), ..report };
            report.then(Next::Now).normal(EventReason::Adopted, "Adopt", text)
        }
        Effect::Marked(read) => marked(read, intent, view),
        Effect::TakenOver(_, from) => {
            let text = text::taken_over(&view.name, &from, &view.claim.installation);
            // Status keeps the version on record, so that the next read shows whose changes these are.
            let report = reconciling(Seen::Unchanged, ConditionReason::TakenOver, text.clone());
            report.then(Next::Backoff(Backoff::Quick)).normal(EventReason::TakenOver, "TakeOver", text)
        }
        Effect::Updated(updated) => of_update(*updated, intent, view),
        Effect::MembersRefused(refused) => of_refusal(*refused, view, state),
        Effect::Tagged(tagged) => of_tags(*tagged, intent, view),
        Effect::Untagged(group, keys, left) => {
            let mut tags = view.tags_sent_to(&group);
            tags.retain(|key, _| !keys.contains(key));
            let text = format!("The operator removed tags: {}.", keys.join(", "));
            let report = Report { tags: Field::Set(tags), ..after(group, left, intent, view) };
            report.normal(EventReason::Tagged, "Untag", text)
        }
        Effect::DisabledInDeletion(switched, tenants) => disabled(*switched, tenants, view),
        Effect::EnabledAgain(switched, blocker) => {
            let Switched { read, sent, answer } = *switched;
            if contradicts(&answer.config, &sent) {
                return not_as_asked(answer, &sent);
            }
            let text = text::enabled_again(&view.name, blocker);
            let lost = lost(&read, &answer);
            let report = reconciling(Seen::Group(answer), ConditionReason::EnabledAgain, text.clone()).then(Next::Now);
            report.warning(EventReason::EnabledAgain, "Enable", text).warn_of_lost_elements(&read, "Enable", &lost)
        }
        Effect::Deleted(id) => {
            let event = text::deleted(&view.name, &id);
            let text = format!("{event} {}", text::RELEASED_ONCE_GONE);
            if bug!(ReleasedAfterTheDelete) {
                return release(&Release::Gone, None, view);
            }
            reconciling(Seen::Unchanged, ConditionReason::Deleting, text)
                .awaiting(Awaits::Absence)
                .then(Next::WithTheInventory)
                .normal(EventReason::Deleting, "Delete", event)
        }
        Effect::Disowned(group) => release(&Release::Retained, group.config.enabled, view),
        Effect::Postponed(read, which) => {
            let text = text::waits_for_rollout(read.deployment.as_ref());
            let next = match which {
                Postponed::Enable => Next::Tenants,
                // The inventory that shows the end of the roll-out triggers a reconcile.
                Postponed::Other => Next::Resync,
            };
            reconciling(Seen::Group(read), ConditionReason::Deploying, text).awaiting(Awaits::Inventory).then(next)
        }
    }
}

fn created(group: Group, new: &NewGroup, intent: &Intent, view: &ObjectView<'_>) -> Report {
    let text = format!("The operator created connection group {} with id {}.", group.name, group.id);
    let attached = Field::Set(new.config.anycast_ip_list_id.as_ref().map(ToString::to_string));
    let sent = new.config.clone().into();
    let report =
        if contradicts(&group.config, &sent) { not_as_asked(group, &sent) } else { in_sync(group, intent, view) };
    Report { attached, ..report }.normal(EventReason::Created, "Create", text).with_tags(intent)
}

fn marked(read: Described, intent: &Intent, view: &ObjectView<'_>) -> Report {
    let text = text::marked(&view.name, &view.claim.installation);
    // Ready stays if it is still true; nothing becomes Ready before the tag was read.
    let was_ready = is_true(&view.status.conditions, "Ready") && !view.spec_is_new();
    let report = if was_ready && is_as_asked(&read, intent, view) {
        Report { in_sync: InSync::No, ..in_sync(read.group, intent, view) }
    } else {
        // Status keeps the version on record, so that the next read shows whose changes these are.
        reconciling(Seen::Unchanged, ConditionReason::Tagged, text.clone())
    };
    // Wait: otherwise the tag would be set again before it shows.
    report.then(Next::Backoff(Backoff::Quick)).normal(EventReason::Tagged, "Tag", text)
}

fn of_tags(tagged: Tagged, intent: &Intent, view: &ObjectView<'_>) -> Report {
    let Tagged { group, set, left, corrected, series } = tagged;
    let is_restored = |key: &&str| corrected.iter().any(|change| change.field == tag_field(key));
    let new = set.keys().map(String::as_str).filter(|key| !is_restored(key)).collect::<Vec<_>>().join(", ");
    let mut tags = view.tags_sent_to(&group);
    tags.extend(set);
    let next = (left == RemainingWork::Tags).then_some(Next::After(TAGS_USUALLY_VISIBLE_WITHIN));
    let report = Report { tags: Field::Set(tags), ..after(group, left, intent, view) };
    let next = next.unwrap_or(report.next);
    let mut report = report.then(next);
    if !new.is_empty() {
        report = report.normal(EventReason::Tagged, "Tag", format!("The operator set tags: {new}."));
    }
    with_corrections(report, corrected, series, "Tag")
}

/// Reports corrected out-of-band changes, if any.
fn with_corrections(report: Report, corrected: Vec<Drift>, series: Series, action: &'static str) -> Report {
    if corrected.is_empty() {
        return report;
    }
    let text = format!("The operator corrected another client's change: {}.", text::changes(&corrected));
    let report = report.with_changed_outside(corrected).normal(EventReason::DriftCorrected, action, text);
    match series {
        Series::Short => report,
        Series::Flapping => report.warning(EventReason::DriftFlapping, action, text::FLAPPING.to_owned()),
    }
}

/// The group was disabled: for its deletion, or because the spec says so while the deletion is held back.
fn disabled(switched: Switched, tenants: Option<TenantsRead>, view: &ObjectView<'_>) -> Report {
    let Switched { read, sent, answer } = switched;
    if contradicts(&answer.config, &sent) {
        return not_as_asked(answer, &sent);
    }
    let lost = lost(&read, &answer);
    let report = if view.spec_enabled {
        let text = "The operator disabled the group so that it can be deleted; no tenant uses it.".to_owned();
        disabling(answer).normal(EventReason::Disabling, "Disable", text)
    } else {
        let text = "The group is disabled, as spec.enabled says.".to_owned();
        let report = reconciling(Seen::Group(answer), ConditionReason::Updating, text.clone()).then(Next::Now);
        report.normal(EventReason::Updated, "Disable", text).with_tenants_without_traffic(tenants)
    };
    report.warn_of_lost_elements(&read, "Disable", &lost)
}

fn of_update(updated: Updated, intent: &Intent, view: &ObjectView<'_>) -> Report {
    let Updated { read, answer, update, made, corrected, series, tenants } = updated;
    let lost = lost(&read, &answer);
    let mut report = answered(answer, &update, intent, view).warn_of_lost_elements(&read, "Update", &lost);
    if !made.is_empty() {
        let text = format!("The operator changed {}.", text::changes(&made));
        report = report.normal(EventReason::Updated, "Update", text);
    }
    let report = with_corrections(report, corrected, series, "Update");
    report.with_tenants_without_traffic(tenants)
}

/// Compares CloudFront's answer to an update with what was asked for.
fn answered(group: Group, update: &Update, intent: &Intent, view: &ObjectView<'_>) -> Report {
    let Update { config: asked, selection, open: _, refused, changes: _, by_others: _, left, tags: _ } = update;
    let left = if first_stated_otherwise(&group, asked, intent, view) { RemainingWork::Members } else { left.clone() };
    let has_list = selection.members.contains(&Member::AnycastIpListId);
    let attached = match &asked.anycast_ip_list_id {
        Some(list) if has_list && !bug!(AttachedListIsForgotten) => Field::Set(Some(list.to_string())),
        None if has_list && group.config.anycast_ip_list_id.is_none() => Field::Set(None),
        Some(_) | None => Field::Keep,
    };
    let report = if has_list && asked.anycast_ip_list_id.is_none() && group.config.anycast_ip_list_id.is_some() {
        detach_ignored(group, refused, view)
    } else if contradicts(&group.config, asked) {
        not_as_asked(group, asked)
    } else if left == RemainingWork::Members && !refused.is_empty() {
        members_refused(group, refused.clone(), view).then(Next::Now)
    } else {
        after(group, left, intent, view)
    };
    Report { attached, ..report }
}

/// CloudFront accepted to detach the list but still shows it as attached. The next reconcile reads whether it really stayed.
fn detach_ignored(group: Group, refused: &[RefusedMember], view: &ObjectView<'_>) -> Report {
    let ignored = RefusedMember {
        member: Member::AnycastIpListId,
        desired: String::new(),
        cause: RefusalCause::DetachIgnored,
        detail: String::new(),
    };
    let text = text::member_refused(&view.name, &ignored, group.config.anycast_ip_list_id.as_ref());
    let all = refused.iter().cloned().chain([ignored]).collect();
    let report = members_refused(group, all, view).then(Next::Now);
    let report = Report { refused_now: Some(Member::AnycastIpListId), ..report };
    report.warning(EventReason::MemberRefused, "Update", text)
}

/// Whether the answer states a member that differs from the spec and that the read omitted, so that it was not sent.
fn first_stated_otherwise(group: &Group, asked: &Members, intent: &Intent, view: &ObjectView<'_>) -> bool {
    let Intent::Present(desired) = intent else { return false };
    let wanted = desired.target(&group.config, view.attached_list(group).as_ref());
    differing(&wanted, &group.config).iter().any(|member| value(asked, *member).is_none())
}

/// CloudFront refused an update because of its content. Several members are tried one by one, at once; a single one goes on record.
fn of_refusal(refused: MembersRefused, view: &ObjectView<'_>, state: &ObjectState) -> Report {
    let MembersRefused { read, update, error, refusal } = refused;
    let Some(refusal) = refusal else {
        let on_record = view.refused().iter().filter(|refused| update.open.contains(&refused.member));
        let on_record = on_record.cloned().collect::<Vec<_>>();
        let report = if on_record.is_empty() {
            let text = text::refused_together(&update.selection.members);
            reconciling(Seen::Group(read), ConditionReason::Updating, text)
        } else {
            members_refused(read, on_record, view)
        };
        return report.then(Next::Now).failed(error);
    };
    let text = text::member_refused(&view.name, &refusal, read.config.anycast_ip_list_id.as_ref());
    let (is_new, member) = (!view.refused().contains(&refusal), refusal.member);
    let mut all = update.refused;
    all.push(refusal);
    all.sort_by_key(|refused| refused.member);
    let pause = state.member_attempts.pause(view.now);
    let next = match (update.tags, pause) {
        (TagsLeft::None, pause) if !pause.is_zero() => Next::After(pause),
        (TagsLeft::None | TagsLeft::Some, _) => Next::Now,
    };
    let report = members_refused(read, all, view).then(next).failed(error.clone());
    let report = Report { refused_now: Some(member), ..report };
    if is_new {
        report.warning(EventReason::MemberRefused, "Update", text::with_request_id(&text, &error))
    } else {
        report
    }
}

/// The elements that the answer to an update no longer shows.
fn lost(read: &Group, answered: &Group) -> Vec<String> {
    read.elements.lost(&answered.elements).map(ToOwned::to_owned).collect()
}

fn not_as_asked(group: Group, asked: &Members) -> Report {
    let text = text::not_as_asked(&group.config, asked);
    reconciling(Seen::Group(group), ConditionReason::ChangeNotApplied, text).then(Next::Backoff(Backoff::Quick))
}
