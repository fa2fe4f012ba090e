//! Crashes and lost answers: nothing is lost, nothing is created twice.

use std::time::Duration;

use cloudfront_simulator::admin::GroupPatch;
use connection_group_operator::{
    api::AdoptionPolicy,
    cloudfront::{
        ErrorClass,
        Operation::{
            CreateConnectionGroup, DeleteConnectionGroup, GetConnectionGroup, ListConnectionGroups,
            ListTagsForResource, TagResource, UpdateConnectionGroup,
        },
    },
    reconcile::Finalizer,
};
use port::Fault;

use crate::{
    ownership::beside_an_unowned_group,
    world::{SOON, World, marks, spec},
};

#[test]
fn a_create_whose_answer_was_lost_is_resumed_and_not_repeated() {
    let mut world = World::new(spec());
    world.fail(CreateConnectionGroup, Fault::AnswerLost);
    world.reconcile();
    assert_eq!(world.ready().1, "ServiceUnavailable");
    world.settle_within(SOON, 4);
    assert_eq!(world.ready().1, "Deployed");
    assert_eq!(world.group_count(), 1);
    assert_eq!(world.mutations(), [CreateConnectionGroup], "the group was found by its name");
}

#[test]
fn a_crash_between_create_and_the_status_write_is_resumed() {
    let mut world = World::new(spec());
    world.reconcile_without_storing();
    world.crash();
    world.take_inventory();
    world.settle_within(SOON, 4);
    assert_eq!(world.ready().1, "Deployed");
    assert_eq!(world.group_count(), 1);
}

#[test]
fn a_crash_before_any_list_is_also_resumed() {
    let mut world = World::new(spec());
    world.reconcile_without_storing();
    world.crash();
    world.keep_failing(ListConnectionGroups, Fault::Error(ErrorClass::ServiceUnavailable));
    world.settle_within(SOON, 12);
    world.faults_stop();
    assert_eq!(world.group_count(), 1);
    assert_eq!(world.ready().1, "Deployed");
}

#[test]
fn our_own_group_that_used_up_the_quota_is_found() {
    let mut world = World::new(spec());
    world.switch(|switches| {
        switches.groups_per_account = 1;
        switches.create_precedence = cloudfront_simulator::switches::CreatePrecedence::QuotaFirst;
    });
    world.reconcile_without_storing();
    world.crash();
    // The list of the next process does not show the group yet, so it sends another Create.
    world.fail(ListConnectionGroups, Fault::Stale);
    world.settle_within(SOON, 5);
    assert_eq!(world.mutations(), [CreateConnectionGroup, CreateConnectionGroup]);
    assert!(!world.event_reasons().contains(&"QuotaExceeded"), "it is found by the reconcile that was refused");
    assert_eq!((world.ready().1.as_str(), world.group_count()), ("Deployed", 1));
}

#[test]
fn an_object_deleted_after_a_crash_that_hid_its_group_takes_the_group_with_it() {
    let mut world = World::new(spec());
    world.reconcile_without_storing();
    world.crash();
    world.delete();
    world.advance(world.settings.consistency_window);
    world.take_inventory();
    world.settle();
    assert_eq!(world.group(), None);
}

#[test]
fn a_create_that_may_still_take_effect_keeps_the_object_for_one_consistency_window() {
    let mut world = World::new(spec());
    world.fail(CreateConnectionGroup, Fault::Error(ErrorClass::TimedOut));
    world.reconcile();
    world.delete();
    world.take_inventory();
    assert_eq!(world.reconcile().finalizer, Finalizer::Keep, "it may still take effect");
    world.advance(world.settings.consistency_window);
    assert_eq!(world.reconcile().finalizer, Finalizer::Keep, "the list is older than the end of the window");
    world.take_inventory();
    assert_eq!(world.reconcile().finalizer, Finalizer::Release);
}

#[test]
fn a_late_create_after_the_object_was_deleted_is_cleaned_up() {
    let mut world = World::new(spec());
    world.fail(CreateConnectionGroup, Fault::Error(ErrorClass::TimedOut));
    world.reconcile();
    world.delete();
    world.reconcile();
    world.someone_creates(|group| {
        group.tags = marks();
    });
    world.advance(world.settings.consistency_window);
    world.take_inventory();
    world.settle();
    assert_eq!(world.group(), None);
}

#[test]
fn without_a_recorded_id_a_new_process_waits_for_its_predecessors_create() {
    let mut world = World::new(spec());
    world.crash();
    world.delete();
    world.take_inventory();
    assert_eq!(world.reconcile().finalizer, Finalizer::Keep);
    world.advance(world.settings.consistency_window);
    world.take_inventory();
    assert_eq!(world.reconcile().finalizer, Finalizer::Release);
}

#[test]
fn an_update_whose_answer_was_lost_is_not_repeated() {
    let mut world = World::new(spec());
    world.settle();
    world.calls();
    world.edit(|spec| spec.enabled = false);
    world.fail(UpdateConnectionGroup, Fault::AnswerLost);
    world.reconcile();
    world.settle();
    assert_eq!(world.ready().1, "Disabled");
    assert_eq!(world.mutations(), [UpdateConnectionGroup]);
}

#[test]
fn a_delete_whose_answer_was_lost_ends_well() {
    let mut world = World::new(spec());
    world.settle();
    world.take_inventory();
    world.calls();
    world.delete();
    world.fail(DeleteConnectionGroup, Fault::AnswerLost);
    world.settle_within(SOON, 20);
    assert_eq!(world.mutations(), [UpdateConnectionGroup, DeleteConnectionGroup], "it is not sent again");
    assert_eq!(world.group(), None);
    assert_eq!(world.event_reasons().last(), Some(&"Deleted"));
}

#[test]
fn an_adoption_whose_answer_was_lost_makes_the_group_ours() {
    let mut world = beside_an_unowned_group(AdoptionPolicy::Always, true);
    world.fail(TagResource, Fault::AnswerLost);
    world.settle_within(world.settings.consistency_window * 2, 12);
    assert_eq!(world.ready().1, "Deployed");
    assert_eq!(world.mutations(), [TagResource], "it is not sent again");
}

#[test]
fn a_later_refusal_does_not_erase_the_record_of_an_earlier_create() {
    let mut world = World::new(spec());
    world.fail(CreateConnectionGroup, Fault::Error(ErrorClass::TimedOut));
    world.reconcile();
    world.take_inventory();
    world.fail(CreateConnectionGroup, Fault::Error(ErrorClass::Throttled));
    world.reconcile();
    world.delete();
    world.take_inventory();
    assert_eq!(world.reconcile().finalizer, Finalizer::Keep, "the first one may still take effect");
}

#[test]
fn an_object_deleted_before_its_adoption_shows_takes_the_group_with_it() {
    let mut world = beside_an_unowned_group(AdoptionPolicy::Always, true);
    world.confirm_unowned();
    world.reconcile();
    assert_eq!(world.mutations(), [TagResource]);
    world.delete();
    world.fail(ListTagsForResource, Fault::Stale);
    assert_eq!(world.reconcile().finalizer, Finalizer::Keep, "the owner tag may be ours although it does not show yet");
    world.settle();
    assert_eq!(world.group(), None);
}

#[test]
fn an_adoption_that_may_still_take_effect_keeps_the_object_for_one_consistency_window() {
    let mut world = beside_an_unowned_group(AdoptionPolicy::Always, true);
    world.confirm_unowned();
    world.fail(TagResource, Fault::Error(ErrorClass::TimedOut));
    world.reconcile();
    world.delete();
    assert_eq!(world.reconcile().finalizer, Finalizer::Keep, "it may still take effect");
    world.advance(world.settings.consistency_window);
    assert_eq!(world.reconcile().finalizer, Finalizer::Release, "it did not take effect: the group was never ours");
}

#[test]
fn a_tag_that_a_stale_read_hides_is_removed_once_the_spec_drops_it() {
    let mut world = World::new(spec());
    world.settle();
    world.edit(|spec| drop(spec.tags.insert("team".into(), "edge".into())));
    world.reconcile();
    world.edit(|spec| spec.tags.clear());
    world.fail(ListTagsForResource, Fault::Stale);
    world.reconcile();
    world.settle();
    assert!(!world.tags().contains_key("team"), "{:?}", world.tags());
}

#[test]
fn a_tag_whose_tag_call_was_never_answered_is_removed_once_the_spec_drops_it() {
    for operation in [CreateConnectionGroup, TagResource] {
        let mut world = World::new(spec());
        if operation == TagResource {
            world.settle();
        }
        world.edit(|spec| drop(spec.tags.insert("team".into(), "edge".into())));
        world.fail(operation, Fault::AnswerLost);
        world.reconcile();
        world.edit(|spec| spec.tags.clear());
        world.settle();
        assert!(!world.tags().contains_key("team"), "{operation}: {:?}", world.tags());
        assert_eq!(world.status().tags, std::collections::BTreeMap::new());
    }
}

#[test]
fn a_tag_that_is_dropped_while_its_group_seems_gone_is_still_removed() {
    let mut world = World::new(spec());
    world.edit(|spec| drop(spec.tags.insert("team".into(), "edge".into())));
    world.settle();
    world.edit(|spec| spec.tags.clear());
    for _ in 0..2 {
        world.fail(GetConnectionGroup, Fault::Error(ErrorClass::NotFound));
    }
    world.reconcile();
    assert_eq!(world.ready().1, "ConfirmingAbsence", "by id and by name, it was not found");
    world.settle();
    assert!(!world.tags().contains_key("team"), "{:?}", world.tags());
}

#[test]
fn tags_recorded_for_a_group_that_was_never_created_are_not_removed_from_the_one_adopted_instead() {
    // Even if they equal the recorded ones.
    for (lost, value) in [(true, "theirs"), (false, "theirs"), (true, "edge"), (false, "edge")] {
        let mut world = World::new(spec());
        world.settings.allow_adoption = true;
        world.edit(|spec| {
            spec.adoption_policy = AdoptionPolicy::Always;
            spec.tags.insert("team".into(), "edge".into());
        });
        if lost {
            world.fail(CreateConnectionGroup, Fault::Error(ErrorClass::TimedOut));
            world.reconcile();
        } else {
            world.settle();
            world.someone_deletes_the_group();
            world.take_inventory();
            world.reconcile();
            assert_eq!(world.ready().1, "DeletedOutside");
        }
        assert!(world.status().tags.contains_key("team"), "it is on record");
        world.someone_creates(|group| drop(group.tags.insert("team".into(), value.into())));
        world.edit(|spec| spec.tags.clear());
        world.advance(Duration::from_hours(1));
        world.take_inventory();
        world.settle();
        assert_eq!(world.ready().1, "Deployed", "{}", world.message());
        assert_eq!(world.tags().get("team").map(String::as_str), Some(value));
    }
}

#[test]
fn tags_recorded_for_a_group_that_is_gone_are_not_removed_from_the_one_that_we_create_instead() {
    let mut world = World::new(spec());
    world.edit(|spec| drop(spec.tags.insert("team".into(), "edge".into())));
    world.settle();
    world.someone_deletes_the_group();
    world.take_inventory();
    world.reconcile();
    assert_eq!(world.ready().1, "DeletedOutside");
    world.edit(|spec| spec.tags.clear());
    world.fail(CreateConnectionGroup, Fault::AnswerLost);
    world.reconcile();
    world.someone_edits(theirs());
    world.settle();
    assert_eq!(world.tags().get("team").map(String::as_str), Some("theirs"));
}

#[test]
fn a_tag_of_others_that_a_lost_call_never_overwrote_is_still_theirs_once_the_spec_drops_it() {
    let mut world = World::new(spec());
    world.settle();
    world.someone_edits(theirs());
    world.edit(|spec| drop(spec.tags.insert("team".into(), "edge".into())));
    world.fail(TagResource, Fault::Error(ErrorClass::TimedOut));
    world.reconcile();
    world.edit(|spec| spec.tags.clear());
    world.settle();
    assert_eq!(world.tags().get("team").map(String::as_str), Some("theirs"));
}

fn theirs() -> GroupPatch {
    GroupPatch { set_tags: [("team".to_owned(), "theirs".to_owned())].into(), ..GroupPatch::default() }
}
