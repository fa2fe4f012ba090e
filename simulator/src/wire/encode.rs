//! A result comes in, the HTTP answer goes out. Pure.

use crate::error::ServiceError;
use crate::model::{AnycastIpList, ConnectionGroup, ConnectionGroupSummary, DistributionTenant, Tags, Versioned};
use crate::response::{Page, Response};
use crate::switches::{DoneAnswer, LeftOut, ServeOn};

use super::Answer;
use super::xml::Document;

const XML: &str = "text/xml";

/// The answer for the outcome of a call.
#[must_use]
pub fn encode(outcome: &Result<Response, ServiceError>, request_id: &str) -> Answer {
    let mut answer = match outcome {
        Err(error) => return error_answer(error.code.status(), error.code.as_str(), &error.message, request_id),
        Ok(Response::CreateConnectionGroup(group)) => group_answer(201, group),
        Ok(
            Response::GetConnectionGroup(group)
            | Response::GetConnectionGroupByRoutingEndpoint(group)
            | Response::UpdateConnectionGroup(group),
        ) => group_answer(200, group),
        Ok(Response::ListConnectionGroups(page)) => {
            let write = |root: &mut Document| page_of(root, page, "ConnectionGroups", group_summary);
            with_body(200, Document::rooted("ListConnectionGroupsResult", write))
        }
        Ok(Response::ListTagsForResource(tags)) => {
            with_body(200, Document::rooted("Tags", |root| tag_items(root, tags)))
        }
        Ok(Response::CreateAnycastIpList(list)) => list_answer(202, list),
        Ok(Response::GetAnycastIpList(list)) => list_answer(200, list),
        Ok(Response::ListAnycastIpLists(page)) => {
            with_body(200, Document::rooted("AnycastIpListCollection", |root| list_collection(root, page)))
        }
        Ok(Response::ListDistributionTenants(page)) => {
            let write = |root: &mut Document| page_of(root, page, "DistributionTenantList", tenant);
            with_body(200, Document::rooted("ListDistributionTenantsResult", write))
        }
        Ok(
            Response::DeleteConnectionGroup
            | Response::TagResource
            | Response::UntagResource
            | Response::DeleteAnycastIpList,
        ) => Answer { status: 204, error: None, content_type: None, headers: Vec::new(), body: String::new() },
    };
    answer.headers.push(("x-amzn-requestid".to_owned(), request_id.to_owned()));
    answer
}

/// The answer without those members of groups, in lists too.
#[must_use]
pub fn leave_out(mut answer: Answer, left_out: LeftOut) -> Answer {
    let of_groups = ["<ConnectionGroup ", "<ListConnectionGroupsResult "].iter().any(|root| answer.body.contains(root));
    for name in left_out.elements().iter().filter(|_| of_groups) {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        while let Some((before, rest)) = answer.body.split_once(&open) {
            let after = rest.split_once(&close).map_or("", |(_, after)| after);
            answer.body = [before, after].concat();
        }
    }
    answer
}

/// The answer to a call that was done and has nothing to say, as `done` has it; any other stays as it is.
#[must_use]
pub fn done_as(answer: Answer, done: DoneAnswer) -> Answer {
    match done {
        DoneAnswer::Empty if answer.status == 204 => Answer { status: 200, ..answer },
        DoneAnswer::Document if answer.status == 204 => {
            Answer { headers: answer.headers, ..with_body(200, Document::rooted("Done", |_| ())) }
        }
        DoneAnswer::NoContent | DoneAnswer::Empty | DoneAnswer::Document => answer,
    }
}

/// The answer for any error, in the service's envelope.
#[must_use]
pub fn error_answer(status: u16, code: &str, message: &str, request_id: &str) -> Answer {
    let body = Document::rooted("ErrorResponse", |root| {
        root.parent("Error", |error| {
            error.text("Type", if status < 500 { "Sender" } else { "Receiver" });
            error.text("Code", code);
            error.text("Message", message);
        });
        root.text("RequestId", request_id);
    });
    let mut answer = with_body(status, body);
    answer.error = Some(code.to_owned());
    answer.headers.push(("x-amzn-requestid".to_owned(), request_id.to_owned()));
    answer
}

fn with_body(status: u16, body: String) -> Answer {
    Answer { status, error: None, content_type: Some(XML.to_owned()), headers: Vec::new(), body }
}

fn with_etag(mut answer: Answer, etag: &str) -> Answer {
    answer.headers.push(("ETag".to_owned(), etag.to_owned()));
    answer
}

fn group_answer(status: u16, group: &Versioned<ConnectionGroup>) -> Answer {
    let write = |root: &mut Document| connection_group(root, &group.resource);
    with_etag(with_body(status, Document::rooted("ConnectionGroup", write)), &group.etag)
}

fn list_answer(status: u16, list: &AnycastIpList) -> Answer {
    let body = Document::rooted("AnycastIpList", |root| {
        list_members(root, list);
        root.parent("AnycastIps", |ips| list.anycast_ips.iter().for_each(|ip| ips.text("AnycastIp", ip)));
    });
    with_etag(with_body(status, body), &list.etag)
}

fn connection_group(out: &mut Document, group: &ConnectionGroup) {
    out.text("Id", &group.id);
    out.text("Name", &group.name);
    out.text("Arn", &group.arn);
    out.text("CreatedTime", group.created_time);
    out.text("LastModifiedTime", group.last_modified_time);
    if let Some(tags) = group.tags.as_ref().filter(|tags| !tags.is_empty()) {
        out.parent("Tags", |out| tag_items(out, tags));
    }
    out.text("Ipv6Enabled", group.ipv6_enabled);
    viewer_fallback(out, group.viewer_fallback.as_deref());
    out.text("RoutingEndpoint", &group.routing_endpoint);
    out.optional("AnycastIpListId", group.anycast_ip_list_id.as_ref());
    out.text("Status", group.status.as_str());
    out.text("Enabled", group.enabled);
    out.text("IsDefault", group.is_default);
    group.further_elements.iter().for_each(|(name, text)| out.text(name, text));
}

fn viewer_fallback(out: &mut Document, distribution: Option<&str>) {
    if let Some(distribution) = distribution {
        out.parent("ViewerFallback", |out| out.text("DistributionId", distribution));
    }
}

fn group_summary(out: &mut Document, group: &ConnectionGroupSummary) {
    out.parent("ConnectionGroupSummary", |out| {
        out.text("Id", &group.id);
        out.text("Name", &group.name);
        out.text("Arn", &group.arn);
        out.text("RoutingEndpoint", &group.routing_endpoint);
        out.text("CreatedTime", group.created_time);
        out.text("LastModifiedTime", group.last_modified_time);
        out.text("ETag", &group.etag);
        viewer_fallback(out, group.viewer_fallback.as_deref());
        out.optional("AnycastIpListId", group.anycast_ip_list_id.as_ref());
        out.text("Enabled", group.enabled);
        out.text("Status", group.status.as_str());
        out.text("IsDefault", group.is_default);
    });
}

fn tenant(out: &mut Document, tenant: &DistributionTenant) {
    out.parent("DistributionTenantSummary", |out| {
        out.text("Id", &tenant.id);
        out.text("DistributionId", &tenant.distribution_id);
        out.text("Name", &tenant.name);
        out.text("Arn", &tenant.arn);
        out.parent("Domains", |out| {
            for domain in &tenant.domains {
                out.parent("member", |out| {
                    out.text("Domain", domain);
                    out.text("Status", "active");
                    out.optional("ServeOn", tenant.serve_on.map(ServeOn::as_str));
                });
            }
        });
        out.text("ConnectionGroupId", &tenant.connection_group_id);
        out.text("CreatedTime", tenant.created_time);
        out.text("LastModifiedTime", tenant.last_modified_time);
        out.text("ETag", &tenant.etag);
        out.text("Enabled", true);
        out.text("Status", "Deployed");
    });
}

fn page_of<T>(out: &mut Document, page: &Page<T>, list: &str, item: impl Fn(&mut Document, &T)) {
    out.parent(list, |out| page.items.iter().for_each(|entry| item(out, entry)));
    out.optional("NextMarker", page.next_marker.as_ref());
}

fn list_collection(out: &mut Document, page: &Page<AnycastIpList>) {
    out.parent("Items", |out| {
        for list in &page.items {
            out.parent("AnycastIpListSummary", |out| {
                list_members(out, list);
                out.text("ETag", &list.etag);
            });
        }
    });
    out.text("Marker", page.marker.as_deref().unwrap_or_default());
    out.optional("NextMarker", page.next_marker.as_ref());
    out.text("MaxItems", page.max_items);
    out.text("IsTruncated", page.next_marker.is_some());
    out.text("Quantity", page.items.len());
}

fn list_members(out: &mut Document, list: &AnycastIpList) {
    out.text("Id", &list.id);
    out.text("Name", &list.name);
    out.text("Status", list.status.as_str());
    out.text("Arn", &list.arn);
    out.text("IpAddressType", list.ip_address_type.as_str());
    out.text("IpCount", list.ip_count);
    out.text("LastModifiedTime", list.last_modified_time);
}

fn tag_items(out: &mut Document, tags: &Tags) {
    out.parent("Items", |out| {
        for (key, value) in tags {
            out.parent("Tag", |out| {
                out.text("Key", key);
                out.text("Value", value);
            });
        }
    });
}
