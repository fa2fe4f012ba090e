//! Converts between the SDK's types and the port's. Pure.
//!
//! Every member of an answer may be left out. What identifies a group and its version (Id, Arn, Name, ETag) is always needed: without it the answer is an
//! error. Anything else that is left out was not stated: it is `None`, never a value.

use aws_sdk_cloudfront::{operation::list_distribution_tenants::ListDistributionTenantsOutput, types};
use jiff::Timestamp;

use crate::cloudfront::{
    AddressFamily, AnycastIpListId, ApiError, Arn, Deployment, Elements, ErrorClass, Etag, Group, GroupId, GroupName,
    Listing, Members, Operation, Summary, Tags, Tenants, error::one_line,
};

pub fn sdk_tags(operation: Operation, tags: &Tags) -> Result<types::Tags, ApiError> {
    let items = tags
        .iter()
        .map(|(key, value)| types::Tag::builder().key(key).value(value).build())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| ApiError::new(operation, ErrorClass::InvalidArgument, None, &error.to_string(), None))?;
    Ok(types::Tags::builder().set_items(Some(items)).build())
}

pub fn tags(answered: Option<&types::Tags>) -> Tags {
    let items = answered.map(types::Tags::items).unwrap_or_default();
    items.iter().map(|tag| (tag.key().to_owned(), tag.value().unwrap_or_default().to_owned())).collect()
}

pub fn unreadable(operation: Operation, what: &str) -> ApiError {
    ApiError::new(operation, ErrorClass::Unexpected, None, what, None)
}

pub fn group(
    operation: Operation,
    group: Option<&types::ConnectionGroup>,
    etag: Option<&str>,
    elements: Elements,
) -> Result<Group, ApiError> {
    let lacks = |what: &str| unreadable(operation, &format!("the answer has no {what}"));
    let group = group.ok_or_else(|| lacks("ConnectionGroup"))?;
    Ok(Group {
        id: GroupId::new(group.id().ok_or_else(|| lacks("Id"))?),
        arn: Arn::new(group.arn().ok_or_else(|| lacks("Arn"))?),
        name: GroupName::new(group.name().ok_or_else(|| lacks("Name"))?),
        etag: Etag::new(etag.filter(|etag| !etag.is_empty()).ok_or_else(|| lacks("ETag"))?),
        config: Members {
            enabled: group.enabled(),
            ipv6_enabled: group.ipv6_enabled(),
            anycast_ip_list_id: anycast(group.anycast_ip_list_id()),
        },
        deployment: group.status().and_then(deployment),
        routing_endpoint: group.routing_endpoint().map(|name| one_line(name, HOST_NAME_LIMIT)),
        is_default: group.is_default().unwrap_or_else(|| has_the_name_of_a_default_group(group)),
        created: group.created_time().and_then(timestamp),
        modified: group.last_modified_time().and_then(timestamp),
        elements,
    })
}

/// The prefix of the name that CloudFront gives a default group; the group's id follows it.
const DEFAULT_GROUP: &str = "CreatedByCloudFront-";

/// If `IsDefault` is not stated, the name decides: every answer has it, and it never changes. A group that is mistaken for the default one is only left
/// untouched.
fn has_the_name_of_a_default_group(group: &types::ConnectionGroup) -> bool {
    group.name().is_some_and(|name| name.starts_with(DEFAULT_GROUP))
}

/// How many tenants are named.
const TENANT_NAMES_SHOWN: usize = 10;

/// Maximum length of a tenant's name that is shown.
const TENANT_NAME_LIMIT: usize = 128;

pub fn tenants(page: &ListDistributionTenantsOutput) -> Tenants {
    let all = page.distribution_tenant_list();
    Tenants {
        count: all.len(),
        names: all.iter().take(TENANT_NAMES_SHOWN).map(tenant_name).collect(),
        beyond_this_page: page.next_marker().is_some_and(|marker| !marker.is_empty()),
        listing: if page.distribution_tenant_list.is_some() { Listing::Stated } else { Listing::LeftOut },
    }
}

/// The name of a tenant, or else its id; a tenant with neither also counts.
fn tenant_name(tenant: &types::DistributionTenantSummary) -> String {
    let known = [tenant.name(), tenant.id(), "(unnamed)"].into_iter().find(|text| !text.is_empty());
    one_line(known.unwrap_or_default(), TENANT_NAME_LIMIT)
}

pub fn address_family(list: Option<&types::AnycastIpList>) -> AddressFamily {
    match list.and_then(types::AnycastIpList::ip_address_type) {
        Some(types::IpAddressType::Ipv4) => AddressFamily::Ipv4Only,
        _ => AddressFamily::Other,
    }
}

pub fn summary(item: &types::ConnectionGroupSummary) -> Result<Summary, ApiError> {
    let lacks = |what: &str| unreadable(Operation::ListConnectionGroups, &format!("a group in the list has no {what}"));
    if item.e_tag().is_empty() || item.id().is_empty() || item.name().is_empty() {
        return Err(lacks("ETag, Id or Name"));
    }
    Ok(Summary {
        id: GroupId::new(item.id()),
        arn: Arn::new(item.arn()),
        name: GroupName::new(item.name()),
        etag: Etag::new(item.e_tag()),
        enabled: item.enabled(),
        anycast_ip_list_id: anycast(item.anycast_ip_list_id()),
        deployment: item.status().and_then(deployment),
        modified: timestamp(item.last_modified_time()),
    })
}

/// Maximum length of a status, far beyond the known ones.
const STATUS_LIMIT: usize = 64;

/// Maximum length of a host name (RFC 1035).
const HOST_NAME_LIMIT: usize = 253;

fn deployment(status: &str) -> Option<Deployment> {
    Some(one_line(status, STATUS_LIMIT)).filter(|status| !status.is_empty()).map(|status| Deployment::parse(&status))
}

pub fn anycast(id: Option<&str>) -> Option<AnycastIpListId> {
    id.filter(|id| !id.is_empty()).map(AnycastIpListId::new)
}

pub fn timestamp(time: &aws_sdk_cloudfront::primitives::DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}
