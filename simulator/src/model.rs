//! The resources of an account as its callers see them. Pure data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::switches::{IpAddressType, ServeOn};
use crate::time::Timestamp;

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// A resource and the `ETag` of the version that was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Versioned<T> {
    /// The resource.
    #[serde(flatten)]
    pub resource: T,
    /// Its version, as the `ETag` header tells it.
    pub etag: String,
}

/// How far the last change of a resource has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DeploymentStatus {
    /// The change is on its way to the edge locations.
    InProgress,
    /// The change is everywhere.
    Deployed,
}

impl DeploymentStatus {
    /// CloudFront's own word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Deployed => "Deployed",
        }
    }
}

/// A connection group, as Create, Get and Update show it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConnectionGroup {
    /// `cg_…`
    pub id: String,
    /// Unique in the account.
    pub name: String,
    /// The id within its account.
    pub arn: String,
    /// When it was created.
    pub created_time: Timestamp,
    /// When its configuration last changed.
    pub last_modified_time: Timestamp,
    /// The tags, in answers that carry them.
    pub tags: Option<Tags>,
    /// Whether it answers on IPv6.
    pub ipv6_enabled: bool,
    /// `d….cloudfront.net`
    pub routing_endpoint: String,
    /// The distribution that viewers without SNI get the certificate of, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewer_fallback: Option<String>,
    /// The Anycast IP list it uses, if any.
    pub anycast_ip_list_id: Option<String>,
    /// How far its last change has got.
    pub status: DeploymentStatus,
    /// Whether it takes traffic.
    pub enabled: bool,
    /// Whether CloudFront made it for tenants that name no group.
    pub is_default: bool,
    /// Elements that this version of the API does not have, name and text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub further_elements: BTreeMap<String, String>,
}

/// A connection group, as List shows it: without IPv6 and tags, but with its `ETag`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConnectionGroupSummary {
    /// `cg_…`
    pub id: String,
    /// Unique in the account.
    pub name: String,
    /// The id within its account.
    pub arn: String,
    /// `d….cloudfront.net`
    pub routing_endpoint: String,
    /// When it was created.
    pub created_time: Timestamp,
    /// When its configuration last changed.
    pub last_modified_time: Timestamp,
    /// Its current version.
    pub etag: String,
    /// The distribution that viewers without SNI get the certificate of, if any.
    pub viewer_fallback: Option<String>,
    /// The Anycast IP list it uses, if any.
    pub anycast_ip_list_id: Option<String>,
    /// Whether it takes traffic.
    pub enabled: bool,
    /// How far its last change has got.
    pub status: DeploymentStatus,
    /// Whether CloudFront made it for tenants that name no group.
    pub is_default: bool,
}

/// An Anycast IP list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AnycastIpList {
    /// `aip_…`
    pub id: String,
    /// Unique in the account.
    pub name: String,
    /// The id within its account.
    pub arn: String,
    /// How far its last change has got.
    pub status: DeploymentStatus,
    /// Which addresses it holds.
    pub ip_address_type: IpAddressType,
    /// The addresses.
    pub anycast_ips: Vec<String>,
    /// How many addresses were asked for: 3 or 21.
    pub ip_count: u32,
    /// When it last changed.
    pub last_modified_time: Timestamp,
    /// Its current version.
    pub etag: String,
}

/// A distribution tenant: one customer's domains behind a connection group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DistributionTenant {
    /// `dt_…`
    pub id: String,
    /// Unique in the account.
    pub name: String,
    /// The id within its account.
    pub arn: String,
    /// The multi-tenant distribution it is cut from.
    pub distribution_id: String,
    /// The connection group that fronts it.
    pub connection_group_id: String,
    /// The domains it serves.
    pub domains: Vec<String>,
    /// On which addresses; CloudFront's default is `any`, and is not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serve_on: Option<ServeOn>,
    /// When it was created.
    pub created_time: Timestamp,
    /// When it last changed.
    pub last_modified_time: Timestamp,
    /// Its current version.
    pub etag: String,
}
