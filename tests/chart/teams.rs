//! Several installations in one cluster, one for each team.

use testbed::{ControlPlane, Error, Result};

use crate::release::{CHART, Release, create_namespace};

/// What the README switches off in all releases but one.
const SHARED: [&str; 4] = [
    "crds.enabled=false",
    "admissionPolicies.deletionProtection.enabled=false",
    "admissionPolicies.crdProtection.enabled=false",
    "rbac.aggregateClusterRoles=false",
];

#[tokio::test]
async fn each_team_can_have_a_release_of_its_own_and_only_one_has_the_cluster_wide_objects() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    for namespace in ["tenant-a", "tenant-b"] {
        create_namespace(&control_plane, namespace, &[]).await?;
    }
    let of = |team: &str| vec![format!("ownerId={team}"), format!("watchNamespaces={{tenant-{team}}}")];
    Release::install(&control_plane, "a", &of("a")).await?;
    let shared = SHARED.map(ToOwned::to_owned);
    let second = Release::install(&control_plane, "b", &[of("b"), shared.to_vec()].concat()).await?;
    let cluster_wide = "clusterroles,clusterrolebindings,customresourcedefinitions,validatingadmissionpolicies";
    let selector = format!("--selector=app.kubernetes.io/instance={}", second.name);
    let own = control_plane.kubectl_ok(&["get", cluster_wide, &selector, "-o", "name"]).await?;
    assert_eq!(own, "", "the second release has none of them");
    // Each can go without the other.
    control_plane.helm_ok(&["uninstall", second.name, "--namespace", second.namespace]).await?;
    control_plane.kubectl_ok(&["get", "rolebinding", "a-connection-group-operator", "--namespace", "tenant-a"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_release_does_not_take_the_cluster_wide_objects_of_another_one_even_if_it_may_take_ownership() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    Release::install(&control_plane, "one", &["ownerId=one".to_owned()]).await?;
    create_namespace(&control_plane, "two", &[]).await?;
    let two = ["two", CHART, "--namespace", "two", "--set", "ownerId=two"];
    let install = [&["install", "--take-ownership"], &two[..]].concat();
    for (more, object) in [
        (&[][..], "deletion-protection.cloudfront.kube-operators.dev"),
        (&SHARED[1..2], "crd-protection.cloudfront.kube-operators.dev"),
        (&[SHARED[1], SHARED[2], "fullnameOverride=one-connection-group-operator"], "one-connection-group-operator"),
        (
            &[SHARED[1], SHARED[2], "rbac.create=false", "fullnameOverride=one-connection-group-operator"],
            "one-connection-group-operator-view",
        ),
    ] {
        let more = more.iter().flat_map(|value| ["--set", value]).collect::<Vec<_>>();
        match control_plane.helm_ok(&[&install[..], &more].concat()).await {
            Err(Error::Command { stderr, .. }) => {
                let belongs = format!("{object} belongs to release one in namespace one");
                let switches = SHARED.map(|value| value.trim_end_matches("=false"));
                let told = stderr.contains(&belongs) && switches.iter().all(|value| stderr.contains(value));
                assert!(told, "{more:?}: {stderr}");
            }
            other => panic!("{more:?}: {other:?}"),
        }
    }
    let policies = ["get", "validatingadmissionpolicies", "--selector=app.kubernetes.io/instance=one", "-o", "name"];
    assert_eq!(control_plane.kubectl_ok(&policies).await?.lines().count(), 2);
    // Once the other release is gone, so are its objects, except for the definition.
    control_plane.helm_ok(&["uninstall", "one", "--namespace", "one"]).await?;
    control_plane.helm_ok(&install).await?;
    Ok(())
}
