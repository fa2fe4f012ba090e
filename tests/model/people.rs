//! What users do to their objects. In: a state. Out: the next one. Pure.

use std::sync::Arc;

use connection_group_operator::api::{ConnectionGroup, RECONCILE_REQUESTED_AT};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::{
    replay::wall,
    state::{Scenario, State},
};

pub fn edit(scenario: &Scenario, state: &mut State, object: usize, spec: u8) {
    let slot = &mut state.objects[object];
    let Some(current) = &slot.current else { return };
    let mut edited = ConnectionGroup::clone(current);
    edited.spec = scenario.specs[usize::from(spec)].clone();
    edited.metadata.generation = edited.metadata.generation.map(|generation| generation + 1);
    slot.variants.push(spec);
    slot.current = Some(Arc::new(edited));
}

/// Each request has a new value.
pub fn request(state: &mut State, object: usize) {
    let Some(current) = &mut state.objects[object].current else { return };
    let annotations = Arc::make_mut(current).metadata.annotations.get_or_insert_default();
    let count = annotations.get(RECONCILE_REQUESTED_AT).map_or(0, String::len);
    annotations.insert(RECONCILE_REQUESTED_AT.to_owned(), "x".repeat(count + 1));
}

/// An object without a finalizer is gone at once.
pub fn delete(state: &mut State, object: usize) {
    let deleted_at = Time(wall(state.now));
    let slot = &mut state.objects[object];
    let Some(current) = &slot.current else { return };
    let mut deleted = ConnectionGroup::clone(current);
    deleted.metadata.deletion_timestamp = Some(deleted_at);
    slot.current = deleted.metadata.finalizers.is_some().then(|| Arc::new(deleted));
}
