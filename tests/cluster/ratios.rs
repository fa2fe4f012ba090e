//! The production operator, against a CloudFront that is as slow as the real one. All windows of both are a twentieth of what they really are, with the same
//! ratios: a roll-out of 150 s, reads that lag by 40 to 50 s, a consistency window and lists of a minute. The rate, its burst and the latency of a call are
//! the real ones; only the lists while something is in progress come half as often, or they would use up the rate.

use std::time::Duration;

use cloudfront_simulator::admin::{
    Fault, FaultRule, GroupPatch, IpAddressType, Moment, NewGroup, NewList, NewTenant, Operation,
};
use connection_group_operator::api::{ConnectionGroup, RECONCILE_REQUESTED_AT};
use kube::api::DeleteParams;
use serde_json::json;
use testbed::{OperatorBuilder, Result, Testbed, wait_gone, wait_until};

use crate::steps;

const CLOUDFRONT: [&str; 7] = [
    "--propagation=7500ms",
    "--read-lag=2s",
    "--list-lag=2500ms",
    "--tag-lag=2500ms",
    "--tenant-lag=2500ms",
    "--name-reuse-delay=3s",
    "--latency=300ms",
];
const TENANT_LAG: i64 = 2500;
const OPERATOR: [&str; 4] =
    ["--aws-call-timeout=3s", "--consistency-window=3s", "--inventory-interval=3s", "--inventory-interval-active=1s"];

/// For a wait in which all objects share two calls per second.
const PATIENCE: Duration = Duration::from_mins(2);

async fn bed() -> Result<(Testbed, OperatorBuilder)> {
    let bed = Testbed::start(CLOUDFRONT).await?;
    let operator = bed.operator().args(OPERATOR);
    Ok((bed, operator))
}

async fn ready(bed: &Testbed, name: &str) -> Result<ConnectionGroup> {
    steps::ready_within(bed, name, PATIENCE).await
}

async fn created(bed: &Testbed, name: &str) -> Result<ConnectionGroup> {
    steps::create(bed, name, json!({})).await?;
    ready(bed, name).await
}

async fn edited(bed: &Testbed, name: &str, spec: serde_json::Value) -> Result<ConnectionGroup> {
    steps::patch(bed, name, json!({ "spec": spec })).await?;
    ready(bed, name).await
}

async fn delete(bed: &Testbed, name: &str) -> Result<()> {
    bed.api::<ConnectionGroup>().await?.delete(name, &DeleteParams::default()).await?;
    Ok(())
}

async fn gone(bed: &Testbed, name: &str) -> Result<()> {
    wait_gone(&bed.api::<ConnectionGroup>().await?, name, PATIENCE).await?;
    assert_eq!(bed.simulator.admin.group(name).await?, None, "{name}");
    Ok(())
}

/// The changes that were made at CloudFront for a group of this name.
async fn effects(bed: &Testbed, name: &str) -> Result<Vec<Operation>> {
    let mut calls = bed.simulator.admin.requests(0).await?;
    let is_of_it = |call: &cloudfront_simulator::admin::LoggedCall| {
        call.group_name.as_ref().or(call.target.as_ref()).is_some_and(|of| of == name)
    };
    calls.retain(|call| call.took_effect && is_of_it(call));
    Ok(steps::operations(&calls).into_iter().filter(|operation| !operation.is_read()).collect())
}

async fn plain(bed: &Testbed) -> Result<()> {
    created(bed, "plain").await?;
    edited(bed, "plain", json!({ "ipv6Enabled": false })).await?;
    assert!(!bed.simulator.admin.group("plain").await?.expect("the group exists").resource.ipv6_enabled);
    assert_eq!(effects(bed, "plain").await?, [Operation::CreateConnectionGroup, Operation::UpdateConnectionGroup]);
    Ok(())
}

async fn switched_off(bed: &Testbed) -> Result<()> {
    created(bed, "switched").await?;
    let object = edited(bed, "switched", json!({ "enabled": false })).await?;
    assert_eq!(steps::ready_condition(&object).reason, "Disabled");
    assert!(!bed.simulator.admin.group("switched").await?.expect("the group exists").resource.enabled);
    assert_eq!(effects(bed, "switched").await?, [Operation::CreateConnectionGroup, Operation::UpdateConnectionGroup]);
    Ok(())
}

async fn changed_by_others(bed: &Testbed) -> Result<()> {
    created(bed, "drifting").await?;
    let admin = &bed.simulator.admin;
    admin.edit_group("drifting", &GroupPatch { enabled: Some(false), ..GroupPatch::default() }).await?;
    wait_until(PATIENCE, "the group to serve again", async || match admin.group("drifting").await {
        Ok(Some(group)) if group.resource.enabled => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    ready(bed, "drifting").await?;
    assert_eq!(effects(bed, "drifting").await?, [Operation::CreateConnectionGroup, Operation::UpdateConnectionGroup]);
    Ok(())
}

async fn listed(bed: &Testbed) -> Result<()> {
    let list = bed.simulator.admin.create_list(&NewList::named("ips", IpAddressType::Dualstack)).await?.id;
    steps::create(bed, "listed", json!({ "anycastIpListId": list })).await?;
    ready(bed, "listed").await?;
    edited(bed, "listed", json!({ "anycastIpListId": null })).await?;
    let group = bed.simulator.admin.group("listed").await?.expect("the group exists");
    assert_eq!(group.resource.anycast_ip_list_id, None);
    assert_eq!(effects(bed, "listed").await?, [Operation::CreateConnectionGroup, Operation::UpdateConnectionGroup]);
    Ok(())
}

async fn foreign(bed: &Testbed) -> Result<()> {
    let tags = [("cloudfront.kube-operators.dev/owner".to_owned(), "other/platform/edge".to_owned())].into();
    bed.simulator.admin.create_group(&NewGroup { tags, ..NewGroup::named("foreign") }).await?;
    steps::create(bed, "foreign", json!({ "adoptionPolicy": "Always" })).await?;
    steps::settled_within(bed, "foreign", "NotOwned", PATIENCE).await?;
    assert_eq!(effects(bed, "foreign").await?, []);
    Ok(())
}

async fn used(bed: &Testbed) -> Result<()> {
    let admin = &bed.simulator.admin;
    created(bed, "used").await?;
    admin.create_tenant(&NewTenant::behind("used", "shop")).await?;
    tenants_show(bed).await?;
    delete(bed, "used").await?;
    steps::settled_within(bed, "used", "InUse", PATIENCE).await?;
    admin.delete_tenant("shop").await?;
    tenants_show(bed).await?;
    // It would read them again by itself, but only after half a minute.
    bed.kubectl(&["annotate", "cfcg", "used", &format!("{RECONCILE_REQUESTED_AT}=now")]).await?;
    gone(bed, "used").await?;
    assert_eq!(effects(bed, "used").await?, LIFE);
    Ok(())
}

/// Waits until lists of tenants show the current state.
async fn tenants_show(bed: &Testbed) -> Result<()> {
    let since = bed.simulator.admin.state().await?.now;
    wait_until(PATIENCE, "lists of tenants to follow", async || match bed.simulator.admin.state().await {
        Ok(state) if state.now.0 >= since.0 + TENANT_LAG => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await
}

const LIFE: [Operation; 3] =
    [Operation::CreateConnectionGroup, Operation::UpdateConnectionGroup, Operation::DeleteConnectionGroup];

async fn brief(bed: &Testbed) -> Result<()> {
    steps::create(bed, "brief", json!({})).await?;
    wait_until(PATIENCE, "the group", async || match bed.simulator.admin.group("brief").await {
        Ok(Some(_)) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    delete(bed, "brief").await?;
    gone(bed, "brief").await?;
    assert_eq!(effects(bed, "brief").await?, LIFE);
    Ok(())
}

/// Another client saves the group just before each of the first two updates.
async fn contended(bed: &Testbed) -> Result<()> {
    created(bed, "contended").await?;
    let overtaken = Fault::Overtaken { edit: GroupPatch::default() };
    let (target, times) = (Some("contended".to_owned()), Some(2));
    let rule = FaultRule { target, times, ..FaultRule::new(Operation::UpdateConnectionGroup, overtaken) };
    let fault = bed.simulator.admin.add_fault(&rule).await?;
    edited(bed, "contended", json!({ "ipv6Enabled": false })).await?;
    let struck = bed.simulator.admin.faults().await?.into_iter().find(|struck| struck.id == fault);
    assert_eq!(struck.map(|struck| struck.hits), Some(2));
    assert_eq!(effects(bed, "contended").await?, [Operation::CreateConnectionGroup, Operation::UpdateConnectionGroup]);
    Ok(())
}

#[tokio::test]
async fn at_the_pace_of_the_real_cloudfront_each_requested_change_has_exactly_one_effect() -> Result<()> {
    let (bed, operator) = bed().await?;
    let _operator = operator.start().await?;
    tokio::try_join!(
        plain(&bed),
        switched_off(&bed),
        changed_by_others(&bed),
        listed(&bed),
        foreign(&bed),
        used(&bed),
        brief(&bed),
        contended(&bed),
    )?;
    let events = bed.kubectl(&["get", "events"]).await?;
    for untrue in ["DeletedOutside", "DriftFlapping"] {
        assert!(!events.contains(untrue), "{events}");
    }
    Ok(())
}

#[tokio::test]
async fn killed_between_a_change_and_its_status_it_continues_once_reads_show_the_change() -> Result<()> {
    let (bed, operator) = bed().await?;
    let admin = &bed.simulator.admin;
    let mut operator = operator.start().await?;
    tokio::try_join!(created(&bed, "changed"), created(&bed, "deleted"))?;

    let hold_next = async |operation: Operation| admin.hold_once(operation, Moment::After).await;
    let holds =
        [hold_next(Operation::CreateConnectionGroup).await?, hold_next(Operation::UpdateConnectionGroup).await?];
    steps::create(&bed, "made", json!({})).await?;
    steps::patch(&bed, "changed", json!({ "spec": { "ipv6Enabled": false } })).await?;
    for hold in holds {
        admin.wait_until_held(hold, PATIENCE).await?;
    }
    operator.kill().await?;
    admin.delete_faults().await?;
    operator.restart().await?;
    let deletion = async {
        let hold = hold_next(Operation::DeleteConnectionGroup).await?;
        delete(&bed, "deleted").await?;
        admin.wait_until_held(hold, PATIENCE).await?;
        Ok::<_, testbed::Error>(hold)
    };
    tokio::try_join!(ready(&bed, "made"), ready(&bed, "changed"), deletion)?;
    operator.kill().await?;
    admin.delete_faults().await?;
    operator.restart().await?;
    gone(&bed, "deleted").await?;

    assert_eq!(effects(&bed, "made").await?, [Operation::CreateConnectionGroup]);
    assert_eq!(effects(&bed, "changed").await?, [Operation::CreateConnectionGroup, Operation::UpdateConnectionGroup]);
    assert_eq!(effects(&bed, "deleted").await?, LIFE);
    assert_eq!(admin.state().await?.groups.len(), 2);
    Ok(())
}
