//! An Anycast list is detached only if this object attached it, or if the spec says so explicitly: static addresses are in other people's DNS.

use std::time::Duration;

use cloudfront_simulator::{
    admin::{GroupPatch, NewList},
    switches::IpAddressType,
};
use connection_group_operator::{
    api::AdoptionPolicy,
    cloudfront::{
        ErrorClass,
        Operation::{GetConnectionGroup, TagResource, UpdateConnectionGroup},
    },
};
use port::Fault;

use crate::world::{World, marks, spec};

fn list(world: &World) -> String {
    let new = NewList::named("static", IpAddressType::Dualstack);
    world.port.account(|account, now| account.outside_create_list(now, new)).id
}

fn attach(id: &str) -> GroupPatch {
    GroupPatch { anycast_ip_list_id: Some(id.to_owned()), ..GroupPatch::default() }
}

fn attached(world: &World) -> Option<String> {
    world.group().unwrap().resource.anycast_ip_list_id
}

fn kept(world: &World) -> usize {
    world.event_reasons().iter().filter(|reason| **reason == "AnycastListKept").count()
}

/// A group whose spec names no list, and to which someone else attached one.
fn attached_by_someone() -> (World, String) {
    let mut world = World::new(spec());
    world.settle();
    let id = list(&world);
    world.someone_edits(attach(&id));
    world.take_inventory();
    world.calls();
    world.settle();
    (world, id)
}

#[test]
fn what_was_sent_to_a_group_that_was_replaced_is_not_removed_from_the_replacement() {
    let mut world = World::new(spec());
    let id = list(&world);
    let tags = || [("team".to_owned(), "edge".to_owned())];
    world.edit(|spec| {
        spec.anycast_ip_list_id = Some(id.clone());
        spec.tags = tags().into();
    });
    world.settle();
    world.someone_deletes_the_group();
    world.someone_creates(|group| {
        group.anycast_ip_list_id = Some(id.clone());
        group.tags = marks().into_iter().chain(tags()).collect();
    });
    world.edit(|spec| {
        spec.anycast_ip_list_id = None;
        spec.tags.clear();
        spec.ipv6_enabled = false;
    });
    world.advance(Duration::from_mins(5));
    world.take_inventory();
    world.settle();
    for at in ["first", "second"] {
        world.request_reconcile(at);
        world.settle();
    }
    assert_eq!((attached(&world), world.tags().get("team").map(String::as_str)), (Some(id), Some("edge")));
    assert!(!world.group().unwrap().resource.ipv6_enabled);
}

#[test]
fn a_list_that_someone_else_attached_stays_and_is_reported() {
    let (mut world, id) = attached_by_someone();
    assert_eq!((world.mutations(), attached(&world)), (vec![], Some(id.clone())));
    assert_eq!((world.ready().1.as_str(), kept(&world)), ("Deployed", 1));
    for part in [id.as_str(), "none"] {
        assert!(world.message().contains(part), "{part}: {}", world.message());
    }
    world.take_inventory();
    world.calls();
    let before = world.status();
    world.advance(Duration::from_secs(30));
    world.reconcile();
    assert_eq!((world.calls(), world.status()), (vec![], before), "at rest it costs no call and no write");
}

#[test]
fn an_update_keeps_a_list_that_someone_else_attached() {
    let (mut world, id) = attached_by_someone();
    world.edit(|spec| spec.ipv6_enabled = false);
    world.settle();
    assert_eq!((attached(&world), world.group().unwrap().resource.ipv6_enabled), (Some(id), false));
}

#[test]
fn an_explicit_none_detaches_whatever_is_attached() {
    let (mut world, _) = attached_by_someone();
    world.edit(|spec| spec.anycast_ip_list_id = Some("none".into()));
    world.settle();
    assert_eq!((attached(&world), world.ready().1.as_str()), (None, "Deployed"));
    let id = list(&world);
    world.someone_edits(attach(&id));
    world.take_inventory();
    world.settle();
    assert_eq!((attached(&world), world.ready().1.as_str()), (None, "Deployed"), "also one that comes later");
}

#[test]
fn a_group_is_created_without_a_list_where_the_spec_says_none() {
    let mut world = World::new(spec());
    world.edit(|spec| spec.anycast_ip_list_id = Some("none".into()));
    world.settle();
    assert_eq!((attached(&world), world.ready().1.as_str()), (None, "Deployed"));
}

#[test]
fn an_adopted_group_keeps_its_list() {
    for policy in [AdoptionPolicy::Always, AdoptionPolicy::IfUnchanged] {
        let mut world = World::new(spec());
        world.settings.allow_adoption = true;
        world.edit(|spec| spec.adoption_policy = policy);
        let id = list(&world);
        world.someone_creates(|group| group.anycast_ip_list_id = Some(id.clone()));
        world.advance(Duration::from_hours(1));
        world.take_inventory();
        world.calls();
        world.settle();
        assert_eq!((world.mutations(), attached(&world)), (vec![TagResource], Some(id.clone())), "{policy:?}");
        assert_eq!(kept(&world), 1, "{policy:?}");
        assert!(world.message().contains(&id), "{}", world.message());
    }
}

#[test]
fn a_list_that_this_object_attached_is_detached_when_the_field_is_removed() {
    let mut world = World::new(spec());
    let id = list(&world);
    world.edit(|spec| spec.anycast_ip_list_id = Some(id.clone()));
    world.settle();
    world.crash();
    world.take_inventory();
    world.edit(|spec| spec.anycast_ip_list_id = None);
    world.settle();
    assert_eq!((attached(&world), world.ready().1.as_str(), kept(&world)), (None, "Deployed", 0));
}

#[test]
fn a_list_that_was_attached_before_the_spec_named_it_is_not_ours_to_detach() {
    let (mut world, id) = attached_by_someone();
    world.edit(|spec| spec.anycast_ip_list_id = Some(id.clone()));
    world.settle();
    assert!(!world.message().contains(&id), "{}", world.message());
    world.edit(|spec| spec.anycast_ip_list_id = None);
    world.settle();
    assert_eq!((attached(&world), kept(&world)), (Some(id), 2));
}

#[test]
fn a_list_whose_attach_call_was_not_answered_may_be_ours_and_is_detached_when_the_field_is_removed() {
    let mut world = World::new(spec());
    world.settle();
    let id = list(&world);
    world.edit(|spec| spec.anycast_ip_list_id = Some(id.clone()));
    world.fail(UpdateConnectionGroup, Fault::AnswerLost);
    world.reconcile();
    world.settle();
    assert_eq!(attached(&world), Some(id));
    world.edit(|spec| spec.anycast_ip_list_id = None);
    world.settle();
    assert_eq!(attached(&world), None);
}

#[test]
fn a_list_whose_attach_call_failed_may_be_ours_unless_the_call_was_refused() {
    use ErrorClass::{Credentials, ServiceUnavailable, Throttled, TimedOut, Unexpected, Unreachable};
    for (class, may_be_ours) in [
        (TimedOut, true),
        (Unreachable, true),
        (ServiceUnavailable, true),
        (Unexpected, true),
        (Throttled, false),
        (Credentials, false),
    ] {
        let mut world = World::new(spec());
        world.settle();
        let id = list(&world);
        world.edit(|spec| spec.anycast_ip_list_id = Some(id.clone()));
        world.fail(UpdateConnectionGroup, Fault::Error(class));
        world.reconcile();
        // By that call, or by someone else.
        world.someone_edits(attach(&id));
        world.edit(|spec| spec.anycast_ip_list_id = None);
        world.take_inventory();
        world.settle();
        assert_eq!(attached(&world), Some(id).filter(|_| !may_be_ours), "{class:?}");
    }
}

#[test]
fn a_list_that_a_stale_read_hides_from_a_new_process_is_detached_when_the_field_is_removed() {
    let mut world = World::new(spec());
    world.settle();
    let id = list(&world);
    world.edit(|spec| spec.anycast_ip_list_id = Some(id.clone()));
    world.reconcile();
    assert_eq!(attached(&world), Some(id));
    world.crash();
    world.edit(|spec| spec.anycast_ip_list_id = None);
    world.fail(GetConnectionGroup, Fault::Stale);
    world.reconcile();
    world.settle();
    assert_eq!(attached(&world), None);
}

#[test]
fn a_list_that_someone_attached_in_place_of_ours_is_theirs() {
    let mut world = World::new(spec());
    let (ours, theirs) = (list(&world), list(&world));
    world.edit(|spec| spec.anycast_ip_list_id = Some(ours.clone()));
    world.settle();
    world.advance(Duration::from_hours(1));
    world.edit(|spec| spec.anycast_ip_list_id = None);
    world.someone_edits(attach(&theirs));
    world.take_inventory();
    world.settle();
    assert_eq!(attached(&world), Some(theirs));
}
