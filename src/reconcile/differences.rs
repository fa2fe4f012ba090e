//! Where a group differs from what is desired, and which of that is ours to put right. Pure.

use std::collections::BTreeSet;

use super::{desired::Desired, ownership::is_reserved};
use crate::{
    api::Drift,
    cloudfront::{AnycastIpListId, Config, Described, Members, Tags},
};

/// What to set and what to remove. Only tags that status says we set are ever removed, with the value that we gave them, for with another they are
/// somebody else's; and never those that no spec can hold, whatever a forged status says.
#[must_use]
pub fn tag_changes(desired: &Desired, observed: &Tags, applied: &Tags) -> (Tags, BTreeSet<String>) {
    let set = desired.tags.iter().filter(|(key, value)| observed.get(*key) != Some(value));
    let remove = applied.iter().filter(|(key, value)| {
        !desired.tags.contains_key(*key) && observed.get(*key) == Some(value) && !is_reserved(key)
    });
    (set.map(|(key, value)| (key.clone(), value.clone())).collect(), remove.map(|(key, _)| key.clone()).collect())
}

/// Where a group differs from the spec, tags included; tags of others do not count.
#[must_use]
pub fn differences(desired: &Desired, described: &Described) -> Vec<Drift> {
    let mut found = config_differences(&desired.config, &described.group.config);
    found.extend(desired.tags.iter().filter(|(key, value)| described.tags.get(*key) != Some(value)).map(
        |(key, value)| Drift {
            field: format!("tags[{key}]"),
            desired: value.clone(),
            observed: described.tags.get(key).cloned().unwrap_or_default(),
        },
    ));
    found
}

/// Where a group differs from a configuration, field by field as in spec. What CloudFront did not state is no difference.
#[must_use]
pub fn config_differences(desired: &Config, observed: &Members) -> Vec<Drift> {
    // No `..`: a new member must be compared.
    let Config { enabled, ipv6_enabled, anycast_ip_list_id } = desired;
    let list = |id: &Option<AnycastIpListId>| id.as_ref().map(ToString::to_string).unwrap_or_default();
    [
        ("enabled", enabled.to_string(), observed.enabled.unwrap_or(*enabled).to_string()),
        ("ipv6Enabled", ipv6_enabled.to_string(), observed.ipv6_enabled.unwrap_or(*ipv6_enabled).to_string()),
        ("anycastIpListId", list(anycast_ip_list_id), list(&observed.anycast_ip_list_id)),
    ]
    .into_iter()
    .filter(|(_, desired, observed)| desired != observed)
    .map(|(field, desired, observed)| Drift { field: field.to_owned(), desired, observed })
    .collect()
}
