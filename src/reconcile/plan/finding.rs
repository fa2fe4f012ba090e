//! What a reconcile found when it changes nothing, and why it does not. Pure data.

use std::time::Duration;

use crate::{
    api::{AdoptionPolicy, Drift, RefusedMember},
    cloudfront::{Described, Group, Summary, Tenants},
    reconcile::{
        drift_backoff::Pause,
        enablement::TrafficOnceOurs,
        members::MemberSet,
        observe::Absence,
        ownership::{Installation, Rival},
    },
};

/// What a reconcile found when there is nothing to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Nothing was read.
    NotRead,
    /// The read is older than a change of ours, so nothing is decided by it.
    Outdated,
    /// Nothing but the deployment status can have changed.
    Listed(Summary),
    /// Matches the spec, rolled out or not.
    UpToDate(Described),
    /// Mode Observe: the group, and where it differs from the spec.
    Mirrored(Described, Vec<Drift>),
    /// Mode Observe: there is nothing to show.
    NothingToMirror,
    /// CloudFront says that the group on record does not exist; a second proof is still missing.
    ConfirmAbsence,
    /// The group that status names is gone; once that is recorded, the next reconcile creates it again.
    DeletedOutside,
    /// Deletion: the disabled group is being rolled out.
    AwaitDisabled(Described),
    /// Deletion: it is not proven yet that the group is gone for good.
    ConfirmGone(Absence),
    /// Deletion: the finalizer is removed.
    Release(Release),
    /// Something else has to happen first.
    Blocked(Block),
    /// Matches the spec, except for members that CloudFront refused.
    MembersRefused(Described, Vec<RefusedMember>),
    /// A person has to decide.
    NotManaged(Described, NotManaged),
}

impl Finding {
    /// The group, if it matches the spec as far as CloudFront allows.
    #[must_use]
    pub const fn in_sync(&self) -> Option<&Group> {
        match self {
            Self::UpToDate(described) | Self::MembersRefused(described, _) => Some(&described.group),
            _ => None,
        }
    }
}

/// Why the finalizer is removed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Release {
    /// The group is gone, by two proofs.
    Gone,
    /// The group does not belong to this object.
    NotOurs,
    /// The group belongs to this object in another installation; only that one acts on it.
    Elsewhere(Installation),
    /// Retained: the tags that mark ownership are removed.
    Retained,
    /// Mode Observe: the group is left as it is.
    Observed(LeftBehind),
}

/// What mode Observe leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeftBehind {
    /// No group of that name.
    Nothing,
    /// A group that is not marked as this object's.
    Group,
    /// A group that an earlier mode Manage marked as this object's, and whether it is enabled.
    MarkedGroup(Option<bool>),
    /// Unknown: CloudFront could not be read, which is no reason to hold the object.
    Unknown,
}

/// What a reconcile waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// `spec.suspend`.
    Suspended,
    /// `spec.deletionProtection`.
    DeletionProtected(Protected),
    /// Tenants that use the group.
    InUse(Box<Described>, Tenants),
    /// The owner or identity tag has no value, so the owner is unknown.
    OwnerUnstated(Box<Described>),
    /// Tags of a new or adopted group that may not show yet, and how long until it is read again.
    TagsPending(Box<Described>, Duration),
    /// A deletion: a request of ours to create or adopt the group may still take effect for this long. Also the installation that the group is marked with, if
    /// it is this object's in another installation.
    ClaimPending(Duration, Option<Installation>),
    /// The tags on record were not sent to this group: they must be forgotten before it is adopted.
    TagsOfAnother,
    /// A group to adopt: every read must show it without an owner for this much longer, because tags may show late, whatever the clocks say.
    OwnerMayShow(Box<Described>, Duration),
    /// A group that may be ours: it is given up only if every read shows it without our owner tag for this much longer.
    OwnerTagMissing(Box<Described>, Duration),
    /// An out-of-band change that the drift backoff leaves as it is for now.
    Flapping(Box<Flapping>),
}

/// An out-of-band change that waits for the drift backoff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flapping {
    /// The group as read.
    pub described: Described,
    /// Where it differs from the spec, in members or in tags.
    pub changes: Vec<Drift>,
    /// The members that another client changed; none if only tags differ.
    pub members: MemberSet,
    /// The pause that must end first.
    pub pause: Pause,
}

/// What is known about a group whose deletion is held back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protected {
    /// It was not read; as far as is known, it is enabled or disabled as the spec says.
    NotRead,
    /// The list shows the version on record, which is enabled or disabled as the spec says.
    Listed(Summary),
    /// It is ours, and is enabled or disabled as the spec says.
    Ours(Box<Described>),
    /// There is none, or it is not ours.
    NotOurs,
}

/// Why the group is not touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotManaged {
    /// Another owner holds the name.
    NotOwned(Rival),
    /// The group is this object's in another installation.
    Elsewhere(Installation),
    /// The account's default group.
    DefaultGroup,
    /// An unowned group that may not be adopted.
    AdoptionRefused(AdoptionObstacle),
}

/// Why a group is not adopted. The administrator and the object may both forbid it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptionObstacle {
    /// The administrator does not allow adoption.
    pub forbidden_by_administrator: bool,
    /// The object's policy. It forbids adoption if it is `Never`, or if it is `IfUnchanged` and the group would change.
    pub policy: AdoptionPolicy,
    /// Where the group differs from the spec.
    pub differences: Vec<Drift>,
    /// What becomes of the group's traffic if it is adopted.
    pub traffic: TrafficOnceOurs,
}

impl AdoptionObstacle {
    /// Whether the group stays as it is if it is adopted. What CloudFront does not state is not a difference, but the operator disables what may be enabled.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.differences.is_empty() && self.traffic == TrafficOnceOurs::Kept
    }
}
