//! Over random specs and histories: once the faults stop, the world converges and stays converged, and nothing of others is lost.

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

use self::history::{History, Step, step};
use crate::world::{OWNER, World};

/// Some of the cases run over the production adapter; a case that fails over both is shown over the direct port.
fn way() -> impl Strategy<Value = Way> {
    prop_oneof![24 => Just(Way::Direct), 1 => Just(Way::Adapter)]
}

/// This many random cases, the same ones in each run unless `PROPTEST_RNG_SEED` says otherwise. The seed of a failure is stored beside the tests, and tried
/// first in later runs: commit it.
fn cases(cases: u32) -> ProptestConfig {
    let seeds = Box::new(FileFailurePersistence::Direct("tests/reconcile/regressions.txt"));
    let rng_seed = match ProptestConfig::default().rng_seed {
        RngSeed::Random => RngSeed::Fixed(12),
        given @ RngSeed::Fixed(_) => given,
    };
    let failure_persistence = Some(seeds as _);
    ProptestConfig { cases, max_shrink_iters: 5000, failure_persistence, rng_seed, ..ProptestConfig::default() }
}

/// Whether the message is short, and in one line.
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
        let mut history = History::new(way);
        for step in steps {
            history.take(step);
            is_readable(&history.world)?;
        }
        history.world.faults_stop();
        history.final_edit();
        let History { mut world, theirs, .. } = history;
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
        let outcome = world.reconcile();
        prop_assert_eq!(outcome.status, before);
        prop_assert_eq!(world.calls(), []);
    }

    #[test]
    fn whatever_fails_a_deleted_object_and_its_group_go_away_in_the_end_and_no_tenant_is_cut_off(
        way in way(),
        before in prop::collection::vec(step(), 0..20),
        during in prop::collection::vec(step(), 0..20),
    ) {
        let mut history = History::new(way);
        for step in before {
            history.take(step);
        }
        history.final_edit();
        history.world.edit(|spec| spec.enabled = true);
        history.world.delete();
        for step in during {
            // Nobody edits an object that is being deleted, and nobody else disables or deletes its group.
            if matches!(step, Step::Edit(_) | Step::Suspend(_) | Step::SomeoneEdits { .. } | Step::SomeoneDeletes) {
                continue;
            }
            let serves = |history: &History| history.world.group().is_some_and(|group| group.resource.enabled);
            let served_tenants = serves(&history) && !history.tenants().is_empty();
            history.take(step);
            prop_assert!(!served_tenants || serves(&history) || history.tenants().is_empty(), "{}", history.world.message());
            is_readable(&history.world)?;
        }
        history.world.faults_stop();
        history.no_tenant_is_left();
        let mut world = history.world;
        world.settle_within(Duration::from_mins(30), 80);
        prop_assert!(world.is_released(), "{}", world.message());
        let ours = world.groups().into_values().filter(|group| group.resource.tags.iter().any(|tags| tags.contains_key(OWNER)));
        prop_assert_eq!(ours.count(), 0);
    }
}
