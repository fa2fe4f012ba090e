//! When a reconcile is retried, and what is written meanwhile: status changes when the situation does, and a wait whose end is known ends then.

use std::time::Duration;

use connection_group_operator::{
    api::AdoptionPolicy,
    clock::Clock,
    cloudfront::{
        ErrorClass, Operation,
        Operation::{CreateConnectionGroup, GetConnectionGroup, TagResource, UpdateConnectionGroup},
    },
};
use port::Fault;

use crate::world::{World, spec};

/// The error classes that a reconcile reports: a group that is gone, outdated or in use by tenants is read again first.
fn reported() -> impl Iterator<Item = ErrorClass> {
    let read_again = [ErrorClass::NotFound, ErrorClass::StaleEtag, ErrorClass::HasTenants];
    ErrorClass::ALL.iter().copied().filter(move |class| !read_again.contains(class))
}

/// Writes of status while each of these reconciles fails.
fn writes(world: &mut World, operation: Operation, class: ErrorClass) -> usize {
    let mut writes = 0;
    for _ in 0..8 {
        for _ in 0..4 {
            world.fail(operation, Fault::Error(class));
        }
        let before = world.status();
        let pause = world.at_once().requeue;
        writes += usize::from(world.status() != before);
        world.faults_stop();
        world.advance(pause);
    }
    writes
}

#[test]
fn however_often_a_reconcile_fails_status_is_written_once() {
    type Edit = fn(&mut World);
    let edits: [(Operation, Edit); 4] = [
        (CreateConnectionGroup, |world| {
            world.object.status = Some(connection_group_operator::api::ConnectionGroupStatus::UNSEEN);
        }),
        (GetConnectionGroup, |world| {
            world.settle();
            world.edit(|spec| spec.ipv6_enabled = false);
        }),
        (UpdateConnectionGroup, |world| {
            world.settle();
            world.edit(|spec| spec.ipv6_enabled = false);
        }),
        (TagResource, |world| {
            world.settle();
            world.edit(|spec| drop(spec.tags.insert("team".into(), "edge".into())));
        }),
    ];
    for (operation, edit) in edits {
        for class in reported() {
            let mut world = World::new(spec());
            edit(&mut world);
            assert_eq!(writes(&mut world, operation, class), 1, "{class:?} at {operation}: {}", world.message());
            assert!(!world.message().contains("r-1"), "no request id: {}", world.message());
        }
    }
}

#[test]
fn two_members_that_stay_refused_are_written_once() {
    let mut world = World::new(spec());
    world.settle();
    world.edit(|spec| {
        spec.ipv6_enabled = false;
        spec.anycast_ip_list_id = Some("aip_unknown".into());
    });
    assert_eq!(writes(&mut world, UpdateConnectionGroup, ErrorClass::InvalidArgument), 1, "{}", world.message());
}

/// Continues as the runtime does, with a list every ten seconds, until that holds. Returns the time it took.
fn until(world: &mut World, holds: impl Fn(&World) -> bool) -> Duration {
    let start = world.clock().moment();
    for _ in 0..60 {
        if holds(world) {
            return world.clock().moment().since(start);
        }
        let pause = world.reconcile().requeue;
        if !holds(world) {
            world.advance(pause);
        }
    }
    panic!("not within 60 reconciles: {}", world.message())
}

#[test]
fn a_young_group_is_adopted_after_about_one_window_and_made_to_match_right_after() {
    let mut world = World::new(spec());
    world.settings.allow_adoption = true;
    world.edit(|spec| {
        spec.adoption_policy = AdoptionPolicy::Always;
        spec.ipv6_enabled = false;
    });
    world.someone_creates(|_| {});
    world.take_inventory();
    world.calls();
    let adopted = until(&mut world, |world| world.tags().contains_key("cloudfront.kube-operators.dev/owner"));
    assert!(adopted <= Duration::from_secs(63), "{adopted:?}");
    let calls = world.calls();
    assert!(calls.len() <= 8, "{calls:?}");
    let changed = until(&mut world, |world| !world.group().unwrap().resource.ipv6_enabled);
    assert!(changed <= Duration::from_secs(2), "{changed:?}");
}

#[test]
fn what_is_left_after_tags_were_set_does_not_wait_for_the_backoff_of_earlier_failures() {
    let mut world = World::new(spec());
    world.edit(|spec| spec.tags = [("old".into(), "1".into())].into());
    world.settle();
    world.edit(|spec| spec.tags = [("new".into(), "1".into())].into());
    for _ in 0..6 {
        world.fail(TagResource, Fault::Error(ErrorClass::ServiceUnavailable));
        let pause = world.reconcile().requeue;
        world.advance(pause);
    }
    let left = until(&mut world, |world| !world.tags().contains_key("old"));
    assert!(left <= Duration::from_secs(2), "{left:?}");
    assert_eq!(world.object_state.failures, 0);
}
