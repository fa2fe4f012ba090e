//! What the operator remembers of one object between passes. Lost on restart: safety must not depend on it. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    Policy,
    dispute::Dispute,
    members::Trial,
    observe::{Observed, Usage},
    ownership::{Owner, TAGS_SETTLE},
};
use crate::{
    clock::Moment,
    cloudfront::{ApiError, Etag, Group, GroupId, Listing, Operation, Snapshot, Tags, Tenants},
};

/// Memory of one object, kept by uid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Memory {
    /// Passes that failed in a row.
    pub failures: u32,
    /// When the last mutation was answered, or given up.
    pub last_write: Option<Moment>,
    /// Whether a mutation got no answer, and neither a later one nor a read has shown since what became of it.
    pub unanswered: bool,
    /// The version of the group that the last answered change of this process made.
    pub made: Option<(GroupId, Etag)>,
    /// The versions of the group that answered changes of this process have replaced.
    pub replaced: Replaced,
    /// Changes of tags that reads may not show yet.
    pub tagged: Tagged,
    /// Reads in a row that were older than what is known.
    pub rereads: u32,
    /// When a group was last claimed, by Create or adoption, whatever became of it; an earlier process may have done so until this one began.
    pub last_claim: Moment,
    /// When the group is to be read in full again.
    pub deep_check_at: Option<Moment>,
    /// Changes of others that were put right.
    pub dispute: Dispute,
    /// The group that was read without an owner, if the last read showed one.
    pub unowned: Option<Unowned>,
    /// Since when every read has found no group.
    pub absent_since: Option<Moment>,
    /// How far the members of the configuration have been tried.
    pub trial: Trial,
    /// Since when every answer about its tenants has left their list out.
    pub tenants_left_out_since: Option<Moment>,
    /// Since when every read has shown the tags that mark its owner without a value.
    pub owner_unstated_since: Option<Moment>,
    /// Since when no read of its tenants has been answered.
    pub usage_unknown_since: Option<Moment>,
    /// That CloudFront refused to delete the group because it is in use, although it lists no tenant.
    pub delete_refused: Option<DeleteRefused>,
}

/// Deletes of a group that CloudFront refused because it is in use, although it lists no tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeleteRefused {
    first: Moment,
    last: Moment,
    /// How often it was refused after a pause in which the group was in service.
    rounds: u32,
}

impl DeleteRefused {
    /// Whether it has been so for longer than a list of tenants may be stale.
    fn is_proven(self, settle_window: Duration) -> bool {
        self.last.since(self.first) >= settle_window
    }

    /// How long the group is kept in service before its deletion is tried again.
    fn pause(self) -> Duration {
        FIRST_PAUSE.saturating_mul(1 << self.rounds.min(5)).min(LONGEST_PAUSE)
    }
}

/// How long a group that is in use without a listed tenant is kept in service at first.
pub const FIRST_PAUSE: Duration = Duration::from_hours(1);
const LONGEST_PAUSE: Duration = Duration::from_hours(24);

/// Versions of one group that changes of this process have replaced. A read that shows one of them within a settle window is older than that change; later,
/// it is somebody else's doing.
///
/// Without the group's id an `ETag` says nothing: all groups have the same ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Replaced {
    id: Option<GroupId>,
    versions: Vec<(Etag, Moment)>,
}

/// More changes than one object can have within a settle window.
const REPLACED_KEPT: usize = 16;

impl Replaced {
    /// Takes note of an answered change of the version that was read. It made the other one; a Delete makes none.
    pub fn add(&mut self, read: &Group, made: Option<&Etag>, now: Moment) {
        if self.id.as_ref() != Some(&read.id) {
            *self = Self { id: Some(read.id.clone()), versions: Vec::new() };
        }
        self.versions.push((read.etag.clone(), now));
        self.versions.retain(|(etag, _)| Some(etag) != made);
        if self.versions.len() > REPLACED_KEPT {
            self.versions.remove(0);
        }
    }

    /// Whether a read shows one of them.
    #[must_use]
    pub fn shows_in(&self, read: &Group, settle_window: Duration, now: Moment) -> bool {
        let is_it = |(etag, at): &(Etag, Moment)| *etag == read.etag && now.since(*at) < settle_window;
        self.id.as_ref() == Some(&read.id) && self.versions.iter().any(is_it)
    }

    /// Group and version of each, and when it was replaced.
    pub fn versions(&self) -> impl Iterator<Item = (&GroupId, &Etag, Moment)> {
        self.id.iter().flat_map(|id| self.versions.iter().map(move |(etag, at)| (id, etag, *at)))
    }
}

/// Changes of the tags of one group that CloudFront has confirmed to this process: they are made, although reads may not show them for a while.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tagged {
    id: Option<GroupId>,
    /// The value; `None` of a tag that was removed.
    tags: BTreeMap<String, (Option<String>, Moment)>,
}

impl Tagged {
    /// Takes note of tags that a Create or a `TagResource` has set.
    pub fn set(&mut self, id: &GroupId, tags: &Tags, now: Moment) {
        self.add(id, tags.iter().map(|(key, value)| (key.clone(), Some(value.clone()))), now);
    }

    /// Takes note of tags that an `UntagResource` has removed.
    pub fn removed(&mut self, id: &GroupId, keys: &BTreeSet<String>, now: Moment) {
        self.add(id, keys.iter().map(|key| (key.clone(), None)), now);
    }

    fn add(&mut self, id: &GroupId, tags: impl Iterator<Item = (String, Option<String>)>, now: Moment) {
        if self.id.as_ref() != Some(id) {
            *self = Self { id: Some(id.clone()), tags: BTreeMap::new() };
        }
        self.tags.retain(|_, (_, at)| now.since(*at) < TAGS_SETTLE);
        self.tags.extend(tags.map(|(key, value)| (key, (value, now))));
    }

    /// Takes note of tags that are about to be changed or removed: until that is answered, nobody knows.
    pub fn forget(&mut self, keys: &BTreeSet<String>) {
        self.tags.retain(|key, _| !keys.contains(key));
    }

    /// Those that may not show yet, and their group.
    #[must_use]
    pub fn may_not_show(&self, now: Moment) -> Option<(&GroupId, TagChanges)> {
        let recent = self.tags.iter().filter(|(_, (_, at))| now.since(*at) < TAGS_SETTLE);
        let tags = recent.map(|(key, (value, _))| (key.clone(), value.clone())).collect::<TagChanges>();
        self.id.as_ref().filter(|_| !tags.is_empty()).map(|id| (id, tags))
    }
}

/// Tags as they were set, and `None` for those that were removed.
pub type TagChanges = BTreeMap<String, Option<String>>;

/// A group that every read so far has shown without an owner.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unowned {
    /// Which group; another one of the same name has shown nothing yet.
    pub id: GroupId,
    /// Since when.
    pub since: Moment,
}

impl Memory {
    /// Takes note of a mutation that was answered or given up: whatever was listed or read before it is no longer news.
    pub const fn wrote(&mut self, now: Moment) {
        self.last_write = Some(now);
    }

    /// Takes note of how a mutation ended. One without an answer may have taken effect; one that was refused does not tell.
    pub const fn ended<T>(&mut self, result: &Result<T, ApiError>) {
        match result {
            Ok(_) => self.unanswered = false,
            Err(error) if error.class.leaves_doubt() => self.unanswered = true,
            Err(_) => {}
        }
    }

    /// Takes note of a read that showed the group as the spec asks for.
    pub const fn is_in_step(&mut self) {
        self.unanswered = false;
    }

    /// Takes note of a call that makes a group ours, answered or not.
    pub const fn claimed(&mut self, now: Moment) {
        self.wrote(now);
        self.last_claim = now;
    }

    /// Takes note of a read: the group, if it showed no owner; nothing, if it showed one, or no group at all.
    pub fn saw_unowned(&mut self, id: Option<&GroupId>, now: Moment) {
        let still = self.unowned.take().filter(|seen| Some(&seen.id) == id);
        self.unowned = still.or_else(|| id.map(|id| Unowned { id: id.clone(), since: now }));
    }

    /// Takes note of a read: whether it told whose the group is.
    pub fn saw_owner(&mut self, owner: &Owner, now: Moment) {
        self.owner_unstated_since =
            if *owner == Owner::Unstated { self.owner_unstated_since.or(Some(now)) } else { None };
    }

    /// Takes note of whether a read found the group.
    pub fn found(&mut self, found: bool, now: Moment) {
        self.absent_since = if found { None } else { self.absent_since.or(Some(now)) };
    }

    /// For how long every read has found no group.
    #[must_use]
    pub fn absent_for(&self, now: Moment) -> Option<Duration> {
        self.absent_since.map(|since| now.since(since))
    }

    /// Takes note of an answer about tenants. Whether it is believed: a list that is left out is taken for an empty one only once it has been left out
    /// for a settle window.
    pub fn believes(&mut self, tenants: &Tenants, now: Moment, settle_window: Duration) -> bool {
        if tenants.listing == Listing::Stated || tenants.any() {
            self.tenants_left_out_since = None;
            return true;
        }
        let since = *self.tenants_left_out_since.get_or_insert(now);
        now.since(since) >= settle_window
    }

    /// Takes note of whether a read that includes the tenants was answered.
    pub fn read_usage(&mut self, observed: Result<&Observed, &ApiError>, now: Moment) {
        match observed {
            Err(error) if error.operation == Operation::ListDistributionTenants => {
                self.usage_unknown_since.get_or_insert(now);
            }
            Ok(Observed::Found { usage: Usage::Unknown, .. } | Observed::Outdated) | Err(_) => {}
            Ok(_) => self.usage_unknown_since = None,
        }
        if let Ok(Observed::Found { usage: Usage::Tenants(tenants), .. }) = observed
            && tenants.any()
        {
            self.delete_refused = None;
        }
    }

    /// For how long no read of the tenants has been answered.
    #[must_use]
    pub fn usage_unknown_for(&self, now: Moment) -> Option<Duration> {
        self.usage_unknown_since.map(|since| now.since(since))
    }

    /// Takes note of a Delete that CloudFront refused because the group is in use.
    pub fn delete_was_refused(&mut self, now: Moment, settle_window: Duration) {
        self.delete_refused = Some(match self.delete_refused {
            None => DeleteRefused { first: now, last: now, rounds: 0 },
            Some(series) if series.is_proven(settle_window) => {
                DeleteRefused { last: now, rounds: series.rounds.saturating_add(1), ..series }
            }
            Some(series) => DeleteRefused { last: now, ..series },
        });
    }

    /// Whether the group counts as in use although no tenant is listed.
    #[must_use]
    pub fn is_in_use_unlisted(&self, now: Moment, settle_window: Duration) -> bool {
        let refused = self.delete_refused.filter(|_| !bug!(UnlistedUseIsIgnored));
        refused.is_some_and(|series| series.is_proven(settle_window) && now.since(series.last) < series.pause())
    }

    /// For how long every read has shown this very group without an owner.
    #[must_use]
    pub fn unowned_for(&self, id: &GroupId, now: Moment) -> Duration {
        self.unowned.as_ref().filter(|seen| seen.id == *id).map_or(Duration::ZERO, |seen| now.since(seen.since))
    }

    /// Whether a list shows everything that this process wrote.
    #[must_use]
    pub fn is_covered_by(&self, snapshot: &Snapshot) -> bool {
        self.last_write.is_none_or(|write| snapshot.began > write)
    }

    /// When the group is due to be read in full: at once, where nobody has planned it.
    #[must_use]
    pub fn deep_check_due(&self) -> Moment {
        self.deep_check_at.unwrap_or(Moment::START)
    }

    /// Whether that read has been due for a whole interval.
    #[must_use]
    pub fn deep_check_overdue(&self, policy: &Policy, now: Moment) -> bool {
        now.since(self.deep_check_due()) > policy.deep_check_interval
    }

    /// The moment from which on no claim of ours can still land, or be too new to be seen: reads are eventually consistent
    /// (docs/cloudfront-api.md, Idempotency).
    #[must_use]
    pub fn claims_settled_at(&self, settle_window: Duration) -> Moment {
        let is_ours = self.last_claim > Moment::START;
        let may_land = (is_ours || !bug!(EarlierProcessIsForgotten)) && !bug!(SettleWindowIsSkipped);
        if may_land { self.last_claim + settle_window } else { self.last_claim }
    }

    /// How long it is until then: never longer than the window.
    #[must_use]
    pub fn claims_unsettled_for(&self, settle_window: Duration, now: Moment) -> Duration {
        self.claims_settled_at(settle_window).since(now).min(settle_window)
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
    fn whatever_became_of_the_last_claim_it_may_land_for_one_settle_window() {
        let window = Duration::from_mins(1);
        let mut memory = Memory::default();
        assert_eq!(memory.claims_settled_at(window), at(60), "an earlier process may have sent one");
        memory.claimed(at(100));
        memory.wrote(at(200));
        assert_eq!(memory.claims_settled_at(window), at(160));
    }

    #[test]
    fn a_group_is_unowned_since_the_first_of_the_reads_that_all_showed_it_without_an_owner() {
        let mut memory = Memory::default();
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
            memory.saw_unowned(seen.as_ref(), at(second));
            let id = seen.unwrap_or_else(|| GroupId::new("cg_1"));
            assert_eq!(memory.unowned_for(&id, at(second)), Duration::from_secs(unowned_for), "at {second} s");
        }
    }

    #[test]
    fn a_version_that_was_replaced_is_outdated_for_a_settle_window_and_in_no_other_group() {
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

    #[test]
    fn a_list_that_began_before_the_last_write_proves_nothing() {
        let mut memory = Memory::default();
        memory.wrote(at(100));
        let began = |seconds| Snapshot { began: at(seconds), groups: std::collections::BTreeMap::new() };
        assert!(!memory.is_covered_by(&began(100)));
        assert!(memory.is_covered_by(&began(101)));
    }
}
