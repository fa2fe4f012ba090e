//! A group that is read without an owner tag, and how long until it is believed that nobody owns it. Pure, part of the object state.
//!
//! Reads may be stale, so only a whole consistency window of such reads counts.

use std::time::Duration;

use super::{ObjectState, ObjectView};
use crate::{
    clock::Moment,
    cloudfront::{Group, GroupId},
};

/// A group that every read so far has shown without an owner.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unowned {
    /// Which group: what was seen of it does not count for another group of the same name.
    pub id: GroupId,
    /// Since when.
    pub since: Moment,
}

impl ObjectState {
    /// Records a read: `id` is the group if it showed no owner, and `None` if it showed an owner or no group.
    pub fn record_unowned(&mut self, id: Option<&GroupId>, now: Moment) {
        let still = self.unowned.take().filter(|seen| Some(&seen.id) == id);
        self.unowned = still.or_else(|| id.map(|id| Unowned { id: id.clone(), since: now }));
    }

    /// How long every read has shown this group without an owner.
    #[must_use]
    pub fn unowned_for(&self, id: &GroupId, now: Moment) -> Duration {
        self.unowned.as_ref().filter(|seen| seen.id == *id).map_or(Duration::ZERO, |seen| now.since(seen.since))
    }
}

impl ObjectView<'_> {
    /// Whether this group is on record as this object's.
    #[must_use]
    pub fn is_recorded_as_ours(&self, group: &Group) -> bool {
        self.id().as_ref() == Some(&group.id) && self.status.owner.as_deref() == Some(self.claim.owner.as_str())
    }

    /// Whether a group without an owner tag is on record as this object's, and has not been seen without the tag for a whole consistency window.
    #[must_use]
    pub fn may_still_be_ours(&self, group: &Group) -> bool {
        self.is_recorded_as_ours(group) && !self.owner_may_show_for(group).is_zero()
    }

    /// How long until it is believed that nobody owns this group; a whole consistency window if this is the first such read.
    #[must_use]
    pub fn owner_may_show_for(&self, group: &Group) -> Duration {
        let seen = self.unowned.as_ref().filter(|(id, _)| *id == group.id || bug!(UnownedWhicheverGroup));
        seen.map_or(self.consistency_window, |(_, left)| *left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_group_is_unowned_since_the_first_of_the_reads_that_all_showed_it_without_an_owner() {
        let mut state = ObjectState::default();
        for (second, seen, unowned_for) in [
            (10, Some("cg_1"), 0),
            (50, Some("cg_1"), 40),
            (60, None, 0),
            (70, Some("cg_1"), 0),
            (90, Some("cg_1"), 20),
            (95, Some("cg_2"), 0),
            (99, Some("cg_1"), 0),
        ] {
            let seen = seen.map(GroupId::new);
            state.record_unowned(seen.as_ref(), at(second));
            let id = seen.unwrap_or_else(|| GroupId::new("cg_1"));
            assert_eq!(state.unowned_for(&id, at(second)), Duration::from_secs(unowned_for), "at {second} s");
        }
    }
}
