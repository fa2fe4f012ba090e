//! `testbed demo` on a cluster that exists already. Runs the program as `make demo CLUSTER=CONTEXT` does.

use std::error::Error;
use std::os::unix::fs::symlink;
use std::process::Output;
use std::time::Duration;

use testbed::{ControlPlane, Tool, wait_until};

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

/// As an operator that is installed while the demo runs would: with an object of its own.
#[tokio::test]
async fn what_someone_else_uses_by_the_end_of_the_demo_is_not_removed() -> Result<(), Box<dyn Error>> {
    let control_plane = ControlPlane::start().await?;
    let demo = demo(&control_plane, "testbed");
    let intruder = async {
        let object = "{apiVersion: cloudfront.kube-operators.dev/v1alpha1, kind: ConnectionGroup, metadata: {name: theirs, namespace: default, \
                      finalizers: [cloudfront.kube-operators.dev/prod]}, spec: {}}";
        let path = control_plane.folder().join("theirs.yaml");
        std::fs::write(&path, object)?;
        let path = path.to_string_lossy().into_owned();
        wait_until(Duration::from_mins(1), "the object of someone else", async || {
            control_plane.kubectl_ok(&["create", "-f", &path]).await.map_err(|error| error.to_string())
        })
        .await?;
        Ok::<_, Box<dyn Error>>(())
    };
    let (output, created) = tokio::join!(demo, intruder);
    created?;
    let says = stderr(&output?);
    assert!(says.contains("default/theirs has a finalizer that is not the demo's"), "{says}");
    let left = control_plane
        .kubectl_ok(&["get", "connectiongroup/theirs", "--output=jsonpath={.metadata.deletionTimestamp}"])
        .await?;
    assert_eq!(left, "");
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
