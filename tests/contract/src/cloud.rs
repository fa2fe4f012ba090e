//! CloudFront through the operator's own adapter, guarded: AWS, or the simulator as a rehearsal. In: an endpoint. Out: a target. Talks to both.

use std::{collections::BTreeSet, future::Future, sync::Arc, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cloudfront::config::Credentials;
use connection_group_operator::cloudfront::{
    AddressFamily, AnycastIpListId, ApiError, Arn, CloudFront, Described, ErrorClass, Group, GroupId, GroupName,
    Lookup, Members, NewGroup, Summary, Tags, Tenants,
    fence::Fence,
    queue::CallQueue,
    sdk::{Call, Meter, Sdk},
};

use crate::{guard::Gate, target::Target};

/// Nobody counts these calls.
struct Silent;

impl Meter for Silent {
    fn call_ended(&self, _: &Call<'_>) {}

    fn unknown_element(&self, _: &str) {}

    fn element_lost(&self, _: &str) {}
}

/// AWS as the environment says, or the simulator at `simulator`, which never sees anybody's real credentials.
pub async fn endpoint(simulator: Option<&str>) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).region(Region::new("us-east-1"));
    if let Some(url) = simulator {
        let credentials = Credentials::new("simulator", "simulator", None, None, "simulator");
        loader = loader.endpoint_url(url).credentials_provider(credentials);
    }
    loader.load().await
}

/// The operator's adapter, at most `rate` calls per second.
#[must_use]
pub fn adapter(aws: &SdkConfig, rate: f64) -> Sdk {
    let fence = Fence::default();
    fence.open();
    Sdk::configured(aws, Duration::from_secs(30), CallQueue::new(rate, BURST), Arc::new(Silent), fence)
}

const BURST: u32 = 10;

/// A target that can be interrupted between two calls.
pub struct Cloud {
    /// Its port.
    pub port: Guarded<Sdk>,
    /// The group.
    pub name: GroupName,
    /// Between two looks at the same thing.
    pub poll: Duration,
    /// After that, what is waited for will not come.
    pub deadline: Duration,
}

impl Target for Cloud {
    type Port = Guarded<Sdk>;

    fn port(&self) -> &Guarded<Sdk> {
        &self.port
    }

    fn name(&self) -> &GroupName {
        &self.name
    }

    async fn pause(&self) {
        tokio::time::sleep(self.poll).await;
    }

    fn patience(&self) -> u32 {
        u32::try_from(self.deadline.as_millis() / self.poll.as_millis().max(1)).unwrap_or(u32::MAX)
    }
}

/// A port whose calls pass a gate, and that waits its turn when it is throttled: others share the account.
pub struct Guarded<P> {
    port: P,
    gate: Gate,
}

const THROTTLED_AT_MOST: usize = 8;

impl<P: CloudFront> Guarded<P> {
    /// Guards a port.
    pub fn new(port: P, gate: Gate) -> Self {
        Self { port, gate }
    }

    async fn call<T, F>(&self, call: impl Fn() -> F + Send) -> Result<T, ApiError>
    where
        F: Future<Output = Result<T, ApiError>> + Send,
    {
        for _ in 1..THROTTLED_AT_MOST {
            match self.gate.pass(Box::pin(call())).await {
                // The budget slows down by itself.
                Err(error) if error.class == ErrorClass::Throttled => {}
                answer => return answer,
            }
        }
        self.gate.pass(Box::pin(call())).await
    }
}

impl<P: CloudFront> CloudFront for Guarded<P> {
    async fn describe(&self, lookup: &Lookup) -> Result<Option<Described>, ApiError> {
        self.call(|| self.port.describe(lookup)).await
    }

    async fn tags(&self, arn: &Arn) -> Result<Option<Tags>, ApiError> {
        self.call(|| self.port.tags(arn)).await
    }

    async fn create(&self, group: &NewGroup) -> Result<Group, ApiError> {
        self.gate.group_comes();
        self.call(|| self.port.create(group)).await
    }

    async fn update(&self, read: &Group, members: &Members) -> Result<Group, ApiError> {
        self.call(|| self.port.update(read, members)).await
    }

    async fn delete(&self, read: &Group) -> Result<(), ApiError> {
        let answer = self.call(|| self.port.delete(read)).await;
        if answer.is_ok() {
            self.gate.group_is_gone();
        }
        answer
    }

    async fn tag(&self, arn: &Arn, tags: &Tags) -> Result<(), ApiError> {
        self.call(|| self.port.tag(arn, tags)).await
    }

    async fn untag(&self, arn: &Arn, keys: &BTreeSet<String>) -> Result<(), ApiError> {
        self.call(|| self.port.untag(arn, keys)).await
    }

    async fn tenants(&self, id: &GroupId) -> Result<Tenants, ApiError> {
        self.call(|| self.port.tenants(id)).await
    }

    async fn anycast_ip_list(&self, id: &AnycastIpListId) -> Result<Option<AddressFamily>, ApiError> {
        self.call(|| self.port.anycast_ip_list(id)).await
    }

    async fn list(&self) -> Result<Vec<Summary>, ApiError> {
        self.call(|| self.port.list()).await
    }
}
