//! Decides who owns a group. Pure: tags -> [`Owner`].
//!
//! Two tags decide. The owner tag names the object that configures a group, the identity tag the living installation that acts on it. Both are read from
//! CloudFront in the same reconcile as any mutation; status is never consulted.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::tags::is_young;
use crate::{
    api::GROUP,
    cloudfront::{Described, Tags},
};

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

    /// The owner tag among a group's tags, whoever it names.
    #[must_use]
    pub fn in_tags(tags: &Tags) -> Option<Self> {
        tags.get(Self::KEY).cloned().map(Self)
    }

    /// The value as it stands on the group.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The owner id that the tag names, if it has the form of our tags.
    #[must_use]
    pub fn owner_id(&self) -> Option<&str> {
        self.object().and_then(|_| self.0.split_once('/')).map(|(owner_id, _)| owner_id)
    }

    /// Namespace and name of the object that the tag names, if it has the form of our tags.
    #[must_use]
    pub fn object(&self) -> Option<(&str, &str)> {
        self.0.split_once('/')?.1.split_once('/')
    }
}

impl fmt::Display for OwnerTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Identity of an installation, which backups and clones of its cluster do not carry: the uid of a Kubernetes object that each cluster creates anew.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Installation(String);

impl Installation {
    /// Key of the identity tag.
    pub const KEY: &'static str = "cloudfront.kube-operators.dev/installation";

    /// The installation with that uid.
    pub fn new(uid: impl Into<String>) -> Self {
        Self(uid.into())
    }

    /// The identity tag among a group's tags, whichever installation it names.
    #[must_use]
    pub fn in_tags(tags: &Tags) -> Option<Self> {
        tags.get(Self::KEY).cloned().map(Self)
    }

    /// The value as it stands on the group.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The identity tag.
    #[must_use]
    pub fn tag(&self) -> Tags {
        [(Self::KEY.to_owned(), self.0.clone())].into()
    }
}

impl fmt::Display for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whom the owner tag of a group names that is not this object's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rival {
    /// Another object of this installation, or what is no owner tag of ours.
    Object(OwnerTag),
    /// An object of this namespace and name under another owner id: this one, or one in another cluster.
    Namesake(ForeignTag),
    /// Another object under another owner id.
    Foreign(ForeignTag),
}

/// An owner tag with another owner id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignTag {
    /// The tag.
    pub tag: OwnerTag,
    /// Its owner id.
    pub theirs: String,
    /// The owner id of this installation.
    pub ours: String,
}

impl Rival {
    /// Whom `tag` names, from the point of view of the object with the owner tag `us`.
    #[must_use]
    pub fn of(tag: OwnerTag, us: &OwnerTag) -> Self {
        let owner_ids = tag.owner_id().zip(us.owner_id()).map(|(theirs, ours)| (theirs.to_owned(), ours.to_owned()));
        match owner_ids {
            Some((theirs, ours)) if theirs != ours => {
                let is_namesake = tag.object() == us.object();
                let tag = ForeignTag { tag, theirs, ours };
                if is_namesake { Self::Namesake(tag) } else { Self::Foreign(tag) }
            }
            Some(_) | None => Self::Object(tag),
        }
    }
}

/// How this installation marks the group of one object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The object that configures it.
    pub owner: OwnerTag,
    /// The installation that acts on it.
    pub installation: Installation,
}

impl Claim {
    /// Keys of the tags that mark a group.
    pub const KEYS: [&'static str; 2] = [OwnerTag::KEY, Installation::KEY];

    /// The tags that mark a group.
    #[must_use]
    pub fn tags(&self) -> Tags {
        let mut tags = self.installation.tag();
        tags.insert(OwnerTag::KEY.to_owned(), self.owner.to_string());
        tags
    }

    /// Whether these tags mark a group this way, or without an identity, as an older version of the operator did.
    #[must_use]
    pub fn is_in(&self, tags: &Tags) -> bool {
        OwnerTag::in_tags(tags).as_ref() == Some(&self.owner)
            && Installation::in_tags(tags).is_none_or(|installation| installation == self.installation)
    }
}

/// Whether no spec may hold a tag with this key: it marks ownership, or AWS reserves it. Case is ignored, as IAM conditions ignore it.
#[must_use]
pub fn is_reserved(key: &str) -> bool {
    let key = key.to_lowercase();
    key.starts_with("aws:") || key.strip_prefix(GROUP).is_some_and(|rest| rest.starts_with('/'))
}

/// Who owns a group, from the point of view of one object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// This object, in this installation.
    Ours,
    /// This object, but no installation has put its identity on the group: an older version of the operator created it.
    Unmarked,
    /// This object, in an installation that the administrator told this one to take over from.
    ToTakeOver(Installation),
    /// This object, in another installation with the same owner id: one cluster is a clone of the other, or replaces it.
    Elsewhere(Installation),
    /// Nobody.
    Unowned,
    /// Nobody yet, but its tags may not be visible: the group is new, or we have just claimed it. It is read again.
    TagsPending,
    /// Unknown: the owner or identity tag has no value, because the answer omits it or someone emptied it.
    Unstated,
    /// Another object, or another owner id.
    Other(OwnerTag),
}

/// Decides who owns a group that was just read. `predecessor` is the installation to take over from, if the administrator named one.
#[must_use]
pub fn owner(described: &Described, us: &Claim, predecessor: Option<&Installation>, now: Timestamp) -> Owner {
    let Some(owner) = OwnerTag::in_tags(&described.tags) else {
        return match described.group.created {
            Some(created) if is_young(created, now) => Owner::TagsPending,
            _ => Owner::Unowned,
        };
    };
    match Installation::in_tags(&described.tags) {
        _ if owner.as_str().is_empty() && !bug!(EmptyOwnerIsAnother) => Owner::Unstated,
        _ if owner != us.owner && !bug!(EveryOwnerIsUs) => Owner::Other(owner),
        Some(installation) if installation.as_str().is_empty() => Owner::Unstated,
        None if bug!(UnmarkedIsOurs) => Owner::Ours,
        None => Owner::Unmarked,
        Some(installation) if installation == us.installation || bug!(IdentityIsIgnored) => Owner::Ours,
        Some(installation) if Some(&installation) == predecessor && bug!(PredecessorIsUs) => Owner::Ours,
        Some(installation) if Some(&installation) == predecessor => Owner::ToTakeOver(installation),
        Some(installation) => Owner::Elsewhere(installation),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::testing::described;

    fn seen(tag: Option<&str>, identity: Option<&str>, seconds_old: i64) -> Owner {
        let mut group = described("edge");
        group.group.created = Some(Timestamp::UNIX_EPOCH);
        group.tags.extend(tag.map(|value| (OwnerTag::KEY.to_owned(), value.to_owned())));
        group.tags.extend(identity.map(|value| (Installation::KEY.to_owned(), value.to_owned())));
        let us =
            Claim { owner: OwnerTag::new("prod", "platform", "edge"), installation: Installation::new("uid-here") };
        let predecessor = Installation::new("uid-before");
        owner(&group, &us, Some(&predecessor), Timestamp::from_second(seconds_old).unwrap())
    }

    #[test]
    fn only_the_exact_owner_tag_makes_a_group_ours() {
        assert_eq!(seen(Some("prod/platform/edge"), Some("uid-here"), 0), Owner::Ours);
        for other in ["prod/platform/edge2", "prod/platform", "dev/platform/edge", " "] {
            for identity in [None, Some("uid-here"), Some("uid-before"), Some("uid-elsewhere")] {
                assert_eq!(seen(Some(other), identity, 9999), Owner::Other(OwnerTag(other.to_owned())));
            }
        }
    }

    #[test]
    fn an_owner_tag_with_another_owner_id_is_told_from_one_of_this_installation() {
        let us = OwnerTag::new("prod-us", "platform", "edge");
        let rival = |tag: &str| Rival::of(OwnerTag(tag.to_owned()), &us);
        let foreign = |tag: &str| {
            let (theirs, ours) = ("prod-eu".to_owned(), "prod-us".to_owned());
            ForeignTag { tag: OwnerTag(tag.to_owned()), theirs, ours }
        };
        assert_eq!(rival("prod-eu/platform/edge"), Rival::Namesake(foreign("prod-eu/platform/edge")));
        for other in ["prod-eu/platform/edge2", "prod-eu/network/edge"] {
            assert_eq!(rival(other), Rival::Foreign(foreign(other)));
        }
        for other in ["prod-us/platform/edge2", "platform/edge", "prod-eu", " "] {
            assert_eq!(rival(other), Rival::Object(OwnerTag(other.to_owned())));
        }
    }

    #[test]
    fn of_our_own_groups_the_identity_says_which_installation_acts() {
        let ours = |identity| seen(Some("prod/platform/edge"), identity, 9999);
        assert_eq!(ours(None), Owner::Unmarked, "made before groups were marked");
        assert_eq!(ours(Some("uid-before")), Owner::ToTakeOver(Installation::new("uid-before")));
        for elsewhere in ["uid-elsewhere", "uid-her", "UID-HERE"] {
            assert_eq!(ours(Some(elsewhere)), Owner::Elsewhere(Installation::new(elsewhere)));
        }
        assert_eq!(ours(Some("")), Owner::Unstated);
    }

    #[test]
    fn a_group_without_owner_tag_is_unowned_only_once_its_tags_had_time_to_show() {
        for identity in [None, Some("uid-here"), Some("uid-elsewhere")] {
            assert_eq!(seen(None, identity, 59), Owner::TagsPending);
            assert_eq!(seen(None, identity, 61), Owner::Unowned, "an identity alone claims nothing");
            assert_eq!(seen(Some(""), identity, 9999), Owner::Unstated, "nor does an owner tag that names nobody");
        }
    }

    #[test]
    fn no_spec_may_hold_a_reserved_key_in_any_case_of_letters() {
        for key in Claim::KEYS.into_iter().chain(["aws:x", "AWS:", "Cloudfront.kube-operators.dev/owner", "aWs:cost"]) {
            assert!(is_reserved(key), "{key}");
        }
        for key in ["aws", "team", "cloudfront.kube-operators.dev", "my-aws:x"] {
            assert!(!is_reserved(key), "{key}");
        }
    }
}
