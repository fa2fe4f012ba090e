//! Anycast static IP lists: attach, change, detach, and every answer that CloudFront may give.

use cloudfront_simulator::{
    Switches,
    admin::{ListPatch, NewList},
    switches::{Detach, IpAddressType},
};
use connection_group_operator::cloudfront::{
    ErrorClass,
    Operation::{GetAnycastIpList, UpdateConnectionGroup},
};
use port::Fault;

use crate::world::{BY_ITSELF, SOON, World, spec};

fn list(world: &World, family: IpAddressType) -> String {
    let new = NewList::named("static", family);
    world.port.account(|account, now| account.outside_create_list(now, new)).id
}

fn attached(detach: Detach) -> (World, String) {
    let mut world = World::with_switches(spec(), Switches { detach, ..Switches::default() });
    let id = list(&world, IpAddressType::Dualstack);
    world.edit(|spec| spec.anycast_ip_list_id = Some(id.clone()));
    world.settle();
    assert_eq!(world.status().anycast_ip_list_id.as_deref(), Some(id.as_str()));
    world.calls();
    (world, id)
}

#[test]
fn a_list_is_attached_at_creation_and_changed_by_one_update() {
    let (mut world, _) = attached(Detach::EmptyElement);
    let other = list(&world, IpAddressType::Dualstack);
    world.edit(|spec| spec.anycast_ip_list_id = Some(other.clone()));
    world.settle();
    assert_eq!(world.mutations(), [UpdateConnectionGroup]);
    assert_eq!(world.status().anycast_ip_list_id, Some(other));
}

#[test]
fn removing_the_field_detaches_the_list() {
    let (mut world, _) = attached(Detach::EmptyElement);
    world.edit(|spec| spec.anycast_ip_list_id = None);
    world.settle();
    assert_eq!(world.group().unwrap().resource.anycast_ip_list_id, None);
    assert_eq!(world.ready().1, "Deployed");
}

#[test]
fn a_list_that_cloudfront_keeps_is_reported_and_a_detach_that_it_accepted_is_sent_once() {
    for detach in [Detach::Never, Detach::Rejected] {
        let (mut world, id) = attached(detach);
        world.edit(|spec| spec.anycast_ip_list_id = None);
        world.settle();
        assert_eq!(
            world.ready(),
            ("False".into(), "AnycastDetachRejected".into(), vec!["Stalled".into()]),
            "{detach:?}"
        );
        assert!(world.message().contains(&id), "{}", world.message());
        let updates = world.mutations().len();
        match detach {
            // Each further update would be a roll-out.
            Detach::Never => assert_eq!(updates, 1),
            // A refused update costs only the call, and is retried with the slow backoff.
            _ => assert!((2..=5).contains(&updates), "{updates}"),
        }
    }
}

#[test]
fn the_message_about_a_refused_detach_stays_the_same_and_its_event_has_the_request_id() {
    let (mut world, _) = attached(Detach::Rejected);
    world.edit(|spec| spec.anycast_ip_list_id = None);
    for _ in 0..3 {
        world.reconcile();
        assert_eq!(world.ready().1, "AnycastDetachRejected");
        assert!(!world.message().contains("request id"), "{}", world.message());
    }
    let event = world.events.iter().find(|event| event.reason.as_str() == "MemberRefused").unwrap();
    assert!(event.note.ends_with("(AWS request id r-1)"), "{}", event.note);
}

#[test]
fn a_list_that_cloudfront_keeps_does_not_hold_up_the_emergency_switch() {
    for detach in [Detach::Never, Detach::Rejected] {
        let (mut world, _) = attached(detach);
        world.edit(|spec| {
            spec.anycast_ip_list_id = None;
            spec.enabled = false;
        });
        world.settle();
        assert!(!world.group().unwrap().resource.enabled, "{detach:?}");
        assert_eq!(world.ready().1, "AnycastDetachRejected", "{detach:?}");
    }
}

#[test]
fn a_rejected_detach_recovers_on_request_by_a_spec_edit_or_by_a_change_from_outside() {
    type Heal = fn(&mut World);
    let heals: [Heal; 3] = [
        |world| {
            world.switch(|switches| switches.detach = Detach::EmptyElement);
            world.request_reconcile("now");
        },
        |world| {
            world.switch(|switches| switches.detach = Detach::EmptyElement);
            world.edit(|spec| spec.ipv6_enabled = false);
        },
        |world| {
            let patch = cloudfront_simulator::admin::GroupPatch {
                anycast_ip_list_id: Some(String::new()),
                ..Default::default()
            };
            world.someone_edits(patch);
            world.take_inventory();
        },
    ];
    for heal in heals {
        let (mut world, _) = attached(Detach::Never);
        world.edit(|spec| spec.anycast_ip_list_id = None);
        world.settle();
        heal(&mut world);
        world.settle_within(SOON, 8);
        assert_eq!(world.ready().1, "Deployed", "{}", world.message());
    }
}

#[test]
fn a_request_to_retry_a_rejected_detach_holds_although_someone_changes_the_group_at_that_moment() {
    let (mut world, _) = attached(Detach::Never);
    world.edit(|spec| spec.anycast_ip_list_id = None);
    world.settle();
    world.switch(|switches| switches.detach = Detach::EmptyElement);
    world.request_reconcile("now");
    world.fail(UpdateConnectionGroup, Fault::ChangedJustBefore);
    world.settle();
    assert_eq!(world.ready().1, "Deployed", "{}", world.message());
}

#[test]
fn an_unknown_list_is_reported_and_the_object_recovers_once_the_list_exists() {
    let mut world = World::new(spec());
    let id = list(&world, IpAddressType::Dualstack);
    world.port.account(|account, _| account.outside_delete_list(&id)).unwrap();
    world.edit(|spec| spec.anycast_ip_list_id = Some(id.clone()));
    world.settle();
    assert_eq!(world.ready(), ("False".into(), "AnycastIpListNotFound".into(), vec!["Reconciling".into()]));
    assert!(world.message().contains(&id), "{}", world.message());
    assert_eq!(world.group(), None);

    let other = list(&world, IpAddressType::Dualstack);
    world.edit(|spec| spec.anycast_ip_list_id = Some(other));
    world.settle_within(SOON, 4);
    assert_eq!(world.ready().1, "Deployed");
}

#[test]
fn an_unknown_list_on_an_existing_group_changes_nothing() {
    let mut world = World::new(spec());
    world.settle();
    world.edit(|spec| spec.anycast_ip_list_id = Some("aip_unknown".into()));
    world.settle();
    assert_eq!(world.ready().1, "AnycastIpListNotFound");
    assert_eq!(world.group().unwrap().resource.anycast_ip_list_id, None);
}

#[test]
fn an_ipv4_only_list_with_ipv6_enabled_is_explained_and_either_side_can_fix_it() {
    for heal_by_spec in [true, false] {
        let mut world = World::new(spec());
        let id = list(&world, IpAddressType::Ipv4);
        world.edit(|spec| spec.anycast_ip_list_id = Some(id.clone()));
        world.settle();
        assert_eq!(world.ready(), ("False".into(), "InvalidArgument".into(), vec!["Stalled".into()]));
        for text in [id.as_str(), "IPv4-only", "spec.ipv6Enabled must be false"] {
            assert!(world.message().contains(text), "{text}: {}", world.message());
        }
        if heal_by_spec {
            world.edit(|spec| spec.ipv6_enabled = false);
        } else {
            let patch = ListPatch { ip_address_type: IpAddressType::Dualstack };
            world.port.account(|account, now| account.outside_edit_list(now, &id, &patch)).unwrap();
        }
        world.settle_within(if heal_by_spec { SOON } else { BY_ITSELF }, 8);
        assert_eq!(world.ready().1, "Deployed");
    }
}

#[test]
fn without_the_right_to_read_lists_the_explanation_is_left_out_and_nothing_else() {
    let mut world = World::new(spec());
    let id = list(&world, IpAddressType::Ipv4);
    world.edit(|spec| spec.anycast_ip_list_id = Some(id));
    world.fail(GetAnycastIpList, Fault::Error(ErrorClass::AccessDenied));
    world.reconcile();
    assert_eq!(world.ready().1, "InvalidArgument");
    assert!(world.message().contains("CloudFront refused"), "{}", world.message());
}

#[test]
fn the_sixth_group_on_a_list_hits_the_quota_and_recovers_when_a_slot_is_free() {
    let mut world = World::new(spec());
    let id = list(&world, IpAddressType::Dualstack);
    world.edit(|spec| spec.anycast_ip_list_id = Some(id.clone()));
    for number in 0..5 {
        let mut new = cloudfront_simulator::admin::NewGroup::named(format!("other-{number}"));
        new.anycast_ip_list_id = Some(id.clone());
        world.port.account(|account, now| account.outside_create_group(now, new)).unwrap();
    }
    world.take_inventory();
    world.settle();
    assert_eq!(world.ready(), ("False".into(), "QuotaExceeded".into(), vec!["Reconciling".into()]));
    assert!(world.message().contains("5 use it now"), "{}", world.message());

    world.port.account(|account, now| account.outside_delete_group(now, "other-0")).unwrap();
    world.settle_within(BY_ITSELF, 6);
    assert_eq!(world.ready().1, "Deployed");
}

#[test]
fn groups_without_a_list_never_depend_on_how_cloudfront_handles_a_detach() {
    let mut world = World::with_switches(spec(), Switches { detach: Detach::Rejected, ..Switches::default() });
    world.settle();
    world.edit(|spec| spec.enabled = false);
    world.settle();
    assert_eq!(world.ready().1, "Disabled");
    world.edit(|spec| spec.enabled = true);
    world.settle();
    world.delete();
    world.settle();
    assert_eq!(world.group(), None);
}

#[test]
fn a_group_never_counts_as_ready_while_a_rejected_detach_stands_whatever_else_is_done() {
    for detach in [Detach::Never, Detach::Rejected] {
        let (mut world, _) = attached(detach);
        world.edit(|spec| {
            spec.anycast_ip_list_id = None;
            spec.tags.insert("team".into(), "edge".into());
        });
        for _ in 0..6 {
            world.reconcile();
            assert_eq!(world.ready().0, "False", "{detach:?}: {}", world.message());
        }
        world.settle();
        assert_eq!((world.ready().1.as_str(), world.tags()["team"].as_str()), ("AnycastDetachRejected", "edge"));
    }
}
