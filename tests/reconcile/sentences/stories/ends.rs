//! Deletions.

use std::time::Duration;

use cloudfront_simulator::admin::GroupPatch;
use connection_group_operator::{
    api::{DeletionPolicy, Mode},
    cloudfront::{
        ErrorClass,
        Operation::{DeleteConnectionGroup, ListDistributionTenants},
    },
};

use super::{enabled, without_lists as lists_fail};
use port::{Fault, LeftOut};

use crate::{
    sentences::walk::Walk,
    world::{OWNER, PROPAGATION, World},
};

pub fn tenants_come_and_go(walk: &mut Walk<'_>) {
    walk.world.tenant_comes("shop");
    walk.after(World::delete, 2);
    walk.after(|world| world.tenant_goes("shop"), 1);
    walk.after(|world| world.tenant_comes("late"), 3);
    walk.after(|world| world.tenant_goes("late"), 2);
    walk.wait(PROPAGATION);
    walk.reconcile_times(2);
    walk.wait(Duration::from_mins(2));
    walk.reconcile_times(4);
}

pub fn in_use_without_a_tenant(walk: &mut Walk<'_>) {
    walk.after(World::delete, 1);
    walk.wait(PROPAGATION);
    refused(walk);
    walk.reconcile_times(3);
    walk.world.faults_stop();
    walk.after(|world| world.edit(|spec| spec.enabled = false), 0);
    refused(walk);
    walk.reconcile_times(3);
}

/// CloudFront refuses the Delete for longer than a list of tenants may be stale.
fn refused(walk: &mut Walk<'_>) {
    for _ in 0..12 {
        walk.world.fail(DeleteConnectionGroup, Fault::Error(ErrorClass::HasTenants));
        let pause = walk.reconcile().requeue;
        walk.wait(pause.max(Duration::from_secs(30)));
    }
    walk.world.faults_stop();
    walk.reconcile_times(3);
    walk.after(|world| world.edit(|spec| spec.enabled = false), 3);
}

pub fn tenants_unread(walk: &mut Walk<'_>) {
    walk.after(World::delete, 1);
    for _ in 0..6 {
        walk.world.fail(ListDistributionTenants, Fault::Error(ErrorClass::AccessDenied));
        let pause = walk.reconcile().requeue;
        walk.wait(pause);
    }
    walk.reconcile_times(3);
}

pub fn held_back(walk: &mut Walk<'_>) {
    walk.after(World::delete, 1);
    walk.after(|world| world.edit(|spec| spec.suspend = true), 1);
    walk.after(
        |world| {
            world.edit(|spec| {
                spec.suspend = false;
                spec.deletion_protection = true;
            });
        },
        2,
    );
    walk.listed(|world| world.someone_edits(enabled(false)), 2);
    walk.after(|world| world.edit(|spec| spec.enabled = false), 2);
    walk.after(|world| world.edit(|spec| spec.suspend = true), 1);
    walk.after(
        |world| {
            world.edit(|spec| {
                (spec.suspend, spec.enabled, spec.deletion_protection) = (false, true, false);
                spec.deletion_policy = DeletionPolicy::Retain;
            });
        },
        3,
    );
}

pub fn several_tenants(walk: &mut Walk<'_>, count: usize) {
    for number in 0..count {
        walk.world.tenant_comes(&format!("shop-{number}"));
    }
    walk.after(World::delete, 2);
    walk.after(|world| world.edit(|spec| spec.enabled = false), 3);
}

/// Nothing states it of the version that someone has just made.
pub fn unstated_in_use(walk: &mut Walk<'_>) {
    walk.world.port.leave_out([LeftOut::Enabled, LeftOut::RowEnabled]);
    walk.world.tenant_comes("shop");
    walk.listed(|world| world.someone_edits(GroupPatch { ipv6_enabled: Some(false), ..GroupPatch::default() }), 0);
    walk.after(World::delete, 2);
}

pub fn switched_off(walk: &mut Walk<'_>) {
    walk.after(|world| world.edit(|spec| spec.enabled = false), 2);
    walk.after(World::delete, 1);
    walk.after(|world| world.tenant_comes("shop"), 2);
    walk.after(|world| world.edit(|spec| spec.deletion_policy = DeletionPolicy::Retain), 2);
}

pub fn without_lists(walk: &mut Walk<'_>) {
    walk.after(World::delete, 1);
    walk.world.advance(PROPAGATION);
    lists_fail(walk);
    for _ in 0..6 {
        walk.reconcile();
        walk.world.advance(Duration::from_mins(5));
    }
}

pub fn after_a_crash(walk: &mut Walk<'_>) {
    walk.world.crash();
    walk.world.edit(|spec| spec.mode = Mode::Observe);
    walk.world.delete();
    walk.reconcile();
    walk.world.edit(|spec| spec.mode = Mode::Manage);
    walk.world.someone_deletes_the_group();
    walk.reconcile_times(2);
    walk.world.someone_creates(|_| {});
    walk.reconcile_times(2);
    walk.wait(Duration::from_mins(2));
    walk.reconcile_times(3);
}

/// Disabled for its deletion, then given to another object that enables it.
pub fn became_anothers(walk: &mut Walk<'_>) {
    walk.after(World::delete, 1);
    let set_tags = [(OWNER.to_owned(), "dev/shop/edge".to_owned())].into();
    walk.world.someone_edits(GroupPatch { set_tags, enabled: Some(true), ..GroupPatch::default() });
    walk.wait(Duration::from_mins(2));
    walk.reconcile_times(2);
}

pub fn observed(walk: &mut Walk<'_>) {
    walk.after(World::delete, 1);
    walk.wait(Duration::from_mins(2));
    walk.after(|world| world.edit(|spec| spec.mode = Mode::Observe), 2);
}
