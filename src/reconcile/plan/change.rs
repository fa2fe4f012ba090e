//! The one change of a reconcile. Pure data.

use std::collections::BTreeSet;

use crate::{
    api::{Drift, Member, RefusedMember},
    cloudfront::{AnycastIpListId, Described, Group, Members, NewGroup, Tags},
    reconcile::{
        members::{MemberSet, Selection},
        ownership::Installation,
    },
};

/// The one change of a reconcile. Each but Create carries the group as read in this reconcile, so that id, ARN and `ETag` can come from nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Create the group.
    Create(NewGroup),
    /// Put our tags on an unowned group.
    Adopt(Described),
    /// Put our identity on a group of this object that no installation has marked yet.
    Mark(Described),
    /// Replace this identity with ours: the administrator told us to take over from that installation.
    TakeOver(Described, Installation),
    /// Change members of the configuration.
    Update(Described, Box<Update>),
    /// Set tags.
    Tag(Described, Tags, RemainingWork),
    /// Remove tags that we once set.
    Untag(Described, BTreeSet<String>, RemainingWork),
    /// Deletion: disable the group.
    DisableInDeletion(Described),
    /// Deletion: enable the group again, because the deletion cannot go on, or the group is kept.
    EnableAgain(Described, Blocker),
    /// Deletion: delete the disabled group.
    Delete(Described),
    /// Deletion: remove the tags that mark ownership, and keep the group.
    Disown(Described),
}

impl Change {
    /// The group that it changes.
    #[must_use]
    pub const fn group(&self) -> Option<&Group> {
        match self {
            Self::Create(_) => None,
            Self::Adopt(described)
            | Self::Mark(described)
            | Self::TakeOver(described, _)
            | Self::Update(described, ..)
            | Self::Tag(described, ..)
            | Self::Untag(described, ..)
            | Self::DisableInDeletion(described)
            | Self::EnableAgain(described, _)
            | Self::Delete(described)
            | Self::Disown(described) => Some(&described.group),
        }
    }

    /// Whether it enables or disables the group.
    #[must_use]
    pub fn switches(&self) -> bool {
        match self {
            Self::Update(_, update) => update.selection.members.contains(&Member::Enabled),
            Self::DisableInDeletion(_) | Self::EnableAgain(..) => true,
            Self::Create(_)
            | Self::Adopt(_)
            | Self::Mark(_)
            | Self::TakeOver(..)
            | Self::Tag(..)
            | Self::Untag(..)
            | Self::Delete(_)
            | Self::Disown(_) => false,
        }
    }

    /// The Anycast list that it attaches.
    #[must_use]
    pub fn attaches(&self) -> Option<&AnycastIpListId> {
        match self {
            Self::Create(new) => new.config.anycast_ip_list_id.as_ref(),
            Self::Update(_, update) if update.selection.members.contains(&Member::AnycastIpListId) => {
                update.config.anycast_ip_list_id.as_ref()
            }
            Self::Update(..)
            | Self::Adopt(_)
            | Self::Mark(_)
            | Self::TakeOver(..)
            | Self::Tag(..)
            | Self::Untag(..)
            | Self::DisableInDeletion(_)
            | Self::EnableAgain(..)
            | Self::Delete(_)
            | Self::Disown(_) => None,
        }
    }

    /// If it re-enables a group that is being deleted: the reason.
    #[must_use]
    pub const fn enables_because_of(&self) -> Option<Blocker> {
        match self {
            Self::EnableAgain(_, blocker) => Some(*blocker),
            Self::Create(_)
            | Self::Adopt(_)
            | Self::Mark(_)
            | Self::TakeOver(..)
            | Self::Update(..)
            | Self::Tag(..)
            | Self::Untag(..)
            | Self::DisableInDeletion(_)
            | Self::Delete(_)
            | Self::Disown(_) => None,
        }
    }

    /// The group that it changes, if that is already ours.
    #[must_use]
    pub const fn group_of_ours(&self) -> Option<&Group> {
        match self {
            Self::Adopt(_) | Self::TakeOver(..) => None,
            _ => self.group(),
        }
    }
}

/// An update of the members that differ, or of some of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// What is sent; the other members are as read.
    pub config: Members,
    /// The members that it changes.
    pub selection: Selection,
    /// All members that differ and may be tried now.
    pub open: MemberSet,
    /// Refusals of other members that still hold.
    pub refused: Vec<RefusedMember>,
    /// The changes, for people.
    pub changes: Vec<Drift>,
    /// The members that another client changed, of all that differ.
    pub by_others: MemberSet,
    /// What is left once it is done.
    pub left: RemainingWork,
    /// Whether tags are left, should it be refused.
    pub tags: TagsLeft,
}

/// Whether tags differ, besides members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagsLeft {
    /// Tags differ as well.
    Some,
    /// No tag differs.
    None,
}

/// What is left to do, or cannot be done, once a change is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemainingWork {
    /// Nothing.
    Nothing,
    /// Other members of the configuration differ as well.
    Members,
    /// Changes of other clients wait for the drift backoff, these members among them.
    Paused(MemberSet),
    /// Tags differ as well.
    Tags,
    /// Nothing, but reads may not show all tags as they are.
    TagsToShow,
    /// Only what CloudFront refused.
    Refused(Vec<RefusedMember>),
}

/// Why a deletion cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blocker {
    /// Tenants use the group.
    Tenants,
    /// `spec.deletionProtection` was set.
    Protection,
    /// `spec.deletionPolicy` says that the group stays.
    Retention,
    /// It could not be determined whether tenants use the group.
    UnknownUse,
}
