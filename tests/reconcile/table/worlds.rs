//! Sets up each combination of the table, up to the moment before the reconcile. In: a [`Case`]. Out: its [`World`].

use std::{collections::BTreeMap, time::Duration};

use cloudfront_simulator::{
    Account, Switches,
    admin::{GroupPatch, NewGroup},
    model::{ConnectionGroup as Shown, Versioned},
};
use connection_group_operator::{
    api::ConnectionGroupSpec, clock::Moment, cloudfront::GroupId, reconcile::ownership::Installation,
};
use port::Way;

use super::axes::{Case, Exists, Record};
use crate::world::{IDENTITY, OWNER, World, marks, spec};

pub const ELSEWHERE: &str = "uid-elsewhere";
pub const OURS: &str = "prod/platform/edge";
const THEIRS: &str = "dev/shop/edge";
/// The installation from which the administrator configures us to take over.
const PREDECESSOR: &str = "uid-before";
/// The tag that the spec named before its last edit.
pub const FORMER_TAG: &str = "stage";

/// The world of that combination: the list is fresh, and no call has been made.
pub fn world(case: &Case) -> World {
    bring_up(case, World::via(Way::Direct, tagged(&["team"])))
}

/// The same over the production adapter, in pages of one.
pub fn world_at_the_adapter(case: &Case) -> World {
    bring_up(case, World::with_switches(tagged(&["team"]), Switches { page_size: 1, ..Switches::default() }))
}

fn bring_up(case: &Case, mut world: World) -> World {
    let fresh = world.object_state.clone();
    for (name, owner) in [("bystander", None), ("their-bystander", Some(THEIRS))] {
        let mut new = NewGroup::named(name);
        new.tags.extend(owner.map(|owner| (OWNER.to_owned(), owner.to_owned())));
        world.port.account(|account, now| account.outside_create_group(now, new)).unwrap();
    }
    if case.record == Record::AtRest {
        settle(&mut world, case.exists);
    }
    bring_about(&mut world, case.exists);
    decide(&mut world, case);
    world.object_state = fresh;
    if matches!(case.exists, Exists::Unowned | Exists::UnownedOtherwise) {
        let id = named(&world).map(|group| GroupId::new(group.resource.id));
        world.object_state.record_unowned(id.as_ref(), Moment::START);
    }
    world.take_inventory();
    world.calls();
    world
}

/// The group that the object names.
pub fn named(world: &World) -> Option<Versioned<Shown>> {
    let name = world.object.spec.name.as_deref().unwrap_or("edge");
    world.groups().into_values().find(|group| group.resource.name == name)
}

fn tagged(keys: &[&str]) -> ConnectionGroupSpec {
    let tags = keys.iter().map(|key| ((*key).to_owned(), "edge".to_owned()));
    ConnectionGroupSpec { tags: tags.collect(), ..spec() }
}

/// The object manages a group of its own, and is at rest.
fn settle(world: &mut World, then: Exists) {
    if then == Exists::OursWithFormerTag {
        world.edit(|spec| *spec = tagged(&["team", FORMER_TAG]));
    }
    world.settle();
    assert_eq!(world.ready().1, "Deployed");
    world.edit(|spec| *spec = tagged(&["team"]));
}

/// The last edit of the spec, and the administrator's decision.
fn decide(world: &mut World, case: &Case) {
    // No `..`: a new axis must have its effect.
    let &Case { mode, adoption, deletion, suspended, protected, being_deleted, adoption_allowed, exists, record: _ } =
        case;
    world.settings.allow_adoption = adoption_allowed;
    world.settings.predecessor = Some(Installation::new(PREDECESSOR));
    world.edit(|spec| {
        spec.mode = mode;
        spec.adoption_policy = adoption;
        spec.deletion_policy = deletion;
        spec.deletion_protection = protected;
        spec.suspend = suspended;
        spec.enabled = !matches!(exists, Exists::OursDisabledAsAsked | Exists::OursEnabledAgainstTheSpec);
    });
    if being_deleted {
        world.delete();
    }
}

fn bring_about(world: &mut World, exists: Exists) {
    let ipv6_off = || GroupPatch { ipv6_enabled: Some(false), ..GroupPatch::default() };
    let enabled = |enabled| GroupPatch { enabled: Some(enabled), ..GroupPatch::default() };
    let tag = |key: &str, value: &str| {
        let set_tags = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        GroupPatch { set_tags, ..GroupPatch::default() }
    };
    match exists {
        Exists::Nothing => clear(world),
        // Whether the spec enables it is decided last.
        Exists::Ours | Exists::OursEnabledAgainstTheSpec => own(world),
        Exists::OursOtherwise => changed(world, ipv6_off()),
        Exists::OursTaggedOtherwise => changed(world, tag("team", "shop")),
        Exists::OursWithFormerTag => changed(world, tag(FORMER_TAG, "edge")),
        Exists::OursWithTenants => {
            own(world);
            world.tenant_comes("shop");
        }
        Exists::OursDisabled | Exists::OursDisabledAsAsked => changed(world, enabled(false)),
        Exists::OursBeingDisabled => {
            own(world);
            world.someone_edits(enabled(false));
        }
        Exists::OursInProgress => {
            own(world);
            world.someone_edits(enabled(true));
        }
        Exists::OursUnmarked => {
            others(world, &[(OWNER, OURS)]);
            an_hour_goes_by(world);
        }
        Exists::OursOfPredecessor => {
            others(world, &[(OWNER, OURS), (IDENTITY, PREDECESSOR)]);
            an_hour_goes_by(world);
        }
        Exists::OursElsewhere => {
            others(world, &[(OWNER, OURS), (IDENTITY, ELSEWHERE)]);
            world.someone_edits(ipv6_off());
            an_hour_goes_by(world);
        }
        Exists::Unowned | Exists::UnownedAtFirstSight => {
            others(world, &[]);
            an_hour_goes_by(world);
        }
        Exists::UnownedOtherwise => {
            others(world, &[]);
            world.someone_edits(ipv6_off());
            an_hour_goes_by(world);
        }
        Exists::UnownedYoung => others(world, &[]),
        Exists::Another => {
            others(world, &[(OWNER, THEIRS)]);
            world.someone_edits(ipv6_off());
            an_hour_goes_by(world);
        }
        Exists::Default => {
            let default = world.port.account(Account::outside_create_default_group).resource;
            // An object at rest cannot be renamed; this one stands for an object created again with its old status.
            world.edit(|spec| spec.name = Some(default.name));
            an_hour_goes_by(world);
        }
    }
}

/// A group of ours as the spec says: the one that is there, or one that an earlier object of this name left behind.
fn own(world: &mut World) {
    if named(world).is_none() {
        let marks = marks();
        others(world, &marks.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect::<Vec<_>>());
    }
    an_hour_goes_by(world);
}

fn changed(world: &mut World, patch: GroupPatch) {
    own(world);
    world.someone_edits(patch);
    an_hour_goes_by(world);
}

/// A group as the spec says, with these tags besides.
fn others(world: &World, marks: &[(&str, &str)]) {
    clear(world);
    world.someone_creates(|group| {
        group.tags = world.object.spec.tags.clone();
        group.tags.extend(marks.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    });
}

fn clear(world: &World) {
    if named(world).is_some() {
        world.someone_deletes_the_group();
    }
}

/// Everything is rolled out, and no longer young.
fn an_hour_goes_by(world: &mut World) {
    world.advance(Duration::from_hours(1));
}
