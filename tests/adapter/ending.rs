//! Calls during shutdown: what is sent, and which answers are used.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError, future};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::HttpRequest,
};
use cloudfront_simulator::admin::{Moment, Operation};
use connection_group_operator::cloudfront::CloudFront;
use futures::future::{Either, select};
use tokio::{sync::Notify, time::timeout};

use super::*;
use crate::calls;

/// Credentials that take a long time to arrive.
#[derive(Clone, Debug, Default)]
struct Slow {
    asked: Arc<Notify>,
    come: Arc<Notify>,
}

impl Slow {
    async fn wait(&self) -> Result<Credentials, CredentialsError> {
        self.asked.notify_one();
        self.come.notified().await;
        Ok(Credentials::new("simulator", "simulator", None, None, "simulator"))
    }
}

impl ProvideCredentials for Slow {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.wait())
    }
}

#[tokio::test]
async fn a_change_whose_credentials_arrive_after_the_process_was_told_to_stop_is_not_sent() {
    let (admin, url) = simulator(Switches::default()).await;
    let (fence, slow) = (Fence::default(), Slow::default());
    fence.open();
    let sdk = fenced(unlimited(), &url, SharedCredentialsProvider::new(slow.clone()), &fence);
    let group = calls::new_group();
    let mut change = Box::pin(sdk.create(&group));
    timeout(PATIENCE, select(&mut change, Box::pin(slow.asked.notified()))).await.expect("credentials are requested");
    fence.drain();
    slow.come.notify_one();
    match timeout(PATIENCE, select(change, Box::pin(sdk.abandoned()))).await.expect("it is given up") {
        Either::Left((answer, _)) => panic!("there is nothing to report: {answer:?}"),
        Either::Right(_) => {}
    }
    assert_eq!(admin.requests(0).await.unwrap(), []);
}

/// Counts what is sent, and never answers.
#[derive(Clone, Debug, Default)]
struct Wire(Arc<AtomicUsize>);

impl HttpConnector for Wire {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        self.0.fetch_add(1, Ordering::SeqCst);
        HttpConnectorFuture::new(pending())
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_credentials_arrive_after_the_right_to_act_has_lapsed_is_not_sent() {
    let (fence, slow, wire) = (Fence::default(), Slow::default(), Wire::default());
    fence.open();
    let connector = SharedHttpConnector::new(wire.clone());
    let aws = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(slow.clone()))
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    let sdk = Sdk::configured(&aws, PATIENCE, unlimited(), Arc::new(Silent), fence.clone());
    let group = calls::new_group();
    let mut change = Box::pin(sdk.create(&group));
    timeout(PATIENCE, select(&mut change, Box::pin(slow.asked.notified()))).await.expect("credentials are requested");
    fence.close();
    slow.come.notify_one();
    // The clock advances once nothing else makes progress.
    timeout(PATIENCE / 2, &mut change).await.expect_err("nothing is reported without the right to act");
    assert_eq!(wire.0.load(Ordering::SeqCst), 0);
    fence.open();
    let error = timeout(PATIENCE, change).await.expect("it continues").unwrap_err();
    assert!(error.to_string().contains("does not hold the right to act"), "{error}");
    assert_eq!(wire.0.load(Ordering::SeqCst), 0, "the next reconcile retries");
}

#[tokio::test]
async fn a_call_is_known_to_be_in_flight_until_it_is_answered() {
    let (admin, url) = simulator(Switches::default()).await;
    let fence = Fence::default();
    fence.open();
    let sdk = fenced(unlimited(), &url, credentials(), &fence);
    let held = admin.hold_once(Operation::ListConnectionGroups, Moment::Before).await.unwrap();
    let list = tokio::spawn({
        let sdk = sdk.clone();
        async move { sdk.list().await }
    });
    admin.wait_until_held(held, PATIENCE).await.unwrap();
    let in_flight = fence.oldest_call().map(|(operation, _)| operation.as_str());
    assert_eq!(in_flight, Some("ListConnectionGroups"));
    admin.release(held).await.unwrap();
    timeout(PATIENCE, list).await.expect("it is answered").unwrap().unwrap();
    assert_eq!(fence.oldest_call(), None);
}

#[tokio::test]
async fn the_answer_to_a_change_is_used_although_the_process_was_told_to_stop_meanwhile() {
    let (admin, url) = simulator(Switches::default()).await;
    let fence = Fence::default();
    fence.open();
    let sdk = fenced(unlimited(), &url, credentials(), &fence);
    let held = admin.hold_once(Operation::CreateConnectionGroup, Moment::After).await.unwrap();
    let change = tokio::spawn({
        let sdk = sdk.clone();
        async move { sdk.create(&calls::new_group()).await }
    });
    admin.wait_until_held(held, PATIENCE).await.unwrap();
    fence.drain();
    admin.release(held).await.unwrap();
    let group = timeout(PATIENCE, change).await.expect("it is answered").unwrap().unwrap();
    let tenants =
        timeout(PATIENCE, sdk.tenants(&group.id)).await.expect("a read that explains the failure is allowed").unwrap();
    assert!(!tenants.any());
}
