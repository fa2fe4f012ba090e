//! Decides what to do, in one exhaustive table. Pure: (intent, observed, object view, settings) -> [`Action`].

mod absent;
mod action;
mod change;
mod finding;
mod present;

use self::{
    absent::{may_be_deleted, next_deletion_step, plan_protected_deletion},
    present::{adopt, manage},
};
pub use self::{
    action::Action,
    change::{Blocker, Change, RemainingWork, TagsLeft, Update},
    finding::{AdoptionObstacle, Block, Finding, Flapping, LeftBehind, NotManaged, Protected, Release},
};
use super::{
    ObjectView, Settings,
    desired::{DeletionAction, Desired, Intent},
    diff::differences,
    freshness::RECHECK,
    observe::{Absence, Observed},
    ownership::{Owner, Rival},
};
use crate::cloudfront::{Described, NewGroup};

/// Plans what this reconcile does.
#[must_use]
pub fn plan(intent: &Intent, observed: Observed, view: &ObjectView<'_>, settings: &Settings) -> Action {
    match (intent, observed) {
        (Intent::Suspended, _) => Finding::Blocked(Block::Suspended).into(),
        (_, Observed::Outdated) => Finding::Outdated.into(),
        (Intent::Protected, observed) => plan_protected_deletion(observed, view),
        (_, Observed::ClaimPending(left, elsewhere)) => Finding::Blocked(Block::ClaimPending(left, elsewhere)).into(),
        (Intent::Absent { action: DeletionAction::Leave, .. }, observed) => {
            Finding::Release(Release::Observed(left_behind(&observed))).into()
        }
        // Only a deletion that leaves the group as it is continues without an answer.
        (_, Observed::NotRead | Observed::Unreadable) => Finding::NotRead.into(),
        (_, Observed::Listed(summary)) => Finding::Listed(summary).into(),

        (Intent::Present(_) | Intent::Mirrored(_), Observed::NotFound(Absence::Reported))
            if view.status.id.is_some() && !bug!(OneNotFoundIsGone) =>
        {
            Finding::ConfirmAbsence.into()
        }
        (Intent::Present(_), Observed::NotFound(_)) if view.status.id.is_some() => Finding::DeletedOutside.into(),
        (Intent::Present(desired), Observed::NeverThere | Observed::NotFound(_)) => create(desired, view),
        (Intent::Present(desired), Observed::Found { described, owner, usage: _ }) => match owner {
            _ if described.group.is_default && !bug!(DefaultGroupIsManaged) => {
                Finding::NotManaged(described, NotManaged::DefaultGroup).into()
            }
            Owner::Ours => manage(desired, described, view),
            Owner::Unmarked => Change::Mark(described).into(),
            Owner::ToTakeOver(from) => Change::TakeOver(described, from).into(),
            Owner::Elsewhere(installation) => {
                Finding::NotManaged(described, NotManaged::Elsewhere(installation)).into()
            }
            Owner::Unowned if view.may_still_be_ours(&described.group) && !bug!(OneReadWithoutTagsIsLost) => {
                owner_tag_missing(described, view)
            }
            Owner::Unowned => adopt(desired, described, view, settings),
            Owner::TagsPending => tags_pending(described, view),
            Owner::Unstated => Finding::Blocked(Block::OwnerUnstated(Box::new(described))).into(),
            Owner::Other(tag) => {
                let rival = Rival::of(tag, &view.claim.owner);
                Finding::NotManaged(described, NotManaged::NotOwned(rival)).into()
            }
        },

        (Intent::Mirrored(_), Observed::NeverThere | Observed::NotFound(_)) => Finding::NothingToMirror.into(),
        (Intent::Mirrored(desired), Observed::Found { described, .. }) => {
            let drift = differences(desired, &described, view.attached_list(&described.group).as_ref());
            Finding::Mirrored(described, drift).into()
        }

        (Intent::Absent { .. }, Observed::NeverThere) => Finding::ConfirmGone(Absence::Reported).into(),
        (Intent::Absent { .. }, Observed::NotFound(absence @ (Absence::Reported | Absence::Confirmed))) => {
            if bug!(ReleasedOnOneNotFound) {
                return Finding::Release(Release::Gone).into();
            }
            Finding::ConfirmGone(absence).into()
        }
        (Intent::Absent { .. }, Observed::NotFound(Absence::Proven)) => Finding::Release(Release::Gone).into(),
        (Intent::Absent { .. }, Observed::Found { described, owner, usage })
            if may_be_deleted(intent, &described.group, &owner, &usage, view) =>
        {
            Change::Delete(described).into()
        }
        (Intent::Absent { action, .. }, Observed::Found { described, owner, usage }) => match owner {
            _ if described.group.is_default => Finding::Release(Release::NotOurs).into(),
            Owner::Ours => next_deletion_step(*action, described, usage, view),
            Owner::Unmarked => Change::Mark(described).into(),
            Owner::ToTakeOver(from) => Change::TakeOver(described, from).into(),
            Owner::Elsewhere(installation) => Finding::Release(Release::Elsewhere(installation)).into(),
            Owner::TagsPending => tags_pending(described, view),
            Owner::Unstated => Finding::Blocked(Block::OwnerUnstated(Box::new(described))).into(),
            // One read without the tag does not prove that the group is not ours, even if status is lost.
            Owner::Unowned if !view.owner_may_show_for(&described.group).is_zero() => {
                owner_tag_missing(described, view)
            }
            Owner::Unowned if *action == DeletionAction::Retain => Finding::Release(Release::Retained).into(),
            Owner::Unowned | Owner::Other(_) => Finding::Release(Release::NotOurs).into(),
        },
    }
}

/// A young group shows its tags when it is a minute old. It is not known when the tags of an adoption become visible, so the group is read again soon.
fn tags_pending(described: Described, view: &ObjectView<'_>) -> Action {
    let shown_in = view.tags_show_in(&described.group).unwrap_or(RECHECK);
    Finding::Blocked(Block::TagsPending(Box::new(described), shown_in)).into()
}

fn owner_tag_missing(described: Described, view: &ObjectView<'_>) -> Action {
    let left = view.owner_may_show_for(&described.group);
    Finding::Blocked(Block::OwnerTagMissing(Box::new(described), left)).into()
}

fn left_behind(observed: &Observed) -> LeftBehind {
    match observed {
        Observed::NeverThere | Observed::NotFound(_) => LeftBehind::Nothing,
        Observed::Found { owner: Owner::Ours | Owner::Unmarked, described, .. } => {
            LeftBehind::MarkedGroup(described.group.config.enabled)
        }
        Observed::Found { .. } => LeftBehind::Group,
        Observed::NotRead
        | Observed::Outdated
        | Observed::Listed(_)
        | Observed::ClaimPending(..)
        | Observed::Unreadable => LeftBehind::Unknown,
    }
}

fn create(desired: &Desired, view: &ObjectView<'_>) -> Action {
    let (name, config) = (desired.name.clone(), desired.config());
    Change::Create(NewGroup { name, config, tags: desired.all_tags(&view.claim) }).into()
}
