//! Anycast IP lists and tenants.

use cloudfront_simulator::model::DeploymentStatus;
use cloudfront_simulator::request::{CreateAnycastIpList, CreateConnectionGroup, PageRequest};
use cloudfront_simulator::switches::IpAddressType;
use cloudfront_simulator::{AnycastIpList, ErrorCode, Request, Response};

use super::account::{ETAGS, World, named, world, world_where};

fn create(world: &mut World, name: &str, ip_count: Option<i32>) -> Result<AnycastIpList, ErrorCode> {
    let input = CreateAnycastIpList { name: name.into(), ip_count, ..CreateAnycastIpList::default() };
    match world.call(&Request::CreateAnycastIpList(input)) {
        Ok(Response::CreateAnycastIpList(list)) => Ok(list),
        Err(error) => Err(error.code),
        other => panic!("{other:?}"),
    }
}

fn delete(world: &mut World, id: &str, if_match: Option<&str>) -> Result<(), ErrorCode> {
    let request = Request::DeleteAnycastIpList { id: id.into(), if_match: if_match.map(Into::into) };
    world.call(&request).map(drop).map_err(|error| error.code)
}

fn tenants_of(
    world: &mut World,
    group: Option<&str>,
    distribution: Option<&str>,
    page: PageRequest,
) -> (Vec<String>, Option<String>) {
    let request = Request::ListDistributionTenants {
        distribution_id: distribution.map(Into::into),
        connection_group_id: group.map(Into::into),
        page,
    };
    match world.call(&request) {
        Ok(Response::ListDistributionTenants(page)) => {
            (page.items.into_iter().map(|tenant| tenant.name).collect(), page.next_marker)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_list_has_3_or_21_addresses() {
    let mut world = world();
    for (count, allowed) in
        [(Some(3), true), (Some(21), true), (Some(4), false), (Some(0), false), (Some(-3), false), (None, false)]
    {
        match create(&mut world, &format!("ips-{}", count.unwrap_or(99)), count) {
            Ok(list) => assert!(allowed && list.anycast_ips.len() == usize::try_from(count.unwrap()).unwrap()),
            Err(code) => assert!(!allowed && code == ErrorCode::InvalidArgument, "{count:?} {code:?}"),
        }
    }
}

#[test]
fn a_list_is_read_back_as_created_and_found_by_id_only() {
    let mut world = world();
    let list = create(&mut world, "ips", Some(3)).unwrap();
    assert_eq!(list.etag, ETAGS[0]);
    assert!(list.arn.ends_with(&format!(":anycast-ip-list/{}", list.id)) && list.id.starts_with("aip_"));
    let read = Request::GetAnycastIpList { id: list.id.clone() };
    assert_eq!(world.call(&read), Ok(Response::GetAnycastIpList(list.clone())));
    assert_eq!(list.status, DeploymentStatus::InProgress);
    world.account.propagate(world.now);
    let deployed = AnycastIpList { status: DeploymentStatus::Deployed, ..list };
    assert_eq!(world.call(&read), Ok(Response::GetAnycastIpList(deployed)));
    let by_name = world.call(&Request::GetAnycastIpList { id: "ips".into() });
    assert_eq!(by_name.unwrap_err().code, ErrorCode::EntityNotFound);
}

#[test]
fn list_names_are_unique_and_narrow_and_lists_are_limited() {
    let mut world = world_where(|switches| switches.lists_per_account = 1);
    assert_eq!(create(&mut world, "a b", Some(3)).unwrap_err(), ErrorCode::InvalidArgument);
    create(&mut world, "ips", Some(3)).unwrap();
    assert_eq!(create(&mut world, "ips", Some(3)).unwrap_err(), ErrorCode::EntityAlreadyExists);
    assert_eq!(create(&mut world, "more", Some(3)).unwrap_err(), ErrorCode::EntityLimitExceeded);
}

#[test]
fn a_list_in_use_cannot_be_deleted() {
    let mut world = world();
    let list = world.list("ips", IpAddressType::Dualstack);
    world.create(CreateConnectionGroup { anycast_ip_list_id: Some(list.clone()), ..named("edge") }).unwrap();
    assert_eq!(delete(&mut world, &list, None), Err(ErrorCode::InvalidIfMatchVersion));
    assert_eq!(delete(&mut world, &list, Some(ETAGS[1])), Err(ErrorCode::PreconditionFailed));
    assert_eq!(delete(&mut world, &list, Some(ETAGS[0])), Err(ErrorCode::CannotDeleteEntityWhileInUse));
    world.account.outside_delete_group(world.now, "edge").unwrap();
    assert_eq!(delete(&mut world, &list, Some(ETAGS[0])), Ok(()));
    assert_eq!(delete(&mut world, &list, Some(ETAGS[0])), Err(ErrorCode::EntityNotFound));
}

#[test]
fn a_list_made_without_an_address_type_has_the_one_switched() {
    for switched in [IpAddressType::Ipv4, IpAddressType::Dualstack] {
        let mut world = world_where(|switches| switches.list_address_type = switched);
        assert_eq!(create(&mut world, "ips", Some(3)).unwrap().ip_address_type, switched);
    }
}

#[test]
fn lists_come_in_pages() {
    let mut world = world();
    for name in ["a", "b", "c"] {
        create(&mut world, name, Some(3)).unwrap();
    }
    let mut page =
        |marker| match world.call(&Request::ListAnycastIpLists { page: PageRequest { marker, max_items: Some(2) } }) {
            Ok(Response::ListAnycastIpLists(page)) => page,
            other => panic!("{other:?}"),
        };
    let first = page(None);
    let second = page(first.next_marker.clone());
    assert_eq!((first.items.len(), second.items.len(), second.next_marker), (2, 1, None));
}

#[test]
fn tenants_are_listed_by_group_and_by_distribution_in_pages() {
    let mut world = world();
    let edge = world.deployed("edge").resource.id;
    world.deployed("other");
    for name in ["a", "b", "c"] {
        world.tenant("edge", name);
    }
    world.tenant("other", "d");
    let all = PageRequest::default;
    assert_eq!(tenants_of(&mut world, Some(&edge), None, all()).0, ["a", "b", "c"]);
    assert_eq!(tenants_of(&mut world, None, Some("E1SIMULATEDDIST"), all()).0.len(), 4);
    assert_eq!(tenants_of(&mut world, Some(&edge), Some("E1OTHER"), all()).0.len(), 0);
    let (first, marker) = tenants_of(&mut world, Some(&edge), None, PageRequest { marker: None, max_items: Some(2) });
    let (second, end) = tenants_of(&mut world, Some(&edge), None, PageRequest { marker, max_items: Some(2) });
    assert_eq!((first.len(), second.len(), end), (2, 1, None));
}
