//! What an object asks for, in canonical form. Pure: object -> [`Intent`].
//!
//! A deletion needs only the name, so that a bad spec cannot block it.

use kube::ResourceExt;

use super::ownership::Claim;
use crate::{
    api::{AdoptionPolicy, ConnectionGroup, ConnectionGroupSpec, DeletionPolicy, Mode, NO_LIST},
    cloudfront::{AnycastIpListId, Config, GroupName, Members, Tags},
};

/// What should happen to the group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Intent {
    /// `spec.suspend`: neither read nor written.
    Suspended,
    /// The object is being deleted although `spec.deletionProtection` is set: the group stays, enabled or disabled as the spec says.
    Protected,
    /// The group exists as described.
    Present(Desired),
    /// The group is read, never written.
    Mirrored(Desired),
    /// The object is being deleted.
    Absent {
        /// Name of the group.
        name: GroupName,
        /// What to do with the group.
        action: DeletionAction,
    },
}

/// What a deletion does with the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeletionAction {
    /// Disable and delete it.
    Delete,
    /// Remove the tags that mark ownership and leave it.
    Retain,
    /// Leave it untouched: mode Observe.
    Leave,
}

/// A group as the spec asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Desired {
    /// Name of the group.
    pub name: GroupName,
    /// Whether it serves traffic.
    pub enabled: bool,
    /// Whether it answers over IPv6.
    pub ipv6_enabled: bool,
    /// What should happen to the Anycast list.
    pub anycast: Anycast,
    /// Tags of the spec, without those that mark ownership.
    pub tags: Tags,
    /// What to do about an unowned group of that name.
    pub adoption: AdoptionPolicy,
}

/// What the spec says about the Anycast list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Anycast {
    /// Nothing: a list that this object attached is detached, any other stays.
    Unnamed,
    /// `none`: any attached list is detached.
    Detached,
    /// This list.
    Attached(AnycastIpListId),
}

impl Anycast {
    fn of(anycast_ip_list_id: Option<&str>) -> Self {
        match anycast_ip_list_id {
            None => Self::Unnamed,
            Some(NO_LIST) => Self::Detached,
            Some(id) => Self::Attached(AnycastIpListId::new(id)),
        }
    }

    /// The list that the group should have, given that it has `read` now and this object attached `ours`.
    #[must_use]
    pub fn wanted(&self, read: Option<&AnycastIpListId>, ours: Option<&AnycastIpListId>) -> Option<AnycastIpListId> {
        match self {
            Self::Unnamed => read.filter(|list| Some(*list) != ours).cloned(),
            Self::Detached => None,
            Self::Attached(id) => Some(id.clone()),
        }
    }
}

impl Desired {
    /// The configuration of a new group.
    #[must_use]
    pub fn config(&self) -> Config {
        self.with_list(self.anycast.wanted(None, None))
    }

    /// The configuration that a group should have, given that it has `read` now and this object attached the list `ours`.
    #[must_use]
    pub fn target(&self, read: &Members, ours: Option<&AnycastIpListId>) -> Config {
        self.with_list(self.anycast.wanted(read.anycast_ip_list_id.as_ref(), ours))
    }

    const fn with_list(&self, anycast_ip_list_id: Option<AnycastIpListId>) -> Config {
        Config { enabled: self.enabled, ipv6_enabled: self.ipv6_enabled, anycast_ip_list_id }
    }

    /// The list that the group keeps although this object did not attach it, because the spec names none.
    #[must_use]
    pub fn kept_list<'a>(
        &self,
        read: Option<&'a AnycastIpListId>,
        ours: Option<&AnycastIpListId>,
    ) -> Option<&'a AnycastIpListId> {
        read.filter(|list| self.anycast == Anycast::Unnamed && Some(*list) != ours)
    }

    /// Whether these tags include all tags of the spec.
    #[must_use]
    pub fn tags_are_in(&self, tags: &Tags) -> bool {
        self.tags.iter().all(|(key, value)| tags.get(key) == Some(value))
    }

    /// The tags of a new group, including those that mark ownership.
    #[must_use]
    pub fn all_tags(&self, claim: &Claim) -> Tags {
        self.tags.clone().into_iter().chain(claim.tags()).collect()
    }
}

impl Intent {
    /// Derives the intent from an object.
    #[must_use]
    pub fn of(object: &ConnectionGroup) -> Self {
        // No `..`: a new field of the spec must be given its meaning here.
        let ConnectionGroupSpec {
            name: _,
            enabled,
            ipv6_enabled,
            anycast_ip_list_id,
            tags,
            mode,
            adoption_policy,
            deletion_policy,
            deletion_protection,
            suspend,
        } = &object.spec;
        if *suspend && !bug!(SuspensionIsIgnored) {
            return Self::Suspended;
        }
        let name = group_name(object);
        if object.metadata.deletion_timestamp.is_some() {
            let action = match (mode, deletion_policy) {
                (Mode::Observe, _) => DeletionAction::Leave,
                (Mode::Manage, _) if *deletion_protection && !bug!(ProtectionIsIgnored) => return Self::Protected,
                (Mode::Manage, DeletionPolicy::Retain) if bug!(RetentionIsIgnored) => DeletionAction::Delete,
                (Mode::Manage, DeletionPolicy::Retain) => DeletionAction::Retain,
                (Mode::Manage, DeletionPolicy::Delete) => DeletionAction::Delete,
            };
            return Self::Absent { name, action };
        }
        let desired = Desired {
            name,
            enabled: *enabled,
            ipv6_enabled: *ipv6_enabled,
            anycast: Anycast::of(anycast_ip_list_id.as_deref()),
            tags: tags.clone(),
            adoption: *adoption_policy,
        };
        match mode {
            Mode::Manage => Self::Present(desired),
            Mode::Observe if bug!(ObserveManages) => Self::Present(desired),
            Mode::Observe => Self::Mirrored(desired),
        }
    }
}

/// The name of an object's group in CloudFront.
#[must_use]
pub fn group_name(object: &ConnectionGroup) -> GroupName {
    GroupName::new(object.spec.name.clone().unwrap_or_else(|| object.name_any()))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

    use super::*;

    fn object(spec: ConnectionGroupSpec) -> ConnectionGroup {
        ConnectionGroup::new("edge", spec)
    }

    fn deleted(spec: ConnectionGroupSpec) -> ConnectionGroup {
        let mut object = object(spec);
        object.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        object
    }

    #[test]
    fn the_name_is_the_objects_unless_the_spec_says_otherwise() {
        assert_eq!(group_name(&object(ConnectionGroupSpec::default())).as_str(), "edge");
        let named = ConnectionGroupSpec { name: Some("front".into()), ..Default::default() };
        assert_eq!(group_name(&object(named)).as_str(), "front");
    }

    #[test]
    fn suspend_comes_before_everything_else() {
        let spec = ConnectionGroupSpec { suspend: true, deletion_protection: true, ..Default::default() };
        assert_eq!(Intent::of(&object(spec.clone())), Intent::Suspended);
        assert_eq!(Intent::of(&deleted(spec)), Intent::Suspended);
    }

    #[test]
    fn a_deletion_follows_mode_then_protection_then_policy() {
        let spec = |mode, deletion_policy, deletion_protection| {
            let spec = ConnectionGroupSpec { mode, deletion_policy, deletion_protection, ..Default::default() };
            Intent::of(&deleted(spec))
        };
        let absent = |action| Intent::Absent { name: GroupName::new("edge"), action };
        for (mode, policy, protection, expected) in [
            (Mode::Manage, DeletionPolicy::Delete, false, absent(DeletionAction::Delete)),
            (Mode::Manage, DeletionPolicy::Retain, false, absent(DeletionAction::Retain)),
            (Mode::Manage, DeletionPolicy::Delete, true, Intent::Protected),
            (Mode::Manage, DeletionPolicy::Retain, true, Intent::Protected),
            (Mode::Observe, DeletionPolicy::Delete, false, absent(DeletionAction::Leave)),
            (Mode::Observe, DeletionPolicy::Retain, true, absent(DeletionAction::Leave)),
        ] {
            assert_eq!(spec(mode, policy, protection), expected, "{mode:?} {policy:?} {protection}");
        }
    }

    #[test]
    fn a_list_goes_if_this_object_attached_it_or_if_the_spec_says_none() {
        let list = AnycastIpListId::new;
        for (spec, read, ours, wanted) in [
            (None, None, None, None),
            (None, Some("aip_1"), Some("aip_1"), None),
            (None, Some("aip_1"), Some("aip_2"), Some("aip_1")),
            (None, Some("aip_1"), None, Some("aip_1")),
            (Some("none"), Some("aip_1"), None, None),
            (Some("aip_2"), Some("aip_1"), Some("aip_1"), Some("aip_2")),
        ] {
            let (read, ours) = (read.map(list), ours.map(list));
            let found = Anycast::of(spec).wanted(read.as_ref(), ours.as_ref());
            assert_eq!(found, wanted.map(list), "{spec:?} {read:?} {ours:?}");
        }
    }

    #[test]
    fn mode_observe_asks_for_nothing_but_a_look() {
        let spec = ConnectionGroupSpec { mode: Mode::Observe, ..Default::default() };
        assert!(matches!(Intent::of(&object(spec)), Intent::Mirrored(_)));
    }
}
