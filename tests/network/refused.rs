//! What cannot be supported is refused at the start, by the name of the variable.

use std::process::Output;

use testbed::{Result, find};

/// Runs the binary until it ends, with these variables.
async fn run(env: &[(&str, &str)], args: &[&str]) -> Result<Output> {
    let mut command = tokio::process::Command::new(find("connection-group-operator")?);
    let command = command.args(["run", "--owner-id=o", "--health-addr=127.0.0.1:0", "--metrics-addr=127.0.0.1:0"]);
    let ended = command.args(args).env_clear().envs(env.iter().copied()).kill_on_drop(true).output();
    Ok(tokio::time::timeout(crate::steps::PATIENCE, ended).await.expect("it ends by itself").expect("the binary runs"))
}

#[tokio::test]
async fn a_variable_that_cannot_be_used_is_named_and_no_password_is_printed() -> Result<()> {
    let missing = "/does/not/exist.pem";
    for (variable, value, says) in [
        ("HTTPS_PROXY", "socks5://user:s3cret@proxy:1080", "http://proxy:3128"),
        ("http_proxy", "http://user:s3 cret@proxy", "%XX"),
        ("ALL_PROXY", "ftp://user:s3cret@proxy", "http"),
        ("AWS_CA_BUNDLE", missing, missing),
        ("SSL_CERT_FILE", missing, missing),
        ("SSL_CERT_DIR", "/does/not/exist", "/does/not/exist"),
        ("SSL_CERT_DIR", concat!(env!("CARGO_MANIFEST_DIR"), "/docs/pictures"), "no certificate"),
    ] {
        // A collector over plain http needs no certificates, which changes nothing.
        for args in [&[][..], &["--otlp-endpoint=http://127.0.0.1:1"]] {
            let output = run(&[(variable, value)], args).await?;
            let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
            assert!(!output.status.success(), "{variable}");
            assert!(stderr.contains(variable) && stderr.contains(says), "{variable}: {stderr}");
            let all = stdout + &stderr;
            assert!(!all.contains("s3cret") && !all.contains("s3 cret") && !all.contains("panicked"), "{all}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_certificate_for_the_collector_that_would_be_ignored_is_refused_if_there_is_a_collector() -> Result<()> {
    for variable in ["CERTIFICATE", "CLIENT_KEY", "TRACES_CLIENT_CERTIFICATE"] {
        let variable = format!("OTEL_EXPORTER_OTLP_{variable}");
        let output = run(&[(&variable, "/x.pem")], &["--otlp-endpoint=https://127.0.0.1:1"]).await?;
        let all = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success(), "{all}");
        assert!(all.contains(&variable) && all.contains("SSL_CERT_FILE") && !all.contains("starting"), "{all}");
        let output = run(&[(&variable, "/x.pem")], &[]).await?;
        let all = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!all.contains(&variable) && all.contains("no API server to talk to"), "{all}");
    }
    Ok(())
}

#[tokio::test]
async fn a_url_that_cannot_be_used_is_named_and_none_of_its_secrets_is_printed() -> Result<()> {
    let variable = |name: &str| format!("CONNECTION_GROUP_OPERATOR_{name}");
    for (variable, flag) in [
        (variable("OTLP_ENDPOINT"), "--otlp-endpoint"),
        (variable("AWS_ENDPOINT_URL"), "--aws-endpoint-url"),
        ("AWS_ENDPOINT_URL".to_owned(), "AWS_ENDPOINT_URL"),
        ("AWS_ENDPOINT_URL_CLOUDFRONT".to_owned(), "AWS_ENDPOINT_URL_CLOUDFRONT"),
    ] {
        for bad in
            ["me:s3cret@host:4318", "ftp://me:s3#cret@host", "http://me:s3 cret@host", "s3://me:s3?cret@host?cret"]
        {
            let mut runs = vec![run(&[(&variable, bad)], &["--allow-insecure-endpoint"]).await?];
            if flag.starts_with("--") {
                runs.push(run(&[], &["--allow-insecure-endpoint", flag, bad]).await?);
            }
            for output in runs {
                let all = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
                assert!(!output.status.success() && all.contains(flag), "{variable}={bad}: {all}");
                assert!(!all.contains("cret") && !all.contains("me:"), "{variable}={bad}: {all}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_kubeconfig_that_cannot_be_read_is_named_and_no_text_of_it_is_printed() -> Result<()> {
    let bed = crate::steps::bed().await?;
    let text = "users:\n- name: u\n  user:\n    token: s3cret\n    client-key: [s3cret]\n";
    let path = crate::steps::file(&bed, "no-kubeconfig", text).to_string_lossy().into_owned();
    for (env, args, named) in [
        (&[][..], &["--kubeconfig", path.as_str()][..], "--kubeconfig"),
        (&[("KUBECONFIG", path.as_str())], &[], "KUBECONFIG"),
        (&[("KUBECONFIG", path.as_str())], &["--context=other"], "KUBECONFIG"),
        (&[("KUBECONFIG", "/does/not/exist")], &[], "KUBECONFIG"),
    ] {
        let output = run(env, args).await?;
        let all = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let says = format!("the kubeconfig that {named} names cannot be used");
        assert!(!output.status.success() && all.contains(&says) && !all.contains("s3cret"), "{all}");
    }
    Ok(())
}

#[tokio::test]
async fn an_exec_plug_in_that_fails_is_named_and_its_output_is_not_printed() -> Result<()> {
    let bed = crate::steps::bed().await?;
    let user = |script: &str| {
        serde_json::json!({"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script],
            "env": [{"name": "TOKEN", "value": "s3cret"}], "interactiveMode": "Never",
        }})
    };
    for script in ["echo s3cret; exit 1", "echo s3cret"] {
        let kubeconfig = crate::steps::kubeconfig(&bed, &[], Some(user(script)));
        let path = std::env::var("PATH").unwrap();
        let output = run(&[("PATH", &path)], &["--kubeconfig", &kubeconfig.to_string_lossy()]).await?;
        let all = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success() && all.contains("exec plug-in of the kubeconfig"), "{all}");
        assert!(!all.contains("s3cret"), "{all}");
    }
    Ok(())
}

#[tokio::test]
async fn a_proxy_url_of_the_kubeconfig_that_cannot_be_used_is_named_and_its_password_is_not_printed() -> Result<()> {
    let bed = crate::steps::bed().await?;
    let kubeconfig = crate::steps::kubeconfig(&bed, &[("proxy-url", "socks5://user:s3cret@proxy:1080")], None);
    let output = run(&[], &["--kubeconfig", &kubeconfig.to_string_lossy()]).await?;
    let all = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!output.status.success());
    assert!(all.contains("proxy-url") && !all.contains("s3cret"), "{all}");
    Ok(())
}
