//! Processes that die, restart and hang: the operator's own, and the API server's. No group is lost, duplicated or rewritten.

use std::collections::BTreeMap;
use std::time::Duration;

use cloudfront_simulator::admin::{Fault, FaultId, FaultRule, LoggedCall, Moment, Operation};
use connection_group_operator::api::ConnectionGroup;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};
use serde_json::json;
use testbed::{ControlPlane, Result, Signal, Testbed, wait_gone, wait_until};

use crate::{journal, steps, steps::PATIENCE};

/// Once told to stop, and with nothing in progress, a process needs no more than this.
const EXIT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn killed_before_a_create_took_effect_it_creates_again_and_the_late_one_is_refused() -> Result<()> {
    killed_while_creating(Moment::Before, 2).await
}

#[tokio::test]
async fn killed_after_a_create_took_effect_it_finds_its_group_and_creates_no_other() -> Result<()> {
    killed_while_creating(Moment::After, 1).await
}

async fn killed_while_creating(moment: Moment, creates: usize) -> Result<()> {
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    let held = admin.hold_once(Operation::CreateConnectionGroup, moment).await?;
    let mut operator = steps::operator(&bed).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    admin.wait_until_held(held, PATIENCE).await?;
    operator.kill().await?;
    operator.restart().await?;
    steps::ready(&bed, "edge").await?;

    // The dead process's call takes effect, late.
    admin.release(held).await?;
    wait_until_answered(&bed, held).await?;
    let mut calls = steps::calls_but_lists(&bed, 0).await?;
    calls.retain(|call| call.operation == Some(Operation::CreateConnectionGroup));
    let done = calls.iter().filter(|call| call.took_effect).count();
    assert_eq!((calls.len(), done), (creates, 1), "{calls:?}");
    assert_eq!(admin.state().await?.groups.len(), 1);
    steps::ready(&bed, "edge").await?;
    Ok(())
}

#[tokio::test]
async fn killed_at_any_call_of_a_deletion_it_finishes_the_deletion_after_a_restart() -> Result<()> {
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    let mut operator = steps::operator(&bed).start().await?;
    let cases = [
        ("before-disable", Operation::UpdateConnectionGroup, Moment::Before),
        ("after-disable", Operation::UpdateConnectionGroup, Moment::After),
        ("before-delete", Operation::DeleteConnectionGroup, Moment::Before),
        ("after-delete", Operation::DeleteConnectionGroup, Moment::After),
    ];
    let mut faults = Vec::new();
    for (name, operation, moment) in cases {
        steps::create(&bed, name, json!({})).await?;
        let fault = Fault::Hold { when: moment };
        let target = Some(name.to_owned());
        let rule = FaultRule { target, times: Some(1), ..FaultRule::new(operation, fault) };
        faults.push(admin.add_fault(&rule).await?);
    }
    for (name, ..) in cases {
        steps::ready(&bed, name).await?;
        bed.api::<ConnectionGroup>().await?.delete(name, &DeleteParams::default()).await?;
    }
    for fault in &faults {
        admin.wait_until_held(*fault, PATIENCE).await?;
    }
    operator.kill().await?;
    operator.restart().await?;
    for (name, ..) in cases {
        wait_gone(&bed.api::<ConnectionGroup>().await?, name, PATIENCE).await?;
    }
    for fault in faults {
        admin.release(fault).await?;
    }
    assert_eq!(admin.state().await?.groups, Vec::new());
    Ok(())
}

#[tokio::test]
async fn told_to_stop_it_finishes_the_call_in_flight_begins_no_other_and_exits_with_success() -> Result<()> {
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    let held = admin.hold_once(Operation::CreateConnectionGroup, Moment::After).await?;
    let mut operator = steps::calm_operator(&bed).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    admin.wait_until_held(held, PATIENCE).await?;

    operator.process().signal(Signal::SIGTERM)?;
    journal::says(&operator, "SIGTERM").await?;
    steps::create(&bed, "latecomer", json!({})).await?;
    admin.release(held).await?;
    let ended = operator.process().wait_exit(EXIT).await?;
    assert!(ended.success(), "{ended}");

    let id = steps::get(&bed, "edge").await?.status.expect("a status").id;
    let group = admin.group("edge").await?.expect("the group exists");
    assert_eq!(id, Some(group.resource.id), "the answer of the call in flight is stored");
    let latecomer = steps::get(&bed, "latecomer").await?;
    assert_eq!(latecomer.finalizers(), Vec::<String>::new(), "no new work is begun");
    let calls = steps::calls_but_lists(&bed, 0).await?;
    assert_eq!(steps::operations(&calls), [Operation::CreateConnectionGroup]);
    Ok(())
}

#[tokio::test]
async fn restarted_with_thirty_objects_in_sync_it_only_lists_and_writes_nothing() -> Result<()> {
    const OBJECTS: usize = 30;
    let bed = steps::bed().await?;
    let mut operator = steps::operator(&bed).start().await?;
    for n in 0..OBJECTS {
        steps::create(&bed, &format!("edge-{n}"), json!({})).await?;
    }
    for n in 0..OBJECTS {
        steps::ready(&bed, &format!("edge-{n}")).await?;
    }
    let before = versions(&bed).await?;
    assert_eq!(before.len(), OBJECTS);
    operator.terminate(EXIT).await?;
    let since = steps::now(&bed).await?;

    operator.restart().await?;
    wait_until(PATIENCE, "a reconcile of each object", async || {
        let metrics = operator.metrics().await.map_err(|error| error.to_string())?;
        let passes = r#"controller_runtime_reconcile_total{controller="connectiongroup",result="success"} "#;
        let passes = metrics.lines().find_map(|line| line.strip_prefix(passes)?.parse::<usize>().ok());
        if passes >= Some(OBJECTS) { Ok(()) } else { Err(format!("{passes:?}")) }
    })
    .await?;
    steps::an_inventory(&bed).await?;
    assert_eq!(steps::calls_but_lists(&bed, since).await?, Vec::<LoggedCall>::new());
    assert_eq!(versions(&bed).await?, before);
    Ok(())
}

#[tokio::test]
async fn an_api_server_that_hangs_or_restarts_needs_no_restart_of_the_operator() -> Result<()> {
    let bed = Testbed::on(ControlPlane::start().await?, ["--propagation=100ms"]).await?;
    let plane = &bed.control_plane;
    let held = bed.simulator.admin.hold_once(Operation::CreateConnectionGroup, Moment::After).await?;
    let mut operator = steps::operator(&bed).start().await?;
    let pid = operator.process().pid();
    steps::create(&bed, "edge", json!({})).await?;
    bed.simulator.admin.wait_until_held(held, PATIENCE).await?;

    // Frozen between the group's creation and the storing of its id.
    plane.pause_api_server().await?;
    bed.simulator.admin.release(held).await?;
    wait_until_answered(&bed, held).await?;
    steps::an_inventory(&bed).await?;
    plane.resume_api_server().await?;
    steps::ready(&bed, "edge").await?;

    plane.stop_api_server().await;
    steps::an_inventory(&bed).await?;
    plane.restart_api_server().await?;
    steps::create(&bed, "second", json!({})).await?;
    steps::ready(&bed, "second").await?;
    let calls = steps::calls_but_lists(&bed, 0).await?;
    assert_eq!(steps::operations(&calls), [Operation::CreateConnectionGroup; 2], "no call is repeated");
    assert!(operator.process().is_running() && operator.process().pid() == pid);
    Ok(())
}

#[tokio::test]
async fn a_watch_that_has_fallen_too_far_behind_restarts_and_misses_nothing() -> Result<()> {
    let bed = Testbed::on(ControlPlane::start().await?, ["--propagation=100ms"]).await?;
    let mut operator = steps::hasty_operator(&bed).start().await?;
    for name in ["edited", "leaving", "vanished"] {
        steps::create(&bed, name, json!({})).await?;
        steps::ready(&bed, name).await?;
    }
    // Its watch is cut off; what happens before the API server starts once more is in no server's memory afterwards.
    bed.control_plane.stop_api_server().await;
    operator.process().signal(Signal::SIGSTOP)?;
    bed.control_plane.restart_api_server().await?;
    let objects = bed.api::<ConnectionGroup>().await?;
    steps::patch(&bed, "edited", json!({ "spec": { "ipv6Enabled": false } })).await?;
    objects.delete("leaving", &DeleteParams::default()).await?;
    steps::patch(&bed, "vanished", json!({ "metadata": { "finalizers": null } })).await?;
    objects.delete("vanished", &DeleteParams::default()).await?;
    steps::create(&bed, "new", json!({})).await?;
    bed.control_plane.restart_api_server().await?;
    operator.process().signal(Signal::SIGCONT)?;

    for name in ["edited", "new"] {
        steps::ready(&bed, name).await?;
    }
    wait_gone(&objects, "leaving", PATIENCE).await?;
    journal::says(&operator, "too old resource version").await?;
    // Nothing is done any more for an object whose deletion it did not observe.
    journal::says(&operator, "orphan").await
}

async fn wait_until_answered(bed: &Testbed, fault: FaultId) -> Result<()> {
    wait_until(PATIENCE, "the held call to be answered", async || {
        let calls = bed.simulator.admin.requests(0).await.map_err(|error| error.to_string())?;
        let answered = calls.iter().any(|call| call.fault == Some(fault) && call.status.is_some());
        if answered { Ok(()) } else { Err("no answer".to_owned()) }
    })
    .await
}

/// The resource version of each object.
async fn versions(bed: &Testbed) -> Result<BTreeMap<String, Option<String>>> {
    let objects = bed.api::<ConnectionGroup>().await?.list(&ListParams::default()).await?;
    Ok(objects.iter().map(|object| (object.name_any(), object.resource_version())).collect())
}

#[tokio::test]
async fn during_shutdown_it_begins_no_list() -> Result<()> {
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    let held = admin.hold_once(Operation::CreateConnectionGroup, Moment::Before).await?;
    let mut operator = steps::operator(&bed).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    admin.wait_until_held(held, PATIENCE).await?;
    operator.process().signal(Signal::SIGTERM)?;
    journal::says(&operator, "SIGTERM").await?;
    let since = steps::now(&bed).await?;
    let listed = wait_until(Duration::from_secs(2), "a list", async || match steps::now(&bed).await {
        Ok(now) if now > since => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    admin.release(held).await?;
    assert!(operator.process().wait_exit(EXIT).await?.success());
    assert!(listed.is_err(), "{:?}", steps::operations(&admin.requests(since).await?));
    Ok(())
}
