//! Proxies that ask for a password, before the API server, CloudFront and the collector of traces.

use axum::Router;
use testbed::{Authority, ForwardProxy, Result, free_port, wait_until};
use tokio::net::TcpListener;

use crate::steps::{self, PATIENCE};

const PASSWORD: &str = "s3cret-canary";
const AUTHORIZATION: &str = "Basic dXNlcjpzM2NyZXQtY2FuYXJ5";

/// The URL of a proxy, with user and password.
fn url(proxy: &ForwardProxy) -> String {
    format!("http://user:{PASSWORD}@{}", proxy.address())
}

fn keeps_the_password_secret(log: &std::path::Path) {
    let text = steps::text(log);
    let secret = AUTHORIZATION.trim_start_matches("Basic ");
    assert!(!text.contains(PASSWORD) && !text.contains(secret), "{}", log.display());
}

#[tokio::test]
async fn a_proxy_with_a_password_is_used_for_everything_and_no_line_shows_the_password() -> Result<()> {
    let bed = steps::bed().await?;
    let proxy = ForwardProxy::demanding(AUTHORIZATION).await?;
    let collector = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let traces = format!("127.0.0.1:{}", collector.local_addr().expect("it is bound").port());
    tokio::spawn(async move { axum::serve(collector, Router::new().fallback(async || "")).await });
    let operator = steps::operator(&bed, bed.simulator.endpoint())
        .args(["--log-level=trace", "--otlp-endpoint", &format!("http://{traces}")])
        .env("OTEL_BSP_SCHEDULE_DELAY", "100")
        .env("RUST_LOG", "trace")
        .env("HTTPS_PROXY", url(&proxy))
        .env("HTTP_PROXY", url(&proxy))
        .start()
        .await?;
    steps::works(&bed).await?;
    let (api_server, cloudfront) = (bed.control_plane.address()?, steps::address(&bed));
    for expected in
        [format!("CONNECT {api_server} 200"), format!("POST {cloudfront} 200"), format!("POST {traces} 200")]
    {
        wait_until(PATIENCE, &expected, async || {
            let asked = proxy.asked();
            if asked.contains(&expected) { Ok(()) } else { Err(format!("{asked:?}")) }
        })
        .await?;
    }
    assert!(proxy.asked().iter().all(|line| line.ends_with(" 200")), "{:?}", proxy.asked());
    keeps_the_password_secret(operator.log());
    Ok(())
}

#[tokio::test]
async fn no_proxy_names_what_is_reached_directly() -> Result<()> {
    let proxy = ForwardProxy::demanding(AUTHORIZATION).await?;
    for no_proxy in ["example.com, .svc,127.0.0.0/8,", "*"] {
        let bed = steps::bed().await?;
        let _operator = steps::operator(&bed, bed.simulator.endpoint())
            .env("HTTPS_PROXY", url(&proxy))
            .env("http_proxy", url(&proxy))
            .env("NO_PROXY", no_proxy)
            .start()
            .await?;
        steps::works(&bed).await?;
        assert!(proxy.asked().is_empty(), "{no_proxy}: {:?}", proxy.asked());
    }
    Ok(())
}

#[tokio::test]
async fn the_proxy_url_of_a_kubeconfig_is_used_for_the_api_server_whatever_no_proxy_says() -> Result<()> {
    let bed = steps::bed().await?;
    let proxy = ForwardProxy::demanding(AUTHORIZATION).await?;
    let kubeconfig = steps::kubeconfig(&bed, &[("proxy-url", &url(&proxy))], None);
    let operator = steps::operator(&bed, bed.simulator.endpoint())
        .kubeconfig(kubeconfig)
        .args(["--log-level=trace"])
        .env("HTTPS_PROXY", url(&proxy))
        .env("NO_PROXY", "127.0.0.1")
        .start()
        .await?;
    steps::works(&bed).await?;
    let expected = format!("CONNECT {} 200", bed.control_plane.address()?);
    assert!(!proxy.asked().is_empty() && proxy.asked().iter().all(|line| *line == expected), "{:?}", proxy.asked());
    keeps_the_password_secret(operator.log());
    Ok(())
}

#[tokio::test]
async fn why_the_api_server_cannot_be_reached_is_logged_with_its_address_and_the_proxy() -> Result<()> {
    let bed = steps::bed().await?;
    let proxy = ForwardProxy::demanding("Basic another").await?;
    let (api_server, nobody) = (bed.control_plane.address()?, free_port()?);
    let (no_tls, closed) = (steps::address(&bed), format!("http://user:{PASSWORD}@127.0.0.1:{nobody}"));
    let other = steps::file(&bed, "other.pem", Authority::new()?.pem());
    let through = format!("{api_server} through the proxy http");
    for (setting, value, cause) in [
        (
            "proxy-url",
            url(&proxy),
            format!("{through}://{}: tunnel error: proxy authorization required", proxy.address()),
        ),
        ("proxy-url", closed, format!("{through}://127.0.0.1:{nobody}: Connection refused")),
        (
            "server",
            "https://no.invalid:6443".to_owned(),
            "no.invalid:6443: failed to lookup address information".into(),
        ),
        (
            "server",
            format!("https://{no_tls}"),
            format!("{no_tls}: received corrupt message of type InvalidContentType"),
        ),
        ("server", format!("https://127.0.0.1:{nobody}"), format!("127.0.0.1:{nobody}: Connection refused")),
        (
            "certificate-authority",
            other.to_string_lossy().into_owned(),
            format!(
                "{api_server}: invalid peer certificate: BadSignature; only the authority of the kubeconfig is trusted"
            ),
        ),
    ] {
        let kubeconfig = steps::kubeconfig(&bed, &[(setting, &value)], None);
        let health = format!("127.0.0.1:{}", free_port()?);
        let process = steps::process(&bed, &kubeconfig, bed.simulator.endpoint(), &health, &[])?;
        let line = format!("the identity of this installation cannot be read: {cause}");
        wait_until(PATIENCE, &line, async || {
            let text = steps::text(process.log());
            if text.contains(&line) { Ok(()) } else { Err(text) }
        })
        .await?;
        keeps_the_password_secret(process.log());
    }
    Ok(())
}

#[tokio::test]
async fn a_proxy_that_refuses_the_password_is_reported_with_its_address_and_without_the_password() -> Result<()> {
    let bed = steps::bed().await?;
    let proxy = ForwardProxy::demanding("Basic another").await?;
    let operator = steps::operator(&bed, "https://cloudfront.amazonaws.com")
        .args(["--log-level=trace"])
        .env("HTTPS_PROXY", url(&proxy))
        .env("NO_PROXY", "127.0.0.1")
        .start()
        .await?;
    steps::create(&bed).await?;
    let message = steps::settled(&bed, "ServiceUnavailable").await?;
    let cause = format!("cloudfront.amazonaws.com through the proxy http://{}: ", proxy.address());
    assert!(message.contains(&cause) && !message.contains(PASSWORD), "{message}");
    keeps_the_password_secret(operator.log());
    Ok(())
}

#[tokio::test]
async fn an_endpoint_or_a_source_of_credentials_that_cannot_be_reached_is_reported_with_its_address() -> Result<()> {
    let bed = steps::bed().await?;
    let nobody = format!("127.0.0.1:{}", free_port()?);
    let _operator = steps::operator(&bed, &format!("https://{nobody}")).start().await?;
    steps::create(&bed).await?;
    let message = steps::settled(&bed, "ServiceUnavailable").await?;
    assert!(message.contains(&format!("{nobody}: Connection refused")), "{message}");

    let bed = steps::bed().await?;
    let _operator = steps::operator(&bed, bed.simulator.endpoint())
        .env("AWS_ACCESS_KEY_ID", "")
        .env("AWS_SECRET_ACCESS_KEY", "")
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("http://{nobody}/credentials"))
        .start()
        .await?;
    steps::create(&bed).await?;
    let message = steps::settled(&bed, "CredentialsUnavailable").await?;
    assert!(message.contains(&format!("{nobody}: Connection refused")), "{message}");
    Ok(())
}
