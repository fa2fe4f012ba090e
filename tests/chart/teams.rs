//! Several installations in one cluster, one for each team.

use testbed::{ControlPlane, Result};

use crate::release::{Release, create_namespace};

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
