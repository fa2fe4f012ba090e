//! Each hole that an independent review found, dug again: as a deliberate bug that the promise which was made against it must catch.

use crate::{
    explore::caught,
    mutants::Mutant,
    outside::Outside,
    properties::Property,
    scenarios::{self, budget},
    state::{Budget, Scenario},
};

/// Room for no more than the bug needs.
fn with(budget: Budget, scenario: Scenario) -> Scenario {
    Scenario { budget, ..scenario }
}

#[test]
fn one_update_of_everything_holds_up_the_emergency_switch() {
    let list = with(budget(0, 1, 0), scenarios::members());
    assert_eq!(caught(&list, Mutant::UpdateCarriesEverything), Some(Property::S10));
    let family = Scenario { specs: scenarios::families(), ..with(budget(0, 1, 0), scenarios::anycast()) };
    assert_eq!(caught(&family, Mutant::UpdateCarriesEverything), Some(Property::S10));
}

#[test]
fn a_refused_member_that_holds_up_the_others_leaves_a_group_off() {
    let scenario = with(budget(0, 1, 1), scenarios::members());
    assert_eq!(caught(&scenario, Mutant::RefusedMemberHoldsUpOthers), Some(Property::L1));
}

#[test]
fn a_switch_off_that_waits_for_peace_leaves_a_group_on() {
    let scenario = Scenario { specs: vec![scenarios::disabled()], ..with(budget(0, 0, 2), scenarios::refusals()) };
    let scenario = Scenario { switches: scenarios::switches(), ..scenario };
    assert_eq!(caught(&scenario, Mutant::SwitchingOffIsPaused), Some(Property::S10));
}

#[test]
fn a_deletion_that_is_blocked_half_way_leaves_a_group_off() {
    let scenario = with(budget(0, 1, 1), scenarios::deletion());
    assert_eq!(caught(&scenario, Mutant::BlockedDeletionLeavesItOff), Some(Property::L2));
}

#[test]
fn a_group_that_is_retained_half_way_is_left_off() {
    let scenario = with(budget(0, 2, 0), scenarios::blocked());
    assert_eq!(caught(&scenario, Mutant::RetainedWhileOff), Some(Property::S16));
}

#[test]
fn an_event_is_no_evidence_before_something_is_taken_away() {
    let scenario = with(budget(0, 2, 0), scenarios::lag());
    assert_eq!(caught(&scenario, Mutant::EventsAreEvidence), Some(Property::S9));
    let meanwhile = Scenario { lag: false, ..scenario };
    assert_eq!(caught(&meanwhile, Mutant::EventsAreEvidence), Some(Property::S9), "nor is what a pass began with");
}

#[test]
fn an_event_is_no_evidence_before_a_group_is_made_again() {
    let deleted = Scenario { outside: &[Outside::Deletes], specs: vec![scenarios::spec()], ..scenarios::lag() };
    assert_eq!(caught(&with(budget(0, 1, 1), deleted), Mutant::EventsAreEvidence), Some(Property::S9));
}

#[test]
fn a_generation_that_counts_as_settled_before_its_tags_are_set_is_ready_without_them() {
    let scenario = with(budget(0, 1, 0), scenarios::minds());
    assert_eq!(caught(&scenario, Mutant::SettledWithoutTags), Some(Property::S6));
}

#[test]
fn members_that_differ_are_not_updated_one_by_one() {
    let scenario = with(budget(0, 1, 1), scenarios::life());
    assert_eq!(caught(&scenario, Mutant::EachMemberAlone), Some(Property::O1));
}

#[test]
fn tags_that_were_sent_are_on_record() {
    let scenario = with(budget(0, 1, 0), scenarios::life());
    assert_eq!(caught(&scenario, Mutant::SentTagsAreForgotten), Some(Property::O2));
}

#[test]
fn a_new_leader_that_believes_its_cache_makes_a_group_for_an_object_that_is_gone() {
    let scenario = with(budget(2, 1, 0), scenarios::lag());
    assert_eq!(caught(&scenario, Mutant::NewTermBelievesItsCache), Some(Property::S3));
}

#[test]
fn a_tag_that_was_found_and_not_sent_is_anothers() {
    let scenario = with(budget(0, 2, 1), scenarios::tags());
    assert_eq!(caught(&scenario, Mutant::FoundTagsAreOurs), Some(Property::S12));
}

#[test]
fn mode_observe_that_releases_at_once_leaves_a_late_create_behind() {
    let scenario = with(budget(1, 2, 0), scenarios::modes());
    assert_eq!(caught(&scenario, Mutant::ObserveReleasesAtOnce), Some(Property::S3));
}

#[test]
fn another_group_of_the_name_has_not_been_seen_for_a_minute() {
    let scenario = with(budget(0, 0, 1), scenarios::replaced());
    assert_eq!(caught(&scenario, Mutant::UnownedWhicheverGroup), Some(Property::S15));
}

#[test]
fn a_clone_that_ignores_the_identity_harms_the_original() {
    // As soon as it reads the group, it says that it is Ready; what it does to it comes next.
    let scenario = Scenario { blind: true, ..with(budget(0, 1, 0), scenarios::clones()) };
    assert_eq!(caught(&scenario, Mutant::IdentityIsIgnored), Some(Property::S14));
}

#[test]
fn an_absent_status_that_is_taken_for_a_roll_out_is_waited_for_for_ever() {
    let scenario = with(budget(0, 0, 0), scenarios::terse());
    assert_eq!(caught(&scenario, Mutant::AbsentStatusIsInProgress), Some(Property::L1));
    let once = with(budget(1, 0, 0), scenarios::lies());
    assert_eq!(caught(&once, Mutant::AbsentStatusIsInProgress), Some(Property::S17));
}

#[test]
fn one_false_answer_is_no_proof() {
    for mutant in [Mutant::OneNotFoundIsGone, Mutant::OneReadWithoutTagsIsLost] {
        let scenario = with(budget(1, 0, 0), scenarios::lies());
        assert_eq!(caught(&scenario, mutant), Some(Property::S13), "{mutant:?}");
        let more = with(budget(2, 0, 0), scenarios::lies());
        assert_ne!(caught(&more, mutant), None, "{mutant:?}, and more might strike");
        let without = with(budget(0, 1, 0), scenarios::lies());
        assert_eq!(caught(&without, mutant), None, "so nothing else would notice {mutant:?}");
    }
}

#[test]
fn a_message_that_tells_of_the_next_try_is_written_anew_with_each() {
    let scenario = with(budget(0, 0, 0), scenarios::quota());
    assert_eq!(caught(&scenario, Mutant::NextTryIsTold), Some(Property::L1));
}

#[test]
fn a_list_that_others_attached_is_not_ours_to_detach() {
    let scenario = with(budget(0, 0, 1), scenarios::lists());
    assert_eq!(caught(&scenario, Mutant::EveryListIsOurs), Some(Property::S11));
}
