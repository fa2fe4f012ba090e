//! SIGTERM in every state: no change at CloudFront is begun after it, calls in flight are finished and their answers stored, and the process ends.

use std::time::Duration;

use cloudfront_simulator::admin::{Fault, FaultRule, LoggedCall, Moment, Operation};
use connection_group_operator::api::ConnectionGroup;
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Namespace};
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use serde_json::json;
use testbed::{Operator, Result, Signal, Testbed, wait_until};

use crate::{journal, steps, steps::PATIENCE};

/// Sends SIGTERM and waits until the operator has received it; returns the number of the newest call.
async fn told_to_end(bed: &Testbed, operator: &mut Operator) -> Result<u64> {
    operator.process().signal(Signal::SIGTERM)?;
    journal::says(operator, "SIGTERM").await?;
    steps::now(bed).await
}

async fn ends_with_success(operator: &mut Operator) -> Result<()> {
    let ended = operator.process().wait_exit(PATIENCE).await?;
    assert!(ended.success(), "{ended}: {}", journal::text(operator));
    Ok(())
}

async fn calls_since(bed: &Testbed, since: u64) -> Result<Vec<LoggedCall>> {
    bed.simulator.admin.requests(since).await.map_err(Into::into)
}

#[tokio::test]
async fn a_read_that_is_answered_after_sigterm_leads_to_no_change() -> Result<()> {
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    let mut operator = steps::operator(&bed).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    let held = admin.hold_once(Operation::GetConnectionGroup, Moment::After).await?;
    steps::patch(&bed, "edge", json!({ "spec": { "enabled": false } })).await?;
    admin.wait_until_held(held, PATIENCE).await?;

    let since = told_to_end(&bed, &mut operator).await?;
    admin.release(held).await?;
    ends_with_success(&mut operator).await?;
    assert_eq!(steps::operations(&calls_since(&bed, since).await?), []);
    assert!(admin.group("edge").await?.expect("the group exists").resource.enabled);
    let object = steps::get(&bed, "edge").await?;
    assert_eq!(
        steps::ready_condition(&object).reason,
        "Deployed",
        "a call that was not tried is not reported as failed"
    );

    operator.restart().await?;
    steps::settled(&bed, "edge", "Disabled").await?;
    Ok(())
}

#[tokio::test]
async fn many_calls_in_flight_in_several_namespaces_are_finished_after_sigterm_and_no_other_is_begun() -> Result<()> {
    const OBJECTS: usize = 12;
    let bed = steps::bed().await?;
    let client = bed.control_plane.client().await?;
    let metadata = ObjectMeta { generate_name: Some("test-".to_owned()), ..ObjectMeta::default() };
    let other = Namespace { metadata, ..Namespace::default() };
    let other = Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &other).await?;
    let other = other.metadata.name.expect("a name was generated");
    let held = Fault::Hold { when: Moment::After };
    let operation = Operation::CreateConnectionGroup;
    let rule = FaultRule::new(operation, held);
    let held = bed.simulator.admin.add_fault(&rule).await?;
    let patient = ["--aws-call-timeout=30s", "--consistency-window=30s"];
    let mut operator = steps::operator(&bed).args(patient).args(["--watch-namespace", &other]).start().await?;
    let namespaces = [&bed.namespace, &other].map(|name| Api::<ConnectionGroup>::namespaced(client.clone(), name));
    for (place, api) in ["here", "there"].iter().zip(&namespaces) {
        for n in 0..OBJECTS {
            let object =
                serde_json::from_value(steps::manifest(&format!("{place}-{n}"), &json!({}))).expect("a manifest");
            api.create(&PostParams::default(), &object).await?;
        }
    }
    let creates = async || -> Result<Vec<LoggedCall>> {
        let mut calls = calls_since(&bed, 0).await?;
        calls.retain(|call| call.operation == Some(Operation::CreateConnectionGroup));
        Ok(calls)
    };
    // All of them, or one might be on its way when the signal comes; the next test is about those that wait for their turn.
    wait_until(PATIENCE, "all creates to be in flight", async || match creates().await {
        Ok(calls) if calls.len() == OBJECTS * namespaces.len() => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;

    let since = told_to_end(&bed, &mut operator).await?;
    let under_way = creates().await?;
    bed.simulator.admin.release(held).await?;
    ends_with_success(&mut operator).await?;
    assert_eq!(steps::operations(&calls_since(&bed, since).await?), []);
    let mut stored = 0;
    for api in &namespaces {
        let objects = api.list(&kube::api::ListParams::default()).await?;
        stored +=
            objects.iter().filter(|object| object.status.as_ref().is_some_and(|status| status.id.is_some())).count();
    }
    assert_eq!(stored, under_way.len(), "the answer to each call in flight is stored");
    Ok(())
}

#[tokio::test]
async fn a_call_that_waits_for_the_rate_limit_is_not_made_after_sigterm_and_delays_nothing() -> Result<()> {
    let bed = steps::bed().await?;
    // The next call after the burst may be made in a hundred seconds.
    let slow = ["--aws-rate=0.01", "--aws-burst=3", "--inventory-interval=1h", "--inventory-interval-active=1h"];
    let mut operator = bed.operator().args(slow).start().await?;
    for n in 0..5 {
        steps::create(&bed, &format!("edge-{n}"), json!({})).await?;
    }
    wait_until(PATIENCE, "the burst to be used up", async || match steps::now(&bed).await {
        Ok(calls) if calls >= 3 => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    let since = told_to_end(&bed, &mut operator).await?;
    ends_with_success(&mut operator).await?;
    assert_eq!(steps::operations(&calls_since(&bed, since).await?), []);
    Ok(())
}

#[tokio::test]
async fn before_the_first_list_sigterm_ends_it_at_once() -> Result<()> {
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    let held = admin.hold_once(Operation::ListConnectionGroups, Moment::Before).await?;
    let mut operator = steps::operator(&bed).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    admin.wait_until_held(held, PATIENCE).await?;
    let since = told_to_end(&bed, &mut operator).await?;
    ends_with_success(&mut operator).await?;
    admin.release(held).await?;
    assert_eq!(steps::operations(&calls_since(&bed, since).await?), []);
    Ok(())
}

#[tokio::test]
async fn a_standby_that_is_told_to_stop_leaves_the_lease_to_its_holder() -> Result<()> {
    let bed = steps::bed().await?;
    let replica = |name| {
        let election = ["--leader-election", "--leader-election-namespace", &bed.namespace];
        steps::operator(&bed).args(election).env("HOSTNAME", name).env("AWS_ACCESS_KEY_ID", name)
    };
    let _leader = replica("leader").start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    let mut standby = replica("standby").start().await?;
    told_to_end(&bed, &mut standby).await?;
    ends_with_success(&mut standby).await?;
    let lease = bed.api::<Lease>().await?.get("connection-group-operator").await?.spec.unwrap_or_default();
    assert!(lease.holder_identity.is_some_and(|holder| holder.starts_with("leader_")));
    let calls = calls_since(&bed, 0).await?;
    assert!(calls.iter().all(|call| call.access_key_id.as_deref() == Some("leader")), "{calls:?}");
    Ok(())
}

#[tokio::test]
async fn a_leader_that_is_told_to_stop_while_it_waits_for_cloudfront_releases_its_lease_after_the_answer() -> Result<()>
{
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    let election = ["--leader-election", "--leader-election-namespace", &bed.namespace];
    let mut leader = steps::operator(&bed).args(election).start().await?;
    let held = admin.hold_once(Operation::CreateConnectionGroup, Moment::After).await?;
    steps::create(&bed, "edge", json!({})).await?;
    admin.wait_until_held(held, PATIENCE).await?;
    told_to_end(&bed, &mut leader).await?;
    let holder = async || -> Result<Option<String>> {
        let lease = bed.api::<Lease>().await?.get("connection-group-operator").await?;
        Ok(lease.spec.and_then(|spec| spec.holder_identity).filter(|holder| !holder.is_empty()))
    };
    // Longer than a few renewals take.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(holder().await?.is_some(), "another replica must not act while a change is in flight");
    admin.release(held).await?;
    ends_with_success(&mut leader).await?;
    assert_eq!(holder().await?, None);
    let status = steps::get(&bed, "edge").await?.status.expect("a status");
    assert!(status.id.is_some(), "the answer of the call in flight is stored");
    Ok(())
}
