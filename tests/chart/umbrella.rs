//! The chart as a dependency of another chart.

use std::path::{Path, PathBuf};

use testbed::{ControlPlane, Error, Result};

use crate::release::{CHART, CRD};

/// The parent chart, with the operator's chart among its own as `helm dependency build` puts it there.
fn parent(control_plane: &ControlPlane) -> PathBuf {
    let parent = control_plane.folder().join("umbrella");
    let charts = parent.join("charts");
    let copy = |from: &str, to: &Path| {
        let copied = std::process::Command::new("cp").args(["-R", from]).arg(to).status();
        assert!(copied.expect("there is a cp").success());
    };
    copy("tests/chart/umbrella", &parent);
    std::fs::create_dir_all(&charts).expect("the run's folder can be written to");
    copy(CHART, &charts.join("connection-group-operator"));
    parent
}

async fn helm(control_plane: &ControlPlane, verb: &[&str], chart: &Path, values: &[&str]) -> Result<String> {
    let chart = chart.to_string_lossy();
    let mut words = [verb, &["platform", &*chart, "--namespace", "default"]].concat();
    words.extend(values.iter().flat_map(|value| ["--set", value]));
    control_plane.helm_ok(&words).await
}

#[tokio::test]
async fn from_a_parent_chart_one_value_leaves_the_user_to_the_platform_where_null_does_not() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    let parent = parent(&control_plane);
    let values = parent.join("values.yaml");
    let given = std::fs::read_to_string(&values).expect("the parent has values");
    std::fs::write(&values, given + "  podSecurityContext: { runAsUser: null }\n").expect("the copy can be written to");
    let fixed = helm(&control_plane, &["template"], &parent, &[]).await?;
    assert!(fixed.contains("runAsUser: 65532"), "Helm ignores the null: {fixed}");
    let value = "connection-group-operator.platformAssignsUser=true";
    let free = helm(&control_plane, &["template"], &parent, &[value]).await?;
    assert!(!free.contains("65532") && free.contains("runAsNonRoot: true"), "{free}");
    Ok(())
}

const WITH_OBJECT: &str = "group=true";

#[tokio::test]
async fn an_object_in_a_parent_chart_needs_the_resource_first_and_stays_when_the_release_goes() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    let parent = parent(&control_plane);
    // Helm looks up the kind of every object before it creates the first one.
    match helm(&control_plane, &["install"], &parent, &[WITH_OBJECT]).await {
        Err(Error::Command { stderr, .. }) => assert!(stderr.contains("no matches for kind"), "{stderr}"),
        other => panic!("the kind is not known yet: {other:?}"),
    }
    control_plane.kubectl_ok(&["apply", "--server-side", "-f", "crds/connectiongroups.yaml"]).await?;
    established(&control_plane).await?;
    let values = [WITH_OBJECT, "connection-group-operator.crds.enabled=false"];
    for level in ["info", "debug"] {
        let level = format!("connection-group-operator.log.level={level}");
        helm(&control_plane, &["upgrade", "--install"], &parent, &[&values[..], &[&level]].concat()).await?;
    }
    control_plane.helm_ok(&["uninstall", "platform", "--namespace", "default"]).await?;
    control_plane.kubectl_ok(&["get", "connectiongroup", "edge", "--namespace", "default"]).await?;
    Ok(())
}

#[tokio::test]
async fn an_object_can_be_added_to_a_parent_chart_once_its_release_has_brought_the_resource() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    let parent = parent(&control_plane);
    helm(&control_plane, &["install"], &parent, &[]).await?;
    established(&control_plane).await?;
    helm(&control_plane, &["upgrade"], &parent, &[WITH_OBJECT]).await?;
    control_plane.kubectl_ok(&["get", "connectiongroup", "edge", "--namespace", "default"]).await?;
    Ok(())
}

async fn established(control_plane: &ControlPlane) -> Result<()> {
    control_plane.kubectl_ok(&["wait", "--for=condition=Established", "--timeout=30s", "crd", CRD]).await.map(drop)
}
