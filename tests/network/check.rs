//! What `check` says about the API server, AWS and a collector that it reached, or that it did not reach.

use std::path::Path;

use axum::Router;
use axum::http::StatusCode;
use serde_json::json;
use testbed::{Result, Testbed, find, free_port};
use tokio::net::TcpListener;

use crate::steps::{self, PATIENCE};

/// The lines of a check with these variables and arguments, in a terminal without any AWS settings of its own.
async fn check(bed: &Testbed, kubeconfig: &Path, env: &[(&str, &str)], args: &[&str]) -> Result<(bool, String)> {
    let endpoint = ["--aws-endpoint-url", bed.simulator.endpoint()];
    check_without_endpoint(bed, kubeconfig, env, &[&endpoint, args].concat()).await
}

async fn check_without_endpoint(
    bed: &Testbed,
    kubeconfig: &Path,
    env: &[(&str, &str)],
    args: &[&str],
) -> Result<(bool, String)> {
    let checked = tokio::process::Command::new(find("connection-group-operator")?)
        .args(["check", "--owner-id", &bed.namespace, "--allow-insecure-endpoint"])
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .args(args)
        .env_clear()
        .env("HOME", bed.control_plane.folder())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(env.iter().copied())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, checked).await.expect("it ends by itself").expect("the binary runs");
    let lines = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    Ok((output.status.success(), lines))
}

const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AKIATESTBED"), ("AWS_SECRET_ACCESS_KEY", "s3cret")];

fn has(lines: &str, parts: &[&str]) {
    for part in parts {
        assert!(lines.contains(part), "{part}\n{lines}");
    }
    assert!(!lines.contains("s3cret"), "{lines}");
}

#[tokio::test]
async fn it_says_which_cluster_and_which_account_it_checked_and_as_whom() -> Result<()> {
    let bed = steps::bed().await?;
    let _operator = steps::operator(&bed, bed.simulator.endpoint()).start().await?;
    steps::works(&bed).await?;
    let watched = ["--watch-namespace", &bed.namespace];
    let env = [&KEYS[..], &[("AWS_ACCOUNT_ID", "999999999999")]].concat();
    let (passed, lines) = check(&bed, bed.control_plane.kubeconfig(), &env, &watched).await?;
    assert!(passed, "{lines}");
    let server = format!("ok      API server: https://{} (context testbed of the", bed.control_plane.address()?);
    let exists = format!("ok      watched namespace {}: it exists", bed.namespace);
    let account = " lists 1 group of account 123456789012; region us-east-1, with the access key AKIATESTBED";
    has(&lines, &[&server, "; the user is ", &exists, bed.simulator.endpoint(), account]);
    Ok(())
}

#[tokio::test]
async fn it_names_the_server_that_answered_whatever_led_there_and_no_account_that_only_a_variable_names() -> Result<()>
{
    let bed = steps::bed().await?;
    let endpoint = bed.simulator.endpoint();
    let services = format!("[default]\nservices = own\n[services own]\ncloudfront =\n  endpoint_url = {endpoint}\n");
    let config = steps::file(&bed, "services", &services).to_string_lossy().into_owned();
    for more in [
        ("AWS_CONFIG_FILE", config.as_str()),
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ENDPOINT_URL_CLOUDFRONT", endpoint),
    ] {
        let env = [&KEYS[..], &[("AWS_ACCOUNT_ID", "999999999999"), more]].concat();
        let watched = ["--watch-namespace", &bed.namespace];
        let (passed, lines) = check_without_endpoint(&bed, bed.control_plane.kubeconfig(), &env, &watched).await?;
        assert!(passed, "{lines}");
        has(&lines, &[&format!("ok      CloudFront: {endpoint} accepts the credentials, and lists 0 groups; region")]);
    }
    Ok(())
}

#[tokio::test]
async fn a_watched_namespace_that_does_not_exist_is_named() -> Result<()> {
    let bed = steps::bed().await?;
    let watched = ["--watch-namespace=no-such-namespace"];
    let (passed, lines) = check(&bed, bed.control_plane.kubeconfig(), &KEYS, &watched).await?;
    assert!(!passed, "{lines}");
    let line = "FAILED  watched namespace no-such-namespace: There is no such namespace; the operator waits until";
    has(&lines, &[line, "correct --watch-namespace"]);
    Ok(())
}

#[tokio::test]
async fn objects_that_another_installation_holds_by_its_finalizer_are_counted_and_named() -> Result<()> {
    let bed = steps::bed().await?;
    let watched = ["--watch-namespace", &bed.namespace];
    for (name, finalizer) in [("ours", bed.namespace.as_str()), ("theirs", "prod-eu")] {
        let manifest = json!({
            "apiVersion": "cloudfront.kube-operators.dev/v1alpha1", "kind": "ConnectionGroup", "spec": {},
            "metadata": { "name": name, "finalizers": [format!("cloudfront.kube-operators.dev/{finalizer}")] },
        });
        bed.apply(&manifest.to_string()).await?;
        let (passed, lines) = check(&bed, bed.control_plane.kubeconfig(), &KEYS, &watched).await?;
        assert_eq!(passed, name == "ours", "{lines}");
        let line = match name {
            "ours" => "ok      finalizers: of 1 object, none has".to_owned(),
            _ => format!(
                "FAILED  finalizers: 1 of 2 objects has the finalizer of another owner id: {}/theirs (owner id prod-eu)",
                bed.namespace
            ),
        };
        has(&lines, &[&line]);
    }
    bed.kubectl(&["patch", "cfcg", "ours", "theirs", "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#])
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_namespace_that_may_not_be_read_is_no_failure_of_its_own() -> Result<()> {
    let bed = steps::bed().await?;
    bed.control_plane.kubectl_ok(&["create", "serviceaccount", "nobody", "-n", &bed.namespace]).await?;
    let nobody = bed.control_plane.kubeconfig_of(&bed.namespace, "nobody").await?;
    let (_, lines) = check(&bed, &nobody, &KEYS, &["--watch-namespace", &bed.namespace]).await?;
    let user = format!("the user is system:serviceaccount:{}:nobody", bed.namespace);
    let unknown = format!("ok      watched namespace {}: not checked, because get on it is not allowed", bed.namespace);
    has(&lines, &[&user, &unknown]);
    Ok(())
}

#[tokio::test]
async fn without_credentials_it_names_each_source_that_it_asked_and_what_to_do_in_a_pod_and_in_a_terminal() -> Result<()>
{
    let bed = steps::bed().await?;
    let kubeconfig = bed.control_plane.kubeconfig();
    let (passed, lines) = check(&bed, kubeconfig, &[], &[]).await?;
    assert!(!passed, "{lines}");
    let sources = "FAILED  CloudFront: There are no usable AWS credentials: none in AWS_ACCESS_KEY_ID with \
                   AWS_SECRET_ACCESS_KEY, the profile default of the AWS files, a web identity (AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN), a container \
                   (AWS_CONTAINER_CREDENTIALS_FULL_URI), or the instance metadata service.";
    has(&lines, &[sources, "In a Pod, ", "IRSA", "In a terminal, ", "AWS_PROFILE", "aws sso login"]);
    let (_, lines) = check(&bed, kubeconfig, &[("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")], &[]).await?;
    has(&lines, &[sources]);
    let sso = "[profile s]\nsso_session=x\nsso_account_id=1\nsso_role_name=r\n[sso-session x]\nsso_start_url=https://x\nsso_region=us-east-1\n";
    let config = steps::file(&bed, "sso", sso).to_string_lossy().into_owned();
    let (_, lines) = check(&bed, kubeconfig, &[("AWS_PROFILE", "s"), ("AWS_CONFIG_FILE", &config)], &[]).await?;
    let missing = check(&bed, kubeconfig, &[("AWS_PROFILE", "typo"), ("AWS_CONFIG_FILE", &config)], &[]).await?;
    has(&missing.1, &["the AWS files (profile `typo` was not defined"]);
    has(&lines, &["the profile s of the AWS files has sso_session, which this operator cannot use"]);
    Ok(())
}

/// A collector that answers in this way, and its URL.
async fn collector(answer: StatusCode) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(async move || answer)).await });
    url
}

#[tokio::test]
async fn a_collector_is_asked_whether_it_takes_traces() -> Result<()> {
    let bed = steps::bed().await?;
    let kubeconfig = bed.control_plane.kubeconfig();
    let takes = collector(StatusCode::OK).await;
    // Other tests have objects, with owner ids of their own, in the same cluster.
    let watched = ["--watch-namespace", &bed.namespace];
    let (passed, lines) =
        check(&bed, kubeconfig, &KEYS, &[&watched[..], &["--otlp-endpoint", &takes]].concat()).await?;
    assert!(passed, "{lines}");
    has(&lines, &[&format!("ok      collector of traces: {takes} takes traces")]);
    let (passed, lines) = check(&bed, kubeconfig, &KEYS, &watched).await?;
    assert!(passed && !lines.contains("collector"), "{lines}");

    let nobody = format!("127.0.0.1:{}", free_port()?);
    for (url, cause) in [
        (collector(StatusCode::NOT_FOUND).await, "it answers 404 Not Found".to_owned()),
        (format!("http://me:s3cret@{nobody}"), format!("{nobody}: Connection refused")),
    ] {
        let (passed, lines) = check(&bed, kubeconfig, &KEYS, &["--otlp-endpoint", &url]).await?;
        assert!(!passed, "{lines}");
        has(&lines, &["FAILED  collector of traces: http://", &cause, "Correct --otlp-endpoint"]);
    }
    Ok(())
}
