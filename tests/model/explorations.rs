//! Explores each scenario to its end, and compares it with its record. `MODEL_BOUND=wide` (`make model`) goes further.

use crate::{
    explore::holds,
    records,
    scenarios::{self, within},
    state::Scenario,
};

/// Explores a scenario to its end. It must show what its record says, and everything that can happen in it at all.
fn explored(scenario: Scenario) {
    let is_wide = std::env::var("MODEL_BOUND").is_ok_and(|bound| bound == "wide");
    let scenario = if is_wide { within(scenario.wide, scenario) } else { scenario };
    let record = records::of(scenario.name);
    let report = holds(&scenario);
    println!("{}: {report}", scenario.name);
    if is_wide {
        assert!(
            report.states >= records::counts()[scenario.name],
            "{} shows less than within its narrow bounds",
            scenario.name
        );
    } else {
        records::count(scenario.name, report.states);
    }
    let mut missing = report.seen.missing(&scenario);
    missing
        .extend(record.plans.iter().filter(|plan| !report.seen.plans.contains(plan)).map(|plan| format!("{plan:?}")));
    missing.extend(
        record.errors.iter().filter(|error| !report.seen.errors.contains(error)).map(|error| format!("{error:?}")),
    );
    assert_eq!(missing, Vec::<String>::new(), "{}: not seen", scenario.name);
}

#[test]
fn an_object_lives_and_dies_while_others_interfere() {
    explored(scenarios::life());
}

#[test]
fn calls_fail_and_processes_die_anywhere() {
    explored(scenarios::faults());
}

#[test]
fn users_change_their_minds_at_any_moment() {
    explored(scenarios::minds());
}

#[test]
fn every_call_meets_every_error() {
    explored(scenarios::errors());
}

#[test]
fn a_group_in_use_by_no_listed_tenant_is_kept_in_service() {
    explored(scenarios::unlisted());
}

#[test]
fn a_list_older_than_the_consistency_window_proves_nothing_about_a_late_create() {
    explored(scenarios::old_lists());
}

#[test]
fn a_deletion_waits_for_tenants_and_ends() {
    explored(scenarios::deletion());
}

#[test]
fn a_deletion_in_which_two_things_go_wrong_ends_too() {
    explored(scenarios::struck());
}

#[test]
fn two_owners_never_touch_each_others_group() {
    explored(scenarios::owners());
}

#[test]
fn foreign_groups_are_left_alone() {
    explored(scenarios::strangers());
}

#[test]
fn an_unowned_group_is_adopted() {
    explored(scenarios::adoption());
}

#[test]
fn a_group_that_is_adopted_in_place_of_ours_keeps_its_tags() {
    explored(scenarios::squatters());
}

#[test]
fn flapping_with_another_client_is_slowed_down_and_the_spec_wins_in_the_end() {
    explored(scenarios::dispute());
}

#[test]
fn two_processes_at_once_harm_nothing() {
    explored(scenarios::replicas());
}

#[test]
fn every_mode_follows_every_other() {
    explored(scenarios::modes());
}

#[test]
fn lists_that_cannot_be_attached_or_detached_are_reported() {
    explored(scenarios::anycast());
}

#[test]
fn a_list_that_stays_attached_is_reported() {
    explored(scenarios::sticky());
}

#[test]
fn drift_that_no_list_shows_is_found() {
    explored(scenarios::drift());
}

#[test]
fn refusals_are_retried_until_they_end() {
    explored(scenarios::refusals());
}

#[test]
fn a_full_account_is_reported() {
    explored(scenarios::quota());
}

#[test]
fn a_forged_status_has_no_effect_and_is_corrected() {
    explored(scenarios::forgeries());
}

#[test]
fn a_name_that_reads_like_an_id_leads_to_no_other_group() {
    explored(scenarios::aliased());
}

#[test]
fn a_requested_reconcile_does_a_full_read() {
    explored(scenarios::requests());
}

#[test]
fn a_cache_that_lags_behind_harms_nothing() {
    explored(scenarios::lag());
}

#[test]
fn a_refused_member_blocks_no_other() {
    explored(scenarios::members());
}

#[test]
fn lists_that_others_attached_stay() {
    explored(scenarios::lists());
}

#[test]
fn tags_that_others_set_stay() {
    explored(scenarios::tags());
}

#[test]
fn a_deletion_that_cannot_continue_leaves_the_group_in_service() {
    explored(scenarios::blocked());
}

#[test]
fn a_clone_touches_nothing() {
    explored(scenarios::clones());
}

#[test]
fn a_cluster_that_takes_over_acts_alone() {
    explored(scenarios::heir());
}

#[test]
fn a_group_without_an_identity_is_given_one_first() {
    explored(scenarios::unmarked());
}

#[test]
fn one_false_answer_does_no_harm() {
    explored(scenarios::lies());
}

#[test]
fn what_lists_leave_out_is_not_waited_for() {
    explored(scenarios::terse());
}

#[test]
fn another_group_of_the_same_name_is_evaluated_anew() {
    explored(scenarios::replaced());
}

#[test]
fn the_default_group_is_left_alone() {
    explored(scenarios::default_group());
}
