//! The decision table in readable form: what one reconcile does for each combination. Pure, and not a copy of `plan.rs`.
//!
//! Each arm has the sentence that it proves. No wildcards: a new mode, policy or situation needs a decision
//! wherever it matters.

use connection_group_operator::api::{
    AdoptionPolicy::{Always, IfUnchanged, Never},
    DeletionPolicy::{Delete, Retain},
    Mode::{Manage, Observe},
};

use port::PlanName;

use super::axes::{
    Case, Exists,
    Record::{AtRest, Unseen},
};

/// What a reconcile plans, and the state of the object after it.
#[derive(Debug, PartialEq, Eq)]
pub struct Expected {
    pub plan: PlanName,
    /// Status and reason of `Ready`, and the other conditions.
    pub ready: (&'static str, &'static str, Vec<&'static str>),
}

/// Ready.
fn ready(plan: PlanName, reason: &'static str) -> Expected {
    Expected { plan, ready: ("True", reason, vec![]) }
}

/// In progress.
fn reconciling(plan: PlanName, reason: &'static str) -> Expected {
    Expected { plan, ready: ("False", reason, vec!["Reconciling"]) }
}

/// A person has to act.
fn stalled(plan: PlanName, reason: &'static str) -> Expected {
    Expected { plan, ready: ("False", reason, vec!["Stalled"]) }
}

pub fn expected(case: &Case) -> Expected {
    match (case.suspended, case.being_deleted, case.mode) {
        // Suspend comes before everything else, and an object that was at rest keeps its conditions.
        (true, false, Manage | Observe) => match case.record {
            Unseen => reconciling(PlanName::Suspended, "Suspended"),
            AtRest => ready(PlanName::Suspended, "Deployed"),
        },
        // A deletion waits for the end of a suspension, and says so.
        (true, true, Manage | Observe) => reconciling(PlanName::Suspended, "Suspended"),
        (false, false, Manage) => managed(case),
        // Adoption, protection and deletion policy have no effect on an object that only observes.
        (false, false, Observe) => mirrored(case),
        // What was only observed is released at once: neither protection nor policy holds it.
        (false, true, Observe) => reconciling(PlanName::ReleaseObserved, "Released"),
        (false, true, Manage) => parted(case),
    }
}

fn managed(case: &Case) -> Expected {
    match case.exists {
        Exists::Nothing => match case.record {
            // What never existed is created at once.
            Unseen => reconciling(PlanName::Create, "Deploying"),
            // What is gone was deleted by someone else: that is recorded first, and the next reconcile creates it again.
            AtRest => reconciling(PlanName::DeletedOutside, "DeletedOutside"),
        },
        // What is as the spec says is left alone, whoever uses it.
        Exists::Ours | Exists::OursWithTenants => ready(PlanName::UpToDate, "Deployed"),
        // Disabled on purpose is as ready as enabled on purpose.
        Exists::OursDisabledAsAsked => ready(PlanName::UpToDate, "Disabled"),
        // Nothing to do, but not ready before CloudFront has rolled it out.
        Exists::OursInProgress => reconciling(PlanName::UpToDate, "Deploying"),
        // Whatever differs is corrected by one update, also while an earlier change is being rolled out.
        Exists::OursOtherwise
        | Exists::OursDisabled
        | Exists::OursEnabledAgainstTheSpec
        | Exists::OursBeingDisabled => reconciling(PlanName::Update, "Deploying"),
        // A tag that the spec names is set; tags need no rollout.
        Exists::OursTaggedOtherwise => ready(PlanName::Tag, "Deployed"),
        Exists::OursWithFormerTag => match case.record {
            // A tag that the spec does not name, and that we do not know to be ours, belongs to someone else.
            Unseen => ready(PlanName::UpToDate, "Deployed"),
            // A tag of ours that the spec no longer names is removed.
            AtRest => ready(PlanName::Untag, "Deployed"),
        },
        // The version that created it set no identity tag: ours is set before anything else.
        Exists::OursUnmarked => reconciling(PlanName::Mark, "Tagged"),
        // The administrator's decision transfers it, whatever the object says.
        Exists::OursOfPredecessor => reconciling(PlanName::TakeOver, "TakenOver"),
        // The same object in another cluster: only one of the two acts.
        Exists::OursElsewhere => stalled(PlanName::Elsewhere, "AnotherInstallation"),
        Exists::Unowned => match (case.adoption_allowed, case.adoption) {
            (true, IfUnchanged | Always) => adopted(case),
            // The object's permission is missing, or the administrator's.
            (true, Never) | (false, Never | IfUnchanged | Always) => {
                stalled(PlanName::AdoptionRefused, "AdoptionRefused")
            }
        },
        Exists::UnownedOtherwise => match (case.adoption_allowed, case.adoption) {
            // Only Always takes over what differs.
            (true, Always) => adopted(case),
            (true, Never | IfUnchanged) | (false, Never | IfUnchanged | Always) => {
                stalled(PlanName::AdoptionRefused, "AdoptionRefused")
            }
        },
        Exists::UnownedAtFirstSight => match (case.adoption_allowed, case.adoption) {
            // Its owner's tag may not be visible yet: the permissions count after a second read.
            (true, IfUnchanged | Always) => reconciling(PlanName::OwnerMayShow, "Adopting"),
            (true, Never) | (false, Never | IfUnchanged | Always) => {
                stalled(PlanName::AdoptionRefused, "AdoptionRefused")
            }
        },
        // It may be our own, whose tags are not visible yet: no permission counts before that is known.
        Exists::UnownedYoung => reconciling(PlanName::TagsPending, "TagsPending"),
        // No permission applies to what belongs to someone else.
        Exists::Another => stalled(PlanName::NotOwned, "NotOwned"),
        // Nor the account's own group.
        Exists::Default => stalled(PlanName::DefaultGroup, "DefaultGroup"),
    }
}

fn adopted(case: &Case) -> Expected {
    match case.record {
        // Both permissions are given: the owner tag first, whatever else is to be done.
        Unseen => reconciling(PlanName::Adopt, "Adopted"),
        // The tags of the group that was ours before are dropped from status first, so that they do not count as ours on this one.
        AtRest => reconciling(PlanName::TagsOfAnother, "Adopting"),
    }
}

fn mirrored(case: &Case) -> Expected {
    let drifted = |mut expected: Expected| {
        expected.ready.2.push("Drifted");
        expected
    };
    match case.exists {
        // There is nothing to show, and nothing is created.
        Exists::Nothing => reconciling(PlanName::NothingToMirror, "GroupNotFound"),
        // Whoever owns it, it is shown; tags that the spec does not name are no difference.
        Exists::Ours
        | Exists::OursWithTenants
        | Exists::OursWithFormerTag
        | Exists::OursUnmarked
        | Exists::OursOfPredecessor
        | Exists::Unowned
        | Exists::UnownedAtFirstSight => ready(PlanName::Mirrored, "Deployed"),
        Exists::OursDisabledAsAsked => ready(PlanName::Mirrored, "Disabled"),
        // Not rolled out is not ready, whoever is rolling it out.
        Exists::OursInProgress | Exists::UnownedYoung => reconciling(PlanName::Mirrored, "Deploying"),
        // If it differs from the spec, that is reported and left so; the default group lacks the spec's tag.
        Exists::OursOtherwise
        | Exists::OursTaggedOtherwise
        | Exists::OursEnabledAgainstTheSpec
        | Exists::OursElsewhere
        | Exists::UnownedOtherwise
        | Exists::Another
        | Exists::Default => drifted(ready(PlanName::Mirrored, "Deployed")),
        Exists::OursDisabled => drifted(ready(PlanName::Mirrored, "Disabled")),
        Exists::OursBeingDisabled => drifted(reconciling(PlanName::Mirrored, "Deploying")),
    }
}

fn parted(case: &Case) -> Expected {
    match (case.protected, case.deletion) {
        (true, Delete | Retain) => protected(case),
        (false, Delete) => deleted(case),
        (false, Retain) => retained(case),
    }
}

fn protected(case: &Case) -> Expected {
    match case.exists {
        // What is ours and off against the spec is enabled, whoever disabled it.
        Exists::OursDisabled | Exists::OursBeingDisabled => reconciling(PlanName::Enable, "EnabledAgain"),
        // What is ours and on against the spec is disabled.
        Exists::OursEnabledAgainstTheSpec => reconciling(PlanName::Disable, "Updating"),
        // Protection holds every deletion, also one that would leave the group.
        Exists::Nothing
        | Exists::Ours
        | Exists::OursOtherwise
        | Exists::OursTaggedOtherwise
        | Exists::OursWithFormerTag
        | Exists::OursWithTenants
        | Exists::OursDisabledAsAsked
        | Exists::OursInProgress
        | Exists::OursUnmarked
        | Exists::OursOfPredecessor
        | Exists::OursElsewhere
        | Exists::Unowned
        | Exists::UnownedOtherwise
        | Exists::UnownedAtFirstSight
        | Exists::UnownedYoung
        | Exists::Another
        | Exists::Default => reconciling(PlanName::DeletionProtected, "DeletionProtected"),
    }
}

fn deleted(case: &Case) -> Expected {
    match case.exists {
        // Get and list agree that it is gone: two proofs.
        Exists::Nothing => reconciling(PlanName::ReleaseGone, "Deleted"),
        // What serves traffic is disabled first, whether or not it is as the spec says, and whether or not it is rolled
        // out.
        Exists::Ours
        | Exists::OursOtherwise
        | Exists::OursTaggedOtherwise
        | Exists::OursWithFormerTag
        | Exists::OursInProgress => reconciling(PlanName::Disable, "Disabling"),
        // The spec says disabled as well, so the reason is that of an edit.
        Exists::OursEnabledAgainstTheSpec => reconciling(PlanName::Disable, "Updating"),
        // What serves tenants is not even disabled.
        Exists::OursWithTenants => reconciling(PlanName::InUse, "InUse"),
        // What is disabled everywhere is deleted, whoever disabled it.
        Exists::OursDisabled | Exists::OursDisabledAsAsked => reconciling(PlanName::Delete, "Deleting"),
        // What is not yet disabled everywhere is waited for.
        Exists::OursBeingDisabled => reconciling(PlanName::AwaitDisabled, "Disabling"),
        // Ours in this installation first; in another one it is not ours to touch.
        Exists::OursUnmarked => reconciling(PlanName::Mark, "Tagged"),
        Exists::OursOfPredecessor | Exists::OursElsewhere => reconciling(PlanName::ReleaseElsewhere, "Released"),
        // What nobody owns, or someone else, or the account, is not ours to delete: a deletion adopts nothing.
        Exists::Unowned | Exists::UnownedOtherwise | Exists::Another | Exists::Default => {
            reconciling(PlanName::ReleaseNotOurs, "Released")
        }
        Exists::UnownedAtFirstSight => first_sight(),
        // It may be our own, whose tags are not visible yet: to release the object now would leak it.
        Exists::UnownedYoung => reconciling(PlanName::TagsPending, "TagsPending"),
    }
}

fn retained(case: &Case) -> Expected {
    match case.exists {
        // There is nothing left to retain.
        Exists::Nothing => reconciling(PlanName::ReleaseGone, "Deleted"),
        // Our owner tag is removed, and nothing else: traffic, tenants, other tags and rollouts continue.
        Exists::Ours
        | Exists::OursOtherwise
        | Exists::OursTaggedOtherwise
        | Exists::OursWithFormerTag
        | Exists::OursWithTenants
        | Exists::OursDisabledAsAsked
        | Exists::OursInProgress => reconciling(PlanName::Disown, "Released"),
        // But nothing is left off or on against the spec.
        Exists::OursDisabled | Exists::OursBeingDisabled => reconciling(PlanName::Enable, "EnabledAgain"),
        Exists::OursEnabledAgainstTheSpec => reconciling(PlanName::Disable, "Updating"),
        // Ours in this installation first; in another one it is not ours to touch.
        Exists::OursUnmarked => reconciling(PlanName::Mark, "Tagged"),
        Exists::OursOfPredecessor | Exists::OursElsewhere => reconciling(PlanName::ReleaseElsewhere, "Released"),
        // Our owner tag is removed already, as after a reconcile whose end was lost.
        Exists::Unowned | Exists::UnownedOtherwise => reconciling(PlanName::ReleaseRetained, "Released"),
        Exists::UnownedAtFirstSight => first_sight(),
        // It may be our own, whose tags are not visible yet: to release the object now would leave our owner tag on it.
        Exists::UnownedYoung => reconciling(PlanName::TagsPending, "TagsPending"),
        Exists::Another | Exists::Default => reconciling(PlanName::ReleaseNotOurs, "Released"),
    }
}

/// A deletion whose group shows no owner for the first time and is not on record: it may be ours, and its tag late.
fn first_sight() -> Expected {
    reconciling(PlanName::OwnerTagMissing, "TagsPending")
}
