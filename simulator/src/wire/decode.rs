//! An HTTP request comes in, the [`Request`] it stands for goes out. Pure.
//!
//! The path is split before it is decoded, for names and ARNs may hold encoded slashes.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use crate::error::{ErrorCode, ServiceError};
use crate::request::{CreateAnycastIpList, CreateConnectionGroup, PageRequest, Request, UpdateConnectionGroup};
use crate::switches::IpAddressType;

use super::body::{Members, integer, malformed};
use super::{Decoded, HttpRequest};

const BASE: &str = "/2020-05-31/";

/// What an HTTP request asks for.
///
/// # Errors
/// `UnknownOperation` if no operation has this method and path, `MalformedXML` or `InvalidArgument` if its input cannot
/// be understood.
pub fn decode(http: &HttpRequest<'_>) -> Decoded {
    let unknown = || {
        let message = format!("The simulator has no operation that answers {} {}.", http.method, http.path);
        ServiceError::new(ErrorCode::UnknownOperation, message)
    };
    let path = http.path.strip_prefix(BASE).ok_or_else(unknown)?;
    let segments: Vec<&str> = path.split('/').collect();
    let mut query = parse_query(http.query);
    let if_match = http.if_match.map(ToOwned::to_owned);
    match (http.method, segments.as_slice()) {
        ("POST", ["connection-group"]) => create_group(http.body),
        ("GET", ["connection-group"]) => {
            let routing_endpoint = required(&mut query, "RoutingEndpoint")?;
            Ok(Request::GetConnectionGroupByRoutingEndpoint { routing_endpoint })
        }
        ("GET", ["connection-group", identifier]) if !identifier.is_empty() => {
            Ok(Request::GetConnectionGroup { identifier: percent_decoded(identifier) })
        }
        ("PUT", ["connection-group", id]) if !id.is_empty() => update_group(percent_decoded(id), if_match, http.body),
        ("DELETE", ["connection-group", id]) if !id.is_empty() => {
            Ok(Request::DeleteConnectionGroup { id: percent_decoded(id), if_match })
        }
        ("POST", ["connection-groups"]) => list_groups(http.body),
        ("POST", ["distribution-tenants"]) => list_tenants(http.body),
        ("GET", ["tagging"]) => Ok(Request::ListTagsForResource { resource: required(&mut query, "Resource")? }),
        ("POST", ["tagging"]) => change_tags(query, http.body),
        ("POST", ["anycast-ip-list"]) => create_list(http.body),
        ("GET", ["anycast-ip-list"]) => list_lists(query),
        ("GET", ["anycast-ip-list", id]) if !id.is_empty() => Ok(Request::GetAnycastIpList { id: percent_decoded(id) }),
        ("DELETE", ["anycast-ip-list", id]) if !id.is_empty() => {
            Ok(Request::DeleteAnycastIpList { id: percent_decoded(id), if_match })
        }
        _ => Err(unknown()),
    }
}

fn create_group(body: &[u8]) -> Decoded {
    let mut members = Members::of_body(body, "CreateConnectionGroupRequest")?;
    let input = CreateConnectionGroup {
        name: members.text("Name")?.ok_or_else(|| missing("Name"))?,
        ipv6_enabled: members.boolean("Ipv6Enabled")?,
        viewer_fallback: viewer_fallback(&mut members)?,
        anycast_ip_list_id: members.text("AnycastIpListId")?,
        enabled: members.boolean("Enabled")?,
        tags: tags(&mut members)?,
    };
    members.end()?;
    Ok(Request::CreateConnectionGroup(input))
}

fn update_group(id: String, if_match: Option<String>, body: &[u8]) -> Decoded {
    let mut members = Members::of_body(body, "UpdateConnectionGroupRequest")?;
    let input = UpdateConnectionGroup {
        id,
        if_match,
        ipv6_enabled: members.boolean("Ipv6Enabled")?,
        viewer_fallback: viewer_fallback(&mut members)?,
        anycast_ip_list_id: members.text("AnycastIpListId")?,
        enabled: members.boolean("Enabled")?,
    };
    members.end()?;
    Ok(Request::UpdateConnectionGroup(input))
}

/// An empty structure names no distribution.
fn viewer_fallback(members: &mut Members) -> Result<Option<String>, ServiceError> {
    let Some(mut fallback) = members.structure("ViewerFallback")? else { return Ok(None) };
    let distribution = fallback.text("DistributionId")?.unwrap_or_default();
    fallback.end()?;
    Ok(Some(distribution))
}

fn list_groups(body: &[u8]) -> Decoded {
    let mut members = Members::of_body(body, "ListConnectionGroupsRequest")?;
    let mut filter = members.structure("AssociationFilter")?.unwrap_or_default();
    let anycast_ip_list_id = filter.text("AnycastIpListId")?;
    filter.end()?;
    let page = page(&mut members)?;
    members.end()?;
    Ok(Request::ListConnectionGroups { anycast_ip_list_id, page })
}

fn list_tenants(body: &[u8]) -> Decoded {
    let mut members = Members::of_body(body, "ListDistributionTenantsRequest")?;
    let mut filter = members.structure("AssociationFilter")?.unwrap_or_default();
    let distribution_id = filter.text("DistributionId")?;
    let connection_group_id = filter.text("ConnectionGroupId")?;
    filter.end()?;
    let page = page(&mut members)?;
    members.end()?;
    Ok(Request::ListDistributionTenants { distribution_id, connection_group_id, page })
}

fn change_tags(mut query: BTreeMap<String, String>, body: &[u8]) -> Decoded {
    let operation = required(&mut query, "Operation")?;
    let resource = required(&mut query, "Resource")?;
    match operation.as_str() {
        "Tag" => {
            let mut members = Members::of_body(body, "Tags")?;
            let tags = members.tag_items()?;
            members.end()?;
            Ok(Request::TagResource { resource, tags })
        }
        "Untag" => {
            let mut members = Members::of_body(body, "TagKeys")?;
            let keys = members.key_items()?;
            members.end()?;
            Ok(Request::UntagResource { resource, keys })
        }
        other => Err(invalid(format!("Operation must be Tag or Untag, not \"{other}\"."))),
    }
}

fn create_list(body: &[u8]) -> Decoded {
    let mut members = Members::of_body(body, "CreateAnycastIpListRequest")?;
    if members.structure("IpamCidrConfigs")?.is_some() {
        let message = "The simulator does not know addresses of one's own (IpamCidrConfigs).";
        return Err(ServiceError::new(ErrorCode::UnsupportedOperation, message));
    }
    let ip_address_type = match members.text("IpAddressType")?.as_deref() {
        None => None,
        Some("ipv4") => Some(IpAddressType::Ipv4),
        Some("ipv6") => Some(IpAddressType::Ipv6),
        Some("dualstack") => Some(IpAddressType::Dualstack),
        Some(other) => return Err(invalid(format!("IpAddressType must be ipv4, ipv6 or dualstack, not \"{other}\"."))),
    };
    let input = CreateAnycastIpList {
        name: members.text("Name")?.ok_or_else(|| missing("Name"))?,
        ip_count: members.integer("IpCount")?,
        ip_address_type,
        tags: tags(&mut members)?,
    };
    members.end()?;
    Ok(Request::CreateAnycastIpList(input))
}

fn list_lists(mut query: BTreeMap<String, String>) -> Decoded {
    let marker = query.remove("Marker");
    let max_items = query.remove("MaxItems").map(|text| integer("MaxItems", &text)).transpose()?;
    Ok(Request::ListAnycastIpLists { page: PageRequest { marker, max_items } })
}

fn page(members: &mut Members) -> Result<PageRequest, ServiceError> {
    Ok(PageRequest { marker: members.text("Marker")?, max_items: members.integer("MaxItems")? })
}

fn tags(members: &mut Members) -> Result<Vec<(String, String)>, ServiceError> {
    let Some(mut tags) = members.structure("Tags")? else { return Ok(Vec::new()) };
    let items = tags.tag_items()?;
    tags.end()?;
    Ok(items)
}

fn parse_query(query: &str) -> BTreeMap<String, String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // SDKs write a space as %20; a plus is how forms write it.
            (percent_decoded(&name.replace('+', " ")), percent_decoded(&value.replace('+', " ")))
        })
        .collect()
}

fn percent_decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn required(query: &mut BTreeMap<String, String>, name: &str) -> Result<String, ServiceError> {
    query.remove(name).filter(|value| !value.is_empty()).ok_or_else(|| invalid(format!("{name} is required.")))
}

fn missing(name: &str) -> ServiceError {
    malformed(&format!("The element {name} is required."))
}

fn invalid(message: String) -> ServiceError {
    ServiceError::new(ErrorCode::InvalidArgument, message)
}
