//! Credentials that are missing, have expired, or must stay secret.

use cloudfront_simulator::admin::{Fault, Moment, Operation, OperationFilter};
use futures::future::join_all;
use serde_json::json;
use testbed::Result;

use crate::{journal, steps};

const SECRET_KEY: &str = "canary-secret-access-key-0123456789";
const TOKEN: &str = "canary-session-token-0123456789";

fn refusal(code: &str, message: &str) -> Fault {
    Fault::Error { status: 403, code: code.into(), message: message.into(), when: Moment::Before }
}

#[tokio::test]
async fn without_credentials_it_stays_up_and_reports_where_to_look() -> Result<()> {
    let bed = steps::bed().await?;
    let none = steps::operator(&bed).env("AWS_ACCESS_KEY_ID", "").env("AWS_SECRET_ACCESS_KEY", "");
    let mut operator = none.start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    let object = steps::settled(&bed, "edge", "CredentialsUnavailable").await?;
    let message = steps::message(&object);
    for part in ["No usable AWS credentials for ", "Check the ServiceAccount's role", "1 second to 5 minutes"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(operator.process().is_running());
    let ready = reqwest::get(format!("{}/readyz", operator.health())).await?;
    assert_eq!(ready.status(), 200);
    Ok(())
}

#[tokio::test]
async fn with_expired_credentials_it_reports_that_and_continues_with_fresh_ones() -> Result<()> {
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    let expired = refusal("ExpiredToken", "The security token included in the request is expired");
    let _operator = steps::operator(&bed).start().await?;
    let fault = admin.fault_always(OperationFilter::Any, expired).await?;
    steps::create(&bed, "edge", json!({})).await?;
    let object = steps::settled(&bed, "edge", "CredentialsUnavailable").await?;
    let message = steps::message(&object);
    assert!(message.contains("ExpiredToken"), "{message}");
    admin.delete_fault(fault).await?;
    steps::ready(&bed, "edge").await?;
    Ok(())
}

#[tokio::test]
async fn secrets_never_reach_the_log_at_any_level_in_either_format() -> Result<()> {
    let levels = ["error", "warn", "info", "debug", "trace"];
    let runs = levels.iter().flat_map(|level| [(*level, "json"), (*level, "text")]);
    for ended in join_all(runs.map(|(level, format)| secrets_stay_out(level, format))).await {
        ended?;
    }
    Ok(())
}

async fn secrets_stay_out(level: &str, format: &str) -> Result<()> {
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    admin.drop_once(Operation::CreateConnectionGroup, Moment::Before).await?;
    admin.fault_once(Operation::ListConnectionGroups, refusal("AccessDenied", "no")).await?;
    let operator = steps::operator(&bed)
        .args([format!("--log-level={level}"), format!("--log-format={format}")])
        .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .env("AWS_SESSION_TOKEN", TOKEN)
        .env("RUST_LOG", "trace");
    let operator = operator.start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    let phrases: &[&str] = match level {
        "error" => &[],
        "warn" | "info" => &["AccessDenied", "CreateConnectionGroup: "],
        _ => &["AccessDenied", "CreateConnectionGroup: ", "call answered"],
    };
    for phrase in phrases {
        journal::says(&operator, phrase).await?;
    }
    let log = journal::text(&operator);
    assert!(!log.contains(SECRET_KEY) && !log.contains(TOKEN), "{}", operator.log().display());
    Ok(())
}

#[tokio::test]
async fn a_session_token_in_an_answer_of_aws_reaches_neither_status_nor_log() -> Result<()> {
    let bed = steps::bed().await?;
    let echo = format!("The Canonical String for this request should have been 'POST x-amz-security-token:{TOKEN}'");
    bed.simulator.admin.fault_always(Operation::CreateConnectionGroup, refusal("SignatureDoesNotMatch", &echo)).await?;
    let operator = steps::operator(&bed).env("AWS_SESSION_TOKEN", TOKEN).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    let object = steps::settled(&bed, "edge", "CredentialsUnavailable").await?;
    journal::says(&operator, "SignatureDoesNotMatch").await?;
    assert!(!steps::message(&object).contains(TOKEN) && !journal::text(&operator).contains(TOKEN));
    Ok(())
}
