//! The life cycle of one object, as a user goes through it with kubectl: apply, wait, edit, watch, delete.

use cloudfront_simulator::admin::{
    Fault, FaultRule, GroupPatch, IpAddressType, Moment, NewList, NewTenant, Operation, Request,
};
use connection_group_operator::api::{ConnectionGroup, RECONCILE_REQUESTED_AT, finalizer};
use kube::{ResourceExt, api::DeleteParams};
use serde_json::json;
use testbed::{Result, wait_for, wait_gone, wait_until};

use crate::{
    journal,
    steps::{self, PATIENCE},
};

#[tokio::test]
async fn an_applied_object_becomes_ready_with_one_create_and_otherwise_only_lists() -> Result<()> {
    let bed = steps::bed().await?;
    let _operator = steps::calm_operator(&bed).start().await?;
    bed.apply(&steps::manifest("edge", &json!({ "tags": { "team": "edge" } })).to_string()).await?;
    bed.kubectl(&["wait", "--for=condition=Ready", "--timeout=30s", "cfcg/edge"]).await?;

    let calls = steps::calls_but_lists(&bed, 0).await?;
    assert_eq!(steps::operations(&calls), [Operation::CreateConnectionGroup]);
    let group = bed.simulator.admin.group("edge").await?.expect("the group exists");
    let row = bed.kubectl(&["get", "cfcg", "edge", "--no-headers"]).await?;
    let row = row.split_whitespace().take(6).collect::<Vec<_>>();
    assert_eq!(row, ["edge", "True", "Deployed", "Deployed", "true", &group.resource.routing_endpoint]);
    Ok(())
}

#[tokio::test]
async fn the_columns_of_an_object_whose_group_was_never_made_say_so_and_why() -> Result<()> {
    const UNVERIFIED: &str = "Your account must be verified before you can add new CloudFront resources.";
    let bed = steps::bed().await?;
    let (code, message) = ("AccessDenied".to_owned(), UNVERIFIED.to_owned());
    let denied = Fault::Error { status: 403, code, message, when: Moment::Before };
    bed.simulator.admin.add_fault(&FaultRule::new(Operation::CreateConnectionGroup, denied)).await?;
    let _operator = steps::operator(&bed).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    let object = steps::settled(&bed, "edge", "AccessDenied").await?;
    assert!(steps::message(&object).contains("contact AWS Support"), "{}", steps::message(&object));
    let row = bed.kubectl(&["get", "cfcg", "edge", "--no-headers"]).await?;
    let row = row.split_whitespace().take(4).collect::<Vec<_>>();
    assert_eq!(row, ["edge", "False", "AccessDenied", "NoGroupKnown"]);
    Ok(())
}

#[tokio::test]
async fn each_edit_is_one_update_of_the_whole_group_with_the_previous_etag() -> Result<()> {
    let bed = steps::bed().await?;
    let list = bed.simulator.admin.create_list(&NewList::named("ips", IpAddressType::Dualstack)).await?.id;
    let _operator = steps::calm_operator(&bed).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    let mut before = steps::ready(&bed, "edge").await?.status.expect("a status");
    let edits = [
        (json!({ "ipv6Enabled": false }), (Some(true), Some(false), None)),
        (json!({ "anycastIpListId": list }), (Some(true), Some(true), Some(list.as_str()))),
        // The empty element detaches the list.
        (json!({}), (Some(true), Some(true), Some(""))),
        (json!({ "enabled": false }), (Some(false), Some(true), None)),
    ];
    for (generation, (spec, sent)) in (2..).zip(edits) {
        let since = steps::now(&bed).await?;
        bed.apply(&steps::manifest("edge", &spec).to_string()).await?;
        let after = steps::ready(&bed, "edge").await?.status.expect("a status");

        let calls = steps::calls_but_lists(&bed, since).await?;
        let [Request::UpdateConnectionGroup(update)] = steps::writes(&calls)[..] else { panic!("{calls:?}") };
        assert_eq!(update.if_match, before.e_tag, "If-Match is the version before");
        assert_eq!((update.enabled, update.ipv6_enabled, update.anycast_ip_list_id.as_deref()), sent);
        assert_ne!(after.e_tag, before.e_tag, "status shows the new version");
        assert_eq!(after.observed_generation, generation);
        before = after;
    }
    Ok(())
}

#[tokio::test]
async fn an_out_of_band_change_is_observed_by_an_inventory_and_corrected() -> Result<()> {
    let bed = steps::bed().await?;
    let _operator = steps::operator(&bed).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    let off = GroupPatch { enabled: Some(false), ..GroupPatch::default() };
    let edited = bed.simulator.admin.edit_group("edge", &off).await?;

    wait_until(PATIENCE, "the group to serve again", async || match bed.simulator.admin.group("edge").await {
        Ok(Some(group)) if group.resource.enabled => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    let is_told = |object: &ConnectionGroup| {
        object.status.as_ref().is_some_and(|status| status.e_tag.as_ref() != Some(&edited.etag))
    };
    wait_for(&bed.api().await?, "edge", PATIENCE, "status to show a newer version", is_told).await?;
    steps::ready(&bed, "edge").await?;
    event(&bed, "DriftCorrected", "enabled from 'false' to 'true'").await
}

#[tokio::test]
async fn a_deletion_waits_for_tenants_and_then_removes_group_and_object() -> Result<()> {
    let bed = steps::bed().await?;
    let operator = steps::hasty_operator(&bed).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    bed.simulator.admin.create_tenant(&NewTenant::behind("edge", "customer")).await?;
    let since = steps::now(&bed).await?;

    bed.kubectl(&["delete", "cfcg", "edge", "--wait=false"]).await?;
    let blocked = steps::settled(&bed, "edge", "InUse").await?;
    let message = steps::message(&blocked);
    assert!(message.contains("customer") && message.contains("deletionPolicy to Retain"), "{message}");
    assert_eq!(steps::writes(&steps::calls_but_lists(&bed, since).await?), Vec::<&Request>::new());

    bed.simulator.admin.delete_tenant("customer").await?;
    // It would read again by itself, but only after half a minute.
    bed.kubectl(&["annotate", "cfcg", "edge", &format!("{RECONCILE_REQUESTED_AT}=now")]).await?;
    bed.kubectl(&["wait", "--for=delete", "--timeout=30s", "cfcg/edge"]).await?;
    assert_eq!(bed.simulator.admin.group("edge").await?, None);
    for (reason, note) in [
        ("Created", "The operator created connection group edge with id cg_"),
        ("Deployed", "Deployed at d"),
        ("InUse", "1 distribution tenant still uses connection group edge: customer"),
        ("Disabling", "disabled the group so that it can be deleted"),
        ("Deleting", "The operator deleted connection group edge with id cg_"),
        ("Deleted", "Connection group edge does not exist"),
    ] {
        event(&bed, reason, note).await?;
    }
    let calls = steps::calls_but_lists(&bed, since).await?;
    let delete = calls.iter().find(|call| call.operation == Some(Operation::DeleteConnectionGroup));
    let logged = journal::lines(&operator).into_iter().find(|line| line["action"] == "Delete").expect("a line");
    assert_eq!(logged["level"], "INFO", "{logged}");
    assert_eq!(logged["aws_request_id"], json!(delete.expect("a Delete").request_id), "{logged}");
    Ok(())
}

#[tokio::test]
async fn the_finalizer_is_stored_before_cloudfront_is_asked_to_create() -> Result<()> {
    let bed = steps::bed().await?;
    let held = bed.simulator.admin.hold_once(Operation::CreateConnectionGroup, Moment::Before).await?;
    let _operator = steps::calm_operator(&bed).start().await?;
    let created = steps::create(&bed, "edge", json!({})).await?;
    assert_eq!(created.finalizers(), Vec::<String>::new());
    bed.simulator.admin.wait_until_held(held, PATIENCE).await?;
    assert_eq!(steps::get(&bed, "edge").await?.finalizers(), [finalizer(&bed.namespace)]);
    bed.simulator.admin.release(held).await?;
    steps::ready(&bed, "edge").await?;
    Ok(())
}

#[tokio::test]
async fn the_finalizers_of_others_survive_ours() -> Result<()> {
    const THEIRS: &str = "example.com/theirs";
    let bed = steps::bed().await?;
    let _operator = steps::hasty_operator(&bed).start().await?;
    let mut manifest = steps::manifest("edge", &json!({}));
    manifest["metadata"]["finalizers"] = json!([THEIRS]);
    bed.apply(&manifest.to_string()).await?;
    assert_eq!(steps::ready(&bed, "edge").await?.finalizers(), [THEIRS.to_owned(), finalizer(&bed.namespace)]);

    bed.kubectl(&["delete", "cfcg", "edge", "--wait=false"]).await?;
    let only_theirs = |object: &ConnectionGroup| object.finalizers() == [THEIRS];
    wait_for(&bed.api().await?, "edge", PATIENCE, "our finalizer to be gone", only_theirs).await?;
    assert_eq!(bed.simulator.admin.group("edge").await?, None);
    steps::patch(&bed, "edge", json!({ "metadata": { "finalizers": null } })).await?;
    wait_gone(&bed.api::<ConnectionGroup>().await?, "edge", PATIENCE).await
}

#[tokio::test]
async fn a_requested_reconcile_reads_the_group_and_is_acknowledged_in_status() -> Result<()> {
    let bed = steps::bed().await?;
    let _operator = steps::calm_operator(&bed).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    let generation = steps::ready(&bed, "edge").await?.metadata.generation;
    // A change that no list shows.
    let off =
        GroupPatch { remove_tags: vec![], set_tags: [("team".into(), "web".into())].into(), ..Default::default() };
    bed.simulator.admin.edit_group("edge", &off).await?;
    let since = steps::now(&bed).await?;

    bed.kubectl(&["annotate", "cfcg", "edge", &format!("{RECONCILE_REQUESTED_AT}=2026-01-01T00:00:00Z")]).await?;
    let is_acknowledged = |object: &ConnectionGroup| {
        let handled = object.status.as_ref().and_then(|status| status.last_handled_reconcile_at.as_deref());
        handled == Some("2026-01-01T00:00:00Z")
    };
    let object = wait_for(&bed.api().await?, "edge", PATIENCE, "an acknowledgement", is_acknowledged).await?;
    assert_eq!(object.metadata.generation, generation);
    let mut read = steps::operations(&steps::calls_but_lists(&bed, since).await?);
    read.sort();
    assert_eq!(read, [Operation::GetConnectionGroup, Operation::ListTagsForResource]);
    Ok(())
}

#[tokio::test]
async fn a_status_that_cannot_keep_up_with_edits_reports_the_newest_in_the_end() -> Result<()> {
    let bed = steps::bed().await?;
    bed.simulator.admin.fault_always(Operation::UpdateConnectionGroup, Fault::Delay { ms: 200 }).await?;
    let _operator = steps::operator(&bed).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    for ipv6_enabled in [false, true, false, true, false] {
        steps::patch(&bed, "edge", json!({ "spec": { "ipv6Enabled": ipv6_enabled } })).await?;
    }
    let object = steps::ready(&bed, "edge").await?;
    let status = object.status.expect("a status");
    assert_eq!((status.observed_generation, status.ipv6_enabled), (6, Some(false)));
    let group = bed.simulator.admin.group("edge").await?.expect("the group exists");
    assert!(!group.resource.ipv6_enabled);
    assert_eq!(status.e_tag.as_deref(), Some(group.etag.as_str()));
    Ok(())
}

/// Waits until `kubectl get events` shows this event of the object edge.
async fn event(bed: &testbed::Testbed, reason: &str, note: &str) -> Result<()> {
    wait_until(PATIENCE, &format!("the event {reason} with '{note}'"), async || {
        let events = bed.kubectl(&["get", "events"]).await.map_err(|error| error.to_string())?;
        let mut lines = events.lines().filter(|line| line.contains("connectiongroup/edge"));
        let shown = |line: &str| line.split_whitespace().any(|word| word == reason) && line.contains(note);
        if lines.any(shown) { Ok(()) } else { Err(events) }
    })
    .await
}

#[tokio::test]
async fn whatever_answers_leave_out_an_object_completes_its_life_cycle_and_its_group_keeps_its_fallback() -> Result<()>
{
    for left_out in ["status", "enabled", "all"] {
        let bed = steps::bed().await?;
        let admin = &bed.simulator.admin;
        admin.set_switches(&json!({ "left_out": left_out, "omission_clears": true })).await?;
        let _operator = steps::hasty_operator(&bed).start().await?;
        steps::create(&bed, "edge", json!({})).await?;
        let shown = async || admin.group("edge").await.map_err(|error| error.to_string());
        wait_until(PATIENCE, "the group", async || shown().await?.map(drop).ok_or_else(|| "none".to_owned())).await?;
        let viewer_fallback = Some("E1ABC".to_owned());
        admin.edit_group("edge", &GroupPatch { viewer_fallback, ..GroupPatch::default() }).await?;

        steps::patch(&bed, "edge", json!({ "spec": { "enabled": false } })).await?;
        wait_until(PATIENCE, "the group to be off, with its fallback", async || match shown().await? {
            Some(group) if !group.resource.enabled && group.resource.viewer_fallback.is_some() => Ok(()),
            other => Err(format!("{left_out}: {other:?}")),
        })
        .await?;
        let objects = bed.api::<ConnectionGroup>().await?;
        objects.delete("edge", &DeleteParams::default()).await?;
        wait_gone(&objects, "edge", PATIENCE).await?;
        assert_eq!(admin.group("edge").await?, None, "{left_out}");
    }
    Ok(())
}
