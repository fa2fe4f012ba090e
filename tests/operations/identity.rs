//! The namespace whose uid is the identity of the installation cannot be read: the operator reports that, changes nothing, and begins once it can.

use std::path::Path;

use cloudfront_simulator::admin::Request;
use serde_json::json;
use testbed::{Launch, Process, Result, Simulator, free_port, wait_until};

use crate::cluster::{self, Cluster, PATIENCE, RELEASE};
use crate::recovery::installed;

/// An operator that may never become ready.
struct Operator {
    process: Process,
    health: String,
}

impl Operator {
    fn start(cluster: &Cluster, account: &Simulator, kubeconfig: &Path, args: &[&str]) -> Result<Self> {
        let [metrics, health] = [free_port()?, free_port()?].map(|port| format!("127.0.0.1:{port}"));
        let launch =
            Launch::new("waiting", testbed::find("connection-group-operator")?, cluster.control_plane.folder())
                .args([
                    "run",
                    "--owner-id=prod-eu",
                    "--allow-insecure-endpoint",
                    "--aws-endpoint-url",
                    account.endpoint(),
                ])
                .args([format!("--metrics-addr={metrics}"), format!("--health-addr={health}")])
                .args(["--kubeconfig".as_ref(), kubeconfig.as_os_str()])
                .args(args)
                .env("AWS_ACCESS_KEY_ID", "AKIATESTBED")
                .env("AWS_SECRET_ACCESS_KEY", "testbed");
        Ok(Self { process: Process::start(&launch)?, health: format!("http://{health}") })
    }

    async fn says(&self, phrases: &[&str]) -> Result<()> {
        wait_until(PATIENCE, &format!("a log line with {phrases:?}"), async || {
            let log = std::fs::read_to_string(self.process.log()).map_err(|error| error.to_string())?;
            let logged = log.lines().any(|line| phrases.iter().all(|phrase| line.contains(phrase)));
            if logged { Ok(()) } else { Err(log) }
        })
        .await
    }

    /// It is alive, so that it is not restarted, and not ready, so that a rollout stops.
    async fn assert_waits(&self) {
        for (path, status) in [("livez", 200), ("readyz", 503)] {
            let answer = reqwest::get(format!("{}/{path}", self.health)).await.expect("it answers");
            assert_eq!(answer.status(), status, "{path}");
        }
    }
}

/// An installation whose operator is gone, with an object that needs a reconcile.
async fn with_work_to_do() -> Result<(Cluster, Simulator, u64)> {
    let (mut cluster, account) = installed().await?;
    cluster.settled("platform", "edge", "Deployed").await?;
    cluster.operator = None;
    cluster.patch("platform", "edge", json!({ "spec": { "ipv6Enabled": false } })).await?;
    let since = cluster::now(&account).await?;
    Ok((cluster, account, since))
}

#[tokio::test]
async fn without_permission_to_read_its_identity_it_reports_that_does_nothing_and_begins_once_it_has_it() -> Result<()>
{
    let (mut cluster, account, since) = with_work_to_do().await?;
    let binding = cluster
        .run("kubectl get rolebinding -n kube-system -o name -l app.kubernetes.io/name=connection-group-operator")
        .await?;
    let name = binding.trim().rsplit('/').next().unwrap_or_default();
    cluster.run(&format!("kubectl delete rolebinding {name} -n kube-system")).await?;
    let kubeconfig = cluster.control_plane.kubeconfig_of(RELEASE, RELEASE).await?;

    let mut operator = Operator::start(&cluster, &account, &kubeconfig, &[])?;
    let says = [
        "ERROR",
        "cannot be read",
        "forbidden",
        "Nothing is done until it is known",
        "the right to get that one namespace",
    ];
    operator.says(&says).await?;
    operator.assert_waits().await;
    assert!(account.admin.requests(since).await?.is_empty(), "not even a list");

    let right =
        format!("kubectl create rolebinding {name} -n kube-system --role={name} --serviceaccount={RELEASE}:{RELEASE}");
    cluster.run(&right).await?;
    cluster.settled("platform", "edge", "Deployed").await?;
    let writes = cluster::writes(&account, since).await?;
    assert!(matches!(writes[..], [Request::UpdateConnectionGroup(_)]), "{writes:?}");
    assert!(operator.process.is_running(), "it is the same process");
    Ok(())
}

#[tokio::test]
async fn without_the_namespace_of_its_identity_it_reports_that_does_nothing_and_begins_once_it_exists() -> Result<()> {
    let (mut cluster, account, since) = with_work_to_do().await?;
    let kubeconfig = cluster.control_plane.kubeconfig().to_owned();
    let args = ["--identity-namespace=not-there-yet"];
    let mut operator = Operator::start(&cluster, &account, &kubeconfig, &args)?;
    operator.says(&["ERROR", "not-there-yet", "there is no such namespace", "--identity-namespace"]).await?;
    operator.assert_waits().await;
    assert!(account.admin.requests(since).await?.is_empty(), "not even a list");

    cluster.run("kubectl create namespace not-there-yet").await?;
    let uid = cluster.run("kubectl get namespace not-there-yet -o jsonpath='{.metadata.uid}'").await?;
    operator.says(&["the identity of this installation was read", &uid]).await?;
    cluster.settled("platform", "edge", "AnotherInstallation").await?;
    assert_eq!(cluster::writes(&account, since).await?, [], "the group has the identity of kube-system");
    assert!(operator.process.is_running(), "it is the same process");
    Ok(())
}
