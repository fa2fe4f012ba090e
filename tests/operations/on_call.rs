//! `docs/runbook.md`, `docs/reasons.md` and `docs/troubleshoot.md`: their commands, run as they are written.

use testbed::Result;

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
