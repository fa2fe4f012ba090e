//! Every combination of modes: mode, both policies, suspend, protection, deletion, the administrator's permission, what
//! status says, and what exists at CloudFront. One run of the production reconcile over each; what
//! it has to plan, do and report is in `rows.rs`.

pub mod axes;
mod plans;
mod rows;
pub mod worlds;

use std::{collections::BTreeMap, time::SystemTime};

use cloudfront_simulator::model::{ConnectionGroup as Shown, Versioned};
use connection_group_operator::{
    api::{AdoptionPolicy, DeletionPolicy, Mode},
    reconcile::{Finalizer, Inputs, ObjectView, desired::Intent, freshness::UpToDate, observe::observe, plan::plan},
};

use port::PlanName;

use self::{
    axes::{Axis, Case, Exists, Record},
    plans::{NOT_IN_ONE_RECONCILE, Seen, seen},
    rows::expected,
    worlds::{ELSEWHERE, OURS, named, world, world_at_the_adapter},
};
use crate::world::{IDENTITY, OWNER, World, marks, now};

#[test]
fn every_combination_of_modes_does_what_the_table_says() {
    let combinations = Case::all().inspect(|case| meets(case, world(case))).count();
    println!("{combinations} combinations");
    let policies = AdoptionPolicy::ALL.len() * DeletionPolicy::ALL.len();
    let switches = bool::ALL.len().pow(4);
    assert_eq!(combinations, Mode::ALL.len() * policies * switches * Exists::ALL.len() * Record::ALL.len());
}

/// One in so many runs over the production adapter. It shares no factor with the length of an axis, so all values of each axis are met.
const SAMPLED: usize = 47;

#[test]
fn a_sample_of_the_combinations_does_what_the_table_says_over_the_production_adapter() {
    let today = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() / 86_400;
    let offset = std::env::var("TABLE_OFFSET").map_or(today, |offset| offset.parse().unwrap()) % SAMPLED as u64;
    println!("one of {SAMPLED} combinations; to repeat it on another day: TABLE_OFFSET={offset}");
    let sample = Case::all().skip(usize::try_from(offset).unwrap()).step_by(SAMPLED);
    sample.for_each(|case| meets(&case, world_at_the_adapter(&case)));
}

#[test]
fn every_plan_is_reached_by_a_row_except_those_that_one_reconcile_cannot_reach() {
    let met = Case::all().map(|case| expected(&case).plan).collect::<Vec<_>>();
    for plan in PlanName::ALL {
        let excuse = NOT_IN_ONE_RECONCILE.iter().find(|(name, _)| name == plan).map(|(_, why)| why);
        assert_eq!(met.contains(plan), excuse.is_none(), "{plan:?}: {excuse:?}");
    }
}

/// One reconcile of one combination.
fn meets(case: &Case, mut world: World) {
    let expected = expected(case);
    let planned = planned(&world);
    world.calls();
    let before = world.groups();
    let spec = world.object.spec.clone();
    let seen = seen(expected.plan, named(&world).map(|group| group.resource.into()), &spec);

    let outcome = world.reconcile();
    let calls = world.calls();
    let mutations = calls.iter().copied().filter(|call| call.is_mutation()).collect::<Vec<_>>();

    assert_eq!(planned, expected.plan, "{case:?}");
    let (status, reason, beside) = world.ready();
    let beside = beside.iter().map(String::as_str).collect();
    assert_eq!((status.as_str(), reason.as_str(), beside), expected.ready, "{case:?}");
    let group = named(&world).map(|group| group.resource.into());
    let mutation = mutations.first().copied();
    assert_eq!(Seen { mutation, finalizer: outcome.finalizer, group }, seen, "{case:?}");

    // What holds for every row of the table.
    assert!(mutations.len() <= 1, "{case:?}: {mutations:?}");
    assert!(mutations.is_empty() || case.mode == Mode::Manage, "{case:?}: {mutations:?}");
    assert!(calls.is_empty() || !case.suspended, "{case:?}: {calls:?}");
    assert!(outcome.finalizer == Finalizer::Keep || case.being_deleted, "{case:?}");
    others_are_untouched(case, &before, &world.groups());
}

/// What the reconcile is about to do, by the production steps.
fn planned(world: &World) -> PlanName {
    let clock = world.clock();
    let around = Inputs {
        port: &world.port,
        settings: &world.settings,
        snapshot: world.snapshot.as_ref(),
        inventory_error: world.inventory_error.as_ref(),
        clock: &clock,
        freshness: &UpToDate,
    };
    let intent = Intent::of(&world.object);
    let known = ObjectView::of(&world.object, &world.object_state, &around);
    let observed = now(observe(&intent, &known, &world.object_state, &around)).unwrap();
    PlanName::of(&plan(&intent, observed, &known, &world.settings))
}

type Groups = BTreeMap<String, Versioned<Shown>>;

/// To the last byte: every group except ours, and except the owner tag of one that both permissions allow to adopt.
fn others_are_untouched(case: &Case, before: &Groups, after: &Groups) {
    let both_keys = case.adoption_allowed && case.adoption != AdoptionPolicy::Never;
    for (id, group) in before {
        let tag = |key| group.resource.tags.as_ref().and_then(|tags| tags.get(key));
        let owner = tag(OWNER);
        let is_ours = owner.is_some_and(|owner| owner == OURS) && tag(IDENTITY).is_none_or(|it| it != ELSEWHERE);
        let mut found = after.get(id).cloned();
        if owner.is_none() && both_keys && group.resource.name == "edge" {
            for tags in found.iter_mut().filter_map(|found| found.resource.tags.as_mut()) {
                tags.retain(|key, _| !marks().contains_key(key));
            }
        }
        assert!(is_ours || found.as_ref() == Some(group), "{case:?}: {group:?}");
    }
}
