//! Tags of others are never removed or overwritten, whoever uses which key when, and whatever calls are lost.

use std::collections::{BTreeMap, BTreeSet};

use cloudfront_simulator::admin::GroupPatch;
use connection_group_operator::{
    api::{AdoptionPolicy, DeletionPolicy},
    cloudfront::{ErrorClass, Operation},
    reconcile::{
        Finalizer,
        ownership::{OwnerTag, is_reserved},
    },
};
use port::Fault;
use proptest::{prelude::*, sample::select};

use crate::world::{PROPAGATION, World, spec};

type Tags = BTreeMap<String, String>;
type Tag = (String, String);

/// Everyone who sets tags uses the same few keys.
fn tags() -> impl Strategy<Value = Tags> {
    prop::collection::btree_map("[a-f]", "[x-z]?", 0..4)
}

#[derive(Clone, Debug)]
enum Step {
    Edit(Tags),
    EditIpv6(bool),
    SomeoneTags(Tags),
    SomeoneUntags(Tags),
    SomeoneDeletes,
    SomeoneCreates(Tags),
    SomeoneReplacesIt(Tags),
    Fail(Operation, Fault),
    Reconcile,
    ReconcileAndCrash,
    Crash,
    Inventory,
    TimeGoesBy,
    ResyncIsDue,
}

fn step() -> impl Strategy<Value = Step> {
    let operation = select(vec![
        Operation::CreateConnectionGroup,
        Operation::GetConnectionGroup,
        Operation::UpdateConnectionGroup,
        Operation::TagResource,
        Operation::UntagResource,
        Operation::ListTagsForResource,
    ]);
    let fault = select(vec![
        Fault::AnswerLost,
        Fault::Stale,
        Fault::Error(ErrorClass::TimedOut),
        Fault::Error(ErrorClass::NotFound),
        Fault::Error(ErrorClass::AccessDenied),
    ]);
    prop_oneof![
        4 => tags().prop_map(Step::Edit),
        1 => any::<bool>().prop_map(Step::EditIpv6),
        3 => tags().prop_map(Step::SomeoneTags),
        1 => tags().prop_map(Step::SomeoneUntags),
        1 => Just(Step::SomeoneDeletes),
        1 => tags().prop_map(Step::SomeoneCreates),
        1 => tags().prop_map(Step::SomeoneReplacesIt),
        4 => (operation, fault).prop_map(|(operation, fault)| Step::Fail(operation, fault)),
        8 => Just(Step::Reconcile),
        2 => Just(Step::ReconcileAndCrash),
        1 => Just(Step::Crash),
        2 => Just(Step::Inventory),
        6 => Just(Step::TimeGoesBy),
        1 => Just(Step::ResyncIsDue),
    ]
}

/// A world, and the tags that its object may treat as its own.
struct History {
    world: World,
    /// The groups that others created, by id, with the tags that the object named while the group was ours. Of a group
    /// that we created, any tag may be ours that the object ever named: the Create that made it may be recorded nowhere.
    adopted: BTreeMap<String, BTreeSet<Tag>>,
    ever_named: BTreeSet<Tag>,
    /// The tags before each change that reads may not show yet: a change of tags may be based on such a read.
    outdated: Vec<Tags>,
}

impl History {
    fn group(&self) -> Option<(String, Tags)> {
        self.world.group().map(|group| (group.resource.id, self.world.tags()))
    }

    fn someone_creates(&mut self, tags: Tags) {
        self.world.someone_creates(|group| group.tags = tags);
        self.adopted.extend(self.group().map(|(id, _)| (id, BTreeSet::new())));
    }

    fn someone_edits(&mut self, patch: GroupPatch) {
        let before = self.world.tags();
        self.world.someone_edits(patch);
        if self.world.tags() != before {
            self.outdated.push(before);
        }
    }

    fn take(&mut self, step: Step) {
        let world = &mut self.world;
        let exists = world.group().is_some();
        match step {
            Step::Edit(tags) => {
                self.ever_named.extend(tags.clone());
                world.edit(|spec| spec.tags = tags);
            }
            Step::EditIpv6(on) => world.edit(|spec| spec.ipv6_enabled = on),
            Step::SomeoneTags(set_tags) if exists => {
                self.someone_edits(GroupPatch { set_tags, ..GroupPatch::default() });
            }
            Step::SomeoneUntags(tags) if exists => {
                self.someone_edits(GroupPatch { remove_tags: tags.into_keys().collect(), ..GroupPatch::default() });
            }
            Step::SomeoneDeletes if exists => world.someone_deletes_the_group(),
            Step::SomeoneCreates(tags) if !exists => self.someone_creates(tags),
            Step::SomeoneReplacesIt(tags) if exists => {
                world.someone_deletes_the_group();
                self.take(Step::TimeGoesBy);
                if self.group().is_none() {
                    self.someone_creates(tags);
                }
            }
            Step::SomeoneTags(_)
            | Step::SomeoneUntags(_)
            | Step::SomeoneDeletes
            | Step::SomeoneCreates(_)
            | Step::SomeoneReplacesIt(_) => {}
            Step::Fail(operation, fault) => world.may_fail(operation, fault),
            Step::Reconcile => self.reconcile(|world| drop(world.reconcile())),
            Step::ReconcileAndCrash => self.reconcile(|world| {
                world.reconcile_without_storing();
                world.crash();
            }),
            Step::Crash => world.crash(),
            Step::Inventory => world.take_inventory(),
            Step::TimeGoesBy => {
                world.advance(PROPAGATION);
                world.take_inventory();
                self.reads_catch_up();
                self.reconcile(|world| drop(world.reconcile()));
            }
            Step::ResyncIsDue => {
                world.advance(world.settings.resync_interval * 2);
                self.reads_catch_up();
            }
        }
    }

    /// From now on, only a read that is forced to be stale shows the tags before the last change.
    fn reads_catch_up(&mut self) {
        self.outdated.drain(..self.outdated.len().saturating_sub(1));
    }

    /// One reconcile; the tags of the group before and after it are compared.
    fn reconcile(&mut self, run: impl FnOnce(&mut World)) {
        let before = self.group();
        run(&mut self.world);
        let Some((id, after)) = self.group() else { return };
        let wanted = &self.world.object.spec.tags;
        let named = self.adopted.get(&id).unwrap_or(&self.ever_named);
        if let Some((_, before)) = before.as_ref().filter(|(was, _)| *was == id) {
            for key in before.keys().chain(after.keys()).filter(|key| !is_reserved(key)) {
                let (was, is) = (before.get(key), after.get(key));
                let may_change = if let Some(value) = wanted.get(key) {
                    is == Some(value)
                } else {
                    // The value is the one that we may have sent: with another value, the tag is someone else's.
                    let mut read = was.into_iter().chain(self.outdated.iter().filter_map(|tags| tags.get(key)));
                    is.is_none() && read.any(|read| named.contains(&(key.clone(), read.clone())))
                };
                assert!(was == is || may_change, "tag {key} was {was:?} and is {is:?}");
            }
        }
        self.outdated.extend(before.map(|(_, before)| before).filter(|before| *before != after));
        let is_ours = after.contains_key(OwnerTag::KEY);
        if let Some(named) = self.adopted.get_mut(&id).filter(|_| is_ours) {
            named.extend(wanted.clone());
        }
    }
}

proptest! {
    #![proptest_config(super::cases(1000))]

    #[test]
    fn no_history_removes_or_overwrites_a_tag_of_others(
        way in super::way(),
        theirs in prop::option::of(tags()),
        tag_lag in any::<bool>(),
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let mut world = World::via(way, spec());
        world.settings.allow_adoption = true;
        world.edit(|spec| {
            spec.adoption_policy = AdoptionPolicy::Always;
            spec.deletion_policy = DeletionPolicy::Retain;
        });
        if tag_lag {
            world.switch(|switches| switches.tag_lag = cloudfront_simulator::Millis::seconds(30));
        }
        let mut history = History { world, adopted: BTreeMap::new(), ever_named: BTreeSet::new(), outdated: Vec::new() };
        if let Some(theirs) = theirs {
            history.someone_creates(theirs);
        }
        for step in steps {
            history.take(step);
        }

        // When it is released in the end, the group keeps every tag except the one of its owner.
        let world = &mut history.world;
        world.faults_stop();
        world.advance(world.settings.resync_interval * 2);
        world.take_inventory();
        world.settle();
        let mut before = world.tags();
        before.retain(|key, _| !is_reserved(key));
        world.delete();
        prop_assert_eq!(world.reconcile().finalizer, Finalizer::Release);
        prop_assert_eq!(world.tags(), before);
    }
}
