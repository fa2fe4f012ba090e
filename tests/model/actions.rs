//! What can happen next, and its result. In: a state and an [`Action`]. Out: the next state, or the property that was violated. Pure.

use cloudfront_simulator::Millis;
use connection_group_operator::cloudfront::{ErrorClass, Operation};

use crate::{
    account::A_MINUTE,
    outside::{Outside, interfere},
    passes::{answer, crash, error, start, store, store_fails},
    people::{delete, edit, request},
    properties::{self, Violation},
    replay::{Call, Stage},
    state::{DEEP_TICK, Scenario, State, TICK},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The operator starts a reconcile of its object.
    Start(usize, Cache),
    /// The pending call of the reconcile is carried out.
    Answer(usize, Struck),
    /// The outcome reaches the API server.
    Store(usize),
    /// The API server does not accept the outcome.
    StoreFails(usize),
    /// The operator's process dies, and another one starts.
    Crash(usize, Dying),
    /// A complete list, or a failed one.
    Inventory(usize, Struck),
    Edit(usize, u8),
    /// Someone requests a reconcile with the annotation.
    Request(usize),
    Delete(usize),
    MakeAgain(usize),
    Outside(Outside),
    /// Everything is rolled out.
    Propagate,
    /// An abandoned call takes effect.
    Land(usize),
    Tick,
    DeepTick,
}

/// What the operator's cache shows for an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cache {
    UpToDate,
    /// This version of its history; later ones have not arrived yet.
    Behind(usize),
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Struck {
    No,
    Refused(ErrorClass),
    /// The call takes effect, but the answer is this error.
    AnswerLost(ErrorClass),
    LandsLater,
    Stale,
    StaleGroup,
    StaleTags,
    /// The answer says that there is no such group.
    NotThere,
    /// The answer shows the group without any tag.
    WithoutTags,
    /// The answer shows the group's tags without their values.
    WithoutValues,
    /// The answer omits everything that is optional.
    Lacking,
}

/// What happens to the pending call when the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dying {
    BeforeTheCall,
    AfterTheCall,
    CallLandsLater,
}

/// Every action that is possible in a state.
///
/// During a reconcile, roll-out, time and lists advance only where that can matter: while it is about to change something. Between two of its reads, they
/// have the same result as before or after both.
pub fn enabled(scenario: &Scenario, state: &State) -> Vec<Action> {
    let mut actions = Vec::new();
    if state.operators.iter().all(|operator| !operator.only_reads()) {
        actions.push(Action::Propagate);
        actions.extend(scenario.ticks.then_some(Action::Tick));
    }
    if scenario.resyncs && state.at_rest() {
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
                actions.extend(scenario.requests.then_some(Action::Request(index)));
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
    let inventories = !state.operators[operator].only_reads();
    if inventories {
        actions.push(Action::Inventory(operator, Struck::No));
    }
    if inventories && faults {
        actions.push(Action::Inventory(operator, Struck::Refused(ErrorClass::ServiceUnavailable)));
        actions.push(Action::Inventory(operator, Struck::Stale));
    }
    if faults && scenario.harsh {
        actions.push(Action::Crash(operator, Dying::BeforeTheCall));
    }
    let Some(pass) = &state.operators[operator].pass else {
        let object = state.object_of(operator);
        actions.extend(object.current.as_ref().map(|_| Action::Start(operator, Cache::UpToDate)));
        let older = state.operators[operator].seen..object.history.len();
        actions.extend(older.map(|version| Action::Start(operator, Cache::Behind(version))));
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
    match &**call {
        Call::Describe(_) => {
            [Struck::Stale, Struck::StaleGroup, Struck::StaleTags].into_iter().for_each(&mut strike);
            let lies = [Struck::NotThere, Struck::WithoutTags, Struck::WithoutValues, Struck::Lacking];
            lies.into_iter().filter(|_| scenario.lies).for_each(strike);
        }
        Call::Create(_) | Call::Update(..) | Call::Delete(_) | Call::Tag(..) | Call::Untag(..) => {
            scenario.lost.iter().copied().map(Struck::AnswerLost).for_each(&mut strike);
            if scenario.harsh {
                strike(Struck::LandsLater);
                actions.push(Action::Crash(operator, Dying::AfterTheCall));
                actions.push(Action::Crash(operator, Dying::CallLandsLater));
            }
        }
        Call::Tags(_) | Call::Tenants(_) | Call::AnycastIpList(_) | Call::List => {}
    }
}

/// The state after an action; `None` if it cannot happen after all.
pub fn act(scenario: &Scenario, before: &State, action: Action) -> Result<Option<State>, Violation> {
    let mut state = before.clone();
    Ok(happen(scenario, &mut state, action)?.then_some(state))
}

/// Carries out an action, and returns whether it could happen. If not, the state must be discarded.
pub fn happen(scenario: &Scenario, state: &mut State, action: Action) -> Result<bool, Violation> {
    state.just_ended = None;
    let happens = match action {
        Action::Start(operator, cache) => start(scenario, state, operator, cache)?,
        Action::Answer(operator, struck) => answer(scenario, state, operator, struck)?,
        Action::Store(operator) => store(scenario, state, operator)?,
        Action::StoreFails(operator) => {
            state.left.faults -= 1;
            store_fails(state, operator);
            true
        }
        Action::Crash(operator, dying) => crash(scenario, state, operator, dying),
        Action::Inventory(operator, struck) => listed(state, operator, struck),
        Action::Edit(object, spec) => {
            state.left.edits -= 1;
            state.outdate(scenario, object);
            edit(scenario, state, object, spec);
            true
        }
        Action::Request(object) => {
            state.left.edits -= 1;
            state.outdate(scenario, object);
            request(state, object);
            true
        }
        Action::Delete(object) => {
            state.left.edits -= 1;
            state.outdate(scenario, object);
            delete(state, object);
            true
        }
        Action::MakeAgain(object) => {
            state.left.edits -= 1;
            state.outdate(scenario, object);
            state.make(scenario, object);
            true
        }
        Action::Outside(what) => {
            state.left.outside -= 1;
            interfere(state, what)
        }
        Action::Propagate => {
            state.account.propagate(state.timestamp());
            true
        }
        Action::Land(index) => {
            let call = state.late.remove(index);
            state.call(|port| port.answer_directly(&call));
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
    properties::of_state(state)?;
    Ok(happens)
}

fn listed(state: &mut State, operator: usize, struck: Struck) -> bool {
    state.left.faults -= u8::from(struck != Struck::No);
    match struck {
        Struck::No => state.take_inventory(operator),
        Struck::Stale => state.lagging((A_MINUTE, Millis(0)), |state| state.take_inventory(operator)),
        Struck::Refused(class) => {
            state.operators[operator].inventory_error = Some(error(Operation::ListConnectionGroups, class));
        }
        Struck::AnswerLost(_)
        | Struck::LandsLater
        | Struck::StaleGroup
        | Struck::StaleTags
        | Struck::NotThere
        | Struck::WithoutTags
        | Struck::WithoutValues
        | Struck::Lacking => return false,
    }
    true
}
