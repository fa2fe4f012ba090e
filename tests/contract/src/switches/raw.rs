//! What the port does not report or ask, because the operator must not rely on it. In: calls of the SDK. Out: the answers. Talks to CloudFront.

use aws_config::{SdkConfig, retry::RetryConfig};
use aws_sdk_cloudfront::{
    Client, config,
    error::{ProvideErrorMetadata, SdkError},
    types,
};
use connection_group_operator::cloudfront::{Group, GroupName, Tags};

use crate::{guard::Gate, target::Broken};

/// The SDK itself, behind the same gate as the port.
pub struct Raw {
    client: Client,
    gate: Gate,
}

/// A group as in the answer, whatever the port needs.
#[derive(Debug)]
pub struct Shown {
    /// `Enabled`.
    pub enabled: Option<bool>,
    /// Whether tags were in the answer.
    pub tags: bool,
    /// `AnycastIpListId`.
    pub anycast_ip_list_id: Option<String>,
    /// The account in the ARN.
    pub account: Option<String>,
}

/// One page of groups.
#[derive(Debug)]
pub struct Page {
    /// How many it shows.
    pub items: usize,
    /// Whether there are more.
    pub more: bool,
}

/// An error, by its code.
#[derive(Debug)]
pub struct Refusal {
    code: Option<String>,
    text: String,
}

impl Refusal {
    /// Whether it has this code.
    #[must_use]
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

impl From<Refusal> for Broken {
    fn from(refusal: Refusal) -> Self {
        Self(refusal.text)
    }
}

impl<E: ProvideErrorMetadata + std::error::Error + 'static, R: std::fmt::Debug> From<SdkError<E, R>> for Refusal {
    fn from(error: SdkError<E, R>) -> Self {
        let code = error.code().map(ToOwned::to_owned);
        let text = match (error.code(), error.message()) {
            (Some(code), message) => format!("{code}: {}", message.unwrap_or("no message")),
            (None, _) => error.to_string(),
        };
        Self { code, text }
    }
}

fn shown(group: Option<&types::ConnectionGroup>) -> Shown {
    Shown {
        enabled: group.and_then(types::ConnectionGroup::enabled),
        tags: group.and_then(types::ConnectionGroup::tags).is_some_and(|tags| !tags.items().is_empty()),
        anycast_ip_list_id: group.and_then(types::ConnectionGroup::anycast_ip_list_id).map(ToOwned::to_owned),
        account: group
            .and_then(types::ConnectionGroup::arn)
            .and_then(|arn| arn.split(':').nth(4))
            .map(ToOwned::to_owned),
    }
}

impl Raw {
    /// Without retries: each answer is inspected.
    #[must_use]
    pub fn new(aws: &SdkConfig, gate: Gate) -> Self {
        let config = config::Builder::from(aws).retry_config(RetryConfig::disabled()).build();
        Self { client: Client::from_conf(config), gate }
    }

    /// Create without `Enabled`.
    ///
    /// # Errors
    /// As CloudFront says.
    pub async fn create(&self, name: &GroupName, tags: &Tags) -> Result<Shown, Refusal> {
        let tag = |(key, value): (&String, &String)| types::Tag::builder().key(key).value(value).build().ok();
        let tags = types::Tags::builder().set_items(Some(tags.iter().filter_map(tag).collect())).build();
        let request = self.client.create_connection_group().name(name.as_str()).tags(tags);
        self.gate.group_comes();
        Ok(shown(self.gate.pass(Box::pin(request.send())).await?.connection_group()))
    }

    /// Get.
    ///
    /// # Errors
    /// As CloudFront says.
    pub async fn get(&self, name: &GroupName) -> Result<Shown, Refusal> {
        let request = self.client.get_connection_group().identifier(name.as_str());
        Ok(shown(self.gate.pass(Box::pin(request.send())).await?.connection_group()))
    }

    /// Update with nothing but `Enabled`.
    ///
    /// # Errors
    /// As CloudFront says.
    pub async fn update_enabled(&self, read: &Group) -> Result<Shown, Refusal> {
        let request = self.client.update_connection_group().id(read.id.as_str()).if_match(read.etag.as_str());
        let request = request.set_enabled(read.config.enabled);
        Ok(shown(self.gate.pass(Box::pin(request.send())).await?.connection_group()))
    }

    /// A page of groups: those that use `list`, at most `max_items`.
    ///
    /// # Errors
    /// As CloudFront says.
    pub async fn page(&self, list: Option<&str>, max_items: Option<i32>) -> Result<Page, Refusal> {
        let filter = list.map(|id| types::ConnectionGroupAssociationFilter::builder().anycast_ip_list_id(id).build());
        let request = self.client.list_connection_groups().set_association_filter(filter).set_max_items(max_items);
        let page = self.gate.pass(Box::pin(request.send())).await?;
        let more = page.next_marker().is_some_and(|marker| !marker.is_empty());
        Ok(Page { items: page.connection_groups().len(), more })
    }
}
