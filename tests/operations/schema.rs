//! The `CustomResourceDefinition` is missing, or older than the operator: it reports that, continues by itself once that is corrected, and harms nothing.

use std::time::Duration;

use connection_group_operator::api::{self, ConnectionGroup, condition};
use serde_json::{Value, json};
use testbed::{Launch, Operator, Process, Result, free_port, wait_for, wait_gone, wait_until};

use crate::cluster::{self, Cluster, PATIENCE, hurried};

#[tokio::test]
async fn without_the_crd_it_is_alive_reports_what_is_missing_and_begins_once_it_exists() -> Result<()> {
    let (Cluster { control_plane, .. }, account) = Cluster::start().await?;
    let ports = [free_port()?, free_port()?];
    let [metrics, health] = ports.map(|port| format!("http://127.0.0.1:{port}"));
    let launch = Launch::new("operator", testbed::find("connection-group-operator")?, control_plane.folder())
        .args(["run", "--owner-id=o", "--allow-insecure-endpoint", "--aws-endpoint-url", account.endpoint()])
        .args([format!("--metrics-addr=127.0.0.1:{}", ports[0]), format!("--health-addr=127.0.0.1:{}", ports[1])])
        .args(["--kubeconfig".as_ref(), control_plane.kubeconfig().as_os_str()])
        .env("AWS_ACCESS_KEY_ID", "AKIATESTBED")
        .env("AWS_SECRET_ACCESS_KEY", "testbed");
    let mut operator = Process::start(&launch)?;
    let status = async |path: &str| match reqwest::get(format!("{health}/{path}")).await {
        Ok(answer) => Ok(answer.status().as_u16()),
        Err(error) => Err(error.to_string()),
    };
    wait_until(PATIENCE, "the missing definition to be counted", async || {
        let answer = reqwest::get(format!("{metrics}/metrics")).await.map_err(|error| error.to_string())?;
        let text = answer.text().await.map_err(|error| error.to_string())?;
        let counted = r#"connection_group_operator_watch_failures_total{reason="NotServed"} "#;
        let count = text.lines().find_map(|line| line.strip_prefix(counted)).unwrap_or("0");
        if count == "0" { Err(count.to_owned()) } else { Ok(()) }
    })
    .await?;
    let log = std::fs::read_to_string(launch.log()).expect("there is a log");
    assert!(log.contains("install the CustomResourceDefinition"), "{log}");
    assert_eq!((status("livez").await, status("readyz").await), (Ok(200), Ok(503)));

    control_plane.install_crds().await?;
    wait_until(PATIENCE, "it to be ready", async || match status("readyz").await {
        Ok(200) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    assert!(operator.is_running(), "it is the same process");
    let log = std::fs::read_to_string(launch.log()).expect("there is a log");
    assert_eq!(log.matches("ConnectionGroup objects can be read now").count(), 1, "{log}");
    Ok(())
}

/// The definition without some fields of spec and status.
fn older() -> Value {
    let mut definition = serde_json::to_value(api::crd()).expect("a definition is JSON");
    let properties = &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
    for (part, field) in [("spec", "deletionProtection"), ("status", "isDefault"), ("status", "blockedBy")] {
        let fields = properties[part]["properties"].as_object_mut().expect("an object");
        assert!(fields.remove(field).is_some(), "{part} has a field {field}");
        // The rules that this version did not have either.
        if let Some(rules) = properties[part]["x-kubernetes-validations"].as_array_mut() {
            rules.retain(|rule| rule["rule"] != format!("has(self.{field})"));
        }
    }
    definition
}

#[tokio::test]
async fn with_an_older_crd_it_reports_which_fields_are_lost_keeps_the_group_in_sync_and_notices_the_upgrade()
-> Result<()> {
    let (mut cluster, account) = Cluster::start().await?;
    let path = cluster.control_plane.folder().join("older.json");
    std::fs::write(&path, older().to_string()).expect("the run's folder can be written to");
    let name = "connectiongroups.cloudfront.kube-operators.dev";
    cluster
        .run(&format!(
            "kubectl apply --server-side -f {}; kubectl wait --for=condition=Established --timeout=1m crd/{name}",
            path.display()
        ))
        .await?;
    let (folder, kubeconfig) = (cluster.control_plane.folder(), cluster.control_plane.kubeconfig());
    let operator = hurried(Operator::builder(folder, kubeconfig, account.endpoint())).start().await?;
    cluster.run("kubectl create namespace platform; kubectl apply -f examples/connection-group.yaml").await?;

    let objects = cluster.objects("platform").await?;
    let outdated = |object: &ConnectionGroup| told(object).is_some_and(|message| message.contains("status.isDefault"));
    wait_for(&objects, "edge", PATIENCE, "the condition SchemaOutdated", outdated).await?;
    cluster.settled("platform", "edge", "Deployed").await?;
    let log = std::fs::read_to_string(operator.log()).expect("there is a log");
    assert!(log.contains("drops status.isDefault"), "{log}");
    let metrics = operator.metrics().await?;
    let counted = r#"status_conditions{reason="SchemaOutdated",status="True",type="SchemaOutdated"} 1"#;
    assert!(metrics.contains(counted), "{metrics}");

    cluster.patch("platform", "edge", json!({ "spec": { "ipv6Enabled": false } })).await?;
    cluster.settled("platform", "edge", "Deployed").await?;
    assert!(!cluster::group(&account, "edge").await?.resource.ipv6_enabled);
    let version = objects.get("edge").await?.metadata.resource_version;
    cluster.look_now("platform", "edge", "1").await?;
    let handled = |object: &ConnectionGroup| {
        object.status.as_ref().is_some_and(|status| status.last_handled_reconcile_at.as_deref() == Some("1"))
    };
    let looked = wait_for(&objects, "edge", PATIENCE, "a reconcile", handled).await?;
    assert_ne!(looked.metadata.resource_version, version);
    assert!(told(&looked).is_some(), "it is still reported");

    // The documented way to upgrade it.
    cluster.run("kubectl apply --server-side --force-conflicts -f crds/connectiongroups.yaml").await?;
    cluster.look_now("platform", "edge", "2").await?;
    let healed = |object: &ConnectionGroup| told(object).is_none();
    wait_for(&objects, "edge", Duration::from_mins(1), "the condition to go", healed).await?;
    assert_eq!(objects.get("edge").await?.status.and_then(|status| status.is_default), Some(false));
    cluster.run("kubectl -n platform delete connectiongroup/edge --timeout=1m").await?;
    wait_gone(&objects, "edge", PATIENCE).await?;
    assert!(account.admin.state().await?.groups.is_empty());
    Ok(())
}

fn told(object: &ConnectionGroup) -> Option<&str> {
    let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    condition(conditions, "SchemaOutdated").map(|told| told.message.as_str())
}
