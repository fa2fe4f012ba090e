//! The binary as its operators meet it: flags, variables, exit codes, log lines, health and metrics.

use std::net::TcpListener;
use std::process::Output;

use cloudfront_simulator::admin::Operation;
use serde_json::json;
use testbed::{Launch, Process, Result, wait_until};

use crate::{journal, steps, steps::PATIENCE};

/// Runs the binary until it ends, with no environment.
async fn run(args: &[&str]) -> Result<Output> {
    let mut command = tokio::process::Command::new(testbed::find("connection-group-operator")?);
    let ended = command.args(args).env_clear().kill_on_drop(true).output();
    Ok(tokio::time::timeout(PATIENCE, ended).await.expect("it ends by itself").expect("the binary runs"))
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("there is a free port").port()
}

#[tokio::test]
async fn what_it_cannot_start_with_is_named_on_stderr_and_the_exit_code_is_not_zero() -> Result<()> {
    let bed = steps::bed().await?;
    let kubeconfig = bed.control_plane.kubeconfig().to_string_lossy();
    let taken = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let taken = taken.local_addr().map(|addr| (taken, addr.to_string())).expect("it has an address");
    let plain = "--aws-endpoint-url=http://127.0.0.1:1";
    for (args, named) in [
        (&["run"][..], "--owner-id"),
        (&["run", "--owner-id", "o", "--aws-rate", "0"], "--aws-rate"),
        (&["run", "--owner-id", "o", plain], "--allow-insecure-endpoint"),
        (&["run", "--owner-id", "o", "--kubeconfig", "/does/not/exist"], "--kubeconfig"),
        (&["run", "--owner-id", "o", "--kubeconfig", "/does/not/exist"], "/does/not/exist"),
        (&["run", "--owner-id", "o", "--kubeconfig", &kubeconfig, "--http-addr", &taken.1], "--http-addr"),
        (&["run", "--owner-id", "o", "--kubeconfig", &kubeconfig, "--http-addr", &taken.1], &taken.1),
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
async fn it_tells_its_version() -> Result<()> {
    let output = run(&["--version"]).await?;
    let expected = format!("connection-group-operator {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    assert!(output.status.success());
    Ok(())
}

#[tokio::test]
async fn every_setting_can_come_from_the_environment() -> Result<()> {
    let bed = steps::bed().await?;
    let (plane, port) = (&bed.control_plane, free_port());
    let program = testbed::find("connection-group-operator")?;
    let name = format!("operator-by-environment-{}", bed.namespace);
    let mut launch = Launch::new(name, program, plane.folder()).args(["run"]);
    for (variable, value) in [
        ("CONNECTION_GROUP_OPERATOR_OWNER_ID", "from-environment"),
        ("CONNECTION_GROUP_OPERATOR_WATCH_NAMESPACE", &bed.namespace),
        ("CONNECTION_GROUP_OPERATOR_AWS_ENDPOINT_URL", bed.simulator.endpoint()),
        ("CONNECTION_GROUP_OPERATOR_ALLOW_INSECURE_ENDPOINT", "true"),
        ("CONNECTION_GROUP_OPERATOR_HTTP_ADDR", &format!("127.0.0.1:{port}")),
        ("CONNECTION_GROUP_OPERATOR_SWEEP_INTERVAL", "1s"),
        ("CONNECTION_GROUP_OPERATOR_SWEEP_INTERVAL_ACTIVE", "200ms"),
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

#[tokio::test]
async fn health_is_answered_and_metrics_count_passes_and_calls() -> Result<()> {
    let bed = steps::bed().await?;
    let operator = steps::operator(&bed).start().await?;
    for path in ["livez", "readyz"] {
        let answer = reqwest::get(format!("{}/{path}", operator.address())).await?;
        assert_eq!((answer.status().as_u16(), answer.text().await?.as_str()), (200, "ok"), "{path}");
    }
    let create = r#"aws_api_calls_total{error_code="",operation="CreateConnectionGroup",service="CloudFront"} 1"#;
    let ready = r#"connection_group_operator_objects{ready="True",reason="Deployed"} 1"#;
    let passes = r#"controller_runtime_reconcile_total{controller="connectiongroup",result="success"} "#;
    let counted = async || -> Result<u32> {
        let metrics = operator.metrics().await?;
        Ok(metrics.lines().find_map(|line| line.strip_prefix(passes)?.parse().ok()).expect("passes are counted"))
    };
    let before = counted().await?;
    assert!(!operator.metrics().await?.contains(create));
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    wait_until(PATIENCE, "metrics that moved", async || {
        let metrics = operator.metrics().await.map_err(|error| error.to_string())?;
        if metrics.contains(create) && metrics.contains(ready) { Ok(()) } else { Err(metrics) }
    })
    .await?;
    assert!(counted().await? > before);
    let calls = bed.simulator.admin.requests(0).await?;
    assert!(steps::operations(&calls).contains(&Operation::ListConnectionGroups));
    let lists = r#"aws_api_call_duration_seconds_count{operation="ListConnectionGroups",service="CloudFront"} "#;
    assert!(operator.metrics().await?.contains(lists));
    Ok(())
}

#[tokio::test]
async fn every_log_line_is_json_and_those_of_a_pass_say_which_object_and_which_call() -> Result<()> {
    let bed = steps::bed().await?;
    let operator = steps::operator(&bed).args(["--log-level=debug"]).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    let created = wait_until(PATIENCE, "the line of the Create", async || {
        let is_create = |line: &serde_json::Value| line["operation"] == "CreateConnectionGroup";
        journal::lines(&operator).into_iter().find(is_create).ok_or("no such line")
    })
    .await?;
    let calls = steps::calls_but_lists(&bed, 0).await?;
    let [create] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!(created["aws_request_id"], json!(create.request_id));
    for line in journal::lines(&operator).iter().filter(|line| line["span"].is_object()) {
        let span = &line["span"];
        assert_eq!((&span["namespace"], &span["object"]), (&json!(bed.namespace), &json!("edge")), "{line}");
        assert!(span["reconcile_id"].is_string() || span["reconcile_id"].is_number(), "{line}");
        assert_eq!(span["generation"], 1, "{line}");
    }
    Ok(())
}
