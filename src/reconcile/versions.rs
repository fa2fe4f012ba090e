//! The versions of a group that changes of this process have made and replaced, so that a stale read is not taken for someone's change. Pure, part of the
//! object state.

use std::time::Duration;

use crate::{
    clock::Moment,
    cloudfront::{Etag, Group, GroupId},
};

/// The versions of a group that answered changes of this process have made and replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct OwnVersions {
    /// The version that the last answered update produced.
    pub latest: Option<(GroupId, Etag)>,
    /// The versions that were replaced.
    pub replaced: Replaced,
}

impl OwnVersions {
    /// Records an answered update: it replaced the version `read` with the version `produced`.
    pub fn updated(&mut self, read: &Group, produced: &Group, now: Moment) {
        self.latest = Some((produced.id.clone(), produced.etag.clone()));
        self.replaced.add(read, Some(&produced.etag), now);
    }

    /// Records an answered Delete.
    pub fn deleted(&mut self, read: &Group, now: Moment) {
        self.replaced.add(read, None, now);
    }
}

/// Versions of one group that changes of this process have replaced. A read that shows one of them within a consistency window is stale; later, it shows an
/// out-of-band change.
///
/// An `ETag` means nothing without the group's id: all groups have the same ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Replaced {
    id: Option<GroupId>,
    versions: Vec<(Etag, Moment)>,
}

/// More changes than one object usually has within a consistency window; beyond these, a stale read may count as an out-of-band change.
const REPLACED_KEPT: usize = 16;

impl Replaced {
    /// Records an answered change: it replaced the version `read` with the version `produced`, or with none for a Delete.
    pub fn add(&mut self, read: &Group, produced: Option<&Etag>, now: Moment) {
        if self.id.as_ref() != Some(&read.id) {
            *self = Self { id: Some(read.id.clone()), versions: Vec::new() };
        }
        self.versions.push((read.etag.clone(), now));
        self.versions.retain(|(etag, _)| Some(etag) != produced);
        if self.versions.len() > REPLACED_KEPT {
            self.versions.remove(0);
        }
    }

    /// Whether a read shows a replaced version.
    #[must_use]
    pub fn shows_in(&self, read: &Group, consistency_window: Duration, now: Moment) -> bool {
        let is_it = |(etag, at): &(Etag, Moment)| *etag == read.etag && now.since(*at) < consistency_window;
        self.id.as_ref() == Some(&read.id) && self.versions.iter().any(is_it)
    }

    /// Group and version of each replaced version, and when it was replaced.
    pub fn versions(&self) -> impl Iterator<Item = (&GroupId, &Etag, Moment)> {
        self.id.iter().flat_map(|id| self.versions.iter().map(move |(etag, at)| (id, etag, *at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::testing::described;

    fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_version_that_was_replaced_is_outdated_for_a_consistency_window_and_in_no_other_group() {
        let window = Duration::from_mins(1);
        let group = |id: &str, etag: &str| {
            let group = described("edge").group;
            Group { id: GroupId::new(id), etag: Etag::new(etag), ..group }
        };
        let mut replaced = Replaced::default();
        replaced.add(&group("cg_1", "E1"), Some(&Etag::new("E2")), at(100));
        replaced.add(&group("cg_1", "E2"), Some(&Etag::new("E3")), at(110));
        let shows = |replaced: &Replaced, id, etag, second| replaced.shows_in(&group(id, etag), window, at(second));
        for (id, etag, second, is_outdated) in [
            ("cg_1", "E1", 111, true),
            ("cg_1", "E2", 169, true),
            ("cg_1", "E1", 160, false),
            ("cg_1", "E3", 111, false),
            ("cg_2", "E1", 111, false),
        ] {
            assert_eq!(shows(&replaced, id, etag, second), is_outdated, "{id} {etag} at {second} s");
        }
        replaced.add(&group("cg_1", "E3"), Some(&Etag::new("E1")), at(120));
        assert!(!shows(&replaced, "cg_1", "E1", 121), "made once more");
        replaced.add(&group("cg_2", "E1"), None, at(130));
        assert!(shows(&replaced, "cg_2", "E1", 131) && !shows(&replaced, "cg_1", "E3", 131));
    }
}
