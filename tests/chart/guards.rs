//! The admission policies of the chart: the refusal to delete something protected states the reason, and how to delete it anyway.

use serde_json::json;
use testbed::{ControlPlane, Error, Result, wait_until};

use crate::release::{CRD, PATIENCE, Release, create_namespace};

/// kubectl's output when it is refused. Policies take a moment to become effective; a dry run does no harm until then.
async fn refusal(control_plane: &ControlPlane, words: &[&str]) -> Result<String> {
    let words = [words, &["--dry-run=server"]].concat();
    wait_until(PATIENCE, "to be refused", async || match control_plane.kubectl_ok(&words).await {
        Err(Error::Command { stderr, .. }) if stderr.contains("Forbidden") || stderr.contains("forbidden") => {
            Ok(stderr)
        }
        other => Err(format!("{other:?}")),
    })
    .await
}

#[tokio::test]
async fn a_protected_object_is_not_deleted_while_it_is_protected() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    let _release = Release::install(&control_plane, "guards", &["ownerId=guards".to_owned()]).await?;
    create_namespace(&control_plane, "tenant", &[]).await?;
    for (name, protected) in [("edge", true), ("spare", false)] {
        let manifest = json!({
            "apiVersion": "cloudfront.kube-operators.dev/v1alpha1",
            "kind": "ConnectionGroup",
            "metadata": { "name": name, "namespace": "tenant" },
            "spec": { "deletionProtection": protected },
        });
        let path = control_plane.folder().join(format!("{name}.json"));
        std::fs::write(&path, manifest.to_string()).expect("the manifest can be written");
        control_plane.kubectl_ok(&["create", "-f", &path.to_string_lossy()]).await?;
    }
    let delete = ["delete", "connectiongroup", "edge", "--namespace", "tenant"];
    let refused = refusal(&control_plane, &delete).await?;
    for part in ["tenant/edge", "deletionProtection"] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    let all = ["delete", "connectiongroups", "--all", "--namespace", "tenant"];
    assert!(control_plane.kubectl_ok(&all).await.is_err(), "one of them is protected");
    let left = control_plane.kubectl_ok(&["get", "cfcg", "--namespace", "tenant", "-o", "name"]).await?;
    assert_eq!(left.trim(), "connectiongroup.cloudfront.kube-operators.dev/edge");

    let unprotect = ["patch", "cfcg", "edge", "--namespace", "tenant", "--type=merge"];
    let unprotect = [&unprotect[..], &["-p", r#"{"spec":{"deletionProtection":false}}"#]].concat();
    control_plane.kubectl_ok(&unprotect).await?;
    control_plane.kubectl_ok(&delete).await?;
    Ok(())
}

#[tokio::test]
async fn the_crd_with_all_its_objects_is_not_deleted_unless_its_annotation_allows_it() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    let release = Release::install(&control_plane, "guards", &["ownerId=guards".to_owned()]).await?;
    let refused = refusal(&control_plane, &["delete", "crd", CRD]).await?;
    let command = refused.split("first run: ").nth(1).and_then(|rest| rest.lines().next());
    let command = command.unwrap_or_else(|| panic!("the command that allows it is not named: {refused}"));
    let words: Vec<_> = command.split_whitespace().skip(1).collect();
    // Other definitions are not affected.
    assert!(
        release.control_plane.kubectl_ok(&["delete", "crd", "others.example.com", "--ignore-not-found"]).await.is_ok()
    );

    // Uninstalling keeps the definition, and with it the objects.
    control_plane.helm_ok(&["uninstall", release.name, "--namespace", release.namespace]).await?;
    control_plane.kubectl_ok(&["get", "crd", CRD]).await?;
    release.helm("install", &["ownerId=guards".to_owned()]).await?;
    refusal(&control_plane, &["delete", "crd", CRD]).await?;
    control_plane.kubectl_ok(&words).await?;
    control_plane.kubectl_ok(&["delete", "crd", CRD]).await?;
    Ok(())
}
