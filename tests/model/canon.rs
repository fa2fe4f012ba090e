//! When two states are one: they differ only in names that nobody chose (ids, `ETag`s, uids, generations), in text for people, and in times that
//! no rule tells apart. Pure: state -> hash. Ids and `ETag`s are counted in order of appearance.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use cloudfront_simulator::{Timestamp, account::Version};
use connection_group_operator::{
    api::{ConnectionGroup, ConnectionGroupStatus},
    clock::Moment,
    cloudfront::{ApiError, Group, Snapshot},
    reconcile::{Memory, ownership::OwnerTag},
};

use crate::{
    replay::{Answer, Call, EPOCH_MS, Entry},
    state::{Object, Operator, Pass, Scenario, State, TICK},
};

/// The hash of a state with what may still happen to it.
pub fn key(scenario: &Scenario, state: &State) -> u64 {
    let mut canon = Canon::new(scenario, state);
    canon.past_counts = state.left.faults > 0;
    state.left.hash(&mut canon.hasher);
    canon.state()
}

/// The hash of a state to which nothing more may happen.
pub fn key_without_budget(scenario: &Scenario, state: &State) -> u64 {
    Canon::new(scenario, state).state()
}

/// Bytes that are hashed together in the end: in so many small pieces, the hash would take longer than all the rest.
struct AtOnce(Vec<u8>);

impl Hasher for AtOnce {
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
    scenario: &'a Scenario,
    state: &'a State,
    hasher: AtOnce,
    /// Whether a read may yet be answered from the past.
    past_counts: bool,
    ids: Vec<&'a str>,
    etags: Vec<(usize, String)>,
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
    fn new(scenario: &'a Scenario, state: &'a State) -> Self {
        let (hasher, ids, etags) = (AtOnce(Vec::with_capacity(2048)), Vec::new(), Vec::new());
        Self { scenario, state, hasher, past_counts: false, ids, etags, generations: Vec::new(), uids: Vec::new() }
    }

    fn state(mut self) -> u64 {
        let state = self.state;
        self.account();
        for (index, object) in state.objects.iter().enumerate() {
            self.uids.clear();
            self.generations.clear();
            self.object(object);
            for operator in state.operators.iter().filter(|operator| operator.object == index) {
                self.operator(operator);
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

    fn etag(&mut self, id: usize, etag: &str) {
        let known = self.etags.iter().position(|(of, other)| *of == id && *other == etag);
        let token = known.unwrap_or_else(|| {
            self.etags.push((id, etag.to_owned()));
            self.etags.len() - 1
        });
        self.put(token);
    }

    /// Whether a whole step has gone by since.
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
            // Only a group whose owner tag is not to be seen is asked for its age.
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
        self.etag(id, &version.etag());
        self.put((version.name == &*self.state.name, version.is_default, version.enabled, version.ipv6_enabled));
        self.put((version.anycast_ip_list_id, version.status));
    }

    fn object(&mut self, object: &'a Object) {
        let uid = token(&mut self.uids, object.incarnation);
        self.put((uid, object.variant()));
        self.optional(object.current.as_deref(), |canon, current| canon.stored(current, object.incarnation));
    }

    fn stored(&mut self, object: &'a ConnectionGroup, incarnation: u32) {
        self.put((object.metadata.deletion_timestamp.is_some(), object.metadata.finalizers.is_some()));
        self.generation(incarnation, object.metadata.generation.unwrap_or_default());
        self.optional(object.status.as_ref(), |canon, status| canon.status(status, incarnation));
    }

    fn generation(&mut self, incarnation: u32, generation: i64) {
        let token = token(&mut self.generations, (incarnation, generation));
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
        self.optional(status.id.as_deref(), |canon, id| {
            let id = canon.id(id);
            if let Some(etag) = &status.e_tag {
                canon.etag(id, etag);
            }
        });
        self.put((&status.status, status.enabled, status.ipv6_enabled, &status.anycast_ip_list_id, &status.tags));
        self.put((status.drift.len(), status.blocked_by.as_ref().map(|by| by.count), status.conditions.len()));
        for condition in &status.conditions {
            self.put((&condition.type_, &condition.status, &condition.reason));
        }
    }

    fn operator(&mut self, operator: &'a Operator) {
        let remembered = &operator.remembered;
        let uid = token(&mut self.uids, remembered.incarnation);
        self.put((uid, remembered.gave_up));
        self.optional(remembered.status.as_deref(), |canon, status| canon.status(status, remembered.incarnation));
        self.memory(&remembered.memory, operator.snapshot.as_deref(), operator, self.state.now);
        self.optional(operator.snapshot.as_deref(), |canon, list| canon.snapshot(list, operator.process_start));
        self.error(operator.list_trouble.as_ref());
        self.optional(operator.pass.as_deref(), |canon, pass| canon.pass(pass, operator));
    }

    /// What the rules can tell of the times that an operator remembers.
    fn memory(&mut self, memory: &Memory, list: Option<&Snapshot>, operator: &Operator, now: Duration) {
        let start = operator.process_start;
        let at = |moment: Moment| start + moment.since(Moment::START);
        self.put(memory.last_write.map(|write| steps(now) > steps(at(write))));
        self.put(steps(now) > steps(at(memory.last_claim)));
        self.put(list.map(|list| steps(now) > steps(at(list.began))));
        self.put(list.map(|list| memory.is_covered_by(list)));
        self.put(list.map(|list| steps(at(list.began)) > steps(at(memory.last_claim))));
        let policy = self.scenario.policy(operator.object);
        let now = Moment::after_start(now.saturating_sub(start));
        let due = memory.deep_check_due("", &policy);
        self.put((now >= due, memory.deep_check_overdue("", &policy, now)));
    }

    fn snapshot(&mut self, list: &'a Snapshot, start: Duration) {
        self.is_past(start + list.began.since(Moment::START));
        for (name, row) in &list.groups {
            self.put(name);
            let id = self.id(row.id.as_str());
            self.etag(id, row.etag.as_str());
            self.put((row.enabled, &row.anycast_ip_list_id, &row.deployment));
        }
        self.put(list.groups.len());
    }

    fn pass(&mut self, pass: &'a Pass, operator: &'a Operator) {
        let input = &pass.input;
        let uid = token(&mut self.uids, pass.incarnation);
        self.put(uid);
        let latest = operator.snapshot.as_deref();
        if let Some((outcome, memory)) = pass.ended() {
            self.status(&outcome.status, pass.incarnation);
            self.put((outcome.finalizer, outcome.requeue == crate::state::NEVER, pass.variant));
            self.generation(pass.incarnation, input.object.metadata.generation.unwrap_or_default());
            self.memory(memory, latest, operator, self.state.now);
            return;
        }
        self.put(pass.variant);
        self.stored(&input.object, pass.incarnation);
        self.memory(&input.memory, input.snapshot.as_deref(), operator, input.started);
        self.memory(&input.memory, latest, operator, self.state.now);
        self.optional(input.snapshot.as_deref(), |canon, list| canon.snapshot(list, operator.process_start));
        self.error(input.list_trouble.as_ref());
        self.put((pass.log.len(), steps(self.state.now) - steps(input.started) > 0));
        let mut before = input.started;
        for entry in &pass.log {
            self.put(steps(entry.at) > steps(before));
            before = entry.at;
            self.entry(entry, latest, operator.process_start);
        }
    }

    fn entry(&mut self, entry: &'a Entry, latest: Option<&Snapshot>, start: Duration) {
        self.is_past(entry.at);
        self.put(latest.map(|list| start + list.began.since(Moment::START) > entry.at));
        self.error(entry.answer.error());
        match &entry.answer {
            Answer::Described(Ok(Some(described))) => {
                self.group(&described.group);
                self.put(&described.tags);
                let created = described.group.created.map_or(0, jiff::Timestamp::as_millisecond);
                self.put(steps(entry.at) > steps(since_epoch(Timestamp(created))));
            }
            Answer::Group(Ok(group)) => self.group(group),
            Answer::Tenants(Ok(tenants)) => self.put(tenants),
            Answer::AnycastIpList(Ok(family)) => self.put(family),
            Answer::Tags(Ok(tags)) => self.put(tags),
            Answer::Listed(_) => unreachable!("a pass never lists"),
            Answer::Described(Ok(None) | Err(_))
            | Answer::Group(Err(_))
            | Answer::Done(_)
            | Answer::Tenants(Err(_))
            | Answer::AnycastIpList(Err(_))
            | Answer::Tags(Err(_)) => self.put(0),
        }
    }

    fn group(&mut self, group: &'a Group) {
        let id = self.id(group.id.as_str());
        self.etag(id, group.etag.as_str());
        self.put((&group.config, &group.deployment, group.is_default));
    }

    fn error(&mut self, error: Option<&ApiError>) {
        self.put(error.map(|error| (error.operation, error.class)));
    }

    fn late(&mut self, call: &'a Call) {
        self.put(call.operation());
        match call {
            Call::Create(new) => self.put(new),
            Call::Update(group, config) => {
                self.group(group);
                self.put(config);
            }
            Call::Delete(group) => self.group(group),
            Call::Tag(arn, tags) => {
                self.id(arn.as_str().rsplit('/').next().unwrap_or_default());
                self.put(tags);
            }
            Call::Untag(arn, keys) => {
                self.id(arn.as_str().rsplit('/').next().unwrap_or_default());
                self.put(keys);
            }
            Call::Describe(_) | Call::Tags(_) | Call::Tenants(_) | Call::AnycastIpList(_) | Call::List => {}
        }
    }
}

fn steps(at: Duration) -> u64 {
    at.as_secs() / TICK.as_secs()
}

fn since_epoch(at: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(at.0 - EPOCH_MS).unwrap_or_default())
}
