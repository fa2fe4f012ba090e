//! Other clients of the same account, careless or hostile: copied owner tags, removed owner tags,
//! recreated groups.

use std::time::Duration;

use cloudfront_simulator::{
    admin::{GroupPatch, NewGroup},
    model::{ConnectionGroup as Shown, Versioned},
};
use connection_group_operator::{
    account::orphans::{KnownObjects, Namespaces, Orphans},
    api::DeletionPolicy,
    cloudfront::Operation::{DeleteConnectionGroup, UpdateConnectionGroup},
    reconcile::Finalizer,
};

use crate::{
    orphans::next_inventory,
    world::{OWNER, PROPAGATION, World, marks, spec},
};

const US: &str = "prod/platform/edge";

fn stranger(world: &World) -> Option<Versioned<Shown>> {
    world.port.account(|account, now| account.groups(now)).into_iter().find(|group| group.resource.name == "stranger")
}

#[test]
fn a_strangers_group_that_carries_our_owner_tag_is_always_reported_and_left_alone() {
    let mut world = World::new(spec());
    world.settle();
    let copy = NewGroup { tags: marks(), ..NewGroup::named("stranger") };
    world.port.account(|account, now| account.outside_create_group(now, copy)).unwrap();
    let before = stranger(&world).unwrap();
    let mut orphans = Orphans::default();
    let mut reported = |world: &mut World, objects: &KnownObjects| {
        next_inventory(world, &mut orphans, objects);
        let found = next_inventory(world, &mut orphans, objects);
        found.into_keys().map(|id| id.to_string()).collect::<Vec<_>>()
    };

    let objects = KnownObjects::of(Namespaces::All, [&world.object], []);
    assert_eq!(reported(&mut world, &objects), [before.resource.id.as_str()]);
    world.edit(|spec| spec.ipv6_enabled = false);
    world.settle();
    world.someone_deletes_the_group();
    world.take_inventory();
    world.settle();
    world.crash();
    world.delete();
    world.take_inventory();
    world.settle();
    assert_eq!((world.group(), world.group_count()), (None, 1), "only the object's own group is gone");
    world.advance(Duration::from_hours(1));
    assert_eq!(reported(&mut world, &KnownObjects::default()), [before.resource.id.as_str()]);
    let after = stranger(&world).unwrap();
    assert_eq!((after.etag, after.resource.tags), (before.etag, before.resource.tags));
}

/// Ready, and then someone removed the owner tag, which no list shows.
fn disowned_from_outside(retain: bool) -> World {
    let mut world = World::new(spec());
    world.edit(|spec| spec.deletion_policy = if retain { DeletionPolicy::Retain } else { DeletionPolicy::Delete });
    world.settle();
    world.someone_edits(GroupPatch { remove_tags: vec![OWNER.into()], ..GroupPatch::default() });
    world.take_inventory();
    world.calls();
    world
}

#[test]
fn a_lost_owner_tag_that_no_list_shows_is_noticed_before_the_next_change_and_heals_when_it_is_back() {
    let triggers: [fn(&mut World); 3] = [
        |world| world.edit(|spec| spec.enabled = false),
        |world| world.request_reconcile("now"),
        |world| world.advance(world.settings.resync_interval.mul_f64(1.2)),
    ];
    for trigger in triggers {
        let mut world = disowned_from_outside(false);
        trigger(&mut world);
        world.take_inventory();
        world.settle();
        assert_eq!(world.mutations(), []);
        assert_eq!(world.ready(), ("False".into(), "AdoptionRefused".into(), vec!["Stalled".into()]));
        assert!(world.group().unwrap().resource.enabled, "nothing was done to it");

        world.someone_edits(GroupPatch { set_tags: [(OWNER.into(), US.into())].into(), ..GroupPatch::default() });
        world.advance(Duration::from_mins(5));
        world.take_inventory();
        world.settle();
        assert_eq!(world.ready().0, "True", "{}", world.message());
    }
}

#[test]
fn an_object_whose_group_lost_its_owner_tag_is_released_and_leaves_the_group_as_it_is() {
    for retain in [false, true] {
        let mut world = disowned_from_outside(retain);
        let before = world.group();
        world.delete();
        assert_eq!(world.reconcile().finalizer, Finalizer::Keep, "retain: {retain}: a second read must show the same");
        world.advance(world.settings.consistency_window);
        assert_eq!(world.reconcile().finalizer, Finalizer::Release, "retain: {retain}");
        assert_eq!((world.mutations(), world.group()), (vec![], before));
    }
}

/// Ready, and then the group was deleted and another one created in its place, long enough ago to be rolled out.
fn recreated(owner: Option<&str>, deleting: bool) -> World {
    let mut world = World::new(spec());
    let old = world.settle();
    if deleting {
        world.delete();
        world.reconcile();
    }
    world.someone_deletes_the_group();
    world.someone_creates(|group| {
        group.ipv6_enabled = false;
        if let Some(owner) = owner {
            group.tags = marks();
            group.tags.insert(OWNER.to_owned(), owner.to_owned());
        }
    });
    assert_ne!(Some(world.group().unwrap().resource.id), old.id);
    world.advance(PROPAGATION);
    world.take_inventory();
    world.calls();
    world
}

#[test]
fn a_group_recreated_under_our_name_is_ours_if_it_carries_our_tag_and_otherwise_left_alone() {
    let mut world = recreated(Some(US), false);
    world.settle();
    let group = world.group().unwrap();
    assert_eq!((world.status().id, world.ready().1), (Some(group.resource.id.clone()), "Deployed".into()));
    assert_eq!((world.mutations(), group.resource.ipv6_enabled), (vec![UpdateConnectionGroup], true));

    for (owner, reason) in [(None, "AdoptionRefused"), (Some("dev/shop/edge"), "NotOwned")] {
        let mut world = recreated(owner, false);
        let before = world.group();
        world.settle();
        assert_eq!(world.ready().1, reason);
        assert_eq!((world.mutations(), world.group(), world.status().id), (vec![], before, None));
    }
}

#[test]
fn a_group_recreated_while_ours_was_being_deleted_is_deleted_only_if_it_carries_our_tag() {
    let mut world = recreated(Some(US), true);
    world.settle();
    assert_eq!((world.group(), world.mutations()), (None, vec![UpdateConnectionGroup, DeleteConnectionGroup]));

    for owner in [None, Some("dev/shop/edge")] {
        let mut world = recreated(owner, true);
        let before = world.group();
        if owner.is_none() {
            assert_eq!(world.reconcile().finalizer, Finalizer::Keep, "a second read must show the same");
            world.advance(world.settings.consistency_window);
        }
        assert_eq!(world.reconcile().finalizer, Finalizer::Release);
        assert_eq!((world.mutations(), world.group()), (vec![], before));
    }
}

#[test]
fn a_group_recreated_with_the_version_of_the_old_one_is_distinguished_by_its_id() {
    let mut world = World::new(spec());
    let old = world.settle();
    world.someone_deletes_the_group();
    world.someone_creates(|_| {});
    world.advance(PROPAGATION);
    world.take_inventory();
    assert_eq!(world.group().map(|group| group.etag), old.e_tag, "CloudFront counts versions alike in all groups");
    world.calls();
    world.settle();
    assert_eq!((world.mutations(), world.ready().1), (vec![], "AdoptionRefused".into()));
}
