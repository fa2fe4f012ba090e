//! What counts as drift: a change by others, counted once. The metric `drift_detected_total` counts it.

use std::collections::BTreeMap;

use cloudfront_simulator::admin::GroupPatch;
use connection_group_operator::api::{AdoptionPolicy, ConnectionGroupSpec, Mode};

use connection_group_operator::cloudfront::{
    ErrorClass,
    Operation::{GetConnectionGroup, UpdateConnectionGroup},
};
use port::Fault;

use crate::world::{World, spec};

fn tagged() -> ConnectionGroupSpec {
    ConnectionGroupSpec { tags: BTreeMap::from([("team".into(), "edge".into())]), ..spec() }
}

/// The fields found changed by a full read of an object at rest, after `happens`.
fn drift_after(spec: ConnectionGroupSpec, happens: impl FnOnce(&mut World)) -> Vec<String> {
    let mut world = World::new(spec);
    world.settings.allow_adoption = true;
    world.settle();
    assert_eq!(world.drift, Vec::<String>::new(), "nothing is drift before anybody did anything");
    happens(&mut world);
    world.advance(world.settings.resync_interval * 2);
    world.take_inventory();
    world.settle();
    world.drift
}

#[test]
fn what_others_change_is_drift_by_field() {
    let patch = GroupPatch { enabled: Some(false), ipv6_enabled: Some(false), ..Default::default() };
    assert_eq!(drift_after(tagged(), |world| world.someone_edits(patch)), ["enabled", "ipv6Enabled"]);
    let patch = GroupPatch { remove_tags: vec!["team".into()], ..Default::default() };
    assert_eq!(drift_after(tagged(), |world| world.someone_edits(patch)), ["tags[team]"]);
    assert_eq!(drift_after(tagged(), |world| world.someone_deletes_the_group()), ["group"]);
}

#[test]
fn what_the_spec_changes_is_not_drift() {
    let edited = drift_after(tagged(), |world| {
        world.edit(|spec| {
            spec.enabled = false;
            spec.tags = BTreeMap::from([("team".into(), "other".into()), ("stage".into(), "test".into())]);
        });
    });
    assert_eq!(edited, Vec::<String>::new());
}

#[test]
fn an_edit_that_met_a_conflict_with_another_client_is_not_drift() {
    let mut world = World::new(spec());
    world.settle();
    world.edit(|spec| spec.ipv6_enabled = false);
    // It writes what is there, so that nothing changes but the ETag.
    world.someone_edits(GroupPatch { enabled: Some(true), ..Default::default() });
    (0..3).for_each(|_| world.fail(UpdateConnectionGroup, Fault::Error(ErrorClass::StaleEtag)));
    world.reconcile();
    assert_eq!(world.ready().1, "Conflict");
    world.someone_edits(GroupPatch { enabled: Some(true), ..Default::default() });
    world.settle();
    assert_eq!(world.ready().1, "Deployed");
    assert!(world.event_reasons().contains(&"Updated"), "{:?}", world.events);
    assert!(!world.event_reasons().contains(&"DriftCorrected"), "{:?}", world.events);
    assert_eq!(world.drift, Vec::<String>::new());
}

#[test]
fn what_others_change_at_the_same_time_as_an_edit_is_drift_and_the_edit_is_not() {
    let mut world = World::new(spec());
    world.settle();
    world.edit(|spec| spec.ipv6_enabled = false);
    world.someone_edits(GroupPatch { enabled: Some(false), ..Default::default() });
    world.settle();
    assert_eq!(world.drift, ["enabled"]);
    let note = |reason: &str| {
        let event = world.events.iter().find(|event| event.reason.as_str() == reason);
        event.unwrap_or_else(|| panic!("{reason}: {:?}", world.events)).note.as_str()
    };
    assert_eq!(note("Updated"), "The operator changed ipv6Enabled from 'true' to 'false'.");
    assert!(note("DriftCorrected").ends_with(": enabled from 'false' to 'true'."), "{}", note("DriftCorrected"));
}

/// An earlier process carried out an edit that status does not show; then the edit is reverted, and a new process reads this.
fn drift_of_a_new_process(first_read: Option<Fault>) -> Vec<String> {
    let mut world = World::new(spec());
    world.settle();
    world.edit(|spec| spec.ipv6_enabled = false);
    let before = world.object.status.clone();
    world.settle();
    world.crash();
    world.object.status = before;
    world.edit(|spec| spec.ipv6_enabled = true);
    world.take_inventory();
    if let Some(fault) = first_read {
        world.fail(GetConnectionGroup, fault);
    }
    world.settle();
    assert_eq!(world.ready().1, "Deployed");
    world.drift
}

#[test]
fn a_new_process_takes_nothing_for_drift_that_an_earlier_one_may_have_changed() {
    assert_eq!(drift_of_a_new_process(None), Vec::<String>::new());
    let throttled = Some(Fault::Error(ErrorClass::Throttled));
    assert_eq!(drift_of_a_new_process(throttled), Vec::<String>::new(), "although its first read fails");
}

#[test]
fn differences_of_an_adopted_group_are_not_drift() {
    let mut world = World::new(ConnectionGroupSpec { adoption_policy: AdoptionPolicy::Always, ..tagged() });
    world.settings.allow_adoption = true;
    world.someone_creates(|group| group.enabled = false);
    world.settle();
    assert_eq!((world.ready().1.as_str(), world.drift), ("Deployed", Vec::new()));
}

#[test]
fn in_mode_observe_a_difference_is_counted_when_it_is_first_seen() {
    let mut world = World::new(ConnectionGroupSpec { mode: Mode::Observe, ..tagged() });
    world.someone_creates(|group| group.enabled = false);
    world.take_inventory();
    world.settle();
    assert_eq!(world.drift, ["enabled", "tags[team]"]);
    for _ in 0..3 {
        world.advance(world.settings.resync_interval * 2);
        world.take_inventory();
        world.settle();
    }
    assert_eq!(world.drift, ["enabled", "tags[team]"], "not once more with every read");
}

#[test]
fn an_edit_that_no_process_carried_out_is_not_drift_when_another_client_changes_something_else() {
    let mut world = World::new(ConnectionGroupSpec { enabled: false, ..spec() });
    world.settle();
    world.edit(|spec| spec.enabled = true);
    world.fail(UpdateConnectionGroup, Fault::Error(ErrorClass::TimedOut));
    world.reconcile();
    world.crash();
    world.someone_edits(GroupPatch { viewer_fallback: Some("E123".into()), ..Default::default() });
    world.take_inventory();
    world.settle();
    assert_eq!((world.ready().1.as_str(), world.drift), ("Deployed", Vec::new()));
}

#[test]
fn an_update_of_our_own_without_an_answer_that_shows_after_a_stale_read_is_not_drift() {
    let mut world = World::new(spec());
    world.settle();
    world.edit(|spec| spec.ipv6_enabled = false);
    world.fail(UpdateConnectionGroup, Fault::AnswerLost);
    world.reconcile();
    world.edit(|spec| spec.ipv6_enabled = true);
    world.fail(GetConnectionGroup, Fault::Stale);
    world.reconcile();
    world.take_inventory();
    world.settle();
    assert_eq!((world.ready().1.as_str(), world.drift), ("Deployed", Vec::new()));
}

#[test]
fn once_the_doubt_about_a_lost_answer_has_ended_a_change_is_another_clients() {
    let mut world = World::new(spec());
    world.settle();
    world.edit(|spec| spec.ipv6_enabled = false);
    world.fail(UpdateConnectionGroup, Fault::AnswerLost);
    world.settle();
    world.advance(std::time::Duration::from_mins(30));
    world.take_inventory();
    world.settle();
    world.someone_edits(GroupPatch { ipv6_enabled: Some(true), ..Default::default() });
    world.take_inventory();
    world.settle();
    assert_eq!(world.drift, ["ipv6Enabled"]);
}
