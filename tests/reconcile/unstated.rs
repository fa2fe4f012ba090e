//! Answers that leave out what the API's model calls optional: a member that is left out was not stated. Nothing false is reported, nothing is changed
//! because of it, and nothing gets stuck.

use std::time::Duration;

use cloudfront_simulator::{
    Millis,
    admin::{GroupPatch, NewList},
    switches::{IpAddressType, Tolerance},
};
use connection_group_operator::{
    api::{AdoptionPolicy, ConditionReason, ConnectionGroupSpec, Mode},
    cloudfront::Operation,
    reconcile::Finalizer,
};
use port::{
    Fault,
    LeftOut::{self, RowStatus, Status},
};

use crate::world::{World, marks, spec};

/// Each member alone, those that state the same in two answers, and all at once.
fn cases() -> Vec<Vec<LeftOut>> {
    let alone = LeftOut::ALL.into_iter().map(|member| vec![member]);
    alone.chain([vec![Status, RowStatus], LeftOut::ALL.to_vec()]).collect()
}

#[test]
fn a_group_at_rest_stays_ready_and_is_not_changed_whatever_answers_leave_out() {
    for left_out in cases() {
        let mut world = World::new(spec());
        world.settle();
        let before = world.status();
        world.calls();
        world.port.leave_out(left_out.clone());
        world.take_inventory();
        world.request_reconcile("now");
        world.settle();
        let after = world.status();
        assert_eq!(world.mutations(), [], "{left_out:?}");
        assert_eq!(world.ready(), ("True".into(), "Deployed".into(), vec![]), "{left_out:?}");
        assert_eq!(
            (after.id, after.routing_endpoint, after.status, after.enabled, after.ipv6_enabled, after.created_time),
            (
                before.id,
                before.routing_endpoint,
                before.status,
                before.enabled,
                before.ipv6_enabled,
                before.created_time
            ),
            "{left_out:?}: what was known stays known"
        );
    }
}

/// An object that would disable its group, and an old group without an owner of which nothing says whether it is enabled.
fn unowned_and_unstated() -> World {
    let mut world =
        World::new(ConnectionGroupSpec { enabled: false, adoption_policy: AdoptionPolicy::IfUnchanged, ..spec() });
    world.settings.allow_adoption = true;
    world.someone_creates(|_| {});
    world.port.leave_out([LeftOut::Enabled, LeftOut::RowEnabled]);
    world.advance(Duration::from_hours(1));
    world
}

#[test]
fn a_group_that_may_be_enabled_does_not_count_as_unchanged_to_a_spec_that_would_disable_it() {
    let mut world = unowned_and_unstated();
    world.take_inventory();
    world.settle_within(Duration::from_mins(10), 60);
    assert_eq!((world.mutations(), world.ready().1), (vec![], "AdoptionRefused".into()));
    assert!(world.message().contains("does not state whether the group is enabled"), "{}", world.message());

    world.port.leave_nothing_out();
    world.someone_edits(GroupPatch { enabled: Some(false), ..GroupPatch::default() });
    world.take_inventory();
    world.settle_within(Duration::from_mins(10), 60);
    assert_eq!(world.ready().1, "Disabled", "it is known to be disabled, as the spec says");
}

#[test]
fn status_does_not_state_for_a_group_that_nobody_owns_that_it_is_disabled() {
    let mut world = unowned_and_unstated();
    let group = world.group().unwrap();
    world.reconcile();
    let forged = world.object.status.as_mut().unwrap();
    (forged.id, forged.arn) = (Some(group.resource.id.clone()), Some(group.resource.arn.clone()));
    (forged.e_tag, forged.enabled) = (Some(group.etag.clone()), Some(false));
    world.take_inventory();
    world.settle_within(Duration::from_mins(10), 60);
    assert_eq!((world.mutations(), world.ready().1), (vec![], "AdoptionRefused".into()), "{}", world.message());
    assert!(world.message().contains("does not state whether the group is enabled"), "{}", world.message());
}

#[test]
fn a_group_whose_ipv6_was_never_stated_is_ready_with_a_message_that_says_so_until_it_is_stated() {
    for mode in [Mode::Manage, Mode::Observe] {
        let mut world = World::new(ConnectionGroupSpec { mode, ..spec() });
        world.someone_creates(|group| {
            group.tags = marks();
            group.ipv6_enabled = false;
        });
        world.port.leave_out([LeftOut::Ipv6Enabled]);
        world.take_inventory();
        world.settle();
        let ready = || ("True".into(), "Deployed".into(), vec![]);
        let says_so = |world: &World| world.message().contains("does not state whether IPv6 is enabled.");
        assert_eq!((world.mutations(), world.ready(), world.status().ipv6_enabled), (vec![], ready(), None));
        assert!(says_so(&world), "{}", world.message());
        world.take_inventory();
        world.settle();
        assert!(says_so(&world), "after a list, too: {}", world.message());

        world.port.leave_nothing_out();
        world.request_reconcile("now");
        world.settle();
        let stated = world.status().ipv6_enabled;
        match mode {
            Mode::Manage => {
                assert_eq!((world.mutations(), stated), (vec![Operation::UpdateConnectionGroup], Some(true)));
            }
            Mode::Observe => assert_eq!((world.mutations(), stated), (vec![], Some(false))),
        }
        assert!(!says_so(&world), "{}", world.message());
    }
}

#[test]
fn a_group_that_is_first_stated_to_differ_is_not_ready_although_that_read_does_not_show_its_owner() {
    let mut world = World::new(spec());
    world.someone_creates(|group| {
        group.tags = marks();
        group.ipv6_enabled = false;
    });
    world.port.leave_out([LeftOut::Ipv6Enabled]);
    world.take_inventory();
    world.settle();
    assert_eq!(world.ready(), ("True".into(), "Deployed".into(), vec![]));

    world.port.leave_nothing_out();
    let set_tags = marks().into_keys().map(|key| (key, String::new())).collect();
    world.someone_edits(GroupPatch { set_tags, ..GroupPatch::default() });
    world.request_reconcile("now");
    world.reconcile();
    assert_eq!(world.ready(), ("False".into(), "OwnerTagEmpty".into(), vec!["Reconciling".into()]));
    assert_eq!(world.mutations(), []);
}

#[test]
fn a_group_that_is_to_be_off_is_switched_off_once_for_each_version_that_does_not_say_whether_it_is() {
    let mut world = World::new(spec());
    world.settle();
    world.port.leave_out([LeftOut::Enabled, LeftOut::RowEnabled]);
    let by_others = |world: &mut World| {
        let patch = GroupPatch { ipv6_enabled: Some(false), ..GroupPatch::default() };
        world.someone_edits(patch);
        world.take_inventory();
    };
    by_others(&mut world);
    world.edit(|spec| (spec.enabled, spec.ipv6_enabled) = (false, false));
    world.calls();
    world.settle();
    assert!(!world.group().unwrap().resource.enabled, "{}", world.message());
    assert_eq!((world.mutations(), world.ready().1), (vec![Operation::UpdateConnectionGroup], "Disabled".into()));
    world.request_reconcile("now");
    world.settle();
    assert_eq!(world.mutations(), [], "this version is known to be off");
    world.someone_edits(GroupPatch { enabled: Some(true), ..GroupPatch::default() });
    world.take_inventory();
    world.settle();
    assert!(!world.group().unwrap().resource.enabled, "{}", world.message());

    world.someone_edits(GroupPatch { ipv6_enabled: Some(true), ..GroupPatch::default() });
    world.take_inventory();
    world.edit(|spec| spec.enabled = true);
    world.settle();
    assert!(
        world.group().unwrap().resource.enabled,
        "what was off in the version before it is switched on: {}",
        world.message()
    );
}

#[test]
fn a_deletion_enables_a_group_again_that_it_disabled_although_no_answer_says_that_it_is_off() {
    let mut world = World::new(spec());
    world.settle();
    world.port.leave_out([LeftOut::Enabled, LeftOut::RowEnabled]);
    world.delete();
    world.reconcile();
    assert!(!world.group().unwrap().resource.enabled);
    world.someone_edits(GroupPatch { ipv6_enabled: Some(false), ..GroupPatch::default() });
    world.tenant_comes("late");
    world.take_inventory();
    world.at_once();
    assert!(world.group().unwrap().resource.enabled, "{}", world.message());
}

#[test]
fn a_member_that_is_first_stated_by_the_answer_to_an_update_is_updated_next_where_it_differs() {
    let mut world = World::new(ConnectionGroupSpec { enabled: false, ..spec() });
    world.switch(|switches| switches.propagation = Millis(0));
    world.someone_creates(|group| {
        group.tags = marks();
        group.ipv6_enabled = false;
    });
    world.take_inventory();
    world.fail(Operation::GetConnectionGroup, Fault::Lacking);
    let outcome = world.reconcile();
    assert_eq!((world.mutations(), world.status().ipv6_enabled), (vec![Operation::UpdateConnectionGroup], Some(false)));
    assert_eq!((world.ready().0, world.ready().1), ("False".into(), "Updating".into()), "{}", world.message());
    assert_eq!((outcome.requeue, world.status().synced_generation), (Duration::ZERO, None));
    world.settle();
    assert_eq!((world.mutations(), world.ready().1), (vec![Operation::UpdateConnectionGroup], "Disabled".into()));
    assert!(world.group().unwrap().resource.ipv6_enabled);
}

#[test]
fn a_list_that_a_read_leaves_out_is_not_attached_again_while_the_list_of_groups_shows_it() {
    let mut world = World::new(spec());
    let list = NewList::named("static", IpAddressType::Dualstack);
    let list = world.port.account(|account, now| account.outside_create_list(now, list)).id;
    world.edit(|spec| spec.anycast_ip_list_id = Some(list.clone()));
    world.settle();
    assert_eq!(world.status().anycast_ip_list_id.as_deref(), Some(list.as_str()));
    world.calls();
    world.port.leave_out([LeftOut::AnycastIpListId]);
    world.take_inventory();
    world.request_reconcile("now");
    world.settle();
    assert_eq!((world.mutations(), world.ready().1), (vec![], "Deployed".into()));
    assert_eq!(world.status().anycast_ip_list_id, Some(list));
}

#[test]
fn a_group_completes_its_lifecycle_whatever_answers_leave_out() {
    for left_out in cases() {
        for in_progress in [Tolerance::Accept, Tolerance::Refuse] {
            live(&left_out, in_progress);
        }
    }
}

fn live(left_out: &[LeftOut], in_progress: Tolerance) {
    let case = format!("{left_out:?}, a deletion in progress: {in_progress:?}");
    let mut world = World::new(spec());
    world.switch(|switches| switches.delete_in_progress = in_progress);
    world.port.leave_out(left_out.iter().copied());
    world.settle();
    // No answer states that the group is rolled out, so the message does not say so.
    let unstated = left_out.contains(&Status) && left_out.contains(&RowStatus);
    let at_rest =
        |reason: ConditionReason| if unstated { ConditionReason::Deploying } else { reason }.as_str().to_owned();
    assert_eq!(world.ready().1, at_rest(ConditionReason::Deployed), "{case}: {}", world.message());

    world.edit(|spec| spec.ipv6_enabled = false);
    world.settle();
    world.edit(|spec| spec.enabled = false);
    world.settle();
    let group = world.group().unwrap().resource;
    assert_eq!((group.enabled, group.ipv6_enabled), (false, false), "{case}");
    assert_eq!(world.ready().1, at_rest(ConditionReason::Disabled), "{case}: {}", world.message());
    world.calls();
    world.settle();
    assert_eq!(world.mutations(), [], "{case}: nothing is left to do");

    world.edit(|spec| spec.enabled = true);
    world.settle();
    world.delete();
    let mut released = false;
    for _ in 0..30 {
        released = world.reconcile().finalizer == Finalizer::Release;
        if released {
            break;
        }
        world.advance(crate::world::PROPAGATION);
        world.take_inventory();
    }
    assert!(released && world.group().is_none(), "{case}: {:?} {}", world.ready(), world.message());
}

#[test]
fn answers_without_a_list_of_tenants_prove_that_there_are_none_only_after_a_consistency_window() {
    let mut world = World::new(spec());
    world.settle();
    world.tenant_comes("shop");
    world.delete();
    world.calls();
    world.fail(Operation::ListDistributionTenants, Fault::ListLeftOut);
    world.reconcile();
    assert_eq!((world.mutations(), world.ready().1), (vec![], "UnexpectedResponse".into()));
    assert!(world.message().contains("no list of distribution tenants"), "{}", world.message());

    // The next answer contains a list.
    world.advance(world.settings.consistency_window);
    world.take_inventory();
    world.reconcile();
    assert_eq!((world.mutations(), world.ready().1), (vec![], "InUse".into()));

    // Answers that leave the list out because there are no tenants still let the deletion end.
    world.tenant_goes("shop");
    world.keep_failing(Operation::ListDistributionTenants, Fault::ListLeftOut);
    world.reconcile();
    assert_eq!(world.mutations(), []);
    world.advance(world.settings.consistency_window);
    world.take_inventory();
    world.reconcile();
    assert_eq!(world.mutations(), [Operation::UpdateConnectionGroup]);
    world.settle();
    assert_eq!(world.group(), None);
}

#[test]
fn a_disabled_group_is_not_deleted_before_answers_have_left_out_its_tenants_for_a_consistency_window() {
    let mut world = World::new(ConnectionGroupSpec { enabled: false, ..spec() });
    world.settle();
    world.delete();
    world.calls();
    for _ in 0..3 {
        world.fail(Operation::ListDistributionTenants, Fault::ListLeftOut);
    }
    let (second, window) = (Duration::from_secs(1), world.settings.consistency_window);
    for (then, mutations) in [
        (Duration::ZERO, vec![]),
        (window.saturating_sub(second), vec![]),
        (second, vec![Operation::DeleteConnectionGroup]),
    ] {
        world.advance(then);
        world.reconcile();
        assert_eq!(world.mutations(), mutations, "{}", world.message());
    }
}
