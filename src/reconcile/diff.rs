//! Where a group differs from the spec, and which of the differences the operator corrects. Pure.

use std::collections::BTreeSet;

use super::{
    desired::Desired,
    members::{MemberSet, differing, value},
    ownership::is_reserved,
};
use crate::{
    api::{Drift, Member},
    cloudfront::{AnycastIpListId, Config, Described, Members, Tags},
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

/// Where a group differs from the spec, tags included. Tags that the spec does not name do not count; nor does someone else's list if the spec names none.
/// `ours` is the list that this object attached.
#[must_use]
pub fn differences(desired: &Desired, described: &Described, ours: Option<&AnycastIpListId>) -> Vec<Drift> {
    let read = &described.group.config;
    let mut found = config_differences(&desired.target(read, ours), read);
    found.extend(desired.tags.iter().filter(|(key, value)| described.tags.get(*key) != Some(value)).map(
        |(key, value)| Drift {
            field: format!("tags[{key}]"),
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
