//! The engine: visits every state of a scenario once, breadth first. In: a scenario, and perhaps a deliberate bug. Out: a [`Report`], or the shortest path to
//! a violated property. Of a visited state, only its hash and how it was reached are kept.

use std::{
    collections::HashMap,
    fmt,
    time::{Duration, Instant},
};

use connection_group_operator::bugs::{Bug, Switched};

use crate::{
    actions::{Action, act, enabled},
    canon::key,
    convergence::Convergence,
    properties::{Property, Violation},
    seen::Seen,
    state::Scenario,
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

/// How a property was violated.
pub struct Counterexample {
    pub violation: Violation,
    pub steps: usize,
    pub story: String,
}

/// Explores the whole scenario.
pub fn explore(scenario: &Scenario, bug: Option<Bug>) -> Result<Report, Counterexample> {
    let _bug = Switched::on(bug);
    let began = Instant::now();
    let mut convergence = Convergence::new(scenario);
    let mut report = Report::default();
    let start = scenario.start();
    let first = key(scenario, &start);
    let mut ways: HashMap<u64, (u64, Action)> = HashMap::from([(first, (first, Action::Tick))]);
    let mut frontier = vec![(first, start)];
    let broken = |ways: &HashMap<u64, (u64, Action)>, from: u64, action: Option<Action>, violation: Violation| {
        let actions = way_to(ways, first, from).into_iter().chain(action).collect::<Vec<_>>();
        let story = story::tell(scenario, &actions, &violation);
        Counterexample { violation, steps: actions.len(), story }
    };
    while !frontier.is_empty() {
        // Each state is dropped once it was visited: the states themselves take most of the memory.
        for (from, state) in std::mem::take(&mut frontier) {
            if state.at_rest() {
                convergence.check(&state).map_err(|violation| broken(&ways, from, None, violation))?;
            }
            for action in enabled(scenario, &state) {
                let next = act(scenario, &state, action);
                let next = next.map_err(|violation| broken(&ways, from, Some(action), violation))?;
                let Some(next) = next else { continue };
                report.transitions += 1;
                report.seen.note(scenario, &state, action, &next);
                let reached = key(scenario, &next);
                ways.entry(reached).or_insert_with(|| {
                    frontier.push((reached, next));
                    (from, action)
                });
            }
        }
        report.depth += 1;
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

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, transitions, depth, converged, took, seen: _ } = self;
        write!(
            f,
            "{states} states, {transitions} transitions, {depth} steps deep, {converged} points of rest, {took:.1?}"
        )
    }
}

/// Explores, and panics with the counterexample if a property is violated.
pub fn holds(scenario: &Scenario) -> Report {
    explore(scenario, None).unwrap_or_else(|found| panic!("{}", found.story))
}

/// The property that the bug violates first.
pub fn caught(scenario: &Scenario, bug: Bug) -> Option<Property> {
    explore(scenario, Some(bug)).err().map(|found| {
        println!("{bug:?} in {}: {:?} after {} steps", scenario.name, found.violation.property, found.steps);
        found.violation.property
    })
}
