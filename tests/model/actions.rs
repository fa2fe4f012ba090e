//! What can happen next, and what comes of it. In: a state and an [`Action`]. Out: the next state, or the promise that was broken. Pure.

use std::{sync::Arc, time::Duration};

use cloudfront_simulator::{
    Millis, Switches, Timestamp,
    admin::{GroupPatch, NewGroup, NewTenant},
};
use connection_group_operator::{
    api::{ConnectionGroup, FINALIZER},
    clock::Moment,
    cloudfront::{ApiError, CloudFront, ErrorClass, Operation, Snapshot},
    reconcile::{Finalizer, ownership::OwnerTag},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::{
    mutants::Mutant,
    port::{Fault, InProcess},
    properties::{self, Violation},
    replay::{Answer, Call, Entry, Input, Stage, run, wall},
    state::{DEEP_TICK, Pass, Remembered, Scenario, State, TICK},
};

const A_MINUTE: Millis = Millis::seconds(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The operator takes the object up.
    Start(usize),
    /// The pending call of the pass is carried out.
    Answer(usize, Struck),
    /// The outcome reaches the API server.
    Store(usize),
    /// The API server does not take the outcome.
    StoreFails(usize),
    /// The operator dies, and another process begins.
    Crash(usize, Dying),
    /// A complete list, or a failed one.
    Sweep(usize, Struck),
    Edit(usize, u8),
    Delete(usize),
    MakeAgain(usize),
    Outside(Outside),
    /// Everything is rolled out.
    Propagate,
    /// A call that was given up takes effect.
    Land(usize),
    Tick,
    DeepTick,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Struck {
    No,
    Refused(ErrorClass),
    AnswerLost,
    LandsLater,
    Stale,
    StaleGroup,
    StaleTags,
}

/// What becomes of the pending call when the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dying {
    BeforeTheCall,
    AfterTheCall,
    CallLandsLater,
}

/// What somebody else does to the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outside {
    TurnsIpv6Off,
    Disables,
    Enables,
    Deletes,
    CreatesUnowned,
    CreatesForeign,
    TakesOwnerTagOff,
    PutsForeignOwnerTag,
    TakesTagsOff,
    TenantComes,
    TenantGoes,
}

/// Everything that may happen in a state.
///
/// Roll-out, time and lists go on beside a pass only where they can matter to it: while it is about to change something. Between two of its reads
/// they come to the same as before or after both.
pub fn enabled(scenario: &Scenario, state: &State) -> Vec<Action> {
    let mut actions = Vec::new();
    if state.operators.iter().all(|operator| !operator.only_reads()) {
        actions.extend([Action::Propagate, Action::Tick]);
    }
    if scenario.deep_checks && state.at_rest() {
        actions.push(Action::DeepTick);
    }
    for operator in 0..state.operators.len() {
        of_operator(scenario, state, operator, &mut actions);
    }
    actions.extend((0..state.late.len()).map(Action::Land));
    for (index, object) in state.objects.iter().enumerate() {
        match &object.current {
            None if state.left.edits > 0 => actions.push(Action::MakeAgain(index)),
            Some(current) if state.left.edits > 0 => {
                let others = (0..scenario.specs.len()).map(|spec| u8::try_from(spec).unwrap());
                actions.extend(others.filter(|spec| *spec != object.variant()).map(|spec| Action::Edit(index, spec)));
                if scenario.deletions && current.metadata.deletion_timestamp.is_none() {
                    actions.push(Action::Delete(index));
                }
            }
            Some(_) | None => {}
        }
    }
    if state.left.outside > 0 {
        actions.extend(scenario.outside.iter().copied().map(Action::Outside));
    }
    actions
}

fn of_operator(scenario: &Scenario, state: &State, operator: usize, actions: &mut Vec<Action>) {
    let faults = state.left.faults > 0;
    let sweeps = !state.operators[operator].only_reads();
    if sweeps {
        actions.push(Action::Sweep(operator, Struck::No));
    }
    if sweeps && faults {
        actions.push(Action::Sweep(operator, Struck::Refused(ErrorClass::ServiceUnavailable)));
        actions.push(Action::Sweep(operator, Struck::Stale));
    }
    if faults && scenario.crashes {
        actions.push(Action::Crash(operator, Dying::BeforeTheCall));
    }
    let Some(pass) = &state.operators[operator].pass else {
        actions.extend(state.object_of(operator).current.as_ref().map(|_| Action::Start(operator)));
        return;
    };
    let Stage::Asking(call) = &pass.stage else {
        actions.push(Action::Store(operator));
        if faults {
            actions.push(Action::StoreFails(operator));
        }
        return;
    };
    actions.push(Action::Answer(operator, Struck::No));
    if !faults {
        return;
    }
    let mut strike = |struck| actions.push(Action::Answer(operator, struck));
    scenario.errors.iter().copied().map(Struck::Refused).for_each(&mut strike);
    match call {
        Call::Describe(_) => [Struck::Stale, Struck::StaleGroup, Struck::StaleTags].into_iter().for_each(strike),
        Call::Create(_) | Call::Update(..) | Call::Delete(_) | Call::Tag(..) | Call::Untag(..) => {
            strike(Struck::AnswerLost);
            strike(Struck::LandsLater);
            if scenario.crashes {
                actions.push(Action::Crash(operator, Dying::AfterTheCall));
                actions.push(Action::Crash(operator, Dying::CallLandsLater));
            }
        }
        Call::Tags(_) | Call::Tenants(_) | Call::AnycastIpList(_) | Call::List => {}
    }
}

/// What an action leads to; nothing, if it cannot happen after all.
pub fn act(
    scenario: &Scenario,
    before: &State,
    action: Action,
    mutant: Option<Mutant>,
) -> Result<Option<State>, Violation> {
    let mut state = before.clone();
    state.just_ended = None;
    let happens = match action {
        Action::Start(operator) => start(scenario, &mut state, operator, mutant)?,
        Action::Answer(operator, struck) => answer(scenario, &mut state, operator, struck, mutant)?,
        Action::Store(operator) => store(scenario, &mut state, operator, mutant)?,
        Action::StoreFails(operator) => {
            state.left.faults -= 1;
            remember(&mut state, operator);
            true
        }
        Action::Crash(operator, dying) => crash(scenario, &mut state, operator, dying),
        Action::Sweep(operator, struck) => swept(&mut state, operator, struck),
        Action::Edit(object, spec) => {
            state.left.edits -= 1;
            edit(scenario, &mut state, object, spec);
            true
        }
        Action::Delete(object) => {
            state.left.edits -= 1;
            delete(&mut state, object);
            true
        }
        Action::MakeAgain(object) => {
            state.left.edits -= 1;
            state.make(scenario, object);
            true
        }
        Action::Outside(what) => {
            state.left.outside -= 1;
            interfere(&mut state, what)
        }
        Action::Propagate => {
            state.account.propagate(state.timestamp());
            true
        }
        Action::Land(index) => {
            let call = state.late.remove(index);
            state.call(|port| perform(port, &call));
            true
        }
        Action::Tick => {
            state.pass_time(TICK);
            true
        }
        Action::DeepTick => {
            state.pass_time(DEEP_TICK);
            true
        }
    };
    properties::of_state(&state)?;
    Ok(happens.then_some(state))
}

/// Carries a call out.
pub fn perform(port: &InProcess, call: &Call) -> Answer {
    match call {
        Call::Describe(lookup) => Answer::Described(now(port.describe(lookup))),
        Call::Tags(arn) => Answer::Tags(now(port.tags(arn))),
        Call::Create(new) => Answer::Group(now(port.create(new))),
        Call::Update(read, config) => Answer::Group(now(port.update(read, config))),
        Call::Delete(read) => Answer::Done(now(port.delete(read))),
        Call::Tag(arn, tags) => Answer::Done(now(port.tag(arn, tags))),
        Call::Untag(arn, keys) => Answer::Done(now(port.untag(arn, keys))),
        Call::Tenants(id) => Answer::Tenants(now(port.tenants(id))),
        Call::AnycastIpList(id) => Answer::AnycastIpList(now(port.anycast_ip_list(id))),
        Call::List => Answer::Listed(now(port.list())),
    }
}

/// The finalizer is stored first, in the same pass; then the pass runs up to its first call.
fn start(scenario: &Scenario, state: &mut State, operator: usize, mutant: Option<Mutant>) -> Result<bool, Violation> {
    let index = state.operators[operator].object;
    let Some(current) = state.objects[index].current.clone() else { return Ok(false) };
    let mut object = ConnectionGroup::clone(&current);
    if object.metadata.finalizers.is_none() {
        object.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        state.objects[index].current = Some(Arc::new(object.clone()));
    }
    if state.operators[operator].remembered.incarnation != state.objects[index].incarnation {
        state.renew_memory(scenario, operator);
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
    let (incarnation, variant) = (state.objects[index].incarnation, state.objects[index].variant());
    let stage = run(&input, &[], &scenario.policy(index), mutant);
    let pass = Pass { input: Arc::new(input), incarnation, variant, log: Vec::new(), stage };
    proceed(scenario, state, operator, pass, mutant)?;
    Ok(true)
}

fn answer(
    scenario: &Scenario,
    state: &mut State,
    operator: usize,
    struck: Struck,
    mutant: Option<Mutant>,
) -> Result<bool, Violation> {
    let mut pass = Pass::clone(state.operators[operator].pass.as_ref().unwrap());
    let Stage::Asking(call) = &pass.stage else { return Ok(false) };
    let call = call.clone();
    properties::of_call(scenario, state, operator, &pass, &call)?;
    state.left.faults -= u8::from(struck != Struck::No);
    let answer = match struck {
        Struck::No => state.call(|port| perform(port, &call)),
        Struck::Refused(class) => call.failed(error(call.operation(), class)),
        Struck::AnswerLost => {
            state.call(|port| perform(port, &call));
            call.failed(error(call.operation(), ErrorClass::TimedOut))
        }
        Struck::LandsLater => {
            state.late.push(call.clone());
            call.failed(error(call.operation(), ErrorClass::TimedOut))
        }
        Struck::Stale | Struck::StaleGroup | Struck::StaleTags => {
            let fresh = state.call(|port| perform(port, &call));
            let tag_lag = if struck == Struck::StaleGroup { Millis(0) } else { A_MINUTE };
            let stale = state.lagging((Millis(0), tag_lag), |state| {
                state.call(|port| {
                    if struck != Struck::StaleTags {
                        port.fail(Operation::GetConnectionGroup, Fault::Stale);
                    }
                    perform(port, &call)
                })
            });
            if stale == fresh {
                return Ok(false);
            }
            stale
        }
    };
    pass.log.push(Entry { call, answer, at: state.now });
    pass.stage = run(&pass.input, &pass.log, &scenario.policy(state.operators[operator].object), mutant);
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
            let stored = pass_object(state, operator, &pass).and_then(|object| object.status.as_ref());
            outcome.finalizer == Finalizer::Release
                || stored.is_none_or(|stored| !says_the_same(stored, &outcome.status))
        }
    };
    let pass = Arc::new(pass);
    state.just_ended = pass.ended().map(|_| Arc::clone(&pass));
    state.operators[operator].pass = Some(pass);
    if !news {
        store(scenario, state, operator, mutant)?;
    }
    Ok(())
}

/// The object that a pass was started for, if it still exists.
fn pass_object<'a>(state: &'a State, operator: usize, pass: &Pass) -> Option<&'a ConnectionGroup> {
    let object = state.object_of(operator);
    object.current.as_deref().filter(|_| object.incarnation == pass.incarnation)
}

/// Equal but for words.
pub fn says_the_same(
    one: &connection_group_operator::api::ConnectionGroupStatus,
    other: &connection_group_operator::api::ConnectionGroupStatus,
) -> bool {
    let wordless = |status: &connection_group_operator::api::ConnectionGroupStatus| {
        let mut status = status.clone();
        status.last_modified_time = None;
        status.conditions.iter_mut().for_each(|condition| condition.message.clear());
        status
    };
    wordless(one) == wordless(other)
}

fn store(scenario: &Scenario, state: &mut State, operator: usize, mutant: Option<Mutant>) -> Result<bool, Violation> {
    let pass = Arc::clone(state.operators[operator].pass.as_ref().unwrap());
    let Some((outcome, _)) = pass.ended() else { return Ok(false) };
    remember(state, operator);
    let index = state.operators[operator].object;
    let Some(current) = pass_object(state, operator, &pass) else { return Ok(true) };
    let mut object = current.clone();
    if outcome.finalizer == Finalizer::Release {
        object.metadata.finalizers = None;
        let gone = object.metadata.deletion_timestamp.is_some();
        state.objects[index].current = (!gone).then(|| Arc::new(object));
        state.operators[operator].remembered = Remembered::default();
        return Ok(true);
    }
    let mut status = outcome.status.clone();
    if mutant == Some(Mutant::GenerationReadAnew) {
        status.observed_generation = object.metadata.generation.unwrap_or_default();
    }
    properties::of_write(scenario, state, index, &status)?;
    object.status = Some(status);
    state.objects[index].current = Some(Arc::new(object));
    Ok(true)
}

/// What the process knows once a pass has ended, stored or not.
fn remember(state: &mut State, operator: usize) {
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

fn crash(scenario: &Scenario, state: &mut State, operator: usize, dying: Dying) -> bool {
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
    state.renew_memory(scenario, operator);
    true
}

fn swept(state: &mut State, operator: usize, struck: Struck) -> bool {
    state.left.faults -= u8::from(struck != Struck::No);
    match struck {
        Struck::No => state.sweep(operator),
        Struck::Stale => state.lagging((A_MINUTE, Millis(0)), |state| state.sweep(operator)),
        Struck::Refused(class) => {
            state.operators[operator].list_trouble = Some(error(Operation::ListConnectionGroups, class));
        }
        Struck::AnswerLost | Struck::LandsLater | Struck::StaleGroup | Struck::StaleTags => return false,
    }
    true
}

fn error(operation: Operation, class: ErrorClass) -> ApiError {
    ApiError::new(operation, class, None, "struck", None)
}

fn edit(scenario: &Scenario, state: &mut State, object: usize, spec: u8) {
    let slot = &mut state.objects[object];
    let Some(current) = &slot.current else { return };
    let mut edited = ConnectionGroup::clone(current);
    edited.spec = scenario.specs[usize::from(spec)].clone();
    edited.metadata.generation = edited.metadata.generation.map(|generation| generation + 1);
    slot.variants.push(spec);
    slot.current = Some(Arc::new(edited));
}

/// An object without a finalizer is gone at once.
fn delete(state: &mut State, object: usize) {
    let deleted_at = Time(wall(state.now));
    let slot = &mut state.objects[object];
    let Some(current) = &slot.current else { return };
    let mut deleted = ConnectionGroup::clone(current);
    deleted.metadata.deletion_timestamp = Some(deleted_at);
    slot.current = deleted.metadata.finalizers.is_some().then(|| Arc::new(deleted));
}

fn interfere(state: &mut State, what: Outside) -> bool {
    let (now, group) = (state.timestamp(), state.group());
    let owner = |value: &str| [(OwnerTag::KEY.to_owned(), value.to_owned())].into();
    let patch = GroupPatch::default;
    match (what, group) {
        (Outside::TurnsIpv6Off, Some(group)) if group.ipv6_enabled => {
            edit_outside(state, now, GroupPatch { ipv6_enabled: Some(false), ..patch() })
        }
        (Outside::Disables, Some(group)) if group.enabled => {
            edit_outside(state, now, GroupPatch { enabled: Some(false), ..patch() })
        }
        (Outside::Enables, Some(group)) if !group.enabled => {
            edit_outside(state, now, GroupPatch { enabled: Some(true), ..patch() })
        }
        (Outside::Deletes, Some(_)) => state.account.outside_delete_group(now, &state.name.clone()).is_ok(),
        (Outside::TakesOwnerTagOff, Some(_)) => {
            edit_outside(state, now, GroupPatch { remove_tags: vec![OwnerTag::KEY.to_owned()], ..patch() })
        }
        (Outside::PutsForeignOwnerTag, Some(_)) => {
            edit_outside(state, now, GroupPatch { set_tags: owner("somebody/else/edge"), ..patch() })
        }
        (Outside::TakesTagsOff, Some(_)) => {
            edit_outside(state, now, GroupPatch { remove_tags: vec!["team".to_owned()], ..patch() })
        }
        (Outside::CreatesUnowned, None) => {
            state.account.outside_create_group(now, NewGroup::named(&*state.name)).is_ok()
        }
        (Outside::CreatesForeign, None) => {
            let foreign = NewGroup { tags: owner("somebody/else/edge"), ..NewGroup::named(&*state.name) };
            state.account.outside_create_group(now, foreign).is_ok()
        }
        (Outside::TenantComes, Some(_)) if state.account.tenants().is_empty() => {
            state.account.outside_create_tenant(now, NewTenant::behind(&*state.name, "shop")).is_ok()
        }
        (Outside::TenantGoes, _) => state.account.outside_delete_tenant("shop").is_ok(),
        _ => false,
    }
}

fn edit_outside(state: &mut State, now: Timestamp, patch: GroupPatch) -> bool {
    state.account.outside_edit_group(now, &state.name.clone(), patch).is_ok()
}

impl State {
    /// Time to the next step; what has not landed by then was lost.
    pub fn pass_time(&mut self, time: Duration) {
        self.now = TICK * u32::try_from((self.now + time).as_secs() / TICK.as_secs()).unwrap();
        self.late.clear();
    }

    /// Get may be answered from any past; lists and tags from that of the last minute, which is what the operator assumes of them.
    fn lagging<T>(&mut self, (read_lag, tag_lag): (Millis, Millis), act: impl FnOnce(&mut Self) -> T) -> T {
        let prompt = *self.account.switches();
        self.account.set_switches(Switches { read_lag, tag_lag, ..prompt });
        let done = act(self);
        self.account.set_switches(prompt);
        done
    }

    /// One complete list, a moment after everything so far.
    pub fn sweep(&mut self, operator: usize) {
        self.now += Duration::from_millis(1);
        let began = Moment::after_start(self.now.saturating_sub(self.operators[operator].process_start));
        let groups = self.call(|port| now(port.list())).unwrap_or_default();
        let groups = groups.into_iter().map(|group| (group.name.clone(), group)).collect();
        self.operators[operator].snapshot = Some(Arc::new(Snapshot { began, groups }));
        self.operators[operator].list_trouble = None;
        self.now += Duration::from_millis(1);
    }
}

/// Runs a future of the in-process adapter, which never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("the in-process adapter never waits"),
    }
}
