//! Deletion: tenants first, then disable, wait, delete, and two proofs before the object is released.

use std::time::Duration;

use connection_group_operator::{
    api::{DeletionPolicy, Mode},
    cloudfront::{
        ErrorClass,
        Operation::{
            DeleteConnectionGroup, GetConnectionGroup, ListDistributionTenants, ListTagsForResource, UntagResource,
            UpdateConnectionGroup,
        },
    },
    reconcile::{Finalizer, Severity},
};
use port::Fault;

use crate::world::{PROPAGATION, World, spec};

fn deployed() -> World {
    let mut world = World::new(spec());
    world.settle();
    world.take_inventory();
    world.calls();
    world
}

#[test]
fn a_group_is_disabled_rolled_out_deleted_and_proven_gone_before_the_object_is_released() {
    let mut world = deployed();
    world.delete();
    world.reconcile();
    assert_eq!(world.ready(), ("False".into(), "Disabling".into(), vec!["Reconciling".into()]));
    assert!(!world.group().unwrap().resource.enabled);

    world.take_inventory();
    world.reconcile();
    assert_eq!(world.mutations(), [UpdateConnectionGroup], "not deleted before the rollout");

    world.advance(PROPAGATION);
    world.take_inventory();
    assert_eq!(world.reconcile().finalizer, Finalizer::Keep, "a Delete that was answered is no proof");
    assert_eq!(world.group(), None);
    assert_eq!(world.ready().1, "Deleting");

    assert_eq!(world.reconcile().finalizer, Finalizer::Keep, "EntityNotFound alone is no proof");
    world.take_inventory();
    assert_eq!(world.reconcile().finalizer, Finalizer::Release);
    assert_eq!(world.mutations(), [DeleteConnectionGroup], "no refused Delete");
}

/// The object of a disabled group, up to the answer to its Delete, and the sentence about it.
fn just_deleted() -> (World, String) {
    let mut world = deployed();
    let id = world.status().id.unwrap();
    world.delete();
    world.reconcile();
    world.advance(PROPAGATION);
    world.take_inventory();
    world.reconcile();
    assert_eq!(world.group(), None);
    (world, format!("The operator deleted connection group edge with id {id}."))
}

#[test]
fn an_accepted_delete_has_an_event_with_the_id_and_every_later_message_knows_of_it() {
    let (mut world, deleted) = just_deleted();
    let event = world.events.last().unwrap();
    assert_eq!((event.reason.as_str(), event.action, &event.note), ("Deleting", "Delete", &deleted));
    assert!(world.message().starts_with(&deleted), "{}", world.message());
    world.reconcile();
    assert!(world.message().contains("does not exist") && world.message().starts_with(&deleted), "{}", world.message());
    let mut observed = world.fork();
    observed.edit(|spec| spec.mode = Mode::Observe);
    world.take_inventory();
    for world in [&mut world, &mut observed] {
        assert_eq!(world.reconcile().finalizer, Finalizer::Release);
        let released = world.events.last().unwrap();
        assert!(released.note.contains("xist") && released.note.starts_with(&deleted), "{}", released.note);
    }
}

#[test]
fn after_a_restart_or_if_another_client_deletes_the_group_the_messages_do_not_say_who_did() {
    let (mut restarted, _) = just_deleted();
    restarted.crash();
    let mut by_another = deployed();
    by_another.delete();
    by_another.reconcile();
    by_another.someone_deletes_the_group();
    by_another.request_reconcile("now");
    for mut world in [restarted, by_another] {
        world.reconcile();
        assert_eq!(world.ready().1, "Deleting");
        assert!(world.message().starts_with("CloudFront says that"), "{}", world.message());
        world.advance(Duration::from_mins(2));
        world.take_inventory();
        assert_eq!(world.reconcile().finalizer, Finalizer::Release);
        let released = world.events.last().unwrap();
        assert!(released.note.starts_with("Connection group edge does not exist"), "{}", released.note);
    }
}

#[test]
fn a_deletion_takes_little_longer_than_the_rollout_and_at_most_fourteen_calls_besides_the_lists() {
    let mut world = deployed();
    world.delete();
    world.settle_within(PROPAGATION + Duration::from_secs(30), 14);
    assert_eq!(world.group(), None);
}

#[test]
fn while_tenants_are_attached_nothing_is_disabled_and_the_message_names_them() {
    let mut world = deployed();
    world.tenant_comes("shop-a");
    world.tenant_comes("shop-b");
    world.delete();
    world.settle();
    assert_eq!(world.mutations(), []);
    assert!(world.group().unwrap().resource.enabled);
    assert_eq!(world.ready(), ("False".into(), "InUse".into(), vec!["Reconciling".into()]));
    let blocked_by = world.status().blocked_by.unwrap();
    assert_eq!((blocked_by.count, blocked_by.tenants.len()), (2, 2));
    for text in ["2 distribution tenants still use", "shop-a", "shop-b", "neither disables nor deletes it", "Retain"] {
        assert!(world.message().contains(text), "{text}: {}", world.message());
    }

    world.tenant_goes("shop-a");
    world.tenant_goes("shop-b");
    world.settle();
    assert_eq!(world.group(), None);
    assert_eq!(world.event_reasons().last(), Some(&"Deleted"));
}

#[test]
fn many_tenants_are_counted_and_ten_are_named() {
    let mut world = deployed();
    for number in 0..120 {
        world.tenant_comes(&format!("shop-{number}"));
    }
    world.delete();
    world.reconcile();
    let blocked_by = world.status().blocked_by.unwrap();
    assert_eq!((blocked_by.count, blocked_by.tenants.len()), (100, 10));
    assert!(world.message().contains("100 or more distribution tenants still use"), "{}", world.message());
}

#[test]
fn a_tenant_that_comes_after_the_disable_stops_the_delete() {
    let mut world = deployed();
    world.delete();
    world.reconcile();
    world.tenant_comes("late");
    world.advance(PROPAGATION);
    world.take_inventory();
    world.at_once();
    assert_eq!(world.ready().1, "InUse");
    assert!(world.group().unwrap().resource.enabled, "and is enabled again");
    assert!(!world.message().contains("traffic is down"), "{}", world.message());
}

#[test]
fn retain_set_after_the_disable_reports_that_the_group_stays_disabled_if_the_spec_says_so() {
    let mut world = deployed();
    world.delete();
    world.reconcile();
    world.edit(|spec| {
        spec.enabled = false;
        spec.deletion_policy = DeletionPolicy::Retain;
    });
    assert_eq!(world.reconcile().finalizer, Finalizer::Release);
    let released = world.events.iter().find(|event| event.reason.as_str() == "Released").unwrap();
    assert!(released.note.contains("stays disabled"), "{}", released.note);
}

#[test]
fn retain_removes_our_owner_tag_and_leaves_the_group() {
    let mut world = deployed();
    world.edit(|spec| spec.deletion_policy = DeletionPolicy::Retain);
    world.settle();
    world.tenant_comes("shop");
    world.calls();
    world.delete();
    let outcome = world.reconcile();
    assert_eq!(outcome.finalizer, Finalizer::Release);
    assert_eq!(world.mutations(), [UntagResource]);
    assert!(world.group().unwrap().resource.enabled);
    assert!(!world.tags().contains_key("cloudfront.kube-operators.dev/owner"));
}

#[test]
fn protection_holds_the_deletion_back_without_a_call_until_it_is_lifted() {
    let mut world = deployed();
    world.edit(|spec| spec.deletion_protection = true);
    world.settle();
    world.calls();
    world.delete();
    world.reconcile();
    assert_eq!(world.calls(), []);
    assert_eq!(world.ready(), ("False".into(), "DeletionProtected".into(), vec!["Reconciling".into()]));
    world.edit(|spec| spec.deletion_protection = false);
    world.settle();
    assert_eq!(world.group(), None);
}

#[test]
fn suspend_also_holds_back_a_deletion() {
    let mut world = deployed();
    world.edit(|spec| spec.suspend = true);
    world.delete();
    world.reconcile();
    assert_eq!(world.calls(), []);
    assert_eq!(world.ready(), ("False".into(), "Suspended".into(), vec!["Reconciling".into()]));
}

#[test]
fn a_group_that_is_not_ours_is_left_alone_and_the_object_is_released() {
    let mut world = World::new(spec());
    world.someone_creates(|group| {
        group.tags.insert("cloudfront.kube-operators.dev/owner".into(), "dev/shop/edge".into());
    });
    world.take_inventory();
    world.settle();
    world.calls();
    world.delete();
    assert_eq!(world.reconcile().finalizer, Finalizer::Release);
    assert_eq!(world.mutations(), []);
    assert_eq!(world.event_reasons().last(), Some(&"Released"));
}

#[test]
fn one_stale_not_found_never_releases_the_object() {
    let mut world = deployed();
    world.delete();
    for _ in 0..2 {
        world.fail(GetConnectionGroup, Fault::Error(ErrorClass::NotFound));
    }
    assert_eq!(world.reconcile().finalizer, Finalizer::Keep);
    world.settle();
    assert_eq!(world.group(), None, "found and deleted after all");
}

#[test]
fn a_failed_list_proves_nothing_and_the_message_says_what_is_missing() {
    let mut world = deployed();
    world.delete();
    world.reconcile();
    world.advance(PROPAGATION);
    world.take_inventory();
    world.reconcile();
    world.fail(
        connection_group_operator::cloudfront::Operation::ListConnectionGroups,
        Fault::Error(ErrorClass::AccessDenied),
    );
    world.take_inventory();
    assert_eq!(world.reconcile().finalizer, Finalizer::Keep);
    assert!(world.message().contains("AWS denied cloudfront:ListConnectionGroups"), "{}", world.message());
    world.take_inventory();
    assert_eq!(world.reconcile().finalizer, Finalizer::Release);
}

#[test]
fn a_failed_read_of_tenants_disables_nothing() {
    let mut world = deployed();
    world.delete();
    world.fail(ListDistributionTenants, Fault::Error(ErrorClass::AccessDenied));
    world.reconcile();
    assert_eq!(world.mutations(), []);
    assert_eq!(world.ready().1, "AccessDenied");
    assert!(world.message().contains("cloudfront:ListDistributionTenants"), "{}", world.message());
}

#[test]
fn every_refusal_of_a_delete_is_retried_and_never_terminal() {
    for class in [ErrorClass::StaleEtag, ErrorClass::NotDisabled, ErrorClass::HasTenants, ErrorClass::NotFound] {
        let mut world = deployed();
        world.delete();
        world.reconcile();
        world.advance(PROPAGATION);
        world.take_inventory();
        world.fail(DeleteConnectionGroup, Fault::Error(class));
        world.settle();
        world.settle();
        assert_eq!(world.group(), None, "{class:?}");
    }
}

#[test]
fn a_bad_spec_cannot_block_a_deletion() {
    let mut world = deployed();
    world.edit(|spec| spec.anycast_ip_list_id = Some("aip_unknown".into()));
    world.settle();
    assert_eq!(world.ready().1, "AnycastIpListNotFound");
    world.delete();
    world.settle();
    assert_eq!(world.group(), None);
}

#[test]
fn an_empty_page_of_tenants_with_more_to_follow_is_no_proof_of_none() {
    let mut world = deployed();
    world.delete();
    world.fail(ListDistributionTenants, Fault::EmptyPage);
    world.reconcile();
    assert_eq!(world.mutations(), []);
    assert_eq!(world.ready().1, "InUse");
}

#[test]
fn an_id_in_status_that_belongs_to_another_group_does_not_hold_the_object() {
    let mut world = deployed();
    world.someone_creates(|group| "victim".clone_into(&mut group.name));
    world.someone_deletes_the_group();
    let victim = world.port.account(|account, now| account.group(now, "victim")).unwrap().resource;
    let status = world.object.status.as_mut().unwrap();
    (status.id, status.arn) = (Some(victim.id), Some(victim.arn));
    world.delete();
    world.advance(world.settings.consistency_window);
    world.take_inventory();
    assert_eq!(world.reconcile().finalizer, Finalizer::Release);
}

#[test]
fn an_id_in_status_whose_read_is_denied_blocks_nothing() {
    let mut world = deployed();
    world.object.status.as_mut().unwrap().id = Some("cg_forged".into());
    world.fail(GetConnectionGroup, Fault::Error(ErrorClass::AccessDenied));
    world.delete();
    world.reconcile();
    assert_eq!(world.mutations(), [UpdateConnectionGroup], "the group was found by its name");
}

#[test]
fn a_retained_group_is_released_without_a_warning_if_the_finalizer_could_not_be_removed_at_first() {
    let mut world = deployed();
    world.edit(|spec| spec.deletion_policy = DeletionPolicy::Retain);
    world.settle();
    world.delete();
    assert_eq!(world.reconcile().finalizer, Finalizer::Release);
    // The API server did not accept the patch.
    let outcome = world.reconcile();
    assert_eq!((outcome.finalizer, world.ready().1), (Finalizer::Keep, "TagsPending".into()));
    world.advance(world.settings.consistency_window);
    assert_eq!(world.reconcile().finalizer, Finalizer::Release);
    let warnings = world.events.iter().filter(|event| event.severity == Severity::Warning).collect::<Vec<_>>();
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn an_object_that_lost_its_status_keeps_its_group_although_one_read_shows_no_owner_tag() {
    let mut world = deployed();
    world.advance(std::time::Duration::from_hours(1));
    world.take_inventory();
    world.object.status = None;
    world.crash();
    world.advance(world.settings.consistency_window);
    world.take_inventory();
    world.delete();
    world.fail(ListTagsForResource, Fault::Stale);
    let outcome = world.reconcile();
    assert_eq!((outcome.finalizer, world.ready().1), (Finalizer::Keep, "TagsPending".into()));
    assert!(world.message().contains("showed no owner tag. Reads may be stale"), "{}", world.message());
    world.settle();
    assert_eq!(world.group(), None, "it is deleted with its object");
}

#[test]
fn a_group_recorded_as_ours_is_not_released_because_one_read_shows_no_owner_tag() {
    let mut world = deployed();
    world.advance(std::time::Duration::from_hours(1));
    world.take_inventory();
    world.delete();
    world.fail(ListTagsForResource, Fault::Stale);
    let outcome = world.reconcile();
    assert_eq!((outcome.finalizer, world.ready().1), (Finalizer::Keep, "OwnerTagMissing".into()));
    assert!(world.message().contains("the operator removes the finalizer"), "{}", world.message());
    world.settle();
    assert_eq!(world.group(), None);
}
