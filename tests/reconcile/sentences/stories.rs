//! What the table has no room for: what happens one after the other, or needs a CloudFront that is set up for it. In: a walk. Nothing is asserted here.

mod ends;
mod members;
mod owners;

use std::time::Duration;

use cloudfront_simulator::{admin::GroupPatch, switches::Tolerance};
use connection_group_operator::{
    api::Mode,
    clock::Moment,
    cloudfront::{
        ErrorClass,
        Operation::{CreateConnectionGroup, ListConnectionGroups, UpdateConnectionGroup},
    },
};

use super::walk::Walk;
use port::{Fault, LeftOut, Way};

use crate::world::{PROPAGATION, World, spec};

/// The name of a story, its start, and its steps.
type Story = (&'static str, &'static dyn Fn() -> World, &'static dyn Fn(&mut Walk<'_>));

pub const STORIES: &[Story] = &[
    ("an object is made, edited and switched", &new, &|walk| {
        walk.reconcile_times(3);
        walk.after(|world| world.edit(|spec| spec.enabled = false), 3);
        walk.after(|world| world.edit(|spec| spec.enabled = true), 3);
        let tags = |world: &mut World| {
            world.edit(|spec| spec.tags.extend([("team".into(), "edge".into()), ("stage".into(), "prod".into())]));
        };
        walk.after(tags, 2);
        walk.after(|world| world.edit(|spec| drop(spec.tags.remove("stage"))), 2);
        let everything = |world: &mut World| {
            world.edit(|spec| {
                (spec.enabled, spec.ipv6_enabled) = (false, false);
                drop(spec.tags.insert("more".into(), "tags".into()));
            });
        };
        walk.after(everything, 4);
        walk.after(|world| world.edit(|spec| spec.suspend = true), 1);
        walk.after(|world| world.edit(|spec| spec.suspend = false), 2);
    }),
    ("an object is switched off under its tenants", &at_rest, &|walk| {
        walk.world.tenant_comes("shop");
        walk.after(|world| world.edit(|spec| spec.enabled = false), 3);
    }),
    ("others change the group again and again", &at_rest, &|walk| {
        for _ in 0..4 {
            walk.listed(|world| world.someone_edits(enabled(false)), 2);
            walk.wait(Duration::from_secs(10));
            walk.reconcile_times(1);
        }
        walk.after(|world| world.edit(|spec| spec.mode = Mode::Observe), 2);
        walk.listed(|world| world.someone_edits(enabled(false)), 2);
    }),
    ("others change the group again just after it was corrected", &at_rest, &|walk| {
        for _ in 0..2 {
            walk.world.someone_edits(enabled(false));
            walk.world.take_inventory();
            walk.reconcile();
        }
    }),
    ("others change a member and a tag while the tags are edited", &tagged, &|walk| {
        let patch = GroupPatch { remove_tags: vec!["team".into()], ..enabled(false) };
        let happens = |world: &mut World| {
            world.someone_edits(patch);
            world.edit(|spec| drop(spec.tags.insert("stage".into(), "test".into())));
        };
        walk.listed(happens, 5);
    }),
    ("others take a tag off again and again", &tagged, &|walk| {
        for _ in 0..3 {
            let patch = GroupPatch { remove_tags: vec!["team".into()], ..GroupPatch::default() };
            walk.world.someone_edits(patch);
            walk.world.object_state.resync_at = Some(Moment::START);
            walk.reconcile_times(2);
        }
    }),
    ("others disable the group of a suspended object, which then continues", &at_rest, &|walk| {
        walk.listed(|world| world.someone_edits(enabled(false)), 0);
        walk.after(|world| world.edit(|spec| spec.enabled = false), 2);
        walk.after(|world| world.edit(|spec| spec.suspend = true), 1);
        walk.after(|world| world.edit(|spec| spec.enabled = true), 1);
        walk.after(|world| world.edit(|spec| spec.suspend = false), 2);
    }),
    ("a group is to be disabled while its object is suspended", &at_rest, &|walk| {
        walk.after(|world| world.edit(|spec| spec.suspend = true), 1);
        walk.after(|world| world.edit(|spec| spec.enabled = false), 1);
        walk.after(|world| world.edit(|spec| spec.suspend = false), 2);
    }),
    ("others delete the group", &at_rest, &|walk| {
        walk.listed(|world| world.someone_deletes_the_group(), 1);
        walk.reconcile_times(3);
    }),
    ("others delete the group of an object that only observes", &at_rest, &|walk| {
        walk.after(|world| world.edit(|spec| spec.mode = Mode::Observe), 1);
        walk.world.someone_deletes_the_group();
        walk.world.request_reconcile("now");
        walk.reconcile_times(3);
    }),
    ("others delete the group, and no list can be had", &at_rest, &|walk| {
        walk.world.settings.consistency_window = Duration::from_mins(2);
        walk.world.someone_deletes_the_group();
        without_lists(walk);
        walk.world.request_reconcile("now");
        for _ in 0..4 {
            walk.reconcile();
            walk.world.advance(Duration::from_secs(61));
        }
    }),
    ("an update loses an element of the group", &at_rest, &|walk| {
        walk.world.switch(|switches| switches.omission_clears = true);
        let later = [("Later".to_owned(), "x".to_owned())].into();
        walk.world.someone_edits(GroupPatch { further_elements: later, ..GroupPatch::default() });
        walk.wait(PROPAGATION);
        walk.reconcile_times(1);
        walk.after(|world| world.edit(|spec| spec.ipv6_enabled = false), 2);
    }),
    ("answers leave the status out", &new, &|walk| left_out(walk, &[LeftOut::Status, LeftOut::RowStatus])),
    ("answers leave out whether the group is enabled", &new, &|walk| {
        left_out(walk, &[LeftOut::Enabled, LeftOut::RowEnabled]);
    }),
    ("answers leave the times out", &new, &|walk| left_out(walk, &[LeftOut::Times])),
    ("answers leave the endpoint out", &new, &|walk| left_out(walk, &[LeftOut::RoutingEndpoint])),
    ("answers leave everything out", &new, &|walk| left_out(walk, &LeftOut::ALL)),
    ("others change two members at once", &at_rest, &|walk| {
        let patch = GroupPatch { enabled: Some(false), ipv6_enabled: Some(false), ..GroupPatch::default() };
        walk.listed(|world| world.someone_edits(patch), 3);
    }),
    ("an answer shows another configuration than was asked for", &at_rest, &|walk| {
        walk.lies();
        walk.world.fail(UpdateConnectionGroup, Fault::AnsweredWrongly);
        walk.after(|world| world.edit(|spec| spec.ipv6_enabled = false), 3);
    }),
    ("an update meets another version in each try", &at_rest, &|walk| {
        for _ in 0..3 {
            walk.world.fail(UpdateConnectionGroup, Fault::Error(ErrorClass::StaleEtag));
        }
        walk.after(|world| world.edit(|spec| spec.ipv6_enabled = false), 3);
    }),
    ("an update waits for the roll-out of another one", &new, &|walk| {
        walk.world.switch(|switches| {
            switches.update_in_progress = Tolerance::Refuse;
            switches.disable_with_tenants = Tolerance::Refuse;
        });
        walk.reconcile();
        walk.after(|world| world.edit(|spec| spec.enabled = false), 3);
        walk.after(|world| world.edit(|spec| spec.enabled = true), 3);
        walk.world.tenant_comes("shop");
        walk.wait(PROPAGATION);
        walk.after(|world| world.edit(|spec| (spec.enabled, spec.ipv6_enabled) = (false, false)), 4);
    }),
    ("a deletion whose tenants come and go", &at_rest, &ends::tenants_come_and_go),
    ("a deletion that CloudFront calls in use without a tenant", &at_rest, &ends::in_use_without_a_tenant),
    ("a deletion whose tenants cannot be read", &at_rest, &ends::tenants_unread),
    ("a deletion that is protected, kept and suspended on its way", &at_rest, &ends::held_back),
    ("a deletion with two tenants", &at_rest, &|walk| ends::several_tenants(walk, 2)),
    ("a deletion with many tenants", &at_rest, &|walk| ends::several_tenants(walk, 12)),
    (
        "a deletion with a tenant, while answers leave out whether the group is enabled",
        &at_rest,
        &ends::unstated_in_use,
    ),
    ("a deletion with the emergency switch", &at_rest, &ends::switched_off),
    ("a deletion without lists", &at_rest, &ends::without_lists),
    ("a deletion by a process that has just begun", &at_rest, &ends::after_a_crash),
    ("a deletion whose group became someone else's", &at_rest, &ends::became_anothers),
    ("a deletion in mode Observe", &at_rest, &ends::observed),
    ("a clone of the cluster", &at_rest, &owners::clone),
    ("a deletion in a clone of the cluster", &at_rest, &owners::deleted_in_a_clone),
    ("an owner id that is changed and set back", &at_rest, &owners::renamed),
    ("a take-over from another installation", &at_rest, &owners::taken_over),
    ("a group of a version without identity", &tagged, &owners::unmarked),
    ("an adoption", &new, &owners::adopted),
    ("an adoption of a group that the spec disables", &new, &owners::adopted_and_disabled),
    ("an adoption after the group was replaced", &tagged, &owners::replaced),
    ("a group that loses its owner tag", &at_rest, &owners::lost),
    ("a group whose tags lose their values", &at_rest, &owners::emptied),
    ("a Create that finds its name taken", &new, &owners::name_taken),
    ("a member that CloudFront refuses", &new, &members::refused_list),
    ("two members that CloudFront refuses", &new, &members::two_refused),
    ("a quota that is used up", &new, &members::quota),
    ("a Create that AWS denies, for each cause that AWS names", &new, &|walk| {
        for denial in [
            "Your account must be verified before you can add new CloudFront resources.",
            "User: arn:aws:sts::123456789012:assumed-role/operator is not authorized to perform: cloudfront:CreateConnectionGroup with an explicit deny in a service \
             control policy",
            "User: arn:aws:sts::123456789012:assumed-role/operator is not authorized to perform: cloudfront:CreateConnectionGroup because no permissions boundary \
             allows the cloudfront:CreateConnectionGroup action",
            "User: arn:aws:sts::123456789012:assumed-role/operator is not authorized to perform: cloudfront:CreateConnectionGroup with an explicit deny in an \
             identity-based policy",
        ] {
            walk.world.fail(CreateConnectionGroup, Fault::Told(403, "AccessDenied", denial));
            walk.reconcile_times(1);
        }
    }),
    ("a detach that CloudFront refuses", &new, &members::detach_refused),
    ("a detach that CloudFront ignores", &new, &members::detach_ignored),
    ("a list that others attached", &at_rest, &members::list_of_others),
];

fn new() -> World {
    World::via(Way::Direct, spec())
}

fn at_rest() -> World {
    let mut world = World::via(Way::Direct, spec());
    world.settle();
    world.take_inventory();
    world
}

fn tagged() -> World {
    let mut world = World::via(Way::Direct, spec());
    world.edit(|spec| drop(spec.tags.insert("team".into(), "edge".into())));
    world.settle();
    world.take_inventory();
    world
}

fn enabled(enabled: bool) -> GroupPatch {
    GroupPatch { enabled: Some(enabled), ..GroupPatch::default() }
}

/// A lifecycle during which answers leave these members out.
fn left_out(walk: &mut Walk<'_>, members: &[LeftOut]) {
    walk.lies();
    walk.world.port.leave_out(members.iter().copied());
    walk.reconcile_times(4);
    walk.after(|world| world.edit(|spec| spec.enabled = false), 3);
    walk.after(|world| world.edit(|spec| spec.enabled = true), 3);
    walk.after(World::delete, 6);
}

/// From here on, the account's groups cannot be listed.
fn without_lists(walk: &mut Walk<'_>) {
    walk.world.keep_failing(ListConnectionGroups, Fault::Error(ErrorClass::AccessDenied));
    walk.world.take_inventory();
}
