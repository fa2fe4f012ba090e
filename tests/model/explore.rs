//! The engine: breadth first through every state of a scenario, each once. In: a scenario, and perhaps a deliberate bug. Out: a [`Report`], or the
//! shortest way to a broken promise. Of a state that has been passed only its hash, and how it was reached, is kept.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    time::{Duration, Instant},
};

use connection_group_operator::{
    api::condition,
    cloudfront::{ErrorClass, Operation},
};

use crate::{
    actions::{Action, Dying, Outside, Struck, act, enabled},
    canon::key,
    convergence::Convergence,
    mutants::Mutant,
    properties::{Property, Violation},
    replay::Stage,
    state::{Pass, Scenario, State},
    story,
};

/// What an exploration saw.
#[derive(Debug, Default)]
pub struct Report {
    pub states: usize,
    pub transitions: usize,
    pub depth: usize,
    pub converged: usize,
    pub took: Duration,
    pub seen: Seen,
}

/// What occurred at least once.
#[derive(Debug, Default)]
pub struct Seen {
    pub actions: HashSet<Did>,
    pub struck: HashSet<(Operation, Struck)>,
    pub died: HashSet<(Operation, Dying)>,
    pub outside: HashSet<Outside>,
    pub errors: HashSet<(Operation, ErrorClass)>,
    pub plans: BTreeSet<&'static str>,
    pub reasons: BTreeSet<String>,
    signatures: HashSet<u64>,
}

/// An action without its details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Did {
    Start,
    Answer,
    Store,
    StoreFails,
    Crash,
    Sweep,
    Edit,
    Delete,
    MakeAgain,
    Outside,
    Propagate,
    Land,
    Tick,
    DeepTick,
}

/// How a promise was broken.
pub struct Counterexample {
    pub violation: Violation,
    pub steps: usize,
    pub story: String,
}

/// Explores all of it.
pub fn explore(scenario: &Scenario, mutant: Option<Mutant>) -> Result<Report, Counterexample> {
    let began = Instant::now();
    let mut convergence = Convergence::new(scenario, mutant);
    let mut report = Report::default();
    let start = scenario.start();
    let first = key(scenario, &start);
    let mut ways: HashMap<u64, (u64, Action)> = HashMap::from([(first, (first, Action::Tick))]);
    let mut frontier = vec![(first, start)];
    let broken = |ways: &HashMap<u64, (u64, Action)>, from: u64, action: Option<Action>, violation: Violation| {
        let actions = way_to(ways, first, from).into_iter().chain(action).collect::<Vec<_>>();
        let story = story::tell(scenario, mutant, &actions, &violation);
        Counterexample { violation, steps: actions.len(), story }
    };
    while !frontier.is_empty() {
        let mut next_frontier = Vec::new();
        for (from, state) in &frontier {
            if state.at_rest() {
                convergence.check(state).map_err(|violation| broken(&ways, *from, None, violation))?;
            }
            for action in enabled(scenario, state) {
                let next = act(scenario, state, action, mutant);
                let next = next.map_err(|violation| broken(&ways, *from, Some(action), violation))?;
                let Some(next) = next else { continue };
                report.transitions += 1;
                report.seen.note(scenario, state, action, &next);
                let reached = key(scenario, &next);
                ways.entry(reached).or_insert_with(|| {
                    next_frontier.push((reached, next));
                    (*from, action)
                });
            }
        }
        report.depth += 1;
        if std::env::var("MODEL_TRACE").is_ok() {
            eprintln!(
                "{} depth {} frontier {} states {} tr {} conv {} {:?}",
                scenario.name,
                report.depth,
                next_frontier.len(),
                ways.len(),
                report.transitions,
                convergence.states(),
                began.elapsed()
            );
        }
        frontier = next_frontier;
    }
    report.states = ways.len();
    report.converged = convergence.states();
    report.took = began.elapsed();
    Ok(report)
}

fn way_to(ways: &HashMap<u64, (u64, Action)>, first: u64, mut at: u64) -> Vec<Action> {
    let mut actions = Vec::new();
    while at != first {
        let (from, action) = ways[&at];
        actions.push(action);
        at = from;
    }
    actions.reverse();
    actions
}

impl Seen {
    fn note(&mut self, scenario: &Scenario, before: &State, action: Action, after: &State) {
        let pending = |operator: usize| {
            before.operators[operator].pass.as_ref().and_then(|pass| match &pass.stage {
                Stage::Asking(call) => Some(call.operation()),
                Stage::Ended(..) => None,
            })
        };
        self.actions.insert(match action {
            Action::Start(_) => Did::Start,
            Action::Answer(operator, struck) => {
                self.struck.extend(pending(operator).map(|operation| (operation, struck)));
                Did::Answer
            }
            Action::Store(_) => Did::Store,
            Action::StoreFails(_) => Did::StoreFails,
            Action::Crash(operator, dying) => {
                self.died.extend(pending(operator).map(|operation| (operation, dying)));
                Did::Crash
            }
            Action::Sweep(_, struck) => {
                self.struck.insert((Operation::ListConnectionGroups, struck));
                Did::Sweep
            }
            Action::Edit(..) => Did::Edit,
            Action::Delete(_) => Did::Delete,
            Action::MakeAgain(_) => Did::MakeAgain,
            Action::Outside(what) => {
                self.outside.insert(what);
                Did::Outside
            }
            Action::Propagate => Did::Propagate,
            Action::Land(_) => Did::Land,
            Action::Tick => Did::Tick,
            Action::DeepTick => Did::DeepTick,
        });
        if let (Action::Start(operator) | Action::Answer(operator, _), Some(pass)) = (action, &after.just_ended) {
            self.ended(scenario, before.operators[operator].object, pass);
        }
    }

    fn ended(&mut self, scenario: &Scenario, object: usize, pass: &Pass) {
        let Some((outcome, _)) = pass.ended() else { return };
        let reason = condition(&outcome.status.conditions, "Ready").map_or("", |ready| ready.reason.as_str());
        let mut signature = DefaultHasher::new();
        (reason, outcome.finalizer, pass.variant, pass.deleting()).hash(&mut signature);
        for entry in &pass.log {
            let class = entry.answer.error().map(|error| error.class);
            (entry.call.operation(), class).hash(&mut signature);
            self.errors.extend(class.map(|class| (entry.call.operation(), class)));
        }
        if self.signatures.insert(signature.finish()) {
            self.reasons.insert(reason.to_owned());
            self.plans.extend(crate::plans::plan_of(pass, &scenario.policy(object)));
        }
    }
}

/// The count of a scenario may grow with the code; if it drops, something is no longer explored.
pub fn assert_explored(scenario: &Scenario, report: &Report, at_least: usize) {
    println!(
        "{}: {} states, {} transitions, {} steps deep, {} rest points converge, {:.1?}",
        scenario.name, report.states, report.transitions, report.depth, report.converged, report.took
    );
    assert!(
        report.states >= at_least,
        "{}: only {} states, {at_least} were explored before",
        scenario.name,
        report.states
    );
}

/// Explores, and tells the story if a promise is broken.
pub fn holds(scenario: &Scenario) -> Report {
    explore(scenario, None).unwrap_or_else(|found| panic!("{}", found.story))
}

/// The promise that the bug breaks first.
pub fn caught(scenario: &Scenario, mutant: Mutant) -> Option<Property> {
    explore(scenario, Some(mutant)).err().map(|found| {
        println!("{mutant:?} in {}: {:?} after {} steps", scenario.name, found.violation.property, found.steps);
        found.violation.property
    })
}
