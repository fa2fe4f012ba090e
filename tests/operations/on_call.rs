//! `docs/runbook.md`, `docs/reasons.md` and `docs/troubleshoot.md`: their commands, run as they are written.

use serde_json::json;
use testbed::Result;

use crate::cluster;
use crate::document::labelled;
use crate::recovery::installed;

#[tokio::test]
async fn every_command_for_on_call_engineers_works_that_needs_neither_aws_nor_pods() -> Result<()> {
    let (mut cluster, _account) = installed().await?;
    for page in ["docs/runbook.md", "docs/reasons.md", "docs/troubleshoot.md"] {
        cluster.run_all(&labelled(page, "on-call")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_query_for_what_is_not_ready_shows_an_object_that_no_operator_has_reconciled_and_no_ready_one() -> Result<()>
{
    let (mut cluster, _account) = installed().await?;
    cluster.operator = None;
    cluster.run("kubectl -n platform create -f - <<'EOF'\n{apiVersion: cloudfront.kube-operators.dev/v1alpha1, kind: ConnectionGroup, metadata: {name: fresh}, spec: {}}\nEOF").await?;
    let printed = cluster.run_all(&labelled("docs/troubleshoot.md", "not-ready")).await?;
    assert!(printed.contains("fresh") && !printed.contains("edge"), "{printed}");
    Ok(())
}

#[tokio::test]
async fn a_namespace_with_a_protected_object_stays_and_says_why_until_the_protection_is_removed() -> Result<()> {
    let (mut cluster, account) = installed().await?;
    cluster.patch("platform", "edge", json!({ "spec": { "deletionProtection": true } })).await?;
    cluster.settled("platform", "edge", "Deployed").await?;
    let since = cluster::now(&account).await?;
    let _controller = cluster.control_plane.start_namespace_controller()?;
    cluster.run("kubectl delete namespace platform --wait=false").await?;
    cluster.run("kubectl wait namespace/platform --for=condition=NamespaceDeletionContentFailure --timeout=2m").await?;
    let commands = labelled("docs/troubleshoot.md", "on-call");
    let printed = cluster.run(commands.iter().find(|it| it.contains("get namespace")).expect("it is there")).await?;
    assert!(printed.contains("ConnectionGroup platform/edge is protected"), "{printed}");
    let listed = cluster.run(commands.iter().find(|it| it.contains("deletionTimestamp")).expect("it is there")).await?;
    assert!(!listed.contains("edge"), "it is not being deleted: {listed}");
    assert_eq!(cluster::writes(&account, since).await?, []);

    cluster.patch("platform", "edge", json!({ "spec": { "deletionProtection": false } })).await?;
    cluster.run("kubectl wait namespace/platform --for=delete --timeout=5m").await?;
    assert_eq!(account.admin.state().await?.groups, []);
    Ok(())
}
