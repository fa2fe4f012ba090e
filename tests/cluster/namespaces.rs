//! A namespace that is deleted with objects in it. Kubernetes' own namespace controller empties it; events can no longer be created there.

use cloudfront_simulator::admin::{NewTenant, State};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;
use testbed::{ControlPlane, Result, Testbed, wait_gone, wait_until};

use crate::{steps, steps::PATIENCE};

#[tokio::test]
async fn a_namespace_with_objects_is_removed_once_their_groups_are_gone_and_reports_what_it_waits_for() -> Result<()> {
    let bed = Testbed::on(ControlPlane::start().await?, ["--propagation=100ms"]).await?;
    let _controller = bed.control_plane.start_namespace_controller()?;
    let _operator = steps::hasty_operator(&bed).start().await?;
    for (name, spec) in [
        ("plain", json!({})),
        ("used", json!({})),
        ("protected", json!({ "deletionProtection": true })),
        ("kept", json!({ "deletionPolicy": "Retain" })),
    ] {
        steps::create(&bed, name, spec).await?;
        steps::ready(&bed, name).await?;
    }
    let admin = &bed.simulator.admin;
    admin.create_tenant(&NewTenant::behind("used", "shop")).await?;

    let namespaces = Api::<Namespace>::all(bed.control_plane.client().await?);
    namespaces.delete(&bed.namespace, &DeleteParams::default()).await?;
    let names = |state: &State| state.groups.iter().map(|group| group.resource.name.clone()).collect::<Vec<_>>();
    wait_until(PATIENCE, "all but the used and the protected group to be gone or released", async || {
        let state = admin.state().await.map_err(|error| error.to_string())?;
        let gone = bed.kubectl(&["get", "cfcg", "kept", "plain", "--ignore-not-found", "-o", "name"]).await;
        let gone = gone.map_err(|error| error.to_string())?;
        if names(&state) == ["used", "protected", "kept"] && gone.trim().is_empty() { Ok(()) } else { Err(gone) }
    })
    .await?;
    steps::settled(&bed, "used", "InUse").await?;
    steps::settled(&bed, "protected", "DeletionProtected").await?;
    assert!(admin.state().await?.groups.iter().all(|group| group.resource.enabled), "nothing was disabled");

    admin.delete_tenant("shop").await?;
    steps::patch(&bed, "protected", json!({ "spec": { "deletionProtection": false } })).await?;
    // Kubernetes checks again at growing intervals.
    wait_gone(&namespaces, &bed.namespace, PATIENCE * 4).await?;
    let state = admin.state().await?;
    assert_eq!(names(&state), ["kept"]);
    let tags = state.groups[0].resource.tags.clone().unwrap_or_default();
    assert!(!tags.contains_key("cloudfront.kube-operators.dev/owner"), "released: {tags:?}");
    Ok(())
}
