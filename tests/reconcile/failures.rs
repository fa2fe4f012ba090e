//! Each class of error, on each kind of call: what the object reports, when it is retried, and that it recovers.

use std::time::Duration;

use cloudfront_simulator::admin::GroupPatch;
use connection_group_operator::{
    api::{AdoptionPolicy, ConnectionGroupSpec, DeletionPolicy},
    clock::Clock,
    cloudfront::{
        ErrorClass, Operation,
        Operation::{
            CreateConnectionGroup, DeleteConnectionGroup, GetConnectionGroup, ListDistributionTenants,
            ListTagsForResource, TagResource, UntagResource, UpdateConnectionGroup,
        },
    },
};
use port::Fault;

use crate::{
    ownership::beside_an_unowned_group,
    world::{BY_ITSELF, World, spec},
};

/// Class, reason, the condition beside Ready, the longest first pause in seconds.
const TABLE: [(ErrorClass, &str, &str, u64); 12] = [
    (ErrorClass::Throttled, "Throttled", "Reconciling", 1),
    (ErrorClass::ServiceUnavailable, "ServiceUnavailable", "Reconciling", 1),
    (ErrorClass::TimedOut, "ServiceUnavailable", "Reconciling", 1),
    (ErrorClass::Unreachable, "ServiceUnavailable", "Reconciling", 1),
    (ErrorClass::Credentials, "CredentialsUnavailable", "Reconciling", 1),
    (ErrorClass::AccessDenied, "AccessDenied", "Reconciling", 30),
    (ErrorClass::LimitExceeded, "QuotaExceeded", "Reconciling", 30),
    (ErrorClass::InvalidArgument, "InvalidArgument", "Stalled", 30),
    (ErrorClass::InUse, "InUse", "Reconciling", 30),
    (ErrorClass::NotFound, "Conflict", "Reconciling", 1),
    (ErrorClass::NotDisabled, "Conflict", "Reconciling", 1),
    (ErrorClass::Unexpected, "UnexpectedResponse", "Reconciling", 1),
];

fn assert_row(world: &mut World, row: (ErrorClass, &str, &str, u64), operation: Operation) {
    let (class, reason, beside, first_pause) = row;
    world.fail(operation, Fault::Error(class));
    let outcome = world.reconcile();
    assert_eq!(world.ready(), ("False".into(), reason.into(), vec![beside.into()]), "{class:?} at {operation}");
    let pause = outcome.requeue;
    assert!(!pause.is_zero() && pause <= Duration::from_secs(first_pause), "{class:?}: {pause:?}");
    assert!(!world.message().contains("r-1"), "each try has another request id: {}", world.message());
    world.settle_within(BY_ITSELF, 16);
    assert_eq!(world.ready().0, "True", "{class:?} at {operation} must recover by itself");
}

#[test]
fn every_error_of_a_create_has_its_row_and_recovers() {
    for row in TABLE {
        assert_row(&mut World::new(spec()), row, CreateConnectionGroup);
    }
}

#[test]
fn every_error_of_an_update_has_its_row_and_recovers() {
    for row in TABLE {
        let mut world = World::new(spec());
        world.settle();
        world.edit(|spec| spec.enabled = false);
        assert_row(&mut world, row, UpdateConnectionGroup);
    }
}

#[test]
fn every_error_of_a_tag_call_has_its_row_and_recovers() {
    for row in TABLE {
        let mut world = World::new(spec());
        world.settle();
        world.edit(|spec| {
            spec.tags.insert("team".into(), "edge".into());
        });
        assert_row(&mut world, row, TagResource);
    }
}

#[test]
fn every_error_of_a_read_has_its_row_and_recovers() {
    for operation in [GetConnectionGroup, ListTagsForResource] {
        for row in TABLE.into_iter().filter(|row| row.0 != ErrorClass::NotFound) {
            let mut world = World::new(spec());
            world.settle();
            world.edit(|spec| spec.enabled = false);
            // If there is no group with the id, the name is tried too.
            world.fail(operation, Fault::Error(row.0));
            assert_row(&mut world, row, operation);
        }
    }
}

#[test]
fn a_transient_read_error_does_not_make_a_ready_object_not_ready() {
    for class in [ErrorClass::Throttled, ErrorClass::ServiceUnavailable, ErrorClass::TimedOut, ErrorClass::Unreachable]
    {
        let mut world = World::new(spec());
        let before = world.settle();
        world.request_reconcile("now");
        world.fail(GetConnectionGroup, Fault::Error(class));
        let outcome = world.reconcile();
        assert_eq!(outcome.status, before, "{class:?}");
        assert!(outcome.requeue <= Duration::from_secs(1), "and is retried soon");
        assert!(outcome.error.is_some(), "and is logged");
    }
}

#[test]
fn reads_that_fail_are_shown_once_a_full_read_has_been_due_for_another_interval_and_not_before() {
    use ErrorClass::{ServiceUnavailable, Throttled, TimedOut, Unexpected, Unreachable};
    for class in [Throttled, ServiceUnavailable, TimedOut, Unreachable, Unexpected] {
        let mut world = World::new(spec());
        world.settle();
        let until_due = world.object_state.resync_due().since(world.clock().moment());
        let (interval, second) = (world.settings.resync_interval, Duration::from_secs(1));
        for (then, ready) in [(until_due + interval.saturating_sub(second), "True"), (second * 2, "False")] {
            world.advance(then);
            world.take_inventory();
            // If there is no group with the id, the name is tried too.
            for _ in 0..2 {
                world.fail(GetConnectionGroup, Fault::Error(class));
            }
            assert!(world.reconcile().error.is_some(), "{class:?}: the group is read");
            world.faults_stop();
            assert_eq!(world.ready().0, ready, "{class:?}: {}", world.message());
        }
    }
}

#[test]
fn a_failure_that_outlasts_the_resync_is_shown() {
    let mut world = World::new(spec());
    world.settle();
    world.snapshot = None;
    world.advance(world.settings.resync_interval * 4);
    world.fail(GetConnectionGroup, Fault::Error(ErrorClass::Unreachable));
    world.reconcile();
    assert_eq!(world.ready().1, "ServiceUnavailable");
}

#[test]
fn pauses_grow_to_five_minutes_and_start_over_after_success() {
    let mut world = World::new(spec());
    let mut pauses = Vec::new();
    for _ in 0..12 {
        world.fail(CreateConnectionGroup, Fault::Error(ErrorClass::ServiceUnavailable));
        pauses.push(world.reconcile().requeue);
    }
    assert!(pauses[0] < Duration::from_secs(2));
    assert!(pauses.iter().all(|pause| *pause <= Duration::from_mins(5)));
    assert!(pauses[11] >= Duration::from_mins(4), "{pauses:?}");
    world.settle();
    assert_eq!(world.object_state.failures, 0);
}

#[test]
fn an_object_that_is_throttled_again_and_again_waits_for_the_rate_limit_and_not_for_minutes() {
    let mut world = World::new(spec());
    for _ in 0..12 {
        world.fail(CreateConnectionGroup, Fault::Error(ErrorClass::Throttled));
        assert!(world.reconcile().requeue <= Duration::from_secs(10));
    }
}

/// What the object reports once IAM refuses the operation that its next reconcile calls.
fn refused_by_iam(world: &mut World, operation: Operation) -> String {
    // If the read by id is denied, the name is tried too.
    world.keep_failing(operation, Fault::Error(ErrorClass::AccessDenied));
    world.reconcile();
    world.faults_stop();
    assert_eq!(world.ready().1, "AccessDenied", "{}", world.message());
    world.message()
}

#[test]
fn a_refusal_by_iam_names_the_action_and_the_arn_of_the_group() {
    type Edit = fn(&mut World);
    let cases: [(Operation, Edit); 6] = [
        (GetConnectionGroup, |world| world.request_reconcile("now")),
        (ListTagsForResource, |world| world.request_reconcile("now")),
        (UpdateConnectionGroup, |world| world.edit(|spec| spec.enabled = false)),
        (TagResource, |world| world.edit(|spec| drop(spec.tags.insert("team".into(), "edge".into())))),
        (UntagResource, |world| world.edit(|spec| spec.deletion_policy = DeletionPolicy::Retain)),
        (DeleteConnectionGroup, |world| world.edit(|spec| spec.enabled = false)),
    ];
    for (operation, edit) in cases {
        let mut world = World::new(spec());
        world.settle();
        edit(&mut world);
        if matches!(operation, UntagResource | DeleteConnectionGroup) {
            world.settle();
            world.delete();
        }
        let arn = world.group().unwrap().resource.arn;
        let message = refused_by_iam(&mut world, operation);
        assert!(message.contains(&format!("cloudfront:{operation} on {arn} (edge)")), "{message}");
    }
}

#[test]
fn a_refusal_of_a_group_without_an_arn_names_the_action_and_all_resources() {
    let mut world = World::new(spec());
    let message = refused_by_iam(&mut world, CreateConnectionGroup);
    assert!(message.contains("cloudfront:CreateConnectionGroup on * (for connection group edge)"), "{message}");
    world.settle();
    world.delete();
    let message = refused_by_iam(&mut world, ListDistributionTenants);
    assert!(message.contains("cloudfront:ListDistributionTenants on * (for connection group edge)"), "{message}");
}

#[test]
fn an_adoption_that_iam_refuses_names_the_arn_of_the_group_that_was_found_by_its_name() {
    let mut world = beside_an_unowned_group(AdoptionPolicy::Always, true);
    world.confirm_unowned();
    let message = refused_by_iam(&mut world, TagResource);
    let arn = world.group().unwrap().resource.arn;
    assert!(message.contains(&format!("cloudfront:TagResource on {arn} (edge)")), "{message}");
    assert_eq!(world.status().arn, None, "it is not shown as ours");
}

#[test]
fn an_edit_in_the_middle_of_a_slow_backoff_restarts_the_backoff() {
    let mut world = World::new(spec());
    let mut refused = || {
        world.fail(CreateConnectionGroup, Fault::Error(ErrorClass::AccessDenied));
        world.reconcile().requeue
    };
    let (first, second) = (refused(), refused());
    assert!(second > Duration::from_secs(40), "{second:?}");
    world.edit(|spec| spec.enabled = false);
    world.fail(CreateConnectionGroup, Fault::Error(ErrorClass::AccessDenied));
    assert_eq!((world.reconcile().requeue, world.object_state.failures), (first, 1));
    world.edit(|spec| spec.enabled = true);
    world.reconcile();
    assert_eq!((world.ready().1.as_str(), world.object_state.failures), ("Deploying", 0));
}

#[test]
fn the_quota_of_groups_is_named_with_its_use_and_the_object_recovers_when_it_is_raised() {
    let mut world = World::new(spec());
    world.switch(|switches| switches.groups_per_account = 0);
    world.reconcile();
    assert_eq!(world.ready().1, "QuotaExceeded");
    assert!(
        world.message().contains("connection groups per account (the account has 0 groups)"),
        "{}",
        world.message()
    );
    world.switch(|switches| switches.groups_per_account = 100);
    world.settle_within(BY_ITSELF, 4);
    assert_eq!(world.ready().1, "Deployed");
}

#[test]
fn the_same_failure_is_reported_in_one_event() {
    let mut world = World::new(spec());
    for _ in 0..3 {
        world.fail(CreateConnectionGroup, Fault::Error(ErrorClass::AccessDenied));
        world.reconcile();
    }
    assert_eq!(world.event_reasons(), ["AccessDenied"]);
}

#[test]
fn an_object_with_a_difference_that_could_not_be_corrected_is_not_ready() {
    let mut world = World::new(spec());
    world.edit(|spec| drop(spec.tags.insert("team".into(), "edge".into())));
    world.settle();
    world.someone_edits(GroupPatch { remove_tags: vec!["team".into()], ..GroupPatch::default() });
    world.advance(world.settings.resync_interval.mul_f64(1.15));
    world.take_inventory();
    world.fail(TagResource, Fault::Error(ErrorClass::Throttled));
    world.reconcile();
    assert_eq!(world.ready().0, "False", "the tag is missing, and the operator knows it");
}

#[test]
fn what_a_reconcile_read_before_its_change_was_refused_is_shown() {
    let mut world = World::new(spec());
    world.settle();
    world.someone_edits(GroupPatch { enabled: Some(false), ..GroupPatch::default() });
    world.take_inventory();
    world.fail(UpdateConnectionGroup, Fault::Error(ErrorClass::AccessDenied));
    world.reconcile();
    assert_eq!((world.ready().1.as_str(), world.status().enabled), ("AccessDenied", Some(false)));
    assert_eq!(world.status().status.as_deref(), Some("InProgress"));
    world.faults_stop();
    world.settle();
    assert!(world.event_reasons().contains(&"DriftCorrected"), "it is still known to be someone else's change");
}

#[test]
fn tags_that_may_have_been_set_do_not_count_as_set_when_the_configuration_is_corrected_in_between() {
    let mut world = World::new(spec());
    world.settle();
    world.edit(|spec| {
        spec.tags.insert("team".into(), "edge".into());
    });
    world.fail(TagResource, Fault::Error(ErrorClass::ServiceUnavailable));
    world.reconcile();
    world.someone_edits(GroupPatch { ipv6_enabled: Some(false), ..GroupPatch::default() });
    world.take_inventory();
    world.settle();
    assert_eq!(world.tags().get("team").map(String::as_str), Some("edge"));
}

#[test]
fn an_unanswered_update_leaves_in_doubt_whether_the_group_is_enabled_only_if_it_was_to_change_that() {
    type Edit = fn(&mut ConnectionGroupSpec);
    let edits: [(Edit, Option<bool>); 2] =
        [(|spec| spec.ipv6_enabled = false, Some(true)), (|spec| spec.enabled = false, None)];
    for (edit, enabled) in edits {
        let mut world = World::new(spec());
        world.settle();
        world.edit(edit);
        world.fail(UpdateConnectionGroup, Fault::Error(ErrorClass::TimedOut));
        world.reconcile();
        assert_eq!((world.ready().1.as_str(), world.status().enabled), ("ServiceUnavailable", enabled));
    }
}
