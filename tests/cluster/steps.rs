//! The steps that tests consist of. In: a test bed. Out: operators that list the account often, objects, and the calls that CloudFront received.
//! Talks to kube-apiserver and to the simulator's admin path.

use std::time::Duration;

use cloudfront_simulator::admin::{LoggedCall, Operation, Request};
use connection_group_operator::api::{ConnectionGroup, condition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use testbed::{OperatorBuilder, Result, Testbed, wait_for, wait_until};

/// For what takes a second or two on an idle machine.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// A bed whose CloudFront rolls changes out at once.
pub async fn bed() -> Result<Testbed> {
    Testbed::start(["--propagation=100ms"]).await
}

/// An operator that lists the account often and may call often; not started yet.
pub fn operator(bed: &Testbed) -> OperatorBuilder {
    hurried(bed.operator())
}

/// An operator that lists only while something is rolled out: at rest, time alone causes no call. Not started yet.
pub fn calm_operator(bed: &Testbed) -> OperatorBuilder {
    let args = ["--inventory-interval=1h", "--inventory-interval-active=200ms", "--aws-rate=100", "--aws-burst=100"];
    bed.operator().args(args)
}

/// The same operator, with short intervals.
pub fn hurried(operator: OperatorBuilder) -> OperatorBuilder {
    operator.args(["--inventory-interval=1s", "--inventory-interval-active=200ms", "--aws-rate=100", "--aws-burst=100"])
}

/// The same, with a short wait for creates that might still take effect; for tests that hold no call.
pub fn hasty_operator(bed: &Testbed) -> OperatorBuilder {
    operator(bed).args(["--aws-call-timeout=2s", "--consistency-window=2s"])
}

/// A manifest of a `ConnectionGroup`.
pub fn manifest(name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "cloudfront.kube-operators.dev/v1alpha1",
        "kind": "ConnectionGroup",
        "metadata": { "name": name },
        "spec": spec,
    })
}

/// Creates an object.
pub async fn create(bed: &Testbed, name: &str, spec: Value) -> Result<ConnectionGroup> {
    let object = serde_json::from_value(manifest(name, &spec)).expect("the spec is one of a ConnectionGroup");
    Ok(bed.api().await?.create(&PostParams::default(), &object).await?)
}

/// Merges a change into an object.
pub async fn patch(bed: &Testbed, name: &str, change: Value) -> Result<ConnectionGroup> {
    let api = bed.api::<ConnectionGroup>().await?;
    Ok(api.patch(name, &PatchParams::default(), &Patch::Merge(change)).await?)
}

/// Reads an object.
pub async fn get(bed: &Testbed, name: &str) -> Result<ConnectionGroup> {
    Ok(bed.api().await?.get(name).await?)
}

/// Waits until the newest spec of an object is Ready.
pub async fn ready(bed: &Testbed, name: &str) -> Result<ConnectionGroup> {
    ready_within(bed, name, PATIENCE).await
}

/// The same, with another patience.
pub async fn ready_within(bed: &Testbed, name: &str, patience: Duration) -> Result<ConnectionGroup> {
    let is_ready = |object: &ConnectionGroup| is_current(object) && ready_condition(object).status == "True";
    wait_for(&bed.api().await?, name, patience, &format!("{name} to be Ready"), is_ready).await
}

/// Waits until the newest spec of an object is in the state that has this reason.
pub async fn settled(bed: &Testbed, name: &str, reason: &str) -> Result<ConnectionGroup> {
    settled_within(bed, name, reason, PATIENCE).await
}

/// The same, with another patience.
pub async fn settled_within(bed: &Testbed, name: &str, reason: &str, patience: Duration) -> Result<ConnectionGroup> {
    let met = |object: &ConnectionGroup| is_current(object) && ready_condition(object).reason == reason;
    wait_for(&bed.api().await?, name, patience, &format!("{name} to be {reason}"), met).await
}

fn is_current(object: &ConnectionGroup) -> bool {
    object.status.as_ref().is_some_and(|status| {
        Some(status.observed_generation) == object.metadata.generation && !status.conditions.is_empty()
    })
}

/// The condition Ready of an object that has one.
pub fn ready_condition(object: &ConnectionGroup) -> &Condition {
    let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    condition(conditions, "Ready").expect("an object that the operator has reconciled has the condition Ready")
}

/// The message of Ready.
pub fn message(object: &ConnectionGroup) -> &str {
    &ready_condition(object).message
}

/// The number of the newest call, to read only later ones.
pub async fn now(bed: &Testbed) -> Result<u64> {
    Ok(bed.simulator.admin.requests(0).await?.last().map_or(0, |call| call.seq))
}

/// All calls since `now`, except the inventories' lists.
pub async fn calls_but_lists(bed: &Testbed, since: u64) -> Result<Vec<LoggedCall>> {
    let mut calls = bed.simulator.admin.requests(since).await?;
    calls.retain(|call| call.operation != Some(Operation::ListConnectionGroups));
    Ok(calls)
}

/// The operations of calls, in the order of their arrival.
pub fn operations(calls: &[LoggedCall]) -> Vec<Operation> {
    calls.iter().filter_map(|call| call.operation).collect()
}

/// The calls that were meant to change something.
pub fn writes(calls: &[LoggedCall]) -> Vec<&Request> {
    calls.iter().filter_map(|call| call.request.as_ref()).filter(|request| !request.operation().is_read()).collect()
}

/// Waits until one inventory has begun and ended after this moment, and has been processed: until the next one begins.
pub async fn an_inventory(bed: &Testbed) -> Result<()> {
    let start = now(bed).await?;
    wait_until(PATIENCE, "an inventory", async || {
        let mut calls = bed.simulator.admin.requests(start).await.map_err(|error| error.to_string())?;
        calls.retain(|call| call.operation == Some(Operation::ListConnectionGroups));
        if calls.len() >= 2 { Ok(()) } else { Err(format!("{} lists", calls.len())) }
    })
    .await
}

/// What `kubectl explain` prints about `spec` or `status`; the API server publishes it a moment after it serves the resource.
pub async fn explained(bed: &Testbed, part: &str) -> Result<String> {
    let part = format!("connectiongroup.{part}");
    wait_until(PATIENCE, "the resource to be explained", async || bed.kubectl(&["explain", &part]).await).await
}
