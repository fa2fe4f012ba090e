//! Other clients of the API server that interfere: they write the same objects, remove an object in the middle of a
//! reconcile, or prevent events from being stored.

use std::sync::{Arc, Mutex};

use cloudfront_simulator::admin::{Fault, FaultRule, Moment, Operation, Request};
use connection_group_operator::api::{ConnectionGroup, ConnectionGroupStatus, condition, finalizer};
use futures::{StreamExt, TryStreamExt};
use kube::api::{DeleteParams, Patch, PatchParams, WatchEvent, WatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use testbed::{Result, Testbed, wait_for, wait_gone, wait_until};
use tokio::task::JoinHandle;

use crate::{steps, steps::PATIENCE};

/// Removes an object at once, whatever finalizers it has.
async fn take_away(bed: &Testbed, name: &str) -> Result<()> {
    let objects = bed.api::<ConnectionGroup>().await?;
    objects.delete(name, &DeleteParams::default()).await?;
    steps::patch(bed, name, json!({ "metadata": { "finalizers": null } })).await?;
    wait_gone(&objects, name, PATIENCE).await
}

/// All statuses that an object has from this version on, until it is dropped.
struct Seen {
    statuses: Arc<Mutex<Vec<ConnectionGroupStatus>>>,
    watch: JoinHandle<()>,
}

async fn watched(bed: &Testbed, object: &ConnectionGroup) -> Result<Seen> {
    let params = WatchParams::default().fields(&format!("metadata.name={}", object.name_any()));
    let version = object.resource_version().expect("a stored object has a version");
    let mut events = bed.api::<ConnectionGroup>().await?.watch(&params, &version).await?.boxed();
    let statuses = Arc::<Mutex<Vec<ConnectionGroupStatus>>>::default();
    let seen = Arc::clone(&statuses);
    let watch = tokio::spawn(async move {
        while let Ok(Some(event)) = events.try_next().await {
            if let WatchEvent::Modified(object) = event {
                seen.lock().expect("no test panics here").extend(object.status);
            }
        }
    });
    Ok(Seen { statuses, watch })
}

#[tokio::test]
async fn what_a_reconcile_finds_late_about_a_deleted_object_is_not_reported_on_the_one_that_took_its_name() -> Result<()>
{
    let table = [
        ("created", Operation::CreateConnectionGroup),
        ("updated", Operation::UpdateConnectionGroup),
        ("deleted", Operation::DeleteConnectionGroup),
    ];
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    let patience = ["--aws-call-timeout=30s", "--consistency-window=30s"];
    let _operator = steps::operator(&bed).args(patience).start().await?;
    let objects = bed.api::<ConnectionGroup>().await?;
    let mut held = Vec::new();
    for (name, operation) in table {
        let fault = Fault::Hold { when: Moment::After };
        let target = Some(name.to_owned());
        let rule = FaultRule { target, times: Some(1), ..FaultRule::new(operation, fault) };
        let fault = admin.add_fault(&rule).await?;
        steps::create(&bed, name, json!({ "tags": { "of": "the old" } })).await?;
        if operation != Operation::CreateConnectionGroup {
            steps::ready(&bed, name).await?;
        }
        match operation {
            Operation::UpdateConnectionGroup => {
                steps::patch(&bed, name, json!({ "spec": { "ipv6Enabled": false } })).await?;
            }
            Operation::DeleteConnectionGroup => drop(objects.delete(name, &DeleteParams::default()).await?),
            _ => {}
        }
        admin.wait_until_held(fault, PATIENCE).await?;
        held.push(fault);
    }
    let mut seen = Vec::new();
    for (name, _) in table {
        take_away(&bed, name).await?;
        let new = steps::create(&bed, name, json!({ "enabled": false, "tags": { "of": "the new" } })).await?;
        seen.push(watched(&bed, &new).await?);
    }
    for fault in held {
        admin.release(fault).await?;
    }
    for ((name, _), seen) in table.iter().zip(seen) {
        let object = steps::settled(&bed, name, "Disabled").await?;
        let group = admin.group(name).await?.expect("the new object has a group").resource;
        assert_eq!(object.status.expect("a status").id, Some(group.id));
        assert_eq!((group.enabled, group.tags.unwrap_or_default()["of"].as_str()), (false, "the new"), "{name}");
        let has_come = |status: &ConnectionGroupStatus| {
            condition(&status.conditions, "Ready").is_some_and(|ready| ready.reason == "Disabled")
        };
        wait_until(PATIENCE, "the current state, in the watch", async || {
            let statuses = seen.statuses.lock().expect("no test panics here").clone();
            if statuses.iter().any(has_come) { Ok(()) } else { Err(format!("{statuses:?}")) }
        })
        .await?;
        seen.watch.abort();
        let statuses = seen.statuses.lock().expect("no test panics here").clone();
        for status in statuses {
            assert_ne!(status.tags.get("of").map(String::as_str), Some("the old"), "{name}: {status:?}");
        }
    }
    assert_eq!(admin.state().await?.groups.len(), table.len(), "no group is left behind");
    Ok(())
}

#[tokio::test]
async fn an_object_deleted_while_its_group_is_being_created_takes_the_group_with_it() -> Result<()> {
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    let held = admin.hold_once(Operation::CreateConnectionGroup, Moment::After).await?;
    let _operator = steps::hasty_operator(&bed).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    admin.wait_until_held(held, PATIENCE).await?;
    let objects = bed.api::<ConnectionGroup>().await?;
    objects.delete("edge", &DeleteParams::default()).await?;
    admin.release(held).await?;
    wait_gone(&objects, "edge", PATIENCE).await?;
    assert_eq!(admin.state().await?.groups, []);
    Ok(())
}

const THEIRS: &str = "example.com/theirs";

/// A client that writes labels, a status and some finalizers as fast as the API server accepts them, and never reads.
async fn scribble(objects: Api<ConnectionGroup>, finalizers: u64) {
    let params = PatchParams::default();
    for n in 0_u64.. {
        let label = json!({ "metadata": { "labels": { "count": n.to_string() } } });
        let status = json!({ "status": { "eTag": format!("E{n}"), "id": "cg_forged" } });
        let finalizer = json!([{ "op": "add", "path": "/metadata/finalizers/-", "value": format!("{THEIRS}-{n}") }]);
        let finalizer = serde_json::from_value(finalizer).expect("it is a patch");
        let _ = objects.patch("edge", &params, &Patch::Merge(label)).await;
        let _ = objects.patch_status("edge", &params, &Patch::Merge(status)).await;
        if n < finalizers {
            let _ = objects.patch("edge", &params, &Patch::Json::<ConnectionGroup>(finalizer)).await;
        }
    }
}

#[tokio::test]
async fn while_another_client_writes_the_same_object_without_a_pause_the_work_is_done_and_none_of_its_writes_is_lost()
-> Result<()> {
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    let mut manifest = steps::manifest("edge", &json!({}));
    manifest["metadata"]["finalizers"] = json!([THEIRS]);
    bed.apply(&manifest.to_string()).await?;
    let objects = bed.api::<ConnectionGroup>().await?;
    let somebody = tokio::spawn(scribble(objects.clone(), 10));
    let ours = finalizer(&bed.namespace);
    let theirs = |object: &ConnectionGroup| object.finalizers().iter().filter(|own| **own != ours).count();
    wait_for(&objects, "edge", PATIENCE, "ten finalizers of theirs", |object| theirs(object) == 11).await?;

    let _operator = steps::hasty_operator(&bed).start().await?;
    wait_until(PATIENCE, "the group to be created", async || match admin.group("edge").await {
        Ok(Some(_)) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    steps::patch(&bed, "edge", json!({ "spec": { "ipv6Enabled": false } })).await?;
    wait_until(PATIENCE, "the group to be updated", async || match admin.group("edge").await {
        Ok(Some(group)) if !group.resource.ipv6_enabled => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    let object = steps::get(&bed, "edge").await?;
    let finalizers = object.finalizers();
    assert!(theirs(&object) == 11 && finalizers.contains(&ours), "{finalizers:?}");
    somebody.abort();
    let group = admin.group("edge").await?.expect("the group exists");
    let is_right = |object: &ConnectionGroup| {
        object.status.as_ref().is_some_and(|status| {
            (status.id.as_deref(), status.e_tag.as_deref()) == (Some(&group.resource.id), Some(&group.etag))
                && status.ipv6_enabled == Some(false)
        })
    };
    wait_for(&objects, "edge", PATIENCE, "status to be correct once it is no longer forged", is_right).await?;
    steps::ready(&bed, "edge").await?;

    let somebody = tokio::spawn(scribble(objects.clone(), 0));
    objects.delete("edge", &DeleteParams::default()).await?;
    let is_free = |object: &ConnectionGroup| object.finalizers().iter().all(|own| *own != ours);
    let object = wait_for(&objects, "edge", PATIENCE, "our finalizer to be gone", is_free).await?;
    somebody.abort();
    assert_eq!(theirs(&object), 11);
    assert_eq!(admin.state().await?.groups, []);
    Ok(())
}

#[tokio::test]
async fn without_permission_to_create_events_all_else_is_done_and_no_event_is_retried() -> Result<()> {
    let bed = steps::bed().await?;
    let kind = "connectiongroups.cloudfront.kube-operators.dev";
    let account = format!("{}:mute", bed.namespace);
    for words in [
        &["create", "serviceaccount", "mute"][..],
        &["create", "role", "mute", "--verb=get,list,watch,patch", &format!("--resource={kind},{kind}/status")],
        &["create", "rolebinding", "mute", "--role=mute", &format!("--serviceaccount={account}")],
    ] {
        bed.kubectl(words).await?;
    }
    crate::view::may_read_identity(&bed, &account).await?;
    let kubeconfig = bed.control_plane.kubeconfig_of(&bed.namespace, "mute").await?;
    let _operator = steps::hasty_operator(&bed).kubeconfig(kubeconfig).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    steps::patch(&bed, "edge", json!({ "spec": { "enabled": false } })).await?;
    steps::settled(&bed, "edge", "Disabled").await?;
    let objects = bed.api::<ConnectionGroup>().await?;
    objects.delete("edge", &DeleteParams::default()).await?;
    wait_gone(&objects, "edge", PATIENCE).await?;
    let refused = async || {
        let asked = bed.control_plane.audited(&bed.namespace, "mute").map_err(|error| error.to_string())?;
        let events = asked.iter().filter(|request| request.resource == "events").map(|request| request.code);
        let events = events.collect::<Vec<_>>();
        // Created, Deployed, Updated, Disabled, and two for the deletion: when CloudFront accepts it, and at its end.
        if events == [403; 6] { Ok(()) } else { Err(format!("{events:?}")) }
    };
    wait_until(PATIENCE, "each event to be refused", refused).await?;
    steps::an_inventory(&bed).await?;
    wait_until(PATIENCE, "each event to have been tried once", refused).await?;
    let calls = steps::calls_but_lists(&bed, 0).await?;
    let written = steps::writes(&calls).into_iter().map(Request::operation).collect::<Vec<_>>();
    let once = [Operation::CreateConnectionGroup, Operation::UpdateConnectionGroup, Operation::DeleteConnectionGroup];
    assert_eq!(written, once);
    Ok(())
}
