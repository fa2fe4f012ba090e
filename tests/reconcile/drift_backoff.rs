//! Another client that changes a group again and again: each change is corrected, but never in a tight loop, and the object reports it.

use std::{collections::BTreeMap, time::Duration};

use cloudfront_simulator::{
    admin::{GroupPatch, NewGroup, NewList},
    switches::IpAddressType,
};
use connection_group_operator::{
    api::ConnectionGroupSpec,
    clock::Moment,
    cloudfront::{
        ErrorClass,
        Operation::{GetConnectionGroup, TagResource, UpdateConnectionGroup},
    },
};
use port::Fault;

use crate::world::{IDENTITY, World, spec};

fn disable() -> GroupPatch {
    GroupPatch { enabled: Some(false), ..GroupPatch::default() }
}

/// Someone disables the group, and the operator has observed it. Returns how long it waits until it corrects that, if it does not do so at once.
fn interfered(world: &mut World) -> Option<Duration> {
    world.someone_edits(disable());
    world.take_inventory();
    let outcome = world.reconcile();
    let held = world.ready().1 == "DriftFlapping";
    assert_eq!(world.group().unwrap().resource.enabled, !held, "{}", world.message());
    held.then_some(outcome.requeue)
}

fn wait_and_correct(world: &mut World, pause: Duration) {
    world.calls();
    world.advance(pause);
    world.reconcile();
    assert_eq!(world.mutations(), [UpdateConnectionGroup]);
    assert!(world.group().unwrap().resource.enabled);
}

#[test]
fn an_edit_does_not_wait_for_the_pause_even_if_the_first_try_fails() {
    let mut world = World::new(spec());
    world.settle();
    for _ in 0..7 {
        interfered(&mut world);
        let pause = world.reconcile().requeue;
        wait_and_correct_if_held(&mut world, pause);
    }
    let pause = interfered(&mut world).expect("it is not corrected at once");
    assert!(pause > Duration::from_mins(1), "{pause:?}");
    world.edit(|spec| spec.ipv6_enabled = false);
    world.fail(GetConnectionGroup, Fault::Error(ErrorClass::Throttled));
    world.reconcile();
    world.calls();
    world.at_once();
    assert!(world.mutations().contains(&UpdateConnectionGroup), "{}", world.message());
    let group = world.group().unwrap().resource;
    assert_eq!((group.enabled, group.ipv6_enabled), (true, false));
}

fn wait_and_correct_if_held(world: &mut World, pause: Duration) {
    if world.ready().1 == "DriftFlapping" {
        wait_and_correct(world, pause);
    }
}

#[test]
fn the_first_change_by_others_is_corrected_at_once_and_each_further_one_after_a_longer_pause() {
    let mut world = World::new(spec());
    world.settle();
    world.calls();
    assert_eq!(interfered(&mut world), None);
    assert_eq!(world.mutations(), [UpdateConnectionGroup]);
    let mut longest = Duration::ZERO;
    for nominal in [2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        let pause = interfered(&mut world).expect("it is not corrected at once");
        assert_eq!(world.mutations(), []);
        let nominal = Duration::from_secs(nominal);
        assert!(pause <= nominal && pause >= nominal.mul_f64(0.75), "{pause:?} for {nominal:?}");
        longest = longest.max(pause);
        wait_and_correct(&mut world, pause);
    }
    assert!(longest <= Duration::from_mins(5));
}

#[test]
fn while_it_waits_the_condition_says_what_differs_what_to_do_and_when_it_is_corrected() {
    let mut world = World::new(spec());
    world.settle();
    interfered(&mut world);
    interfered(&mut world);
    assert_eq!(world.ready(), ("False".into(), "DriftFlapping".into(), vec!["Reconciling".into()]));
    for part in ["enabled is 'false', the spec says 'true'", "after its last correction", "spec.mode to Observe"] {
        assert!(world.message().contains(part), "{part}: {}", world.message());
    }
    assert_eq!(world.event_reasons().iter().filter(|reason| **reason == "DriftFlapping").count(), 1);
    world.calls();
    for _ in 0..3 {
        world.take_inventory();
        world.reconcile();
    }
    assert_eq!(world.mutations(), [], "not before its time, however often it is reconciled");
}

#[test]
fn a_correction_that_was_held_back_still_counts_as_a_change_by_others() {
    let mut world = World::new(spec());
    world.settle();
    interfered(&mut world);
    let pause = interfered(&mut world).unwrap();
    wait_and_correct(&mut world, pause);
    assert_eq!(world.drift, ["enabled", "enabled"]);
    assert_eq!(world.event_reasons().iter().filter(|reason| **reason == "DriftCorrected").count(), 2);
}

#[test]
fn a_failure_during_the_pause_does_not_end_it() {
    let mut world = World::new(spec());
    world.settle();
    for _ in 0..4 {
        if let Some(pause) = interfered(&mut world) {
            wait_and_correct(&mut world, pause);
        }
    }
    interfered(&mut world).unwrap();
    world.fail(GetConnectionGroup, Fault::Error(ErrorClass::AccessDenied));
    world.fail(GetConnectionGroup, Fault::Error(ErrorClass::AccessDenied));
    world.reconcile();
    assert_eq!(world.ready().1, "AccessDenied");
    world.calls();
    world.reconcile();
    assert_eq!((world.mutations(), world.ready().1), (vec![], "DriftFlapping".into()));
}

#[test]
fn three_changes_within_an_hour_are_reported_although_none_had_to_wait() {
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
fn an_edit_or_a_request_does_not_wait_for_the_pause() {
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
        world.reconcile();
        assert_eq!(world.mutations(), [UpdateConnectionGroup], "{what}");
    }
}

#[test]
fn the_emergency_switch_is_obeyed_during_a_drift_backoff() {
    let mut world = World::new(spec());
    world.settle();
    interfered(&mut world);
    world.someone_edits(GroupPatch { ipv6_enabled: Some(false), ..GroupPatch::default() });
    world.take_inventory();
    world.reconcile();
    assert_eq!(world.ready().1, "DriftFlapping");
    world.edit(|spec| spec.enabled = false);
    world.reconcile();
    assert!(!world.group().unwrap().resource.enabled);
}

#[test]
fn an_hour_without_changes_by_others_ends_the_drift_backoff() {
    let mut world = World::new(spec());
    world.settle();
    interfered(&mut world);
    let pause = interfered(&mut world).unwrap();
    wait_and_correct(&mut world, pause);
    world.advance(Duration::from_hours(1));
    world.take_inventory();
    world.settle();
    assert_eq!(interfered(&mut world), None);
}

#[test]
fn a_tag_that_others_keep_removing_is_restored_no_faster_than_the_drift_backoff_allows() {
    let mut world = World::new(spec());
    world.edit(|spec| spec.tags = BTreeMap::from([("team".into(), "edge".into())]));
    world.settle();
    world.calls();
    let take_off = |world: &mut World| {
        world.someone_edits(GroupPatch { remove_tags: vec!["team".into()], ..GroupPatch::default() });
        world.object_state.resync_at = Some(Moment::START);
        world.reconcile();
    };
    take_off(&mut world);
    assert_eq!(world.mutations(), [TagResource]);
    // A tag that was set within the last minute may not show yet. After seven rounds, the pause is longer than that.
    for minutes in [1, 1, 1, 1, 1, 2] {
        take_off(&mut world);
        assert_eq!((world.mutations(), world.ready().1), (vec![], "Deployed".into()));
        world.advance(Duration::from_mins(minutes));
        world.reconcile();
        assert_eq!(world.mutations(), [TagResource]);
    }
    world.advance(Duration::from_mins(1));
    take_off(&mut world);
    assert_eq!((world.mutations(), world.ready().1), (vec![], "DriftFlapping".into()));
    world.advance(Duration::from_secs(69));
    world.reconcile();
    assert_eq!(world.mutations(), [TagResource]);
    assert_eq!(world.tags()["team"], "edge");
    let count = |reason: &str| world.event_reasons().iter().filter(|emitted| **emitted == reason).count();
    assert_eq!(count("DriftCorrected"), 8, "each restored tag is reported as another client's change");
    assert_eq!(count("DriftFlapping"), 2, "with the third correction, and once more when one has to wait");
}

#[test]
fn a_change_of_our_own_whose_answer_was_lost_is_not_reported_as_someone_elses() {
    let mut world = World::new(spec());
    world.settle();
    world.edit(|spec| (spec.enabled, spec.ipv6_enabled) = (false, false));
    world.fail(UpdateConnectionGroup, Fault::AnswerLost);
    world.reconcile();
    assert!(!world.group().unwrap().resource.enabled, "it took effect");
    world.fail(UpdateConnectionGroup, Fault::Error(ErrorClass::Throttled));
    world.reconcile();
    world.at_once();
    assert!(!world.group().unwrap().resource.ipv6_enabled, "{}", world.message());
    assert!(!world.event_reasons().contains(&"DriftCorrected"), "{:?}", world.events);
    assert_eq!(world.drift, Vec::<String>::new());

    world.edit(|spec| spec.enabled = true);
    world.settle();
    assert_eq!(interfered(&mut world), None, "nor does it count for the drift backoff");
    assert_eq!(world.drift, ["enabled"], "a change by others is reported again once a change of our own was answered");
}

#[test]
fn a_tag_that_was_sent_without_an_answer_and_is_missing_does_not_count_as_removed_by_others() {
    let mut world = World::new(spec());
    world.settle();
    world.edit(|spec| spec.tags = BTreeMap::from([("team".into(), "edge".into())]));
    world.fail(TagResource, Fault::Error(ErrorClass::TimedOut));
    world.reconcile();
    assert!(!world.tags().contains_key("team"));
    world.reconcile();
    assert_eq!((world.tags()["team"].as_str(), world.ready().1.as_str()), ("edge", "Deployed"));
    assert_eq!(world.drift, Vec::<String>::new());
}

#[test]
fn a_version_of_our_own_that_shows_after_a_stale_read_is_not_reported_as_someone_elses() {
    let mut world = World::new(spec());
    world.settle();
    world.edit(|spec| spec.enabled = false);
    world.settle();
    world.edit(|spec| spec.enabled = true);
    world.fail(GetConnectionGroup, Fault::Stale);
    world.reconcile();
    assert!(!world.group().unwrap().resource.enabled, "the stale read shows it enabled");
    world.take_inventory();
    world.reconcile();
    assert!(world.group().unwrap().resource.enabled, "{}", world.message());
    assert_eq!(
        (world.event_reasons().contains(&"DriftCorrected"), world.drift.len()),
        (false, 0),
        "{:?}",
        world.events
    );
}

fn ipv6_off() -> GroupPatch {
    GroupPatch { ipv6_enabled: Some(false), ..GroupPatch::default() }
}

fn tagged() -> ConnectionGroupSpec {
    ConnectionGroupSpec { tags: BTreeMap::from([("team".into(), "edge".into())]), ..spec() }
}

/// Another client has changed IPv6 so often that the next pause is minutes long. What was sent has had time to show.
fn fought_over_ipv6(spec: ConnectionGroupSpec) -> World {
    let mut world = World::new(spec);
    world.settle();
    for _ in 0..8 {
        world.someone_edits(ipv6_off());
        world.take_inventory();
        let mut outcome = world.reconcile();
        while world.ready().1 == "DriftFlapping" {
            world.advance(outcome.requeue);
            outcome = world.reconcile();
        }
        assert!(world.group().unwrap().resource.ipv6_enabled, "{}", world.message());
    }
    world.advance(Duration::from_mins(2));
    (0..2).for_each(|_| {
        world.take_inventory();
        world.reconcile();
    });
    world
}

/// Another client resets IPv6 and the tag every two minutes. Whether the tag was there after any of these minutes, but the first five.
fn is_ever_there(world: &mut World, tag: &str) -> bool {
    let mut seen = false;
    for minute in 0..120 {
        if minute % 2 == 0 {
            world.someone_edits(GroupPatch { remove_tags: vec!["team".into()], ..ipv6_off() });
        }
        world.go_on_for(Duration::from_mins(1), |_| {});
        seen |= minute > 5 && world.tags().contains_key(tag);
    }
    seen
}

#[test]
fn an_edit_of_tags_does_not_wait_although_members_are_corrected_first() {
    let mut world = fought_over_ipv6(tagged());
    world.someone_edits(GroupPatch { remove_tags: vec!["team".into()], ..ipv6_off() });
    world.edit(|spec| drop(spec.tags.insert("stage".into(), "test".into())));
    world.at_once();
    assert_eq!(world.tags().get("stage").map(String::as_str), Some("test"), "{}", world.message());
    assert!(is_ever_there(&mut world, "stage"));
}

#[test]
fn a_requested_reconcile_corrects_members_and_tags_at_once() {
    let mut world = fought_over_ipv6(tagged());
    world.someone_edits(GroupPatch { remove_tags: vec!["team".into()], ..ipv6_off() });
    world.request_reconcile("now");
    world.at_once();
    assert_eq!(world.tags().get("team").map(String::as_str), Some("edge"), "{}", world.message());
}

#[test]
fn a_tag_is_restored_in_the_end_although_another_client_keeps_changing_members_as_well() {
    let mut world = fought_over_ipv6(tagged());
    assert!(is_ever_there(&mut world, "team"));
}

#[test]
fn an_edit_of_a_tag_is_carried_out_while_the_correction_of_a_member_waits() {
    let mut world = fought_over_ipv6(tagged());
    world.someone_edits(ipv6_off());
    world.take_inventory();
    world.reconcile();
    assert_eq!(world.ready().1, "DriftFlapping");
    world.edit(|spec| drop(spec.tags.insert("stage".into(), "test".into())));
    world.fail(GetConnectionGroup, Fault::Error(ErrorClass::Throttled));
    world.reconcile();
    world.at_once();
    assert_eq!(world.tags().get("stage").map(String::as_str), Some("test"), "{}", world.message());
}

#[test]
fn an_edit_of_a_member_does_not_wait_for_the_correction_of_another() {
    let mut world = fought_over_ipv6(ConnectionGroupSpec { enabled: false, ..spec() });
    world.someone_edits(GroupPatch { enabled: Some(true), ..ipv6_off() });
    world.edit(|spec| spec.anycast_ip_list_id = Some("aip_unknown".into()));
    world.at_once();
    assert_ne!(world.ready().1, "DriftFlapping", "{}", world.message());
    assert_eq!(world.status().refused.len(), 1, "the list was tried: {}", world.message());
}

#[test]
fn a_member_that_cloudfront_keeps_does_not_end_the_drift_backoff_of_another() {
    let mut world = World::new(ConnectionGroupSpec { ipv6_enabled: false, ..spec() });
    world.settle();
    // CloudFront accepts the update, and keeps IPv6 off.
    let keep = |world: &mut World| {
        world.someone_edits(ipv6_off());
        let group = world.group().unwrap();
        world.object.status.as_mut().unwrap().e_tag = Some(group.etag);
    };
    world.edit(|spec| spec.ipv6_enabled = true);
    world.fail(UpdateConnectionGroup, Fault::AnsweredWrongly);
    world.reconcile();
    assert_eq!(world.ready().1, "ChangeNotApplied");
    keep(&mut world);
    world.take_inventory();
    let mut at_once = 0;
    for _ in 0..8 {
        world.advance(Duration::from_secs(10));
        world.someone_edits(disable());
        world.take_inventory();
        world.may_fail(UpdateConnectionGroup, Fault::AnsweredWrongly);
        world.reconcile();
        if world.group().unwrap().resource.enabled {
            at_once += 1;
            keep(&mut world);
        }
        world.faults_stop();
    }
    assert!(at_once < 8, "each change was corrected at once");
}

#[test]
fn a_change_that_is_read_together_with_a_missing_identity_tag_is_another_clients() {
    let mut world = World::new(spec());
    world.settle();
    world.someone_edits(GroupPatch { remove_tags: vec![IDENTITY.into()], ..ipv6_off() });
    world.take_inventory();
    world.settle();
    assert_eq!(world.drift, ["ipv6Enabled"], "{:?}", world.events);
}

#[test]
fn a_change_whose_correction_cloudfront_kept_at_first_is_another_clients() {
    let mut world = World::new(spec());
    world.settle();
    world.someone_edits(ipv6_off());
    world.take_inventory();
    world.fail(UpdateConnectionGroup, Fault::AnsweredWrongly);
    world.reconcile();
    assert_eq!(world.ready().1, "ChangeNotApplied");
    world.someone_edits(ipv6_off());
    world.object.status.as_mut().unwrap().e_tag = Some(world.group().unwrap().etag);
    world.take_inventory();
    world.settle();
    assert_eq!(world.drift, ["ipv6Enabled"], "{:?}", world.events);
}

#[test]
fn a_detach_by_another_client_stays_its_change_while_the_list_cannot_be_attached() {
    let mut world = World::new(spec());
    let list = NewList::named("static", IpAddressType::Dualstack);
    let list = world.port.account(|account, now| account.outside_create_list(now, list)).id;
    world.edit(|spec| spec.anycast_ip_list_id = Some(list.clone()));
    world.settle();
    world.someone_edits(GroupPatch { anycast_ip_list_id: Some(String::new()), ..GroupPatch::default() });
    for number in 0..5 {
        let mut new = NewGroup::named(format!("other-{number}"));
        new.anycast_ip_list_id = Some(list.clone());
        world.port.account(|account, now| account.outside_create_group(now, new)).unwrap();
    }
    world.take_inventory();
    world.settle_within(Duration::from_mins(30), 100);
    assert_eq!(world.ready().1, "QuotaExceeded", "{}", world.message());
    world.port.account(|account, now| account.outside_delete_group(now, "other-0")).unwrap();
    world.settle();
    assert_eq!(world.drift, ["anycastIpListId"], "{:?}", world.events);
}

#[test]
fn tags_that_cannot_be_set_do_not_end_the_drift_backoff_of_a_member() {
    let mut world = fought_over_ipv6(tagged());
    world.keep_failing(TagResource, Fault::Error(ErrorClass::AccessDenied));
    world.edit(|spec| drop(spec.tags.insert("stage".into(), "test".into())));
    world.at_once();
    world.calls();
    let mut corrections = 0;
    for _ in 0..8 {
        world.advance(Duration::from_secs(10));
        world.someone_edits(ipv6_off());
        world.take_inventory();
        world.at_once();
        corrections += world.mutations().iter().filter(|call| **call == UpdateConnectionGroup).count();
    }
    assert!(corrections <= 2, "{corrections} corrections in 80 s");
}

#[test]
fn a_client_that_is_faster_than_the_second_step_of_a_correction_is_slowed_down_as_well() {
    let mut world = World::new(tagged());
    world.settle();
    world.calls();
    world.someone_edits(GroupPatch { remove_tags: vec!["team".into()], ..ipv6_off() });
    let mut corrections = 0;
    for _ in 0..20 {
        world.take_inventory();
        world.reconcile();
        corrections += world.mutations().iter().filter(|call| **call == UpdateConnectionGroup).count();
        world.advance(Duration::from_secs(1));
        world.someone_edits(ipv6_off());
    }
    assert!(corrections <= 6, "{corrections} corrections in 20 s");
}

#[test]
fn what_is_held_back_is_corrected_in_the_end_although_the_group_is_enabled_again_and_again() {
    let mut world = World::new(ConnectionGroupSpec { enabled: false, ..tagged() });
    world.settle();
    let on = || GroupPatch { enabled: Some(true), ..GroupPatch::default() };
    for _ in 0..10 {
        world.someone_edits(on());
        world.take_inventory();
        world.at_once();
        world.advance(Duration::from_secs(7));
    }
    world.someone_edits(GroupPatch { remove_tags: vec!["team".into()], ipv6_enabled: Some(false), ..on() });
    let mut seen = false;
    for _ in 0..60 {
        world.go_on_for(Duration::from_mins(2), |_| {});
        seen |= world.tags().contains_key("team");
        world.someone_edits(on());
    }
    assert!(seen, "{}", world.message());
}

#[test]
fn a_stale_read_between_two_steps_of_a_requested_correction_does_not_make_the_second_wait() {
    let mut world = fought_over_ipv6(tagged());
    world.someone_edits(GroupPatch { remove_tags: vec!["team".into()], ..ipv6_off() });
    world.request_reconcile("now");
    world.reconcile();
    world.fail(GetConnectionGroup, Fault::Stale);
    world.reconcile();
    world.go_on_for(Duration::from_secs(30), |_| {});
    assert_eq!(world.tags().get("team").map(String::as_str), Some("edge"), "{}", world.message());
}
