//! Members that CloudFront refuses, and Anycast lists.

use std::time::Duration;

use cloudfront_simulator::{
    admin::{GroupPatch, NewGroup, NewList},
    switches::{Detach, IpAddressType},
};
use connection_group_operator::api::NO_LIST;

use crate::{sentences::walk::Walk, world::World};

fn list(world: &World, family: IpAddressType) -> String {
    world.port.account(|account, now| account.outside_create_list(now, NewList::named("static", family))).id
}

fn full_list(world: &World) -> String {
    let id = list(world, IpAddressType::Dualstack);
    for number in 0..5 {
        let mut new = NewGroup::named(format!("other-{number}"));
        new.anycast_ip_list_id = Some(id.clone());
        world.port.account(|account, now| account.outside_create_group(now, new)).unwrap();
    }
    id
}

fn attach(walk: &mut Walk<'_>, id: &str, reconciles: usize) {
    walk.after(|world| world.edit(|spec| spec.anycast_ip_list_id = Some(id.to_owned())), reconciles);
}

pub fn refused_list(walk: &mut Walk<'_>) {
    walk.reconcile_times(2);
    attach(walk, "aip_nowhere", 3);
    let former = |world: &mut World| {
        world.edit(|spec| spec.tags.extend([("team".into(), "edge".into()), ("stage".into(), "prod".into())]));
    };
    walk.after(former, 4);
    let other = |world: &mut World| {
        world.edit(|spec| {
            spec.tags.remove("stage");
            drop(spec.tags.insert("more".into(), "tags".into()));
        });
    };
    walk.after(other, 4);
    let id = full_list(&walk.world);
    attach(walk, &id, 3);
    walk.wait(Duration::from_mins(5));
    walk.reconcile_times(2);
}

pub fn two_refused(walk: &mut Walk<'_>) {
    let id = list(&walk.world, IpAddressType::Ipv4);
    walk.world.edit(|spec| {
        spec.anycast_ip_list_id = Some(id.clone());
        spec.ipv6_enabled = false;
    });
    walk.reconcile_times(2);
    let full = full_list(&walk.world);
    let both = |world: &mut World| {
        world.edit(|spec| {
            (spec.ipv6_enabled, spec.enabled) = (true, false);
            spec.anycast_ip_list_id = Some(full);
            drop(spec.tags.insert("team".into(), "edge".into()));
        });
    };
    walk.after(both, 6);
    // Only IPv6, with the list that has none.
    attach(walk, &id, 4);
}

pub fn quota(walk: &mut Walk<'_>) {
    walk.world.switch(|switches| switches.groups_per_account = 1);
    walk.world.port.account(|account, now| account.outside_create_group(now, NewGroup::named("other"))).unwrap();
    walk.wait(Duration::from_secs(1));
    walk.reconcile_times(2);
    walk.world.switch(|switches| switches.groups_per_account = 100);
    attach(walk, "aip_nowhere", 1);
    let full = full_list(&walk.world);
    walk.wait(Duration::from_secs(1));
    attach(walk, &full, 1);
    let ipv4 = list(&walk.world, IpAddressType::Ipv4);
    attach(walk, &ipv4, 2);
}

fn attached(walk: &mut Walk<'_>) -> String {
    let id = list(&walk.world, IpAddressType::Dualstack);
    attach(walk, &id, 3);
    id
}

fn detach(walk: &mut Walk<'_>) {
    walk.after(|world| world.edit(|spec| spec.anycast_ip_list_id = None), 3);
    let more = |world: &mut World| world.edit(|spec| drop(spec.tags.insert("team".into(), "edge".into())));
    walk.after(more, 4);
    walk.after(|world| world.edit(|spec| spec.ipv6_enabled = false), 4);
    let all = |world: &mut World| {
        world.edit(|spec| {
            (spec.enabled, spec.ipv6_enabled) = (false, true);
            spec.tags.clear();
            drop(spec.tags.insert("other".into(), "tags".into()));
        });
    };
    walk.after(all, 6);
}

pub fn detach_refused(walk: &mut Walk<'_>) {
    walk.world.switch(|switches| switches.detach = Detach::Rejected);
    attached(walk);
    detach(walk);
}

pub fn detach_ignored(walk: &mut Walk<'_>) {
    walk.world.switch(|switches| switches.detach = Detach::Never);
    attached(walk);
    detach(walk);
}

pub fn list_of_others(walk: &mut Walk<'_>) {
    let id = list(&walk.world, IpAddressType::Dualstack);
    walk.listed(|world| world.someone_edits(GroupPatch { anycast_ip_list_id: Some(id), ..GroupPatch::default() }), 3);
    walk.after(|world| world.edit(|spec| spec.ipv6_enabled = false), 3);
    attach(walk, NO_LIST, 3);
}
