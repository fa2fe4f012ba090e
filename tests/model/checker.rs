//! The checker itself: it catches each of fourteen deliberate bugs by the promise that the bug breaks, and an exploration that is too narrow does
//! not pass for a full one.

use std::collections::BTreeSet;

use crate::{
    actions::Struck,
    explore::{caught, holds},
    mutants::Mutant,
    plans::ALL,
    properties::Property,
    records::RECORDS,
    scenarios::{self, budget},
    state::{Budget, Scenario},
};

/// Room for no more than the bug needs.
fn with(budget: Budget, scenario: Scenario) -> Scenario {
    Scenario { budget, ..scenario }
}

#[test]
fn without_a_look_at_the_owner_tag_strangers_are_harmed() {
    let scenario = Scenario { specs: vec![scenarios::disabled()], ..with(budget(0, 0, 1), scenarios::strangers()) };
    assert_eq!(caught(&scenario, Mutant::NoOwnershipCheck), Some(Property::S1));
}

#[test]
fn a_finalizer_that_goes_with_the_answer_to_the_delete_leaves_a_late_create_behind() {
    let scenario = with(budget(1, 1, 0), scenarios::faults());
    assert_eq!(caught(&scenario, Mutant::ReleasedAfterTheDelete), Some(Property::S3));
}

#[test]
fn without_a_look_at_tenants_their_group_is_disabled() {
    let scenario = with(budget(0, 1, 1), scenarios::deletion());
    assert_eq!(caught(&scenario, Mutant::DisabledBeforeThePreflight), Some(Property::S4));
}

#[test]
fn giving_up_on_a_taken_name_leaves_an_object_that_never_gets_ready() {
    let scenario = with(budget(1, 0, 0), scenarios::faults());
    assert_eq!(caught(&scenario, Mutant::NameTakenIsTerminal), Some(Property::L1));
}

#[test]
fn an_etag_from_status_was_not_read_in_the_pass() {
    let scenario = with(budget(0, 1, 1), scenarios::life());
    assert_eq!(caught(&scenario, Mutant::EtagFromStatus), Some(Property::S5));
}

#[test]
fn one_not_found_is_no_proof() {
    let scenario = with(budget(1, 1, 0), scenarios::faults());
    assert_eq!(caught(&scenario, Mutant::ReleasedOnOneNotFound), Some(Property::S3));
}

#[test]
fn a_generation_that_was_not_acted_upon_is_not_ready() {
    let scenario = with(budget(0, 1, 0), scenarios::minds());
    assert_eq!(caught(&scenario, Mutant::GenerationReadAnew), Some(Property::S6));
}

#[test]
fn a_status_that_every_pass_writes_never_rests() {
    let scenario = with(budget(0, 0, 0), scenarios::life());
    assert_eq!(caught(&scenario, Mutant::StatusRewrittenEveryPass), Some(Property::L1));
}

#[test]
fn a_group_that_is_thought_to_be_there_is_never_made_again() {
    let scenario = with(budget(0, 0, 1), scenarios::life());
    assert_eq!(caught(&scenario, Mutant::AlreadyCreatedIsRemembered), Some(Property::L1));
}

#[test]
fn a_second_change_in_a_pass_is_one_too_many() {
    let scenario = with(budget(0, 1, 0), scenarios::minds());
    assert_eq!(caught(&scenario, Mutant::TwoMutationsInAPass), Some(Property::S2));
}

#[test]
fn a_status_that_is_believed_leads_to_somebody_elses_group() {
    let scenario = Scenario { specs: vec![scenarios::disabled()], ..with(budget(0, 0, 1), scenarios::forgeries()) };
    assert_eq!(caught(&scenario, Mutant::StatusIsBelieved), Some(Property::S1));
    let without = with(budget(0, 1, 0), scenarios::forgeries());
    assert_eq!(caught(&without, Mutant::StatusIsBelieved), None, "so nothing else would notice");
}

#[test]
fn a_status_that_others_wrote_is_not_put_right_by_who_compares_only_with_his_own() {
    let [with_it, without] = [budget(0, 0, 1), budget(0, 1, 0)].map(|budget| with(budget, scenarios::forgeries()));
    assert_eq!(caught(&with_it, Mutant::OnlyOwnWritesAreCompared), Some(Property::L1));
    assert_eq!(caught(&without, Mutant::OnlyOwnWritesAreCompared), None, "so nothing else would notice");
}

#[test]
fn a_request_that_is_taken_for_handled_leads_to_no_read() {
    let scenario = with(budget(0, 1, 0), scenarios::requests());
    assert_eq!(caught(&scenario, Mutant::RequestTakenForHandled), Some(Property::O3));
    let without = Scenario { requests: false, ..with(budget(1, 1, 1), scenarios::requests()) };
    assert_eq!(caught(&without, Mutant::RequestTakenForHandled), None, "so nothing else would notice");
}

#[test]
fn without_the_finalizer_a_group_is_made_for_an_object_that_is_gone() {
    let scenario = with(budget(0, 1, 0), scenarios::lag());
    assert_eq!(caught(&scenario, Mutant::FinalizerTakenForStored), Some(Property::S3));
    let without = Scenario { lag: false, ..with(budget(1, 1, 0), scenarios::lag()) };
    assert_eq!(caught(&without, Mutant::FinalizerTakenForStored), None, "so nothing else would notice");
}

#[test]
fn a_goal_that_is_always_reached_catches_nothing() {
    let scenario = Scenario { blind: true, ..with(budget(1, 0, 0), scenarios::faults()) };
    assert_eq!(caught(&scenario, Mutant::NameTakenIsTerminal), None, "so the test above is what notices");
}

#[test]
fn without_faults_or_stale_reads_or_anything_the_exploration_is_known_to_be_too_narrow() {
    let full = with(budget(1, 1, 0), scenarios::faults());
    let all = holds(&full);
    assert_eq!(all.seen.missing(&full), Vec::<String>::new());
    for narrow in [budget(0, 1, 0), budget(1, 0, 0), budget(0, 0, 0)] {
        let report = holds(&with(narrow, full.clone()));
        assert!(report.states < all.states, "{narrow:?}");
        assert_ne!(report.seen.missing(&full), Vec::<String>::new(), "{narrow:?}");
    }
    let mut fresh = all;
    fresh.seen.struck.retain(|(_, struck)| !matches!(struck, Struck::Stale | Struck::StaleGroup | Struck::StaleTags));
    assert_ne!(fresh.seen.missing(&full), Vec::<String>::new(), "no stale read");
}

#[test]
fn every_plan_has_a_scenario_that_must_show_it() {
    let shown = RECORDS.iter().flat_map(|record| record.plans).copied().collect::<BTreeSet<_>>();
    assert_eq!(shown, ALL.into_iter().collect());
}
