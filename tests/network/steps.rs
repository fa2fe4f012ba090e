//! The steps that tests consist of. In: a test bed. Out: an operator that lists the account often, objects, and what its log says. Talks to kube-apiserver and
//! to the simulator's admin path.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use connection_group_operator::api::{ConnectionGroup, condition};
use testbed::{Launch, Operator, OperatorBuilder, Process, Result, Testbed, find, wait_for, wait_until};

/// For what takes a second or two on an idle machine.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// A bed whose CloudFront rolls changes out at once.
pub async fn bed() -> Result<Testbed> {
    Testbed::start(["--propagation=100ms"]).await
}

/// An operator that lists the account often, and expects CloudFront at this endpoint; not started yet.
pub fn operator(bed: &Testbed, endpoint: &str) -> OperatorBuilder {
    Operator::builder(bed.control_plane.folder(), bed.control_plane.kubeconfig(), endpoint)
        .owner_id(&bed.namespace)
        .watch_namespace(&bed.namespace)
        .args(["--inventory-interval=1s", "--inventory-interval-active=200ms", "--aws-rate=100", "--aws-burst=100"])
}

/// A process that is not waited for, with an HTTP address of its own; it works on the bed's objects.
pub fn process(
    bed: &Testbed,
    kubeconfig: &Path,
    endpoint: &str,
    health: &str,
    env: &[(&str, &str)],
) -> Result<Process> {
    let name = format!("process-{}-{}", bed.namespace, health.rsplit(':').next().unwrap_or_default());
    let mut launch = Launch::new(name, find("connection-group-operator")?, bed.control_plane.folder())
        .args(["run", "--owner-id", &bed.namespace, "--watch-namespace", &bed.namespace])
        .args(["--inventory-interval=1s", "--inventory-interval-active=200ms", "--aws-rate=100", "--aws-burst=100"])
        .args(["--allow-insecure-endpoint", "--metrics-addr=127.0.0.1:0"])
        .args([format!("--health-addr={health}"), format!("--kubeconfig={}", kubeconfig.display())])
        .args(["--aws-endpoint-url", endpoint])
        .env("AWS_ACCESS_KEY_ID", "AKIATESTBED")
        .env("AWS_SECRET_ACCESS_KEY", "testbed");
    for (name, value) in env {
        launch = launch.env(*name, *value);
    }
    Process::start(&launch)
}

/// Creates an object, and waits until its group exists and is rolled out.
pub async fn works(bed: &Testbed) -> Result<()> {
    create(bed).await?;
    settled(bed, "Deployed").await.map(drop)
}

/// Creates the object `edge`.
pub async fn create(bed: &Testbed) -> Result<()> {
    let object =
        "{apiVersion: cloudfront.kube-operators.dev/v1alpha1, kind: ConnectionGroup, metadata: {name: edge}, spec: {}}";
    bed.apply(object).await.map(drop)
}

/// Waits until the object `edge` is in the state that has this reason, and returns its message.
pub async fn settled(bed: &Testbed, reason: &str) -> Result<String> {
    let ready = |object: &ConnectionGroup| {
        let conditions = object.status.as_ref().map(|status| status.conditions.clone()).unwrap_or_default();
        condition(&conditions, "Ready").cloned()
    };
    let met = |object: &ConnectionGroup| ready(object).is_some_and(|ready| ready.reason == reason);
    let object = wait_for(&bed.api().await?, "edge", PATIENCE, &format!("edge to be {reason}"), met).await?;
    Ok(ready(&object).map(|ready| ready.message).unwrap_or_default())
}

/// The access keys with which calls were signed so far.
pub async fn keys(bed: &Testbed) -> Result<BTreeSet<String>> {
    Ok(bed.simulator.admin.requests(0).await?.into_iter().filter_map(|call| call.access_key_id).collect())
}

/// Waits until a call was signed with this key.
pub async fn signs_with(bed: &Testbed, access_key_id: &str) -> Result<()> {
    wait_until(PATIENCE, &format!("calls signed with {access_key_id}"), async || {
        let keys = keys(bed).await.map_err(|error| error.to_string())?;
        if keys.contains(access_key_id) { Ok(()) } else { Err(format!("{keys:?}")) }
    })
    .await
}

/// Waits until the log of a process holds this text that often.
pub async fn says(log: &Path, what: &str, times: usize) -> Result<()> {
    wait_until(PATIENCE, what, async || {
        let text = text(log);
        if text.matches(what).count() >= times { Ok(()) } else { Err(text) }
    })
    .await
}

/// What a process has written so far.
pub fn text(log: &Path) -> String {
    std::fs::read_to_string(log).expect("the log can be read")
}

/// Where the simulator listens.
pub fn address(bed: &Testbed) -> SocketAddr {
    bed.simulator.endpoint().trim_start_matches("http://").parse().expect("an address")
}

/// Writes a file beside the logs.
pub fn file(bed: &Testbed, name: &str, content: &str) -> PathBuf {
    let path = bed.control_plane.folder().join(format!("{}-{name}", bed.namespace));
    std::fs::write(&path, content).expect("the run's folder can be written to");
    path
}

/// A copy of the admin's kubeconfig with other values in its cluster and its user.
pub fn kubeconfig(bed: &Testbed, cluster: &[(&str, &str)], user: Option<serde_json::Value>) -> PathBuf {
    let mut config: serde_json::Value =
        serde_json::from_str(&text(bed.control_plane.kubeconfig())).expect("the kubeconfig is JSON");
    for (key, value) in cluster {
        config["clusters"][0]["cluster"][*key] = (*value).into();
    }
    if let Some(user) = user {
        config["users"][0]["user"] = user;
    }
    file(bed, "kubeconfig", &config.to_string())
}
