//! One reconcile, step by step: started, answered call by call, stored or not, or cut off when its process dies. In: a state. Out: the next one, or the
//! property that was violated. What the controller does around `reconcile` is done here as in `src/controller/worker.rs`.

use std::{sync::Arc, time::Duration};

use cloudfront_simulator::Millis;
use connection_group_operator::{
    api::{ConnectionGroup, ConnectionGroupStatus, finalizer},
    cloudfront::{ApiError, Described, ErrorClass, Operation, Tags},
    reconcile::due,
    reconcile::{
        Finalizer, Outcome,
        backoff::Backoff,
        freshness::{Basis, Evidence, Withheld},
        with_last_status,
    },
};
use port::{Answer, Fault, LeftOut};

use crate::{
    account::A_MINUTE,
    actions::{Cache, Dying, Struck},
    classes::may_hide_an_effect,
    outside::Outside,
    properties::{self, Violation},
    ready,
    replay::{Entry, Input, Stage, Views, run},
    reviewed,
    state::{NAME, Object, Pass, Scenario, State, Tracked, Version},
};

/// The finalizer is stored first, in the same reconcile, which then runs up to its first call.
pub fn start(scenario: &Scenario, state: &mut State, operator: usize, cache: Cache) -> Result<bool, Violation> {
    let index = state.operators[operator].object;
    let seen = match cache {
        Cache::UpToDate => state.objects[index].latest(),
        Cache::Behind(version) => state.objects[index].history.get(version).cloned(),
    };
    let Some(Version { object, incarnation, variant }) = seen else { return Ok(false) };
    state.operators[operator].seen = match cache {
        Cache::UpToDate => state.objects[index].history.len(),
        Cache::Behind(version) => version,
    };
    state.operators[operator].heard = Some(Arc::clone(&object));
    let mut object = ConnectionGroup::clone(&object);
    if object.metadata.finalizers.is_none() {
        let stored = store_finalizer(&mut state.objects[index], incarnation, scenario.cast.owner_id(index));
        if !stored {
            return Ok(false);
        }
        object.metadata.finalizers = Some(vec![finalizer(scenario.cast.owner_id(index))]);
    }
    if state.operators[operator].remembered.incarnation != incarnation {
        state.renew_memory(scenario, operator, incarnation);
    }
    let it = &state.operators[operator];
    let input = Input {
        object: with_last_status(object, it.remembered.status.as_deref()),
        memory: Arc::clone(&it.remembered.memory),
        snapshot: it.snapshot.clone(),
        inventory_error: it.inventory_error.clone(),
        process_start: it.process_start,
        started: state.now,
    };
    let first = run(&input, &[], Views::default(), &scenario.settings(index));
    let pass =
        Pass { input: Arc::new(input), incarnation, variant, log: Vec::new(), views: Views::default(), stage: first };
    proceed(scenario, state, operator, pass)?;
    Ok(true)
}

/// Adds the finalizer to an object that was seen without it, and returns whether the object carries it now.
fn store_finalizer(slot: &mut Object, incarnation: u32, owner_id: &str) -> bool {
    let there = slot.current.as_mut().filter(|_| slot.incarnation == incarnation);
    let Some(current) = there.filter(|current| current.metadata.deletion_timestamp.is_none()) else { return false };
    Arc::make_mut(current).metadata.finalizers = Some(vec![finalizer(owner_id)]);
    true
}

pub fn answer(scenario: &Scenario, state: &mut State, operator: usize, struck: Struck) -> Result<bool, Violation> {
    let pass = Arc::clone(state.operators[operator].pass.as_ref().unwrap());
    let Stage::Asking(call) = &pass.stage else { return Ok(false) };
    properties::of_call(scenario, state, operator, &pass, call)?;
    state.left.faults -= u8::from(struck != Struck::No);
    let answer = match struck {
        Struck::No => state.call(|port| port.answer_directly(call)),
        Struck::Refused(class) => call.failed(error(call.operation(), class)),
        Struck::AnswerLost(class) => {
            state.call(|port| port.answer_directly(call));
            call.failed(error(call.operation(), class))
        }
        Struck::LandsLater => {
            state.late.push((**call).clone());
            call.failed(error(call.operation(), ErrorClass::TimedOut))
        }
        Struck::Stale | Struck::StaleGroup | Struck::StaleTags => {
            let fresh = state.call(|port| port.answer_directly(call));
            let tag_lag = if struck == Struck::StaleGroup { Millis(0) } else { A_MINUTE };
            let outdated = state.lagging((Millis(0), tag_lag), |state| {
                state.call(|port| {
                    if struck != Struck::StaleTags {
                        port.fail(Operation::GetConnectionGroup, Fault::Stale);
                    }
                    port.answer_directly(call)
                })
            });
            if outdated == fresh {
                return Ok(false);
            }
            outdated
        }
        Struck::NotThere => match state.call(|port| port.answer_directly(call)) {
            Answer::Described(Ok(Some(_))) => Answer::Described(Ok(None)),
            _ => return Ok(false),
        },
        Struck::WithoutTags => match state.call(|port| port.answer_directly(call)) {
            Answer::Described(Ok(Some(described))) if !described.tags.is_empty() => {
                Answer::Described(Ok(Some(Described { tags: Tags::new(), ..described })))
            }
            _ => return Ok(false),
        },
        Struck::WithoutValues => match state.call(|port| port.answer_directly(call)) {
            Answer::Described(Ok(Some(described))) if !described.tags.is_empty() => {
                let tags = described.tags.keys().map(|key| (key.clone(), String::new())).collect();
                Answer::Described(Ok(Some(Described { tags, ..described })))
            }
            _ => return Ok(false),
        },
        Struck::Lacking => state.call(|port| {
            port.leave_out(LeftOut::ALL);
            port.answer_directly(call)
        }),
    };
    // After an ambiguous error the call may have taken effect.
    if answer.error().is_none_or(|error| may_hide_an_effect(error.class)) {
        state.sends(operator, &pass, call);
    }
    let mut log = pass.log.clone();
    log.push(Arc::new(Entry { call: (**call).clone(), answer, at: state.now }));
    let (views, settings) = (pass.views, scenario.settings(state.operators[operator].object));
    let reached = run(&pass.input, &log, views, &settings);
    let (input, incarnation, variant) = (Arc::clone(&pass.input), pass.incarnation, pass.variant);
    let pass = Pass { input, incarnation, variant, log, views, stage: reached };
    proceed(scenario, state, operator, pass)?;
    Ok(true)
}

/// A reconcile that ended without a new status is over; otherwise the status still has to be stored. One that is about to change something continues only if
/// the object is still what it began with.
fn proceed(scenario: &Scenario, state: &mut State, operator: usize, pass: Pass) -> Result<(), Violation> {
    let pass = confirmed(scenario, state, operator, pass);
    if let Some((outcome @ Outcome { withheld: Some(_), .. }, memory)) = pass.ended() {
        let due = due::after(outcome).map(|pause| state.now + pause);
        let it = &mut state.operators[operator];
        it.remembered.memory = Arc::clone(memory);
        it.due = due;
        it.pass = None;
        return Ok(());
    }
    if let Stage::Asking(call) = &pass.stage {
        reviewed::of_view(state, operator, &pass, call)?;
    }
    let news = match pass.ended() {
        None => true,
        Some((outcome, _)) => {
            properties::of_outcome(scenario, state, operator, &pass, outcome)?;
            let stored = pass_object(state, operator, &pass).and_then(|object| object.status.as_ref());
            outcome.finalizer == Finalizer::Release
                || stored.is_none_or(|stored| !says_the_same(stored, &outcome.status))
        }
    };
    let pass = Arc::new(pass);
    state.just_ended = pass.ended().map(|_| Arc::clone(&pass));
    state.operators[operator].pass = Some(pass);
    if !news {
        store(scenario, state, operator)?;
    }
    Ok(())
}

/// Answers whether the object is up to date, as often as the reconcile asks.
fn confirmed(scenario: &Scenario, state: &State, operator: usize, mut pass: Pass) -> Pass {
    let settings = scenario.settings(state.operators[operator].object);
    while let Stage::Confirming(evidence) = pass.stage {
        // An event may have been delayed on its way, however lately it has arrived.
        let enough = evidence == Evidence::RecentEvent;
        let current = state.object_of(operator).current.as_deref();
        if !enough && current.is_none_or(|current| Basis::of(current) != Basis::of(&pass.input.object)) {
            pass.views.then = Some(current.map_or(Withheld::Gone, |_| Withheld::Changed));
        } else {
            pass.views.confirmed += 1;
        }
        pass.stage = run(&pass.input, &pass.log, pass.views, &settings);
    }
    pass
}

/// The object that a reconcile was started for, if it still exists.
pub fn pass_object<'a>(state: &'a State, operator: usize, pass: &Pass) -> Option<&'a ConnectionGroup> {
    let object = state.object_of(operator);
    object.current.as_deref().filter(|_| object.incarnation == pass.incarnation)
}

/// Equal except for the messages.
pub fn says_the_same(one: &ConnectionGroupStatus, other: &ConnectionGroupStatus) -> bool {
    if one == other {
        return true;
    }
    let wordless = |status: &ConnectionGroupStatus| {
        let mut status = status.clone();
        status.last_modified_time = None;
        status.conditions.iter_mut().for_each(|condition| condition.message.clear());
        status
    };
    wordless(one) == wordless(other)
}

pub fn store(scenario: &Scenario, state: &mut State, operator: usize) -> Result<bool, Violation> {
    let pass = Arc::clone(state.operators[operator].pass.as_ref().unwrap());
    let Some((outcome, _)) = pass.ended() else { return Ok(false) };
    remember(state, operator);
    if outcome.finalizer == Finalizer::Release {
        state.operators[operator].remembered = Tracked::default();
    }
    let index = state.operators[operator].object;
    let Some(current) = pass_object(state, operator, &pass) else { return Ok(true) };
    let mut object = current.clone();
    if outcome.finalizer == Finalizer::Release {
        object.metadata.finalizers = None;
        let gone = object.metadata.deletion_timestamp.is_some();
        state.outdate(scenario, index);
        state.objects[index].current = (!gone).then(|| Arc::new(object));
        return Ok(true);
    }
    ready::of_write(scenario, state, index, &pass, &outcome.status)?;
    let former = object
        .status
        .replace(outcome.status.clone())
        .filter(|_| scenario.outside.contains(&Outside::PutsOldStatusBack));
    if let Some(former) = former.filter(|former| !says_the_same(former, &outcome.status)) {
        state.objects[index].former_status = Some(Arc::new(former));
    }
    state.objects[index].current = Some(Arc::new(object));
    Ok(true)
}

/// The API server did not accept the outcome, and the reconcile is retried.
pub fn store_fails(state: &mut State, operator: usize) {
    remember(state, operator);
    state.operators[operator].due = Some(state.now + Backoff::Quick.delay(0, NAME));
}

/// What the process knows once a reconcile has ended, stored or not.
fn remember(state: &mut State, operator: usize) {
    let now = state.now;
    let it = &mut state.operators[operator];
    let Some(pass) = it.pass.take() else { return };
    let Some((outcome, memory)) = pass.ended() else { return };
    it.remembered = Tracked {
        incarnation: pass.incarnation,
        memory: Arc::clone(memory),
        status: Some(Arc::new(outcome.status.clone())),
    };
    it.due = due::after(outcome).map(|pause| now + pause);
}

/// The process that takes over was a standby with a cache of any age; it lists all objects again first.
pub fn crash(scenario: &Scenario, state: &mut State, operator: usize, dying: Dying) -> bool {
    state.left.faults -= 1;
    let pass = state.operators[operator].pass.take();
    let call = pass.as_deref().and_then(|pass| match &pass.stage {
        Stage::Asking(call) => Some((**call).clone()),
        Stage::Confirming(_) | Stage::Ended(..) => None,
    });
    if let (Some(pass), Some(call), false) = (&pass, &call, dying == Dying::BeforeTheCall) {
        state.sends(operator, pass, call);
    }
    match (dying, call) {
        (Dying::AfterTheCall, Some(call)) => drop(state.call(|port| port.answer_directly(&call))),
        (Dying::CallLandsLater, Some(call)) => state.late.push(call),
        (Dying::BeforeTheCall, _) | (_, None) => {}
    }
    state.now += Duration::from_millis(1);
    let listed = state.object_of(operator).history.len();
    let it = &mut state.operators[operator];
    it.process_start = state.now;
    it.snapshot = None;
    it.inventory_error = None;
    it.seen = listed;
    it.heard = None;
    it.due = None;
    state.renew_memory(scenario, operator, state.object_of(operator).incarnation);
    true
}

pub fn error(operation: Operation, class: ErrorClass) -> ApiError {
    ApiError::new(operation, class, None, "struck", None)
}
