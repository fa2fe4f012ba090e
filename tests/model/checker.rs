//! Tests the checker itself: an exploration that is too narrow, or has no goal, must not count as a full one.

use std::collections::BTreeSet;

use connection_group_operator::{bugs::Bug, cloudfront::ErrorClass};
use port::PlanName;

use crate::{
    actions::Struck,
    classes::may_hide_an_effect,
    explore::{caught, holds},
    records::{self, RECORDS},
    scenarios::{self, budget, within},
    state::Scenario,
};

#[test]
fn a_goal_that_is_always_reached_catches_nothing() {
    let scenario = Scenario { blind: true, ..within(budget(0, 0, 1), scenarios::drift()) };
    assert_eq!(caught(&scenario, Bug::ResyncIsNeverDue), None, "so the goal is what detects it");
}

#[test]
fn without_faults_or_stale_reads_or_anything_the_exploration_is_known_to_be_too_narrow() {
    let full = within(budget(1, 1, 0), scenarios::faults());
    let all = holds(&full);
    assert_eq!(all.seen.missing(&full), Vec::<String>::new());
    for narrow in [budget(0, 1, 0), budget(1, 0, 0), budget(0, 0, 0)] {
        let report = holds(&within(narrow, full.clone()));
        assert!(report.states < all.states, "{narrow:?}");
        assert_ne!(report.seen.missing(&full), Vec::<String>::new(), "{narrow:?}");
    }
    let mut fresh = all;
    fresh.seen.struck.retain(|(_, struck)| !matches!(struck, Struck::Stale | Struck::StaleGroup | Struck::StaleTags));
    assert_ne!(fresh.seen.missing(&full), Vec::<String>::new(), "no stale read");
}

#[test]
fn every_error_that_may_hide_an_effect_does_so_in_a_scenario() {
    let hides = ErrorClass::ALL.iter().copied().filter(|class| may_hide_an_effect(*class));
    assert_eq!(scenarios::errors().lost, hides.collect::<Vec<_>>());
}

#[test]
fn every_plan_has_a_scenario_that_must_produce_it() {
    let shown = RECORDS.iter().flat_map(|record| record.plans).copied().collect::<BTreeSet<_>>();
    assert_eq!(shown, PlanName::ALL.iter().copied().collect());
}

#[test]
fn every_recorded_count_belongs_to_an_explored_scenario() {
    let explored = RECORDS.iter().map(|record| record.scenario.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(records::counts().into_keys().collect::<BTreeSet<_>>(), explored);
}
