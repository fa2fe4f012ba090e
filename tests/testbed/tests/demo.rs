//! `testbed demo` on a cluster that exists already. Runs the program as `make demo CLUSTER=CONTEXT` does.

use std::error::Error;
use std::os::unix::fs::symlink;
use std::process::Output;

use testbed::{ControlPlane, Tool};

/// Without the folders of Go and of this repository's tools: nothing of Kubernetes can be built.
async fn demo(control_plane: &ControlPlane, context: &str) -> Result<Output, Box<dyn Error>> {
    let bin = control_plane.folder().join("bin");
    if !bin.exists() {
        std::fs::create_dir(&bin)?;
        symlink(control_plane.tools().path(Tool::Kubectl), bin.join("kubectl"))?;
    }
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_testbed"));
    command.args(["demo", "--context", context]).env_clear().env("PATH", &bin).env("HOME", control_plane.folder());
    Ok(command.env("KUBECONFIG", control_plane.kubeconfig()).kill_on_drop(true).output().await?)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn the_demo_runs_on_a_cluster_that_exists_and_leaves_it_as_it_was() -> Result<(), Box<dyn Error>> {
    let control_plane = ControlPlane::start().await?;
    let _namespaces = control_plane.start_namespace_controller()?;
    let output = demo(&control_plane, "testbed").await?;
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}{}", stderr(&output));
    assert!(shown.contains("That was all"), "{shown}");
    let left = control_plane.kubectl_ok(&["get", "customresourcedefinitions", "--output=name"]).await?;
    assert_eq!(left, "");
    control_plane.kubectl_ok(&["wait", "--for=delete", "namespace/platform", "--timeout=60s"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_cluster_with_the_custom_resource_or_an_unknown_context_is_refused_and_nothing_is_touched()
-> Result<(), Box<dyn Error>> {
    let control_plane = ControlPlane::start().await?;
    control_plane.install_crds().await?;
    let output = demo(&control_plane, "testbed").await?;
    let says = stderr(&output);
    assert!(
        !output.status.success() && says.contains("has the CustomResourceDefinition") && says.contains("already"),
        "{says}"
    );
    control_plane.kubectl_ok(&["get", "crd", "connectiongroups.cloudfront.kube-operators.dev"]).await?;

    let says = stderr(&demo(&control_plane, "nowhere").await?);
    assert!(says.contains("no usable context nowhere") && says.contains("its contexts: testbed"), "{says}");
    Ok(())
}
