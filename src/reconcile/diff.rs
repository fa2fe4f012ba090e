//! Where a group differs from the spec, which of the differences the operator corrects, and which are another client's changes. Pure.

use std::collections::BTreeSet;

use super::{
    ObjectView,
    desired::Desired,
    members::{MemberSet, differing, value},
    ownership::is_reserved,
};
use crate::{
    api::{ConnectionGroupStatus, Drift, Member},
    cloudfront::{AnycastIpListId, Config, Described, Group, Members, Tags},
};

/// The tags to set and to remove. Only tags that status says we set are ever removed, and only with the value that we gave them: with another value they are
/// someone else's. Reserved tags are never removed, whatever a forged status says.
#[must_use]
pub fn tag_changes(desired: &Desired, observed: &Tags, applied: &Tags) -> (Tags, BTreeSet<String>) {
    let set = desired.tags.iter().filter(|(key, value)| observed.get(*key) != Some(value));
    let remove = applied.iter().filter(|(key, value)| {
        !desired.tags.contains_key(*key)
            && (observed.get(*key) == Some(value) || bug!(TagsOfAnyValueAreOurs))
            && !is_reserved(key)
    });
    (set.map(|(key, value)| (key.clone(), value.clone())).collect(), remove.map(|(key, _)| key.clone()).collect())
}

/// The field of a tag in a difference.
#[must_use]
pub fn tag_field(key: &str) -> String {
    format!("tags[{key}]")
}

/// Where a group differs from the spec, tags included. Tags that the spec does not name do not count; nor does someone else's list if the spec names none.
/// `ours` is the list that this object attached.
#[must_use]
pub fn differences(desired: &Desired, described: &Described, ours: Option<&AnycastIpListId>) -> Vec<Drift> {
    let read = &described.group.config;
    let mut found = config_differences(&desired.target(read, ours), read);
    found.extend(desired.tags.iter().filter(|(key, value)| described.tags.get(*key) != Some(value)).map(
        |(key, value)| Drift {
            field: tag_field(key),
            desired: value.clone(),
            observed: described.tags.get(key).cloned().unwrap_or_default(),
        },
    ));
    found
}

/// Where a group differs from a configuration, field by field as in spec. What CloudFront did not state is not a difference.
#[must_use]
pub fn config_differences(desired: &Config, observed: &Members) -> Vec<Drift> {
    member_differences(&differing(desired, observed), desired, observed)
}

/// The differences in these members.
#[must_use]
pub fn member_differences(members: &MemberSet, desired: &Config, observed: &Members) -> Vec<Drift> {
    let desired = desired.clone().into();
    let drift = |member: &Member| Drift {
        field: member.as_str().to_owned(),
        desired: value(&desired, *member).unwrap_or_default(),
        observed: value(observed, *member).unwrap_or_default(),
    };
    members.iter().map(drift).collect()
}

impl ObjectView<'_> {
    /// Of the members that differ from what is wanted, those that another client changed. Either an earlier read has shown its change, or the group is a
    /// version that cannot be ours, and the version on record was as wanted. All other differences are the spec's.
    #[must_use]
    pub fn changed_by_others(&self, read: &Group, wanted: &Config, differing: &MemberSet) -> MemberSet {
        let same_id = self.status.id.as_deref() == Some(read.id.as_str());
        let is_new = self.status.e_tag.as_deref().is_some_and(|etag| !same_id || etag != read.etag.as_str());
        let is_latest_own =
            self.latest_own_version.as_ref().is_some_and(|(id, etag)| *id == read.id && *etag == read.etag);
        let may_be_our_own = self.unanswered || is_latest_own;
        let is_synced = self.status.synced_generation == Some(self.generation);
        // An earlier process may have changed the group for a generation that status does not show.
        let by_another = is_new && !may_be_our_own && (self.has_seen_group || is_synced);
        let ConnectionGroupStatus { enabled, ipv6_enabled, anycast_ip_list_id, .. } = self.status;
        let anycast_ip_list_id = anycast_ip_list_id.as_deref().map(AnycastIpListId::new);
        let on_record = Members { enabled: *enabled, ipv6_enabled: *ipv6_enabled, anycast_ip_list_id };
        let wanted = wanted.clone().into();
        let was_as_wanted = |member| match value(&on_record, member).filter(|_| same_id) {
            Some(recorded) => value(&wanted, member) == Some(recorded),
            None => is_synced,
        };
        let is_by_others = |member: &Member| {
            (self.uncorrected.contains(member) && !self.spec_is_new()) || (by_another && was_as_wanted(*member))
        };
        differing.iter().copied().filter(is_by_others).collect()
    }
}
