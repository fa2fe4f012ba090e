//! What is known of an existing group leaves status only after two proofs.

use std::time::Duration;

use cloudfront_simulator::admin::GroupPatch;
use connection_group_operator::{
    api::{AdoptionPolicy, Mode},
    cloudfront::{
        ErrorClass,
        Operation::{
            CreateConnectionGroup, GetConnectionGroup, ListConnectionGroups, ListDistributionTenants,
            ListTagsForResource,
        },
    },
    reconcile::Finalizer,
};
use port::Fault;

use crate::{
    ownership::beside_an_unowned_group,
    world::{World, spec},
};

const OWNER: &str = "cloudfront.kube-operators.dev/owner";

fn at_rest(mode: Mode) -> World {
    let mut world = World::new(spec());
    world.settle();
    world.edit(|spec| spec.mode = mode);
    world.settle();
    world.advance(Duration::from_hours(1));
    world.take_inventory();
    world.calls();
    world
}

/// The next full read gets a 404 by id and by name.
fn not_found_once(world: &mut World) {
    world.request_reconcile("now");
    for _ in 0..2 {
        world.fail(GetConnectionGroup, Fault::Error(ErrorClass::NotFound));
    }
    world.reconcile();
}

#[test]
fn one_not_found_for_an_existing_group_removes_nothing_from_status() {
    for mode in [Mode::Manage, Mode::Observe] {
        let mut world = at_rest(mode);
        let before = world.status();
        not_found_once(&mut world);
        let (after, message) = (world.status(), world.message());
        assert_eq!((&after.id, &after.arn, &after.e_tag), (&before.id, &before.arn, &before.e_tag), "{mode:?}");
        assert_eq!(after.routing_endpoint, before.routing_endpoint);
        assert_eq!((world.ready().0.as_str(), world.ready().1.as_str()), ("False", "ConfirmingAbsence"), "{message}");
        world.settle();
        assert_eq!((world.mutations(), world.ready().1.as_str()), (vec![], "Deployed"), "{mode:?}");
        assert!(!world.event_reasons().contains(&"DeletedOutside"));
    }
}

#[test]
fn a_group_that_a_complete_list_does_not_show_either_was_deleted_and_is_created_again() {
    let mut world = at_rest(Mode::Manage);
    world.someone_deletes_the_group();
    world.request_reconcile("now");
    world.reconcile();
    assert_eq!(world.ready().1, "ConfirmingAbsence", "the last list still shows it");
    assert!(world.status().id.is_some());
    world.take_inventory();
    world.at_once();
    assert!(world.event_reasons().contains(&"DeletedOutside"));
    assert_eq!(world.mutations(), [CreateConnectionGroup]);
}

#[test]
fn without_lists_two_answers_a_consistency_window_apart_are_the_proof() {
    let mut world = at_rest(Mode::Manage);
    world.someone_deletes_the_group();
    world.fail(ListConnectionGroups, Fault::Error(ErrorClass::AccessDenied));
    world.take_inventory();
    world.snapshot = None;
    world.reconcile();
    assert_eq!(world.ready().1, "ConfirmingAbsence");
    world.advance(world.settings.consistency_window / 2);
    world.at_once();
    assert_eq!((world.mutations(), world.ready().1.as_str()), (vec![], "ConfirmingAbsence"));
    world.advance(world.settings.consistency_window / 2);
    world.at_once();
    assert_eq!(world.mutations(), [CreateConnectionGroup]);
}

#[test]
fn without_lists_a_group_that_shows_again_in_between_was_never_gone() {
    let mut world = at_rest(Mode::Manage);
    world.snapshot = None;
    not_found_once(&mut world);
    world.advance(world.settings.consistency_window / 2);
    world.reconcile();
    assert_eq!(world.ready().1, "Deployed");
    world.advance(world.settings.consistency_window);
    world.object.metadata.annotations = None;
    world.request_reconcile("later");
    for _ in 0..2 {
        world.fail(GetConnectionGroup, Fault::Error(ErrorClass::NotFound));
    }
    world.reconcile();
    assert_eq!((world.mutations(), world.ready().1.as_str()), (vec![], "ConfirmingAbsence"), "the first of two again");
}

#[test]
fn one_answer_without_tags_for_a_recorded_group_removes_nothing_from_status() {
    let mut world = at_rest(Mode::Manage);
    let before = world.status();
    world.request_reconcile("now");
    world.fail(ListTagsForResource, Fault::Stale);
    // Its tags as they were before the creation: none.
    world.someone_edits(GroupPatch { remove_tags: vec![OWNER.into()], ..GroupPatch::default() });
    world.faults_stop();
    let outcome = world.reconcile();
    let after = world.status();
    assert_eq!((&after.id, &after.routing_endpoint), (&before.id, &before.routing_endpoint));
    assert_eq!(world.ready(), ("True".into(), "Deployed".into(), vec![]), "{}", world.message());
    assert!(outcome.requeue <= world.settings.consistency_window);
    let owner = [(OWNER.to_owned(), "prod/platform/edge".to_owned())].into();
    world.someone_edits(GroupPatch { set_tags: owner, ..GroupPatch::default() });
    world.settle();
    assert_eq!((world.mutations(), world.ready().1.as_str()), (vec![], "Deployed"));
    assert!(!world.event_reasons().contains(&"AdoptionRefused"));
}

#[test]
fn a_group_that_was_switched_off_and_shows_no_owner_tag_is_not_reported_as_ready() {
    let mut world = at_rest(Mode::Manage);
    let (enabled, remove_tags) = (Some(false), vec![OWNER.into()]);
    world.someone_edits(GroupPatch { enabled, remove_tags, ..GroupPatch::default() });
    world.request_reconcile("now");
    world.reconcile();
    assert_eq!(
        (world.mutations(), world.ready().0, world.ready().1),
        (vec![], "False".into(), "OwnerTagMissing".into())
    );
}

#[test]
fn an_owner_tag_that_is_missing_for_a_consistency_window_is_lost() {
    let mut world = at_rest(Mode::Manage);
    world.someone_edits(GroupPatch { remove_tags: vec![OWNER.into()], ..GroupPatch::default() });
    world.request_reconcile("now");
    let pause = world.reconcile().requeue;
    world.advance(pause);
    world.reconcile();
    assert_eq!((world.mutations(), world.ready().1.as_str()), (vec![], "AdoptionRefused"));
    assert_eq!(world.status().id, None);
}

/// At rest, until someone removes the owner tag.
fn without_owner_tag() -> World {
    let world = at_rest(Mode::Manage);
    world.someone_edits(GroupPatch { remove_tags: vec![OWNER.into()], ..GroupPatch::default() });
    world
}

/// A wait for the consistency window: how it is begun, up to before its first read; and whether it is over, given the outcome of a reconcile.
type Wait = (&'static str, fn() -> World, fn(&World, Finalizer) -> bool);

#[test]
fn what_waits_for_a_consistency_window_does_not_happen_a_second_before_its_end_and_does_at_its_end() {
    let waits: [Wait; 4] = [
        (
            "an adoption",
            || beside_an_unowned_group(AdoptionPolicy::Always, true),
            |world, _| !world.mutations().is_empty(),
        ),
        (
            "the release of an object whose group shows no owner tag",
            || {
                let mut world = without_owner_tag();
                world.delete();
                world
            },
            |_, finalizer| finalizer == Finalizer::Release,
        ),
        (
            "the end of what is known of a group that shows no owner tag",
            || {
                let mut world = without_owner_tag();
                world.request_reconcile("now");
                world
            },
            |world, _| world.status().id.is_none(),
        ),
        (
            "the disabling of a group of which no answer lists the tenants",
            || {
                let mut world = at_rest(Mode::Manage);
                world.delete();
                for _ in 0..3 {
                    world.fail(ListDistributionTenants, Fault::ListLeftOut);
                }
                world
            },
            |world, _| !world.mutations().is_empty(),
        ),
    ];
    for (what, begin, is_over) in waits {
        let mut world = begin();
        let (second, window) = (Duration::from_secs(1), world.settings.consistency_window);
        for (then, over) in [(Duration::ZERO, false), (window.saturating_sub(second), false), (second, true)] {
            world.advance(then);
            let finalizer = world.reconcile().finalizer;
            assert_eq!(is_over(&world, finalizer), over, "{what}: {}", world.message());
        }
    }
}
