//! The operator's adapter over AWS's SDK, and the inventory above it, against servers in this process: what only calls over HTTP can prove, and what needs
//! no Kubernetes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what it expects by failing")]

mod answers;
mod calls;
mod carried;
mod describe;
mod done;
mod ending;
mod list;
mod remote;
mod server;
mod tls;
mod turns;
mod unstated;
mod user_agent;
mod xml;

use std::{future::pending, sync::Arc, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use cloudfront_simulator::{
    Switches,
    server::{Simulator, serve},
};
use connection_group_operator::cloudfront::{
    queue::CallQueue,
    sdk::{Call, Meter, Sdk},
};
use connection_group_operator::leadership::fence::Fence;
use testbed::admin::AdminClient;
use tokio::net::TcpListener;

/// For what takes a few milliseconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// These calls are not counted.
struct Silent;

impl Meter for Silent {
    fn call_ended(&self, _: &Call<'_>) {}

    fn unknown_element(&self, _: &str) {}

    fn element_lost(&self, _: &str) {}
}

/// A simulator with these switches, and the adapter connected to it.
async fn connected(switches: Switches) -> (AdminClient, Sdk) {
    connected_through(unlimited(), switches).await
}

/// The same, through this call queue.
async fn connected_through(queue: CallQueue, switches: Switches) -> (AdminClient, Sdk) {
    let (admin, url) = simulator(switches).await;
    (admin, adapter_through(queue, &url))
}

/// A simulator with these switches, and its URL.
async fn simulator(switches: Switches) -> (AdminClient, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, Arc::new(Simulator::new(switches, Duration::ZERO)), pending()));
    (AdminClient::new(&url).unwrap(), url)
}

/// The adapter as the operator configures it, except for credentials and rate limit.
fn adapter(url: &str) -> Sdk {
    adapter_through(unlimited(), url)
}

/// In effect no limit.
fn unlimited() -> CallQueue {
    CallQueue::new(10_000.0, 10_000)
}

fn adapter_through(queue: CallQueue, url: &str) -> Sdk {
    let fence = Fence::default();
    fence.open();
    fenced(queue, url, credentials(), &fence)
}

fn credentials() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new("simulator", "simulator", None, None, "simulator"))
}

/// The same, with calls only while the fence allows them.
fn fenced(queue: CallQueue, url: &str, credentials: SharedCredentialsProvider, fence: &Fence) -> Sdk {
    let aws = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(url)
        .credentials_provider(credentials)
        .build();
    Sdk::configured(&aws, PATIENCE, queue, Arc::new(Silent), fence.clone())
}
