//! What each operation takes. Pure data.

use serde::{Deserialize, Serialize};

use crate::operation::Operation;
use crate::switches::IpAddressType;

/// A call. Members are as on the wire: `None` was not sent, and an empty text was sent empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "operation", content = "input")]
pub enum Request {
    /// See [`Operation::CreateConnectionGroup`].
    CreateConnectionGroup(CreateConnectionGroup),
    /// See [`Operation::GetConnectionGroup`].
    GetConnectionGroup {
        /// Id, name or ARN.
        identifier: String,
    },
    /// See [`Operation::GetConnectionGroupByRoutingEndpoint`].
    GetConnectionGroupByRoutingEndpoint {
        /// `d….cloudfront.net`
        routing_endpoint: String,
    },
    /// See [`Operation::UpdateConnectionGroup`].
    UpdateConnectionGroup(UpdateConnectionGroup),
    /// See [`Operation::DeleteConnectionGroup`].
    DeleteConnectionGroup {
        /// The group.
        id: String,
        /// The version to delete.
        if_match: Option<String>,
    },
    /// See [`Operation::ListConnectionGroups`].
    ListConnectionGroups {
        /// Only groups that use this list.
        anycast_ip_list_id: Option<String>,
        /// Which page.
        page: PageRequest,
    },
    /// See [`Operation::TagResource`].
    TagResource {
        /// ARN.
        resource: String,
        /// Key and value, in the order sent.
        tags: Vec<(String, String)>,
    },
    /// See [`Operation::UntagResource`].
    UntagResource {
        /// ARN.
        resource: String,
        /// The keys to remove.
        keys: Vec<String>,
    },
    /// See [`Operation::ListTagsForResource`].
    ListTagsForResource {
        /// ARN.
        resource: String,
    },
    /// See [`Operation::CreateAnycastIpList`].
    CreateAnycastIpList(CreateAnycastIpList),
    /// See [`Operation::GetAnycastIpList`].
    GetAnycastIpList {
        /// The list.
        id: String,
    },
    /// See [`Operation::DeleteAnycastIpList`].
    DeleteAnycastIpList {
        /// The list.
        id: String,
        /// The version to delete.
        if_match: Option<String>,
    },
    /// See [`Operation::ListAnycastIpLists`].
    ListAnycastIpLists {
        /// Which page.
        page: PageRequest,
    },
    /// See [`Operation::ListDistributionTenants`].
    ListDistributionTenants {
        /// Only tenants of this distribution.
        distribution_id: Option<String>,
        /// Only tenants behind this group.
        connection_group_id: Option<String>,
        /// Which page.
        page: PageRequest,
    },
}

/// The members of `CreateConnectionGroup`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CreateConnectionGroup {
    /// Unique in the account.
    pub name: String,
    /// On when not sent.
    pub ipv6_enabled: Option<bool>,
    /// The distribution that viewers without SNI get the certificate of; an empty structure is empty text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewer_fallback: Option<String>,
    /// The list to use.
    pub anycast_ip_list_id: Option<String>,
    /// See [`crate::Switches::create_enabled`] when not sent.
    pub enabled: Option<bool>,
    /// Key and value, in the order sent.
    pub tags: Vec<(String, String)>,
}

/// The members of `UpdateConnectionGroup`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UpdateConnectionGroup {
    /// The group.
    pub id: String,
    /// The version to change.
    pub if_match: Option<String>,
    /// Kept when not sent.
    pub ipv6_enabled: Option<bool>,
    /// See [`crate::Switches::omission_clears`] when not sent; an empty structure is empty text, and takes it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewer_fallback: Option<String>,
    /// Kept when not sent; what empty text does is [`crate::Switches::detach`].
    pub anycast_ip_list_id: Option<String>,
    /// Kept when not sent.
    pub enabled: Option<bool>,
}

/// The members of `CreateAnycastIpList`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CreateAnycastIpList {
    /// Unique in the account.
    pub name: String,
    /// 3 or 21.
    pub ip_count: Option<i32>,
    /// See [`crate::Switches::list_address_type`] when not sent.
    pub ip_address_type: Option<IpAddressType>,
    /// Key and value, in the order sent.
    pub tags: Vec<(String, String)>,
}

/// Which part of a list is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PageRequest {
    /// `NextMarker` of the page before.
    pub marker: Option<String>,
    /// How many at most.
    pub max_items: Option<i32>,
}

impl Request {
    /// Which operation this calls.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        match self {
            Self::CreateConnectionGroup(_) => Operation::CreateConnectionGroup,
            Self::GetConnectionGroup { .. } => Operation::GetConnectionGroup,
            Self::GetConnectionGroupByRoutingEndpoint { .. } => Operation::GetConnectionGroupByRoutingEndpoint,
            Self::UpdateConnectionGroup(_) => Operation::UpdateConnectionGroup,
            Self::DeleteConnectionGroup { .. } => Operation::DeleteConnectionGroup,
            Self::ListConnectionGroups { .. } => Operation::ListConnectionGroups,
            Self::TagResource { .. } => Operation::TagResource,
            Self::UntagResource { .. } => Operation::UntagResource,
            Self::ListTagsForResource { .. } => Operation::ListTagsForResource,
            Self::CreateAnycastIpList(_) => Operation::CreateAnycastIpList,
            Self::GetAnycastIpList { .. } => Operation::GetAnycastIpList,
            Self::DeleteAnycastIpList { .. } => Operation::DeleteAnycastIpList,
            Self::ListAnycastIpLists { .. } => Operation::ListAnycastIpLists,
            Self::ListDistributionTenants { .. } => Operation::ListDistributionTenants,
        }
    }

    /// What it is about, in the caller's words: an id, a name, an ARN, a host name; `None` when it is about all.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        match self {
            Self::CreateConnectionGroup(input) => Some(&input.name),
            Self::CreateAnycastIpList(input) => Some(&input.name),
            Self::UpdateConnectionGroup(input) => Some(&input.id),
            Self::GetConnectionGroup { identifier } => Some(identifier),
            Self::GetConnectionGroupByRoutingEndpoint { routing_endpoint } => Some(routing_endpoint),
            Self::DeleteConnectionGroup { id, .. }
            | Self::GetAnycastIpList { id }
            | Self::DeleteAnycastIpList { id, .. } => Some(id),
            Self::TagResource { resource, .. }
            | Self::UntagResource { resource, .. }
            | Self::ListTagsForResource { resource } => Some(resource),
            Self::ListConnectionGroups { anycast_ip_list_id, .. } => anycast_ip_list_id.as_deref(),
            Self::ListDistributionTenants { distribution_id, connection_group_id, .. } => {
                connection_group_id.as_deref().or(distribution_id.as_deref())
            }
            Self::ListAnycastIpLists { .. } => None,
        }
    }

    /// The `If-Match` it carries.
    #[must_use]
    pub fn if_match(&self) -> Option<&str> {
        match self {
            Self::UpdateConnectionGroup(input) => input.if_match.as_deref(),
            Self::DeleteConnectionGroup { if_match, .. } | Self::DeleteAnycastIpList { if_match, .. } => {
                if_match.as_deref()
            }
            Self::CreateConnectionGroup(_)
            | Self::GetConnectionGroup { .. }
            | Self::GetConnectionGroupByRoutingEndpoint { .. }
            | Self::ListConnectionGroups { .. }
            | Self::TagResource { .. }
            | Self::UntagResource { .. }
            | Self::ListTagsForResource { .. }
            | Self::CreateAnycastIpList(_)
            | Self::GetAnycastIpList { .. }
            | Self::ListAnycastIpLists { .. }
            | Self::ListDistributionTenants { .. } => None,
        }
    }
}
