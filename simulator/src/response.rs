//! What each operation answers. Pure data.

use serde::{Deserialize, Serialize};

use crate::model::{AnycastIpList, ConnectionGroup, ConnectionGroupSummary, DistributionTenant, Tags, Versioned};

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items, in order of creation.
    pub items: Vec<T>,
    /// The marker the page was asked for with.
    pub marker: Option<String>,
    /// The most items the page could have held.
    pub max_items: u32,
    /// What to ask the next page with, if there is more.
    pub next_marker: Option<String>,
}

/// What a call answers when it succeeds: one variant per operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Response {
    /// The new group.
    CreateConnectionGroup(Versioned<ConnectionGroup>),
    /// The group.
    GetConnectionGroup(Versioned<ConnectionGroup>),
    /// The group.
    GetConnectionGroupByRoutingEndpoint(Versioned<ConnectionGroup>),
    /// The group after the change.
    UpdateConnectionGroup(Versioned<ConnectionGroup>),
    /// The group is gone.
    DeleteConnectionGroup,
    /// Some groups.
    ListConnectionGroups(Page<ConnectionGroupSummary>),
    /// The tags are set.
    TagResource,
    /// The tags are gone.
    UntagResource,
    /// The tags.
    ListTagsForResource(Tags),
    /// The new list.
    CreateAnycastIpList(AnycastIpList),
    /// The list.
    GetAnycastIpList(AnycastIpList),
    /// The list is gone.
    DeleteAnycastIpList,
    /// Some lists.
    ListAnycastIpLists(Page<AnycastIpList>),
    /// Some tenants.
    ListDistributionTenants(Page<DistributionTenant>),
}
