//! A reconcile copes with any world: any status, any object state, any object, and an account full of groups of others. It
//! never panics, changes at most one thing, and never a group that is not this object's.

use std::{collections::BTreeMap, time::Duration};

use cloudfront_simulator::{
    Account,
    admin::{NewGroup, NewTenant},
    model::{ConnectionGroup as Shown, Versioned},
};
use connection_group_operator::{
    api::{AdoptionPolicy, ConnectionGroupSpec, ConnectionGroupStatus, Mode, RECONCILE_REQUESTED_AT},
    cloudfront::{ErrorClass, Operation},
    reconcile::{Finalizer, ObjectState, group_name, ownership::OwnerTag},
};
use proptest::{
    prelude::*,
    sample::{Index, select},
};

use super::anything;
use port::{Fault, Way};

use crate::world::{HERE, IDENTITY, PROPAGATION, World, spec};

const OURS: &str = "prod/platform/edge";
const THEIRS: &str = "dev/shop/edge";

/// One of the texts of the account, so that a forged status points at something that exists.
type Pointer = Option<Index>;

/// An object, and what its status claims.
#[derive(Clone, Debug)]
struct Forgery {
    spec: ConnectionGroupSpec,
    name: Pointer,
    generation: Option<i64>,
    requested_at: Option<String>,
    being_deleted: bool,
    adoption_allowed: bool,
    status: Option<ConnectionGroupStatus>,
    /// Id, ARN, name, owner, ETag and deployment status.
    pointers: [Pointer; 6],
    tags: [Pointer; 2],
    object_state: ObjectState,
}

fn forgery() -> impl Strategy<Value = Forgery> {
    let pointer = prop::option::of(any::<Index>());
    let object = (
        anything::spec(),
        prop::option::weighted(0.3, any::<Index>()),
        prop::option::of(prop_oneof![0..4_i64, any::<i64>()]),
        prop::option::of(anything::text()),
    );
    let pointers = (prop::array::uniform6(pointer.clone()), prop::array::uniform2(pointer));
    let status = (prop::option::weighted(0.9, anything::status()), pointers);
    (object, any::<[bool; 2]>(), status, anything::object_state()).prop_map(
        |(
            (spec, name, generation, requested_at),
            [being_deleted, adoption_allowed],
            (status, (pointers, tags)),
            object_state,
        )| {
            Forgery {
                spec,
                name,
                generation,
                requested_at,
                being_deleted,
                adoption_allowed,
                status,
                pointers,
                tags,
                object_state,
            }
        },
    )
}

/// What is at CloudFront under the object's own name, and in which state.
#[derive(Clone, Debug)]
struct Scene {
    exists: bool,
    owner: Option<&'static str>,
    identity: Option<&'static str>,
    enabled: bool,
    used: bool,
    age: Duration,
}

fn scene() -> impl Strategy<Value = Scene> {
    let owner = select(vec![None, Some(OURS), Some(OURS), Some(THEIRS)]);
    let identity = select(vec![None, Some(HERE), Some(HERE), Some(HERE), Some("uid-elsewhere")]);
    let age = select(vec![Duration::ZERO, Duration::from_secs(70), Duration::from_hours(1)]);
    (prop::bool::weighted(0.8), owner, identity, any::<bool>(), prop::bool::weighted(0.2), age)
        .prop_map(|(exists, owner, identity, enabled, used, age)| Scene { exists, owner, identity, enabled, used, age })
}

/// What the operator knows of the account as a whole.
#[derive(Clone, Copy, Debug)]
enum List {
    Fresh,
    /// From before any group existed.
    Outdated,
    Missing,
    Refused,
}

fn faults() -> impl Strategy<Value = Vec<(Operation, Fault)>> {
    let fault = prop_oneof![
        select(vec![
            ErrorClass::Throttled,
            ErrorClass::AccessDenied,
            ErrorClass::NotFound,
            ErrorClass::AlreadyExists,
            ErrorClass::StaleEtag,
            ErrorClass::InvalidArgument,
            ErrorClass::InUse,
        ])
        .prop_map(Fault::Error),
        Just(Fault::AnswerLost),
        Just(Fault::Stale),
    ];
    let fault = (select(Operation::ALL), fault);
    // An operator cannot recognize tags that show a minute late (docs/safety.md, tag-lag).
    let fault =
        fault.prop_filter("tags are as they are", |fault| *fault != (Operation::ListTagsForResource, Fault::Stale));
    prop::collection::vec(fault, 0..3)
}

type Groups = BTreeMap<String, Versioned<Shown>>;

fn owner(group: &Versioned<Shown>) -> Option<&str> {
    group.resource.tags.as_ref().and_then(|tags| tags.get(OwnerTag::KEY)).map(String::as_str)
}

/// Whether our owner tag is on it, and no identity but ours.
fn is_marked_as_ours(group: &Versioned<Shown>) -> bool {
    let identity = group.resource.tags.as_ref().and_then(|tags| tags.get(IDENTITY));
    owner(group) == Some(OURS) && identity.is_none_or(|identity| identity == HERE)
}

/// An account with groups of others, of nobody, and of ours under another name, beside what the scene says.
fn stage(way: Way, scene: &Scene, list: List) -> World {
    let mut world = World::via(way, spec());
    world.port.account(Account::outside_create_default_group);
    let named = [("victim", Some(THEIRS)), ("nobodys", None), ("former", Some(OURS))];
    for (name, owner) in named.into_iter().chain(scene.exists.then_some(("edge", scene.owner))) {
        let mut new = NewGroup { enabled: scene.enabled, ..NewGroup::named(name) };
        new.tags.insert("a".to_owned(), "theirs".to_owned());
        new.tags.extend(owner.map(|owner| (OwnerTag::KEY.to_owned(), owner.to_owned())));
        new.tags.extend(scene.identity.map(|identity| (IDENTITY.to_owned(), identity.to_owned())));
        world.port.account(|account, now| {
            account.outside_create_group(now, new).unwrap();
            if scene.used {
                account.outside_create_tenant(now, NewTenant::behind(name, format!("{name}-shop"))).unwrap();
            }
        });
    }
    world.advance(scene.age);
    match list {
        List::Fresh => world.take_inventory(),
        List::Outdated => {}
        List::Missing => world.snapshot = None,
        List::Refused => {
            world.fail(Operation::ListConnectionGroups, Fault::Error(ErrorClass::AccessDenied));
            world.take_inventory();
        }
    }
    world
}

fn forge(world: &mut World, forgery: Forgery) {
    let shown = world.groups().into_values().flat_map(|Versioned { resource, etag }| {
        let owner = resource.tags.and_then(|tags| tags.get(OwnerTag::KEY).cloned());
        [Some(resource.id), Some(resource.arn), Some(resource.name), Some(etag), owner].into_iter().flatten()
    });
    let nowhere =
        ["", "*", "Deployed", "InProgress", "cg_nowhere", "arn:aws:cloudfront::1:connection-group/cg_nowhere"];
    let keys = ["a", "a", "a", "a", "b", OwnerTag::KEY, IDENTITY];
    let texts = shown.chain(nowhere.into_iter().chain(keys).map(str::to_owned)).collect::<Vec<_>>();
    let text = |pointer: Pointer| pointer.map(|index| index.get(&texts).clone());

    let Forgery {
        spec,
        name,
        generation,
        requested_at,
        being_deleted,
        adoption_allowed,
        status,
        pointers,
        tags,
        object_state,
    } = forgery;
    world.object.spec = ConnectionGroupSpec { name: text(name), ..spec };
    world.object.metadata.generation = generation;
    let annotations = requested_at.map(|at| (RECONCILE_REQUESTED_AT.to_owned(), at));
    world.object.metadata.annotations = Some(annotations.into_iter().collect());
    if being_deleted {
        world.delete();
    }
    world.settings.allow_adoption = adoption_allowed;
    world.object_state = object_state;
    world.object.status = status.map(|mut status| {
        let [id, arn, name, owner, e_tag, deployment] = pointers.map(text);
        status.tags.extend(tags.into_iter().filter_map(text).map(|key| (key, "a".to_owned())));
        ConnectionGroupStatus { id, arn, name, owner, e_tag, status: deployment, ..status }
    });
}

/// What a reconcile may have done, judged by the groups before and after it. Besides its one mutation, it may have
/// repeated those that were refused for their version.
fn judge(world: &World, before: &Groups, mutations: &[Operation], refused: usize) -> Result<(), TestCaseError> {
    let (spec, settings) = (&world.object.spec, &world.settings);
    let being_deleted = world.object.metadata.deletion_timestamp.is_some();
    let is_protected = being_deleted && spec.deletion_protection;
    let may_write = spec.mode == Mode::Manage && !spec.suspend;
    prop_assert!(may_write || mutations.is_empty(), "{:?}", mutations);
    // Enabled or disabled, as the spec says, and marked as this installation's before that.
    let puts_back = |call: &Operation| matches!(call, Operation::UpdateConnectionGroup | Operation::TagResource);
    prop_assert!(!is_protected || mutations.iter().all(puts_back), "{:?}", mutations);
    prop_assert!(mutations.len() <= 1 + refused, "{:?}", mutations);

    let name = group_name(&world.object);
    let is_meant = |group: &Versioned<Shown>| group.resource.name == name.as_str() && !group.resource.is_default;
    let both_keys = settings.allow_adoption && spec.adoption_policy != AdoptionPolicy::Never && !being_deleted;
    let is_ours = |group: &Versioned<Shown>| is_meant(group) && is_marked_as_ours(group);
    let is_adoptable = |group: &Versioned<Shown>| is_meant(group) && owner(group).is_none() && both_keys;

    let creates = mutations.contains(&Operation::CreateConnectionGroup);
    let has_target = before.values().any(|group| is_ours(group) || is_adoptable(group));
    prop_assert!(mutations.is_empty() || has_target || creates && !being_deleted, "{:?}", mutations);

    let mut after = world.groups();
    for (id, group) in before.iter().filter(|(_, group)| !is_ours(group)) {
        let mut found = after.remove(id);
        if let Some(tags) =
            found.as_mut().filter(|_| is_adoptable(group)).and_then(|found| found.resource.tags.as_mut())
        {
            // An identity without an owner claims nothing, and is replaced with the adoption.
            prop_assert!(
                tags.remove(OwnerTag::KEY)
                    .is_none_or(|owner| owner == OURS && tags.remove(IDENTITY).as_deref() == Some(HERE))
            );
            tags.extend(
                group
                    .resource
                    .tags
                    .iter()
                    .flatten()
                    .filter(|(key, _)| *key == IDENTITY)
                    .map(|(key, value)| (key.clone(), value.clone())),
            );
        }
        prop_assert_eq!(found.as_ref(), Some(group), "to the last byte");
    }
    for (id, group) in &after {
        prop_assert!(before.contains_key(id) || creates && is_ours(group), "{:?}", group);
    }
    Ok(())
}

/// Whether an object may be released: nothing that its deletion policy covers is left behind.
fn may_go(world: &World) -> bool {
    let name = group_name(&world.object);
    let is_ours = |group: &Versioned<Shown>| group.resource.name == name.as_str() && is_marked_as_ours(group);
    let is_left = world.object.spec.mode == Mode::Manage && world.groups().values().any(is_ours);
    world.object.metadata.deletion_timestamp.is_some() && !is_left
}

proptest! {
    #![proptest_config(super::cases(2000))]

    #[test]
    fn whatever_an_object_says_a_reconcile_ends_well_and_groups_of_others_are_left_alone(
        way in super::way(),
        scene in scene(),
        list in select(vec![List::Fresh, List::Outdated, List::Missing, List::Refused]),
        forgery in forgery(),
        faults in faults(),
        reconciles in prop::collection::vec(any::<bool>(), 1..4),
    ) {
        let mut world = stage(way, &scene, list);
        forge(&mut world, forgery);
        let is_stale = |(operation, fault): &&(Operation, Fault)| {
            operation.is_mutation() && *fault == Fault::Error(ErrorClass::StaleEtag)
        };
        // If everything that is read is out of date, nobody can know whether a group exists.
        let is_deceived = matches!(list, List::Outdated) || faults.iter().any(|(_, fault)| *fault == Fault::Stale);
        let refused = faults.iter().filter(is_stale).count();
        for (operation, fault) in faults {
            world.may_fail(operation, fault);
        }
        for time_goes_by in reconciles {
            world.calls();
            let before = world.groups();
            let outcome = world.reconcile();
            judge(&world, &before, &world.mutations(), refused)?;
            prop_assert!(outcome.requeue <= Duration::from_mins(5), "{:?}", outcome.requeue);
            prop_assert!(outcome.finalizer == Finalizer::Keep || may_go(&world) || is_deceived, "released too early");
            if time_goes_by {
                world.advance(PROPAGATION);
                world.take_inventory();
            }
        }
    }
}
