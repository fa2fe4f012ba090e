//! A deletion that cannot continue does not leave the group off: what it disabled, or found off against the spec, is enabled again.

use std::time::Duration;

use cloudfront_simulator::admin::GroupPatch;
use connection_group_operator::{
    api::DeletionPolicy,
    cloudfront::{
        ErrorClass,
        Operation::{
            DeleteConnectionGroup, GetConnectionGroup, ListDistributionTenants, UntagResource, UpdateConnectionGroup,
        },
    },
    reconcile::Finalizer,
};
use port::Fault;

use crate::world::{PROPAGATION, World, spec};

/// Deployed, then deleted, and disabled for that; not rolled out yet.
fn being_disabled() -> World {
    let mut world = World::new(spec());
    world.settle();
    world.delete();
    world.reconcile();
    assert!(!world.group().unwrap().resource.enabled);
    world.calls();
    world
}

fn restored(world: &World) -> usize {
    world.event_reasons().iter().filter(|reason| **reason == "EnabledAgain").count()
}

#[test]
fn a_tenant_that_comes_while_the_disable_rolls_out_is_served_again_within_half_a_minute() {
    for listed in [false, true] {
        let mut world = being_disabled();
        if listed {
            world.take_inventory();
        }
        let pause = world.reconcile().requeue;
        assert!(pause <= Duration::from_secs(30), "{pause:?}");
        world.tenant_comes("late");
        world.advance(pause);
        world.calls();
        world.at_once();
        assert_eq!(world.mutations(), [UpdateConnectionGroup]);
        assert!(world.group().unwrap().resource.enabled, "{}", world.message());
        assert_eq!((world.ready().1.as_str(), restored(&world)), ("InUse", 1));
        assert!(
            world.message().contains("late") && !world.message().contains("traffic is down"),
            "{}",
            world.message()
        );

        world.tenant_goes("late");
        world.settle();
        assert_eq!(world.group(), None, "and the deletion continues once the tenant is gone");
    }
}

/// How long the group stays off, if reconciles run when they are due and this happens before each of them.
fn off_for(world: &mut World, before_each: impl Fn(&mut World)) -> Duration {
    let mut off_for = Duration::ZERO;
    for _ in 0..100 {
        if world.group().unwrap().resource.enabled {
            return off_for;
        }
        before_each(world);
        let pause = world.reconcile().requeue;
        world.advance(pause);
        off_for += pause;
    }
    panic!("still off after 100 reconciles: {}", world.message());
}

fn refuse_the_delete(world: &mut World) {
    world.fail(DeleteConnectionGroup, Fault::Error(ErrorClass::HasTenants));
}

#[test]
fn a_tenant_that_comes_after_the_roll_out_is_served_again_before_it_is_reported_as_a_blocker() {
    let mut world = being_disabled();
    world.advance(PROPAGATION);
    world.take_inventory();
    world.tenant_comes("late");
    world.at_once();
    assert!(world.group().unwrap().resource.enabled);
    assert_eq!((world.ready().1.as_str(), restored(&world)), ("InUse", 1));
}

#[test]
fn a_group_in_use_without_a_listed_tenant_is_served_again_and_its_deletion_is_retried_later() {
    let mut world = being_disabled();
    world.advance(PROPAGATION);
    world.take_inventory();
    let off_for = off_for(&mut world, refuse_the_delete);
    assert!(off_for <= Duration::from_secs(100), "{off_for:?}");
    world.faults_stop();
    world.at_once();
    assert_eq!((world.ready().1.as_str(), restored(&world)), ("InUse", 1));
    assert!(world.message().contains("lists no distribution tenant"), "{}", world.message());
    world.calls();
    world.advance(Duration::from_mins(30));
    world.take_inventory();
    world.reconcile();
    assert_eq!(world.mutations(), [], "not in the next hour");
    world.advance(Duration::from_mins(31));
    world.take_inventory();
    world.settle();
    assert_eq!(world.group(), None, "and the deletion continues");
}

/// Enabled again, because CloudFront reports that it is in use without listing a tenant.
fn in_use_without_a_tenant() -> World {
    let mut world = being_disabled();
    world.advance(PROPAGATION);
    world.take_inventory();
    off_for(&mut world, refuse_the_delete);
    world.faults_stop();
    world.advance(PROPAGATION);
    world.take_inventory();
    world.calls();
    world
}

/// How long until the group is disabled again for its deletion; CloudFront then reports once more that it is in use.
fn tried_again_after(world: &mut World) -> Duration {
    let mut waited = Duration::ZERO;
    while world.mutations() != [UpdateConnectionGroup] {
        let pause = world.reconcile().requeue;
        world.advance(pause);
        world.take_inventory();
        waited += pause;
        assert!(waited < Duration::from_hours(48), "it is not disabled again: {}", world.message());
    }
    world.advance(PROPAGATION);
    world.take_inventory();
    world.fail(DeleteConnectionGroup, Fault::Error(ErrorClass::HasTenants));
    world.at_once();
    world.faults_stop();
    assert!(world.group().unwrap().resource.enabled, "one refusal is enough by now: {}", world.message());
    world.advance(PROPAGATION);
    world.take_inventory();
    world.calls();
    waited
}

#[test]
fn a_group_that_stays_in_use_without_a_tenant_is_disabled_less_and_less_often() {
    let mut world = in_use_without_a_tenant();
    let pauses = [(); 7].map(|()| (tried_again_after(&mut world).as_secs() + 1800) / 3600);
    assert_eq!(pauses, [1, 2, 4, 8, 16, 24, 24], "hours");
}

#[test]
fn a_restart_is_no_reason_to_disable_again_a_group_that_is_in_use_without_a_tenant() {
    let mut world = in_use_without_a_tenant();
    world.reconcile();
    assert_eq!(world.ready().1, "InUse");
    world.crash();
    world.take_inventory();
    let mut waited = Duration::ZERO;
    while waited < Duration::from_mins(55) {
        let pause = world.reconcile().requeue;
        assert_eq!((world.mutations(), world.ready().1.as_str()), (vec![], "InUse"), "after {waited:?}");
        world.advance(pause);
        world.take_inventory();
        waited += pause;
    }
    world.advance(Duration::from_mins(10));
    world.take_inventory();
    world.settle();
    assert_eq!(world.group(), None, "and the deletion continues");
}

#[test]
fn an_edit_or_a_request_does_not_wait_for_the_retry_of_a_deletion() {
    type Ask = fn(&mut World);
    let asks: [Ask; 2] = [
        |world| world.request_reconcile("now"),
        |world| world.edit(|spec| spec.tags = [("team".into(), "edge".into())].into()),
    ];
    for ask in asks {
        let mut world = in_use_without_a_tenant();
        ask(&mut world);
        world.settle();
        assert_eq!(world.group(), None, "{}", world.message());
    }
}

#[test]
fn while_a_group_is_off_for_a_deletion_that_is_refused_a_tenant_is_served_again_within_half_a_minute() {
    let mut world = being_disabled();
    world.advance(PROPAGATION);
    world.take_inventory();
    world.keep_failing(DeleteConnectionGroup, Fault::Error(ErrorClass::AccessDenied));
    for _ in 0..12 {
        let pause = world.reconcile().requeue;
        assert!(pause <= Duration::from_secs(30), "{pause:?}");
        assert_eq!(world.ready().1, "AccessDenied");
        assert!(world.message().contains("Status shows the group as disabled"), "{}", world.message());
        world.advance(pause);
    }
    world.tenant_comes("late");
    world.at_once();
    assert!(world.group().unwrap().resource.enabled, "{}", world.message());
}

#[test]
fn a_switch_that_cloudfront_accepts_and_does_not_apply_is_not_sent_again_and_again_in_a_deletion() {
    let mut world = World::new(spec());
    world.settle();
    world.tenant_comes("customer");
    world.delete();
    world.at_once();
    world.edit(|spec| spec.enabled = false);
    world.calls();
    world.fail(UpdateConnectionGroup, Fault::AnsweredWithTheOldSwitch);
    let pause = world.reconcile().requeue;
    assert!(!pause.is_zero(), "{}", world.message());
    assert_eq!((world.mutations(), world.ready().1), (vec![UpdateConnectionGroup], "ChangeNotApplied".into()));
}

#[test]
fn after_a_disable_without_an_answer_a_deletion_is_also_reconciled_every_half_minute() {
    let mut world = World::new(spec());
    world.settle();
    world.delete();
    world.fail(UpdateConnectionGroup, Fault::AnswerLost);
    world.reconcile();
    world.keep_failing(GetConnectionGroup, Fault::Error(ErrorClass::AccessDenied));
    for _ in 0..8 {
        let pause = world.reconcile().requeue;
        assert!(pause <= Duration::from_secs(30), "{pause:?}: {}", world.message());
        world.advance(pause);
    }
}

#[test]
fn what_a_read_showed_is_not_lost_because_the_tenants_could_not_be_read() {
    let mut world = World::new(spec());
    world.settle();
    world.delete();
    world.reconcile_without_storing();
    world.crash();
    world.advance(PROPAGATION);
    world.take_inventory();
    world.fail(ListDistributionTenants, Fault::Error(ErrorClass::AccessDenied));
    let pause = world.reconcile().requeue;
    assert_eq!(world.status().enabled, Some(false));
    assert!(world.message().contains("the group as disabled"), "{}", world.message());
    assert!(pause <= Duration::from_secs(30), "{pause:?}");
}

#[test]
fn a_group_whose_tenants_cannot_be_read_for_a_consistency_window_is_served_again_and_its_deletion_waits() {
    for rolled_out in [false, true] {
        let mut world = being_disabled();
        if rolled_out {
            world.advance(PROPAGATION);
        }
        world.take_inventory();
        world.keep_failing(ListDistributionTenants, Fault::Error(ErrorClass::AccessDenied));
        let off_for = off_for(&mut world, |_| {});
        assert!(off_for <= Duration::from_mins(2), "{off_for:?}");
        let event = world.events.iter().find(|event| event.reason.as_str() == "EnabledAgain").unwrap();
        assert!(event.note.contains("its distribution tenants cannot be read"), "{}", event.note);
        world.reconcile();
        assert_eq!(world.ready().1, "AccessDenied");
        world.faults_stop();
        world.settle();
        assert_eq!(world.group(), None, "once they can be read, the deletion continues");
    }
}

#[test]
fn without_lists_a_protected_deletion_enables_a_group_again_that_is_off_for_whatever_reason() {
    type Off = fn() -> World;
    let offs: [(&str, Off); 2] = [
        ("by others", || {
            let mut world = World::new(spec());
            world.edit(|spec| spec.deletion_protection = true);
            world.settle();
            world.delete();
            world.at_once();
            let off = cloudfront_simulator::admin::GroupPatch { enabled: Some(false), ..Default::default() };
            world.someone_edits(off);
            world.snapshot = None;
            world
        }),
        ("by its deletion, before a crash", || {
            let mut world = World::new(spec());
            world.settle();
            world.delete();
            world.reconcile_without_storing();
            world.crash();
            world.edit(|spec| spec.deletion_protection = true);
            world
        }),
    ];
    for (why, off) in offs {
        let mut world = off();
        assert!(!world.group().unwrap().resource.enabled, "{why}");
        world.at_once();
        assert!(world.group().unwrap().resource.enabled, "{why}: {}", world.message());
        assert_eq!(world.ready().1, "DeletionProtected", "{why}");
    }
}

#[test]
fn protection_set_after_a_disable_without_an_answer_enables_the_group_again_without_a_list() {
    let mut world = World::new(spec());
    world.settle();
    world.delete();
    world.fail(UpdateConnectionGroup, Fault::AnswerLost);
    world.reconcile();
    world.snapshot = None;
    world.edit(|spec| spec.deletion_protection = true);
    world.at_once();
    assert!(world.group().unwrap().resource.enabled, "{}", world.message());
    assert_eq!(world.ready().1, "DeletionProtected");
}

#[test]
fn the_emergency_switch_works_while_a_deletion_is_held_back_whatever_holds_it_back() {
    for hold in ["tenant", "protection", "tenants that cannot be read", "tenants that are left out"] {
        let mut world = World::new(spec());
        world.settle();
        if hold == "protection" {
            world.edit(|spec| spec.deletion_protection = true);
        } else {
            world.tenant_comes("customer");
        }
        world.delete();
        world.at_once();
        assert!(world.group().unwrap().resource.enabled, "{hold}");
        world.edit(|spec| spec.enabled = false);
        match hold {
            "tenants that cannot be read" => {
                world.fail(ListDistributionTenants, Fault::Error(ErrorClass::AccessDenied));
            }
            "tenants that are left out" => world.fail(ListDistributionTenants, Fault::ListLeftOut),
            _ => {}
        }
        world.at_once();
        assert!(!world.group().unwrap().resource.enabled, "{hold}: {}", world.message());
        assert_eq!(world.ready().1, if hold == "protection" { "DeletionProtected" } else { "InUse" });
        assert_eq!(restored(&world), 0, "{hold}");
        let warned = world.event_reasons().contains(&"DisabledWithTenants");
        assert_eq!(warned, hold != "protection", "{hold}: {:?}", world.event_reasons());
    }
}

#[test]
fn protection_set_in_the_middle_of_a_deletion_enables_the_group_again() {
    let mut world = being_disabled();
    world.edit(|spec| spec.deletion_protection = true);
    world.at_once();
    assert!(world.group().unwrap().resource.enabled, "{}", world.message());
    assert_eq!((world.ready().1.as_str(), restored(&world)), ("DeletionProtected", 1));
    assert_eq!(world.status().status.as_deref(), Some("InProgress"));
    world.calls();
    world.reconcile();
    assert_eq!(world.calls(), [], "and costs no call from then on");
    world.advance(PROPAGATION);
    world.take_inventory();
    world.calls();
    world.reconcile();
    assert_eq!((world.calls(), world.status().status.as_deref()), (vec![], Some("Deployed")));
}

#[test]
fn a_group_whose_disable_was_lost_in_a_crash_is_also_enabled_again() {
    let mut world = World::new(spec());
    world.settle();
    world.delete();
    world.fail(UpdateConnectionGroup, Fault::AnswerLost);
    world.reconcile_without_storing();
    world.crash();
    world.edit(|spec| spec.deletion_protection = true);
    world.take_inventory();
    world.at_once();
    assert!(world.group().unwrap().resource.enabled, "{}", world.message());
    assert_eq!(world.ready().1, "DeletionProtected");
}

#[test]
fn retain_set_in_the_middle_of_a_deletion_enables_the_group_again_before_it_is_released() {
    let mut world = being_disabled();
    world.edit(|spec| spec.deletion_policy = DeletionPolicy::Retain);
    let outcome = world.at_once();
    assert_eq!(
        (outcome.finalizer, world.mutations()),
        (Finalizer::Release, vec![UpdateConnectionGroup, UntagResource])
    );
    assert!(world.group().unwrap().resource.enabled);
    assert_eq!(restored(&world), 1);
    let released = world.events.iter().find(|event| event.reason.as_str() == "Released").unwrap();
    assert!(!released.note.contains("stays disabled"), "{}", released.note);
}

#[test]
fn retain_disables_a_group_that_others_enabled_against_the_spec_before_it_is_released() {
    let mut world = World::new(spec());
    world.edit(|spec| (spec.enabled, spec.deletion_policy) = (false, DeletionPolicy::Retain));
    world.settle();
    world.someone_edits(GroupPatch { enabled: Some(true), ..GroupPatch::default() });
    world.delete();
    world.take_inventory();
    world.calls();
    let outcome = world.at_once();
    assert_eq!(
        (outcome.finalizer, world.mutations()),
        (Finalizer::Release, vec![UpdateConnectionGroup, UntagResource])
    );
    assert!(!world.group().unwrap().resource.enabled);
}

#[test]
fn a_group_that_the_spec_wants_off_stays_off_whatever_happens_to_its_deletion() {
    type Then = fn(&mut World);
    let thens: [(Then, &str); 3] = [
        (|world| world.tenant_comes("late"), "InUse"),
        (|world| world.edit(|spec| spec.deletion_protection = true), "DeletionProtected"),
        (|world| world.edit(|spec| spec.deletion_policy = DeletionPolicy::Retain), "Released"),
    ];
    for (then, reason) in thens {
        let mut world = World::new(spec());
        world.edit(|spec| spec.enabled = false);
        world.settle();
        world.delete();
        then(&mut world);
        world.at_once();
        assert_eq!((world.ready().1.as_str(), restored(&world)), (reason, 0));
        assert!(!world.group().unwrap().resource.enabled);
        let text = if reason == "Released" { world.events.last().unwrap().note.clone() } else { world.message() };
        assert!(text.contains("disabled"), "{text}");
    }
}

#[test]
fn what_holds_a_deletion_back_changes_nothing_in_a_group_that_is_not_ours() {
    let mut world = being_disabled();
    let owner = [("cloudfront.kube-operators.dev/owner".to_owned(), "dev/shop/edge".to_owned())].into();
    world.someone_edits(cloudfront_simulator::admin::GroupPatch { set_tags: owner, ..Default::default() });
    world.edit(|spec| spec.deletion_protection = true);
    world.take_inventory();
    world.at_once();
    assert_eq!((world.mutations(), world.ready().1.as_str()), (vec![], "DeletionProtected"));
}

#[test]
fn an_enable_that_is_refused_is_reported_and_retried_and_nothing_is_released_before_it() {
    let mut world = being_disabled();
    world.edit(|spec| spec.deletion_policy = DeletionPolicy::Retain);
    world.fail(UpdateConnectionGroup, Fault::Error(ErrorClass::InvalidArgument));
    let outcome = world.reconcile();
    assert_eq!((outcome.finalizer, world.ready().1.as_str()), (Finalizer::Keep, "InvalidArgument"));
    assert!(world.message().contains("spec.enabled to false"), "{}", world.message());
    world.advance(outcome.requeue);
    assert_eq!(world.at_once().finalizer, Finalizer::Release);
    assert!(world.group().unwrap().resource.enabled);
}

#[test]
fn suspended_in_the_middle_of_a_deletion_the_message_says_that_the_group_is_off_and_why() {
    let mut world = being_disabled();
    world.edit(|spec| spec.suspend = true);
    world.reconcile();
    assert_eq!((world.calls(), world.ready().1.as_str()), (vec![], "Suspended"));
    for part in ["disabled", "deletion", "spec.suspend to false"] {
        assert!(world.message().contains(part), "{part}: {}", world.message());
    }
}

#[test]
fn a_failed_read_of_tenants_while_the_disable_rolls_out_is_reported_and_changes_nothing() {
    let mut world = being_disabled();
    world.fail(ListDistributionTenants, Fault::Error(ErrorClass::AccessDenied));
    world.reconcile();
    assert_eq!((world.mutations(), world.ready().1.as_str()), (vec![], "AccessDenied"));
    world.settle();
    assert_eq!(world.group(), None);
}

#[test]
fn while_a_disable_rolls_out_only_the_tenants_are_read_and_that_every_half_minute() {
    let mut world = being_disabled();
    world.take_inventory();
    let (mut waited, mut calls) = (Duration::ZERO, Vec::new());
    while waited < Duration::from_mins(2) {
        world.calls();
        let pause = world.reconcile().requeue;
        calls.extend(world.calls());
        world.advance(pause);
        waited += pause;
        world.take_inventory();
    }
    assert_eq!(calls, [ListDistributionTenants; 4]);
    world.settle();
    assert_eq!(world.group(), None);
}
