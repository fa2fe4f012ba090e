//! What this operator may treat as its own: tags that it sent, and claims of groups that may still take effect.

use std::{collections::BTreeMap, time::Duration};

use cloudfront_simulator::admin::GroupPatch;
use connection_group_operator::{
    api::{AdoptionPolicy, Mode},
    cloudfront::{ErrorClass, Operation::CreateConnectionGroup},
    reconcile::Finalizer,
};
use port::Fault;

use crate::world::{PROPAGATION, World, marks, spec};

fn cost() -> BTreeMap<String, String> {
    [("CostCenter".to_owned(), "42".to_owned())].into()
}

#[test]
fn a_tag_that_already_matched_is_not_treated_as_ours_and_stays_when_the_spec_drops_it() {
    let mut world = World::new(spec());
    world.settle();
    world.someone_edits(GroupPatch { set_tags: cost(), ..GroupPatch::default() });
    world.edit(|spec| spec.tags = cost());
    world.settle();
    assert_eq!(world.ready().1, "Deployed", "the group is as the spec says");
    world.edit(|spec| spec.tags.clear());
    world.calls();
    world.settle();
    assert_eq!((world.mutations(), &world.tags()["CostCenter"][..]), (vec![], "42"));
}

#[test]
fn a_tag_that_others_changed_to_what_the_spec_says_now_is_theirs() {
    let mut world = World::new(spec());
    world.edit(|spec| drop(spec.tags.insert("CostCenter".into(), "41".into())));
    world.settle();
    world.someone_edits(GroupPatch { set_tags: cost(), ..GroupPatch::default() });
    world.edit(|spec| spec.tags = cost());
    world.settle();
    world.edit(|spec| spec.tags.clear());
    world.calls();
    world.settle();
    assert_eq!((world.mutations(), &world.tags()["CostCenter"][..]), (vec![], "42"));
}

#[test]
fn a_tag_that_we_sent_is_removed_when_the_spec_drops_it_even_after_a_restart() {
    let mut world = World::new(spec());
    world.edit(|spec| spec.tags = cost());
    world.settle();
    world.crash();
    world.take_inventory();
    world.settle();
    world.edit(|spec| spec.tags.clear());
    world.settle();
    assert!(!world.tags().contains_key("CostCenter"));
}

#[test]
fn after_a_create_that_timed_out_a_switch_to_observe_does_not_let_the_deletion_forget_it() {
    let mut world = World::new(spec());
    world.fail(CreateConnectionGroup, Fault::Error(ErrorClass::TimedOut));
    world.reconcile();
    world.edit(|spec| spec.mode = Mode::Observe);
    world.delete();
    for _ in 0..5 {
        assert_eq!(world.reconcile().finalizer, Finalizer::Keep, "the request may still take effect");
        world.advance(world.settings.consistency_window / 6);
    }
    // It took effect, and its answer was lost.
    world.someone_creates(|group| group.tags = marks());
    world.advance(world.settings.consistency_window);
    world.take_inventory();
    let outcome = world.reconcile();
    assert_eq!(outcome.finalizer, Finalizer::Release, "{}", world.message());
    assert!(world.message().contains("prod/platform/edge"), "the tag that stays is named: {}", world.message());
    assert_eq!(world.mutations(), [CreateConnectionGroup]);
    assert!(world.group().is_some(), "mode Observe writes nothing");
}

/// An old group that nobody owns, which was observed so once, and an object with both permissions to adopt it.
fn seen_without_an_owner_once() -> World {
    let mut world = World::new(spec());
    world.settings.allow_adoption = true;
    world.edit(|spec| spec.adoption_policy = AdoptionPolicy::Always);
    world.someone_creates(|_| {});
    world.advance(Duration::from_hours(1));
    world.take_inventory();
    world.reconcile();
    assert_eq!(world.ready().1, "Adopting", "{}", world.message());
    world
}

#[test]
fn adoption_needs_two_reads_of_the_same_unowned_group_and_not_one_read_of_each_of_two() {
    let mut world = seen_without_an_owner_once();
    world.someone_deletes_the_group();
    world.someone_creates(|_| {});
    world.advance(PROPAGATION);
    world.take_inventory();
    world.calls();
    world.reconcile();
    assert_eq!((world.mutations(), world.ready().1), (vec![], "Adopting".into()), "first sight of another group");
}

#[test]
fn a_group_that_was_gone_in_between_counts_as_seen_for_the_first_time() {
    let mut world = seen_without_an_owner_once();
    world
        .fail(connection_group_operator::cloudfront::Operation::GetConnectionGroup, Fault::Error(ErrorClass::NotFound));
    world.fail(CreateConnectionGroup, Fault::Error(ErrorClass::ServiceUnavailable));
    world.reconcile();
    world.advance(world.settings.consistency_window * 2);
    world.take_inventory();
    world.calls();
    world.reconcile();
    assert_eq!((world.mutations(), world.ready().1), (vec![], "Adopting".into()));
}
