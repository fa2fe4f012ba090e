//! Groups that carry our owner tag although no object names them: reported, never deleted. Talks to CloudFront through the port, and only reads.
//!
//! In: a complete list, and the objects as the cache has them. Out: the orphans that are known. The list has no tags, so those of a group that no
//! object names are read once per id, a few with each sweep.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::{
    cloudfront::{ApiError, CloudFront, ErrorClass, GroupId, GroupName, Snapshot},
    reconcile::ownership::{OwnerTag, is_young},
};

/// What was found out about groups that no object names.
#[derive(Debug, Default)]
pub struct Orphans {
    read: BTreeMap<GroupId, Option<OwnerTag>>,
    /// When reading was not allowed.
    refused: BTreeMap<GroupId, Timestamp>,
}

/// Whose orphans are looked for.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The owner id of this installation.
    pub owner_id: String,
    /// The namespaces it watches; all, if none is named. Of objects elsewhere nothing can be said.
    pub namespaces: BTreeSet<String>,
}

/// Rights may come later; they are not asked for with each sweep.
const REFUSED_FOR: SignedDuration = SignedDuration::from_hours(1);

/// Reads per sweep, so that the next sweep is not held up.
const READS_AT_ONCE: usize = 5;

impl Orphans {
    /// Looks for orphans in a list; `named` are the names that objects claim. The answer holds all that are known, by id.
    pub async fn look<C: CloudFront>(
        &mut self,
        list: &Snapshot,
        named: &BTreeSet<GroupName>,
        scope: &Scope,
        now: Timestamp,
        port: &C,
    ) -> BTreeMap<GroupId, OwnerTag> {
        let unnamed = list.groups.values().filter(|group| !named.contains(&group.name)).collect::<Vec<_>>();
        let ids = unnamed.iter().map(|group| &group.id).collect::<BTreeSet<_>>();
        self.read.retain(|id, _| ids.contains(id));
        // Either way: a clock that was set back must not put it off for longer.
        self.refused.retain(|id, at| ids.contains(id) && now.duration_since(*at).abs() < REFUSED_FOR);
        let is_known = |id| self.read.contains_key(id) || self.refused.contains_key(id);
        let unread = unnamed.iter().filter(|group| !is_known(&group.id)).take(READS_AT_ONCE);
        for group in unread.collect::<Vec<_>>() {
            let tags = match port.tags(&group.arn).await {
                Ok(tags) => tags,
                // With rights that hang on the owner tag, the groups of others cannot be read, and need not be.
                Err(error) if error.class == ErrorClass::AccessDenied => {
                    self.refused.insert(group.id.clone(), now);
                    continue;
                }
                Err(error) => {
                    log(&error);
                    break;
                }
            };
            let owner = tags.and_then(|tags| OwnerTag::in_tags(&tags)).filter(|owner| scope.covers(owner));
            if let Some(owner) = &owner {
                tracing::warn!(id = %group.id, name = %group.name, %owner, "orphan: this connection group carries our owner tag, but no object that can be read names it; it is left alone");
            }
            let tags_may_be_missing = group.modified.is_some_and(|at| is_young(at, now));
            if owner.is_some() || !tags_may_be_missing {
                self.read.insert(group.id.clone(), owner);
            }
        }
        self.read.iter().filter_map(|(id, owner)| Some((id.clone(), owner.clone()?))).collect()
    }
}

fn log(error: &ApiError) {
    tracing::debug!(%error, aws_request_id = error.request_id, "the tags of an unnamed group could not be read");
}

impl Scope {
    fn covers(&self, owner: &OwnerTag) -> bool {
        let mut parts = owner.as_str().split('/');
        parts.next() == Some(self.owner_id.as_str())
            && parts.next().is_some_and(|namespace| self.namespaces.is_empty() || self.namespaces.contains(namespace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_objects_that_this_installation_would_see_can_be_missed() {
        let scope = |namespaces: &[&str]| Scope {
            owner_id: "prod".to_owned(),
            namespaces: namespaces.iter().map(ToString::to_string).collect(),
        };
        let of = |owner_id, namespace| OwnerTag::new(owner_id, namespace, "edge");
        assert!(scope(&[]).covers(&of("prod", "platform")));
        assert!(scope(&["platform"]).covers(&of("prod", "platform")));
        assert!(!scope(&["platform"]).covers(&of("prod", "elsewhere")), "not watched here");
        assert!(!scope(&[]).covers(&of("dev", "platform")), "another installation's");
    }
}
