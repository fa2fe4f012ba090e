//! What someone else does to the account.

use cloudfront_simulator::account::OutsideError;
use cloudfront_simulator::admin::{GroupPatch, ListPatch, NewGroup, NewTenant};
use cloudfront_simulator::switches::IpAddressType;
use cloudfront_simulator::{ErrorCode, Freshness, Millis};

use super::account::{ETAGS, named, tags, world};

#[test]
fn an_outside_edit_moves_the_etag_as_any_change_does() {
    let mut world = world();
    let group = world.deployed("edge");
    world.wait(Millis::seconds(1));
    let patch = GroupPatch { enabled: Some(false), ..GroupPatch::default() };
    let edited = world.account.outside_edit_group(world.now, "edge", patch).unwrap();
    assert_eq!((edited.etag.as_str(), edited.resource.enabled), (ETAGS[1], false));
    assert_eq!(world.get("edge").unwrap().etag, ETAGS[1]);
    assert!(world.read("edge", Freshness::Stale { versions: 1 }).unwrap().resource.enabled);
    assert_eq!(world.delete(&group.resource.id, Some(&group.etag)).unwrap_err(), ErrorCode::PreconditionFailed);
}

#[test]
fn an_outside_edit_of_tags_alone_leaves_the_version() {
    let mut world = world();
    let arn = world.deployed("edge").resource.arn;
    world.tag(&arn, &[("a", "1"), ("b", "2")]).unwrap();
    let patch = GroupPatch { set_tags: tags(&[("c", "3")]), remove_tags: vec!["a".into()], ..GroupPatch::default() };
    let edited = world.account.outside_edit_group(world.now, &arn, patch).unwrap();
    assert_eq!(edited.etag, ETAGS[0]);
    assert_eq!(edited.resource.tags, Some(tags(&[("b", "2"), ("c", "3")])));
    assert_eq!(world.tags_of(&arn), Ok(tags(&[("b", "2"), ("c", "3")])));
}

#[test]
fn from_outside_a_list_is_attached_and_detached() {
    let mut world = world();
    world.deployed("edge");
    let mut attach = |id: &str| {
        let patch = GroupPatch { anycast_ip_list_id: Some(id.into()), ..GroupPatch::default() };
        world.account.outside_edit_group(world.now, "edge", patch).unwrap().resource.anycast_ip_list_id
    };
    assert_eq!(attach("aip_1").as_deref(), Some("aip_1"));
    assert_eq!(attach(""), None);
}

#[test]
fn from_outside_a_group_can_go_although_it_is_enabled_and_in_use() {
    let mut world = world();
    world.deployed("edge");
    world.tenant("edge", "customer");
    world.account.outside_delete_group(world.now, "edge").unwrap();
    assert_eq!(world.get("edge").unwrap_err(), ErrorCode::EntityNotFound);
}

#[test]
fn names_are_unique_from_outside_too() {
    let mut world = world();
    world.create(named("edge")).unwrap();
    let again = world.account.outside_create_group(world.now, NewGroup::named("edge"));
    assert_eq!(again, Err(OutsideError::NameTaken("edge".into())));
}

#[test]
fn what_is_not_there_cannot_be_edited_or_removed() {
    let mut world = world();
    let now = world.now;
    assert!(world.account.outside_edit_group(now, "nobody", GroupPatch::default()).is_err());
    assert!(world.account.outside_delete_group(now, "nobody").is_err());
    assert!(world.account.outside_delete_list("aip_none").is_err());
    assert!(
        world.account.outside_edit_list(now, "aip_none", &ListPatch { ip_address_type: IpAddressType::Ipv4 }).is_err()
    );
    assert!(world.account.outside_delete_tenant(world.now, "dt_none").is_err());
    assert!(world.account.outside_create_tenant(now, NewTenant::behind("nobody", "t")).is_err());
}

#[test]
fn a_tenant_without_a_group_brings_the_default_group_about_once() {
    let mut world = world();
    for name in ["a", "b"] {
        let tenant = NewTenant { connection_group: None, ..NewTenant::behind("", name) };
        world.account.outside_create_tenant(world.now, tenant).unwrap();
    }
    let groups = world.account.groups(world.now);
    assert_eq!(groups.iter().filter(|group| group.resource.is_default).count(), 1);
    assert!(world.account.tenants().iter().all(|tenant| tenant.connection_group_id == groups[0].resource.id));
}

#[test]
fn a_list_edited_outside_gets_a_new_version() {
    let mut world = world();
    let id = world.list("ips", IpAddressType::Dualstack);
    let edited = world.account.outside_edit_list(world.now, &id, &ListPatch { ip_address_type: IpAddressType::Ipv4 });
    assert_eq!(edited.unwrap().etag, ETAGS[1]);
}
