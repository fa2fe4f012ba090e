//! The implementation of the port over aws-sdk-cloudfront. Talks to CloudFront.
//!
//! In: the port's calls. Out: the port's types. Each call goes through the shared [`CallQueue`] and the [`Fence`], and is reported to the [`Meter`]. The
//! SDK's own retries are off, so that every attempt is counted and rate limited, and only the reconcile decides about retries.

mod answer;
mod carried;
mod failure;
mod unknown;
mod whole;
mod wire;
mod xml;

use std::{collections::BTreeSet, future::Future, sync::Arc, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_cloudfront::{
    Client, config,
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
    types,
};
use aws_smithy_runtime_api::http::Response;
use tokio::time::Instant;
use tracing::{Instrument, Span, field::Empty};

use self::{
    answer::{group, sdk_tags, summary, tenant_name, unreadable},
    carried::{Carry, Seen},
    failure::{api_error, refused},
    unknown::Unknown,
    wire::watched,
};
use super::{
    AddressFamily, AnycastIpListId, ApiError, Arn, CloudFront, Described, Elements, ErrorClass, Group, GroupId,
    Listing, Lookup, Members, NewGroup, Operation, Summary, Tags, Tenants, list_element,
    queue::{CallQueue, Class, Reservation, Slowed},
};
use crate::leadership::fence::{CallScope, Fence, Refused};

pub use self::wire::Wire;

/// Where CloudFront is and how long a call may take.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Region to sign for; us-east-1 on the public partition.
    pub region: String,
    /// An endpoint other than AWS's own.
    pub url: Option<String>,
    /// Maximum time from sending a call to receiving its answer.
    pub call_timeout: Duration,
}

/// Observes every call, for metrics.
pub trait Meter: Send + Sync {
    /// One attempt has ended.
    fn call_ended(&self, call: &Call<'_>);
    /// An answer shows an element of a group that this version does not know.
    fn unknown_element(&self, element: &str);
    /// The answer to an update no longer shows an element of the group that was there before.
    fn element_lost(&self, element: &str);
}

/// A call that has ended.
pub struct Call<'a> {
    /// The operation that was called.
    pub operation: Operation,
    /// How long it took, without the wait in the call queue.
    pub duration: Duration,
    /// What went over the wire.
    pub wire: Wire,
    /// How it failed; `None` is success.
    pub error: Option<&'a ApiError>,
}

/// The adapter. Cheap to clone; all clones share one client and one queue.
#[derive(Clone)]
pub struct Sdk {
    client: Client,
    queue: CallQueue,
    meter: Arc<dyn Meter>,
    fence: Fence,
    scope: CallScope,
    turns: Turns,
    unknown: Arc<Unknown>,
}

/// The turn that calls are made in.
#[derive(Clone)]
enum Turns {
    /// Each call of the port waits for its own turn.
    Each(Class),
    /// All calls are made in one turn.
    One(Arc<Reservation>),
}

const TENANT_NAMES_SHOWN: usize = 10;

impl Sdk {
    /// Connects with credentials from the standard AWS chain, which is not used before the first call. Nothing is sent while `fence` is closed.
    pub async fn connect(endpoint: &Endpoint, queue: CallQueue, meter: Arc<dyn Meter>, fence: Fence) -> Self {
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).region(Region::new(endpoint.region.clone()));
        if let Some(url) = &endpoint.url {
            loader = loader.endpoint_url(url);
        }
        Self::configured(&loader.load().await, endpoint.call_timeout, queue, meter, fence)
    }

    /// The same, with an endpoint and credentials that are already known.
    #[must_use]
    pub fn configured(
        aws: &SdkConfig,
        call_timeout: Duration,
        queue: CallQueue,
        meter: Arc<dyn Meter>,
        fence: Fence,
    ) -> Self {
        let timeouts =
            TimeoutConfig::builder().operation_timeout(call_timeout).operation_attempt_timeout(call_timeout).build();
        let config = config::Builder::from(aws)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .interceptor(fence.clone())
            .interceptor(wire::Tap)
            .interceptor(whole::Whole)
            .build();
        let (scope, unknown) = (fence.scope(), Arc::default());
        Self {
            client: Client::from_conf(config),
            queue,
            meter,
            fence,
            scope,
            turns: Turns::Each(Class::Asked),
            unknown,
        }
    }

    /// Waits until a call of this adapter was not started because the process is shutting down. That call never returns, so whatever waits for it must be
    /// dropped.
    pub async fn abandoned(&self) {
        self.scope.abandoned().await;
    }

    /// The same adapter for background work; each of its calls waits for its own turn.
    #[must_use]
    pub fn in_background(&self) -> Self {
        Self { turns: Turns::Each(Class::Rest), scope: self.fence.scope(), ..self.clone() }
    }

    /// The same adapter for one reconcile, or for anything else that ends as a whole; all its calls are made in this reservation.
    #[must_use]
    pub fn within(&self, reservation: Arc<Reservation>) -> Self {
        Self { turns: Turns::One(reservation), scope: self.fence.scope(), ..self.clone() }
    }

    /// The same adapter, once the inventory may begin; its pages follow without a wait.
    pub async fn for_one_list(&self) -> Self {
        let reservation = Arc::new(self.queue.reserve(Class::Inventory));
        reservation.turn(Operation::ListConnectionGroups).await;
        self.within(reservation)
    }

    /// Returns when this change may be made, as far as the queue is concerned. Never returns if it must not be started, because the process is shutting down.
    pub async fn turn_for_change(&self, operation: Operation) {
        let reservation = self.reservation();
        tokio::select! {
            biased;
            () = self.fence.draining() => match self.scope.abandon().await {},
            () = reservation.turn(operation) => {}
        }
    }

    /// The same adapter for several calls in one turn.
    fn in_one_turn(&self) -> Self {
        Self { turns: Turns::One(self.reservation()), ..self.clone() }
    }

    fn reservation(&self) -> Arc<Reservation> {
        match &self.turns {
            Turns::Each(class) => Arc::new(self.queue.reserve(*class)),
            Turns::One(reservation) => Arc::clone(reservation),
        }
    }

    /// One attempt. The request is built when the turn has come, because it is large and hundreds may wait.
    async fn call<T, E, F>(&self, operation: Operation, send: impl FnOnce() -> F + Send) -> Result<T, ApiError>
    where
        F: Future<Output = Result<T, SdkError<E, Response>>> + Send,
        T: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let reservation = self.reservation();
        let (admitted, _in_flight) = self.scope.begin(operation, reservation.admit(operation)).await;
        if let Err(Slowed) = admitted {
            return Err(not_sent(operation));
        }
        let started = Instant::now();
        let span = span(operation);
        let (answer, wire) = watched(Box::pin(send().instrument(span.clone()))).await;
        if answer.as_ref().err().and_then(refused) == Some(Refused::Draining) {
            match self.scope.abandon().await {}
        }
        let answer = answer.map_err(|error| api_error(operation, &error));
        let duration = started.elapsed();
        self.fence.pass().await;
        let request_id = answer.as_ref().map_or_else(|error| error.request_id.as_deref(), RequestId::request_id);
        record(&span, wire, request_id, answer.as_ref().err());
        self.meter.call_ended(&Call { operation, duration, wire, error: answer.as_ref().err() });
        match &answer {
            Ok(output) => {
                if operation.is_mutation() {
                    // The log line that reports a change is written in this span.
                    Span::current().record("aws_request_id", output.request_id());
                }
                tracing::debug!(%operation, aws_request_id = output.request_id(), ?duration, "call answered");
            }
            Err(error) => {
                tracing::debug!(%operation, aws_request_id = error.request_id, ?duration, %error, "call failed");
                if error.class == ErrorClass::Throttled {
                    self.queue.throttled(operation);
                }
            }
        }
        answer
    }

    async fn send_update(&self, read: &Group, members: &Members, carried: Elements) -> Result<Group, ApiError> {
        let operation = Operation::UpdateConnectionGroup;
        let request = self
            .client
            .update_connection_group()
            .id(read.id.as_str())
            .if_match(read.etag.as_str())
            .set_enabled(members.enabled)
            .set_ipv6_enabled(members.ipv6_enabled)
            .set_anycast_ip_list_id(list_element(&read.config, members));
        let seen = Seen::default();
        let request = request.customize().interceptor(Carry(carried)).interceptor(seen.clone());
        let output = self.call(operation, || request.send()).await?;
        Ok(self.found(group(operation, output.connection_group(), output.e_tag(), seen.take())?))
    }

    async fn get(&self, identifier: &str) -> Result<Option<Group>, ApiError> {
        let operation = Operation::GetConnectionGroup;
        let seen = Seen::default();
        let request = self.client.get_connection_group().identifier(identifier);
        let request = request.customize().interceptor(seen.clone());
        match self.call(operation, || request.send()).await {
            Ok(output) => {
                Ok(Some(self.found(group(operation, output.connection_group(), output.e_tag(), seen.take())?)))
            }
            Err(error) if error.class == ErrorClass::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A group as answered. Elements that this version does not know block nothing, but are counted, and logged once.
    fn found(&self, group: Group) -> Group {
        for element in group.elements.unknown() {
            self.meter.unknown_element(&self.unknown.label(element));
        }
        group
    }

    async fn tags_of(&self, arn: &Arn) -> Result<Tags, ApiError> {
        let request = self.client.list_tags_for_resource().resource(arn.as_str());
        let output = self.call(Operation::ListTagsForResource, || request.send()).await?;
        let items = output.tags().map(types::Tags::items).unwrap_or_default();
        Ok(items.iter().map(|tag| (tag.key().to_owned(), tag.value().unwrap_or_default().to_owned())).collect())
    }
}

/// The error of a call that is not sent, because CloudFront throttled the operation recently. It is not reported to the meter.
fn not_sent(operation: Operation) -> ApiError {
    tracing::debug!(%operation, "call not sent: CloudFront has throttled this operation, and it is called less often for a minute");
    ApiError::new(
        operation,
        ErrorClass::Throttled,
        None,
        "not sent, as CloudFront has throttled this operation lately",
        None,
    )
}

/// A span for traces, named by OpenTelemetry's conventions for AWS calls.
fn span(operation: Operation) -> Span {
    tracing::info_span!(
        "call",
        otel.name = format!("CloudFront.{operation}"),
        otel.kind = "client",
        otel.status_code = Empty,
        rpc.system = "aws-api",
        rpc.service = "CloudFront",
        rpc.method = operation.as_str(),
        http.response.status_code = Empty,
        aws.request_id = Empty,
        "error.type" = Empty,
    )
}

fn record(span: &Span, wire: Wire, request_id: Option<&str>, error: Option<&ApiError>) {
    span.record("http.response.status_code", wire.status);
    span.record("aws.request_id", request_id);
    if let Some(error) = error {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", error.code.clone().unwrap_or_else(|| format!("{:?}", error.class)));
    }
}

impl CloudFront for Sdk {
    async fn describe(&self, lookup: &Lookup) -> Result<Option<Described>, ApiError> {
        let port = self.in_one_turn();
        let (group, tags) = match lookup {
            Lookup::Known { id, arn } => {
                let (group, tags) = tokio::join!(port.get(id.as_str()), port.tags_of(arn));
                (group?, Some((arn, tags)))
            }
            Lookup::Name(name) => (port.get(name.as_str()).await?, None),
        };
        let Some(group) = group else { return Ok(None) };
        let tags = match tags {
            Some((arn, tags)) if *arn == group.arn => tags?,
            _ => port.tags_of(&group.arn).await?,
        };
        Ok(Some(Described { group, tags }))
    }

    async fn tags(&self, arn: &Arn) -> Result<Option<Tags>, ApiError> {
        match self.tags_of(arn).await {
            Err(error) if error.class == ErrorClass::NotFound => Ok(None),
            answer => answer.map(Some),
        }
    }

    async fn create(&self, new: &NewGroup) -> Result<Group, ApiError> {
        let operation = Operation::CreateConnectionGroup;
        let request = self
            .client
            .create_connection_group()
            .name(new.name.as_str())
            .enabled(new.config.enabled)
            .ipv6_enabled(new.config.ipv6_enabled)
            .set_anycast_ip_list_id(new.config.anycast_ip_list_id.as_ref().map(ToString::to_string))
            .tags(sdk_tags(operation, &new.tags)?);
        let seen = Seen::default();
        let request = request.customize().interceptor(seen.clone());
        let output = self.call(operation, || request.send()).await?;
        let answered = self.found(group(operation, output.connection_group(), output.e_tag(), seen.take())?);
        Ok(answered.as_accepted(&new.config.clone().into()))
    }

    async fn update(&self, read: &Group, members: &Members) -> Result<Group, ApiError> {
        let carries = read.elements.carried().next().is_some();
        // No element that is carried along may block the emergency switch. Any other update is refused as a whole, so that nothing is removed unasked.
        let only_switches = *members == Members { enabled: members.enabled, ..read.config.clone() };
        let answered = match self.send_update(read, members, read.elements.clone()).await {
            Err(error)
                if carries
                    && only_switches
                    && matches!(error.class, ErrorClass::InvalidArgument | ErrorClass::NotFound) =>
            {
                self.send_update(read, members, Elements::default()).await?
            }
            answered => answered?,
        };
        for element in read.elements.lost(&answered.elements) {
            self.meter.element_lost(&self.unknown.label(element));
        }
        Ok(answered.as_accepted(members))
    }

    async fn delete(&self, read: &Group) -> Result<(), ApiError> {
        let request = self.client.delete_connection_group().id(read.id.as_str()).if_match(read.etag.as_str());
        self.call(Operation::DeleteConnectionGroup, || request.send()).await.map(drop)
    }

    async fn tag(&self, arn: &Arn, tags: &Tags) -> Result<(), ApiError> {
        let operation = Operation::TagResource;
        let request = self.client.tag_resource().resource(arn.as_str()).tags(sdk_tags(operation, tags)?);
        self.call(operation, || request.send()).await.map(drop)
    }

    async fn untag(&self, arn: &Arn, keys: &BTreeSet<String>) -> Result<(), ApiError> {
        let keys = types::TagKeys::builder().set_items(Some(keys.iter().cloned().collect())).build();
        let request = self.client.untag_resource().resource(arn.as_str()).tag_keys(keys);
        self.call(Operation::UntagResource, || request.send()).await.map(drop)
    }

    async fn tenants(&self, id: &GroupId) -> Result<Tenants, ApiError> {
        let of_group = types::DistributionTenantAssociationFilter::builder().connection_group_id(id.as_str()).build();
        let request = self.client.list_distribution_tenants().association_filter(of_group);
        let output = self.call(Operation::ListDistributionTenants, || request.send()).await?;
        let page = output.distribution_tenant_list();
        let shown = page.iter().take(TENANT_NAMES_SHOWN);
        Ok(Tenants {
            count: page.len(),
            names: shown.map(tenant_name).collect(),
            beyond_this_page: output.next_marker().is_some_and(|marker| !marker.is_empty()),
            listing: if output.distribution_tenant_list.is_some() { Listing::Stated } else { Listing::LeftOut },
        })
    }

    async fn anycast_ip_list(&self, id: &AnycastIpListId) -> Result<Option<AddressFamily>, ApiError> {
        let request = self.client.get_anycast_ip_list().id(id.as_str());
        match self.call(Operation::GetAnycastIpList, || request.send()).await {
            Ok(output) => {
                let family = output.anycast_ip_list().and_then(types::AnycastIpList::ip_address_type);
                Ok(Some(match family {
                    Some(types::IpAddressType::Ipv4) => AddressFamily::Ipv4Only,
                    _ => AddressFamily::Other,
                }))
            }
            Err(error) if error.class == ErrorClass::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn list(&self) -> Result<Vec<Summary>, ApiError> {
        let (port, operation) = (self.in_one_turn(), Operation::ListConnectionGroups);
        let mut groups = Vec::new();
        let mut markers = BTreeSet::new();
        let mut marker = None::<String>;
        loop {
            let request = self.client.list_connection_groups().set_marker(marker);
            let output = port.call(operation, || request.send()).await?;
            for item in output.connection_groups() {
                groups.push(summary(item)?);
            }
            match output.next_marker().filter(|next| !next.is_empty()) {
                None => return Ok(groups),
                Some(next) if !markers.insert(next.to_owned()) => {
                    return Err(unreadable(operation, "the list of groups repeats a page"));
                }
                Some(next) => marker = Some(next.to_owned()),
            }
        }
    }
}
