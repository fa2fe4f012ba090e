//! Error codes that AWS does not document: whichever code CloudFront refuses a list with, the object reports it, and recovers once the spec drops the list.

use cloudfront_simulator::{
    Switches,
    admin::NewList,
    switches::{FullList, IpAddressType, Ipv6OnIpv4List, UnknownList},
};
use connection_group_operator::{api::ConnectionGroupSpec, cloudfront::Operation::CreateConnectionGroup};

use crate::world::{World, spec};

const SWITCHES: Switches = Switches::DEFAULT;

/// How the simulator behaves, the list that it refuses, and the reason that the object reports.
fn refusals() -> Vec<(Switches, Option<IpAddressType>, &'static str)> {
    let full = |full_list| Switches { full_list, groups_per_list: 0, ..SWITCHES };
    let unknown = |unknown_list| Switches { unknown_list, ..SWITCHES };
    let ipv6 = |ipv6_on_ipv4_list| Switches { ipv6_on_ipv4_list, ..SWITCHES };
    let (dualstack, ipv4) = (Some(IpAddressType::Dualstack), Some(IpAddressType::Ipv4));
    vec![
        (unknown(UnknownList::EntityNotFound), None, "AnycastIpListNotFound"),
        (unknown(UnknownList::InvalidArgument), None, "AnycastIpListNotFound"),
        (full(FullList::EntityLimitExceeded), dualstack, "QuotaExceeded"),
        (full(FullList::InvalidArgument), dualstack, "InvalidArgument"),
        (ipv6(Ipv6OnIpv4List::InvalidArgument), ipv4, "InvalidArgument"),
        (ipv6(Ipv6OnIpv4List::ResourceInUse), ipv4, "InUse"),
        (ipv6(Ipv6OnIpv4List::UnsupportedOperation), ipv4, "UnexpectedResponse"),
    ]
}

/// A world with these switches, and the id of a list as described, or of a list that does not exist.
fn world_with(switches: Switches, list: Option<IpAddressType>) -> (World, String) {
    let world = World::with_switches(spec(), switches);
    let make = |family| {
        let new = NewList::named("static", family);
        world.port.account(|account, now| account.outside_create_list(now, new)).id
    };
    let list = list.map_or_else(|| "aip_unknown".to_owned(), make);
    (world, list)
}

fn name(list: &str) -> impl FnOnce(&mut ConnectionGroupSpec) {
    move |spec| spec.anycast_ip_list_id = Some(list.to_owned())
}

#[test]
fn a_create_that_is_refused_for_its_list_is_reported_and_recovers_with_the_spec() {
    for (switches, list, reason) in refusals() {
        let (mut world, list) = world_with(switches, list);
        world.edit(name(&list));
        world.settle();
        assert_eq!((world.ready().0.as_str(), world.ready().1.as_str()), ("False", reason), "{}", world.message());
        assert_eq!(world.group_count(), 0);
        world.calls();
        world.edit(|spec| spec.anycast_ip_list_id = None);
        world.settle();
        assert_eq!((world.mutations(), world.ready().1.as_str()), (vec![CreateConnectionGroup], "Deployed"));
    }
}

#[test]
fn an_update_that_is_refused_for_its_list_is_reported_blocks_nothing_else_and_recovers_with_the_spec() {
    for (switches, list, reason) in refusals() {
        let (mut world, list) = world_with(switches, list);
        world.settle();
        world.edit(name(&list));
        world.edit(|spec| drop(spec.tags.insert("team".to_owned(), "edge".to_owned())));
        world.settle();
        assert_eq!((world.ready().0.as_str(), world.ready().1.as_str()), ("False", reason), "{}", world.message());
        let group = world.group().unwrap().resource;
        assert_eq!((group.anycast_ip_list_id, group.ipv6_enabled), (None, true));
        world.edit(|spec| spec.enabled = false);
        world.settle();
        assert!(!world.group().unwrap().resource.enabled, "{reason}: the emergency switch");
        world.edit(|spec| spec.anycast_ip_list_id = None);
        world.settle();
        assert_eq!(world.ready().1, "Disabled", "{}", world.message());
        assert_eq!(world.tags().get("team").map(String::as_str), Some("edge"));
    }
}
