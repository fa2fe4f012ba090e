//! The binary as administrators use it: flags, variables, exit codes.

use std::net::TcpListener;
use std::process::Output;

use serde_json::json;
use testbed::{Launch, Process, Result};

use crate::{steps, steps::PATIENCE};

/// Runs the binary until it ends, with no environment.
async fn run(args: &[&str]) -> Result<Output> {
    let mut command = tokio::process::Command::new(testbed::find("connection-group-operator")?);
    let ended = command.args(args).env_clear().kill_on_drop(true).output();
    Ok(tokio::time::timeout(PATIENCE, ended).await.expect("it ends by itself").expect("the binary runs"))
}

#[tokio::test]
async fn a_setting_that_prevents_the_start_is_named_on_stderr_and_the_exit_code_is_not_zero() -> Result<()> {
    let bed = steps::bed().await?;
    let kubeconfig = bed.control_plane.kubeconfig().to_string_lossy();
    let taken = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let taken = taken.local_addr().map(|addr| (taken, addr.to_string())).expect("it has an address");
    let (plain, free) = ("--aws-endpoint-url=http://127.0.0.1:1", "127.0.0.1:0");
    for (args, named) in [
        (&["run"][..], "--owner-id"),
        (&["run", "--owner-id", "o", "--aws-rate", "0"], "--aws-rate"),
        (&["run", "--owner-id", "o", plain], "--allow-insecure-endpoint"),
        (&["run", "--owner-id", "o", "--kubeconfig", "/does/not/exist"], "--kubeconfig"),
        (&["run", "--owner-id", "o", "--kubeconfig", "/does/not/exist"], "/does/not/exist"),
        (&["run", "--owner-id", "o", "--kubeconfig", &kubeconfig, "--context", "nowhere"], "nowhere"),
        (&["run", "--owner-id", "o", "--context", "testbed"], "--context testbed needs a kubeconfig"),
        (&["run", "--owner-id", "o"], "Set --kubeconfig"),
        (&["run", "--owner-id", "o", "--kubeconfig", &kubeconfig, "--metrics-addr", &taken.1], "--metrics-addr"),
        (&["run", "--owner-id", "o", "--kubeconfig", &kubeconfig, "--metrics-addr", &taken.1], &taken.1),
        (
            &["run", "--owner-id", "o", "--kubeconfig", &kubeconfig, "--metrics-addr", free, "--health-addr", &taken.1],
            "--health-addr",
        ),
        (&["run", "--owner-id", "o", "--otlp-endpoint", "collector:4317"], "--otlp-endpoint"),
    ] {
        let output = run(args).await?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{args:?}");
        assert!(stderr.contains(named), "{args:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
    }
    Ok(())
}

#[tokio::test]
async fn it_prints_its_version() -> Result<()> {
    let output = run(&["--version"]).await?;
    let expected = format!("connection-group-operator {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    assert!(output.status.success());
    Ok(())
}

#[tokio::test]
async fn every_setting_can_come_from_the_environment() -> Result<()> {
    let bed = steps::bed().await?;
    let (plane, port) = (&bed.control_plane, testbed::free_port()?);
    let program = testbed::find("connection-group-operator")?;
    let name = format!("operator-by-environment-{}", bed.namespace);
    let mut launch = Launch::new(name, program, plane.folder()).args(["run"]);
    for (variable, value) in [
        ("CONNECTION_GROUP_OPERATOR_OWNER_ID", "from-environment"),
        ("CONNECTION_GROUP_OPERATOR_WATCH_NAMESPACE", &bed.namespace),
        ("CONNECTION_GROUP_OPERATOR_AWS_ENDPOINT_URL", bed.simulator.endpoint()),
        ("CONNECTION_GROUP_OPERATOR_ALLOW_INSECURE_ENDPOINT", "true"),
        ("CONNECTION_GROUP_OPERATOR_METRICS_ADDR", "127.0.0.1:0"),
        ("CONNECTION_GROUP_OPERATOR_HEALTH_ADDR", &format!("127.0.0.1:{port}")),
        ("CONNECTION_GROUP_OPERATOR_INVENTORY_INTERVAL", "1s"),
        ("CONNECTION_GROUP_OPERATOR_INVENTORY_INTERVAL_ACTIVE", "200ms"),
        ("CONNECTION_GROUP_OPERATOR_LOG_FORMAT", "text"),
        ("KUBECONFIG", &plane.kubeconfig().to_string_lossy()),
        ("AWS_ACCESS_KEY_ID", "AKIATESTBED"),
        ("AWS_SECRET_ACCESS_KEY", "testbed"),
    ] {
        launch = launch.env(variable, value);
    }
    let process = Process::start(&launch)?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    let group = bed.simulator.admin.group("edge").await?.expect("the group exists");
    let owner = group.resource.tags.and_then(|tags| tags.get("cloudfront.kube-operators.dev/owner").cloned());
    assert_eq!(owner, Some(format!("from-environment/{}/edge", bed.namespace)));
    assert!(reqwest::get(format!("http://127.0.0.1:{port}/readyz")).await?.status().is_success());
    let log = std::fs::read_to_string(process.log()).expect("the log can be read");
    assert!(log.lines().next().is_some_and(|line| !line.starts_with('{') && line.contains("starting")), "{log}");
    Ok(())
}
