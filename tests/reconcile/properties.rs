//! Over random specs and histories: stop the faults, and the world converges, stays converged, and nothing of others is lost.

mod anything;
mod at_rest;
mod bounds;
mod canonical;
mod foreign_tags;
mod forged;
mod history;
mod members;
mod round_trips;

use std::time::Duration;

use connection_group_operator::api::NO_LIST;
use port::Way;
use proptest::{
    prelude::*,
    test_runner::{FileFailurePersistence, RngSeed},
};

use self::history::{Step, Told, step};
use crate::world::{OWNER, World};

/// Some of the cases run over the shipping adapter; what fails over both is shown over the direct port.
fn way() -> impl Strategy<Value = Way> {
    prop_oneof![24 => Just(Way::Direct), 1 => Just(Way::Adapter)]
}

/// This many random cases, the same ones in each run unless `PROPTEST_RNG_SEED` says otherwise. The seed of a failure is kept beside the tests, and tried
/// first from then on: commit it.
fn cases(cases: u32) -> ProptestConfig {
    let seeds = Box::new(FileFailurePersistence::Direct("tests/reconcile/regressions.txt"));
    let rng_seed = match ProptestConfig::default().rng_seed {
        RngSeed::Random => RngSeed::Fixed(12),
        given @ RngSeed::Fixed(_) => given,
    };
    let failure_persistence = Some(seeds as _);
    ProptestConfig { cases, max_shrink_iters: 5000, failure_persistence, rng_seed, ..ProptestConfig::default() }
}

/// Whether what people read is short, and in one line.
fn is_readable(world: &World) -> Result<(), TestCaseError> {
    for condition in world.object.status.iter().flat_map(|status| &status.conditions) {
        let message = &condition.message;
        prop_assert!(message.len() <= 1024 && !message.contains('\n'), "{}", message);
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn once_the_faults_stop_the_group_matches_and_stays_so_without_a_call(
        way in way(),
        steps in prop::collection::vec(step(), 0..30),
    ) {
        let mut told = Told::new(way);
        for step in steps {
            told.take(step);
            is_readable(&told.world)?;
        }
        told.world.faults_stop();
        told.is_asked_for_at_last();
        let Told { mut world, theirs, .. } = told;
        world.settle_within(Duration::from_mins(20), 60);

        let group = world.group().expect("the group exists").resource;
        let wanted = world.object.spec.clone();
        prop_assert_eq!((group.enabled, group.ipv6_enabled), (wanted.enabled, wanted.ipv6_enabled));
        if let Some(list) = wanted.anycast_ip_list_id.filter(|list| list != NO_LIST) {
            prop_assert_eq!(group.anycast_ip_list_id, Some(list));
        }
        prop_assert_eq!(world.ready().0, "True", "{}", world.message());
        prop_assert_eq!(world.group_count(), 1);
        let tags = world.tags();
        prop_assert!(wanted.tags.iter().chain(&theirs).all(|(key, value)| tags.get(key) == Some(value)), "{:?}", tags);

        world.take_inventory();
        world.calls();
        let before = world.status();
        let outcome = world.pass();
        prop_assert_eq!(outcome.status, before);
        prop_assert_eq!(world.calls(), []);
    }

    #[test]
    fn whatever_fails_on_the_way_a_deleted_object_is_gone_and_so_is_its_group_and_no_tenant_was_taken_off_the_air(
        way in way(),
        before in prop::collection::vec(step(), 0..20),
        during in prop::collection::vec(step(), 0..20),
    ) {
        let mut told = Told::new(way);
        for step in before {
            told.take(step);
        }
        told.is_asked_for_at_last();
        told.world.edit(|spec| spec.enabled = true);
        told.world.delete();
        for step in during {
            // Nobody edits what is being deleted, and nobody else takes its group off the air.
            if matches!(step, Step::Edit(_) | Step::Suspend(_) | Step::SomebodyEdits { .. } | Step::SomebodyDeletes) {
                continue;
            }
            let serves = |told: &Told| told.world.group().is_some_and(|group| group.resource.enabled);
            let served_tenants = serves(&told) && !told.tenants().is_empty();
            told.take(step);
            prop_assert!(!served_tenants || serves(&told) || told.tenants().is_empty(), "{}", told.world.message());
            is_readable(&told.world)?;
        }
        told.world.faults_stop();
        told.no_tenant_is_left();
        let mut world = told.world;
        world.settle_within(Duration::from_mins(30), 80);
        prop_assert!(world.is_released(), "{}", world.message());
        let ours = world.groups().into_values().filter(|group| group.resource.tags.iter().any(|tags| tags.contains_key(OWNER)));
        prop_assert_eq!(ours.count(), 0);
    }
}
