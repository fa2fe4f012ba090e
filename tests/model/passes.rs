//! One pass, step by step: taken up, answered call by call, stored or not, or cut off by the death of its process. In: a state. Out: the next one, or
//! the promise that was broken. What the runtime does around `reconcile` is done here as `runtime/pass.rs` does it.

use std::{sync::Arc, time::Duration};

use cloudfront_simulator::Millis;
use connection_group_operator::{
    api::{ConnectionGroup, ConnectionGroupStatus, finalizer},
    cloudfront::{ApiError, ErrorClass, Operation},
    reconcile::Finalizer,
};

use crate::{
    account::{A_MINUTE, perform},
    actions::{Cache, Dying, Struck},
    mutants::Mutant,
    outside::Outside,
    port::Fault,
    properties::{self, Violation},
    replay::{Entry, Input, Stage, run},
    state::{OWNER_IDS, Object, Pass, Remembered, Scenario, State, Version},
};

/// The finalizer is stored first, in the same pass; then the pass runs up to its first call.
pub fn start(
    scenario: &Scenario,
    state: &mut State,
    operator: usize,
    cache: Cache,
    mutant: Option<Mutant>,
) -> Result<bool, Violation> {
    let index = state.operators[operator].object;
    let seen = match cache {
        Cache::UpToDate => state.objects[index].latest(),
        Cache::Behind => state.objects[index].earlier.clone(),
    };
    let Some(Version { object, incarnation, variant }) = seen else { return Ok(false) };
    state.operators[operator].up_to_date |= cache == Cache::UpToDate;
    let mut object = ConnectionGroup::clone(&object);
    if object.metadata.finalizers.is_none() {
        let stored = store_finalizer(&mut state.objects[index], incarnation, OWNER_IDS[index]);
        if !stored && mutant != Some(Mutant::FinalizerTakenForStored) {
            return Ok(false);
        }
        object.metadata.finalizers = Some(vec![finalizer(OWNER_IDS[index])]);
    }
    if state.operators[operator].remembered.incarnation != incarnation {
        state.renew_memory(scenario, operator, incarnation);
    }
    let it = &state.operators[operator];
    if let Some(status) = &it.remembered.status {
        object.status = Some(status.as_ref().clone());
    }
    let input = Input {
        object,
        memory: it.remembered.memory.clone(),
        snapshot: it.snapshot.clone(),
        list_trouble: it.list_trouble.clone(),
        process_start: it.process_start,
        started: state.now,
    };
    let first = run(&input, &[], &scenario.policy(index), mutant);
    let pass = Pass { input: Arc::new(input), incarnation, variant, log: Vec::new(), stage: first };
    proceed(scenario, state, operator, pass, mutant)?;
    Ok(true)
}

/// Whether an object that was seen without the finalizer carries it now.
fn store_finalizer(slot: &mut Object, incarnation: u32, owner_id: &str) -> bool {
    let there = slot.current.as_mut().filter(|_| slot.incarnation == incarnation);
    let Some(current) = there.filter(|current| current.metadata.deletion_timestamp.is_none()) else { return false };
    Arc::make_mut(current).metadata.finalizers = Some(vec![finalizer(owner_id)]);
    true
}

pub fn answer(
    scenario: &Scenario,
    state: &mut State,
    operator: usize,
    struck: Struck,
    mutant: Option<Mutant>,
) -> Result<bool, Violation> {
    let pass = Arc::clone(state.operators[operator].pass.as_ref().unwrap());
    let Stage::Asking(call) = &pass.stage else { return Ok(false) };
    properties::of_call(scenario, state, operator, &pass, call)?;
    state.left.faults -= u8::from(struck != Struck::No);
    let answer = match struck {
        Struck::No => state.call(|port| perform(port, call)),
        Struck::Refused(class) => call.failed(error(call.operation(), class)),
        Struck::AnswerLost => {
            state.call(|port| perform(port, call));
            call.failed(error(call.operation(), ErrorClass::TimedOut))
        }
        Struck::LandsLater => {
            state.late.push(call.clone());
            call.failed(error(call.operation(), ErrorClass::TimedOut))
        }
        Struck::Stale | Struck::StaleGroup | Struck::StaleTags => {
            let fresh = state.call(|port| perform(port, call));
            let tag_lag = if struck == Struck::StaleGroup { Millis(0) } else { A_MINUTE };
            let outdated = state.lagging((Millis(0), tag_lag), |state| {
                state.call(|port| {
                    if struck != Struck::StaleTags {
                        port.fail(Operation::GetConnectionGroup, Fault::Stale);
                    }
                    perform(port, call)
                })
            });
            if outdated == fresh {
                return Ok(false);
            }
            outdated
        }
    };
    let mut log = pass.log.clone();
    log.push(Arc::new(Entry { call: call.clone(), answer, at: state.now }));
    let reached = run(&pass.input, &log, &scenario.policy(state.operators[operator].object), mutant);
    let (input, incarnation, variant) = (Arc::clone(&pass.input), pass.incarnation, pass.variant);
    let pass = Pass { input, incarnation, variant, log, stage: reached };
    proceed(scenario, state, operator, pass, mutant)?;
    Ok(true)
}

/// A pass that has ended without news is over; with news, they have yet to be stored.
fn proceed(
    scenario: &Scenario,
    state: &mut State,
    operator: usize,
    pass: Pass,
    mutant: Option<Mutant>,
) -> Result<(), Violation> {
    let news = match pass.ended() {
        None => true,
        Some((outcome, _)) => {
            properties::of_outcome(scenario, state, operator, &pass, outcome)?;
            let written = state.operators[operator].remembered.status.as_deref();
            let stored = pass_object(state, operator, &pass).and_then(|object| object.status.as_ref());
            let stored = if mutant == Some(Mutant::OnlyOwnWritesAreCompared) { written } else { stored };
            outcome.finalizer == Finalizer::Release
                || stored.is_none_or(|stored| !says_the_same(stored, &outcome.status))
        }
    };
    let pass = Arc::new(pass);
    state.just_ended = pass.ended().map(|_| Arc::clone(&pass));
    state.operators[operator].pass = Some(pass);
    if !news && mutant == Some(Mutant::OnlyOwnWritesAreCompared) {
        remember(state, operator);
    } else if !news {
        store(scenario, state, operator, mutant)?;
    }
    Ok(())
}

/// The object that a pass was started for, if it still exists.
pub fn pass_object<'a>(state: &'a State, operator: usize, pass: &Pass) -> Option<&'a ConnectionGroup> {
    let object = state.object_of(operator);
    object.current.as_deref().filter(|_| object.incarnation == pass.incarnation)
}

/// Equal but for words.
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

pub fn store(
    scenario: &Scenario,
    state: &mut State,
    operator: usize,
    mutant: Option<Mutant>,
) -> Result<bool, Violation> {
    let pass = Arc::clone(state.operators[operator].pass.as_ref().unwrap());
    let Some((outcome, _)) = pass.ended() else { return Ok(false) };
    remember(state, operator);
    if outcome.finalizer == Finalizer::Release {
        state.operators[operator].remembered = Remembered::default();
    }
    let index = state.operators[operator].object;
    let Some(current) = pass_object(state, operator, &pass) else { return Ok(true) };
    let mut object = current.clone();
    if outcome.finalizer == Finalizer::Release {
        object.metadata.finalizers = None;
        let gone = object.metadata.deletion_timestamp.is_some();
        state.outdate(index);
        state.objects[index].current = (!gone).then(|| Arc::new(object));
        return Ok(true);
    }
    let mut status = outcome.status.clone();
    if mutant == Some(Mutant::GenerationReadAnew) {
        status.observed_generation = object.metadata.generation.unwrap_or_default();
    }
    properties::of_write(scenario, state, index, &status)?;
    let former = object.status.replace(status).filter(|_| scenario.outside.contains(&Outside::PutsOldStatusBack));
    if let Some(former) = former.filter(|former| !says_the_same(former, &outcome.status)) {
        state.objects[index].former_status = Some(Arc::new(former));
    }
    state.objects[index].current = Some(Arc::new(object));
    Ok(true)
}

/// What the process knows once a pass has ended, stored or not.
pub fn remember(state: &mut State, operator: usize) {
    let it = &mut state.operators[operator];
    let Some(pass) = it.pass.take() else { return };
    let Some((outcome, memory)) = pass.ended() else { return };
    it.remembered = Remembered {
        incarnation: pass.incarnation,
        memory: memory.clone(),
        status: Some(Arc::new(outcome.status.clone())),
        gave_up: outcome.requeue == crate::state::NEVER,
    };
}

pub fn crash(scenario: &Scenario, state: &mut State, operator: usize, dying: Dying) -> bool {
    state.left.faults -= 1;
    let pass = state.operators[operator].pass.take();
    let call = pass.as_deref().and_then(|pass| match &pass.stage {
        Stage::Asking(call) => Some(call.clone()),
        Stage::Ended(..) => None,
    });
    match (dying, call) {
        (Dying::AfterTheCall, Some(call)) => drop(state.call(|port| perform(port, &call))),
        (Dying::CallLandsLater, Some(call)) => state.late.push(call),
        (Dying::BeforeTheCall, _) | (_, None) => {}
    }
    state.now += Duration::from_millis(1);
    let it = &mut state.operators[operator];
    it.process_start = state.now;
    it.snapshot = None;
    it.list_trouble = None;
    it.up_to_date = true;
    state.renew_memory(scenario, operator, state.object_of(operator).incarnation);
    true
}

pub fn error(operation: Operation, class: ErrorClass) -> ApiError {
    ApiError::new(operation, class, None, "struck", None)
}
