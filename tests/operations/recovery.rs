//! `docs/disaster-recovery.md`, as it is written.

use cloudfront_simulator::admin::GroupPatch;
use serde_json::json;
use testbed::{ControlPlane, Result, Simulator, wait_gone, wait_until};

use crate::cluster::{self, Cluster, PATIENCE, message};
use crate::document::{blocks, labelled};

const DOCUMENT: &str = "docs/disaster-recovery.md";

/// Does what the document says to do on a cluster that has nothing yet.
async fn follow(cluster: &mut Cluster) -> Result<()> {
    for block in blocks(DOCUMENT, Some("The cluster is lost")) {
        cluster.run(&block.script).await?;
    }
    Ok(())
}

/// A cluster with an installation `prod-eu` and the group `edge`.
async fn installed() -> Result<(Cluster, Simulator)> {
    let (mut cluster, account) = Cluster::start().await?;
    follow(&mut cluster).await?;
    Ok((cluster, account))
}

#[tokio::test]
async fn a_rebuilt_cluster_with_the_same_owner_id_finds_its_groups_and_touches_none() -> Result<()> {
    let (mut lost, account) = installed().await?;
    lost.run("kubectl -n platform create -f - <<'EOF'\n{apiVersion: cloudfront.kube-operators.dev/v1alpha1, kind: ConnectionGroup, metadata: {name: forgotten}, spec: {}}\nEOF")
        .await?;
    lost.settled("platform", "forgotten", "Deployed").await?;
    let status = lost.settled("platform", "edge", "Deployed").await?.status.expect("it is Ready");
    let groups = account.admin.state().await?.groups;
    lost.operator.as_mut().expect("it is installed").kill().await?;
    lost.control_plane.stop_api_server().await;
    let since = cluster::now(&account).await?;

    let mut rebuilt = Cluster::on(ControlPlane::start().await?, &account);
    follow(&mut rebuilt).await?;
    let found = rebuilt.settled("platform", "edge", "Deployed").await?.status.expect("it is Ready");
    assert_eq!((found.id, found.routing_endpoint), (status.id, status.routing_endpoint));
    let operator = rebuilt.operator.as_ref().expect("it is installed");
    wait_until(PATIENCE, "the forgotten group to be reported", async || {
        let metrics = operator.metrics().await.map_err(|error| error.to_string())?;
        if metrics.contains("connection_group_operator_orphans 1\n") { Ok(()) } else { Err(metrics) }
    })
    .await?;
    assert_eq!(cluster::writes(&account, since).await?, []);
    assert_eq!(account.admin.state().await?.groups, groups, "not even a tag has changed");
    Ok(())
}

#[tokio::test]
async fn with_a_wrong_owner_id_nothing_is_touched_not_even_by_a_deletion_and_the_right_one_heals_it() -> Result<()> {
    let (mut cluster, account) = installed().await?;
    let groups = account.admin.state().await?.groups;
    let since = cluster::now(&account).await?;
    let by_mistake = labelled(DOCUMENT, "wrong-owner")[0].replace("prod-eu", "prod-us");
    cluster.run(&by_mistake).await?;
    let refused = cluster.settled("platform", "edge", "NotOwned").await?;
    assert!(message(&refused).contains("belongs to 'prod-eu/platform/edge'"), "{}", message(&refused));
    let operator = cluster.operator.as_ref().expect("it is installed");
    let log = std::fs::read_to_string(operator.log()).expect("there is a log");
    assert!(log.contains("NotOwned") && log.contains("prod-eu/platform/edge"), "the log says so, too");
    let metrics = operator.metrics().await?;
    let counted = r#"connection_group_operator_status_conditions{reason="NotOwned",status="True",type="Stalled"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");

    cluster.patch("platform", "edge", json!({ "spec": { "enabled": false, "tags": { "team": "other" } } })).await?;
    cluster.settled("platform", "edge", "NotOwned").await?;
    cluster.run("kubectl -n platform delete connectiongroup/edge --timeout=1m").await?;
    wait_gone(&cluster.objects("platform").await?, "edge", PATIENCE).await?;
    assert_eq!(cluster::writes(&account, since).await?, []);
    assert_eq!(account.admin.state().await?.groups, groups);

    cluster.run_all(&labelled(DOCUMENT, "wrong-owner")).await?;
    cluster.run("kubectl apply -f examples/connection-group.yaml").await?;
    cluster.settled("platform", "edge", "Deployed").await?;
    assert_eq!(cluster::writes(&account, since).await?, []);
    Ok(())
}

#[tokio::test]
async fn a_new_owner_tag_hands_a_group_over_to_an_object_of_another_namespace() -> Result<()> {
    let (mut cluster, account) = installed().await?;
    cluster.patch("platform", "edge", json!({ "spec": { "suspend": true } })).await?;
    let owner = ("cloudfront.kube-operators.dev/owner".to_owned(), "prod-eu/network/edge".to_owned());
    account.admin.edit_group("edge", &GroupPatch { set_tags: [owner].into(), ..GroupPatch::default() }).await?;
    let since = cluster::now(&account).await?;
    cluster.run("kubectl create namespace network; sed 's/namespace: platform/namespace: network/' examples/connection-group.yaml | kubectl apply -f -").await?;
    cluster.settled("network", "edge", "Deployed").await?;
    cluster.patch("platform", "edge", json!({ "spec": { "suspend": false } })).await?;
    cluster.settled("platform", "edge", "NotOwned").await?;
    cluster.run("kubectl -n platform delete connectiongroup/edge --timeout=1m").await?;
    assert_eq!(cluster::writes(&account, since).await?, []);
    cluster::group(&account, "edge").await?;
    Ok(())
}
