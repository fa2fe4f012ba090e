//! What `docs/gitops.md` says about moves of an object, about an object that is suspended for Flux, and about charts that contain the operator's. kubectl stands
//! in for Flux, which applies first and then prunes, and for Argo CD, which prunes first. What these tools' own code does is tested by `charts/tests/operations`.

use cloudfront_simulator::admin::NewTenant;
use connection_group_operator::api::ConnectionGroup;
use serde_json::json;
use testbed::{Result, Simulator, wait_for, wait_gone};

use crate::cluster::{self, Cluster, PATIENCE, message};
use crate::document::labelled;

const DOCUMENT: &str = "docs/gitops.md";
/// What Flux and Argo CD do when Git sets the chart's value.
const ALLOW_ADOPTION: &str = "helm upgrade connection-group-operator charts/connection-group-operator --namespace connection-group-operator \
  --reset-then-reuse-values --set adoption.allowed=true";
const PRUNE: &str = "kubectl -n platform delete connectiongroup/edge --wait=false";

fn apply(step: &str) -> String {
    format!("kubectl apply --server-side --force-conflicts --field-manager=gitops -f examples/gitops/move-{step}.yaml")
}

/// A cluster with the object `platform/edge`, and the namespace that it will move to.
async fn installed() -> Result<(Cluster, Simulator)> {
    let (mut cluster, account) = Cluster::start().await?;
    cluster.run_all(&labelled("docs/install-eks.md", "pod-identity")).await?;
    cluster.run_all(&labelled("docs/install.md", "check")).await?;
    cluster.run_all(&labelled(DOCUMENT, "kubectl")).await?;
    cluster.run("kubectl create namespace network").await?;
    Ok((cluster, account))
}

fn endpoint(object: &ConnectionGroup) -> (Option<String>, Option<String>) {
    let status = object.status.clone().expect("it was reconciled");
    (status.id, status.routing_endpoint)
}

/// Follows the steps; `rename` is what the tool does with the commit of step 2.
async fn move_with(rename: [String; 2]) -> Result<()> {
    let (mut cluster, account) = installed().await?;
    account.admin.create_tenant(&NewTenant::behind("edge", "customer")).await?;
    let old = cluster.settled("platform", "edge", "Deployed").await?;
    let before = cluster::group(&account, "edge").await?;

    cluster.run(ALLOW_ADOPTION).await?;
    cluster.run(&apply("1-release")).await?;
    let printed = cluster.run_all(&labelled(DOCUMENT, "move-check-1")).await?;
    assert_eq!(printed, "Retain false\n");
    cluster.run_all(&rename).await?;
    let printed = cluster.run_all(&labelled(DOCUMENT, "move-check-2")).await?;
    assert!(printed.contains("connectiongroup.cloudfront.kube-operators.dev/frontend condition met"), "{printed}");
    wait_gone(&cluster.objects("platform").await?, "edge", PATIENCE).await?;
    let new = cluster.settled("network", "frontend", "Deployed").await?;
    assert_eq!(endpoint(&new), endpoint(&old));
    cluster.run(&apply("3-done")).await?;
    cluster.settled("network", "frontend", "Deployed").await?;

    let after = cluster::group(&account, "edge").await?;
    assert_eq!((after.resource.id, after.etag), (before.resource.id, before.etag), "only its tags were written");
    assert_eq!(
        after.resource.tags.unwrap_or_default()["cloudfront.kube-operators.dev/owner"],
        "prod-eu/network/frontend"
    );
    assert_eq!(account.admin.state().await?.groups.len(), 1, "no second group");
    Ok(())
}

#[tokio::test]
async fn an_object_that_moves_as_documented_keeps_its_group_if_the_tool_applies_first_like_flux() -> Result<()> {
    move_with([apply("2-adopt"), PRUNE.to_owned()]).await
}

#[tokio::test]
async fn an_object_that_moves_as_documented_keeps_its_group_if_the_tool_prunes_first_like_argo_cd() -> Result<()> {
    move_with([PRUNE.to_owned(), apply("2-adopt")]).await
}

#[tokio::test]
async fn a_move_without_preparation_of_a_protected_object_is_refused_and_changes_nothing() -> Result<()> {
    let (mut cluster, account) = installed().await?;
    cluster.patch("platform", "edge", json!({ "spec": { "deletionProtection": true } })).await?;
    cluster.settled("platform", "edge", "Deployed").await?;
    let since = cluster::now(&account).await?;
    cluster.run(&apply("2-adopt")).await?;
    let printed = cluster.run(&format!("! {PRUNE} 2>&1")).await?;
    assert!(printed.contains("ConnectionGroup platform/edge is protected and was not deleted"), "{printed}");
    let refused = cluster.settled("network", "frontend", "NotOwned").await?;
    assert!(message(&refused).contains("prod-eu/platform/edge"), "{}", message(&refused));
    cluster.settled("platform", "edge", "Deployed").await?;
    assert_eq!(cluster::writes(&account, since).await?, []);
    Ok(())
}

#[tokio::test]
async fn a_move_without_preparation_of_a_group_with_tenants_waits_and_is_completed_by_the_documented_patch()
-> Result<()> {
    let (mut cluster, account) = installed().await?;
    account.admin.create_tenant(&NewTenant::behind("edge", "customer")).await?;
    let old = cluster.settled("platform", "edge", "Deployed").await?;
    cluster.run(ALLOW_ADOPTION).await?;
    cluster.run(PRUNE).await?;
    cluster.run(&apply("2-adopt")).await?;
    cluster.settled("platform", "edge", "InUse").await?;
    cluster.settled("network", "frontend", "NotOwned").await?;
    cluster.run_all(&labelled(DOCUMENT, "move-rescue")).await?;
    wait_gone(&cluster.objects("platform").await?, "edge", PATIENCE).await?;
    let new = cluster.settled("network", "frontend", "Deployed").await?;
    assert_eq!(endpoint(&new), endpoint(&old));
    Ok(())
}

#[tokio::test]
async fn an_object_that_is_suspended_as_documented_for_flux_says_so_and_is_resumed_as_documented() -> Result<()> {
    let (mut cluster, account) = installed().await?;
    let since = cluster::now(&account).await?;
    cluster.run_all(&labelled(DOCUMENT, "flux-suspend")).await?;
    let suspended = |object: &ConnectionGroup| {
        message(object).starts_with("Suspended")
            && object
                .metadata
                .annotations
                .as_ref()
                .is_some_and(|all| all["kustomize.toolkit.fluxcd.io/reconcile"] == "disabled")
    };
    wait_for(&cluster.objects("platform").await?, "edge", PATIENCE, "edge to be suspended", suspended).await?;
    cluster.run_all(&labelled(DOCUMENT, "flux-resume")).await?;
    let resumed = cluster.settled("platform", "edge", "Deployed").await?;
    assert!(!message(&resumed).starts_with("Suspended"), "{}", message(&resumed));
    assert_eq!(cluster::writes(&account, since).await?, []);
    Ok(())
}

#[tokio::test]
async fn a_release_takes_over_a_definition_that_was_applied_by_hand() -> Result<()> {
    let (mut cluster, account) = Cluster::start().await?;
    cluster.run("kubectl apply --server-side -f crds/connectiongroups.yaml").await?;
    let install = labelled("docs/install-eks.md", "pod-identity").concat();
    let printed = cluster.run(&format!("! {{ {install}; }} 2>&1")).await?;
    assert!(printed.contains("invalid ownership metadata"), "{printed}");
    cluster.run_all(&labelled(DOCUMENT, "take-ownership")).await?;
    assert_eq!(cluster.run_all(&labelled(DOCUMENT, "nothing-left")).await?, "");
    cluster.run_all(&labelled("docs/install.md", "check")).await?;
    cluster::group(&account, "edge").await?;
    let keep = "kubectl get crd connectiongroups.cloudfront.kube-operators.dev -o jsonpath='{.metadata.annotations.helm\\.sh/resource-policy}'";
    assert_eq!(cluster.run(keep).await?, "keep");
    Ok(())
}

/// A chart that contains the operator's chart and an object, in the folder `$UMBRELLA`.
const UMBRELLA: &str = r#"
UMBRELLA=$HOME/umbrella
mkdir -p "$UMBRELLA/charts" "$UMBRELLA/templates"
cp -R charts/connection-group-operator "$UMBRELLA/charts/"
printf 'apiVersion: v2\nname: umbrella\nversion: 0.1.0\ndependencies:\n  - {name: connection-group-operator, version: ">=0"}\n' >"$UMBRELLA/Chart.yaml"
{ cat examples/connection-group.yaml; } | sed 's/^  namespace: platform$/&\n  annotations: {helm.sh\/resource-policy: keep}/' >"$UMBRELLA/templates/edge.yaml"
"#;
const INSTALL_UMBRELLA: &str = "helm upgrade --install connection-group-operator \"$HOME/umbrella\" --namespace connection-group-operator --create-namespace \
  --set connection-group-operator.ownerId=prod-eu";

#[tokio::test]
async fn an_umbrella_chart_has_the_definition_in_its_folder_crds_and_leaves_its_objects_when_it_is_uninstalled()
-> Result<()> {
    let (mut cluster, account) = Cluster::start().await?;
    cluster.run("kubectl create namespace platform").await?;
    cluster.run(UMBRELLA).await?;
    let printed = cluster.run(&format!("! {INSTALL_UMBRELLA} 2>&1")).await?;
    assert!(printed.contains("no matches for kind \"ConnectionGroup\""), "{printed}");
    cluster.run("mkdir $HOME/umbrella/crds && cp crds/connectiongroups.yaml $HOME/umbrella/crds/").await?;
    cluster.run(&format!("{INSTALL_UMBRELLA} --set connection-group-operator.crds.enabled=false")).await?;
    cluster.settled("platform", "edge", "Deployed").await?;
    let since = cluster::now(&account).await?;
    cluster.run("helm uninstall connection-group-operator --namespace connection-group-operator").await?;
    assert!(cluster.operator.is_none(), "it is uninstalled");
    let object = cluster.objects("platform").await?.get("edge").await?;
    assert!(object.metadata.deletion_timestamp.is_none(), "without an operator, a deletion would not end");
    assert_eq!(cluster::writes(&account, since).await?, []);
    Ok(())
}
