//! The visible effects of each plan: the one call that changes something, the resulting group,
//! and whether the object may be released. Pure.

use cloudfront_simulator::model::{ConnectionGroup as Shown, Tags};
use connection_group_operator::{
    api::ConnectionGroupSpec,
    cloudfront::Operation::{
        self, CreateConnectionGroup, DeleteConnectionGroup, TagResource, UntagResource, UpdateConnectionGroup,
    },
    reconcile::Finalizer,
};

use super::worlds::FORMER_TAG;
use port::PlanName;

use crate::world::{HERE, IDENTITY, marks};

/// Plans that no row can reach, and why. A row is one reconcile of a process that has done nothing about the object yet.
pub const NOT_IN_ONE_RECONCILE: [(PlanName, &str); 9] = [
    (PlanName::ClaimPending, "whatever an earlier process sent has had time to take effect"),
    (PlanName::NotRead, "a reconcile waits only until reads show a write of our own, and nothing was written before"),
    (PlanName::Outdated, "no read is older than a change of our own where none was made"),
    (PlanName::Listed, "the list suffices only where this generation of the spec has been reconciled before"),
    (
        PlanName::ConfirmGone,
        "the list is newer than everything that could still take effect, and so proves that the group is gone",
    ),
    (PlanName::Flapping, "an earlier change by others must have been corrected just before"),
    (PlanName::ConfirmAbsence, "the list is newer than everything that could still take effect, and so confirms it"),
    (PlanName::OwnerUnstated, "no row has a tag without a value"),
    (PlanName::MembersRefused, "CloudFront must have refused a member in an earlier reconcile"),
];

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

/// The visible effects of a plan, if this was the group before.
pub fn seen(plan: PlanName, before: Option<Group>, spec: &ConnectionGroupSpec) -> Seen {
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
    match plan {
        PlanName::Create => {
            let ConnectionGroupSpec { enabled, ipv6_enabled, anycast_ip_list_id, tags, .. } = spec.clone();
            let mut group = Group { enabled, ipv6_enabled, anycast_ip_list_id, tags };
            own(&mut group);
            Seen { mutation: Some(CreateConnectionGroup), finalizer: Finalizer::Keep, group: Some(group) }
        }
        PlanName::Adopt => changed(TagResource, &own),
        PlanName::Mark | PlanName::TakeOver => changed(TagResource, &mark),
        PlanName::Update => changed(UpdateConnectionGroup, &configure),
        PlanName::Tag => changed(TagResource, &|group| group.tags.extend(spec.tags.clone())),
        PlanName::Untag => changed(UntagResource, &|group| drop(group.tags.remove(FORMER_TAG))),
        PlanName::Enable => changed(UpdateConnectionGroup, &|group| group.enabled = true),
        PlanName::Disable => changed(UpdateConnectionGroup, &|group| group.enabled = false),
        PlanName::Delete => Seen { mutation: Some(DeleteConnectionGroup), finalizer: Finalizer::Keep, group: None },
        PlanName::Disown => {
            let seen = changed(UntagResource, &|group| group.tags.retain(|key, _| !marks().contains_key(key)));
            Seen { finalizer: Finalizer::Release, ..seen }
        }
        PlanName::ReleaseGone
        | PlanName::ReleaseNotOurs
        | PlanName::ReleaseElsewhere
        | PlanName::ReleaseRetained
        | PlanName::ReleaseObserved => Seen { mutation: None, finalizer: Finalizer::Release, group: before },
        PlanName::NotRead
        | PlanName::Outdated
        | PlanName::Listed
        | PlanName::UpToDate
        | PlanName::Mirrored
        | PlanName::NothingToMirror
        | PlanName::ConfirmAbsence
        | PlanName::DeletedOutside
        | PlanName::AwaitDisabled
        | PlanName::ConfirmGone
        | PlanName::Suspended
        | PlanName::DeletionProtected
        | PlanName::InUse
        | PlanName::TagsPending
        | PlanName::ClaimPending
        | PlanName::Elsewhere
        | PlanName::TagsOfAnother
        | PlanName::OwnerMayShow
        | PlanName::OwnerTagMissing
        | PlanName::OwnerUnstated
        | PlanName::Flapping
        | PlanName::MembersRefused
        | PlanName::NotOwned
        | PlanName::DefaultGroup
        | PlanName::AdoptionRefused => Seen { mutation: None, finalizer: Finalizer::Keep, group: before },
    }
}
