//! Every plan by name, and its visible effects: the one call that changes something, the resulting group,
//! and whether the object may be released. Pure.

use cloudfront_simulator::model::{ConnectionGroup as Shown, Tags};
use connection_group_operator::{
    api::ConnectionGroupSpec,
    cloudfront::Operation::{
        self, CreateConnectionGroup, DeleteConnectionGroup, TagResource, UntagResource, UpdateConnectionGroup,
    },
    reconcile::{
        Finalizer,
        plan::{Action, Block, Change, Finding, Refusal, Release},
    },
};

use super::{axes::axis, worlds::FORMER_TAG};
use crate::world::{HERE, IDENTITY, marks};

axis! {
    /// A plan without its data.
    pub enum Name {
        Create,
        Adopt,
        Mark,
        TakeOver,
        Update,
        Tag,
        Untag,
        Disable,
        Enable,
        Delete,
        Disown,
        NotRead,
        Outdated,
        Listed,
        UpToDate,
        Mirrored,
        NothingToMirror,
        ConfirmAbsence,
        DeletedOutside,
        AwaitDisabled,
        ConfirmGone,
        ReleaseGone,
        ReleaseNotOurs,
        ReleaseElsewhere,
        ReleaseRetained,
        ReleaseObserved,
        Suspended,
        DeletionProtected,
        InUse,
        TagsPending,
        ClaimPending,
        TagsOfAnother,
        OwnerMayShow,
        OwnerTagMissing,
        OwnerUnstated,
        Flapping,
        MembersRefused,
        NotOwned,
        Elsewhere,
        DefaultGroup,
        AdoptionRefused,
    }
}

/// Plans that no row can reach, and why. A row is one reconcile of a process that has done nothing about the object yet.
pub const NOT_IN_ONE_RECONCILE: [(Name, &str); 9] = [
    (Name::ClaimPending, "whatever an earlier process sent has had time to take effect"),
    (Name::NotRead, "a reconcile waits only until reads show a write of our own, and nothing was written before"),
    (Name::Outdated, "no read is older than a change of our own where none was made"),
    (Name::Listed, "the list suffices only where this generation of the spec has been reconciled before"),
    (
        Name::ConfirmGone,
        "the list is newer than everything that could still take effect, and so proves that the group is gone",
    ),
    (Name::Flapping, "an earlier change by others must have been corrected just before"),
    (Name::ConfirmAbsence, "the list is newer than everything that could still take effect, and so confirms it"),
    (Name::OwnerUnstated, "no row has a tag without a value"),
    (Name::MembersRefused, "CloudFront must have refused a member in an earlier reconcile"),
];

impl Name {
    /// No wildcard: a new plan must be named, and then be reached by a row.
    pub const fn of(plan: &Action) -> Self {
        match plan {
            Action::Change(mutation) => match mutation {
                Change::Create(_) => Self::Create,
                Change::Adopt(_) => Self::Adopt,
                Change::Mark(_) => Self::Mark,
                Change::TakeOver(..) => Self::TakeOver,
                Change::Update(..) => Self::Update,
                Change::Tag(..) => Self::Tag,
                Change::Untag(..) => Self::Untag,
                Change::Disable(_) => Self::Disable,
                Change::Enable(..) => Self::Enable,
                Change::Delete(_) => Self::Delete,
                Change::Disown(_) => Self::Disown,
            },
            Action::None(finding) => match finding {
                Finding::NotRead => Self::NotRead,
                Finding::Outdated => Self::Outdated,
                Finding::Listed(_) => Self::Listed,
                Finding::UpToDate(_) => Self::UpToDate,
                Finding::Mirrored(..) => Self::Mirrored,
                Finding::NothingToMirror => Self::NothingToMirror,
                Finding::ConfirmAbsence => Self::ConfirmAbsence,
                Finding::DeletedOutside => Self::DeletedOutside,
                Finding::AwaitDisabled(_) => Self::AwaitDisabled,
                Finding::ConfirmGone(_) => Self::ConfirmGone,
                Finding::Release(Release::Gone) => Self::ReleaseGone,
                Finding::Release(Release::NotOurs) => Self::ReleaseNotOurs,
                Finding::Release(Release::Elsewhere(_)) => Self::ReleaseElsewhere,
                Finding::Release(Release::Retained) => Self::ReleaseRetained,
                Finding::Release(Release::Observed(_)) => Self::ReleaseObserved,
                Finding::Blocked(Block::Suspended) => Self::Suspended,
                Finding::Blocked(Block::DeletionProtected(_)) => Self::DeletionProtected,
                Finding::Blocked(Block::InUse(..)) => Self::InUse,
                Finding::Blocked(Block::TagsPending(_)) => Self::TagsPending,
                Finding::Blocked(Block::ClaimPending(..)) => Self::ClaimPending,
                Finding::Blocked(Block::TagsOfAnother) => Self::TagsOfAnother,
                Finding::Blocked(Block::OwnerMayShow(_)) => Self::OwnerMayShow,
                Finding::Blocked(Block::OwnerTagMissing(..)) => Self::OwnerTagMissing,
                Finding::Blocked(Block::OwnerUnstated(_)) => Self::OwnerUnstated,
                Finding::Blocked(Block::Flapping(..)) => Self::Flapping,
                Finding::MembersRefused(..) => Self::MembersRefused,
                Finding::Refuse(_, Refusal::NotOwned(_)) => Self::NotOwned,
                Finding::Refuse(_, Refusal::Elsewhere(_)) => Self::Elsewhere,
                Finding::Refuse(_, Refusal::DefaultGroup) => Self::DefaultGroup,
                Finding::Refuse(_, Refusal::AdoptionRefused(_)) => Self::AdoptionRefused,
            },
        }
    }
}

/// A group as far as an operator can change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    enabled: bool,
    ipv6_enabled: bool,
    anycast_ip_list_id: Option<String>,
    tags: Tags,
}

impl From<Shown> for Group {
    fn from(Shown { enabled, ipv6_enabled, anycast_ip_list_id, tags, .. }: Shown) -> Self {
        Self { enabled, ipv6_enabled, anycast_ip_list_id, tags: tags.unwrap_or_default() }
    }
}

/// The visible effects of a plan that is carried out.
#[derive(Debug, PartialEq)]
pub struct Seen {
    pub mutation: Option<Operation>,
    pub finalizer: Finalizer,
    pub group: Option<Group>,
}

impl Name {
    /// The visible effects, if this was the group before.
    pub fn seen(self, before: Option<Group>, spec: &ConnectionGroupSpec) -> Seen {
        let changed = |mutation, change: &dyn Fn(&mut Group)| {
            let group = before.clone().map(|mut group| {
                change(&mut group);
                group
            });
            Seen { mutation: Some(mutation), finalizer: Finalizer::Keep, group }
        };
        let configure = |group: &mut Group| {
            group.enabled = spec.enabled;
            group.ipv6_enabled = spec.ipv6_enabled;
            group.anycast_ip_list_id.clone_from(&spec.anycast_ip_list_id);
        };
        let own = |group: &mut Group| group.tags.extend(marks());
        let mark = |group: &mut Group| drop(group.tags.insert(IDENTITY.to_owned(), HERE.to_owned()));
        match self {
            Self::Create => {
                let ConnectionGroupSpec { enabled, ipv6_enabled, anycast_ip_list_id, tags, .. } = spec.clone();
                let mut group = Group { enabled, ipv6_enabled, anycast_ip_list_id, tags };
                own(&mut group);
                Seen { mutation: Some(CreateConnectionGroup), finalizer: Finalizer::Keep, group: Some(group) }
            }
            Self::Adopt => changed(TagResource, &own),
            Self::Mark | Self::TakeOver => changed(TagResource, &mark),
            Self::Update => changed(UpdateConnectionGroup, &configure),
            Self::Tag => changed(TagResource, &|group| group.tags.extend(spec.tags.clone())),
            Self::Untag => changed(UntagResource, &|group| drop(group.tags.remove(FORMER_TAG))),
            Self::Enable => changed(UpdateConnectionGroup, &|group| group.enabled = true),
            Self::Disable => changed(UpdateConnectionGroup, &|group| group.enabled = false),
            Self::Delete => Seen { mutation: Some(DeleteConnectionGroup), finalizer: Finalizer::Keep, group: None },
            Self::Disown => {
                let seen = changed(UntagResource, &|group| group.tags.retain(|key, _| !marks().contains_key(key)));
                Seen { finalizer: Finalizer::Release, ..seen }
            }
            Self::ReleaseGone
            | Self::ReleaseNotOurs
            | Self::ReleaseElsewhere
            | Self::ReleaseRetained
            | Self::ReleaseObserved => Seen { mutation: None, finalizer: Finalizer::Release, group: before },
            Self::NotRead
            | Self::Outdated
            | Self::Listed
            | Self::UpToDate
            | Self::Mirrored
            | Self::NothingToMirror
            | Self::ConfirmAbsence
            | Self::DeletedOutside
            | Self::AwaitDisabled
            | Self::ConfirmGone
            | Self::Suspended
            | Self::DeletionProtected
            | Self::InUse
            | Self::TagsPending
            | Self::ClaimPending
            | Self::Elsewhere
            | Self::TagsOfAnother
            | Self::OwnerMayShow
            | Self::OwnerTagMissing
            | Self::OwnerUnstated
            | Self::Flapping
            | Self::MembersRefused
            | Self::NotOwned
            | Self::DefaultGroup
            | Self::AdoptionRefused => Seen { mutation: None, finalizer: Finalizer::Keep, group: before },
        }
    }
}
