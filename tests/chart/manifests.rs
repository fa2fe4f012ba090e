//! What the chart renders, as the API server accepts it.

use testbed::{ControlPlane, Result};

use crate::release::{CHART, Release, pod};

#[tokio::test]
async fn its_pods_are_accepted_under_the_restricted_standard_without_a_warning() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    let release = Release::install(&control_plane, "restricted", &["ownerId=restricted".to_owned()]).await?;
    let pod = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "operator", "namespace": release.namespace },
        "spec": pod(&release.deployment().await?),
    });
    let path = control_plane.folder().join("pod.json");
    std::fs::write(&path, pod.to_string()).expect("the manifest can be written");
    let path = path.to_string_lossy();
    let create = ["create", "--dry-run=server", "--warnings-as-errors", "-f", &path];
    control_plane.kubectl_ok(&create).await?;
    Ok(())
}

#[tokio::test]
async fn the_api_server_knows_every_field_that_it_can_render() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    let namespace = "everything";
    crate::release::create_namespace(&control_plane, namespace, &[]).await?;
    // A Pod must name one that exists.
    let runtime = control_plane.folder().join("runtime.json");
    let gvisor = serde_json::json!({
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": { "name": "gvisor" },
        "handler": "runsc",
    });
    std::fs::write(&runtime, gvisor.to_string()).expect("the manifest can be written");
    control_plane.kubectl_ok(&["create", "-f", &runtime.to_string_lossy()]).await?;
    for values in [["--set", "ownerId=default"], ["--values", "tests/chart/everything.yaml"]] {
        let template = ["template", namespace, CHART, "--namespace", namespace];
        let template = [&template[..], &values].concat();
        let rendered = control_plane.helm_ok(&template).await?;
        let path = control_plane.folder().join("rendered.yaml");
        std::fs::write(&path, rendered).expect("the manifests can be written");
        let path = path.to_string_lossy();
        let apply = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "--warnings-as-errors"];
        let apply = [&apply[..], &["-f", &path]].concat();
        control_plane.kubectl_ok(&apply).await?;
    }
    Ok(())
}
