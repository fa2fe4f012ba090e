//! `docs/emergency.md`, run as it is written. `tests/clients/test_emergency.py` runs its commands for the AWS CLI.

use testbed::Result;

use crate::cluster;
use crate::document::labelled;
use crate::recovery::installed;

const DOCUMENT: &str = "docs/emergency.md";

#[tokio::test]
async fn the_emergency_procedure_takes_even_a_suspended_group_down_and_back_and_changes_nothing_else() -> Result<()> {
    let (mut cluster, account) = installed().await?;
    let before = cluster::group(&account, "edge").await?.resource;
    cluster.patch("platform", "edge", serde_json::json!({ "spec": { "suspend": true } })).await?;

    cluster.run_all(&labelled(DOCUMENT, "down")).await?;
    let down = cluster::group(&account, "edge").await?.resource;
    assert!(!down.enabled);

    cluster.run_all(&labelled(DOCUMENT, "back")).await?;
    let back = cluster::group(&account, "edge").await?.resource;
    let unchanged = |group: &cloudfront_simulator::admin::ConnectionGroup| {
        (group.id.clone(), group.routing_endpoint.clone(), group.ipv6_enabled, group.tags.clone())
    };
    assert!(back.enabled);
    assert_eq!([unchanged(&down), unchanged(&back)], [unchanged(&before), unchanged(&before)]);

    Ok(())
}

#[tokio::test]
async fn all_groups_of_a_namespace_go_down_and_come_back_as_they_were_saved() -> Result<()> {
    let (mut cluster, account) = installed().await?;
    cluster.patch("platform", "edge", serde_json::json!({ "spec": { "suspend": true } })).await?;

    cluster.run_all(&labelled(DOCUMENT, "down-all")).await?;
    cluster.settled("platform", "edge", "Disabled").await?;

    cluster.run_all(&labelled(DOCUMENT, "back-all")).await?;
    assert!(cluster::group(&account, "edge").await?.resource.enabled);
    let spec = cluster.run("kubectl -n platform get cfcg/edge -o jsonpath='{.spec.enabled} {.spec.suspend}'").await?;
    assert_eq!(spec, "true true");
    Ok(())
}
