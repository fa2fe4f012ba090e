//! What to do about it: one exhaustive table. Pure: (intent, observed) -> [`Plan`].

use std::{collections::BTreeSet, time::Duration};

use super::{
    Known, Policy,
    desired::{Desired, Farewell, Intent},
    differences::{config_differences, differences, tag_changes},
    dispute::Pause,
    observe::{Absence, Observed},
    ownership::{Installation, Owner, OwnerTag},
};
use crate::{
    api::{AdoptionPolicy, Drift},
    cloudfront::{AnycastIpListId, Config, Deployment, Described, Group, NewGroup, Summary, Tags, Tenants},
};

/// What a pass does: one mutation, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Change something at CloudFront, then conclude.
    Mutate(Mutation),
    /// Conclude from what was seen.
    Conclude(Finding),
}

/// The one mutation of a pass. Each carries the group as read in this pass, so that id, ARN and ETag can come from nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Create the group.
    Create(NewGroup),
    /// Put our tags on an unowned group.
    Adopt(Described),
    /// Put our identity on a group of this object that no installation has marked yet.
    Mark(Described),
    /// Put our identity in the place of this one, from which the administrator told us to take over.
    TakeOver(Described, Installation),
    /// Change the configuration to this; the differences are for people.
    Update(Described, Config, Vec<Drift>, Left),
    /// Set tags.
    Tag(Described, Tags, Left),
    /// Remove tags that we once set.
    Untag(Described, BTreeSet<String>, Left),
    /// Deletion: take the group out of service.
    Disable(Described),
    /// Deletion: delete the disabled group.
    Delete(Described),
    /// Deletion: take off the tags that mark ownership, and let go.
    Disown(Described),
}

/// What a pass found, where nothing is to be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Nothing was looked at.
    NotLooked,
    /// Nothing but the deployment status can be news.
    Listed(Summary),
    /// Equal to the spec; whether it is rolled out is CloudFront's business.
    UpToDate(Described),
    /// Mode Observe: the group, and where it differs.
    Mirrored(Described, Vec<Drift>),
    /// Mode Observe: there is nothing to show.
    NothingToMirror,
    /// The group that status names is gone; once that is noted, the next pass creates it again.
    DeletedOutside,
    /// Deletion: the disabled group is being rolled out.
    AwaitDisabled(Described),
    /// Deletion: the second proof that the group is gone is missing.
    ConfirmGone,
    /// Deletion: the object may go.
    Release(Release),
    /// Somebody else has to do something first.
    Blocked(Block),
    /// A person has to decide.
    Refuse(Described, Refusal),
}

/// What is left to do, or cannot be done, once a mutation is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// Tags differ as well.
    Tags,
    /// This Anycast list stays attached: CloudFront refused to detach it.
    Stuck(AnycastIpListId),
}

impl Mutation {
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
            | Self::Disable(described)
            | Self::Delete(described)
            | Self::Disown(described) => Some(&described.group),
        }
    }

    /// The same, if the group is ours already.
    #[must_use]
    pub const fn group_of_ours(&self) -> Option<&Group> {
        match self {
            Self::Adopt(_) | Self::TakeOver(..) => None,
            _ => self.group(),
        }
    }
}

impl From<Mutation> for Plan {
    fn from(mutation: Mutation) -> Self {
        Self::Mutate(mutation)
    }
}

impl From<Finding> for Plan {
    fn from(finding: Finding) -> Self {
        Self::Conclude(finding)
    }
}

/// Why an object is let go of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Release {
    /// The group is gone, by two proofs.
    Gone,
    /// The group was never this object's to delete.
    NotOurs,
    /// The group is this object's in another installation, which alone acts on it.
    Elsewhere(Installation),
    /// Retained: the tags that mark ownership are off.
    Retained,
    /// Mode Observe: the group is left as it is.
    Observed(Remains),
}

/// What mode Observe leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Remains {
    /// No group of that name.
    Nothing,
    /// A group that is not marked as this object's.
    Group,
    /// A group that an earlier mode Manage marked as this object's.
    MarkedGroup,
    /// Nobody knows: CloudFront could not be read, which is no reason to hold the object.
    Unknown,
}

/// What a pass waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// `spec.suspend`.
    Suspended,
    /// `spec.deletionProtection`.
    DeletionProtected,
    /// Tenants that use the group.
    InUse(Box<Described>, Tenants),
    /// Tags of a young group that are not visible yet.
    TagsPending,
    /// A deletion: for so long a request of ours to create or to adopt the group may still take effect.
    ClaimMayLand(Duration),
    /// Tags on record that another group had, or none: they must be forgotten before this one is ours.
    TagsOfAnother,
    /// A group to adopt, or to let go of: for so long it must be seen without an owner, as tags may show late, whatever clocks say.
    OwnerMayShow(Duration),
    /// A change of others, so soon after the last one was put right.
    Flapping(Box<Described>, Vec<Drift>, Pause),
}

/// Why the group is not touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another owner holds the name.
    NotOwned(OwnerTag),
    /// The group is this object's in another installation.
    Elsewhere(Installation),
    /// The account's default group.
    DefaultGroup,
    /// An unowned group that may not be adopted.
    AdoptionRefused(AdoptionObstacle),
    /// CloudFront keeps this list attached.
    AnycastDetachRejected(AnycastIpListId),
}

/// What stands in the way of an adoption. Both keys may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptionObstacle {
    /// The administrator's key is missing.
    pub forbidden_by_administrator: bool,
    /// The object's policy, which forbids it if it is `Never`, or `IfUnchanged` and there are differences.
    pub policy: AdoptionPolicy,
    /// Where the group differs from the spec.
    pub differences: Vec<Drift>,
}

/// Looks the one thing to do up.
#[must_use]
pub fn plan(intent: &Intent, observed: Observed, known: &Known<'_>, policy: &Policy) -> Plan {
    match (intent, observed) {
        (Intent::Suspended, _) => Finding::Blocked(Block::Suspended).into(),
        (Intent::Protected, _) => Finding::Blocked(Block::DeletionProtected).into(),
        (_, Observed::Unsettled(left)) => Finding::Blocked(Block::ClaimMayLand(left)).into(),
        (Intent::Absent { farewell: Farewell::Leave, .. }, observed) => {
            Finding::Release(Release::Observed(remains(&observed))).into()
        }
        // Only a farewell without an answer goes on without one.
        (_, Observed::NotLooked | Observed::Unreadable) => Finding::NotLooked.into(),
        (_, Observed::Settled(summary)) => Finding::Listed(summary).into(),

        (Intent::Present(_), Observed::NotFound(_)) if known.status.id.is_some() => Finding::DeletedOutside.into(),
        (Intent::Present(desired), Observed::NeverThere | Observed::NotFound(_)) => create(desired, known),
        (Intent::Present(desired), Observed::Found { described, owner, tenants: _ }) => match owner {
            _ if described.group.is_default => Finding::Refuse(described, Refusal::DefaultGroup).into(),
            Owner::Ours => manage(desired, described, known),
            Owner::Unmarked => Mutation::Mark(described).into(),
            Owner::ToTakeOver(from) => Mutation::TakeOver(described, from).into(),
            Owner::Elsewhere(installation) => Finding::Refuse(described, Refusal::Elsewhere(installation)).into(),
            Owner::Unowned => adopt(desired, described, known, policy),
            Owner::Undecided => Finding::Blocked(Block::TagsPending).into(),
            Owner::Other(owner) => Finding::Refuse(described, Refusal::NotOwned(owner)).into(),
        },

        (Intent::Mirrored(_), Observed::NeverThere | Observed::NotFound(_)) => Finding::NothingToMirror.into(),
        (Intent::Mirrored(desired), Observed::Found { described, .. }) => {
            let drift = differences(desired, &described);
            Finding::Mirrored(described, drift).into()
        }

        (Intent::Absent { .. }, Observed::NeverThere | Observed::NotFound(Absence::Reported)) => {
            Finding::ConfirmGone.into()
        }
        (Intent::Absent { .. }, Observed::NotFound(Absence::Proven)) => Finding::Release(Release::Gone).into(),
        (Intent::Absent { farewell, .. }, Observed::Found { described, owner, tenants }) => match owner {
            _ if described.group.is_default => Finding::Release(Release::NotOurs).into(),
            Owner::Ours => part(*farewell, described, tenants),
            Owner::Unmarked => Mutation::Mark(described).into(),
            Owner::ToTakeOver(from) => Mutation::TakeOver(described, from).into(),
            Owner::Elsewhere(installation) => Finding::Release(Release::Elsewhere(installation)).into(),
            Owner::Undecided => Finding::Blocked(Block::TagsPending).into(),
            // Status says that it was ours: one read without the tag is no proof that it no longer is.
            Owner::Unowned if known.status.id.is_some() && !known.owner_may_show_for(&described.group).is_zero() => {
                Finding::Blocked(Block::OwnerMayShow(known.owner_may_show_for(&described.group))).into()
            }
            Owner::Unowned if *farewell == Farewell::Retain => Finding::Release(Release::Retained).into(),
            Owner::Unowned | Owner::Other(_) => Finding::Release(Release::NotOurs).into(),
        },
    }
}

fn remains(observed: &Observed) -> Remains {
    match observed {
        Observed::NeverThere | Observed::NotFound(_) => Remains::Nothing,
        Observed::Found { owner: Owner::Ours | Owner::Unmarked, .. } => Remains::MarkedGroup,
        Observed::Found { .. } => Remains::Group,
        Observed::NotLooked | Observed::Settled(_) | Observed::Unsettled(_) | Observed::Unreadable => Remains::Unknown,
    }
}

fn create(desired: &Desired, known: &Known<'_>) -> Plan {
    let (name, config) = (desired.name.clone(), desired.config.clone());
    Mutation::Create(NewGroup { name, config, tags: desired.all_tags(&known.claim) }).into()
}

/// The configuration goes before tags: the switch that takes a group out of service must not wait for them.
fn manage(desired: &Desired, described: Described, known: &Known<'_>) -> Plan {
    let stuck = described
        .group
        .config
        .anycast_ip_list_id
        .clone()
        .filter(|_| desired.config.anycast_ip_list_id.is_none() && known.detach_was_rejected());
    let mut target = desired.config.clone();
    target.anycast_ip_list_id = target.anycast_ip_list_id.or_else(|| stuck.clone());
    let (set, remove) = tag_changes(desired, &described.tags, &known.status.tags);
    let after_tags = stuck.clone().map_or(Left::Nothing, Left::Stuck);

    if described.group.config.differ_from(&target) {
        let left = if set.is_empty() && remove.is_empty() { after_tags } else { Left::Tags };
        let changes = config_differences(&target, &described.group.config);
        if let Some(pause) = known.pause.filter(|_| known.was_changed_by_others(&described.group)) {
            return Finding::Blocked(Block::Flapping(Box::new(described), changes, pause)).into();
        }
        return Mutation::Update(described, target, changes, left).into();
    }
    if !set.is_empty() {
        let lost = known.lost_tags(&set);
        if let Some(pause) = known.pause.filter(|_| !lost.is_empty()) {
            return Finding::Blocked(Block::Flapping(Box::new(described), lost, pause)).into();
        }
        let left = if remove.is_empty() { after_tags } else { Left::Tags };
        return Mutation::Tag(described, set, left).into();
    }
    if !remove.is_empty() {
        return Mutation::Untag(described, remove, after_tags).into();
    }
    match stuck {
        Some(list) => Finding::Refuse(described, Refusal::AnycastDetachRejected(list)).into(),
        None => Finding::UpToDate(described).into(),
    }
}

fn adopt(desired: &Desired, described: Described, known: &Known<'_>, policy: &Policy) -> Plan {
    let obstacle = AdoptionObstacle {
        forbidden_by_administrator: !policy.allow_adoption,
        policy: desired.adoption,
        differences: differences(desired, &described),
    };
    let object_agrees = match desired.adoption {
        AdoptionPolicy::Never => false,
        AdoptionPolicy::IfUnchanged => obstacle.differences.is_empty(),
        AdoptionPolicy::Always => true,
    };
    if object_agrees && policy.allow_adoption {
        let left = known.owner_may_show_for(&described.group);
        if !left.is_zero() {
            return Finding::Blocked(Block::OwnerMayShow(left)).into();
        }
        // Or they would be taken for ours on this group, and removed with the next edit.
        return if known.status.tags.is_empty() || known.id().as_ref() == Some(&described.group.id) {
            Mutation::Adopt(described).into()
        } else {
            Finding::Blocked(Block::TagsOfAnother).into()
        };
    }
    Finding::Refuse(described, Refusal::AdoptionRefused(obstacle)).into()
}

fn part(farewell: Farewell, described: Described, tenants: Option<Tenants>) -> Plan {
    match (farewell, tenants) {
        (Farewell::Leave, _) => Finding::Release(Release::Observed(Remains::MarkedGroup)).into(),
        (Farewell::Retain, _) => Mutation::Disown(described).into(),
        (Farewell::Delete, None) => Finding::AwaitDisabled(described).into(),
        (Farewell::Delete, Some(tenants)) if tenants.any() => {
            Finding::Blocked(Block::InUse(Box::new(described), tenants)).into()
        }
        // Not known to be disabled: an update that disables it again does no harm, and is remembered as accepted.
        (Farewell::Delete, Some(_)) if described.group.config.enabled != Some(false) => {
            Mutation::Disable(described).into()
        }
        (Farewell::Delete, Some(_)) => match described.group.deployment {
            Some(Deployment::Pending(_)) => Finding::AwaitDisabled(described).into(),
            // Where nothing states how far the roll-out has come, CloudFront's own check of a Delete decides.
            Some(Deployment::Deployed) | None => Mutation::Delete(described).into(),
        },
    }
}
