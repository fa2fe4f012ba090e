//! Groups that carry our owner tag although no object names them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cloudfront_simulator::{
    Millis,
    admin::{GroupPatch, NewGroup},
};
use connection_group_operator::{
    account::orphans::{KnownObjects, Namespaces, Orphan, OrphanCriteria, Orphans, OwnerObject},
    api::ConnectionGroup,
    cloudfront::{ErrorClass, GroupId, GroupName, Operation::ListTagsForResource},
    reconcile::ownership::Installation,
};
use jiff::SignedDuration;
use port::Fault;

use crate::world::{HERE, OWNER, World, now, spec};

fn criteria() -> OrphanCriteria {
    OrphanCriteria {
        owner_id: "prod".into(),
        installations: vec![Installation::new(HERE)],
        consistency_window: Duration::from_mins(1),
    }
}

/// One inventory, a consistency window after the last one, with these objects in the cluster.
pub fn next_inventory(world: &mut World, orphans: &mut Orphans, objects: &KnownObjects) -> BTreeMap<GroupId, Orphan> {
    world.advance(criteria().consistency_window);
    inventory_now(world, orphans, objects)
}

fn inventory_now(world: &mut World, orphans: &mut Orphans, objects: &KnownObjects) -> BTreeMap<GroupId, Orphan> {
    world.take_inventory();
    world.calls();
    let (list, clock) = (world.snapshot.as_ref().unwrap(), world.clock());
    now(orphans.search(list, objects, &criteria(), &clock, &world.port))
}

fn next_orphans(world: &mut World, orphans: &mut Orphans) -> Vec<String> {
    next_orphans_beside(world, orphans, &KnownObjects::default())
}

fn next_orphans_beside(world: &mut World, orphans: &mut Orphans, objects: &KnownObjects) -> Vec<String> {
    next_inventory(world, orphans, objects).into_values().map(|orphan| orphan.owner.to_string()).collect()
}

fn beside_an_orphan() -> (World, Orphans) {
    let world = World::new(spec());
    world.someone_creates(|group| {
        group.tags.insert(OWNER.into(), "prod/platform/edge".into());
    });
    (world, Orphans::default())
}

#[test]
fn an_orphan_is_reported_and_left_alone_and_its_tags_are_read_only_now_and_then() {
    let (mut world, mut orphans) = beside_an_orphan();
    assert_eq!(next_orphans(&mut world, &mut orphans), Vec::<String>::new(), "one read may show what is about to go");
    assert_eq!(next_orphans(&mut world, &mut orphans), ["prod/platform/edge"]);
    assert_eq!(world.calls(), [ListTagsForResource]);
    assert_eq!(next_orphans(&mut world, &mut orphans), ["prod/platform/edge"], "still known");
    assert_eq!(world.calls(), []);
    world.someone_deletes_the_group();
    assert_eq!(next_orphans(&mut world, &mut orphans), Vec::<String>::new(), "and forgotten once it is gone");
}

#[test]
fn a_group_whose_tag_was_just_removed_is_not_an_orphan_although_reads_still_show_the_tag() {
    let (mut world, mut orphans) = beside_an_orphan();
    next_orphans(&mut world, &mut orphans);
    world.someone_edits(GroupPatch { remove_tags: vec![OWNER.into()], ..GroupPatch::default() });
    for _ in 0..3 {
        assert_eq!(next_orphans(&mut world, &mut orphans), Vec::<String>::new());
    }
}

#[test]
fn an_orphan_that_someone_releases_is_no_longer_reported() {
    let (mut world, mut orphans) = beside_an_orphan();
    next_orphans(&mut world, &mut orphans);
    assert_eq!(next_orphans(&mut world, &mut orphans), ["prod/platform/edge"]);
    world.someone_edits(GroupPatch { remove_tags: vec![OWNER.into()], ..GroupPatch::default() });
    world.advance(Duration::from_hours(1));
    assert_eq!(next_orphans(&mut world, &mut orphans), Vec::<String>::new());
}

#[test]
fn unowned_groups_and_groups_of_other_installations_are_not_orphans_and_are_read_now_and_then() {
    for tag in [None, Some("dev/platform/edge")] {
        let (mut world, mut orphans) = (World::new(spec()), Orphans::default());
        world.someone_creates(|group| group.tags.extend(tag.map(|tag| (OWNER.into(), tag.into()))));
        assert_eq!(next_orphans(&mut world, &mut orphans), Vec::<String>::new());
        assert_eq!(world.calls(), [ListTagsForResource]);
        assert_eq!(next_orphans(&mut world, &mut orphans), Vec::<String>::new());
        assert_eq!(world.calls(), []);
    }
}

#[test]
fn tags_that_could_not_be_read_are_read_with_a_later_inventory() {
    let (mut world, mut orphans) = beside_an_orphan();
    world.fail(ListTagsForResource, Fault::Error(ErrorClass::Throttled));
    assert_eq!(next_orphans(&mut world, &mut orphans), Vec::<String>::new());
    next_orphans(&mut world, &mut orphans);
    assert_eq!(next_orphans(&mut world, &mut orphans), ["prod/platform/edge"]);
}

#[test]
fn groups_whose_tags_cannot_be_read_do_not_hide_the_others() {
    let (mut world, mut orphans) = beside_an_orphan();
    for n in 0..6 {
        let new = NewGroup::named(format!("a-{n}"));
        world.port.account(|account, now| account.outside_create_group(now, new)).unwrap();
        // By name, they come before the orphan.
        world.fail(ListTagsForResource, Fault::Error(ErrorClass::AccessDenied));
    }
    for _ in 0..2 {
        next_orphans(&mut world, &mut orphans);
    }
    assert_eq!(next_orphans(&mut world, &mut orphans), ["prod/platform/edge"]);
}

/// A group that carries these tags.
fn someone_makes(world: &World, name: &str, owner: Option<&str>) {
    let tags = owner.map(|owner| (OWNER.into(), owner.into())).into_iter().collect();
    let new = NewGroup { tags, ..NewGroup::named(name) };
    world.port.account(|account, now| account.outside_create_group(now, new)).unwrap();
}

#[test]
fn however_many_groups_cannot_be_decided_about_the_others_get_their_turn() {
    let (mut world, mut orphans) = (World::new(spec()), Orphans::default());
    someone_makes(&world, "z", Some("prod/platform/edge"));
    for n in 0..30 {
        // By name, they come before the orphan.
        someone_makes(&world, &format!("a-{n}"), Some("prod/unreadable/x"));
    }
    let in_platform = KnownObjects::of(Namespaces::Only(["platform".to_owned()].into()), [], []);
    let found = (0..20).map(|_| next_orphans_beside(&mut world, &mut orphans, &in_platform)).collect::<Vec<_>>();
    assert_eq!(found[19], ["prod/platform/edge"]);
}

#[test]
fn groups_that_are_too_young_to_show_their_tags_take_no_turn_from_the_others() {
    let (mut world, mut orphans) = beside_an_orphan();
    world.advance(Duration::from_hours(1));
    for n in 0..6 {
        someone_makes(&world, &format!("a-{n}"), None);
    }
    let criteria = OrphanCriteria { consistency_window: Duration::from_secs(5), ..criteria() };
    let found = (0..5).map(|_| {
        world.advance(Duration::from_secs(10));
        world.take_inventory();
        let (list, clock) = (world.snapshot.as_ref().unwrap(), world.clock());
        now(orphans.search(list, &KnownObjects::default(), &criteria, &clock, &world.port)).len()
    });
    assert_eq!(found.last(), Some(1), "before a minute has gone by");
}

#[test]
fn tags_whose_read_was_denied_are_read_an_hour_later_as_rights_may_have_been_granted() {
    let (mut world, mut orphans) = beside_an_orphan();
    world.fail(ListTagsForResource, Fault::Error(ErrorClass::AccessDenied));
    assert_eq!(next_orphans(&mut world, &mut orphans), Vec::<String>::new());
    assert_eq!(next_orphans(&mut world, &mut orphans), Vec::<String>::new());
    assert_eq!(world.calls(), [], "not asked with each inventory");
    world.advance(Duration::from_hours(1));
    next_orphans(&mut world, &mut orphans);
    assert_eq!(next_orphans(&mut world, &mut orphans), ["prod/platform/edge"]);
}

#[test]
fn a_tag_that_shows_long_after_the_first_read_is_found() {
    let (mut world, mut orphans) = (World::new(spec()), Orphans::default());
    world.someone_creates(|_| {});
    world.advance(Duration::from_hours(1));
    assert_eq!(next_orphans(&mut world, &mut orphans), Vec::<String>::new());
    let owner = [(OWNER.to_owned(), "prod/platform/edge".to_owned())].into();
    world.someone_edits(GroupPatch { set_tags: owner, ..GroupPatch::default() });
    world.advance(Duration::from_hours(1));
    next_orphans(&mut world, &mut orphans);
    assert_eq!(next_orphans(&mut world, &mut orphans), ["prod/platform/edge"]);
}

#[test]
fn an_orphan_is_found_within_two_hours_however_late_its_tags_show_and_whatever_the_clock_says() {
    for lag in [0, 30, 90, 300, 1800].map(Duration::from_secs) {
        for ahead in [-300, -2, 0, 2, 300].map(SignedDuration::from_mins) {
            let (mut world, mut orphans) = (World::new(spec()), Orphans::default());
            world.switch(|switches| switches.tag_lag = Millis(u64::try_from(lag.as_millis()).unwrap()));
            world.someone_creates(|group| drop(group.tags.insert(OWNER.into(), "prod/platform/edge".into())));
            world.wall_ahead = ahead;
            world.advance(Duration::from_secs(10));
            assert_eq!(inventory_now(&mut world, &mut orphans, &KnownObjects::default()), BTreeMap::new());
            let inventories = (1..=122).find(|_| !next_orphans(&mut world, &mut orphans).is_empty());
            assert!(inventories.is_some(), "tags lag for {lag:?}, and the clock is {ahead:?} ahead");
            if lag < criteria().consistency_window && ahead.is_zero() {
                assert!(inventories <= Some(3), "{inventories:?} inventories");
            }
        }
    }
}

/// An object of that name, which names that group.
fn naming(name: &str, group: &str) -> ConnectionGroup {
    let mut object = World::new(spec()).object;
    object.metadata.name = Some(name.into());
    object.spec.name = Some(group.into());
    object
}

#[test]
fn a_group_whose_object_exists_and_cannot_be_read_is_not_an_orphan_until_that_object_is_gone() {
    let (mut world, mut orphans) = beside_an_orphan();
    let unreadable = || KnownObjects::of(Namespaces::All, [], [("platform".to_owned(), "edge".to_owned())]);
    for _ in 0..3 {
        assert_eq!(next_orphans_beside(&mut world, &mut orphans, &unreadable()), Vec::<String>::new());
    }
    world.advance(Duration::from_hours(1));
    next_orphans(&mut world, &mut orphans);
    assert_eq!(next_orphans(&mut world, &mut orphans), ["prod/platform/edge"]);
}

#[test]
fn an_orphan_of_a_namespace_that_cannot_be_read_is_not_reported_until_it_can_be_and_hides_none_of_another() {
    let (mut world, mut orphans) = beside_an_orphan();
    let elsewhere = NewGroup { tags: [(OWNER.into(), "prod/network/core".into())].into(), ..NewGroup::named("core") };
    world.port.account(|account, now| account.outside_create_group(now, elsewhere)).unwrap();
    let in_network = KnownObjects::of(Namespaces::Only(["network".to_owned()].into()), [], []);
    next_orphans_beside(&mut world, &mut orphans, &in_network);
    assert_eq!(next_orphans_beside(&mut world, &mut orphans, &in_network), ["prod/network/core"]);
    world.advance(Duration::from_hours(1));
    next_orphans(&mut world, &mut orphans);
    assert_eq!(BTreeSet::from_iter(next_orphans(&mut world, &mut orphans)), both());
    assert_eq!(
        next_orphans_beside(&mut world, &mut orphans, &in_network),
        ["prod/network/core"],
        "it is unknown again"
    );
    assert_eq!(
        BTreeSet::from_iter(next_orphans(&mut world, &mut orphans)),
        both(),
        "and nothing has to be read for it"
    );
    assert_eq!(world.calls(), []);
}

fn both() -> BTreeSet<String> {
    ["prod/network/core", "prod/platform/edge"].map(str::to_owned).into()
}

#[test]
fn a_group_that_another_object_names_does_not_hide_that_its_own_object_is_gone() {
    let (mut world, mut orphans) = beside_an_orphan();
    let another = naming("another", "edge");
    let found =
        [(); 2].map(|()| next_inventory(&mut world, &mut orphans, &KnownObjects::of(Namespaces::All, [&another], [])));
    let found = found[1].values().collect::<Vec<_>>();
    assert!(matches!(found[..], [Orphan { object: OwnerObject::Gone, .. }]), "{found:?}");
}

#[test]
fn a_group_whose_object_names_another_group_is_reported_as_such() {
    let (mut world, mut orphans) = beside_an_orphan();
    let object = naming("edge", "elsewhere");
    let found =
        [(); 2].map(|()| next_inventory(&mut world, &mut orphans, &KnownObjects::of(Namespaces::All, [&object], [])));
    let found = found[1].values().map(|orphan| orphan.object.clone()).collect::<Vec<_>>();
    assert_eq!(found, [OwnerObject::NamesAnother(GroupName::new("elsewhere"))]);
}

#[test]
fn a_group_that_its_object_manages_or_is_about_to_is_not_an_orphan_and_the_managed_one_is_not_read() {
    let (mut world, mut orphans) = beside_an_orphan();
    let object = naming("edge", "edge");
    for _ in 0..3 {
        assert_eq!(
            next_orphans_beside(&mut world, &mut orphans, &KnownObjects::of(Namespaces::All, [&object], [])),
            Vec::<String>::new()
        );
    }
    let mut world = World::new(spec());
    world.settle();
    let managed = world.object.clone();
    assert_eq!(
        next_orphans_beside(&mut world, &mut Orphans::default(), &KnownObjects::of(Namespaces::All, [&managed], [])),
        Vec::<String>::new()
    );
    assert_eq!(world.calls(), []);
}
