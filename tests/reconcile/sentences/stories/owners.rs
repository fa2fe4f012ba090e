//! Owners of groups, and changes of owner.

use std::time::Duration;

use cloudfront_simulator::admin::GroupPatch;
use connection_group_operator::{
    api::AdoptionPolicy,
    clock::Moment,
    cloudfront::{
        ErrorClass,
        Operation::{CreateConnectionGroup, GetConnectionGroup, TagResource, UpdateConnectionGroup},
    },
    reconcile::ownership::Installation,
};
use port::{Fault, LeftOut};

use crate::{
    sentences::walk::Walk,
    world::{HERE, IDENTITY, OWNER, World, marks},
};

const COPY: &str = "uid-of-the-copy";

/// This cluster is the copy from here on.
fn copied(walk: &mut Walk<'_>) {
    walk.world.settings.installation = Installation::new(COPY);
    walk.world.crash();
    walk.world.take_inventory();
}

pub fn clone(walk: &mut Walk<'_>) {
    copied(walk);
    walk.reconcile_times(2);
    walk.after(|world| world.edit(|spec| spec.enabled = false), 2);
    walk.after(|world| world.edit(|spec| spec.deletion_protection = true), 1);
    walk.after(World::delete, 2);
}

pub fn deleted_in_a_clone(walk: &mut Walk<'_>) {
    copied(walk);
    walk.world.delete();
    walk.reconcile_times(3);
    walk.wait(Duration::from_mins(2));
    walk.reconcile_times(1);
}

/// The owner id of the installation is another one for a while.
pub fn renamed(walk: &mut Walk<'_>) {
    for owner_id in ["stage", "prod"] {
        walk.world.settings.owner_id = owner_id.into();
        walk.world.crash();
        walk.world.take_inventory();
        walk.reconcile_times(2);
    }
}

pub fn taken_over(walk: &mut Walk<'_>) {
    copied(walk);
    walk.world.settings.predecessor = Some(Installation::new(HERE));
    walk.reconcile_times(4);
    walk.after(|world| world.edit(|spec| spec.ipv6_enabled = false), 2);
}

/// Its identity tag cannot be put on the group at first.
pub fn unmarked(walk: &mut Walk<'_>) {
    walk.world.someone_edits(GroupPatch { remove_tags: vec![IDENTITY.into()], ..GroupPatch::default() });
    walk.wait(Duration::from_mins(3));
    walk.world.request_reconcile("now");
    walk.world.fail(TagResource, Fault::Error(ErrorClass::Throttled));
    walk.reconcile_times(3);
    walk.world.someone_edits(GroupPatch { remove_tags: vec![IDENTITY.into()], ..GroupPatch::default() });
    walk.after(|world| world.edit(|spec| spec.suspend = true), 1);
    walk.after(|world| world.edit(|spec| spec.suspend = false), 3);
    walk.world.someone_edits(GroupPatch { remove_tags: vec![IDENTITY.into()], ..GroupPatch::default() });
    walk.after(World::delete, 3);
}

pub fn adopted(walk: &mut Walk<'_>) {
    walk.world.settings.consistency_window = Duration::from_mins(2);
    walk.world.someone_creates(|group| group.ipv6_enabled = false);
    walk.reconcile_times(1);
    walk.wait(Duration::from_mins(2));
    walk.reconcile_times(1);
    walk.after(|world| world.edit(|spec| spec.adoption_policy = AdoptionPolicy::IfUnchanged), 1);
    walk.world.settings.allow_adoption = true;
    walk.reconcile_times(1);
    walk.after(|world| world.edit(|spec| spec.adoption_policy = AdoptionPolicy::Always), 1);
    walk.wait(Duration::from_mins(2));
    walk.reconcile_times(4);
}

/// The spec would disable it, and CloudFront states only sometimes that it is enabled.
pub fn adopted_and_disabled(walk: &mut Walk<'_>) {
    walk.world.settings.allow_adoption = true;
    walk.world.edit(|spec| spec.enabled = false);
    walk.world.someone_creates(|_| {});
    walk.wait(Duration::from_mins(2));
    for policy in [AdoptionPolicy::Never, AdoptionPolicy::IfUnchanged] {
        walk.after(|world| world.edit(|spec| spec.adoption_policy = policy), 1);
        walk.world.port.leave_out([LeftOut::Enabled, LeftOut::RowEnabled]);
        walk.listed(|world| world.request_reconcile(&format!("{policy:?}")), 1);
        walk.world.port.leave_nothing_out();
    }
    walk.after(|world| world.edit(|spec| spec.adoption_policy = AdoptionPolicy::Always), 1);
    walk.wait(Duration::from_mins(2));
    walk.reconcile_times(4);
}

pub fn replaced(walk: &mut Walk<'_>) {
    walk.world.settings.allow_adoption = true;
    walk.world.edit(|spec| spec.adoption_policy = AdoptionPolicy::Always);
    walk.world.someone_deletes_the_group();
    walk.world.someone_creates(|_| {});
    walk.wait(Duration::from_mins(2));
    walk.reconcile_times(1);
    walk.wait(Duration::from_mins(2));
    walk.reconcile_times(4);
}

pub fn lost(walk: &mut Walk<'_>) {
    walk.world.settings.consistency_window = Duration::from_mins(2);
    walk.world.fail(UpdateConnectionGroup, Fault::Error(ErrorClass::Throttled));
    walk.after(|world| world.edit(|spec| spec.ipv6_enabled = false), 1);
    let remove_tags = vec![OWNER.into(), IDENTITY.into()];
    walk.world.someone_edits(GroupPatch { remove_tags, ..GroupPatch::default() });
    walk.wait(Duration::from_mins(2));
    walk.world.request_reconcile("now");
    walk.reconcile_times(1);
    walk.after(World::delete, 1);
    walk.wait(Duration::from_mins(2));
    walk.reconcile_times(2);
}

pub fn emptied(walk: &mut Walk<'_>) {
    walk.world.fail(UpdateConnectionGroup, Fault::Error(ErrorClass::Throttled));
    walk.after(|world| world.edit(|spec| spec.ipv6_enabled = false), 1);
    for key in [IDENTITY, OWNER] {
        let set_tags = [(key.to_owned(), String::new())].into();
        walk.world.someone_edits(GroupPatch { set_tags, ..GroupPatch::default() });
        walk.wait(Duration::from_mins(2));
        walk.reconcile_times(2);
    }
    walk.after(World::delete, 2);
}

/// By a group that the list does not show yet: first ours, then someone else's.
pub fn name_taken(walk: &mut Walk<'_>) {
    let mut ours = marks();
    ours.insert("team".into(), "edge".into());
    walk.world.someone_creates(|group| group.tags = ours);
    for _ in 0..2 {
        walk.world.fail(GetConnectionGroup, Fault::Error(ErrorClass::NotFound));
    }
    walk.world.fail(CreateConnectionGroup, Fault::Error(ErrorClass::AlreadyExists));
    walk.world.object_state.resync_at = Some(Moment::START);
    walk.world.edit(|spec| spec.ipv6_enabled = false);
    walk.reconcile_times(3);
}
