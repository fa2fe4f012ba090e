//! What a reconcile planned, by name. In: a reconcile that has ended. Out: the name of its first plan. Runs the production steps over its log.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use connection_group_operator::reconcile::{
    Inputs, ObjectView, Settings,
    desired::Intent,
    freshness::UpToDate,
    observe::observe,
    plan::{Action, Block, Change, Finding, Refusal, Release, plan},
};
use port::AnsweredBy;

use crate::{
    replay::{Replay, Views},
    state::Pass,
};

/// The name of what the reconcile planned first; `None` if a failed read prevented planning.
pub fn plan_of(pass: &Pass, settings: &Settings) -> Option<&'static str> {
    let port = Replay::new(&pass.input, &pass.log, Views::default());
    let around = Inputs {
        port: &AnsweredBy(&port),
        settings,
        snapshot: pass.input.snapshot.as_deref(),
        list_error: pass.input.list_error.as_ref(),
        clock: &port,
        freshness: &UpToDate,
    };
    let intent = Intent::of(&pass.input.object);
    let known = ObjectView::of(&pass.input.object, &pass.input.memory, &around);
    let looked = pin!(observe(&intent, &known, &pass.input.memory, &around));
    match looked.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(observed)) => {
            let name = name(&plan(&intent, observed, &known, settings));
            assert!(ALL.contains(&name), "{name} is not in the list of all plans");
            Some(name)
        }
        Poll::Ready(Err(_)) | Poll::Pending => None,
    }
}

/// All plans.
pub const ALL: [&str; 41] = [
    "Create",
    "Adopt",
    "Mark",
    "TakeOver",
    "Update",
    "Tag",
    "Untag",
    "Disable",
    "Enable",
    "Delete",
    "Disown",
    "NotRead",
    "Outdated",
    "Listed",
    "UpToDate",
    "Mirrored",
    "NothingToMirror",
    "ConfirmAbsence",
    "DeletedOutside",
    "AwaitDisabled",
    "ConfirmGone",
    "Release(Gone)",
    "Release(NotOurs)",
    "Release(Elsewhere)",
    "Release(Retained)",
    "Release(Observed)",
    "Blocked(Suspended)",
    "Blocked(DeletionProtected)",
    "Blocked(InUse)",
    "Blocked(TagsPending)",
    "Blocked(ClaimPending)",
    "Blocked(TagsOfAnother)",
    "Blocked(Flapping)",
    "Blocked(OwnerMayShow)",
    "Blocked(OwnerTagMissing)",
    "Blocked(OwnerUnstated)",
    "Refuse(NotOwned)",
    "Refuse(Elsewhere)",
    "Refuse(DefaultGroup)",
    "Refuse(AdoptionRefused)",
    "MembersRefused",
];

/// No wildcard, so that a new plan must be named, and the test of [`ALL`] demands a scenario for it.
const fn name(plan: &Action) -> &'static str {
    match plan {
        Action::Change(mutation) => match mutation {
            Change::Create(_) => "Create",
            Change::Adopt(_) => "Adopt",
            Change::Mark(_) => "Mark",
            Change::TakeOver(..) => "TakeOver",
            Change::Update(..) => "Update",
            Change::Tag(..) => "Tag",
            Change::Untag(..) => "Untag",
            Change::Disable(_) => "Disable",
            Change::Enable(..) => "Enable",
            Change::Delete(_) => "Delete",
            Change::Disown(_) => "Disown",
        },
        Action::None(finding) => match finding {
            Finding::NotRead => "NotRead",
            Finding::Outdated => "Outdated",
            Finding::Listed(_) => "Listed",
            Finding::UpToDate(_) => "UpToDate",
            Finding::Mirrored(..) => "Mirrored",
            Finding::NothingToMirror => "NothingToMirror",
            Finding::ConfirmAbsence => "ConfirmAbsence",
            Finding::DeletedOutside => "DeletedOutside",
            Finding::AwaitDisabled(_) => "AwaitDisabled",
            Finding::ConfirmGone(_) => "ConfirmGone",
            Finding::Release(Release::Gone) => "Release(Gone)",
            Finding::Release(Release::NotOurs) => "Release(NotOurs)",
            Finding::Release(Release::Elsewhere(_)) => "Release(Elsewhere)",
            Finding::Release(Release::Retained) => "Release(Retained)",
            Finding::Release(Release::Observed(_)) => "Release(Observed)",
            Finding::Blocked(Block::Suspended) => "Blocked(Suspended)",
            Finding::Blocked(Block::DeletionProtected(_)) => "Blocked(DeletionProtected)",
            Finding::Blocked(Block::InUse(..)) => "Blocked(InUse)",
            Finding::Blocked(Block::TagsPending(_)) => "Blocked(TagsPending)",
            Finding::Blocked(Block::ClaimPending(..)) => "Blocked(ClaimPending)",
            Finding::Blocked(Block::TagsOfAnother) => "Blocked(TagsOfAnother)",
            Finding::Blocked(Block::OwnerMayShow(_)) => "Blocked(OwnerMayShow)",
            Finding::Blocked(Block::OwnerTagMissing(..)) => "Blocked(OwnerTagMissing)",
            Finding::Blocked(Block::OwnerUnstated(_)) => "Blocked(OwnerUnstated)",
            Finding::Blocked(Block::Flapping(..)) => "Blocked(Flapping)",
            Finding::Refuse(_, Refusal::NotOwned(_)) => "Refuse(NotOwned)",
            Finding::Refuse(_, Refusal::Elsewhere(_)) => "Refuse(Elsewhere)",
            Finding::Refuse(_, Refusal::DefaultGroup) => "Refuse(DefaultGroup)",
            Finding::Refuse(_, Refusal::AdoptionRefused(_)) => "Refuse(AdoptionRefused)",
            Finding::MembersRefused(..) => "MembersRefused",
        },
    }
}
