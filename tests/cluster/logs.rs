//! Log lines: their format, what they contain, and what they never contain.

use serde_json::json;
use testbed::{Result, wait_until};

use crate::{journal, steps, steps::PATIENCE};

#[tokio::test]
async fn every_log_line_is_json_and_those_of_a_reconcile_name_the_object_and_the_call() -> Result<()> {
    let bed = steps::bed().await?;
    let operator = steps::calm_operator(&bed).args(["--log-level=debug"]).start().await?;
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
async fn the_settings_in_force_are_logged_without_their_secrets() -> Result<()> {
    let bed = steps::bed().await?;
    let operator = steps::operator(&bed)
        .env("CONNECTION_GROUP_OPERATOR_RESYNC_INTERVAL", "7h")
        .args(["--otlp-endpoint=http://me:canary-password@127.0.0.1:9/?token=canary-token"])
        .start()
        .await?;
    let starting = journal::lines(&operator).into_iter().find(|line| line["message"] == "starting");
    let args = starting.expect("the first line")["args"].to_string();
    for part in [bed.namespace.as_str(), "resync_interval: 25200s", "***@127.0.0.1:9", "metrics_per_object: false"] {
        assert!(args.contains(part), "{part}: {args}");
    }
    assert!(!journal::text(&operator).contains("canary"), "{args}");
    Ok(())
}
