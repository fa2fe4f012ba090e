//! Tags are eventually consistent: which of our tag changes a read may not show yet, and what a read of a group's tags therefore means. Pure.
//!
//! In: the tag calls of this process ([`TagHistory`], part of the object state), and a group as read. Out: the group's current tags, as far as is known, and
//! how long until a read is certain. Source: docs/safety.md, Assumed.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;

use super::{ObjectView, desired::Desired, diff::tag_field, observe::ReadDepth};
use crate::{
    api::Drift,
    clock::Moment,
    cloudfront::{Described, Group, GroupId, Tags},
};

/// How long tags may take to show, those of a new group included.
pub const TAGS_VISIBLE_WITHIN: Duration = Duration::from_mins(1);

/// Whether a group may not show all its tags yet, because `dated`, when CloudFront says that it was created or last changed, is less than
/// [`TAGS_VISIBLE_WITHIN`] from now.
#[must_use]
pub fn is_young(dated: Timestamp, now: Timestamp) -> bool {
    now.duration_since(dated).unsigned_abs() < TAGS_VISIBLE_WITHIN
}

/// The tag changes of this process on one group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TagHistory {
    /// Those that CloudFront has confirmed.
    pub confirmed: ConfirmedTags,
    /// When reads will show all tag changes that this process, or an earlier one, may have made; counted from the first reconcile.
    pub visible_at: Option<Moment>,
}

impl TagHistory {
    /// Records the start of a reconcile: an earlier process may have changed tags until the first one.
    pub fn begins(&mut self, now: Moment) {
        self.visible_at.get_or_insert(now + TAGS_VISIBLE_WITHIN);
    }

    /// Records a mutation that was answered or abandoned.
    pub fn wrote(&mut self, now: Moment) {
        self.visible_at = self.visible_at.max(Some(now + TAGS_VISIBLE_WITHIN));
    }

    /// Records a tag call without an answer: it may take effect one `TAGS_VISIBLE_WITHIN` later, and only then does the time until it shows begin.
    pub fn in_doubt(&mut self, now: Moment) {
        self.visible_at = self.visible_at.max(Some(now + TAGS_VISIBLE_WITHIN + TAGS_VISIBLE_WITHIN));
    }

    /// How long until reads show all tag changes that may have been made; at most the time that such a change can take.
    #[must_use]
    pub fn visible_in(&self, now: Moment) -> Duration {
        self.visible_at.map_or(TAGS_VISIBLE_WITHIN, |at| at.since(now).min(TAGS_VISIBLE_WITHIN + TAGS_VISIBLE_WITHIN))
    }
}

/// Tag changes on one group that CloudFront has confirmed to this process. They are made, although reads may not show them yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConfirmedTags {
    id: Option<GroupId>,
    /// The value; `None` for a tag that was removed.
    tags: BTreeMap<String, (Option<String>, Moment)>,
}

impl ConfirmedTags {
    /// Records tags that a Create or a `TagResource` has set.
    pub fn set(&mut self, id: &GroupId, tags: &Tags, now: Moment) {
        self.add(id, tags.iter().map(|(key, value)| (key.clone(), Some(value.clone()))), now);
    }

    /// Records tags that an `UntagResource` has removed.
    pub fn removed(&mut self, id: &GroupId, keys: &BTreeSet<String>, now: Moment) {
        self.add(id, keys.iter().map(|key| (key.clone(), None)), now);
    }

    fn add(&mut self, id: &GroupId, tags: impl Iterator<Item = (String, Option<String>)>, now: Moment) {
        if self.id.as_ref() != Some(id) {
            *self = Self { id: Some(id.clone()), tags: BTreeMap::new() };
        }
        self.tags.retain(|_, (_, at)| now.since(*at) < TAGS_VISIBLE_WITHIN);
        self.tags.extend(tags.map(|(key, value)| (key, (value, now))));
    }

    /// Forgets tags that an unanswered call may have changed or removed.
    pub fn forget(&mut self, keys: &BTreeSet<String>) {
        self.tags.retain(|key, _| !keys.contains(key));
    }

    /// The changes that reads may not show yet, and their group.
    #[must_use]
    pub fn may_not_show(&self, now: Moment) -> Option<(&GroupId, TagChanges)> {
        let recent = self.tags.iter().filter(|(_, (_, at))| now.since(*at) < TAGS_VISIBLE_WITHIN);
        let tags = recent.map(|(key, (value, _))| (key.clone(), value.clone())).collect::<TagChanges>();
        self.id.as_ref().filter(|_| !tags.is_empty()).map(|id| (id, tags))
    }
}

/// Tags as they were set, and `None` for those that were removed.
pub type TagChanges = BTreeMap<String, Option<String>>;

impl ObjectView<'_> {
    /// Whether all tags that we sent have had time to show.
    #[must_use]
    pub const fn sent_tags_are_visible(&self) -> bool {
        self.sent_tags_visible_in.is_zero()
    }

    /// Whether the tags in a read may be older than the last change of the spec that was carried out. Such a read proves nothing.
    #[must_use]
    pub fn tags_may_be_old(&self, desired: &Desired) -> bool {
        let has_tags = !desired.tags.is_empty() || !self.status.tags.is_empty();
        let is_synced = self.status.synced_generation == Some(self.generation);
        has_tags && !is_synced && !self.sent_tags_are_visible()
    }

    /// The current tags of a group: those that were read, plus confirmed changes that may not show yet. A tag that was set and that the spec no longer names
    /// counts only if the read shows it, because others may have changed it by now. A requested reconcile sets at once what the read lacks.
    #[must_use]
    pub fn tags_of(&self, read: &Described, desired: &Desired) -> Tags {
        let mut tags = read.tags.clone();
        let confirmed =
            self.tags_confirmed.iter().filter(|(id, _)| *id == read.group.id).flat_map(|(_, changes)| changes);
        for (key, value) in confirmed {
            match value {
                Some(value) if desired.tags.get(key) == Some(value) && self.depth == ReadDepth::Requested => {}
                Some(value) if desired.tags.contains_key(key) => drop(tags.insert(key.clone(), value.clone())),
                Some(_) => {}
                None => drop(tags.remove(key)),
            }
        }
        tags
    }

    /// Of the tags that differ from the spec, those that were correct before, as far as is known. Recently confirmed changes do not count, as they may not show
    /// yet.
    #[must_use]
    pub fn lost_tags(&self, differing: &Tags, read: &Described) -> Vec<Drift> {
        let sent = self.tags_sent_to(&read.group);
        let may_not_show = |key: &String| {
            self.tags_confirmed.iter().any(|(id, changes)| *id == read.group.id && changes.contains_key(key))
        };
        let was_there =
            |key: &String, value: &String| !self.unanswered && sent.get(key) == Some(value) && !may_not_show(key);
        let lost = differing.iter().filter(|(key, value)| was_there(key, value));
        lost.map(|(key, value)| Drift {
            field: tag_field(key),
            desired: value.clone(),
            observed: read.tags.get(key).cloned().unwrap_or_default(),
        })
        .collect()
    }

    /// The tags that this object sent to this group, as far as is known. Tags on record for another group were not sent to this one.
    #[must_use]
    pub fn tags_sent_to(&self, group: &Group) -> Tags {
        if self.id().is_none_or(|id| id == group.id) { self.status.tags.clone() } else { Tags::new() }
    }

    /// How long until reads show all tags of a group, if that is known.
    #[must_use]
    pub fn tags_show_in(&self, group: &Group) -> Option<Duration> {
        let age = |created| Duration::try_from(self.wall.duration_since(created)).unwrap_or_default();
        let young = group.created.filter(|created| is_young(*created, self.wall));
        young.map(|created| TAGS_VISIBLE_WITHIN.saturating_sub(age(created)))
    }
}
