//! `docs/migrate-from-ack.md` and `docs/migrate-from-terraform.md`, run as they are written. Only the tags of the group that mark ownership change.

use cloudfront_simulator::admin::{NewGroup, Request};
use connection_group_operator::api::AdoptionPolicy;
use connection_group_operator::reconcile::ownership::Installation;
use testbed::{Result, Simulator};

use crate::cluster::{self, Cluster};
use crate::document::{Block, blocks, labelled};

const OWNER: &str = "cloudfront.kube-operators.dev/owner";

/// Stands in for ACK: its resource, with an object for the group `edge`. No controller runs; one that keeps the group only removes its finalizer.
const ACK: &str = r"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: connectiongroups.cloudfront.services.k8s.aws}
spec:
  group: cloudfront.services.k8s.aws
  names: {kind: ConnectionGroup, plural: connectiongroups, singular: connectiongroup, listKind: ConnectionGroupList}
  scope: Namespaced
  versions:
    - name: v1alpha1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";
const ACK_OBJECT: &str = r"
apiVersion: cloudfront.services.k8s.aws/v1alpha1
kind: ConnectionGroup
metadata: {name: edge, namespace: platform}
spec: {name: edge, enabled: true, ipv6Enabled: true, tags: [{key: team, value: edge}]}
";

async fn installed() -> Result<(Cluster, Simulator)> {
    let (mut cluster, account) = Cluster::start().await?;
    // Groups created now might have tags that are not visible yet, and would be left alone for a minute.
    account.admin.advance_clock(std::time::Duration::from_mins(2)).await?;
    cluster.run_all(&labelled("docs/install-eks.md", "pod-identity")).await?;
    cluster.run("kubectl wait --for=condition=Established --timeout=1m crd/connectiongroups.cloudfront.kube-operators.dev; kubectl create namespace platform").await?;
    Ok((cluster, account))
}

/// Runs the steps; according to the document, the comparison must print nothing.
async fn steps(cluster: &mut Cluster, document: &str) -> Result<String> {
    let mut printed = String::new();
    for Block { script, .. } in blocks(document, Some("Steps")) {
        let out = cluster.run(&script).await?;
        if script.contains(".status.drift") {
            assert_eq!(out, "", "no difference");
        }
        printed += &out;
    }
    Ok(printed)
}

async fn assert_only_tagged(
    account: &Simulator,
    before: &cloudfront_simulator::admin::GroupState,
    since: u64,
) -> Result<()> {
    let after = cluster::group(account, "edge").await?;
    let mut expected = before.resource.tags.clone().unwrap_or_default();
    expected.insert(OWNER.to_owned(), "prod-eu/platform/edge".to_owned());
    let mut tags = after.resource.tags.clone().unwrap_or_default();
    tags.remove(Installation::KEY).expect("the identity comes with the owner");
    assert_eq!(tags, expected);
    assert_eq!((&after.resource.id, &after.etag), (&before.resource.id, &before.etag));
    let writes = cluster::writes(account, since).await?;
    assert!(matches!(writes.as_slice(), [Request::TagResource { .. }]), "{writes:?}");
    Ok(())
}

#[tokio::test]
async fn a_group_migrates_from_ack_side_by_side_and_unchanged() -> Result<()> {
    let (mut cluster, account) = installed().await?;
    let tags = [("team", "edge"), ("services.k8s.aws/namespace", "platform")];
    let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    account.admin.create_group(&NewGroup { tags, ..NewGroup::named("edge") }).await?;
    cluster.run(&format!("kubectl apply -f - <<'EOF'{ACK}EOF\nkubectl wait --for=condition=Established --timeout=1m crd/connectiongroups.cloudfront.services.k8s.aws")).await?;
    cluster.run(&format!("kubectl apply -f - <<'EOF'{ACK_OBJECT}EOF")).await?;
    let before = cluster::group(&account, "edge").await?;
    let since = cluster::now(&account).await?;

    let printed = steps(&mut cluster, "docs/migrate-from-ack.md").await?;
    assert!(printed.starts_with("connectiongroup.cloudfront.services.k8s.aws/edge annotated\nretain\n"), "{printed}");
    assert!(printed.contains("Adopted"), "{printed}");
    cluster.settled("platform", "edge", "Deployed").await?;
    assert_only_tagged(&account, &before, since).await
}

#[tokio::test]
async fn a_group_migrates_from_terraform_unchanged() -> Result<()> {
    let (mut cluster, account) = installed().await?;
    let tags = [("team".to_owned(), "edge".to_owned())].into();
    account.admin.create_group(&NewGroup { tags, ipv6_enabled: false, ..NewGroup::named("edge") }).await?;
    let before = cluster::group(&account, "edge").await?;
    let since = cluster::now(&account).await?;
    let printed = steps(&mut cluster, "docs/migrate-from-terraform.md").await?;
    assert!(printed.contains("terraform apply\n") && printed.contains("Adopted"), "{printed}");
    cluster.settled("platform", "edge", "Deployed").await?;
    assert_only_tagged(&account, &before, since).await
}

#[tokio::test]
async fn a_spec_that_differs_is_shown_by_the_comparison_and_not_adopted() -> Result<()> {
    let (mut cluster, account) = installed().await?;
    // As made by Terraform, which has IPv6 off, while the object's default is on.
    account.admin.create_group(&NewGroup { ipv6_enabled: false, ..NewGroup::named("edge") }).await?;
    let before = cluster::group(&account, "edge").await?;
    let all =
        blocks("docs/migrate-from-ack.md", Some("Steps")).into_iter().map(|block| block.script).collect::<Vec<_>>();
    let step = |part: &str| all.iter().find(|script| script.contains(part)).expect("a step of the document");
    cluster.run(step("mode: Observe")).await?;
    let printed = cluster.run(step(".status.drift")).await?;
    assert!(printed.contains("ipv6Enabled: true here, false at CloudFront"), "{printed}");
    cluster.run(step("adoption.allowed=true")).await?;
    cluster.patch("platform", "edge", serde_json::json!({ "spec": { "mode": "Manage" } })).await?;
    cluster.settled("platform", "edge", "AdoptionRefused").await?;
    let after = cluster::group(&account, "edge").await?;
    assert_eq!((after.etag, after.resource.tags), (before.etag, before.resource.tags));
    Ok(())
}

/// Two groups as `examples/observe-all.sh` writes them; `tests/clients` runs the script.
const OBSERVED: &str = r"
---
apiVersion: cloudfront.kube-operators.dev/v1alpha1
kind: ConnectionGroup
metadata: {name: edge, namespace: platform, labels: {migration: observed}}
spec: {name: edge, mode: Observe, adoptionPolicy: IfUnchanged, deletionProtection: true, enabled: true, ipv6Enabled: true}
---
apiVersion: cloudfront.kube-operators.dev/v1alpha1
kind: ConnectionGroup
metadata: {name: shop-1, namespace: platform, labels: {migration: observed}}
spec: {name: Shop_1, mode: Observe, adoptionPolicy: IfUnchanged, deletionProtection: true, enabled: true, ipv6Enabled: false}
";

#[tokio::test]
async fn many_groups_migrate_with_the_loops_and_a_difference_is_listed() -> Result<()> {
    let (mut cluster, account) = installed().await?;
    let document = "docs/migrate-from-terraform.md";
    account.admin.create_group(&NewGroup::named("edge")).await?;
    account.admin.create_group(&NewGroup::named("Shop_1")).await?;
    let manifest = cluster.control_plane.folder().join("groups.yaml");
    std::fs::write(&manifest, OBSERVED).expect("the run's folder can be written to");
    for script in labelled(document, "apply") {
        cluster.run(&script.replace("groups.yaml", &manifest.display().to_string())).await?;
    }
    let [compare, adopt, forbid] = labelled(document, "many").try_into().expect("three loops");
    let printed = cluster.run(&compare).await?;
    assert!(printed.contains("shop-1: [") && printed.contains("ipv6Enabled"), "{printed}");
    cluster
        .run("kubectl -n platform patch cfcg/shop-1 --type=merge --patch '{\"spec\":{\"ipv6Enabled\":true}}'")
        .await?;
    cluster.settled("platform", "shop-1", "Deployed").await?;
    let printed = cluster.run(&compare).await?;
    assert!(!printed.contains("desired"), "{printed}");
    let steps = blocks(document, Some("Steps")).into_iter().map(|block| block.script).collect::<Vec<_>>();
    let allow = steps.iter().find(|script| script.contains("adoption.allowed=true")).expect("a step of the document");
    cluster.run(allow).await?;
    cluster.run(&adopt).await?;
    cluster.run(&forbid).await?;
    for (group, object) in [("edge", "edge"), ("Shop_1", "shop-1")] {
        assert_eq!(cluster::tags(&account, group).await?[OWNER], format!("prod-eu/platform/{object}"));
        assert_eq!(cluster.settled("platform", object, "Deployed").await?.spec.adoption_policy, AdoptionPolicy::Never);
    }
    Ok(())
}
