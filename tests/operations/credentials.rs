//! Where credentials come from on EKS: a web identity that STS exchanges (IRSA), or an agent on the node (Pod Identity). A server on this machine
//! stands in for both; the access key id of its calls shows that the built binary signs with the keys that it got.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use jiff::{SignedDuration, Timestamp};
use testbed::{OperatorBuilder, Result, Testbed, wait_until};
use tokio::net::TcpListener;

use crate::cluster::hurried;

const PATIENCE: Duration = Duration::from_mins(2);
const ROLE: &str = "arn:aws:iam::123456789012:role/connection-group-operator";

/// The requests to a source of credentials: one text for each.
type Asked = Arc<Mutex<Vec<String>>>;

/// Starts a source that answers each request with fresh keys, numbered from 0, that last 11 seconds: the SDK asks again when 10 are left.
async fn source(answer: fn(usize, &str) -> String) -> (String, Asked) {
    let asked = Asked::default();
    let respond = move |State(asked): State<Asked>, request: Request| async move {
        let expiry = (Timestamp::now() + SignedDuration::from_secs(11)).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let (parts, body) = request.into_parts();
        let seen = if parts.method == Method::GET {
            let token = parts.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
            format!("{} {token}", parts.uri.path())
        } else {
            let body = axum::body::to_bytes(body, 1 << 20).await.expect("a small body");
            String::from_utf8_lossy(&body).into_owned()
        };
        let mut asked = asked.lock().expect("no test panics here");
        asked.push(seen);
        answer(asked.len() - 1, &expiry)
    };
    let router = Router::new().fallback(respond).with_state(Arc::clone(&asked));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let address = format!("http://{}", listener.local_addr().expect("it is bound"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, asked)
}

fn sts(number: usize, expiry: &str) -> String {
    format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleWithWebIdentityResult>\
         <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/connection-group-operator/s</Arn><AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser>\
         <Credentials><AccessKeyId>ASIAIRSA{number}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>session</SessionToken>\
         <Expiration>{expiry}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
         <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>"
    )
}

fn agent(number: usize, expiry: &str) -> String {
    format!(
        r#"{{"AccessKeyId":"ASIAPOD{number}","SecretAccessKey":"secret","Token":"session","AccountId":"123456789012","Expiration":"{expiry}"}}"#
    )
}

/// An operator without keys of its own.
fn without_keys(bed: &Testbed) -> OperatorBuilder {
    hurried(bed.operator()).env("AWS_ACCESS_KEY_ID", "").env("AWS_SECRET_ACCESS_KEY", "")
}

fn token_file(bed: &Testbed, token: &str) -> PathBuf {
    let path = bed.control_plane.folder().join(format!("token-{}", bed.namespace));
    std::fs::write(&path, token).expect("the run's folder can be written to");
    path
}

async fn signs_with(bed: &Testbed, access_key_id: &str) -> Result<()> {
    wait_until(PATIENCE, &format!("calls signed with {access_key_id}"), async || {
        let calls = bed.simulator.admin.requests(0).await.map_err(|error| error.to_string())?;
        let used = calls.into_iter().filter_map(|call| call.access_key_id).collect::<std::collections::BTreeSet<_>>();
        if used.contains(access_key_id) { Ok(()) } else { Err(format!("{used:?}")) }
    })
    .await
}

#[tokio::test]
async fn with_irsa_it_exchanges_the_mounted_token_at_sts_and_again_when_the_keys_expire() -> Result<()> {
    let bed = Testbed::start(["--propagation=100ms"]).await?;
    let (address, asked) = source(sts).await;
    let token = token_file(&bed, "first-token");
    let _operator = without_keys(&bed)
        .env("AWS_ROLE_ARN", ROLE)
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_string_lossy())
        .env("AWS_ENDPOINT_URL_STS", &address)
        .start()
        .await?;
    signs_with(&bed, "ASIAIRSA0").await?;
    token_file(&bed, "second-token");
    signs_with(&bed, "ASIAIRSA1").await?;
    let asked = asked.lock().expect("no test panics there").clone();
    assert!(asked[0].contains("Action=AssumeRoleWithWebIdentity"), "{asked:?}");
    assert!(asked[0].contains("WebIdentityToken=first-token"), "{asked:?}");
    assert!(asked[0].contains("role%2Fconnection-group-operator"), "{asked:?}");
    assert!(
        asked.iter().any(|form| form.contains("WebIdentityToken=second-token")),
        "the token file is read again: {asked:?}"
    );
    Ok(())
}

#[tokio::test]
async fn with_pod_identity_it_asks_the_agent_with_the_mounted_token_and_again_when_the_keys_expire() -> Result<()> {
    let bed = Testbed::start(["--propagation=100ms"]).await?;
    let (address, asked) = source(agent).await;
    let token = token_file(&bed, "first-token");
    let _operator = without_keys(&bed)
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{address}/v1/credentials"))
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.to_string_lossy())
        .start()
        .await?;
    signs_with(&bed, "ASIAPOD0").await?;
    token_file(&bed, "second-token");
    signs_with(&bed, "ASIAPOD1").await?;
    let asked = asked.lock().expect("no test panics there").clone();
    assert_eq!(asked[0], "/v1/credentials first-token");
    assert!(asked.contains(&"/v1/credentials second-token".to_owned()), "the token file is read again: {asked:?}");
    Ok(())
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_is_reported_with_the_reason_of_sts() -> Result<()> {
    let bed = Testbed::start(["--propagation=100ms"]).await?;
    let refusal = axum::routing::post(|| async {
        let body = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                    <Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message></Error><RequestId>r</RequestId></ErrorResponse>";
        (axum::http::StatusCode::FORBIDDEN, body)
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let address = format!("http://{}", listener.local_addr().expect("it is bound"));
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(refusal)).await });
    let token = token_file(&bed, "canary-web-identity-token");
    let operator = without_keys(&bed)
        .env("AWS_ROLE_ARN", ROLE)
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_string_lossy())
        .env("AWS_ENDPOINT_URL_STS", &address)
        .start()
        .await?;
    bed.apply(
        "{apiVersion: cloudfront.kube-operators.dev/v1alpha1, kind: ConnectionGroup, metadata: {name: edge}, spec: {}}",
    )
    .await?;
    let is_told = |object: &connection_group_operator::api::ConnectionGroup| {
        object.status.as_ref().is_some_and(|status| {
            status.conditions.iter().any(|told| {
                told.reason == "CredentialsUnavailable" && told.message.contains("sts:AssumeRoleWithWebIdentity")
            })
        })
    };
    testbed::wait_for(&bed.api().await?, "edge", PATIENCE, "the reason of STS in a condition", is_told).await?;
    let log = std::fs::read_to_string(operator.log()).expect("there is a log");
    assert!(!log.contains("canary-web-identity-token"), "the token stays secret");
    Ok(())
}
