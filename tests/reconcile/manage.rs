//! Create, update, tags and drift, in mode Manage.

use std::{collections::BTreeMap, time::Duration};

use cloudfront_simulator::admin::GroupPatch;
use connection_group_operator::cloudfront::{
    ErrorClass,
    Operation::{
        CreateConnectionGroup, GetConnectionGroup, ListDistributionTenants, TagResource, UntagResource,
        UpdateConnectionGroup,
    },
};
use port::Fault;

use crate::world::{PROPAGATION, SOON, World, marks, spec};

#[test]
fn a_new_object_becomes_a_group_with_our_owner_tag_and_is_ready_once_deployed() {
    let mut world = World::new(spec());
    world.reconcile();
    assert_eq!(world.ready(), ("False".into(), "Deploying".into(), vec!["Reconciling".into()]));
    assert_eq!(world.tags()["cloudfront.kube-operators.dev/owner"], "prod/platform/edge");

    world.settle();
    assert_eq!(world.ready(), ("True".into(), "Deployed".into(), vec![]));
    assert!(world.message().contains(".cloudfront.net"), "{}", world.message());
    assert_eq!(world.event_reasons(), ["Created", "Deployed"]);
}

#[test]
fn while_a_change_rolls_out_the_message_says_since_when_and_for_how_long_and_what_becomes_of_the_traffic() {
    let mut world = World::new(spec());
    world.reconcile();
    let since = jiff::Timestamp::from_second(world.group().unwrap().resource.last_modified_time.0 / 1000).unwrap();
    let says = |then: &str| {
        format!(
            "CloudFront reports status InProgress since {since}. Rolling out a change usually takes minutes. {then}"
        )
    };
    let serves =
        says("The group is enabled: if it was new or disabled before, it serves once the change is rolled out.");
    assert_eq!((world.ready().1.as_str(), world.message()), ("Deploying", serves.clone()), "from the answer to Create");
    world.advance(PROPAGATION / 2);
    world.take_inventory();
    world.reconcile();
    assert_eq!((world.ready().1.as_str(), world.message()), ("Deploying", serves), "from the list");
}

#[test]
fn while_a_group_is_being_disabled_messages_and_events_say_that_its_traffic_ends_with_the_roll_out() {
    let mut world = World::new(spec());
    world.settle();
    world.tenant_comes("shop");
    world.edit(|spec| spec.enabled = false);
    world.reconcile();
    assert_eq!(world.ready().1, "Deploying");
    assert!(
        world.message().ends_with("it serves no traffic, at the latest once the change is rolled out."),
        "{}",
        world.message()
    );
    let warning = world.events.iter().find(|event| event.reason.as_str() == "DisabledWithTenants").unwrap();
    assert!(warning.note.ends_with("Its traffic is down once CloudFront has rolled this out."), "{}", warning.note);
    world.settle();
    assert!(world.message().ends_with("serves no traffic."), "{}", world.message());
}

#[test]
fn status_shows_every_member_of_cloudfronts_answer() {
    let mut world = World::new(spec());
    world.edit(|spec| spec.tags = BTreeMap::from([("team".into(), "edge".into())]));
    let status = world.settle();
    let group = world.group().unwrap();
    assert_eq!(status.id.as_deref(), Some(group.resource.id.as_str()));
    assert_eq!(status.arn.as_deref(), Some(group.resource.arn.as_str()));
    assert_eq!(status.name.as_deref(), Some("edge"));
    assert_eq!(status.e_tag.as_deref(), Some(group.etag.as_str()));
    assert_eq!(status.status.as_deref(), Some("Deployed"));
    assert_eq!(status.routing_endpoint.as_deref(), Some(group.resource.routing_endpoint.as_str()));
    assert_eq!((status.enabled, status.ipv6_enabled, status.is_default), (Some(true), Some(true), Some(false)));
    assert_eq!(status.anycast_ip_list_id, None);
    assert_eq!(status.tags, BTreeMap::from([("team".into(), "edge".into())]));
    assert!(status.created_time.is_some() && status.last_modified_time.is_some());
    assert_eq!(status.observed_generation, 2);
}

#[test]
fn an_edit_is_one_update_of_all_members_with_the_etag_of_the_same_reconcile() {
    let mut world = World::new(spec());
    world.edit(|spec| spec.enabled = false);
    let before = world.settle();
    world.calls();
    world.edit(|spec| {
        spec.enabled = true;
        spec.ipv6_enabled = false;
    });
    world.reconcile();
    assert_eq!(world.mutations(), [UpdateConnectionGroup]);
    let group = world.group().unwrap();
    assert_eq!((group.resource.enabled, group.resource.ipv6_enabled), (true, false));
    assert_ne!(world.status().e_tag, before.e_tag);
    assert_eq!(world.status().e_tag, Some(group.etag), "from the answer");
    world.settle_within(SOON, 2);
    assert_eq!(world.ready(), ("True".into(), "Deployed".into(), vec![]));
}

#[test]
fn a_forged_etag_in_status_is_not_believed() {
    let mut world = World::new(spec());
    world.settle();
    world.object.status.as_mut().unwrap().e_tag = Some("FORGED".into());
    world.edit(|spec| spec.ipv6_enabled = false);
    world.reconcile();
    assert!(!world.group().unwrap().resource.ipv6_enabled);
}

#[test]
fn someone_elses_change_is_corrected_after_the_next_inventory_and_reported() {
    let mut world = World::new(spec());
    world.settle();
    world.someone_edits(GroupPatch { enabled: Some(false), ..Default::default() });
    world.take_inventory();
    world.reconcile();
    assert!(world.group().unwrap().resource.enabled);
    assert_eq!(world.event_reasons().last(), Some(&"DriftCorrected"));
    assert!(world.events.last().unwrap().note.contains("enabled from 'false' to 'true'"));
}

#[test]
fn what_lists_do_not_show_is_found_by_the_resync() {
    let mut world = World::new(spec());
    world.settle();
    world.someone_edits(GroupPatch { ipv6_enabled: Some(false), ..Default::default() });
    world.object.status.as_mut().unwrap().e_tag = Some(world.group().unwrap().etag);
    world.advance(world.settings.resync_interval * 2);
    world.take_inventory();
    world.reconcile();
    assert!(world.group().unwrap().resource.ipv6_enabled);
}

#[test]
fn an_update_answered_with_another_configuration_than_requested_is_read_again_later_and_not_at_once() {
    let mut world = World::new(spec());
    world.settle();
    world.edit(|spec| {
        spec.ipv6_enabled = false;
        spec.tags.insert("team".into(), "edge".into());
    });
    world.fail(UpdateConnectionGroup, Fault::AnsweredWrongly);
    let pause = world.reconcile().requeue;
    assert_eq!(world.ready(), ("False".into(), "ChangeNotApplied".into(), vec!["Reconciling".into()]));
    assert!(!pause.is_zero(), "although tags are still to be set");
    assert_eq!(world.object_state.failures, 1, "and the pause grows");
    world.settle();
    assert_eq!((world.ready().1.as_str(), world.tags()["team"].as_str()), ("Deployed", "edge"));
}

#[test]
fn a_412_is_resolved_in_the_same_reconcile() {
    let mut world = World::new(spec());
    world.settle();
    world.calls();
    world.edit(|spec| spec.enabled = false);
    world.fail(UpdateConnectionGroup, Fault::ChangedJustBefore);
    world.reconcile();
    assert!(!world.group().unwrap().resource.enabled);
    assert_eq!(world.mutations(), [UpdateConnectionGroup, UpdateConnectionGroup], "one refused, one done");
    world.settle_within(SOON, 8);
    assert!(world.group().unwrap().resource.ipv6_enabled, "the other's change is corrected as well");
}

#[test]
fn a_group_that_was_read_as_different_and_cannot_be_read_again_is_not_reported_as_ready() {
    let mut world = World::new(spec());
    world.settle();
    // Someone else changed it, and changed it back, since the last list.
    for ipv6_enabled in [Some(false), Some(true)] {
        world.someone_edits(GroupPatch { ipv6_enabled, ..GroupPatch::default() });
    }
    world.request_reconcile("now");
    world.fail(GetConnectionGroup, Fault::Stale);
    world.fail(GetConnectionGroup, Fault::Error(ErrorClass::ServiceUnavailable));
    world.reconcile();
    assert_eq!(world.mutations().last(), Some(&UpdateConnectionGroup), "refused, for the version is outdated");
    assert_eq!(world.ready(), ("False".into(), "ServiceUnavailable".into(), vec!["Reconciling".into()]));
    world.settle();
    assert_eq!(world.ready().1, "Deployed");
}

#[test]
fn a_group_that_is_changed_again_and_again_is_left_for_later_and_never_given_up() {
    let mut world = World::new(spec());
    world.settle();
    world.calls();
    world.edit(|spec| spec.enabled = false);
    for _ in 0..3 {
        world.fail(UpdateConnectionGroup, Fault::ChangedJustBefore);
    }
    let outcome = world.reconcile();
    assert_eq!(world.ready(), ("False".into(), "Conflict".into(), vec!["Reconciling".into()]));
    assert!(!outcome.requeue.is_zero());
    assert_eq!(world.mutations(), [UpdateConnectionGroup; 3], "three tries in one reconcile, and no more");
    world.settle_within(SOON, 12);
    assert_eq!(world.ready().1, "Disabled");
}

#[test]
fn tags_are_set_and_removed_and_those_of_others_are_left_alone() {
    let mut world = World::new(spec());
    let tags =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect::<BTreeMap<_, _>>();
    world.edit(|spec| spec.tags = tags(&[("team", "edge"), ("old", "1")]));
    world.settle();
    world.someone_edits(GroupPatch { set_tags: tags(&[("theirs", "x")]), ..Default::default() });
    world.calls();
    world.edit(|spec| spec.tags = tags(&[("team", "core"), ("new", "2")]));
    world.settle();
    assert_eq!(world.mutations(), [TagResource, UntagResource]);
    let mut now = world.tags();
    for (key, value) in marks() {
        assert_eq!(now.remove(&key), Some(value));
    }
    assert_eq!(now, tags(&[("team", "core"), ("new", "2"), ("theirs", "x")]));
    assert_eq!(world.status().tags, tags(&[("team", "core"), ("new", "2")]));
}

#[test]
fn the_emergency_switch_comes_before_tags_and_is_not_held_up_by_them() {
    let mut world = World::new(spec());
    world.settle();
    world.tenant_comes("shop");
    world.edit(|spec| {
        spec.enabled = false;
        spec.tags = BTreeMap::from([("why".into(), "attack".into())]);
    });
    world.reconcile();
    assert!(!world.group().unwrap().resource.enabled);
    let warning = world.events.iter().find(|event| event.reason.as_str() == "DisabledWithTenants").unwrap();
    assert!(warning.note.contains("shop"), "{}", warning.note);
    world.settle();
    assert_eq!(world.tags()["why"], "attack");
    assert!(!world.event_reasons().contains(&"Updating"), "no event for what continues at once");
}

#[test]
fn a_switch_off_whose_tenants_cannot_be_counted_is_still_reported() {
    let mut world = World::new(spec());
    world.settle();
    world.edit(|spec| spec.enabled = false);
    world.fail(ListDistributionTenants, Fault::Error(ErrorClass::Throttled));
    world.reconcile();
    let warning = world.events.iter().find(|event| event.reason.as_str() == "DisabledWithTenants").unwrap();
    assert!(warning.note.contains("could not determine"), "{}", warning.note);
}

#[test]
fn a_switch_off_whose_answer_was_lost_names_the_tenants_once_it_is_observed() {
    for more in [false, true] {
        let mut world = World::new(spec());
        world.settle();
        world.tenant_comes("customer");
        world.edit(|spec| (spec.enabled, spec.ipv6_enabled) = (false, !more));
        world.fail(UpdateConnectionGroup, Fault::AnswerLost);
        world.settle();
        let reported = world.events.iter().filter(|event| event.reason.as_str() == "DisabledWithTenants");
        let reported = reported.map(|event| event.note.as_str()).collect::<Vec<_>>();
        assert!(matches!(reported[..], [note] if note.contains("customer")), "more: {more}: {reported:?}");
        assert_eq!(world.ready().1, "Disabled");
    }
}

#[test]
fn a_group_that_others_deleted_is_created_again_and_reported() {
    let mut world = World::new(spec());
    let before = world.settle();
    world.someone_deletes_the_group();
    world.take_inventory();
    world.settle();
    assert_ne!(world.status().id, before.id);
    assert_eq!(world.ready().1, "Deployed");
    assert!(world.event_reasons().contains(&"DeletedOutside"));
    assert_eq!(world.group_count(), 1);
}

#[test]
fn an_update_that_cloudfront_refuses_during_a_rollout_waits_for_the_end_of_the_rollout() {
    let mut world = World::new(spec());
    world.switch(|switches| switches.update_in_progress = cloudfront_simulator::switches::Tolerance::Refuse);
    world.reconcile();
    world.edit(|spec| spec.enabled = false);
    world.reconcile();
    assert_eq!(world.ready(), ("False".into(), "Deploying".into(), vec!["Reconciling".into()]));
    world.settle_within(PROPAGATION * 2 + Duration::from_secs(30), 24);
    assert_eq!(world.ready().1, "Disabled");
    let mutations = world.mutations();
    let sent = |operation| mutations.iter().filter(|call| **call == operation).count();
    let updates = sent(UpdateConnectionGroup);
    assert_eq!(sent(CreateConnectionGroup), 1);
    assert!(updates <= 7, "it is not sent again and again: {updates} times");
}

#[test]
fn a_spec_edit_that_needed_two_tries_is_not_blamed_on_someone_else() {
    let mut world = World::new(spec());
    world.settle();
    world.edit(|spec| spec.enabled = false);
    world.fail(UpdateConnectionGroup, Fault::Error(connection_group_operator::cloudfront::ErrorClass::Throttled));
    world.settle();
    assert!(world.event_reasons().contains(&"Updated") && !world.event_reasons().contains(&"DriftCorrected"));
}

#[test]
fn an_object_is_not_ready_before_its_last_tag_is_in_sync() {
    let mut world = World::new(spec());
    world.edit(|spec| spec.tags = BTreeMap::from([("old".into(), "1".into())]));
    world.settle();
    world.edit(|spec| spec.tags = BTreeMap::from([("new".into(), "2".into())]));
    world.fail(UntagResource, Fault::Error(connection_group_operator::cloudfront::ErrorClass::Throttled));
    world.reconcile();
    assert_eq!(world.ready().0, "False", "set, not yet removed");
    world.reconcile();
    assert_eq!(world.ready().0, "False", "the removal was throttled");
    world.settle();
    assert_eq!(world.ready().0, "True");
    assert!(!world.tags().contains_key("old"));
}

#[test]
fn tags_that_take_a_while_to_show_are_not_set_again_and_again() {
    let mut world = World::new(spec());
    world.settle();
    world.switch(|switches| switches.tag_lag = cloudfront_simulator::Millis::seconds(60));
    world.calls();
    world.edit(|spec| spec.tags = BTreeMap::from([("team".into(), "edge".into())]));
    let mut waited = std::time::Duration::ZERO;
    while waited < std::time::Duration::from_mins(2) {
        let requeue = world.reconcile().requeue;
        world.advance(requeue);
        waited += requeue.max(std::time::Duration::from_millis(1));
    }
    assert_eq!(world.mutations(), [TagResource]);
}

#[test]
fn a_tag_that_others_gave_another_value_is_theirs_once_the_spec_drops_it() {
    let mut world = World::new(spec());
    world.edit(|spec| drop(spec.tags.insert("team".into(), "edge".into())));
    world.settle();
    let theirs = [("team".to_owned(), "theirs".to_owned())].into();
    world.someone_edits(GroupPatch { set_tags: theirs, ..GroupPatch::default() });
    world.edit(|spec| spec.tags.clear());
    world.settle();
    assert_eq!(world.tags().get("team").map(String::as_str), Some("theirs"));
}
