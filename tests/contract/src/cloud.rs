//! CloudFront through the operator's own adapter, guarded: AWS, or the simulator as a rehearsal. In: an endpoint. Out: a target. Talks to both.

use std::{sync::Arc, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cloudfront::config::Credentials;
use connection_group_operator::cloudfront::{
    CloudFront, ErrorClass, GroupName, Operation,
    queue::CallQueue,
    sdk::{Call as EndedCall, Meter, Sdk},
};
use connection_group_operator::leadership::fence::Fence;
use port::{Answer, AnsweredBy, Answering, Call};

use crate::{guard::Gate, target::Target};

/// These calls are not counted.
struct Silent;

impl Meter for Silent {
    fn call_ended(&self, _: &EndedCall<'_>) {}

    fn unknown_element(&self, _: &str) {}

    fn element_lost(&self, _: &str) {}
}

/// AWS as the environment specifies, or the simulator at `simulator`, which never gets real credentials.
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
    pub port: AnsweredBy<Guarded<Sdk>>,
    /// The group.
    pub name: GroupName,
    /// Between two reads of the same thing.
    pub poll: Duration,
    /// After that, waiting is given up.
    pub deadline: Duration,
}

impl Target for Cloud {
    type Port = AnsweredBy<Guarded<Sdk>>;

    fn port(&self) -> &AnsweredBy<Guarded<Sdk>> {
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

/// Calls that pass a gate, and wait when they are throttled: others share the account.
pub struct Guarded<P> {
    port: P,
    gate: Gate,
}

const THROTTLED_AT_MOST: usize = 8;

impl<P: CloudFront> Guarded<P> {
    /// Guards a port.
    pub const fn new(port: P, gate: Gate) -> AnsweredBy<Self> {
        AnsweredBy(Self { port, gate })
    }

    async fn pass(&self, call: &Call) -> Answer {
        self.gate.pass(Box::pin(call.made_at(&self.port))).await
    }
}

impl<P: CloudFront> Answering for Guarded<P> {
    async fn answer(&self, call: Call) -> Answer {
        if call.operation() == Operation::CreateConnectionGroup {
            self.gate.group_comes();
        }
        let mut answer = self.pass(&call).await;
        for _ in 1..THROTTLED_AT_MOST {
            if answer.error().is_none_or(|error| error.class != ErrorClass::Throttled) {
                break;
            }
            // The budget slows down by itself.
            answer = self.pass(&call).await;
        }
        if call.operation() == Operation::DeleteConnectionGroup && answer.error().is_none() {
            self.gate.group_is_gone();
        }
        answer
    }
}
