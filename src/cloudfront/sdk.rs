//! The implementation of the port over aws-sdk-cloudfront. Talks to CloudFront.
//!
//! In: the port's calls. Out: the port's types. Each call goes through the shared [`CallQueue`] and the [`Fence`], and is reported to the [`Meter`]. The
//! SDK's own retries are off, so that every attempt is counted and rate limited, and only the reconcile decides about retries.

mod answer;
mod attempt;
mod carried;
mod connect;
mod credentials;
mod failure;
mod no_credentials;
mod unknown;
mod whole;
mod wire;
mod xml;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use aws_config::{FrameworkMetadata, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_cloudfront::{Client, config, types};

use self::{
    answer::{address_family, group, sdk_tags, summary, tags, tenants, unreadable},
    carried::{Carry, ElementCapture},
    unknown::Unknown,
};
use super::{
    AddressFamily, AnycastIpListId, ApiError, Arn, CloudFront, Described, Elements, ErrorClass, Group, GroupId, Lookup,
    Members, NewGroup, Operation, Summary, Tags, Tenants, list_element,
    queue::{CallQueue, Class, Reservation},
};
use crate::leadership::fence::{CallScope, Fence};

pub use self::{
    attempt::{Call, Meter},
    connect::Endpoint,
    credentials::Identity,
    wire::Wire,
};

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

impl Sdk {
    /// With an endpoint and credentials that are already known.
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
        let mut builder = config::Builder::from(aws);
        // The User-Agent, and with it CloudTrail, then names the operator and its version: an app name could not contain the slash, and is the administrator's
        // (`AWS_SDK_UA_APP_ID`).
        if let Ok(operator) = FrameworkMetadata::new(env!("CARGO_PKG_NAME"), Some(env!("CARGO_PKG_VERSION"))) {
            builder.push_framework_metadata(operator);
        }
        let config = builder
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
            turns: Turns::Each(Class::UserRequest),
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
        Self { turns: Turns::Each(Class::Background), scope: self.fence.scope(), ..self.clone() }
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
        let seen = ElementCapture::default();
        let request = request.customize().interceptor(Carry(carried)).interceptor(seen.clone());
        let output = self.call(operation, || request.send()).await?;
        Ok(self.found(group(operation, output.connection_group(), output.e_tag(), seen.take())?))
    }

    async fn get(&self, identifier: &str) -> Result<Option<Group>, ApiError> {
        let operation = Operation::GetConnectionGroup;
        let seen = ElementCapture::default();
        let request = self.client.get_connection_group().identifier(identifier);
        let request = request.customize().interceptor(seen.clone());
        let Some(output) = if_it_exists(self.call(operation, || request.send()).await)? else { return Ok(None) };
        Ok(Some(self.found(group(operation, output.connection_group(), output.e_tag(), seen.take())?)))
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
        Ok(tags(output.tags()))
    }
}

/// The answer; `None` if CloudFront says that what was asked for does not exist.
fn if_it_exists<T>(answer: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match answer {
        Err(error) if error.class == ErrorClass::NotFound => Ok(None),
        answer => answer.map(Some),
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
        if_it_exists(self.tags_of(arn).await)
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
        let seen = ElementCapture::default();
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
        self.call(Operation::ListDistributionTenants, || request.send()).await.map(|output| tenants(&output))
    }

    async fn anycast_ip_list(&self, id: &AnycastIpListId) -> Result<Option<AddressFamily>, ApiError> {
        let request = self.client.get_anycast_ip_list().id(id.as_str());
        let output = if_it_exists(self.call(Operation::GetAnycastIpList, || request.send()).await)?;
        Ok(output.map(|output| address_family(output.anycast_ip_list())))
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
