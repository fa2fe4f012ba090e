//! Liveness and readiness: what they depend on, and where they are answered.

use serde_json::json;
use testbed::{Launch, Operator, Process, Result, wait_until};

use crate::{steps, steps::PATIENCE};

async fn status(base: &str, path: &str) -> Result<u16> {
    Ok(reqwest::get(format!("{base}/{path}")).await?.status().as_u16())
}

#[tokio::test]
async fn health_and_metrics_are_served_at_their_own_addresses() -> Result<()> {
    let bed = steps::bed().await?;
    let operator = steps::operator(&bed).start().await?;
    for path in ["livez", "healthz", "readyz"] {
        let answer = reqwest::get(format!("{}/{path}", operator.health())).await?;
        assert_eq!((answer.status().as_u16(), answer.text().await?.as_str()), (200, "ok"), "{path}");
    }
    assert_eq!(status(operator.health(), "metrics").await?, 404);
    assert!(operator.metrics().await?.contains("connection_group_operator_build_info"));
    Ok(())
}

#[tokio::test]
async fn neither_liveness_nor_readiness_depends_on_aws() -> Result<()> {
    let bed = steps::bed().await?;
    let (folder, kubeconfig) = (bed.control_plane.folder(), bed.control_plane.kubeconfig());
    let nowhere = Operator::builder(folder, kubeconfig, "http://127.0.0.1:9");
    let operator = steps::hurried(nowhere.owner_id(&bed.namespace).watch_namespace(&bed.namespace)).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::settled(&bed, "edge", "ServiceUnavailable").await?;
    for path in ["livez", "readyz"] {
        assert_eq!(status(operator.health(), path).await?, 200, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn without_the_api_server_it_is_alive_and_not_ready() -> Result<()> {
    let bed = steps::bed().await?;
    let (folder, port) = (bed.control_plane.folder(), testbed::free_port()?);
    let kubeconfig = folder.join(format!("nowhere-{}.yaml", bed.namespace));
    let text = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "nowhere",
        "contexts": [{ "name": "nowhere", "context": { "cluster": "nowhere", "user": "nobody" } }],
        "clusters": [{ "name": "nowhere", "cluster": { "server": "https://127.0.0.1:9" } }],
        "users": [{ "name": "nobody", "user": {} }],
    });
    std::fs::write(&kubeconfig, text.to_string()).expect("the run's folder can be written to");
    let program = testbed::find("connection-group-operator")?;
    let launch = Launch::new(format!("operator-nowhere-{}", bed.namespace), program, folder)
        .args(["run", "--owner-id=o", "--metrics-addr=127.0.0.1:0", &format!("--health-addr=127.0.0.1:{port}")])
        .args(["--kubeconfig".as_ref(), kubeconfig.as_os_str()]);
    let _process = Process::start(&launch)?;
    let health = format!("http://127.0.0.1:{port}");
    let alive = async || match status(&health, "livez").await {
        Ok(200) => Ok(()),
        other => Err(format!("{other:?}")),
    };
    wait_until(PATIENCE, "it to be alive", alive).await?;
    assert_eq!(status(&health, "readyz").await?, 503);
    Ok(())
}
