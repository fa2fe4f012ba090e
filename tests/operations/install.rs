//! `docs/install.md`, the pages of the platforms, and `docs/upgrade.md`, run as they are written.

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use testbed::Result;

use crate::cluster::{self, Cluster, RELEASE};
use crate::document::{blocks, labelled};

const INSTALL: &str = "docs/install.md";
const EKS: &str = "docs/install-eks.md";
/// Each way to install: the document, and the label of its blocks.
const WAYS: [(&str, &str); 5] = [
    (INSTALL, "any"),
    (EKS, "irsa"),
    (EKS, "pod-identity"),
    ("docs/install-openshift.md", "openshift"),
    (INSTALL, "air-gapped"),
];

#[tokio::test]
async fn each_way_to_install_gives_an_operator_that_creates_a_group() -> Result<()> {
    let (mut cluster, account) = Cluster::start().await?;
    for (page, way) in WAYS {
        cluster.run_all(&labelled(page, way)).await?;
        let args = cluster.release_args().await?.expect(way);
        assert!(args.contains(&"--owner-id=prod-eu".to_owned()), "{way}: {args:?}");
        let accounts = Api::<ServiceAccount>::namespaced(cluster.control_plane.client().await?, RELEASE);
        let annotations = accounts.get(RELEASE).await?.metadata.annotations.unwrap_or_default();
        let role = annotations.get("eks.amazonaws.com/role-arn").map(String::as_str);
        let expected = (way == "irsa").then_some("arn:aws:iam::123456789012:role/connection-group-operator");
        assert_eq!(role, expected, "{way}");
        if way != "air-gapped" {
            cluster.run(&format!("helm uninstall {RELEASE} --namespace {RELEASE}")).await?;
            assert!(cluster.operator.is_none());
            cluster.run(&format!("kubectl --namespace {RELEASE} delete secret --all")).await?;
        }
    }
    let printed = cluster.run_all(&labelled(INSTALL, "check")).await?;
    assert!(printed.contains("connectiongroup.cloudfront.kube-operators.dev/edge condition met"), "{printed}");
    assert_eq!(cluster::tags(&account, "edge").await?["cloudfront.kube-operators.dev/owner"], "prod-eu/platform/edge");
    Ok(())
}

#[tokio::test]
async fn the_page_for_eks_leads_to_a_group_and_to_a_policy_of_ones_own() -> Result<()> {
    let (mut cluster, _account) = Cluster::start().await?;
    cluster.run_all(&labelled(EKS, "policy")).await?;
    cluster.run_all(&labelled(EKS, "pod-identity")).await?;
    cluster
        .run("kubectl wait --for=condition=Established --timeout=1m crd/connectiongroups.cloudfront.kube-operators.dev")
        .await?;
    for (label, given, other) in [
        ("trust-irsa", "account=123456789012", "account=111122223333"),
        (
            "trust-irsa",
            "issuer=oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE",
            "issuer=other/id/A1",
        ),
        ("trust-pod-identity", "cluster=prod-eu", "cluster=other"),
    ] {
        let [script] = &labelled(EKS, label)[..] else { panic!("one block `sh {label}`") };
        cluster.run(script).await?;
        let same = cluster.run(&format!("diff docs/iam/{label}.json target/eks/trust.json")).await?;
        assert_eq!(same, "", "{label}: as it stands, it names the example");
        assert!(script.contains(given), "{script}");
        cluster.run(&script.replace(given, other)).await?;
        let written = cluster.run("cat target/eks/trust.json").await?;
        let (name, value) = given.split_once('=').expect("a name and a value");
        let (_, new) = other.split_once('=').expect("a name and a value");
        assert!(!written.contains(value) && written.contains(new), "{name}: {written}");
    }
    let printed = cluster.run_all(&labelled(EKS, "first-group")).await?;
    assert!(printed.contains(".cloudfront.net"), "{printed}");
    Ok(())
}

#[tokio::test]
async fn an_upgrade_and_a_rollback_change_nothing_at_cloudfront() -> Result<()> {
    let (mut cluster, account) = Cluster::start().await?;
    cluster.run_all(&labelled(EKS, "pod-identity")).await?;
    cluster.run_all(&labelled(INSTALL, "check")).await?;
    let before = cluster::group(&account, "edge").await?;
    let since = cluster::now(&account).await?;
    for block in blocks("docs/upgrade.md", None) {
        cluster.run(&block.script).await?;
        cluster.settled("platform", "edge", "Deployed").await?;
    }
    assert_eq!(cluster::writes(&account, since).await?, []);
    assert_eq!(cluster::group(&account, "edge").await?, before);
    Ok(())
}
