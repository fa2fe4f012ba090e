//! Members of a group, each changed independently of the others, and a deletion that cannot continue: the operator's binary, a real kube-apiserver
//! and the simulator.

use cloudfront_simulator::admin::{GroupPatch, NewTenant};
use connection_group_operator::api::{ConnectionGroup, Member, RECONCILE_REQUESTED_AT};
use serde_json::json;
use testbed::{Result, Testbed, wait_for, wait_until};

use crate::{steps, steps::PATIENCE};

async fn serves(bed: &Testbed, enabled: bool) -> Result<()> {
    wait_until(PATIENCE, "the group to be switched", async || match bed.simulator.admin.group("edge").await {
        Ok(Some(group)) if group.resource.enabled == enabled => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await
}

#[tokio::test]
async fn with_a_refused_list_the_emergency_switch_works_repeatedly_and_the_list_stays_named() -> Result<()> {
    let bed = steps::bed().await?;
    let _operator = steps::operator(&bed).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    steps::patch(&bed, "edge", json!({ "spec": { "anycastIpListId": "aip_unknown" } })).await?;
    steps::settled(&bed, "edge", "AnycastIpListNotFound").await?;
    steps::patch(&bed, "edge", json!({ "spec": { "enabled": false } })).await?;
    serves(&bed, false).await?;
    for _ in 0..4 {
        bed.simulator.admin.edit_group("edge", &GroupPatch { enabled: Some(true), ..GroupPatch::default() }).await?;
        serves(&bed, false).await?;
    }
    let is_named = |object: &ConnectionGroup| {
        object.status.as_ref().is_some_and(|status| {
            status.enabled == Some(false)
                && status.refused.iter().map(|refused| refused.member).eq([Member::AnycastIpListId])
        })
    };
    wait_for(&bed.api().await?, "edge", PATIENCE, "the list to be named as refused", is_named).await?;
    steps::patch(&bed, "edge", json!({ "spec": { "anycastIpListId": "none" } })).await?;
    let object = steps::ready(&bed, "edge").await?;
    assert_eq!(object.status.expect("a status").refused, []);
    Ok(())
}

#[tokio::test]
async fn a_tenant_attached_while_a_disable_is_rolled_out_is_served_again_and_so_is_one_of_a_retained_group()
-> Result<()> {
    let bed = Testbed::start(["--propagation=10m"]).await?;
    let _operator = steps::hasty_operator(&bed).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    serves(&bed, true).await?;
    bed.kubectl(&["delete", "cfcg", "edge", "--wait=false"]).await?;
    serves(&bed, false).await?;
    bed.simulator.admin.create_tenant(&NewTenant::behind("edge", "late")).await?;
    // It would read the tenants by itself within half a minute.
    bed.kubectl(&["annotate", "cfcg", "edge", &format!("{RECONCILE_REQUESTED_AT}=now")]).await?;
    serves(&bed, true).await?;
    let blocked = steps::settled(&bed, "edge", "InUse").await?;
    assert!(steps::message(&blocked).contains("The group is enabled"), "{}", steps::message(&blocked));

    bed.simulator.admin.delete_tenant("late").await?;
    bed.kubectl(&["annotate", "--overwrite", "cfcg", "edge", &format!("{RECONCILE_REQUESTED_AT}=later")]).await?;
    serves(&bed, false).await?;
    steps::patch(&bed, "edge", json!({ "spec": { "deletionPolicy": "Retain" } })).await?;
    bed.kubectl(&["wait", "--for=delete", "--timeout=30s", "cfcg/edge"]).await?;
    serves(&bed, true).await
}
