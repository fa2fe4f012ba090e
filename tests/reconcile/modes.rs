//! Observe, suspend, reconcile on demand, and changes between modes.

use std::collections::BTreeMap;

use cloudfront_simulator::admin::GroupPatch;
use connection_group_operator::{
    api::{AdoptionPolicy, Mode},
    cloudfront::{
        ErrorClass,
        Operation::{GetConnectionGroup, ListTagsForResource},
    },
    reconcile::Finalizer,
};
use port::Fault;

use crate::world::{World, spec};

const OWNER: &str = "cloudfront.kube-operators.dev/owner";

fn observing() -> World {
    let mut world = World::new(spec());
    world.edit(|spec| spec.mode = Mode::Observe);
    world
}

#[test]
fn observe_mirrors_a_group_and_never_writes() {
    let mut world = observing();
    world.edit(|spec| spec.tags = BTreeMap::from([("team".into(), "edge".into())]));
    world.someone_creates(|group| {
        (group.enabled, group.ipv6_enabled) = (false, false);
        group.tags.insert("team".into(), "shop".into());
    });
    let (before, tags) = (world.group().unwrap(), world.tags());
    world.take_inventory();
    let status = world.settle();
    assert_eq!(world.ready(), ("True".into(), "Disabled".into(), vec!["Drifted".into()]));
    assert_eq!(
        (status.enabled, status.ipv6_enabled),
        (Some(false), Some(false)),
        "as the group is, not as the spec says"
    );
    assert_eq!((status.id, status.e_tag), (Some(before.resource.id), Some(before.etag.clone())));
    assert_eq!(world.mutations(), []);
    assert_eq!((world.group().unwrap().etag, world.tags()), (before.etag, tags));
}

#[test]
fn observe_reports_where_the_group_differs_and_stops_when_it_no_longer_does() {
    let mut world = observing();
    world.edit(|spec| {
        spec.ipv6_enabled = false;
        spec.tags = BTreeMap::from([("team".into(), "edge".into())]);
    });
    world.someone_creates(|_| {});
    world.take_inventory();
    world.settle();
    let fields = world.status().drift.into_iter().map(|drift| drift.field).collect::<Vec<_>>();
    assert_eq!(fields, ["ipv6Enabled", "tags[team]"]);
    assert_eq!(world.ready(), ("True".into(), "Deployed".into(), vec!["Drifted".into()]));

    let tags = BTreeMap::from([("team".into(), "edge".into())]);
    world.someone_edits(GroupPatch { ipv6_enabled: Some(false), set_tags: tags, ..Default::default() });
    world.take_inventory();
    world.settle();
    assert!(world.status().drift.is_empty());
    assert_eq!(world.ready().2, Vec::<String>::new());
    assert_eq!(world.mutations(), []);
}

#[test]
fn observe_waits_for_a_group_that_does_not_exist() {
    let mut world = observing();
    world.reconcile();
    assert_eq!(world.calls(), [], "the list is enough");
    assert_eq!(world.ready(), ("False".into(), "GroupNotFound".into(), vec!["Reconciling".into()]));
    world.someone_creates(|_| {});
    world.take_inventory();
    world.settle();
    assert_eq!(world.ready().1, "Deployed");
    world.someone_deletes_the_group();
    world.take_inventory();
    world.settle();
    assert_eq!(world.ready().1, "GroupNotFound");
    assert_eq!(world.status().id, None);
}

#[test]
fn observe_may_watch_the_default_group_and_another_owners() {
    let mut world = observing();
    let default = world.port.account(cloudfront_simulator::Account::outside_create_default_group).resource;
    world.edit(|spec| spec.name = Some(default.name.clone()));
    world.take_inventory();
    world.settle();
    assert_eq!((world.ready().1.as_str(), world.status().is_default), ("Deployed", Some(true)));
    assert_eq!(world.mutations(), []);
}

#[test]
fn deleting_an_observing_object_releases_it_without_a_write_and_says_what_is_left() {
    let mut world = observing();
    world.someone_creates(|_| {});
    world.take_inventory();
    world.settle();
    world.calls();
    world.delete();
    assert_eq!(world.reconcile().finalizer, Finalizer::Release);
    assert_eq!(world.sorted_calls(), [GetConnectionGroup, ListTagsForResource]);
    assert!(world.message().contains("is not tagged as this object's"), "{}", world.message());
    assert!(world.group().is_some());
}

#[test]
fn no_answer_of_cloudfront_holds_an_observing_object() {
    let deleted = || {
        let mut world = observing();
        world.someone_creates(|_| {});
        world.take_inventory();
        world.settle();
        world.delete();
        world.calls();
        world
    };
    let mut world = deleted();
    for _ in 0..2 {
        world.fail(GetConnectionGroup, Fault::Error(ErrorClass::AccessDenied));
    }
    assert_eq!(world.reconcile().finalizer, Finalizer::Release);
    assert!(world.message().contains("could not be read"), "{}", world.message());

    let mut world = deleted();
    world.someone_deletes_the_group();
    world.take_inventory();
    world.calls();
    assert_eq!(world.reconcile().finalizer, Finalizer::Release);
    assert_eq!(world.calls(), [], "the list is enough");
}

#[test]
fn from_observe_to_manage_is_an_adoption() {
    let mut world = observing();
    world.someone_creates(|group| {
        group.tags.insert("theirs".into(), "x".into());
    });
    world.advance(std::time::Duration::from_hours(1));
    world.take_inventory();
    world.settle();
    assert_eq!(world.status().owner, None, "it carries no owner tag of this object");
    world.edit(|spec| spec.mode = Mode::Manage);
    world.reconcile();
    assert_eq!(world.ready().1, "AdoptionRefused", "at once: nothing suggests that the group was ever this object's");
    world.settle();
    assert_eq!(world.ready().1, "AdoptionRefused");
    assert_eq!(world.mutations(), []);

    world.settings.allow_adoption = true;
    world.edit(|spec| spec.adoption_policy = AdoptionPolicy::Always);
    world.settle();
    assert_eq!(world.ready().1, "Deployed");
    assert_eq!(world.tags()["theirs"], "x", "a tag of others stays");
}

#[test]
fn from_manage_to_observe_stops_writing_keeps_our_tag_and_says_so() {
    let mut world = World::new(spec());
    world.settle();
    world.calls();
    world.edit(|spec| {
        spec.mode = Mode::Observe;
        spec.enabled = false;
    });
    world.settle();
    assert_eq!(world.mutations(), []);
    assert!(world.group().unwrap().resource.enabled);
    assert_eq!(world.tags()[OWNER], "prod/platform/edge");
    assert!(world.message().contains("owner tag is still on the group"), "{}", world.message());
    assert_eq!(world.status().owner.as_deref(), Some("prod/platform/edge"));
    assert!(world.ready().2.contains(&"Drifted".to_owned()));
}

#[test]
fn suspended_objects_keep_their_conditions_and_cost_nothing() {
    let mut world = World::new(spec());
    let before = world.settle();
    world.calls();
    world.edit(|spec| {
        spec.suspend = true;
        spec.enabled = false;
    });
    world.reconcile();
    let after = world.status();
    assert_eq!(world.calls(), []);
    assert_eq!(world.ready(), ("True".into(), "Deployed".into(), vec![]));
    assert!(world.message().contains("spec.suspend"), "{}", world.message());
    assert!(
        world.message().contains("enabled although spec.enabled is false. The operator does not disable it"),
        "{}",
        world.message()
    );
    assert_eq!(after.observed_generation, before.observed_generation, "the new spec was not reconciled");
    assert_eq!(after.conditions[0].observed_generation, before.conditions[0].observed_generation);

    world.edit(|spec| spec.suspend = false);
    world.settle();
    assert_eq!(world.ready().1, "Disabled");
}

#[test]
fn an_object_that_is_suspended_from_the_start_says_so() {
    let mut world = World::new(spec());
    world.edit(|spec| spec.suspend = true);
    world.reconcile();
    assert_eq!(world.calls(), []);
    assert_eq!(world.ready(), ("False".into(), "Suspended".into(), vec!["Reconciling".into()]));
}

#[test]
fn a_requested_reconcile_reads_in_full_once_and_is_acknowledged() {
    let mut world = World::new(spec());
    world.settle();
    world.take_inventory();
    world.calls();
    world.request_reconcile("monday");
    world.reconcile();
    assert_eq!(world.sorted_calls(), [GetConnectionGroup, ListTagsForResource]);
    assert_eq!(world.status().last_handled_reconcile_at.as_deref(), Some("monday"));
    world.reconcile();
    assert_eq!(world.calls(), []);
}

#[test]
fn observe_records_no_owner_for_a_group_that_carries_another_owners_tag() {
    let mut world = World::new(spec());
    world.settle();
    world.edit(|spec| spec.mode = Mode::Observe);
    world.settle();
    let set_tags = BTreeMap::from([(OWNER.into(), "stage/other/x".into())]);
    world.someone_edits(GroupPatch { set_tags, ..GroupPatch::default() });
    world.advance(world.settings.resync_interval * 2);
    world.take_inventory();
    world.settle();
    assert_eq!((world.status().carries_owner_tag, world.status().owner), (false, None));
}

#[test]
fn one_stale_read_without_our_owner_tag_changes_nothing_in_observe_and_is_soon_repeated() {
    let mut world = World::new(spec());
    world.settle();
    world.edit(|spec| spec.mode = Mode::Observe);
    world.settle();
    assert!(world.status().carries_owner_tag);
    world.someone_edits(GroupPatch { remove_tags: vec![OWNER.into()], ..GroupPatch::default() });
    world.request_reconcile("now");
    let again = world.reconcile().requeue;
    assert!(again <= world.settings.consistency_window, "{again:?}");
    let owner = world.status().owner;
    assert_eq!((world.status().carries_owner_tag, owner.as_deref()), (true, Some("prod/platform/edge")));
    world.settle();
    assert_eq!(
        (world.status().carries_owner_tag, world.status().owner),
        (false, None),
        "every read shows that it is gone"
    );
}
