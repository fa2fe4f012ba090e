//! Decides when two states count as one: they differ only in generated names (ids, `ETag`s, uids, generations), in text for people, and in times that no rule
//! distinguishes. Pure: state -> hash. Ids and `ETag`s are numbered in order of appearance.

mod operator;

use std::{
    borrow::Cow,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use cloudfront_simulator::{Timestamp, account::Version};
use connection_group_operator::{
    api::{ConnectionGroup, ConnectionGroupStatus, RECONCILE_REQUESTED_AT},
    reconcile::{Settings, ownership::OwnerTag},
};

use kube::ResourceExt;

use crate::{
    outside::Outside,
    replay::EPOCH_MS,
    state::{Object, Operator, Scenario, State, TICK},
};

/// The hash of a state together with what may still happen to it.
pub fn key(scenario: &Scenario, state: &State) -> u64 {
    let mut canon = Canon::new(scenario, state);
    canon.past_counts = state.left.faults > 0;
    canon.old_status_counts = state.left.outside > 0 && scenario.outside.contains(&Outside::PutsOldStatusBack);
    canon.lag_counts = scenario.lag;
    state.left.hash(&mut canon.hasher);
    canon.state()
}

/// The hash of a state to which nothing more may happen.
pub fn key_without_budget(scenario: &Scenario, state: &State) -> u64 {
    Canon::new(scenario, state).state()
}

/// Bytes that are hashed together at the end: hashing them in many small pieces would take longer than everything else.
struct AtOnce(Vec<u8>);

/// More bytes than all but a few states need.
const MOST: usize = 4096;

impl Hasher for AtOnce {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.0);
        hasher.finish()
    }
}

struct Canon<'a> {
    state: &'a State,
    /// That of the first object; its times are those of all objects.
    settings: Settings,
    hasher: AtOnce,
    /// Whether a read may still be answered from the past.
    past_counts: bool,
    /// Whether an old status may still be restored.
    old_status_counts: bool,
    /// Whether a reconcile may still see an old version of an object.
    lag_counts: bool,
    requests: Vec<&'a str>,
    ids: Vec<&'a str>,
    etags: Vec<(usize, Cow<'a, str>)>,
    generations: Vec<(u32, i64)>,
    uids: Vec<u32>,
}

fn token<T: PartialEq>(known: &mut Vec<T>, one: T) -> usize {
    known.iter().position(|other| *other == one).unwrap_or_else(|| {
        known.push(one);
        known.len() - 1
    })
}

impl<'a> Canon<'a> {
    fn new(scenario: &Scenario, state: &'a State) -> Self {
        let (hasher, ids, etags) = (AtOnce(Vec::with_capacity(MOST)), Vec::new(), Vec::new());
        let (generations, uids, requests) = (Vec::new(), Vec::new(), Vec::new());
        let (past_counts, old_status_counts, lag_counts) = (false, false, false);
        Self {
            state,
            settings: scenario.settings(0),
            hasher,
            past_counts,
            old_status_counts,
            lag_counts,
            requests,
            ids,
            etags,
            generations,
            uids,
        }
    }

    fn state(mut self) -> u64 {
        let state = self.state;
        self.account();
        for (index, object) in state.objects.iter().enumerate() {
            self.uids.clear();
            self.generations.clear();
            self.requests.clear();
            self.object(object);
            for operator in state.operators.iter().filter(|operator| operator.object == index) {
                self.operator(operator);
                if self.lag_counts {
                    self.cached(object, operator);
                }
            }
        }
        state.late.len().hash(&mut self.hasher);
        for call in &state.late {
            self.late(call);
        }
        self.hasher.finish()
    }

    fn put(&mut self, what: impl Hash) {
        what.hash(&mut self.hasher);
    }

    fn id(&mut self, id: &'a str) -> usize {
        let token = token(&mut self.ids, id);
        self.put(token);
        token
    }

    fn etag(&mut self, id: usize, etag: impl Into<Cow<'a, str>>) {
        let token = token(&mut self.etags, (id, etag.into()));
        self.put(token);
    }

    /// Whether a whole time step has elapsed since.
    fn is_past(&mut self, at: Duration) {
        let past = steps(self.state.now) > steps(at);
        self.put(past);
    }

    fn is_past_at(&mut self, at: Timestamp) {
        self.is_past(since_epoch(at));
    }

    fn account(&mut self) {
        let now = self.state.timestamp();
        for history in self.state.account.histories(now) {
            self.version(history.current.as_ref());
            self.put(history.tags);
            if self.past_counts {
                self.version(history.previous.as_ref());
                self.is_past_at(history.changed_at);
                self.is_past_at(history.tags_changed_at);
                self.put(history.previous_tags);
            }
            // The age matters only for a group that shows no owner tag.
            if let Some(current) =
                history.current.filter(|_| self.past_counts || !history.tags.contains_key(OwnerTag::KEY))
            {
                self.is_past_at(current.created_at);
            }
        }
        for tenant in self.state.account.tenants() {
            let known = self.ids.iter().position(|id| *id == tenant.connection_group_id);
            self.put((known, tenant.name));
        }
        self.put(self.state.account.anycast_ip_lists(now).len());
    }

    fn version(&mut self, version: Option<&Version<'a>>) {
        self.put(version.is_some());
        let Some(version) = version else { return };
        let id = self.id(version.id);
        self.etag(id, version.etag());
        self.put((version.name == &*self.state.name, version.is_default, version.enabled, version.ipv6_enabled));
        self.put((version.anycast_ip_list_id, version.status));
    }

    fn object(&mut self, object: &'a Object) {
        let uid = token(&mut self.uids, object.incarnation);
        self.put((uid, object.variant()));
        self.optional(object.current.as_deref(), |canon, current| canon.stored(current, object.incarnation));
        self.put(&object.sent);
        if self.old_status_counts {
            self.optional(object.former_status.as_deref(), |canon, status| canon.status(status, object.incarnation));
        }
    }

    /// What a stale cache shows.
    fn cached(&mut self, object: &'a Object, operator: &Operator) {
        let behind = &object.history[operator.seen..];
        self.put(behind.len());
        for seen in behind {
            let uid = token(&mut self.uids, seen.incarnation);
            self.put((uid, seen.variant));
            self.stored(&seen.object, seen.incarnation);
        }
    }

    fn stored(&mut self, object: &'a ConnectionGroup, incarnation: u32) {
        self.put((object.metadata.deletion_timestamp.is_some(), object.metadata.finalizers.is_some()));
        self.generation(incarnation, object.metadata.generation.unwrap_or_default());
        self.request(object.annotations().get(RECONCILE_REQUESTED_AT));
        self.optional(object.status.as_ref(), |canon, status| canon.status(status, incarnation));
    }

    fn generation(&mut self, incarnation: u32, generation: i64) {
        let token = token(&mut self.generations, (incarnation, generation));
        self.put(token);
    }

    fn request(&mut self, value: Option<&'a String>) {
        let token = value.map(|value| token(&mut self.requests, value.as_str()));
        self.put(token);
    }

    fn optional<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        self.put(value.is_some());
        if let Some(value) = value {
            put(self, value);
        }
    }

    fn status(&mut self, status: &'a ConnectionGroupStatus, incarnation: u32) {
        self.generation(incarnation, status.observed_generation);
        self.request(status.last_handled_reconcile_at.as_ref());
        self.put((&status.owner, &status.installation));
        self.optional(status.synced_generation, |canon, synced| canon.generation(incarnation, synced));
        self.optional(status.id.as_deref(), |canon, id| {
            let id = canon.id(id);
            if let Some(etag) = &status.e_tag {
                canon.etag(id, etag.as_str());
            }
        });
        self.put((&status.status, status.enabled, status.ipv6_enabled, &status.anycast_ip_list_id, &status.tags));
        self.put((&status.attached_anycast_ip_list_id, status.refused.len()));
        for refused in &status.refused {
            self.put((refused.member, &refused.desired, refused.cause));
        }
        self.put((status.drift.len(), status.blocked_by.as_ref().map(|by| by.count), status.conditions.len()));
        for condition in &status.conditions {
            self.put((&condition.type_, &condition.status, &condition.reason));
        }
    }
}

fn steps(at: Duration) -> u64 {
    at.as_secs() / TICK.as_secs()
}

pub fn since_epoch(at: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(at.0 - EPOCH_MS).unwrap_or_default())
}
