//! Where every state must lead once nothing more goes wrong: fair rounds of inventory, reconcile, roll-out and time lead to the goal and to rest.
//! In: a state. Out: nothing, or the [`Violation`]. States that are known to converge are remembered.

use std::collections::{BTreeMap, HashMap};

use connection_group_operator::{
    api::{Mode, condition},
    cloudfront::Tags,
    reconcile::ownership::{OwnerTag, is_reserved},
};

use crate::{
    canon::key_without_budget,
    goal::{distance_of, expected},
    outside::Outside,
    properties::{Property, Violation},
    rounds::{Waits, round, waits},
    state::{DEEP_TICK, Scenario, State},
};

/// Maximum rounds until everything has settled.
const ROUNDS: usize = 24;

/// What is known about states so far.
pub struct Convergence<'a> {
    scenario: &'a Scenario,
    /// For a state before or after the full resync: the number of changes until rest.
    known: HashMap<(u64, Vec<Waits>, Stretch), usize>,
    ends: HashMap<(u8, String, History), String>,
}

/// Progress towards rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Stretch {
    deep: bool,
    quiet_before: bool,
}

/// Which ends are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum History {
    /// Those of all histories, but only in what the spec names.
    Any,
    /// Those of histories in which every process recorded what it sent and no one else set the same: in everything.
    NothingLost,
}

impl<'a> Convergence<'a> {
    pub fn new(scenario: &'a Scenario) -> Self {
        Self { scenario, known: HashMap::new(), ends: HashMap::new() }
    }

    pub fn states(&self) -> usize {
        self.known.len()
    }

    /// L1, L2 and O1, from a state in which nothing is in flight.
    pub fn check(&mut self, start: &State) -> Result<(), Violation> {
        let mut state = start.clone();
        let mut stretch = Stretch { deep: false, quiet_before: false };
        let mut path = Vec::new();
        let mut changes = 0;
        loop {
            let here = (key_without_budget(self.scenario, &state), waits(&state), stretch);
            if let Some(further) = self.known.get(&here) {
                changes += further;
                break;
            }
            if path.len() >= ROUNDS {
                return Err(
                    Property::L1.broken(format!("not at rest after {ROUNDS} fair rounds: {}", described(&state)))
                );
            }
            let round = round(self.scenario, &state)?;
            path.push((here, round.changes));
            state = round.after;
            // The roll-out comes after the reconcile, so one quiet round may still be followed by a change.
            let at_rest = round.quiet && stretch.quiet_before;
            stretch.quiet_before = round.quiet;
            if at_rest {
                self.goal(&state, stretch.deep)?;
                if stretch.deep {
                    break;
                }
                // Tags are not in the list: only a full resync sees out-of-band changes of them.
                stretch = Stretch { deep: true, quiet_before: false };
                state.pass_time(DEEP_TICK);
            }
        }
        for (here, made) in path.into_iter().rev() {
            changes += made;
            self.known.insert(here, changes);
        }
        match distance_of(self.scenario, start) {
            Some(distance) if changes > distance => Err(Property::O1
                .broken(format!("{changes} changes were made where {distance} were called for: {}", described(start)))),
            _ => Ok(()),
        }
    }

    fn goal(&mut self, state: &State, deep: bool) -> Result<(), Violation> {
        if self.scenario.blind {
            return Ok(());
        }
        for operator in 0..state.operators.len() {
            let index = state.operators[operator].object;
            let Some(object) = state.current(index) else { continue };
            let deleting = object.metadata.deletion_timestamp.is_some();
            let property = if deleting { Property::L2 } else { Property::L1 };
            let missed = |what: &str| property.broken(format!("{what}: {}", described(state)));
            expected(self.scenario, state, operator, object, deep).map_err(|what| missed(&what))?;
        }
        if deep { self.same_end(state) } else { Ok(()) }
    }

    /// O2: two histories that end with the same spec and the same neighbours end in the same world.
    fn same_end(&mut self, state: &State) -> Result<(), Violation> {
        if state.objects.len() > 1 {
            return Ok(());
        }
        let Some(object) = state.current(0) else { return Ok(()) };
        let deleting = object.metadata.deletion_timestamp.is_some();
        let group = state.group();
        let ours = state.owner_tag(0);
        let owner = group.as_ref().and_then(|group| OwnerTag::in_tags(group.tags.as_ref()?));
        if deleting
            || owner.is_none_or(|owner| owner != ours)
            || object.spec.mode == Mode::Observe
            || object.spec.suspend
        {
            return Ok(());
        }
        let group = group.unwrap();
        let ready = condition(&object.status.as_ref().unwrap().conditions, "Ready").unwrap();
        // A spec that CloudFront refuses leaves the group as it was.
        if ready.status != "True" {
            return Ok(());
        }
        let (status, spec) = (object.status.as_ref().unwrap(), &object.spec);
        let others_tag = state.others_may_have(self.scenario, Outside::PutsTheTag);
        if !others_tag && !state.may_have_lost(self.scenario) {
            records_what_it_sent(state, &status.tags, &spec.tags)?;
        }
        let all_tags = group.tags.unwrap_or_default();
        let (settings, reason) = (format!("{} {}", group.enabled, group.ipv6_enabled), &ready.reason);
        // What a process set but died before recording, or what took effect after it was removed, cannot be distinguished from what others set.
        let is_named = |key: &String| is_reserved(key) || spec.tags.contains_key(key);
        let tags = all_tags.iter().filter(|(key, _)| is_named(key)).collect::<BTreeMap<_, _>>();
        let list = group.anycast_ip_list_id.as_ref().filter(|_| spec.anycast_ip_list_id.is_some());
        self.same_as_before(state, History::Any, reason, &format!("{settings} {list:?} {tags:?}"))?;
        if state.lists_may_be_anothers(self.scenario, 0) || others_tag {
            return Ok(());
        }
        self.same_as_before(
            state,
            History::NothingLost,
            reason,
            &format!("{settings} {:?} {all_tags:?}", group.anycast_ip_list_id),
        )
    }

    fn same_as_before(&mut self, state: &State, history: History, reason: &str, end: &str) -> Result<(), Violation> {
        let case = (state.objects[0].variant(), reason.to_owned(), history);
        let first = self.ends.entry(case).or_insert_with(|| end.to_owned());
        if *first == end {
            return Ok(());
        }
        Err(Property::O2.broken(format!("once the end was {first}, now it is {end}")))
    }
}

/// Of the tags that the spec asks for, status names exactly those that this object sent.
fn records_what_it_sent(state: &State, recorded: &Tags, asked: &Tags) -> Result<(), Violation> {
    let sent = &state.objects[0].sent.tags;
    let expected = asked.iter().filter(|(key, value)| sent.contains(&((*key).clone(), (*value).clone())));
    let expected = expected.map(|(key, value)| (key.clone(), value.clone())).collect::<Tags>();
    if *recorded == expected {
        return Ok(());
    }
    Err(Property::O2
        .broken(format!("{recorded:?} are on record as sent, {expected:?} were sent: {}", described(state))))
}

/// The conditions of the objects, as text.
pub fn described(state: &State) -> String {
    let objects = state.objects.iter().map(|object| {
        let Some(object) = &object.current else { return "no object".to_owned() };
        let ready = object.status.as_ref().and_then(|status| condition(&status.conditions, "Ready"));
        ready.map_or("no status".to_owned(), |ready| format!("{} ({})", ready.reason, ready.message))
    });
    objects.collect::<Vec<_>>().join("; ")
}
