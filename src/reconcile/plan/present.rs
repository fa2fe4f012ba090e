//! Plans what to do with a group that the spec wants and that is ours or may be adopted. Pure.

use super::{Action, AdoptionObstacle, Block, Change, Finding, Flapping, NotManaged, RemainingWork, TagsLeft, Update};
use crate::{
    api::{AdoptionPolicy, Member, RefusalCause, RefusedMember},
    cloudfront::{Config, Described, Tags},
    reconcile::{
        ObjectView, Settings,
        desired::Desired,
        diff::{differences, member_differences, tag_changes, tag_field},
        members::{self, MemberSet},
    },
};

/// The configuration goes before the tags: disabling the group must not wait for them.
pub fn manage(desired: &Desired, described: Described, view: &ObjectView<'_>) -> Action {
    let read = &described.group.config;
    let wanted = desired.target(read, view.attached_list(&described.group).as_ref());
    let mut differing = members::differing(&wanted, read);
    // If CloudFront does not state whether this version is enabled, assume the worse case.
    if read.enabled.is_none() && (!wanted.enabled || view.may_be_off(&described.group)) {
        differing.insert(Member::Enabled);
    }
    let by_others = view.changed_by_others(&described.group, &wanted, &differing);
    let refused = members::still_refused(view.refused(), &wanted, &differing);
    let (ignored, open) = tried_once(&refused, &differing);
    let held = held_back(&by_others, &wanted, view);
    let due = &open - &held;
    let (mut set, remove) =
        tag_changes(desired, &view.tags_of(&described, desired), &view.tags_sent_to(&described.group));
    let tags = if set.is_empty() && remove.is_empty() { TagsLeft::None } else { TagsLeft::Some };

    let names = refused.iter().map(|refused| refused.member).collect();
    if let Some(selection) = view.member_attempts.next(&due, &names, &wanted, view.now) {
        let config = members::carrying(&selection.members, &wanted, read);
        let changes = member_differences(&selection.members, &wanted, read);
        let left = if selection.members != open {
            RemainingWork::Members
        } else if tags == TagsLeft::Some && !bug!(SettledWithoutTags) {
            RemainingWork::Tags
        } else {
            remaining_work(ignored, &described.tags, desired, view)
        };
        let refused = refused.into_iter().filter(|refused| !selection.members.contains(&refused.member)).collect();
        let update = Update { config, selection, open: due, refused, changes, by_others, left, tags };
        return Change::Update(described, Box::new(update)).into();
    }
    let mut waiting = member_differences(&(&open & &held), &wanted, read);
    if view.pause.is_some() {
        let lost = view.lost_tags(&set, &described);
        set.retain(|key, _| lost.iter().all(|change| change.field != tag_field(key)));
        waiting.extend(lost);
    }
    if !set.is_empty() {
        let shown = described.tags.clone().into_iter().chain(set.clone()).collect();
        let left = if !waiting.is_empty() {
            RemainingWork::Paused(by_others)
        } else if remove.is_empty() {
            remaining_work(refused, &shown, desired, view)
        } else {
            RemainingWork::Tags
        };
        return Change::Tag(described, set, left).into();
    }
    if !remove.is_empty() {
        let left = if waiting.is_empty() {
            remaining_work(refused, &described.tags, desired, view)
        } else {
            RemainingWork::Paused(by_others)
        };
        return Change::Untag(described, remove, left).into();
    }
    if let Some(pause) = view.pause.filter(|_| !waiting.is_empty()) {
        let flapping = Flapping { described, changes: waiting, members: by_others, pause };
        return Finding::Blocked(Block::Flapping(Box::new(flapping))).into();
    }
    if refused.is_empty() {
        Finding::UpToDate(described).into()
    } else {
        Finding::MembersRefused(described, refused).into()
    }
}

/// The members whose correction waits for the drift backoff. It never leaves a group enabled against the spec, and holds up no change of the spec's own.
fn held_back(by_others: &MemberSet, wanted: &Config, view: &ObjectView<'_>) -> MemberSet {
    let never_waits = |member: &Member| *member == Member::Enabled && !wanted.enabled && !bug!(SwitchingOffIsPaused);
    match view.pause {
        Some(_) => by_others.iter().copied().filter(|member| !never_waits(member)).collect(),
        None => MemberSet::new(),
    }
}

/// A detachment that CloudFront accepted but did not carry out is not requested again, because each request is a roll-out. All other differences may be tried.
fn tried_once(refused: &[RefusedMember], differing: &MemberSet) -> (Vec<RefusedMember>, MemberSet) {
    let is_detach = |refused: &RefusedMember| refused.member == Member::AnycastIpListId && refused.desired.is_empty();
    let ignored = refused.iter().filter(|refused| refused.cause == RefusalCause::DetachIgnored && is_detach(refused));
    let ignored = ignored.filter(|_| !bug!(IgnoredDetachIsRepeated)).cloned().collect::<Vec<_>>();
    let open = differing.iter().filter(|member| ignored.iter().all(|ignored| ignored.member != **member)).copied();
    let open = open.collect();
    (ignored, open)
}

fn remaining_work(
    refused: Vec<RefusedMember>,
    shown: &Tags,
    desired: &Desired,
    view: &ObjectView<'_>,
) -> RemainingWork {
    if !refused.is_empty() {
        RemainingWork::Refused(refused)
    } else if (desired.tags_are_in(shown) && !view.tags_may_be_old(desired)) || bug!(SettledWithoutTags) {
        RemainingWork::Nothing
    } else {
        RemainingWork::TagsToShow
    }
}

pub fn adopt(desired: &Desired, described: Described, view: &ObjectView<'_>, settings: &Settings) -> Action {
    let obstacle = AdoptionObstacle {
        forbidden_by_administrator: !settings.allow_adoption,
        policy: desired.adoption,
        differences: differences(desired, &described, None),
        traffic: view.traffic_once_ours(&described.group),
    };
    let object_agrees = match desired.adoption {
        AdoptionPolicy::Never => false,
        AdoptionPolicy::IfUnchanged => obstacle.is_unchanged() || bug!(DifferencesAreAdopted),
        AdoptionPolicy::Always => true,
    };
    if object_agrees && (settings.allow_adoption || bug!(AdministratorIsNotAsked)) {
        let left = view.owner_may_show_for(&described.group);
        if !left.is_zero() {
            return Finding::Blocked(Block::OwnerMayShow(Box::new(described), left)).into();
        }
        // Otherwise the tags on record would count as ours on this group, and the next edit would remove them.
        return if view.status.tags.is_empty() || view.id().as_ref() == Some(&described.group.id) {
            Change::Adopt(described).into()
        } else {
            Finding::Blocked(Block::TagsOfAnother).into()
        };
    }
    Finding::NotManaged(described, NotManaged::AdoptionRefused(obstacle)).into()
}
