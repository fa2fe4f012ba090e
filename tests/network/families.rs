//! IPv4 and IPv6: health on both, and an operator that has only IPv6.

use std::net::Ipv6Addr;

use clap::CommandFactory;
use connection_group_operator::cli::Cli;
use testbed::{Proxy, Result, free_port, wait_until};

use crate::steps::{self, PATIENCE};

/// Waits until the operator answers there.
async fn answers(address: &str) -> Result<()> {
    wait_until(PATIENCE, address, async || {
        let answer = reqwest::get(format!("http://{address}/readyz")).await.map_err(|error| error.to_string())?;
        if answer.status().is_success() { Ok(()) } else { Err(answer.status().to_string()) }
    })
    .await
}

#[tokio::test]
async fn by_default_health_answers_over_both_families() -> Result<()> {
    let bed = steps::bed().await?;
    let port = free_port()?;
    let cli = Cli::command();
    let run = cli.find_subcommand("run").expect("there is one");
    let flag = run.get_arguments().find(|arg| arg.get_long() == Some("health-addr")).expect("there is one");
    let address = flag.get_default_values()[0].to_string_lossy();
    // The default port may be taken on this machine.
    let health = address.replace(":8081", &format!(":{port}"));
    let _operator = steps::process(&bed, bed.control_plane.kubeconfig(), bed.simulator.endpoint(), &health, &[])?;
    answers(&format!("[::1]:{port}")).await?;
    answers(&format!("127.0.0.1:{port}")).await
}

#[tokio::test]
async fn with_ipv6_alone_it_reaches_the_api_server_and_cloudfront_and_serves_health() -> Result<()> {
    let bed = steps::bed().await?;
    let api_server = Proxy::start_on(Ipv6Addr::LOCALHOST.into(), bed.control_plane.address()?).await?;
    let cloudfront = Proxy::start_on(Ipv6Addr::LOCALHOST.into(), steps::address(&bed)).await?;
    let server = format!("https://{}", api_server.address());
    let kubeconfig = steps::kubeconfig(&bed, &[("server", &server)], None);
    let health = format!("[::1]:{}", free_port()?);
    let endpoint = format!("http://{}", cloudfront.address());
    let _operator = steps::process(&bed, &kubeconfig, &endpoint, &health, &[])?;
    answers(&health).await?;
    steps::works(&bed).await?;
    assert!(api_server.accepted() > 0 && cloudfront.accepted() > 0);
    Ok(())
}
