//! The deliberate bugs of the production code (src/bugs.rs), and what catches each: a named property in a named scenario, with no more budget than it needs.

use std::time::Duration;

use connection_group_operator::bugs::Bug;

use crate::{
    explore::caught,
    outside::Outside,
    properties::Property,
    scenarios::{self, budget, within},
    state::Scenario,
};

/// One test for each bug. A bug without a row does not compile.
macro_rules! each_bug_is_caught {
    ($($sentence:ident: $bug:ident, $property:ident in $scenario:expr;)+) => {
        $(#[test]
        fn $sentence() {
            assert_eq!(caught(&$scenario, Bug::$bug), Some(Property::$property));
        })+

        #[test]
        fn there_are_at_least_thirty_and_none_is_left_out() {
            const fn has_its_row(bug: Bug) -> bool {
                match bug {
                    $(Bug::$bug => true,)+
                }
            }
            let all = [$(Bug::$bug),+];
            assert!(all.into_iter().all(has_its_row) && all.len() >= 30);
        }
    };
}

each_bug_is_caught! {
    // Ownership.
    without_a_check_of_the_owner_tag_foreign_groups_are_harmed:
        EveryOwnerIsUs, S1 in within(budget(0, 0, 1), off(scenarios::strangers()));
    a_clone_that_ignores_the_identity_harms_the_original:
        IdentityIsIgnored, S14 in blind(within(budget(0, 1, 0), scenarios::clones()));
    an_owner_tag_without_a_value_names_no_owner:
        EmptyOwnerIsAnother, S13 in within(budget(1, 0, 0), scenarios::lies());
    a_group_is_marked_before_it_is_changed:
        UnmarkedIsOurs, S14 in within(budget(0, 1, 0), scenarios::unmarked());
    a_group_of_the_previous_installation_is_taken_over_before_it_is_changed:
        PredecessorIsUs, S14 in blind(within(budget(0, 1, 0), scenarios::heir()));
    a_status_that_is_trusted_leads_to_a_foreign_group:
        StatusProvesOwnership, S8 in blind(within(budget(0, 1, 1), scenarios::strangers()));
    an_id_in_status_that_leads_to_another_group_proves_nothing_about_ours:
        RecordedIdIsBelieved, S3 in within(budget(1, 1, 1), scenarios::forgeries());
    a_name_that_reads_like_an_id_does_not_lead_to_that_group:
        NameMayBeAnId, S1 in within(budget(0, 0, 0), scenarios::aliased());
    the_default_group_is_not_managed_like_the_others:
        DefaultGroupIsManaged, L1 in within(budget(0, 0, 0), scenarios::default_group());
    an_adoption_needs_the_administrators_key:
        AdministratorIsNotAsked, S1 in Scenario { allow_adoption: false, ..within(budget(0, 0, 0), scenarios::adoption()) };
    a_group_that_differs_is_not_adopted_by_the_policy_if_unchanged:
        DifferencesAreAdopted, S1 in within(budget(0, 1, 1), scenarios::adoption());
    another_group_of_the_name_has_not_been_seen_for_a_minute:
        UnownedWhicheverGroup, S15 in within(budget(0, 0, 1), scenarios::replaced());

    // What the spec forbids.
    a_suspended_object_changes_nothing:
        SuspensionIsIgnored, S18 in within(budget(0, 1, 0), scenarios::modes());
    a_protected_group_is_not_deleted:
        ProtectionIsIgnored, S18 in within(budget(0, 2, 0), scenarios::modes());
    a_retained_group_is_not_deleted:
        RetentionIsIgnored, S18 in within(budget(0, 2, 0), scenarios::modes());
    mode_observe_changes_nothing:
        ObserveManages, S18 in within(budget(0, 1, 0), scenarios::modes());

    // When the finalizer may be removed.
    a_finalizer_that_is_removed_with_the_answer_to_the_delete_leaves_a_late_create_behind:
        ReleasedAfterTheDelete, S3 in within(budget(1, 1, 0), scenarios::faults());
    one_not_found_proves_nothing:
        ReleasedOnOneNotFound, S3 in within(budget(1, 1, 0), scenarios::faults());
    a_list_before_the_end_of_the_consistency_window_proves_nothing:
        EarlyListIsProof, S3 in within(budget(1, 1, 0), scenarios::faults());
    a_create_may_have_taken_effect_after_the_list:
        WindowEndsByTheClock, S3 in within(budget(1, 0, 0), scenarios::old_lists());
    a_create_may_take_effect_for_a_consistency_window:
        ConsistencyWindowIsSkipped, S3 in within(budget(1, 1, 0), scenarios::faults());
    an_earlier_process_may_have_sent_a_create:
        EarlierProcessIsForgotten, S3 in within(budget(1, 1, 0), scenarios::faults());
    a_create_without_an_answer_may_take_effect:
        DoubtfulCreateIsForgotten, S3 in within(budget(1, 1, 0), scenarios::faults());
    a_group_of_others_does_not_end_the_wait_for_our_own_create:
        GroupOfOthersEndsTheWait, S3 in within(budget(1, 1, 1), scenarios::strangers());
    mode_observe_that_releases_at_once_leaves_a_late_create_behind:
        ObserveReleasesAtOnce, S3 in within(budget(1, 2, 0), scenarios::modes());

    // Traffic.
    without_a_check_of_tenants_their_group_is_disabled:
        TenantsAreIgnored, S4 in within(budget(0, 1, 1), scenarios::deletion());
    a_deletion_that_is_blocked_half_way_leaves_a_group_off:
        BlockedDeletionLeavesItOff, L2 in within(budget(0, 1, 1), scenarios::deletion());
    a_deletion_that_is_protected_half_way_leaves_a_group_off:
        ProtectionLeavesItOff, L2 in within(budget(0, 2, 0), scenarios::blocked());
    a_group_that_is_retained_half_way_is_left_off:
        RetainedWhileOff, S16 in within(budget(0, 2, 0), scenarios::blocked());
    a_disable_that_waits_for_the_drift_backoff_leaves_a_group_on:
        SwitchingOffIsPaused, S10 in
            Scenario { switches: scenarios::switches(), ..within(budget(0, 0, 2), off(scenarios::refusals())) };
    one_update_of_everything_blocks_the_emergency_switch:
        UpdateCarriesEverything, S10 in within(budget(0, 1, 0), scenarios::members());
    a_refused_member_that_blocks_the_others_leaves_a_group_off:
        RefusedMemberHoldsUpOthers, L1 in within(budget(0, 1, 1), scenarios::members());

    // Evidence.
    an_etag_from_status_was_not_read_in_the_reconcile:
        EtagFromStatus, S5 in within(budget(0, 1, 1), scenarios::life());
    an_event_is_not_evidence_before_a_removal:
        EventsAreEvidence, S9 in within(budget(0, 2, 0), scenarios::lag());
    one_not_found_does_not_remove_an_existing_group_from_status:
        OneNotFoundIsGone, S13 in within(budget(1, 0, 0), scenarios::lies());
    one_read_without_tags_does_not_remove_an_existing_group_from_status:
        OneReadWithoutTagsIsLost, S13 in within(budget(1, 0, 0), scenarios::lies());
    an_absent_status_is_not_a_roll_out:
        AbsentStatusIsInProgress, S17 in within(budget(1, 0, 0), scenarios::lies());
    a_row_without_a_status_is_not_evidence_of_a_roll_out:
        UnstatedRolloutIsAwaited, L1 in within(budget(0, 0, 0), scenarios::terse());
    our_own_write_does_not_stay_the_newest_forever:
        OwnWriteStaysNewest, L1 in within(budget(0, 0, 1), scenarios::life());
    what_no_list_shows_is_read_periodically:
        ResyncIsNeverDue, L1 in within(budget(0, 0, 1), scenarios::drift());
    a_request_that_is_taken_for_handled_leads_to_no_read:
        RequestIsTakenForHandled, O3 in within(budget(0, 1, 0), scenarios::requests());

    // Ready, and what is on record.
    a_group_that_is_still_rolled_out_is_not_ready:
        ReadyBeforeRollout, S6 in within(budget(0, 0, 0), scenarios::life());
    a_generation_that_counts_as_settled_before_its_tags_are_set_is_ready_without_them:
        SettledWithoutTags, S6 in within(budget(0, 1, 0), scenarios::minds());
    an_update_that_was_refused_as_outdated_did_not_take_effect:
        OutdatedUpdateIsDone, S6 in within(budget(0, 1, 1), scenarios::life());
    a_list_that_others_attached_is_not_ours_to_detach:
        EveryListIsOurs, S11 in within(budget(0, 0, 1), scenarios::lists());
    a_list_that_was_attached_is_on_record:
        AttachedListIsForgotten, S6 in within(budget(0, 2, 0), scenarios::lists());
    a_tag_that_was_found_and_not_sent_belongs_to_someone_else:
        FoundTagsAreOurs, S12 in within(budget(0, 2, 1), scenarios::tags());
    a_tag_that_others_gave_another_value_belongs_to_someone_else:
        TagsOfAnyValueAreOurs, S12 in within(budget(0, 2, 1), scenarios::tags());
    tags_that_were_sent_are_on_record:
        SentTagsAreForgotten, O2 in within(budget(0, 1, 0), scenarios::life());
    tags_of_a_call_without_an_answer_are_on_record:
        DoubtfulTagsAreForgotten, O2 in within(budget(1, 1, 0), scenarios::minds());

    // Rest, and that another reconcile always follows.
    a_second_change_in_a_reconcile_is_one_too_many:
        TwoMutationsInOneReconcile, S2 in within(budget(0, 1, 0), scenarios::minds());
    members_that_differ_are_not_updated_one_by_one:
        EachMemberAlone, O1 in within(budget(0, 1, 1), scenarios::life());
    a_detachment_that_has_no_effect_is_not_requested_forever:
        IgnoredDetachIsRepeated, L1 in within(budget(0, 1, 0), scenarios::sticky());
    a_false_transition_is_written_forever:
        EachWriteIsATransition, L1 in within(budget(0, 0, 0), scenarios::life());
    a_message_that_contains_the_time_is_written_again_with_each_try:
        MessageTellsTheTime, L1 in within(budget(0, 0, 0), scenarios::quota());
    a_failed_reconcile_is_retried:
        FailureIsFinal, L3 in within(budget(1, 0, 0), scenarios::faults());
    a_taken_name_is_retried:
        NameTakenIsTerminal, L3 in within(budget(1, 0, 0), scenarios::faults());
    an_outage_needs_no_user_action:
        OutageIsStalled, L3 in within(budget(1, 0, 0), scenarios::faults());
    an_unreadable_answer_is_not_a_refusal:
        UnreadableAnswerIsARefusal, O2 in within(budget(1, 1, 0), scenarios::errors());
    a_group_in_use_by_no_listed_tenant_is_put_back_into_service:
        UnlistedUseIsIgnored, L2 in within(budget(0, 1, 1), scenarios::unlisted());
    the_process_keeps_a_status_that_was_not_stored:
        StoredStatusIsBelieved, O2 in within(budget(1, 1, 0), scenarios::minds());
    a_reconcile_that_is_not_requeued_leaves_its_work_unfinished:
        RequeueIsDropped, L1 in within(budget(1, 0, 0), scenarios::faults());
    what_a_list_shows_triggers_a_reconcile_at_once:
        ListWakesNobody, L4 in within(budget(0, 0, 1), scenarios::life());
    what_users_request_triggers_a_reconcile_at_once:
        EditIsNotHeard, L4 in within(budget(0, 1, 0), scenarios::life());
}

/// The scenario with a spec that wants the group off.
fn off(scenario: Scenario) -> Scenario {
    Scenario { specs: vec![scenarios::disabled()], ..scenario }
}

/// The scenario with any end as its goal: for a bug that reports Ready at once and does harm only later.
fn blind(scenario: Scenario) -> Scenario {
    Scenario { blind: true, ..scenario }
}

#[test]
fn one_update_of_everything_blocks_the_emergency_switch_also_where_a_list_forbids_ipv6() {
    let family = Scenario { specs: scenarios::families(), ..within(budget(0, 1, 0), scenarios::anycast()) };
    assert_eq!(caught(&family, Bug::UpdateCarriesEverything), Some(Property::S10));
}

#[test]
fn an_event_is_not_evidence_whatever_the_reconcile_began_with() {
    let meanwhile = Scenario { lag: false, ..within(budget(0, 2, 0), scenarios::lag()) };
    assert_eq!(caught(&meanwhile, Bug::EventsAreEvidence), Some(Property::S9));
}

#[test]
fn an_event_is_not_evidence_before_a_group_is_recreated() {
    let deleted = Scenario { outside: &[Outside::Deletes], specs: vec![scenarios::spec()], ..scenarios::lag() };
    assert_eq!(caught(&within(budget(0, 1, 1), deleted), Bug::EventsAreEvidence), Some(Property::S9));
}

#[test]
fn only_a_list_that_counts_for_longer_than_the_consistency_window_shows_that_the_clock_proves_nothing() {
    let often = Scenario { inventory_interval: Duration::from_secs(20), ..scenarios::old_lists() };
    assert_eq!(caught(&within(budget(1, 0, 0), often), Bug::WindowEndsByTheClock), None);
}

#[test]
fn only_an_unreadable_answer_shows_that_it_is_taken_for_a_refusal() {
    assert_eq!(caught(&within(budget(1, 1, 0), scenarios::minds()), Bug::UnreadableAnswerIsARefusal), None);
}

#[test]
fn only_tenants_that_are_never_listed_show_that_only_the_list_is_read() {
    assert_eq!(caught(&within(budget(0, 1, 1), scenarios::deletion()), Bug::UnlistedUseIsIgnored), None);
}

#[test]
fn only_a_request_shows_that_requests_are_taken_for_handled() {
    let without = Scenario { requests: false, ..within(budget(1, 1, 1), scenarios::requests()) };
    assert_eq!(caught(&without, Bug::RequestIsTakenForHandled), None);
}

#[test]
fn only_a_false_answer_shows_that_one_is_trusted() {
    for bug in [Bug::OneNotFoundIsGone, Bug::OneReadWithoutTagsIsLost] {
        assert_eq!(caught(&within(budget(0, 1, 0), scenarios::lies()), bug), None, "{bug:?}");
    }
}

#[test]
fn only_a_forged_status_shows_that_ids_in_status_are_trusted() {
    let without = Scenario { outside: &[Outside::PutsOldStatusBack], ..scenarios::forgeries() };
    assert_eq!(caught(&within(budget(1, 1, 0), without), Bug::RecordedIdIsBelieved), None);
}
