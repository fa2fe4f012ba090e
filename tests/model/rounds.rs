//! Fair rounds, in which nothing goes wrong: inventories, reconciles, roll-out, and time until something is due. An object is reconciled only when the operator
//! would do so: when it is due, when users ask, or when a list triggers it. In: a state. Out: the one after the round, or L4 violated.

use std::time::Duration;

use connection_group_operator::{
    account::inventory::is_out_of_date,
    api::{ConnectionGroup, ConnectionGroupStatus, RECONCILE_REQUESTED_AT, is_true},
    cloudfront::{Deployment, Snapshot},
    reconcile::due::{LEAST_PAUSE, ReconcileTriggers},
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use crate::{
    actions::{Action, Cache, Struck, happen},
    convergence::described,
    properties::{Property, Violation, hold},
    replay::{Entry, Stage},
    state::{Scenario, State, TICK},
};

/// Maximum number of reconciles that follow each other at once.
const PASSES: usize = 6;

/// One fair round and its result.
pub struct Round {
    pub after: State,
    pub changes: usize,
    pub quiet: bool,
}

/// What an operator's object waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Waits {
    is_called_for: bool,
    is_due_some_day: bool,
}

/// Runs what is due now, then what is due once the pauses of all objects are over, then the roll-out.
pub fn round(scenario: &Scenario, before: &State) -> Result<Round, Violation> {
    let mut round = Round { after: before.clone(), changes: 0, quiet: true };
    all_that_is_due(scenario, &mut round)?;
    let now = round.after.now;
    let dues = round.after.operators.iter().filter_map(|operator| operator.due);
    let pause = dues.max().map_or(Duration::ZERO, |due| due.saturating_sub(now));
    // Up to the next time step.
    round.after.pass_time(pause + TICK);
    all_that_is_due(scenario, &mut round)?;
    round.quiet &= round.changes == 0;
    round.after.account.propagate(round.after.timestamp());
    Ok(round)
}

/// A list for each operator, and the reconciles that the list, users, or the previous reconcile call for.
fn all_that_is_due(scenario: &Scenario, round: &mut Round) -> Result<(), Violation> {
    for operator in 0..round.after.operators.len() {
        let previous = round.after.operators[operator].snapshot.clone();
        round.after.take_inventory(operator);
        let state = &round.after;
        let Some(object) = state.object_of(operator).current.clone() else { continue };
        let it = &state.operators[operator];
        let list = it.snapshot.as_deref().expect("it has just arrived");
        let is_woken = is_out_of_date(&object, it.remembered.memory.awaits, previous.as_deref(), list);
        let is_due = is_woken || is_called_for(state, operator) || it.due.is_some_and(|due| due <= state.now);
        let ignored = ignored(&object, it.heard.as_deref(), list).filter(|_| !is_due);
        hold(Property::L4, ignored.is_none(), || format!("{}: {}", ignored.unwrap_or_default(), described(state)))?;
        if is_due {
            passes(scenario, round, operator, &object)?;
        }
    }
    Ok(())
}

/// A reconcile, and those that follow it at once.
fn passes(scenario: &Scenario, round: &mut Round, operator: usize, object: &ConnectionGroup) -> Result<(), Violation> {
    for _ in 0..PASSES {
        happen(scenario, &mut round.after, Action::Start(operator, Cache::UpToDate))?;
        while let Some(pass) = round.after.operators[operator].pass.clone() {
            let action = match &pass.stage {
                Stage::Asking(_) => Action::Answer(operator, Struck::No),
                Stage::Confirming(_) => unreachable!("it is confirmed at once"),
                Stage::Ended(..) => Action::Store(operator),
            };
            happen(scenario, &mut round.after, action)?;
            let answered = matches!(action, Action::Answer(..)).then(|| round.after.last_entry(operator)).flatten();
            round.changes += usize::from(answered.is_some_and(Entry::changed_something));
        }
        let state = &mut round.after;
        let at_once = state.operators[operator].due.filter(|due| *due <= state.now + LEAST_PAUSE);
        let Some(due) = at_once.filter(|_| state.object_of(operator).current.is_some()) else { break };
        state.now = due;
    }
    let now = round.after.object_of(operator).current.as_ref();
    round.quiet &= now.is_some_and(|now| at_rest(scenario, object, now));
    Ok(())
}

/// Whether a reconcile left the object exactly as it was. Two processes that both act without a Lease each use their own last status: each keeps the time at
/// which it first reported it.
fn at_rest(scenario: &Scenario, before: &ConnectionGroup, after: &ConnectionGroup) -> bool {
    let (Some(before), Some(after)) = (&before.status, &after.status) else { return false };
    before == after || (!scenario.lease && without_times(before) == without_times(after))
}

fn without_times(status: &ConnectionGroupStatus) -> ConnectionGroupStatus {
    let mut status = status.clone();
    status.conditions.iter_mut().for_each(|condition| condition.last_transition_time = Time(Timestamp::UNIX_EPOCH));
    status
}

/// What the object of each operator waits for.
pub fn waits(state: &State) -> Vec<Waits> {
    let of = |operator: usize| Waits {
        is_called_for: is_called_for(state, operator),
        is_due_some_day: state.operators[operator].due.is_some(),
    };
    (0..state.operators.len()).map(of).collect()
}

/// Whether the object has changed since the last reconcile began in such a way that its watch calls for another one.
fn is_called_for(state: &State, operator: usize) -> bool {
    let Some(object) = &state.object_of(operator).current else { return false };
    let heard = state.operators[operator].heard.as_ref();
    let heard =
        heard.filter(|heard| heard.metadata.uid == object.metadata.uid).map(|heard| ReconcileTriggers::of(heard));
    ReconcileTriggers::of(object).calls_for_a_reconcile(heard.as_ref())
}

/// What would go unnoticed without a reconcile now: L4, stated without the operator's own rules.
fn ignored(object: &ConnectionGroup, heard: Option<&ConnectionGroup>, list: &Snapshot) -> Option<&'static str> {
    let asks = |object: &ConnectionGroup| {
        let metadata = &object.metadata;
        let request = object.annotations().get(RECONCILE_REQUESTED_AT).cloned();
        (metadata.uid.clone(), metadata.generation, metadata.deletion_timestamp.is_some(), request)
    };
    if heard.is_none_or(|heard| asks(heard) != asks(object)) {
        return Some("a user request is not observed");
    }
    let status = object.status.as_ref().filter(|_| !object.spec.suspend)?;
    let row = list.groups.values().find(|row| Some(row.id.as_str()) == status.id.as_deref());
    let as_it_says = row.is_some_and(|row| {
        status.e_tag.as_deref() == Some(row.etag.as_str())
            && row.enabled.is_none_or(|enabled| status.enabled == Some(enabled))
            && row.deployment.as_ref().is_none_or(|deployment| *deployment == Deployment::Deployed)
    });
    (is_true(&status.conditions, "Ready") && !as_it_says).then_some("it is Ready, and the list shows otherwise")
}
