//! Log lines: their format, what they contain, and what they never contain.

use cloudfront_simulator::admin::{Fault, Moment, NewGroup, Operation};
use serde_json::{Value, json};
use testbed::{Result, Testbed, wait_until};

use crate::{journal, steps, steps::PATIENCE};

#[tokio::test]
async fn every_log_line_is_json_and_those_of_a_reconcile_name_the_object_and_the_call() -> Result<()> {
    let bed = steps::bed().await?;
    let operator = steps::calm_operator(&bed).args(["--log-level=debug"]).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    let created = wait_until(PATIENCE, "the line of the Create", async || {
        let is_create = |line: &Value| line["operation"] == "CreateConnectionGroup";
        journal::lines(&operator).into_iter().find(is_create).ok_or("no such line")
    })
    .await?;
    let calls = steps::calls_but_lists(&bed, 0).await?;
    let [create] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!(created["aws_request_id"], json!(create.request_id));
    let lines = journal::lines(&operator);
    let of_passes = lines.iter().filter(|line| line["reconcile_id"].is_number()).collect::<Vec<_>>();
    assert!(of_passes.len() > 1, "{lines:?}");
    for line in of_passes {
        assert_eq!((&line["namespace"], &line["name"]), (&json!(bed.namespace), &json!("edge")), "{line}");
        assert_eq!(line["generation"], 1, "{line}");
        assert_eq!(line["trace_id"], json!(null), "without traces there is none: {line}");
    }
    Ok(())
}

#[tokio::test]
async fn the_first_inventory_that_cloudfront_answers_is_one_line_with_what_was_found() -> Result<()> {
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    admin.create_group(&NewGroup::named("theirs")).await?;
    let fails = Fault::Error {
        status: 503,
        code: "ServiceUnavailable".to_owned(),
        message: String::new(),
        when: Moment::Before,
    };
    let fault = admin.fault_always(Operation::ListConnectionGroups, fails).await?;
    steps::create(&bed, "edge", json!({ "suspend": true })).await?;
    let operator = steps::hasty_operator(&bed).start().await?;
    let answers = || {
        let is_it = |line: &Value| line["message"] == "CloudFront answers";
        journal::lines(&operator).into_iter().filter(is_it).collect::<Vec<_>>()
    };
    journal::says(&operator, "could not be listed").await?;
    steps::settled(&bed, "edge", "Suspended").await?;
    assert!(answers().is_empty());
    admin.delete_fault(fault).await?;
    journal::says(&operator, "CloudFront answers").await?;
    for _ in 0..2 {
        steps::an_inventory(&bed).await?;
    }
    let [line] = &answers()[..] else { panic!("{:?}", answers()) };
    let told = ["level", "groups", "objects"].map(|field| line[field].clone());
    assert_eq!(told, [json!("INFO"), json!(1), json!(1)], "{line}");
    Ok(())
}

#[tokio::test]
async fn the_first_line_has_the_api_server_and_each_setting_in_force_as_fields_without_their_secrets() -> Result<()> {
    let bed = steps::bed().await?;
    let operator = steps::operator(&bed)
        .env("CONNECTION_GROUP_OPERATOR_RESYNC_INTERVAL", "7h")
        .args(["--otlp-endpoint=http://me:canary-password@127.0.0.1:9/?token=canary-token"])
        .start()
        .await?;
    let first = journal::lines(&operator).remove(0);
    for (field, value) in [
        ("message", json!("starting")),
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("api_server", json!(format!("{}/", server_of(&kubeconfig(&bed))))),
        ("context", json!("testbed")),
        ("watch_namespace", json!(bed.namespace)),
        ("resync_interval", json!("7h")),
        ("otlp_endpoint", json!("http://***@127.0.0.1:9/?***")),
        ("metrics_per_object", json!(false)),
    ] {
        assert_eq!(first[field], value, "{field}: {first}");
    }
    assert!(!journal::text(&operator).contains("canary"), "{first}");
    Ok(())
}

fn kubeconfig(bed: &Testbed) -> Value {
    let text = std::fs::read_to_string(bed.control_plane.kubeconfig()).expect("the kubeconfig can be read");
    serde_json::from_str(&text).expect("the testbed writes kubeconfigs as JSON")
}

fn server_of(kubeconfig: &Value) -> &str {
    kubeconfig["clusters"][0]["cluster"]["server"].as_str().expect("the cluster has a server")
}

#[tokio::test]
async fn the_context_that_is_asked_for_wins_over_the_current_one() -> Result<()> {
    let bed = steps::bed().await?;
    let mut config = kubeconfig(&bed);
    config["clusters"].as_array_mut().expect("a list").push(json!({
        "name": "elsewhere", "cluster": { "server": "https://127.0.0.1:1" },
    }));
    config["contexts"].as_array_mut().expect("a list").push(json!({
        "name": "elsewhere", "context": { "cluster": "elsewhere", "user": "admin" },
    }));
    config["current-context"] = json!("elsewhere");
    let path = bed.control_plane.folder().join(format!("{}-two-contexts.kubeconfig", bed.namespace));
    std::fs::write(&path, config.to_string()).expect("the run's folder can be written to");
    let operator = steps::operator(&bed).kubeconfig(path).args(["--context=testbed"]).start().await?;
    let first = journal::lines(&operator).remove(0);
    assert_eq!(
        (&first["context"], &first["api_server"]),
        (&json!("testbed"), &json!(format!("{}/", server_of(&config))))
    );
    Ok(())
}
