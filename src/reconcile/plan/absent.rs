//! Plans what to do with a group whose object is being deleted. Pure.

use super::{Action, Block, Blocker, Change, Finding, LeftBehind, Protected, Release};
use crate::{
    cloudfront::{Deployment, Described, Group, Tenants},
    reconcile::{
        ObjectView,
        desired::{DeletionAction, Intent},
        observe::{Observed, Usage},
        ownership::Owner,
    },
};

/// The deletion is held back. A group that this deletion or another client disabled against the spec is enabled again.
pub fn plan_protected_deletion(observed: Observed, view: &ObjectView<'_>) -> Action {
    let Observed::Found { described, owner, usage: _ } = observed else {
        let protected = match observed {
            Observed::NeverThere | Observed::NotFound(_) => Protected::NotOurs,
            Observed::Listed(summary) => Protected::Listed(summary),
            _ => Protected::NotRead,
        };
        return Finding::Blocked(Block::DeletionProtected(protected)).into();
    };
    let off = is_off_against_the_spec(&described, view);
    let on = is_on_against_the_spec(&described, view);
    match owner {
        _ if described.group.is_default => Finding::Blocked(Block::DeletionProtected(Protected::NotOurs)).into(),
        Owner::Ours if off && !bug!(ProtectionLeavesItOff) => {
            Change::EnableAgain(described, Blocker::Protection).into()
        }
        Owner::Ours if on => Change::DisableInDeletion(described).into(),
        Owner::Unmarked if off || on => Change::Mark(described).into(),
        Owner::ToTakeOver(from) if off || on => Change::TakeOver(described, from).into(),
        Owner::Ours => Finding::Blocked(Block::DeletionProtected(Protected::Ours(Box::new(described)))).into(),
        _ => Finding::Blocked(Block::DeletionProtected(Protected::NotOurs)).into(),
    }
}

fn is_off_against_the_spec(described: &Described, view: &ObjectView<'_>) -> bool {
    view.spec_enabled && (described.group.config.enabled == Some(false) || view.may_be_off(&described.group))
}

const fn is_on_against_the_spec(described: &Described, view: &ObjectView<'_>) -> bool {
    !view.spec_enabled && !matches!(described.group.config.enabled, Some(false))
}

/// Whether tenants use the group, or CloudFront says that it is in use although it lists none.
fn is_in_use(tenants: &Tenants, view: &ObjectView<'_>) -> bool {
    (tenants.any() || view.in_use_unlisted) && !bug!(TenantsAreIgnored)
}

/// Whether the group may be deleted. The object is being deleted with policy Delete, and is neither suspended nor protected. The group was just read, and
/// carries our owner and identity tags. No tenant uses it, and it is disabled and rolled out.
pub fn may_be_deleted(intent: &Intent, group: &Group, owner: &Owner, usage: &Usage, view: &ObjectView<'_>) -> bool {
    let policy_is_delete = matches!(intent, Intent::Absent { action: DeletionAction::Delete, .. });
    let Usage::Tenants(tenants) = usage else { return false };
    let in_use = is_in_use(tenants, view);
    let is_disabled = group.config.enabled == Some(false);
    // If the deployment status is unknown, CloudFront's own check of the Delete decides.
    let is_rolled_out = !matches!(group.deployment, Some(Deployment::Pending(_)));
    policy_is_delete && *owner == Owner::Ours && !group.is_default && !in_use && is_disabled && is_rolled_out
}

/// The next step of a deletion whose group is ours and may not be deleted yet.
pub fn next_deletion_step(action: DeletionAction, described: Described, usage: Usage, view: &ObjectView<'_>) -> Action {
    let off = is_off_against_the_spec(&described, view);
    let on = is_on_against_the_spec(&described, view);
    let is_disabled = described.group.config.enabled == Some(false);
    match (action, usage) {
        (DeletionAction::Leave, _) => {
            Finding::Release(Release::Observed(LeftBehind::MarkedGroup(described.group.config.enabled))).into()
        }
        (DeletionAction::Retain, _) if off && !bug!(RetainedWhileOff) => {
            Change::EnableAgain(described, Blocker::Retention).into()
        }
        (DeletionAction::Retain, _) if on => Change::DisableInDeletion(described).into(),
        (DeletionAction::Retain, _) => Change::Disown(described).into(),
        (DeletionAction::Delete, Usage::Unknown) if off => Change::EnableAgain(described, Blocker::UnknownUse).into(),
        (DeletionAction::Delete, Usage::Unknown) if on => Change::DisableInDeletion(described).into(),
        (DeletionAction::Delete, Usage::Tenants(tenants)) if is_in_use(&tenants, view) => {
            if off && !bug!(BlockedDeletionLeavesItOff) {
                return Change::EnableAgain(described, Blocker::Tenants).into();
            }
            // The emergency switch works until the object is gone.
            if on {
                return Change::DisableInDeletion(described).into();
            }
            Finding::Blocked(Block::InUse(Box::new(described), tenants)).into()
        }
        // It may be enabled. Disabling it once more is harmless, and afterwards its state is known.
        (DeletionAction::Delete, Usage::Tenants(_)) if !is_disabled => Change::DisableInDeletion(described).into(),
        (DeletionAction::Delete, Usage::NotRead | Usage::Unknown | Usage::Tenants(_)) => {
            Finding::AwaitDisabled(described).into()
        }
    }
}
