//! What to do about it: one exhaustive table. Pure: (intent, observed) -> [`Plan`].

use std::{collections::BTreeSet, time::Duration};

use super::{
    Known, Policy,
    desired::{Desired, Farewell, Intent},
    differences::{differences, member_differences, tag_changes},
    dispute::Pause,
    members::{self, MemberSet, Selection},
    observe::{Absence, Observed, Usage},
    ownership::{Installation, Owner, OwnerTag},
};
use crate::{
    api::{AdoptionPolicy, Drift, Member, RefusalCause, RefusedMember},
    cloudfront::{AnycastIpListId, Deployment, Described, Group, Members, NewGroup, Summary, Tags, Tenants},
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
    /// Change members of the configuration.
    Update(Described, Box<Update>),
    /// Set tags.
    Tag(Described, Tags, Left),
    /// Remove tags that we once set.
    Untag(Described, BTreeSet<String>, Left),
    /// Deletion: take the group out of service.
    Disable(Described),
    /// Deletion: put the group back into service, because it cannot be deleted.
    Enable(Described, Blocker),
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
    /// What was read is older than a change of ours, and no basis for anything.
    Outdated,
    /// Nothing but the deployment status can be news.
    Listed(Summary),
    /// Equal to the spec; whether it is rolled out is CloudFront's business.
    UpToDate(Described),
    /// Mode Observe: the group, and where it differs.
    Mirrored(Described, Vec<Drift>),
    /// Mode Observe: there is nothing to show.
    NothingToMirror,
    /// CloudFront says that the group on record does not exist; the second proof is missing.
    ConfirmAbsence,
    /// The group that status names is gone; once that is noted, the next pass creates it again.
    DeletedOutside,
    /// Deletion: the disabled group is being rolled out.
    AwaitDisabled(Described),
    /// Deletion: it is not proven yet that the group is gone for good.
    ConfirmGone(Absence),
    /// Deletion: the object may go.
    Release(Release),
    /// Somebody else has to do something first.
    Blocked(Block),
    /// Equal to the spec, but for members that CloudFront refused.
    MembersRefused(Described, Vec<RefusedMember>),
    /// A person has to decide.
    Refuse(Described, Refusal),
}

/// An update of the members that differ, or of some of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// What is sent: other members as they were read.
    pub config: Members,
    /// The members that it changes.
    pub selection: Selection,
    /// All members that differ and may be tried.
    pub open: MemberSet,
    /// Refusals of other members that still hold.
    pub refused: Vec<RefusedMember>,
    /// The changes, for people.
    pub changes: Vec<Drift>,
    /// What is left once it is done.
    pub left: Left,
    /// What is left if it is refused, besides the members.
    pub tags: TagsLeft,
}

/// Whether tags differ as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagsLeft {
    /// They do.
    Some,
    /// They do not.
    None,
}

/// What is left to do, or cannot be done, once a mutation is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// Other members of the configuration differ as well.
    Members,
    /// Tags differ as well.
    Tags,
    /// Nothing, but what was read may not show all tags as they are.
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
    /// `spec.deletionPolicy` says that the group is to stay.
    Retention,
    /// Nobody can say whether tenants use the group.
    UnknownUse,
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
            | Self::Enable(described, _)
            | Self::Delete(described)
            | Self::Disown(described) => Some(&described.group),
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
            | Self::Disable(_)
            | Self::Enable(..)
            | Self::Delete(_)
            | Self::Disown(_) => None,
        }
    }

    /// What a person can do besides, where it fails.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Enable(_, Blocker::Retention) => Some(
                " When last read, the group was off although spec.enabled is true; to let the deletion go on with it off, set spec.enabled to false.",
            ),
            Self::Enable(_, Blocker::Tenants | Blocker::Protection | Blocker::UnknownUse) => {
                Some(" When last read, the group was off although spec.enabled is true.")
            }
            Self::Create(_)
            | Self::Adopt(_)
            | Self::Mark(_)
            | Self::TakeOver(..)
            | Self::Update(..)
            | Self::Tag(..)
            | Self::Untag(..)
            | Self::Disable(_)
            | Self::Delete(_)
            | Self::Disown(_) => None,
        }
    }

    /// The group that it changes, if that is ours already.
    #[must_use]
    pub const fn group_of_ours(&self) -> Option<&Group> {
        match self {
            Self::Adopt(_) | Self::TakeOver(..) => None,
            _ => self.group(),
        }
    }
}

impl Finding {
    /// The group, if it is as the spec asks for, as far as CloudFront allows.
    #[must_use]
    pub const fn in_step(&self) -> Option<&Group> {
        match self {
            Self::UpToDate(described) | Self::MembersRefused(described, _) => Some(&described.group),
            _ => None,
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
    /// A group that an earlier mode Manage marked as this object's, and whether it is enabled.
    MarkedGroup(Option<bool>),
    /// Nobody knows: CloudFront could not be read, which is no reason to hold the object.
    Unknown,
}

/// What a pass waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// `spec.suspend`.
    Suspended,
    /// `spec.deletionProtection`.
    DeletionProtected(Protected),
    /// Tenants that use the group.
    InUse(Box<Described>, Tenants),
    /// The owner or identity tag has no value, so nothing says whose the group is.
    OwnerUnstated(Box<Described>),
    /// Tags of a young group that are not visible yet: they are after so long, where that is known.
    TagsPending(Option<Duration>),
    /// A deletion: for so long a request of ours to create or to adopt the group may still take effect; the installation that the group is marked with, if it
    /// is this object's in another one.
    ClaimMayLand(Duration, Option<Installation>),
    /// Tags on record that another group had, or none: they must be forgotten before this one is ours.
    TagsOfAnother,
    /// A group to adopt: for so long it must be seen without an owner, as tags may show late, whatever clocks say.
    OwnerMayShow(Duration),
    /// A group that may be ours: it is given up only if it is seen without our owner tag for so long.
    OwnerTagMissing(Box<Described>, Duration),
    /// A change of others, so soon after the last one was put right.
    Flapping(Box<Described>, Vec<Drift>, Pause),
}

/// What is known of a group whose deletion is held back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protected {
    /// It was not read: as far as is known, it serves traffic as the spec says.
    NotRead,
    /// The list shows the version on record, which serves traffic as the spec says.
    Listed(Summary),
    /// It is ours, and serves traffic as the spec says.
    Ours(Box<Described>),
    /// There is none, or it is not ours.
    NotOurs,
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
        (_, Observed::Outdated) => Finding::Outdated.into(),
        (Intent::Protected, observed) => protect(observed, known),
        (_, Observed::Unsettled(left, elsewhere)) => Finding::Blocked(Block::ClaimMayLand(left, elsewhere)).into(),
        (Intent::Absent { farewell: Farewell::Leave, .. }, observed) => {
            Finding::Release(Release::Observed(remains(&observed))).into()
        }
        // Only a farewell without an answer goes on without one.
        (_, Observed::NotLooked | Observed::Unreadable) => Finding::NotLooked.into(),
        (_, Observed::Settled(summary)) => Finding::Listed(summary).into(),

        (Intent::Present(_) | Intent::Mirrored(_), Observed::NotFound(Absence::Reported))
            if known.status.id.is_some() && !bug!(OneNotFoundIsGone) =>
        {
            Finding::ConfirmAbsence.into()
        }
        (Intent::Present(_), Observed::NotFound(_)) if known.status.id.is_some() => Finding::DeletedOutside.into(),
        (Intent::Present(desired), Observed::NeverThere | Observed::NotFound(_)) => create(desired, known),
        (Intent::Present(desired), Observed::Found { described, owner, usage: _ }) => match owner {
            _ if described.group.is_default && !bug!(DefaultGroupIsManaged) => {
                Finding::Refuse(described, Refusal::DefaultGroup).into()
            }
            Owner::Ours => manage(desired, described, known),
            Owner::Unmarked => Mutation::Mark(described).into(),
            Owner::ToTakeOver(from) => Mutation::TakeOver(described, from).into(),
            Owner::Elsewhere(installation) => Finding::Refuse(described, Refusal::Elsewhere(installation)).into(),
            Owner::Unowned if known.may_still_be_ours(&described.group) && !bug!(OneReadWithoutTagsIsLost) => {
                owner_tag_missing(described, known)
            }
            Owner::Unowned => adopt(desired, described, known, policy),
            Owner::Undecided => Finding::Blocked(Block::TagsPending(known.tags_show_in(&described.group))).into(),
            Owner::Unstated => Finding::Blocked(Block::OwnerUnstated(Box::new(described))).into(),
            Owner::Other(owner) => Finding::Refuse(described, Refusal::NotOwned(owner)).into(),
        },

        (Intent::Mirrored(_), Observed::NeverThere | Observed::NotFound(_)) => Finding::NothingToMirror.into(),
        (Intent::Mirrored(desired), Observed::Found { described, .. }) => {
            let drift = differences(desired, &described, known.attached_list(&described.group).as_ref());
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
        (Intent::Absent { farewell, .. }, Observed::Found { described, owner, usage }) => match owner {
            _ if described.group.is_default => Finding::Release(Release::NotOurs).into(),
            Owner::Ours => part(*farewell, described, usage, known),
            Owner::Unmarked => Mutation::Mark(described).into(),
            Owner::ToTakeOver(from) => Mutation::TakeOver(described, from).into(),
            Owner::Elsewhere(installation) => Finding::Release(Release::Elsewhere(installation)).into(),
            Owner::Undecided => Finding::Blocked(Block::TagsPending(known.tags_show_in(&described.group))).into(),
            Owner::Unstated => Finding::Blocked(Block::OwnerUnstated(Box::new(described))).into(),
            // One read without the tag is no proof that it is not ours, also where status is lost.
            Owner::Unowned if !known.owner_may_show_for(&described.group).is_zero() => {
                owner_tag_missing(described, known)
            }
            Owner::Unowned if *farewell == Farewell::Retain => Finding::Release(Release::Retained).into(),
            Owner::Unowned | Owner::Other(_) => Finding::Release(Release::NotOurs).into(),
        },
    }
}

fn owner_tag_missing(described: Described, known: &Known<'_>) -> Plan {
    let left = known.owner_may_show_for(&described.group);
    Finding::Blocked(Block::OwnerTagMissing(Box::new(described), left)).into()
}

fn remains(observed: &Observed) -> Remains {
    match observed {
        Observed::NeverThere | Observed::NotFound(_) => Remains::Nothing,
        Observed::Found { owner: Owner::Ours | Owner::Unmarked, described, .. } => {
            Remains::MarkedGroup(described.group.config.enabled)
        }
        Observed::Found { .. } => Remains::Group,
        Observed::NotLooked
        | Observed::Outdated
        | Observed::Settled(_)
        | Observed::Unsettled(..)
        | Observed::Unreadable => Remains::Unknown,
    }
}

fn create(desired: &Desired, known: &Known<'_>) -> Plan {
    let (name, config) = (desired.name.clone(), desired.config());
    Mutation::Create(NewGroup { name, config, tags: desired.all_tags(&known.claim) }).into()
}

/// The configuration goes before tags: the switch that takes a group out of service must not wait for them.
fn manage(desired: &Desired, described: Described, known: &Known<'_>) -> Plan {
    let read = &described.group.config;
    let wanted = desired.target(read, known.attached_list(&described.group).as_ref());
    let mut differing = members::differing(&wanted, read);
    // Where CloudFront does not state whether this version serves, the worse case counts.
    if read.enabled.is_none() && (!wanted.enabled || known.may_be_off(&described.group)) {
        differing.insert(Member::Enabled);
    }
    let refused = members::still_refused(known.refused(), &wanted, &differing);
    let (ignored, open) = tried_once(&refused, &differing);
    let (set, remove) =
        tag_changes(desired, &known.tags_of(&described, desired), &known.tags_sent_to(&described.group));
    let tags = if set.is_empty() && remove.is_empty() { TagsLeft::None } else { TagsLeft::Some };

    let names = refused.iter().map(|refused| refused.member).collect();
    if let Some(selection) = known.trial.next(&open, &names, &wanted, known.now) {
        let config = members::carrying(&selection.members, &wanted, read);
        let changes = member_differences(&selection.members, &wanted, read);
        // A group is never left in service against the spec for the sake of peace.
        let may_wait = (!selection.only_switches_off(&wanted) || bug!(SwitchingOffIsPaused))
            && known.was_changed_by_others(&described.group);
        if let Some(pause) = known.pause.filter(|_| may_wait) {
            return Finding::Blocked(Block::Flapping(Box::new(described), changes, pause)).into();
        }
        let left = if selection.members != open {
            Left::Members
        } else if tags == TagsLeft::Some && !bug!(SettledWithoutTags) {
            Left::Tags
        } else {
            left(ignored, &described.tags, desired, known)
        };
        let refused = refused.into_iter().filter(|refused| !selection.members.contains(&refused.member)).collect();
        return Mutation::Update(described, Box::new(Update { config, selection, open, refused, changes, left, tags }))
            .into();
    }
    if !set.is_empty() {
        let lost = known.lost_tags(&set, &described);
        if let Some(pause) = known.pause.filter(|_| !lost.is_empty()) {
            return Finding::Blocked(Block::Flapping(Box::new(described), lost, pause)).into();
        }
        let shown = described.tags.clone().into_iter().chain(set.clone()).collect();
        let left = if remove.is_empty() { left(refused, &shown, desired, known) } else { Left::Tags };
        return Mutation::Tag(described, set, left).into();
    }
    if !remove.is_empty() {
        let left = left(refused, &described.tags, desired, known);
        return Mutation::Untag(described, remove, left).into();
    }
    if refused.is_empty() {
        Finding::UpToDate(described).into()
    } else {
        Finding::MembersRefused(described, refused).into()
    }
}

/// A detaching that CloudFront accepts and does not do is not asked for again, as each time would be a roll-out; all else that differs may be tried.
fn tried_once(refused: &[RefusedMember], differing: &MemberSet) -> (Vec<RefusedMember>, MemberSet) {
    let is_detach = |refused: &RefusedMember| refused.member == Member::AnycastIpListId && refused.desired.is_empty();
    let ignored = refused.iter().filter(|refused| refused.cause == RefusalCause::DetachIgnored && is_detach(refused));
    let ignored = ignored.filter(|_| !bug!(IgnoredDetachIsRepeated)).cloned().collect::<Vec<_>>();
    let open = differing.iter().filter(|member| ignored.iter().all(|ignored| ignored.member != **member)).copied();
    let open = open.collect();
    (ignored, open)
}

fn left(refused: Vec<RefusedMember>, shown: &Tags, desired: &Desired, known: &Known<'_>) -> Left {
    if !refused.is_empty() {
        Left::Refused(refused)
    } else if (desired.tags_are_in(shown) && !known.tags_may_be_old(desired)) || bug!(SettledWithoutTags) {
        Left::Nothing
    } else {
        Left::TagsToShow
    }
}

fn adopt(desired: &Desired, described: Described, known: &Known<'_>, policy: &Policy) -> Plan {
    let obstacle = AdoptionObstacle {
        forbidden_by_administrator: !policy.allow_adoption,
        policy: desired.adoption,
        differences: differences(desired, &described, None),
    };
    let object_agrees = match desired.adoption {
        AdoptionPolicy::Never => false,
        AdoptionPolicy::IfUnchanged => obstacle.differences.is_empty() || bug!(DifferencesAreAdopted),
        AdoptionPolicy::Always => true,
    };
    if object_agrees && (policy.allow_adoption || bug!(AdministratorIsNotAsked)) {
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

/// A deletion is held back. What it, or anybody, took out of service against the spec is put back.
fn protect(observed: Observed, known: &Known<'_>) -> Plan {
    let Observed::Found { described, owner, usage: _ } = observed else {
        let protected = match observed {
            Observed::NeverThere | Observed::NotFound(_) => Protected::NotOurs,
            Observed::Settled(summary) => Protected::Listed(summary),
            _ => Protected::NotRead,
        };
        return Finding::Blocked(Block::DeletionProtected(protected)).into();
    };
    let off = is_off_against_the_spec(&described, known);
    let on = is_on_against_the_spec(&described, known);
    match owner {
        _ if described.group.is_default => Finding::Blocked(Block::DeletionProtected(Protected::NotOurs)).into(),
        Owner::Ours if off && !bug!(ProtectionLeavesItOff) => Mutation::Enable(described, Blocker::Protection).into(),
        Owner::Ours if on => Mutation::Disable(described).into(),
        Owner::Unmarked if off || on => Mutation::Mark(described).into(),
        Owner::ToTakeOver(from) if off || on => Mutation::TakeOver(described, from).into(),
        Owner::Ours => Finding::Blocked(Block::DeletionProtected(Protected::Ours(Box::new(described)))).into(),
        _ => Finding::Blocked(Block::DeletionProtected(Protected::NotOurs)).into(),
    }
}

fn is_off_against_the_spec(described: &Described, known: &Known<'_>) -> bool {
    known.wants_traffic && (described.group.config.enabled == Some(false) || known.may_be_off(&described.group))
}

const fn is_on_against_the_spec(described: &Described, known: &Known<'_>) -> bool {
    !known.wants_traffic && !matches!(described.group.config.enabled, Some(false))
}

fn part(farewell: Farewell, described: Described, usage: Usage, known: &Known<'_>) -> Plan {
    let off = is_off_against_the_spec(&described, known);
    match (farewell, usage) {
        (Farewell::Leave, _) => {
            Finding::Release(Release::Observed(Remains::MarkedGroup(described.group.config.enabled))).into()
        }
        (Farewell::Retain, _) if off && !bug!(RetainedWhileOff) => {
            Mutation::Enable(described, Blocker::Retention).into()
        }
        (Farewell::Retain, _) if is_on_against_the_spec(&described, known) => Mutation::Disable(described).into(),
        (Farewell::Retain, _) => Mutation::Disown(described).into(),
        (Farewell::Delete, Usage::NotRead) => Finding::AwaitDisabled(described).into(),
        (Farewell::Delete, Usage::Unknown) if off => Mutation::Enable(described, Blocker::UnknownUse).into(),
        (Farewell::Delete, Usage::Unknown) => Mutation::Disable(described).into(),
        (Farewell::Delete, Usage::Tenants(tenants))
            if (tenants.any() || known.in_use_unlisted) && !bug!(TenantsAreIgnored) =>
        {
            if off && !bug!(BlockedDeletionLeavesItOff) {
                return Mutation::Enable(described, Blocker::Tenants).into();
            }
            // The emergency switch works until the object is gone.
            if is_on_against_the_spec(&described, known) {
                return Mutation::Disable(described).into();
            }
            Finding::Blocked(Block::InUse(Box::new(described), tenants)).into()
        }
        // Not known to be disabled: an update that disables it again does no harm, and is remembered as accepted.
        (Farewell::Delete, Usage::Tenants(_)) if described.group.config.enabled != Some(false) => {
            Mutation::Disable(described).into()
        }
        (Farewell::Delete, Usage::Tenants(_)) => match described.group.deployment {
            Some(Deployment::Pending(_)) => Finding::AwaitDisabled(described).into(),
            // Where nothing states how far the roll-out has come, CloudFront's own check of a Delete decides.
            Some(Deployment::Deployed) | None => Mutation::Delete(described).into(),
        },
    }
}
