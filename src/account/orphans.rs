//! Groups that carry our owner tag although the object in the tag does not exist or names another group: reported, never deleted. Talks to CloudFront through
//! the port, and only reads.
//!
//! In: a complete inventory, and the objects from the cache. Out: the known orphans. The inventory has no tags, so the tags of groups that no object has
//! recorded as its own are read separately: a few with each inventory, and again every hour, because a tag may be added or removed late. If the tag is ours,
//! it is read a second time before the group is reported.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use kube::ResourceExt;

use crate::{
    api::{ConnectionGroup, Mode},
    clock::{Clock, Moment},
    cloudfront::{ApiError, CloudFront, ErrorClass, GroupId, GroupName, Snapshot, Summary, Tags},
    reconcile::{
        Settings, group_name,
        ownership::{Installation, OwnerTag},
        tags::is_young,
    },
};

/// A group with our owner tag that no object manages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// Its owner tag.
    pub owner: OwnerTag,
    /// What happened to the object that the tag names.
    pub object: OwnerObject,
}

/// What happened to the object that an orphan's owner tag names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerObject {
    /// It does not exist.
    Gone,
    /// It names this group instead.
    NamesAnother(GroupName),
}

/// The namespaces whose objects are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Namespaces {
    /// All namespaces of the cluster.
    #[default]
    All,
    /// Only these. Nothing is known about objects elsewhere: those namespaces are not watched, or cannot be read now.
    Only(BTreeSet<String>),
}

impl Namespaces {
    fn include(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(namespace),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn are_none(&self) -> bool {
        matches!(self, Self::Only(names) if names.is_empty())
    }
}

/// What the objects of the cluster say about groups.
#[derive(Debug, Default)]
pub struct KnownObjects {
    /// The namespaces in which an object that is not known does not exist.
    known_in: Namespaces,
    /// By namespace and name, the group that each object names; `None` for an object that exists but cannot be read.
    named: BTreeMap<(String, String), Option<GroupName>>,
    /// Groups that an object has recorded as the one that it manages: its own reconciles read their tags.
    managed: BTreeSet<(GroupName, GroupId)>,
}

impl KnownObjects {
    /// From the readable objects, and the names of the unreadable ones. There are no others in the namespaces `known_in`.
    pub fn of<'a>(
        known_in: Namespaces,
        readable: impl IntoIterator<Item = &'a ConnectionGroup>,
        unreadable: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let mut objects = Self { known_in, ..Self::default() };
        for object in readable {
            let name = group_name(object);
            let id = object.status.as_ref().and_then(|status| status.id.as_deref());
            if let (Mode::Manage, Some(id)) = (object.spec.mode, id) {
                objects.managed.insert((name.clone(), GroupId::new(id)));
            }
            objects.named.insert((object.namespace().unwrap_or_default(), object.name_any()), Some(name));
        }
        objects.named.extend(unreadable.into_iter().map(|object| (object, None)));
        objects
    }

    fn manage(&self, group: &Summary) -> bool {
        self.managed.contains(&(group.name.clone(), group.id.clone()))
    }

    /// Whether the objects of the namespace that this owner tag names are known.
    fn are_known_where(&self, owner: &OwnerTag) -> bool {
        owner.object().is_none_or(|(namespace, _)| self.known_in.include(namespace))
    }

    /// The orphan, if a group with this owner tag is one. An object that cannot be read may name any group, so a group with its tag is not an orphan.
    fn orphan(&self, group: &GroupName, owner: &OwnerTag) -> Option<Orphan> {
        let (namespace, name) = owner.object().filter(|(namespace, _)| self.known_in.include(namespace))?;
        let object = match self.named.get(&(namespace.to_owned(), name.to_owned())) {
            None => OwnerObject::Gone,
            Some(Some(another)) if another != group => OwnerObject::NamesAnother(another.clone()),
            Some(_) => return None,
        };
        Some(Orphan { owner: owner.clone(), object })
    }
}

/// What is known about the tags of groups that no object manages.
#[derive(Debug, Default)]
pub struct Orphans {
    read: BTreeMap<GroupId, TagRead>,
}

/// What the last read of a group's tags showed.
#[derive(Debug, Default)]
struct TagRead {
    /// Our owner tag, if the group carries one.
    owner: Option<OwnerTag>,
    /// Whether a second read showed the same tag.
    confirmed: bool,
    /// When to read again.
    again_at: Moment,
}

/// Which groups count as orphans of this installation.
#[derive(Clone, Debug)]
pub struct OrphanCriteria {
    /// The owner id of this installation.
    pub owner_id: String,
    /// Its identity, and that of the installation whose groups it takes over.
    pub installations: Vec<Installation>,
    /// The consistency window, in which a change of tags may not be visible yet: a group that was just released may still show our tag.
    pub consistency_window: Duration,
}

impl OrphanCriteria {
    /// The orphans of the installation with these settings.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            owner_id: settings.owner_id.clone(),
            installations: settings.predecessor.iter().chain([&settings.installation]).cloned().collect(),
            consistency_window: settings.consistency_window,
        }
    }
}

/// How often tags are read again: they may be added or removed, and permissions may be granted, but a check with every inventory is unnecessary.
const NOW_AND_THEN: Duration = Duration::from_hours(1);

/// Tag reads per inventory; a larger number would delay the search in the next inventory.
const READS_AT_ONCE: usize = 5;

impl Orphans {
    /// Searches an inventory for orphans. Returns all that are known, by id.
    pub async fn search<C: CloudFront>(
        &mut self,
        list: &Snapshot,
        objects: &KnownObjects,
        criteria: &OrphanCriteria,
        clock: &dyn Clock,
        port: &C,
    ) -> BTreeMap<GroupId, Orphan> {
        let unmanaged = list.groups.values().filter(|group| !objects.manage(group)).collect::<Vec<_>>();
        let ids = unmanaged.iter().map(|group| &group.id).collect::<BTreeSet<_>>();
        self.read.retain(|id, _| ids.contains(id));
        let now = clock.moment();
        let claimed = objects.named.values().flatten().collect::<BTreeSet<_>>();
        let is_young = |group: &Summary| group.modified.is_some_and(|at| is_young(at, clock.wall()));
        // A group that was just created for an object may not be recorded in its status yet.
        let is_due = |group: &&&Summary| {
            let is_read = self.read.get(&group.id).is_none_or(|read| read.again_at <= now);
            is_read && !(claimed.contains(&group.name) && is_young(group))
        };
        let mut due = unmanaged.iter().filter(is_due).copied().collect::<Vec<_>>();
        // The group that has been due longest comes first, so that each gets its turn, however many there are.
        due.sort_by_key(|group| self.read.get(&group.id).map(|read| read.again_at));
        for group in due.into_iter().take(READS_AT_ONCE) {
            self.read.entry(group.id.clone()).or_default().again_at = now;
            let Some(owner) = self.tags_of(group, criteria, now, port).await else { continue };
            if owner.as_ref().is_some_and(|owner| !objects.are_known_where(owner)) {
                // The namespace may be readable again soon, so what is known about the group is kept.
                self.read.entry(group.id.clone()).or_default().again_at =
                    now + criteria.consistency_window.saturating_mul(5);
                continue;
            }
            let owner = owner.filter(|owner| objects.orphan(&group.name, owner).is_some());
            let tags_may_be_missing = is_young(group);
            if owner.is_some() || !tags_may_be_missing {
                self.note(group, owner, criteria, now);
            }
        }
        let confirmed = |group: &Summary| self.read.get(&group.id).filter(|read| read.confirmed)?.owner.as_ref();
        let orphans = unmanaged
            .iter()
            .filter_map(|group| Some((group.id.clone(), objects.orphan(&group.name, confirmed(group)?)?)));
        orphans.collect()
    }

    /// Our owner tag among the group's tags, if it is there; the outer `None` if they cannot be read: then what is known about the group is kept.
    async fn tags_of<C: CloudFront>(
        &mut self,
        group: &Summary,
        criteria: &OrphanCriteria,
        now: Moment,
        port: &C,
    ) -> Option<Option<OwnerTag>> {
        match port.tags(&group.arn).await {
            Ok(tags) => Some(tags.and_then(|tags| criteria.owner_in(&tags))),
            Err(error) => {
                log(&error);
                // If the IAM permissions depend on the owner tag, the groups of others cannot be read, and need not be.
                let refused = error.class == ErrorClass::AccessDenied;
                let pause = if refused { NOW_AND_THEN } else { criteria.consistency_window };
                self.read.entry(group.id.clone()).or_default().again_at = now + pause;
                None
            }
        }
    }

    fn note(&mut self, group: &Summary, owner: Option<OwnerTag>, criteria: &OrphanCriteria, now: Moment) {
        let before = self.read.remove(&group.id).unwrap_or_default();
        let confirmed = owner.is_some() && before.owner == owner;
        let is_to_be_confirmed = owner.is_some() && !confirmed;
        let again_at = now + if is_to_be_confirmed { criteria.consistency_window } else { NOW_AND_THEN };
        if let Some(owner) = owner.as_ref().filter(|_| confirmed && !before.confirmed) {
            tracing::warn!(id = %group.id, name = %group.name, %owner, "orphan: this connection group carries our owner tag, but the object that the tag names does not exist or names another group; it is left alone");
        }
        self.read.insert(group.id.clone(), TagRead { owner, confirmed, again_at });
    }
}

fn log(error: &ApiError) {
    tracing::debug!(%error, aws_request_id = error.request_id, "the tags of a group that no object names could not be read");
}

impl OrphanCriteria {
    /// The owner tag, if it is one of ours: written by one of `installations`, or by a version that wrote no identity.
    fn owner_in(&self, tags: &Tags) -> Option<OwnerTag> {
        let is_ours = Installation::in_tags(tags).is_none_or(|identity| self.installations.contains(&identity));
        let has_our_id = |owner: &OwnerTag| owner.as_str().split('/').next() == Some(self.owner_id.as_str());
        OwnerTag::in_tags(tags).filter(|owner| is_ours && has_our_id(owner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_that_this_installation_would_see_can_be_missed() {
        let is_missed = |known_in: Namespaces, owner_id, namespace| {
            let criteria = OrphanCriteria {
                owner_id: "prod".to_owned(),
                installations: Vec::new(),
                consistency_window: Duration::from_mins(1),
            };
            let tag = OwnerTag::new(owner_id, namespace, "edge");
            let tags = [(OwnerTag::KEY.to_owned(), tag.to_string())].into();
            let objects = KnownObjects::of(known_in, [], []);
            criteria.owner_in(&tags).is_some_and(|owner| objects.orphan(&GroupName::new("edge"), &owner).is_some())
        };
        let only = |namespaces: &[&str]| Namespaces::Only(namespaces.iter().map(ToString::to_string).collect());
        assert!(is_missed(Namespaces::All, "prod", "platform"));
        assert!(is_missed(only(&["platform"]), "prod", "platform"));
        assert!(!is_missed(only(&["platform"]), "prod", "elsewhere"), "not watched here, or not readable now");
        assert!(!is_missed(only(&[]), "prod", "platform"), "nothing is readable now");
        assert!(!is_missed(Namespaces::All, "dev", "platform"), "another installation's");
    }
}
