//! Each member of the configuration is applied independently: one that CloudFront refuses holds up no other, and switching off waits for nothing.

use std::time::Duration;

use cloudfront_simulator::{
    Switches,
    admin::{GroupPatch, NewGroup, NewList},
    switches::{Detach, IpAddressType},
};
use connection_group_operator::cloudfront::{
    ErrorClass,
    Operation::{GetAnycastIpList, TagResource, UpdateConnectionGroup},
};
use port::Fault;

use crate::world::{World, spec};

const UNKNOWN_LIST: &str = "aip_unknown";

fn list(world: &World, family: IpAddressType) -> String {
    world.port.account(|account, now| account.outside_create_list(now, NewList::named("static", family))).id
}

/// A list with no slot left.
fn full_list(world: &World) -> String {
    let id = list(world, IpAddressType::Dualstack);
    for number in 0..5 {
        let mut new = NewGroup::named(format!("other-{number}"));
        new.anycast_ip_list_id = Some(id.clone());
        world.port.account(|account, now| account.outside_create_group(now, new)).unwrap();
    }
    id
}

fn enabled(enabled: bool) -> GroupPatch {
    GroupPatch { enabled: Some(enabled), ..GroupPatch::default() }
}

/// A group at rest whose spec then names a list that CloudFront refuses.
fn with_a_refused_list(refused: impl FnOnce(&World) -> String) -> (World, String) {
    let mut world = World::new(spec());
    world.settle();
    let id = refused(&world);
    world.edit(|spec| spec.anycast_ip_list_id = Some(id.clone()));
    world.at_once();
    world.take_inventory();
    world.calls();
    (world, id)
}

#[test]
fn a_refused_list_does_not_hold_up_the_emergency_switch() {
    for (refused, reason) in
        [(full_list as fn(&World) -> String, "QuotaExceeded"), (|_| UNKNOWN_LIST.to_owned(), "AnycastIpListNotFound")]
    {
        let (mut world, id) = with_a_refused_list(refused);
        assert_eq!(world.ready().1, reason);
        world.edit(|spec| spec.enabled = false);
        world.at_once();
        assert!(!world.group().unwrap().resource.enabled, "{reason}: {}", world.message());
        assert_eq!((world.status().enabled, world.ready().1.as_str()), (Some(false), reason));
        assert!(world.message().contains(&id), "{}", world.message());
    }
}

#[test]
fn a_refused_ipv6_does_not_hold_up_the_emergency_switch() {
    let mut world = World::new(spec());
    let id = list(&world, IpAddressType::Ipv4);
    world.edit(|spec| {
        spec.ipv6_enabled = false;
        spec.anycast_ip_list_id = Some(id.clone());
    });
    world.settle();
    world.edit(|spec| {
        spec.ipv6_enabled = true;
        spec.enabled = false;
    });
    world.at_once();
    let group = world.group().unwrap().resource;
    assert_eq!((group.enabled, group.ipv6_enabled, group.anycast_ip_list_id), (false, false, Some(id.clone())));
    assert_eq!(world.ready().1, "InvalidArgument");
    for part in ["ipv6Enabled", id.as_str()] {
        assert!(world.message().contains(part), "{part}: {}", world.message());
    }
}

#[test]
fn a_refused_list_does_not_keep_the_drift_of_another_member_from_being_corrected() {
    let (mut world, id) = with_a_refused_list(|_| UNKNOWN_LIST.to_owned());
    world.someone_edits(enabled(false));
    world.take_inventory();
    world.at_once();
    assert!(world.group().unwrap().resource.enabled, "{}", world.message());
    assert_eq!((world.status().enabled, world.ready().1.as_str()), (Some(true), "AnycastIpListNotFound"));
    assert!(world.message().contains(&id), "{}", world.message());
    assert!(world.event_reasons().contains(&"DriftCorrected"));
}

#[test]
fn however_often_another_tool_switches_the_group_on_it_is_switched_off_at_once() {
    let mut world = World::new(spec());
    world.edit(|spec| spec.enabled = false);
    world.settle();
    for round in 1..=12 {
        world.someone_edits(enabled(true));
        world.take_inventory();
        world.reconcile();
        assert!(!world.group().unwrap().resource.enabled, "round {round}: {}", world.message());
    }
}

#[test]
fn switching_off_is_an_update_of_its_own_with_all_other_members_as_they_were_read() {
    let mut world = World::new(spec());
    world.settle();
    world.calls();
    world.edit(|spec| {
        spec.enabled = false;
        spec.ipv6_enabled = false;
        spec.tags.insert("team".into(), "edge".into());
    });
    world.reconcile();
    let group = world.group().unwrap().resource;
    assert_eq!((world.mutations(), group.enabled, group.ipv6_enabled), (vec![UpdateConnectionGroup], false, true));
    assert_eq!(world.ready().0, "False", "not before the rest is carried out");
    world.at_once();
    assert_eq!(world.mutations(), [UpdateConnectionGroup, TagResource]);
    assert!(!world.group().unwrap().resource.ipv6_enabled);
}

#[test]
fn a_pause_for_the_drift_of_other_members_does_not_hold_up_a_switch_off() {
    let mut world = World::new(spec());
    world.edit(|spec| spec.enabled = false);
    world.settle();
    for _ in 0..4 {
        world.someone_edits(GroupPatch { enabled: Some(true), ipv6_enabled: Some(false), ..GroupPatch::default() });
        world.take_inventory();
        world.at_once();
        assert!(!world.group().unwrap().resource.enabled, "{}", world.message());
    }
    assert_eq!((world.group().unwrap().resource.ipv6_enabled, world.ready().1.as_str()), (false, "DriftFlapping"));
}

#[test]
fn when_two_of_three_members_are_refused_the_third_is_applied_and_both_are_named() {
    let mut world = World::new(spec());
    let (ipv4, full) = (list(&world, IpAddressType::Ipv4), full_list(&world));
    world.edit(|spec| {
        spec.enabled = false;
        spec.ipv6_enabled = false;
        spec.anycast_ip_list_id = Some(ipv4.clone());
    });
    world.settle();
    world.edit(|spec| {
        spec.enabled = true;
        spec.ipv6_enabled = true;
        spec.anycast_ip_list_id = Some(full.clone());
        spec.tags.insert("team".into(), "edge".into());
    });
    world.at_once();
    let group = world.group().unwrap().resource;
    assert_eq!((group.enabled, group.ipv6_enabled, group.anycast_ip_list_id), (true, false, Some(ipv4)));
    assert_eq!(world.tags()["team"], "edge", "nor are the tags held up");
    for part in ["ipv6Enabled", full.as_str()] {
        assert!(world.message().contains(part), "{part}: {}", world.message());
    }
    assert_eq!(world.event_reasons().iter().filter(|reason| **reason == "MemberRefused").count(), 2);
    let refused = serde_json::to_value(world.status()).unwrap()["refused"].clone();
    assert_eq!(refused[0]["member"], "ipv6Enabled");
    assert_eq!(
        (refused[1]["member"].as_str(), refused[1]["desired"].as_str()),
        (Some("anycastIpListId"), Some(full.as_str()))
    );

    world.port.account(|account, now| account.outside_delete_group(now, "other-0")).unwrap();
    world.settle();
    assert_eq!((world.ready().1, world.status().refused), ("Deployed".into(), vec![]), "it recovers by itself");
}

#[test]
fn a_single_refused_member_is_sent_once_and_again_only_with_the_slow_backoff() {
    let (mut world, _) = with_a_refused_list(|_| UNKNOWN_LIST.to_owned());
    world.edit(|spec| spec.anycast_ip_list_id = Some("aip_another".into()));
    let mut waited = Duration::ZERO;
    let pause = world.at_once().requeue;
    assert_eq!(world.mutations(), [UpdateConnectionGroup]);
    assert!(pause >= Duration::from_secs(24) && pause <= Duration::from_secs(30), "{pause:?}");
    for tries in 1..=4 {
        let pause = world.at_once().requeue;
        assert_eq!(world.mutations(), [], "not before its time, however often it is reconciled");
        world.advance(pause);
        waited += pause;
        world.at_once();
        assert_eq!(world.mutations(), [UpdateConnectionGroup], "try {tries}");
    }
    assert!(waited > Duration::from_mins(5), "the pause grows: {waited:?}");
    assert_eq!(
        world.event_reasons().iter().filter(|reason| **reason == "MemberRefused").count(),
        2,
        "one for each list"
    );
}

#[test]
fn a_refusal_holds_only_for_the_spec_that_it_was_made_for() {
    type Ask = fn(&mut World);
    let asks: [Ask; 2] = [
        |world| world.edit(|spec| spec.tags = [("team".into(), "edge".into())].into()),
        |world| world.request_reconcile("now"),
    ];
    for ask in asks {
        let (mut world, _) = with_a_refused_list(|_| UNKNOWN_LIST.to_owned());
        ask(&mut world);
        world.reconcile();
        assert_eq!(world.mutations(), [UpdateConnectionGroup], "it is retried at once");
    }
}

#[test]
fn an_error_that_says_nothing_about_the_members_is_retried_with_all_of_them() {
    for class in [ErrorClass::Throttled, ErrorClass::Credentials, ErrorClass::TimedOut, ErrorClass::ServiceUnavailable]
    {
        let mut world = World::new(spec());
        let id = list(&world, IpAddressType::Dualstack);
        world.settle();
        world.edit(|spec| {
            spec.ipv6_enabled = false;
            spec.anycast_ip_list_id = Some(id);
        });
        world.fail(UpdateConnectionGroup, Fault::Error(class));
        let outcome = world.reconcile();
        assert!(
            !outcome.requeue.is_zero() && serde_json::to_value(&outcome.status).unwrap().get("refused").is_none(),
            "{class:?}"
        );
        world.calls();
        world.reconcile();
        assert_eq!(world.mutations(), [UpdateConnectionGroup], "{class:?}: both members in one update");
        assert_eq!(world.status().anycast_ip_list_id, world.object.spec.anycast_ip_list_id);
        assert_eq!(world.status().ipv6_enabled, Some(false));
    }
}

#[test]
fn a_member_that_a_policy_or_an_unknown_rule_forbids_does_not_hold_up_the_others() {
    for (refusal, reason) in
        [(Fault::Error(ErrorClass::AccessDenied), "AccessDenied"), (Fault::UnknownCode, "UnexpectedResponse")]
    {
        let mut world = World::new(spec());
        let id = list(&world, IpAddressType::Dualstack);
        world.settle();
        world.edit(|spec| {
            spec.ipv6_enabled = false;
            spec.anycast_ip_list_id = Some(id.clone());
        });
        world.calls();
        world.fail(UpdateConnectionGroup, refusal);
        assert!(world.reconcile().requeue.is_zero(), "{reason}: the members are tried one by one at once");
        world.reconcile();
        let group = world.group().unwrap().resource;
        assert_eq!((group.ipv6_enabled, group.anycast_ip_list_id), (false, None), "{reason}");
        world.fail(UpdateConnectionGroup, refusal);
        world.reconcile();
        assert_eq!((world.ready().1.as_str(), world.mutations().len()), (reason, 3));
        world.settle();
        assert_eq!(world.group().unwrap().resource.anycast_ip_list_id, Some(id), "{reason}");
        assert_eq!(world.ready().1, "Deployed");
    }
}

#[test]
fn a_switch_off_that_cloudfront_refuses_does_not_hold_up_the_others_and_is_retried() {
    let mut world = World::new(spec());
    world.settle();
    world.edit(|spec| {
        spec.enabled = false;
        spec.ipv6_enabled = false;
    });
    world.fail(UpdateConnectionGroup, Fault::Error(ErrorClass::InUse));
    world.fail(UpdateConnectionGroup, Fault::Error(ErrorClass::InUse));
    world.reconcile();
    assert_eq!(world.ready().1, "InUse");
    assert!(world.message().contains("enabled"), "{}", world.message());
    world.settle();
    let group = world.group().unwrap().resource;
    assert_eq!((group.enabled, group.ipv6_enabled, world.ready().1.as_str()), (false, false, "Disabled"));
}

#[test]
fn without_the_right_to_read_lists_a_refused_list_is_still_named() {
    let mut world = World::new(spec());
    world.settle();
    world.edit(|spec| spec.anycast_ip_list_id = Some(UNKNOWN_LIST.into()));
    for _ in 0..2 {
        world.fail(GetAnycastIpList, Fault::Error(ErrorClass::AccessDenied));
    }
    world.at_once();
    assert_eq!(world.ready().1, "AnycastIpListNotFound");
    world.edit(|spec| spec.enabled = false);
    world.at_once();
    assert!(!world.group().unwrap().resource.enabled);
}

#[test]
fn a_restart_between_the_tries_leads_to_the_same_result() {
    for reconciles in 0..6 {
        let (mut world, id) = with_a_refused_list(|_| UNKNOWN_LIST.to_owned());
        world.edit(|spec| {
            spec.enabled = false;
            spec.ipv6_enabled = false;
        });
        for _ in 0..reconciles {
            world.reconcile();
        }
        world.crash();
        world.take_inventory();
        world.at_once();
        let group = world.group().unwrap().resource;
        assert_eq!((group.enabled, group.ipv6_enabled), (false, false), "after {reconciles} reconciles");
        assert!(world.message().contains(&id), "after {reconciles} reconciles: {}", world.message());
    }
}

#[test]
fn a_detach_that_cloudfront_refuses_holds_up_neither_ipv6_nor_the_switch_on() {
    for detach in [Detach::Never, Detach::Rejected] {
        let mut world = World::with_switches(spec(), Switches { detach, ..Switches::default() });
        let id = list(&world, IpAddressType::Dualstack);
        world.edit(|spec| {
            spec.enabled = false;
            spec.anycast_ip_list_id = Some(id.clone());
        });
        world.settle();
        world.edit(|spec| {
            spec.enabled = true;
            spec.ipv6_enabled = false;
            spec.anycast_ip_list_id = None;
        });
        world.at_once();
        let group = world.group().unwrap().resource;
        assert_eq!(
            (group.enabled, group.ipv6_enabled, group.anycast_ip_list_id),
            (true, false, Some(id)),
            "{detach:?}"
        );
        assert_eq!(world.ready().1, "AnycastDetachRejected", "{detach:?}");
    }
}
