//! Groups that carry our owner tag although no object names them.

use std::{collections::BTreeSet, time::Duration};

use connection_group_operator::{
    cloudfront::{
        ErrorClass,
        Operation::{DeleteConnectionGroup, ListTagsForResource},
    },
    orphans::{Orphans, Scope},
};

use crate::{
    port::Fault,
    world::{World, now, spec},
};

const OWNER: &str = "cloudfront.kube-operators.dev/owner";

fn scope() -> Scope {
    Scope { owner_id: "prod".into(), namespaces: BTreeSet::new() }
}

fn look(world: &mut World, orphans: &mut Orphans) -> Vec<String> {
    world.sweep();
    world.calls();
    let found =
        now(orphans.look(world.snapshot.as_ref().unwrap(), &BTreeSet::new(), &scope(), world.wall(), &world.port));
    found.values().map(ToString::to_string).collect()
}

#[test]
fn an_orphan_is_reported_and_left_alone_and_its_tags_are_read_once() {
    let (mut world, mut orphans) = (World::new(spec()), Orphans::default());
    world.somebody_creates(|group| {
        group.tags.insert(OWNER.into(), "prod/platform/edge".into());
    });
    assert_eq!(look(&mut world, &mut orphans), ["prod/platform/edge"]);
    assert_eq!(world.calls(), [ListTagsForResource]);
    assert_eq!(look(&mut world, &mut orphans), ["prod/platform/edge"], "still known");
    assert_eq!(world.calls(), []);
    assert!(!world.calls().contains(&DeleteConnectionGroup));
    world.somebody_deletes_the_group();
    assert_eq!(look(&mut world, &mut orphans), Vec::<String>::new(), "and forgotten once it is gone");
}

#[test]
fn groups_of_nobody_and_of_other_installations_are_no_orphans() {
    for tag in [None, Some("dev/platform/edge")] {
        let (mut world, mut orphans) = (World::new(spec()), Orphans::default());
        world.somebody_creates(|group| group.tags.extend(tag.map(|tag| (OWNER.into(), tag.into()))));
        assert_eq!(look(&mut world, &mut orphans), Vec::<String>::new());
    }
}

#[test]
fn tags_that_could_not_be_read_are_read_with_the_next_sweep() {
    let (mut world, mut orphans) = (World::new(spec()), Orphans::default());
    world.somebody_creates(|group| {
        group.tags.insert(OWNER.into(), "prod/platform/edge".into());
    });
    world.fail(ListTagsForResource, Fault::Error(ErrorClass::Throttled));
    assert_eq!(look(&mut world, &mut orphans), Vec::<String>::new());
    assert_eq!(look(&mut world, &mut orphans), ["prod/platform/edge"]);
}

#[test]
fn tags_that_may_not_be_read_are_read_an_hour_later_as_rights_may_have_come() {
    let (mut world, mut orphans) = (World::new(spec()), Orphans::default());
    world.somebody_creates(|group| {
        group.tags.insert(OWNER.into(), "prod/platform/edge".into());
    });
    world.fail(ListTagsForResource, Fault::Error(ErrorClass::AccessDenied));
    assert_eq!(look(&mut world, &mut orphans), Vec::<String>::new());
    assert_eq!(look(&mut world, &mut orphans), Vec::<String>::new());
    assert_eq!(world.calls(), [], "not asked with each sweep");
    world.advance(Duration::from_hours(1));
    assert_eq!(look(&mut world, &mut orphans), ["prod/platform/edge"]);
}
