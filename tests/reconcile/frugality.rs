//! How few calls it takes to create, keep and delete a group: counted at the port.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use connection_group_operator::{
    clock::Clock,
    cloudfront::{
        ErrorClass,
        Operation::{
            CreateConnectionGroup, GetConnectionGroup, ListConnectionGroups, ListTagsForResource, UpdateConnectionGroup,
        },
    },
};

use port::Fault;

use crate::world::{PROPAGATION, World, spec};

#[test]
fn a_new_group_costs_one_call_until_ready_besides_the_lists() {
    let mut world = World::new(spec());
    world.reconcile();
    world.reconcile();
    world.advance(PROPAGATION);
    world.take_inventory();
    world.reconcile();
    assert_eq!(world.ready().1, "Deployed");
    let calls = world.calls().into_iter().filter(|call| call.as_str() != "ListConnectionGroups").collect::<Vec<_>>();
    assert_eq!(calls, [CreateConnectionGroup]);
}

#[test]
fn an_edit_costs_one_full_read_and_one_update() {
    let mut world = World::new(spec());
    world.settle();
    world.calls();
    world.edit(|spec| spec.ipv6_enabled = false);
    world.reconcile();
    world.reconcile();
    assert_eq!(world.sorted_calls(), [GetConnectionGroup, ListTagsForResource, UpdateConnectionGroup]);
}

#[test]
fn a_reconcile_of_an_object_at_rest_makes_no_call_and_no_write() {
    let mut world = World::new(spec());
    world.edit(|spec| spec.tags = BTreeMap::from([("team".into(), "edge".into())]));
    let before = world.settle();
    world.take_inventory();
    world.calls();
    let outcome = world.reconcile();
    assert_eq!(world.calls(), []);
    assert_eq!(outcome.status, before);
    assert!(outcome.events.is_empty());
}

#[test]
fn after_a_restart_one_list_is_enough() {
    let mut world = World::new(spec());
    let before = world.settle();
    world.crash();
    world.take_inventory();
    world.calls();
    let outcome = world.reconcile();
    assert_eq!(world.calls(), []);
    assert_eq!(outcome.status, before);
}

#[test]
fn without_lists_objects_are_read_one_by_one_now_and_then() {
    for lists_never_came in [true, false] {
        let mut world = World::new(spec());
        world.settle();
        if lists_never_came {
            world.snapshot = None;
        }
        world.advance(world.settings.inventory_interval * 4);
        world.calls();
        world.keep_failing(ListConnectionGroups, Fault::Error(ErrorClass::AccessDenied));
        world.go_on_for(Duration::from_hours(1), |_| {});
        let (gets, others) = world.calls().into_iter().partition::<Vec<_>, _>(|call| *call == GetConnectionGroup);
        assert!((11..=13).contains(&gets.len()), "{lists_never_came}: {} reads in an hour", gets.len());
        assert!(others.iter().all(|call| [ListTagsForResource, ListConnectionGroups].contains(call)), "{others:?}");
    }
}

#[test]
fn without_lists_the_end_of_a_rollout_is_noticed_within_a_minute() {
    let mut world = World::new(spec());
    world.keep_failing(ListConnectionGroups, Fault::Error(ErrorClass::AccessDenied));
    world.settle_within(PROPAGATION + Duration::from_mins(1), 20);
    assert_eq!(world.ready().1, "Deployed");
}

#[test]
fn objects_about_which_nothing_is_known_are_not_read_again_and_again() {
    type Case = fn(&mut World);
    let cases: [Case; 4] = [
        |world| world.edit(|spec| spec.mode = connection_group_operator::api::Mode::Observe),
        |world| world.edit(|spec| spec.suspend = true),
        |world| {
            world.edit(|spec| spec.deletion_protection = true);
            world.delete();
        },
        |world| {
            world.someone_creates(|group| {
                group.tags.insert("cloudfront.kube-operators.dev/owner".into(), "dev/x/y".into());
            });
        },
    ];
    for (number, case) in cases.into_iter().enumerate() {
        let mut world = World::new(spec());
        case(&mut world);
        world.advance(world.settings.resync_interval * 3);
        world.take_inventory();
        world.reconcile();
        let requeue = world.reconcile().requeue;
        assert!(requeue > Duration::from_secs(20), "case {number}: {requeue:?}");
    }
}

#[test]
fn at_rest_the_next_full_read_is_the_resync() {
    let mut world = World::new(spec());
    world.settle();
    world.calls();
    let mut rested = Duration::ZERO;
    let reads = loop {
        let requeue = world.reconcile().requeue;
        let reads = world.calls().into_iter().filter(|call| call.as_str() != "ListConnectionGroups").count();
        if reads > 0 {
            break reads;
        }
        rested += requeue;
        world.advance(requeue);
        world.take_inventory();
    };
    let interval = world.settings.resync_interval;
    assert_eq!(reads, 2);
    assert!(rested > interval * 8 / 10 && rested <= interval * 11 / 10, "{rested:?}");
}

#[test]
fn objects_that_were_fully_read_at_the_same_moment_do_not_become_due_together_again() {
    let due = (0..16).map(|number| {
        let mut world = World::new(spec());
        world.object.metadata.uid = Some(format!("uid-{number}"));
        world.settle();
        world.calls();
        world.request_reconcile("now");
        world.reconcile();
        assert_eq!(world.sorted_calls(), [GetConnectionGroup, ListTagsForResource]);
        let now = world.clock().moment();
        world.object_state.resync_due().since(now)
    });
    let due = due.collect::<BTreeSet<_>>();
    let interval = World::new(spec()).settings.resync_interval;
    assert_eq!(due.len(), 16, "{due:?}");
    let (first, last) = (due.first().unwrap(), due.last().unwrap());
    assert!(last.saturating_sub(*first) > interval / 10, "{due:?}");
    assert!(*first >= interval * 9 / 10 && *last <= interval * 11 / 10, "{due:?}");
}
