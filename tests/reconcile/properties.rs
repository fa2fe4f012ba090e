//! Over random specs and histories: stop the faults, and the world converges, stays converged, and nothing of others is lost.

mod anything;
mod at_rest;
mod bounds;
mod canonical;
mod foreign_tags;
mod forged;
mod members;
mod round_trips;

use std::collections::BTreeMap;

use cloudfront_simulator::admin::GroupPatch;
use connection_group_operator::{
    api::ConnectionGroupSpec,
    cloudfront::{ErrorClass, Operation},
};
use port::{Fault, Way};
use proptest::{prelude::*, sample::select};

use crate::world::{PROPAGATION, World, spec};

#[derive(Clone, Debug)]
enum Step {
    Edit { enabled: bool, ipv6: bool, tags: BTreeMap<String, String> },
    SomebodyEdits { enabled: Option<bool>, ipv6: Option<bool> },
    SomebodyTags(BTreeMap<String, String>),
    SomebodyDeletes,
    Fail(Operation, Fault),
    Pass,
    PassAndCrash,
    Sweep,
    Propagate,
}

/// Keys of ours and of others are drawn apart, so that no history gives a key two owners.
fn our_tags() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop::collection::btree_map("ours-[a-c]", "[a-z]{0,3}", 0..3)
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        select(vec![
            ErrorClass::Throttled,
            ErrorClass::ServiceUnavailable,
            ErrorClass::TimedOut,
            ErrorClass::AccessDenied,
            ErrorClass::StaleEtag,
            ErrorClass::Unexpected,
        ])
        .prop_map(Fault::Error),
        Just(Fault::AnswerLost),
        Just(Fault::Stale),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    select(vec![
        Operation::CreateConnectionGroup,
        Operation::GetConnectionGroup,
        Operation::UpdateConnectionGroup,
        Operation::ListConnectionGroups,
        Operation::TagResource,
        Operation::UntagResource,
        Operation::ListTagsForResource,
    ])
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (any::<bool>(), any::<bool>(), our_tags()).prop_map(|(enabled, ipv6, tags)| Step::Edit { enabled, ipv6, tags }),
        2 => (any::<Option<bool>>(), any::<Option<bool>>()).prop_map(|(enabled, ipv6)| Step::SomebodyEdits { enabled, ipv6 }),
        1 => prop::collection::btree_map("theirs-[a-c]", "[a-z]{0,3}", 0..2).prop_map(Step::SomebodyTags),
        1 => Just(Step::SomebodyDeletes),
        4 => (operation(), fault()).prop_map(|(operation, fault)| Step::Fail(operation, fault)),
        6 => Just(Step::Pass),
        1 => Just(Step::PassAndCrash),
        3 => Just(Step::Sweep),
        2 => Just(Step::Propagate),
    ]
}

fn take(world: &mut World, step: Step, theirs: &mut BTreeMap<String, String>) {
    let exists = world.group().is_some();
    match step {
        Step::Edit { enabled, ipv6, tags } => {
            world.edit(|spec| {
                *spec = ConnectionGroupSpec { enabled, ipv6_enabled: ipv6, tags, ..ConnectionGroupSpec::default() }
            });
        }
        Step::SomebodyEdits { enabled, ipv6 } if exists => {
            world.somebody_edits(GroupPatch { enabled, ipv6_enabled: ipv6, ..GroupPatch::default() });
        }
        Step::SomebodyTags(tags) if exists => {
            theirs.extend(tags.clone());
            world.somebody_edits(GroupPatch { set_tags: tags, ..GroupPatch::default() });
        }
        Step::SomebodyDeletes if exists => {
            world.somebody_deletes_the_group();
            theirs.clear();
        }
        Step::SomebodyEdits { .. } | Step::SomebodyTags(_) | Step::SomebodyDeletes => {}
        Step::Fail(operation, fault) => world.fail(operation, fault),
        Step::Pass => drop(world.pass()),
        Step::PassAndCrash => {
            world.pass_without_storing();
            world.crash();
        }
        Step::Sweep => world.sweep(),
        Step::Propagate => world.advance(PROPAGATION),
    }
}

/// Some of the cases run over the shipping adapter; what fails over both is shown over the direct port.
fn way() -> impl Strategy<Value = Way> {
    prop_oneof![24 => Just(Way::Direct), 1 => Just(Way::Adapter)]
}

/// That many random cases. A failure is shrunk and shown, and not stored.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, max_shrink_iters: 5000, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn once_the_faults_stop_the_group_matches_and_stays_so_without_a_call(
        way in way(),
        steps in prop::collection::vec(step(), 0..30),
    ) {
        let mut world = World::via(way, spec());
        let mut theirs = BTreeMap::new();
        for step in steps {
            take(&mut world, step, &mut theirs);
            for condition in world.object.status.iter().flat_map(|status| &status.conditions) {
                prop_assert!(condition.message.len() <= 1024 && !condition.message.contains('\n'), "{}", condition.message);
            }
        }
        world.faults_stop();
        world.advance(world.policy.deep_check_interval * 2);
        world.sweep();
        world.settle();

        let group = world.group().expect("the group exists").resource;
        let wanted = world.object.spec.clone();
        prop_assert_eq!((group.enabled, group.ipv6_enabled), (wanted.enabled, wanted.ipv6_enabled));
        prop_assert_eq!(world.ready().0, "True", "{}", world.message());
        prop_assert_eq!(world.group_count(), 1);
        let tags = world.tags();
        prop_assert!(wanted.tags.iter().chain(&theirs).all(|(key, value)| tags.get(key) == Some(value)), "{:?}", tags);

        world.sweep();
        world.calls();
        let before = world.status();
        let outcome = world.pass();
        prop_assert_eq!(outcome.status, before);
        prop_assert_eq!(world.calls(), []);
    }

    #[test]
    fn once_the_faults_stop_a_deleted_object_is_gone_and_so_is_its_group(
        way in way(),
        steps in prop::collection::vec(step(), 0..20),
    ) {
        let mut world = World::via(way, spec());
        for step in steps {
            take(&mut world, step, &mut BTreeMap::new());
        }
        world.delete();
        world.pass();
        world.faults_stop();
        world.advance(world.policy.settle_window);
        world.sweep();
        let released = (0..24).any(|_| {
            world.advance(PROPAGATION);
            world.sweep();
            world.pass().finalizer == connection_group_operator::reconcile::Finalizer::Release
        });
        prop_assert!(released, "{}", world.message());
        prop_assert_eq!(world.group_count(), 0);
    }
}
