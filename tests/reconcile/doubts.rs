//! Whichever way CloudFront behaves where AWS does not document it, a group completes its lifecycle, and its neighbours are left alone: `docs/safety.md` lists
//! the assumptions. In: every switch of the simulator, with another value than its default.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cloudfront_simulator::{
    Switches,
    admin::{GroupPatch, NewGroup, NewList},
    model::{ConnectionGroup as Shown, DeploymentStatus, Versioned},
    switches::{Detach, IpAddressType, Tolerance},
};
use connection_group_operator::cloudfront::Operation::DeleteConnectionGroup;
use serde_json::{Map, Value, json};

use crate::world::{PROPAGATION, World, spec};

/// The first two only give the account its numbers. Other tests cover what answers leave out: `unstated.rs`, here and in `tests/adapter`.
const COVERED_ELSEWHERE: [&str; 4] = ["account_id", "seed", "left_out", "done_answer"];

/// Each setting that is not the default, as the admin API accepts it.
fn settings() -> Vec<Value> {
    vec![
        json!({"propagation": "0s"}),
        json!({"propagation": "20m"}),
        json!({"status_flap": "1m"}),
        json!({"read_lag": "5s"}),
        // Longer than the time between two reconciles, and longer than the time between two edits.
        json!({"read_lag": "50s", "list_lag": "50s", "tag_lag": "50s", "tenant_lag": "50s"}),
        json!({"past_versions": 3}),
        json!({"name_reuse_delay": "5m"}),
        json!({"tag_lag": "30s"}),
        json!({"list_lag": "30s"}),
        json!({"tenant_lag": "30s"}),
        // The last slot, together with the neighbour and the default group.
        json!({"groups_per_account": 3}),
        json!({"groups_per_list": 1}),
        json!({"lists_per_account": 1}),
        json!({"tags_per_resource": 4}),
        json!({"page_size": 1}),
        json!({"page_size_max": 1}),
        json!({"page_size":10,"page_size_max":10,"oversized_page":"refuse"}),
        json!({"unknown_filter": "not-found"}),
        json!({"names": "conservative"}),
        json!({"write_by": "any"}),
        json!({"create_enabled": false}),
        json!({"list_address_type": "ipv6"}),
        json!({"list_address_type": "dualstack"}),
        json!({"create_precedence": "quota-first"}),
        json!({"update_in_progress": "refuse"}),
        json!({"delete_in_progress": "refuse"}),
        json!({"disable_with_tenants": "refuse"}),
        json!({"empty_update": "unchanged"}),
        json!({"detach": "never"}),
        json!({"detach": "rejected"}),
        json!({"omission_detaches": true}),
        json!({"omission_clears": true}),
        json!({"default_group_deletion": "access-denied"}),
        json!({"default_group_deletion": "illegal-delete"}),
        json!({"default_group_deletion": "invalid-argument"}),
        json!({"unknown_list": "invalid-argument"}),
        json!({"full_list": "invalid-argument"}),
        json!({"ipv6_on_ipv4_list": "unsupported-operation"}),
        json!({"ipv6_on_ipv4_list": "resource-in-use"}),
        json!({"write_precedence": "state-first"}),
        json!({"if_match_star": "accept"}),
        json!({"implausible_if_match": "invalid-if-match-version"}),
        json!({"tags_move_etag": true}),
        json!({"create_echoes_tags": false}),
        json!({"get_echoes_tags": true}),
        json!({"rate": 1, "burst": 5}),
        json!({"rate": 1, "burst": 5, "throttling": "too-many-requests"}),
        json!({"rate": 1, "burst": 5, "throttling": "slow-down"}),
    ]
}

fn fields(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn switched(setting: &Value) -> Switches {
    let mut switches = fields(&serde_json::to_value(Switches::DEFAULT).unwrap());
    switches.extend(fields(setting));
    serde_json::from_value(Value::Object(switches)).unwrap()
}

#[test]
fn every_switch_for_undocumented_behaviour_is_tried_with_another_value_than_its_default() {
    let tried = settings().iter().flat_map(fields).map(|(switch, _)| switch).collect::<BTreeSet<_>>();
    let all = fields(&serde_json::to_value(Switches::DEFAULT).unwrap()).into_iter().map(|(switch, _)| switch);
    assert_eq!(tried, all.filter(|switch| !COVERED_ELSEWHERE.contains(&switch.as_str())).collect());
}

#[test]
fn whichever_way_cloudfront_behaves_a_group_completes_its_lifecycle_and_its_neighbours_are_left_alone() {
    for setting in settings() {
        live(&setting);
    }
}

fn neighbours(world: &World) -> Vec<Versioned<Shown>> {
    let mut groups = world.port.account(|account, now| account.groups(now));
    groups.retain(|group| group.resource.name != "edge");
    // Rolled out in the meantime; the operator did not cause that.
    for group in &mut groups {
        group.resource.status = DeploymentStatus::Deployed;
    }
    groups
}

fn live(setting: &Value) {
    let switches = switched(setting);
    let detaches = switches.detach == Detach::EmptyElement;
    let mut world = World::with_switches(spec(), switches);
    world.port.account(|account, now| {
        account.outside_create_default_group(now);
        account.outside_create_group(now, NewGroup::named("neighbour")).unwrap();
    });
    let list = NewList::named("static", IpAddressType::Dualstack);
    let list = world.port.account(|account, now| account.outside_create_list(now, list)).id;
    let before = neighbours(&world);

    let tags = |tags: &[(&str, &str)]| {
        tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>()
    };
    world.edit(|spec| {
        spec.anycast_ip_list_id = Some(list.clone());
        spec.tags = tags(&[("team", "edge"), ("stage", "test")]);
    });
    rests(&mut world, setting, "Deployed");

    world.edit(|spec| {
        spec.ipv6_enabled = false;
        spec.tags = tags(&[("team", "front")]);
    });
    world.reconcile();
    assert_eq!(world.group().unwrap().resource.anycast_ip_list_id, Some(list), "{setting}: not even for a moment");
    rests(&mut world, setting, "Deployed");
    let shown = world.tags();
    assert_eq!((shown.get("team").map(String::as_str), shown.get("stage")), (Some("front"), None), "{setting}");

    world.someone_edits(GroupPatch { ipv6_enabled: Some(true), ..GroupPatch::default() });
    world.take_inventory();
    rests(&mut world, setting, "Deployed");
    assert!(!world.group().unwrap().resource.ipv6_enabled, "{setting}");

    world.edit(|spec| spec.anycast_ip_list_id = None);
    rests(&mut world, setting, if detaches { "Deployed" } else { "AnycastDetachRejected" });
    assert_eq!(world.group().unwrap().resource.anycast_ip_list_id.is_none(), detaches, "{setting}");

    world.tenant_comes("shop");
    world.edit(|spec| spec.enabled = false);
    if switches.disable_with_tenants == Tolerance::Refuse {
        rests(&mut world, setting, "InUse");
        world.tenant_goes("shop");
    }
    until(&mut world, setting, |world| !world.group().unwrap().resource.enabled);

    world.edit(|spec| spec.enabled = true);
    until(&mut world, setting, |world| world.group().unwrap().resource.enabled);
    if switches.disable_with_tenants == Tolerance::Refuse {
        world.tenant_comes("shop");
    }
    world.delete();
    rests(&mut world, setting, "InUse");
    assert!(world.group().unwrap().resource.enabled, "{setting}: a tenant's traffic runs through it");

    world.tenant_goes("shop");
    world.calls();
    until(&mut world, setting, |world| world.group().is_none());
    assert!(world.calls().contains(&DeleteConnectionGroup), "{setting}");
    assert_eq!(neighbours(&world), before, "{setting}");
}

/// The object comes to rest with that reason, and there is one group of that name.
#[track_caller]
fn rests(world: &mut World, setting: &Value, reason: &str) {
    until(world, setting, |world| world.ready().1 == reason);
    assert_eq!(world.group_count(), 3, "{setting}");
}

/// However long a roll-out takes, and however long reads lag, half an hour is enough.
#[track_caller]
fn until(world: &mut World, setting: &Value, reached: impl Fn(&World) -> bool) {
    for _ in 0..12 {
        world.settle_within(Duration::from_mins(30), 80);
        if reached(world) {
            return;
        }
        world.advance(PROPAGATION);
        world.take_inventory();
    }
    panic!("{setting}: {:?} {}", world.ready(), world.message());
}
