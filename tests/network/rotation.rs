//! Credentials that are replaced while the operator runs, as a mounted Secret or an exec plug-in does it.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use axum::{Json, Router};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use testbed::{Operator, Result, Testbed, free_port, wait_until};
use tokio::net::TcpListener;

use crate::steps::{self, PATIENCE};

/// Writes a version of a volume, and makes it the current one, as kubelet does: `..data` is a symlink that is replaced at once.
fn swap(volume: &Path, version: &str, access_key_id: &str) {
    let folder = volume.join(version);
    std::fs::create_dir_all(&folder).unwrap();
    let content = format!("[default]\naws_access_key_id = {access_key_id}\naws_secret_access_key = secret\n");
    std::fs::write(folder.join("credentials"), content).unwrap();
    symlink(version, volume.join("..data_tmp")).unwrap();
    std::fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
}

#[tokio::test]
async fn a_mounted_credentials_file_that_is_replaced_is_read_again() -> Result<()> {
    let bed = steps::bed().await?;
    let volume = bed.control_plane.folder().join(format!("volume-{}", bed.namespace));
    swap(&volume, "..first", "AKIAFIRST");
    let file = volume.join("credentials");
    symlink("..data/credentials", &file).unwrap();
    let mut operator = steps::operator(&bed, bed.simulator.endpoint())
        .env("AWS_ACCESS_KEY_ID", "")
        .env("AWS_SECRET_ACCESS_KEY", "")
        .env("AWS_SHARED_CREDENTIALS_FILE", file.to_string_lossy())
        .start()
        .await?;
    steps::signs_with(&bed, "AKIAFIRST").await?;
    swap(&volume, "..second", "AKIASECOND");
    steps::signs_with(&bed, "AKIASECOND").await?;
    assert!(operator.process().is_running());
    Ok(())
}

/// A source that comes after the files in the chain: it gives out the credentials of another identity, for an hour.
async fn another_identity() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/credentials", listener.local_addr().unwrap());
    let answer = json!({
        "AccessKeyId": "AKIAOTHER", "SecretAccessKey": "secret", "Token": "token",
        "Expiration": (Timestamp::now() + SignedDuration::from_hours(1)).to_string(),
    });
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(async || Json(answer))).await });
    url
}

#[tokio::test]
async fn a_credentials_file_that_is_empty_or_missing_for_a_moment_does_not_make_the_operator_another_identity()
-> Result<()> {
    let bed = steps::bed().await?;
    let profile = |key: &str| format!("[default]\naws_access_key_id = {key}\naws_secret_access_key = secret\n");
    let file = steps::file(&bed, "credentials", &profile("AKIAFIRST"));
    let operator = steps::operator(&bed, bed.simulator.endpoint())
        .env("AWS_ACCESS_KEY_ID", "")
        .env("AWS_SECRET_ACCESS_KEY", "")
        .env("AWS_SHARED_CREDENTIALS_FILE", file.to_string_lossy())
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", another_identity().await)
        .start()
        .await?;
    steps::signs_with(&bed, "AKIAFIRST").await?;
    let warning = "cannot be used: the operator goes on";
    std::fs::write(&file, "").unwrap();
    steps::says(operator.log(), warning, 1).await?;
    std::fs::remove_file(&file).unwrap();
    steps::says(operator.log(), warning, 2).await?;
    std::fs::write(&file, profile("AKIASECOND")).unwrap();
    steps::signs_with(&bed, "AKIASECOND").await?;
    assert!(!steps::keys(&bed).await?.contains("AKIAOTHER"));
    Ok(())
}

/// An STS that gives out the credentials of a role, for an hour.
async fn sts() -> String {
    let expiry = (Timestamp::now() + SignedDuration::from_hours(1)).strftime("%Y-%m-%dT%H:%M:%SZ");
    let credentials = format!(
        "<AccessKeyId>AKIAROLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken><Expiration>{expiry}</Expiration>"
    );
    let answer = format!(
        "<AssumeRoleResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><AssumeRoleResult><Credentials>{credentials}</Credentials></AssumeRoleResult></AssumeRoleResponse>"
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(async || answer)).await });
    url
}

#[tokio::test]
async fn a_credentials_file_is_read_again_even_if_the_credentials_in_use_expire_later() -> Result<()> {
    let bed = steps::bed().await?;
    let keys = |key: &str| format!("aws_access_key_id = {key}\naws_secret_access_key = secret\n");
    let role = "[default]\nrole_arn = arn:aws:iam::111122223333:role/operator\nsource_profile = base\n[base]\n";
    let file = steps::file(&bed, "credentials", &(role.to_owned() + &keys("AKIABASE")));
    let services = format!("[default]\nservices = own\n[services own]\nsts =\n  endpoint_url = {}\n", sts().await);
    let services = steps::file(&bed, "config", &services);
    let _operator = steps::operator(&bed, bed.simulator.endpoint())
        .env("AWS_ACCESS_KEY_ID", "")
        .env("AWS_SECRET_ACCESS_KEY", "")
        .env("AWS_SHARED_CREDENTIALS_FILE", file.to_string_lossy())
        .env("AWS_CONFIG_FILE", services.to_string_lossy())
        .start()
        .await?;
    steps::signs_with(&bed, "AKIAROLE").await?;
    std::fs::write(&file, "[default]\n".to_owned() + &keys("AKIALATER")).unwrap();
    steps::signs_with(&bed, "AKIALATER").await
}

#[tokio::test]
async fn when_the_client_certificate_of_an_exec_plug_in_is_about_to_expire_the_process_ends_to_be_started_anew()
-> Result<()> {
    let bed = steps::bed().await?;
    let folder = bed.control_plane.folder();
    let [certificate, key] = ["client.crt", "client.key"].map(|name| steps::text(&folder.join(name)));
    let expiry = (Timestamp::now() + SignedDuration::from_secs(15)).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let credential = json!({
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"clientCertificateData": certificate, "clientKeyData": key, "expirationTimestamp": expiry},
    });
    let credential = steps::file(&bed, "credential.json", &credential.to_string());
    let plugin = steps::file(&bed, "plugin", &format!("#!/bin/sh\ncat {}\n", credential.display()));
    std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o755)).unwrap();
    let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": plugin, "interactiveMode": "Never"});
    let kubeconfig = steps::kubeconfig(&bed, &[], Some(json!({ "exec": exec })));
    let health = format!("127.0.0.1:{}", free_port()?);
    let mut process = steps::process(&bed, &kubeconfig, bed.simulator.endpoint(), &health, &[])?;
    wait_until(PATIENCE, "the operator to be ready", async || {
        let answer = reqwest::get(format!("http://{health}/readyz")).await.map_err(|error| error.to_string())?;
        if answer.status().is_success() { Ok(()) } else { Err(answer.status().to_string()) }
    })
    .await?;
    let status = process.wait_exit(PATIENCE).await?;
    let text = steps::text(process.log());
    assert!(!status.success());
    assert!(
        text.contains("the client certificate from the exec plug-in of the kubeconfig is about to expire"),
        "{text}"
    );
    Ok(())
}

/// A kubeconfig whose user has these files for certificate and key; they are those of the admin.
fn with_certificate_files(bed: &Testbed) -> (PathBuf, [PathBuf; 2]) {
    let folder = bed.control_plane.folder();
    let files = ["client.crt", "client.key"].map(|name| steps::file(bed, name, &steps::text(&folder.join(name))));
    let user = json!({"client-certificate": files[0], "client-key": files[1]});
    (steps::kubeconfig(bed, &[], Some(user)), files)
}

async fn ends_because_of_the_kubeconfig(operator: &mut Operator) -> Result<()> {
    let status = operator.process().wait_exit(PATIENCE).await?;
    let text = steps::text(operator.log());
    assert!(!status.success());
    assert!(text.contains("the certificates or credentials of the kubeconfig have changed"), "{text}");
    Ok(())
}

#[tokio::test]
async fn when_the_client_certificate_of_a_kubeconfig_is_replaced_the_process_ends_once_it_can_be_started_anew()
-> Result<()> {
    let bed = steps::bed().await?;
    let (kubeconfig, [certificate, key]) = with_certificate_files(&bed);
    let mut operator = steps::operator(&bed, bed.simulator.endpoint()).kubeconfig(kubeconfig).start().await?;
    steps::works(&bed).await?;
    let warning = "but a process that starts now would fail";
    let old = steps::text(&key);
    std::fs::remove_file(&key).unwrap();
    steps::says(operator.log(), warning, 1).await?;
    let renewed = rcgen::generate_simple_self_signed(["renewed".to_owned()]).unwrap();
    std::fs::write(&certificate, renewed.cert.pem()).unwrap();
    std::fs::write(&key, old).unwrap();
    steps::says(operator.log(), warning, 2).await?;
    assert!(operator.process().is_running());
    std::fs::write(&key, renewed.signing_key.serialize_pem()).unwrap();
    ends_because_of_the_kubeconfig(&mut operator).await
}

#[tokio::test]
async fn a_client_certificate_is_watched_even_if_another_context_becomes_the_current_one() -> Result<()> {
    let bed = steps::bed().await?;
    let (kubeconfig, [certificate, _]) = with_certificate_files(&bed);
    let mut config = serde_json::from_str::<Value>(&steps::text(&kubeconfig)).unwrap();
    let other = json!({"name": "other", "cluster": {"server": "https://other.example"}});
    config["clusters"].as_array_mut().unwrap().push(other);
    let mut context = config["contexts"][0].clone();
    (context["name"], context["context"]["cluster"]) = ("other".into(), "other".into());
    config["contexts"].as_array_mut().unwrap().push(context);
    std::fs::write(&kubeconfig, config.to_string()).unwrap();
    let mut operator = steps::operator(&bed, bed.simulator.endpoint()).kubeconfig(&kubeconfig).start().await?;
    steps::works(&bed).await?;
    config["current-context"] = "other".into();
    std::fs::write(&kubeconfig, config.to_string()).unwrap();
    std::fs::write(&certificate, steps::text(&certificate) + "\n").unwrap();
    ends_because_of_the_kubeconfig(&mut operator).await
}
