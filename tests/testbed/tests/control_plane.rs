//! The control plane is a real one. Starts etcd and kube-apiserver; talks to them.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use testbed::{ControlPlane, Error, wait_until};

#[tokio::test]
async fn it_answers_kubectl_and_a_client_and_refuses_anyone_without_permission() -> testbed::Result<()> {
    let control_plane = ControlPlane::shared().await?;
    let kubectl = control_plane.kubectl_ok(&["version", "-o", "json"]).await?;
    let versions: serde_json::Value = serde_json::from_str(&kubectl).unwrap_or_default();
    assert_eq!(versions["serverVersion"]["gitVersion"], versions["clientVersion"]["gitVersion"], "{kubectl}");

    let version = control_plane.client().await?.apiserver_version().await?;
    assert_eq!(version.git_version, versions["serverVersion"]["gitVersion"].as_str().unwrap_or_default());

    control_plane.kubectl_ok(&["create", "serviceaccount", "nobody"]).await?;
    let kubeconfig = control_plane.kubeconfig_of("default", "nobody").await?;
    let kubeconfig = kubeconfig.to_string_lossy();
    let refused = control_plane.kubectl_ok(&["--kubeconfig", &kubeconfig, "get", "pods"]).await;
    let Err(Error::Command { stderr, .. }) = refused else { panic!("not refused: {refused:?}") };
    assert!(stderr.contains("system:serviceaccount:default:nobody"), "{stderr}");
    let audited = control_plane.audited("default", "nobody")?;
    let asked = audited.iter().find(|request| request.resource == "pods").map(|request| (&*request.verb, request.code));
    assert_eq!(asked, Some(("list", 403)));
    Ok(())
}

#[tokio::test]
async fn a_restart_keeps_objects_and_address_and_a_pause_ends() -> testbed::Result<()> {
    let control_plane = ControlPlane::start().await?;
    let maps = || async { Ok::<_, Error>(Api::<ConfigMap>::default_namespaced(control_plane.client().await?)) };
    let metadata = ObjectMeta { name: Some("kept".to_owned()), ..Default::default() };
    let created = maps().await?.create(&PostParams::default(), &ConfigMap { metadata, ..Default::default() }).await?;

    control_plane.restart_api_server().await?;
    assert_eq!(maps().await?.get("kept").await?.metadata.uid, created.metadata.uid);

    control_plane.pause_api_server().await?;
    let start = Instant::now();
    let paused = maps().await?;
    let unanswered = wait_until(Duration::from_secs(1), "an answer", async || paused.get("kept").await).await;
    assert!(matches!(unanswered, Err(Error::Timeout { .. })), "{unanswered:?}");
    assert!(start.elapsed() < Duration::from_secs(3));
    control_plane.resume_api_server().await?;
    let name = paused.get("kept").await?.metadata.name;
    assert_eq!(name.as_deref(), Some("kept"));
    Ok(())
}
