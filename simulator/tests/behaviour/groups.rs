//! Connection groups, where AWS documents what they do.

use cloudfront_simulator::model::DeploymentStatus::{Deployed, InProgress};
use cloudfront_simulator::request::{CreateConnectionGroup, PageRequest, UpdateConnectionGroup};
use cloudfront_simulator::switches::IpAddressType;
use cloudfront_simulator::{ErrorCode, Millis, Request, Response, Switches};

use super::account::{ETAGS, World, named, update_of, world};

#[test]
fn a_new_group_has_the_defaults_the_first_etag_and_its_endpoint() {
    let group = world().create(named("edge")).unwrap();
    let shown = group.resource;
    assert_eq!(group.etag, ETAGS[0]);
    assert!(shown.enabled && shown.ipv6_enabled && !shown.is_default);
    assert_eq!(shown.anycast_ip_list_id, None);
    assert_eq!(shown.arn, format!("arn:aws:cloudfront::123456789012:connection-group/{}", shown.id));
    assert!(shown.id.starts_with("cg_") && shown.id.len() == 30);
    assert!(shown.routing_endpoint.starts_with('d') && shown.routing_endpoint.ends_with(".cloudfront.net"));
}

#[test]
fn the_same_calls_give_the_same_account() {
    let run = || {
        let mut world = world();
        world.create(named("a")).unwrap();
        world.create(named("b")).unwrap();
        world.account
    };
    assert_eq!(run(), run());
}

#[test]
fn a_group_is_found_by_id_name_and_arn_and_by_its_endpoint() {
    let mut world = world();
    world.create(named("other")).unwrap();
    let group = world.create(named("edge")).unwrap().resource;
    for identifier in [&group.id, &group.name, &group.arn] {
        assert_eq!(world.get(identifier).unwrap().resource.id, group.id, "{identifier}");
    }
    let by_endpoint =
        |endpoint: &str| Request::GetConnectionGroupByRoutingEndpoint { routing_endpoint: endpoint.into() };
    let found = world.call(&by_endpoint(&group.routing_endpoint)).unwrap();
    assert!(matches!(found, Response::GetConnectionGroupByRoutingEndpoint(found) if found.resource.id == group.id));
    assert_eq!(world.get("nobody").unwrap_err(), ErrorCode::EntityNotFound);
    assert_eq!(world.call(&by_endpoint("dnobody.cloudfront.net")).unwrap_err().code, ErrorCode::EntityNotFound);
}

#[test]
fn an_id_goes_before_a_name_that_looks_like_it() {
    let mut world = world();
    let first = world.create(named("edge")).unwrap().resource;
    world.create(named(&first.id)).unwrap();
    assert_eq!(world.get(&first.id).unwrap().resource.name, "edge");
}

#[test]
fn a_name_is_taken_once_and_free_again_after_deletion() {
    let mut world = world();
    let group = world.disabled("edge");
    assert_eq!(world.create(named("edge")).unwrap_err(), ErrorCode::EntityAlreadyExists);
    world.delete(&group.resource.id, Some(&group.etag)).unwrap();
    let again = world.create(named("edge")).unwrap();
    assert_ne!(again.resource.id, group.resource.id);
    assert_eq!(again.etag, ETAGS[0], "an ETag guards a version, not an identity");
}

#[test]
fn a_change_is_in_progress_until_it_has_propagated() {
    let mut world = world();
    let status = |world: &mut World| world.get("edge").unwrap().resource.status;
    let group = world.create(named("edge")).unwrap();
    assert_eq!(group.resource.status, InProgress);
    world.wait(Millis(Switches::DEFAULT.propagation.0 - 1));
    assert_eq!(status(&mut world), InProgress);
    world.wait(Millis(1));
    assert_eq!(status(&mut world), Deployed);
    world.update(UpdateConnectionGroup { enabled: Some(false), ..update_of(&group) }).unwrap();
    assert_eq!(status(&mut world), InProgress);
    world.account.propagate(world.now);
    assert_eq!(status(&mut world), Deployed);
}

#[test]
fn an_update_changes_what_it_names_and_keeps_the_rest() {
    let mut world = world();
    let list = world.list("ips", IpAddressType::Dualstack);
    let group =
        world.create(CreateConnectionGroup { anycast_ip_list_id: Some(list.clone()), ..named("edge") }).unwrap();
    world.wait(Millis::seconds(1));
    let updated = world.update(UpdateConnectionGroup { enabled: Some(false), ..update_of(&group) }).unwrap();
    assert_eq!(updated.etag, ETAGS[1]);
    let (was, is) = (group.resource, updated.resource);
    assert!(!is.enabled && is.ipv6_enabled);
    assert_eq!(is.anycast_ip_list_id, Some(list));
    assert_eq!((&is.id, &is.name, &is.routing_endpoint), (&was.id, &was.name, &was.routing_endpoint));
    assert_eq!(is.created_time, was.created_time);
    assert_eq!(is.last_modified_time, world.now);
}

#[test]
fn writes_need_the_version_that_is_current() {
    let mut world = world();
    let group = world.disabled("edge");
    let id = group.resource.id.clone();
    for (if_match, expected) in [
        (None, ErrorCode::InvalidIfMatchVersion),
        (Some(""), ErrorCode::InvalidIfMatchVersion),
        (Some("*"), ErrorCode::InvalidIfMatchVersion),
        (Some(ETAGS[1]), ErrorCode::PreconditionFailed),
        (Some("nonsense"), ErrorCode::PreconditionFailed),
    ] {
        let update = UpdateConnectionGroup { if_match: if_match.map(Into::into), ..update_of(&group) };
        assert_eq!(world.update(update).unwrap_err(), expected, "update with {if_match:?}");
        assert_eq!(world.delete(&id, if_match).unwrap_err(), expected, "delete with {if_match:?}");
    }
    world.delete(&id, Some(ETAGS[0])).unwrap();
}

#[test]
fn writes_to_a_group_that_is_not_there_are_not_found_even_without_a_version() {
    let mut world = world();
    let update = UpdateConnectionGroup { id: "cg_none".into(), ..UpdateConnectionGroup::default() };
    assert_eq!(world.update(update).unwrap_err(), ErrorCode::EntityNotFound);
    assert_eq!(world.delete("cg_none", None).unwrap_err(), ErrorCode::EntityNotFound);
}

#[test]
fn only_a_disabled_group_without_tenants_can_be_deleted() {
    let mut world = world();
    let group = world.deployed("edge");
    let id = group.resource.id.clone();
    world.tenant("edge", "customer");
    assert_eq!(world.delete(&id, Some(&group.etag)).unwrap_err(), ErrorCode::ResourceNotDisabled);
    let off = world.update(UpdateConnectionGroup { enabled: Some(false), ..update_of(&group) }).unwrap();
    assert_eq!(world.delete(&id, Some(&off.etag)).unwrap_err(), ErrorCode::CannotDeleteEntityWhileInUse);
    world.account.outside_delete_tenant(world.now, "customer").unwrap();
    world.delete(&id, Some(&off.etag)).unwrap();
    assert_eq!(world.get(&id).unwrap_err(), ErrorCode::EntityNotFound);
    assert_eq!(world.page(None, PageRequest::default()).unwrap().0, Vec::<String>::new());
}

#[test]
fn an_account_holds_a_hundred_groups() {
    let mut world = world();
    for n in 0..100 {
        world.create(named(&format!("g{n}"))).unwrap();
    }
    assert_eq!(world.create(named("one-more")).unwrap_err(), ErrorCode::EntityLimitExceeded);
    assert_eq!(world.create(named("g7")).unwrap_err(), ErrorCode::EntityAlreadyExists);
}

#[test]
fn an_anycast_list_serves_five_groups() {
    let mut world = world();
    let list = world.list("ips", IpAddressType::Dualstack);
    let using = |name: &str| CreateConnectionGroup { anycast_ip_list_id: Some(list.clone()), ..named(name) };
    let first = world.create(using("g0")).unwrap();
    for n in 1..5 {
        world.create(using(&format!("g{n}"))).unwrap();
    }
    assert_eq!(world.create(using("g5")).unwrap_err(), ErrorCode::EntityLimitExceeded);
    let other = world.create(named("other")).unwrap();
    let attach = |group| UpdateConnectionGroup { anycast_ip_list_id: Some(list.clone()), ..update_of(group) };
    assert_eq!(world.update(attach(&other)).unwrap_err(), ErrorCode::EntityLimitExceeded);
    let switched = UpdateConnectionGroup { ipv6_enabled: Some(false), ..attach(&first) };
    world.update(switched).unwrap_or_else(|code| panic!("{code:?}: it is one of the five"));
}

#[test]
fn a_list_must_exist_to_be_used() {
    let mut world = world();
    let unknown = Some("aip_unknown".to_owned());
    let create = CreateConnectionGroup { anycast_ip_list_id: unknown.clone(), ..named("edge") };
    assert_eq!(world.create(create).unwrap_err(), ErrorCode::EntityNotFound);
    let group = world.create(named("edge")).unwrap();
    let update = UpdateConnectionGroup { anycast_ip_list_id: unknown, ..update_of(&group) };
    assert_eq!(world.update(update).unwrap_err(), ErrorCode::EntityNotFound);
}

#[test]
fn an_ipv4_list_and_ipv6_exclude_each_other_also_by_default() {
    let mut world = world();
    let list = Some(world.list("ips", IpAddressType::Ipv4));
    for (ipv6_enabled, allowed) in [(None, false), (Some(true), false), (Some(false), true)] {
        let input = CreateConnectionGroup { ipv6_enabled, anycast_ip_list_id: list.clone(), ..named("edge") };
        assert_eq!(world.create(input).map_err(Some).err(), (!allowed).then_some(Some(ErrorCode::InvalidArgument)));
    }
    let group = world.get("edge").unwrap();
    let on = UpdateConnectionGroup { ipv6_enabled: Some(true), ..update_of(&group) };
    assert_eq!(world.update(on).unwrap_err(), ErrorCode::InvalidArgument);
    let plain = world.create(named("plain")).unwrap();
    let attach = UpdateConnectionGroup { anycast_ip_list_id: list.clone(), ..update_of(&plain) };
    assert_eq!(world.update(attach.clone()).unwrap_err(), ErrorCode::InvalidArgument);
    world.update(UpdateConnectionGroup { ipv6_enabled: Some(false), ..attach }).unwrap();
}

#[test]
fn a_group_can_be_switched_off_although_its_list_has_become_unfit() {
    let mut world = world();
    let list = world.list("ips", IpAddressType::Dualstack);
    let group =
        world.create(CreateConnectionGroup { anycast_ip_list_id: Some(list.clone()), ..named("edge") }).unwrap();
    world.account.outside_delete_list(&list).unwrap();
    world.update(UpdateConnectionGroup { enabled: Some(false), ..update_of(&group) }).unwrap();
}

#[test]
fn pages_hold_every_group_once_in_order_of_creation() {
    let mut world = world();
    let names: Vec<_> = (0..7).map(|n| format!("g{n}")).collect();
    for name in &names {
        world.create(named(name)).unwrap();
    }
    let (mut seen, mut marker, mut pages) = (Vec::new(), None, 0);
    loop {
        let (page, next) = world.page(None, PageRequest { marker, max_items: Some(3) }).unwrap();
        seen.extend(page);
        pages += 1;
        marker = next;
        if marker.is_none() {
            break;
        }
    }
    assert_eq!((seen, pages), (names, 3));
}

#[test]
fn a_last_page_that_is_full_has_no_next_marker() {
    let mut world = world();
    world.create(named("a")).unwrap();
    world.create(named("b")).unwrap();
    let (page, next) = world.page(None, PageRequest { marker: None, max_items: Some(2) }).unwrap();
    assert_eq!((page.len(), next), (2, None));
}

#[test]
fn a_marker_stays_good_when_its_group_is_deleted() {
    let mut world = world();
    for name in ["a", "b", "c"] {
        world.create(named(name)).unwrap();
    }
    let (_, marker) = world.page(None, PageRequest { marker: None, max_items: Some(2) }).unwrap();
    world.account.outside_delete_group(world.now, "b").unwrap();
    assert_eq!(world.page(None, PageRequest { marker, max_items: Some(2) }).unwrap().0, ["c"]);
}

#[test]
fn odd_pages_are_invalid_arguments() {
    let mut world = world();
    for page in [
        PageRequest { marker: None, max_items: Some(0) },
        PageRequest { marker: None, max_items: Some(-1) },
        PageRequest { marker: Some("nonsense".into()), max_items: None },
    ] {
        assert_eq!(world.page(None, page).unwrap_err(), ErrorCode::InvalidArgument);
    }
}

#[test]
fn a_filter_keeps_the_groups_that_use_the_list() {
    let mut world = world();
    let list = world.list("ips", IpAddressType::Dualstack);
    world.create(named("without")).unwrap();
    world.create(CreateConnectionGroup { anycast_ip_list_id: Some(list.clone()), ..named("with") }).unwrap();
    assert_eq!(world.page(Some(&list), PageRequest::default()).unwrap().0, ["with"]);
}

#[test]
fn a_group_needs_a_name() {
    for name in ["", "line\nbreak"] {
        assert_eq!(world().create(named(name)).unwrap_err(), ErrorCode::InvalidArgument);
    }
    world().create(named("a name/with <odd> & \u{fc}\u{f1} parts")).unwrap();
}
