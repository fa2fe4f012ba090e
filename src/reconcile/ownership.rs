//! Whose group is it? Pure: tags -> [`Owner`].
//!
//! The owner tag is the only authority. It is read from CloudFront in the same pass as any mutation; status is never asked.

use std::{fmt, time::Duration};

use jiff::Timestamp;

use crate::cloudfront::{Described, Tags};

/// The value of the owner tag: `<owner-id>/<namespace>/<name>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OwnerTag(String);

impl OwnerTag {
    /// Key of the owner tag.
    pub const KEY: &'static str = "cloudfront.kube-operators.dev/owner";

    /// The tag of an object in the installation `owner_id`.
    #[must_use]
    pub fn new(owner_id: &str, namespace: &str, name: &str) -> Self {
        Self(format!("{owner_id}/{namespace}/{name}"))
    }

    /// The owner tag among a group's tags, whoever's it is.
    #[must_use]
    pub fn in_tags(tags: &Tags) -> Option<Self> {
        tags.get(Self::KEY).cloned().map(Self)
    }

    /// The value as it stands on the group.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OwnerTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who owns a group, as seen by one object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// This object.
    Ours,
    /// Nobody.
    Unowned,
    /// Nobody yet, but the group is so young that the tags of its creation may not be visible: look again.
    Undecided,
    /// Another object or installation.
    Other(OwnerTag),
}

/// How long the tags of a new group may take to be seen.
pub const TAGS_SETTLE: Duration = Duration::from_mins(1);

/// Decides who owns a group that was just read.
#[must_use]
pub fn owner(described: &Described, us: &OwnerTag, now: Timestamp) -> Owner {
    match OwnerTag::in_tags(&described.tags) {
        Some(owner) if owner == *us => Owner::Ours,
        Some(owner) => Owner::Other(owner),
        None if described.group.created.is_some_and(|created| is_young(created, now)) => Owner::Undecided,
        None => Owner::Unowned,
    }
}

/// Whether something that CloudFront dates so recently may not show all its tags yet.
#[must_use]
pub fn is_young(dated: Timestamp, now: Timestamp) -> bool {
    now.duration_since(dated).unsigned_abs() < TAGS_SETTLE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::testing::described;

    fn seen(tag: Option<&str>, seconds_old: i64) -> Owner {
        let mut group = described("edge");
        group.group.created = Some(Timestamp::UNIX_EPOCH);
        group.tags.extend(tag.map(|value| (OwnerTag::KEY.to_owned(), value.to_owned())));
        owner(&group, &OwnerTag::new("prod", "platform", "edge"), Timestamp::from_second(seconds_old).unwrap())
    }

    #[test]
    fn only_the_exact_owner_tag_makes_a_group_ours() {
        assert_eq!(seen(Some("prod/platform/edge"), 0), Owner::Ours);
        for other in ["prod/platform/edge2", "prod/platform", "dev/platform/edge", ""] {
            assert_eq!(seen(Some(other), 9999), Owner::Other(OwnerTag(other.to_owned())));
        }
    }

    #[test]
    fn a_group_without_owner_tag_is_unowned_only_once_its_tags_had_time_to_show() {
        assert_eq!(seen(None, 59), Owner::Undecided);
        assert_eq!(seen(None, 61), Owner::Unowned);
    }
}
