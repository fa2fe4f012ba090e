//! Somebody else who changes a group again and again: put right each time, but never in a tight loop, and people are told.

use std::{collections::BTreeMap, time::Duration};

use cloudfront_simulator::admin::GroupPatch;
use connection_group_operator::{
    clock::Moment,
    cloudfront::{
        ErrorClass,
        Operation::{GetConnectionGroup, TagResource, UpdateConnectionGroup},
    },
};
use port::Fault;

use crate::world::{World, spec};

fn disable() -> GroupPatch {
    GroupPatch { enabled: Some(false), ..GroupPatch::default() }
}

/// Somebody disables the group, and the operator has seen it; returns how long it waits until it puts that right, if it does not do so at once.
fn interfered(world: &mut World) -> Option<Duration> {
    world.somebody_edits(disable());
    world.take_inventory();
    let outcome = world.pass();
    let held = world.ready().1 == "DriftFlapping";
    assert_eq!(world.group().unwrap().resource.enabled, !held, "{}", world.message());
    held.then_some(outcome.requeue)
}

fn wait_and_put_right(world: &mut World, pause: Duration) {
    world.calls();
    world.advance(pause);
    world.pass();
    assert_eq!(world.mutations(), [UpdateConnectionGroup]);
    assert!(world.group().unwrap().resource.enabled);
}

#[test]
fn a_person_does_not_wait_for_the_pause_even_if_the_first_try_fails() {
    let mut world = World::new(spec());
    world.settle();
    for _ in 0..7 {
        interfered(&mut world);
        let pause = world.pass().requeue;
        wait_and_put_right_if_held(&mut world, pause);
    }
    let pause = interfered(&mut world).expect("it is not put right at once");
    assert!(pause > Duration::from_mins(1), "{pause:?}");
    world.edit(|spec| spec.ipv6_enabled = false);
    world.fail(GetConnectionGroup, Fault::Error(ErrorClass::Throttled));
    world.pass();
    world.calls();
    world.at_once();
    assert!(world.mutations().contains(&UpdateConnectionGroup), "{}", world.message());
    let group = world.group().unwrap().resource;
    assert_eq!((group.enabled, group.ipv6_enabled), (true, false));
}

fn wait_and_put_right_if_held(world: &mut World, pause: Duration) {
    if world.ready().1 == "DriftFlapping" {
        wait_and_put_right(world, pause);
    }
}

#[test]
fn the_first_change_of_others_is_put_right_at_once_and_each_further_one_after_a_longer_pause() {
    let mut world = World::new(spec());
    world.settle();
    world.calls();
    assert_eq!(interfered(&mut world), None);
    assert_eq!(world.mutations(), [UpdateConnectionGroup]);
    let mut longest = Duration::ZERO;
    for nominal in [2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        let pause = interfered(&mut world).expect("it is not put right at once");
        assert_eq!(world.mutations(), []);
        let nominal = Duration::from_secs(nominal);
        assert!(pause <= nominal && pause >= nominal.mul_f64(0.75), "{pause:?} for {nominal:?}");
        longest = longest.max(pause);
        wait_and_put_right(&mut world, pause);
    }
    assert!(longest <= Duration::from_mins(5));
}

#[test]
fn while_it_waits_the_condition_says_what_differs_who_is_to_be_looked_for_and_when_it_is_put_right() {
    let mut world = World::new(spec());
    world.settle();
    interfered(&mut world);
    interfered(&mut world);
    assert_eq!(world.ready(), ("False".into(), "DriftFlapping".into(), vec!["Reconciling".into()]));
    for part in ["enabled is 'false', the spec says 'true'", "will correct this one after", "spec.mode to Observe"] {
        assert!(world.message().contains(part), "{part}: {}", world.message());
    }
    assert_eq!(world.event_reasons().iter().filter(|reason| **reason == "DriftFlapping").count(), 1);
    world.calls();
    for _ in 0..3 {
        world.take_inventory();
        world.pass();
    }
    assert_eq!(world.mutations(), [], "not before its time, however often it is looked at");
}

#[test]
fn what_was_held_back_still_counts_as_a_change_of_others() {
    let mut world = World::new(spec());
    world.settle();
    interfered(&mut world);
    let pause = interfered(&mut world).unwrap();
    wait_and_put_right(&mut world, pause);
    assert_eq!(world.drift, ["enabled", "enabled"]);
    assert_eq!(world.event_reasons().iter().filter(|reason| **reason == "DriftCorrected").count(), 2);
}

#[test]
fn trouble_during_the_pause_does_not_end_it() {
    let mut world = World::new(spec());
    world.settle();
    for _ in 0..4 {
        if let Some(pause) = interfered(&mut world) {
            wait_and_put_right(&mut world, pause);
        }
    }
    interfered(&mut world).unwrap();
    world.fail(GetConnectionGroup, Fault::Error(ErrorClass::AccessDenied));
    world.fail(GetConnectionGroup, Fault::Error(ErrorClass::AccessDenied));
    world.pass();
    assert_eq!(world.ready().1, "AccessDenied");
    world.calls();
    world.pass();
    assert_eq!((world.mutations(), world.ready().1), (vec![], "DriftFlapping".into()));
}

#[test]
fn three_changes_within_an_hour_are_told_although_none_had_to_wait() {
    let mut world = World::new(spec());
    world.settle();
    for round in 1..=3 {
        assert!(!world.event_reasons().contains(&"DriftFlapping"), "{round}");
        assert_eq!(interfered(&mut world), None);
        world.advance(Duration::from_mins(20));
        world.take_inventory();
        world.settle();
    }
    assert!(world.event_reasons().contains(&"DriftFlapping"));
}

#[test]
fn a_person_does_not_wait_for_the_pause() {
    for (what, asks) in [("an edit", true), ("a request", false)] {
        let mut world = World::new(spec());
        world.settle();
        interfered(&mut world);
        interfered(&mut world);
        world.calls();
        if asks {
            world.edit(|spec| spec.ipv6_enabled = false);
        } else {
            world.request_reconcile("now");
        }
        world.pass();
        assert_eq!(world.mutations(), [UpdateConnectionGroup], "{what}");
    }
}

#[test]
fn the_emergency_switch_is_obeyed_in_the_middle_of_a_dispute() {
    let mut world = World::new(spec());
    world.settle();
    interfered(&mut world);
    world.somebody_edits(GroupPatch { ipv6_enabled: Some(false), ..GroupPatch::default() });
    world.take_inventory();
    world.pass();
    assert_eq!(world.ready().1, "DriftFlapping");
    world.edit(|spec| spec.enabled = false);
    world.pass();
    assert!(!world.group().unwrap().resource.enabled);
}

#[test]
fn an_hour_of_peace_ends_the_dispute() {
    let mut world = World::new(spec());
    world.settle();
    interfered(&mut world);
    let pause = interfered(&mut world).unwrap();
    wait_and_put_right(&mut world, pause);
    world.advance(Duration::from_hours(1));
    world.take_inventory();
    world.settle();
    assert_eq!(interfered(&mut world), None);
}

#[test]
fn a_tag_that_others_keep_taking_off_is_put_back_no_faster_than_that() {
    let mut world = World::new(spec());
    world.edit(|spec| spec.tags = BTreeMap::from([("team".into(), "edge".into())]));
    world.settle();
    world.calls();
    let take_off = |world: &mut World| {
        world.somebody_edits(GroupPatch { remove_tags: vec!["team".into()], ..GroupPatch::default() });
        world.memory.resync_at = Some(Moment::START);
        world.pass();
    };
    take_off(&mut world);
    assert_eq!(world.mutations(), [TagResource]);
    // One that was set within the last minute may not show yet. After seven rounds, the pause is longer than that.
    for minutes in [1, 1, 1, 1, 1, 2] {
        take_off(&mut world);
        assert_eq!((world.mutations(), world.ready().1), (vec![], "Deployed".into()));
        world.advance(Duration::from_mins(minutes));
        world.pass();
        assert_eq!(world.mutations(), [TagResource]);
    }
    world.advance(Duration::from_mins(1));
    take_off(&mut world);
    assert_eq!((world.mutations(), world.ready().1), (vec![], "DriftFlapping".into()));
    world.advance(Duration::from_secs(69));
    world.pass();
    assert_eq!(world.mutations(), [TagResource]);
    assert_eq!(world.tags()["team"], "edge");
}

#[test]
fn a_change_of_our_own_whose_answer_was_lost_is_not_told_as_somebody_elses() {
    let mut world = World::new(spec());
    world.settle();
    world.edit(|spec| (spec.enabled, spec.ipv6_enabled) = (false, false));
    world.fail(UpdateConnectionGroup, Fault::AnswerLost);
    world.pass();
    assert!(!world.group().unwrap().resource.enabled, "it took effect");
    world.fail(UpdateConnectionGroup, Fault::Error(ErrorClass::Throttled));
    world.pass();
    world.at_once();
    assert!(!world.group().unwrap().resource.ipv6_enabled, "{}", world.message());
    assert!(!world.event_reasons().contains(&"DriftCorrected"), "{:?}", world.events);
    assert_eq!(world.drift, Vec::<String>::new());

    world.edit(|spec| spec.enabled = true);
    world.settle();
    assert_eq!(interfered(&mut world), None, "nor does it count for the pause before others' changes are put right");
    assert_eq!(world.drift, ["enabled"], "which are told again once a change was answered");
}

#[test]
fn a_tag_that_was_sent_without_an_answer_and_is_not_there_was_not_taken_off_by_others() {
    let mut world = World::new(spec());
    world.settle();
    world.edit(|spec| spec.tags = BTreeMap::from([("team".into(), "edge".into())]));
    world.fail(TagResource, Fault::Error(ErrorClass::TimedOut));
    world.pass();
    assert!(!world.tags().contains_key("team"));
    world.pass();
    assert_eq!((world.tags()["team"].as_str(), world.ready().1.as_str()), ("edge", "Deployed"));
    assert_eq!(world.drift, Vec::<String>::new());
}

#[test]
fn a_version_of_our_own_that_shows_after_a_stale_read_is_not_told_as_somebody_elses() {
    let mut world = World::new(spec());
    world.settle();
    world.edit(|spec| spec.enabled = false);
    world.settle();
    world.edit(|spec| spec.enabled = true);
    world.fail(GetConnectionGroup, Fault::Stale);
    world.pass();
    assert!(!world.group().unwrap().resource.enabled, "the stale read shows it enabled");
    world.take_inventory();
    world.pass();
    assert!(world.group().unwrap().resource.enabled, "{}", world.message());
    assert_eq!(
        (world.event_reasons().contains(&"DriftCorrected"), world.drift.len()),
        (false, 0),
        "{:?}",
        world.events
    );
}
