//! Installations with the same owner id: a clone beside the living original, a cluster built in place of another one, groups of a version that left
//! no identity. The identity decides which installation acts.

use std::time::Duration;

use cloudfront_simulator::admin::GroupPatch;
use connection_group_operator::{
    account::orphans::{KnownObjects, OrphanCriteria, Orphans},
    api::{AdoptionPolicy, ConnectionGroup, DeletionPolicy},
    cloudfront::{
        ErrorClass,
        Operation::{
            self, CreateConnectionGroup, DeleteConnectionGroup, ListTagsForResource, TagResource, UntagResource,
            UpdateConnectionGroup,
        },
        Snapshot,
    },
    reconcile::{Finalizer, ObjectState, Settings, ownership::Installation},
};
use port::Fault;

use crate::world::{HERE, IDENTITY, OWNER, PROPAGATION, World, marks, now, spec};

const COPY: &str = "uid-of-the-copy";

/// The state that another cluster has of its own; the account is the same.
struct Cluster {
    object: ConnectionGroup,
    object_state: ObjectState,
    snapshot: Option<Snapshot>,
    settings: Settings,
}

impl Cluster {
    /// A cluster that was restored from a backup of this one: everything is the same, except what no backup contains.
    fn restored_from(world: &World) -> Self {
        let mut object = world.object.clone();
        object.metadata.uid = Some("uid-2".into());
        Self {
            object,
            object_state: ObjectState { resync_at: world.object_state.resync_at, ..ObjectState::default() },
            snapshot: world.snapshot.clone(),
            settings: Settings { installation: Installation::new(COPY), ..world.settings.clone() },
        }
    }

    /// Does something in that cluster, and switches back.
    fn go<T>(&mut self, world: &mut World, act: impl FnOnce(&mut World) -> T) -> T {
        let mut swap = |world: &mut World| {
            std::mem::swap(&mut self.object, &mut world.object);
            std::mem::swap(&mut self.object_state, &mut world.object_state);
            std::mem::swap(&mut self.snapshot, &mut world.snapshot);
            std::mem::swap(&mut self.settings, &mut world.settings);
        };
        swap(world);
        let done = act(world);
        swap(world);
        done
    }
}

/// A group at rest, and a clone of the cluster that manages it.
fn cloned() -> (World, Cluster) {
    let mut world = World::new(spec());
    world.settle();
    world.take_inventory();
    world.calls();
    let clone = Cluster::restored_from(&world);
    (world, clone)
}

#[test]
fn a_clone_reports_in_its_first_reconcile_that_the_group_is_the_originals_and_touches_nothing() {
    let (mut world, mut clone) = cloned();
    let before = world.groups();
    clone.go(&mut world, |clone| {
        clone.reconcile();
        assert_eq!(clone.ready(), ("False".into(), "AnotherInstallation".into(), vec!["Stalled".into()]));
        for identity in [HERE, COPY] {
            assert!(clone.message().contains(identity), "{}", clone.message());
        }
        assert_eq!(clone.status().id, None, "it is not shown as this cluster's");
        clone.edit(|spec| {
            spec.enabled = false;
            spec.adoption_policy = AdoptionPolicy::Always;
            spec.tags.insert("team".into(), "drill".into());
        });
        clone.settings.allow_adoption = true;
        clone.settle();
        clone.request_reconcile("now");
        clone.settle();
        assert_eq!((clone.mutations(), clone.ready().1), (vec![], "AnotherInstallation".into()));
    });
    assert_eq!(world.groups(), before);
}

#[test]
fn a_deletion_in_a_clone_releases_the_object_and_leaves_the_group_to_the_original() {
    for policy in [DeletionPolicy::Delete, DeletionPolicy::Retain] {
        let (mut world, mut clone) = cloned();
        let before = world.groups();
        clone.go(&mut world, |clone| {
            clone.edit(|spec| spec.deletion_policy = policy);
            clone.delete();
            assert_eq!(clone.reconcile().finalizer, Finalizer::Release, "{}", clone.message());
            let event = clone.events.last().unwrap();
            assert!(event.reason.as_str() == "Released" && event.note.contains(HERE), "{event:?}");
        });
        assert_eq!((world.mutations(), world.groups()), (vec![], before), "{policy:?}");
    }
}

#[test]
fn a_deletion_in_a_clone_whose_process_has_just_started_names_the_original_in_its_first_reconcile() {
    let (mut world, mut clone) = cloned();
    let before = world.groups();
    clone.go(&mut world, |clone| {
        clone.crash();
        clone.take_inventory();
        clone.delete();
        assert_eq!(clone.reconcile().finalizer, Finalizer::Keep, "what an earlier process sent may still take effect");
        assert_eq!(clone.ready(), ("False".into(), "AnotherInstallation".into(), vec!["Reconciling".into()]));
        for part in [HERE, COPY, "removes its finalizer"] {
            assert!(clone.message().contains(part), "{part}: {}", clone.message());
        }
        clone.advance(clone.settings.consistency_window);
        clone.take_inventory();
        assert_eq!(clone.reconcile().finalizer, Finalizer::Release, "{}", clone.message());
    });
    assert_eq!((world.mutations(), world.groups()), (vec![], before));
}

#[test]
fn the_original_keeps_working_beside_its_clone() {
    let (mut world, mut clone) = cloned();
    clone.go(&mut world, World::settle);
    world.edit(|spec| spec.enabled = false);
    world.settle();
    assert_eq!((world.mutations(), world.ready().1), (vec![UpdateConnectionGroup], "Disabled".into()));
}

#[test]
fn a_takeover_sets_the_identity_and_the_other_installation_stops_at_its_next_change_and_back_again() {
    let (mut world, mut clone) = cloned();
    clone.go(&mut world, |clone| {
        clone.settings.predecessor = Some(Installation::new(HERE));
        clone.reconcile();
        assert_eq!((clone.mutations(), clone.ready().1), (vec![TagResource], "TakenOver".into()));
        assert_eq!(clone.tags()[IDENTITY], COPY);
        assert!(clone.event_reasons().contains(&"TakenOver"));
        clone.settle();
        assert_eq!((clone.mutations(), clone.ready().1), (vec![], "Deployed".into()));
        clone.settings.predecessor = None;
        clone.edit(|spec| spec.ipv6_enabled = false);
        clone.settle();
        assert_eq!(clone.mutations(), [UpdateConnectionGroup]);
    });
    world.edit(|spec| spec.enabled = false);
    world.settle();
    assert_eq!((world.mutations(), world.ready().1), (vec![], "AnotherInstallation".into()));
    assert!(world.message().contains(COPY), "{}", world.message());

    world.settings.predecessor = Some(Installation::new(COPY));
    world.advance(Duration::from_mins(5));
    world.settle();
    assert_eq!(world.mutations(), [TagResource, UpdateConnectionGroup, UpdateConnectionGroup], "off first, then IPv6");
    assert_eq!((world.tags()[IDENTITY].as_str(), world.ready().1), (HERE, "Disabled".into()));
    clone.go(&mut world, |clone| {
        clone.request_reconcile("now");
        clone.settle();
        assert_eq!((clone.mutations(), clone.ready().1), (vec![], "AnotherInstallation".into()));
    });
}

#[test]
fn an_installation_that_was_taken_over_also_reports_it_at_its_next_full_read() {
    let (mut world, mut clone) = cloned();
    clone.go(&mut world, |clone| {
        clone.settings.predecessor = Some(Installation::new(HERE));
        clone.settle();
    });
    world.advance(world.settings.resync_interval * 2);
    world.take_inventory();
    world.calls();
    world.settle();
    assert_eq!((world.mutations(), world.ready().1), (vec![], "AnotherInstallation".into()));
}

#[test]
fn only_the_installation_that_is_named_is_taken_over() {
    let (mut world, mut clone) = cloned();
    clone.go(&mut world, |clone| {
        clone.settings.predecessor = Some(Installation::new("uid-of-a-third"));
        clone.settle();
        assert_eq!((clone.mutations(), clone.ready().1), (vec![], "AnotherInstallation".into()));
    });
}

#[test]
fn an_object_that_is_deleted_after_a_takeover_takes_its_group_with_it() {
    let (mut world, mut clone) = cloned();
    clone.go(&mut world, |clone| {
        clone.settings.predecessor = Some(Installation::new(HERE));
        clone.delete();
        clone.settle();
        assert_eq!(clone.mutations(), [TagResource, UpdateConnectionGroup, DeleteConnectionGroup]);
    });
    assert_eq!(world.group(), None);
}

#[test]
fn a_deletion_after_a_takeover_ends_although_the_other_installation_creates_the_group_again() {
    let (mut world, mut clone) = cloned();
    let there = |clone: &mut Cluster, world: &mut World, act: fn(&mut World)| clone.go(world, act);
    there(&mut clone, &mut world, |clone| {
        clone.settings.predecessor = Some(Installation::new(HERE));
        clone.delete();
        for _ in 0..12 {
            clone.reconcile();
            if clone.group().is_none() {
                return;
            }
            clone.advance(PROPAGATION);
            clone.take_inventory();
        }
        panic!("the group is still there: {}", clone.message());
    });
    // The original still has its object.
    world.advance(Duration::from_mins(5));
    world.take_inventory();
    world.settle();
    let (created, tags) = (world.group().unwrap().resource.id, world.tags());
    assert_eq!((world.ready().1, tags[IDENTITY].as_str()), ("Deployed".into(), HERE));
    world.calls();

    there(&mut clone, &mut world, |clone| {
        clone.advance(Duration::from_mins(5));
        clone.take_inventory();
        assert_eq!(clone.reconcile().finalizer, Finalizer::Release, "{}", clone.message());
        assert!(clone.events.last().unwrap().note.contains(HERE));
    });
    assert_eq!((world.mutations(), world.group().unwrap().resource.id, world.tags()), (vec![], created, tags));
}

#[test]
fn a_group_is_created_with_owner_and_identity_and_retained_without_both() {
    let mut world = World::new(spec());
    world.edit(|spec| spec.deletion_policy = DeletionPolicy::Retain);
    world.settle();
    assert_eq!((world.tags(), world.status().installation.as_deref()), (marks(), Some(HERE)));
    world.delete();
    assert_eq!(world.reconcile().finalizer, Finalizer::Release);
    assert_eq!(world.mutations(), [CreateConnectionGroup, UntagResource]);
    assert!(world.tags().is_empty());
}

/// A group at rest that an older version created.
fn unmarked() -> World {
    let mut world = World::new(spec());
    world.settle();
    world.someone_edits(GroupPatch { remove_tags: vec![IDENTITY.into()], ..GroupPatch::default() });
    let status = world.object.status.as_mut().unwrap();
    (status.installation, status.synced_generation) = (None, None);
    world.crash();
    world.advance(PROPAGATION);
    world.take_inventory();
    world.calls();
    world
}

#[test]
fn a_group_of_an_older_version_is_marked_once_and_stays_ready_meanwhile() {
    let mut world = unmarked();
    world.reconcile();
    assert_eq!((world.mutations(), world.tags()), (vec![TagResource], marks()));
    assert_eq!(world.ready(), ("True".into(), "Deployed".into(), vec![]));
    world.settle();
    assert_eq!((world.mutations(), world.ready().1), (vec![], "Deployed".into()));
}

#[test]
fn an_identity_without_a_value_is_not_another_installation_and_releases_nothing() {
    for deleting in [false, true] {
        let mut world = World::new(spec());
        world.settle();
        let emptied = GroupPatch { set_tags: [(IDENTITY.into(), String::new())].into(), ..GroupPatch::default() };
        world.someone_edits(emptied);
        world.advance(Duration::from_mins(5));
        world.take_inventory();
        world.calls();
        world.request_reconcile("now");
        if deleting {
            world.delete();
        }
        let outcome = world.reconcile();
        assert_eq!((world.mutations(), outcome.finalizer), (vec![], Finalizer::Keep));
        let expected = if deleting { ("False", "OwnerTagEmpty") } else { ("True", "Deployed") };
        let ready = world.ready();
        assert_eq!((ready.0.as_str(), ready.1.as_str()), expected, "{}", world.message());
        let restored = GroupPatch { set_tags: marks(), ..GroupPatch::default() };
        world.someone_edits(restored);
        world.settle();
        assert_eq!(world.group().is_none(), deleting);
    }
}

#[test]
fn however_long_owner_or_identity_have_no_value_no_deletion_changes_the_group_or_releases_the_object() {
    for (key, deletion_policy) in [OWNER, IDENTITY]
        .into_iter()
        .flat_map(|key| [DeletionPolicy::Delete, DeletionPolicy::Retain].map(|it| (key, it)))
    {
        let mut world = World::new(spec());
        world.edit(|spec| spec.deletion_policy = deletion_policy);
        world.settle();
        let emptied = GroupPatch { set_tags: [(key.to_owned(), String::new())].into(), ..GroupPatch::default() };
        world.someone_edits(emptied);
        world.delete();
        world.calls();
        for _ in 0..10 {
            world.advance(world.settings.consistency_window);
            world.take_inventory();
            assert_eq!(world.reconcile().finalizer, Finalizer::Keep, "{key}, {deletion_policy:?}: {}", world.message());
        }
        assert_eq!(world.mutations(), [], "{key}, {deletion_policy:?}");
    }
}

#[test]
fn an_owner_tag_without_a_value_is_reported_after_a_consistency_window_or_with_the_next_edit() {
    type Then = fn(&mut World);
    let thens: [(&str, Then); 3] = [
        ("time", |world| world.advance(world.settings.consistency_window)),
        ("an edit", |world| world.edit(|spec| spec.enabled = false)),
        ("a change of others", |world| {
            world.someone_edits(GroupPatch { enabled: Some(false), ..GroupPatch::default() });
        }),
    ];
    for (what, then) in thens {
        let mut world = World::new(spec());
        world.settle();
        let emptied = GroupPatch { set_tags: [(OWNER.into(), String::new())].into(), ..GroupPatch::default() };
        world.someone_edits(emptied);
        world.advance(Duration::from_mins(5));
        world.take_inventory();
        world.request_reconcile("now");
        world.reconcile();
        assert_eq!(world.ready().1, "Deployed", "{what}: not at once");
        world.calls();
        then(&mut world);
        world.take_inventory();
        world.request_reconcile("again");
        world.reconcile();
        assert_eq!((world.mutations(), world.ready().1.as_str()), (vec![], "OwnerTagEmpty"), "{what}");
        assert!(world.message().contains("someone may have cleared the tag"), "{}", world.message());
    }
}

#[test]
fn a_group_of_an_older_version_is_switched_off_although_its_deletion_is_held_back() {
    let mut world = unmarked();
    world.edit(|spec| (spec.deletion_protection, spec.enabled) = (true, false));
    world.delete();
    world.settle();
    assert_eq!(world.mutations(), [TagResource, UpdateConnectionGroup]);
    assert!(!world.group().unwrap().resource.enabled);
    assert_eq!(world.ready().1, "DeletionProtected");
}

#[test]
fn once_a_group_of_an_older_version_is_marked_the_earlier_failure_is_no_longer_reported() {
    let mut world = unmarked();
    world.fail(TagResource, Fault::Error(ErrorClass::Throttled));
    world.reconcile();
    assert_eq!((world.ready().1.as_str(), world.tags().get(IDENTITY)), ("Throttled", None));
    world.reconcile();
    assert_eq!(world.tags(), marks());
    assert!(!world.message().contains("Nothing was changed"), "{}", world.message());
    assert_eq!(world.ready().1, "Tagged");
    world.settle();
    assert_eq!(world.ready(), ("True".into(), "Deployed".into(), vec![]));

    let mut world = unmarked();
    world.edit(|spec| spec.ipv6_enabled = false);
    world.reconcile();
    assert_eq!((world.tags(), world.ready().1.as_str()), (marks(), "Tagged"), "the rest of the spec follows");
}

#[test]
fn a_group_of_an_older_version_is_marked_before_any_other_change_and_before_its_deletion() {
    let mut world = unmarked();
    world.edit(|spec| spec.enabled = false);
    world.reconcile();
    assert_eq!(world.mutations(), [TagResource], "one change per reconcile");
    world.settle();
    assert_eq!((world.mutations(), world.ready().1), (vec![UpdateConnectionGroup], "Disabled".into()));

    let mut world = unmarked();
    world.delete();
    world.settle();
    assert_eq!(world.mutations(), [TagResource, UpdateConnectionGroup, DeleteConnectionGroup]);
}

#[test]
fn a_group_that_could_not_be_marked_is_not_changed() {
    let mut world = unmarked();
    world.edit(|spec| spec.enabled = false);
    for _ in 0..3 {
        world.fail(TagResource, Fault::Error(ErrorClass::AccessDenied));
        world.reconcile();
        assert_eq!((world.mutations(), world.ready().1), (vec![TagResource], "AccessDenied".into()));
    }
    assert!(world.group().unwrap().resource.enabled);
}

#[test]
fn two_installations_that_find_a_group_of_an_older_version_never_flap_even_with_stale_reads() {
    for stale in [None, Some(ListTagsForResource)] {
        let mut world = unmarked();
        let mut clone = Cluster::restored_from(&world);
        let mut identities = Vec::new();
        for round in 0..6 {
            for there in [false, true] {
                let act = |world: &mut World| {
                    if let Some(operation) = stale.filter(|_| round == 0 && there) {
                        world.fail(operation, Fault::Stale);
                    }
                    world.request_reconcile(&format!("{round}"));
                    world.reconcile();
                };
                if there {
                    clone.go(&mut world, act);
                } else {
                    act(&mut world);
                }
                identities.push(world.tags()[IDENTITY].clone());
                world.advance(Duration::from_mins(5));
            }
        }
        identities.dedup();
        let expected: &[&str] = if stale.is_some() { &[HERE, COPY] } else { &[HERE] };
        assert_eq!(identities, expected, "the identity is settled after the first round");
    }
}

#[test]
fn a_group_of_another_installation_is_not_our_orphan_and_one_of_the_installation_taken_over_is() {
    let mut world = World::new(spec());
    world.someone_creates(|group| {
        group.tags = marks();
        group.tags.insert(IDENTITY.into(), COPY.into());
    });
    for (installations, found) in [(vec![HERE], 0), (vec![HERE, COPY], 1)] {
        let criteria = OrphanCriteria {
            owner_id: "prod".into(),
            installations: installations.into_iter().map(Installation::new).collect(),
            consistency_window: Duration::from_mins(1),
        };
        let mut orphans = Orphans::default();
        let mut orphaned = 0;
        for _ in 0..3 {
            world.advance(criteria.consistency_window);
            world.take_inventory();
            let (list, clock) = (world.snapshot.as_ref().unwrap(), world.clock());
            orphaned = now(orphans.search(list, &KnownObjects::default(), &criteria, &clock, &world.port)).len();
        }
        assert_eq!(orphaned, found);
    }
    assert_eq!(world.tags()[OWNER], "prod/platform/edge");
    let _: Vec<Operation> = world.calls();
}
