//! The port over the account without the adapter between them, for tests that need ten million calls. It reads as the adapter does: a property of
//! `tests/reconcile` checks that both give the same answers.

use std::collections::BTreeSet;

use cloudfront_simulator::{
    Request, Response, Timestamp,
    model::{ConnectionGroup as Shown, ConnectionGroupSummary, Versioned},
    request::{CreateConnectionGroup, PageRequest, UpdateConnectionGroup},
    switches::IpAddressType,
};
use connection_group_operator::cloudfront::{
    AddressFamily, AnycastIpListId, ApiError, Arn, Deployment, Described, Elements, ErrorClass, Etag, Group, GroupId,
    GroupName, Listing, Lookup, Members, NewGroup, Operation, Summary, Tags, Tenants, list_element,
};

use crate::{
    account::{InProcess, Reply},
    adapter::REQUEST_ID,
    call::{Answer, Call},
    fault::{LeftOut, Refusal},
};

/// The answer, and what it omits.
struct Answered {
    response: Response,
    left_out: BTreeSet<LeftOut>,
    listing: Listing,
}

impl InProcess {
    /// The answer to a call that bypasses the adapter.
    #[must_use]
    pub fn answer_directly(&self, call: &Call) -> Answer {
        match call {
            Call::Describe(lookup) => Answer::Described(self.describe(lookup)),
            Call::Tags(arn) => Answer::Tags(found(self.tags_of(arn))),
            Call::Create(new) => Answer::Group(self.create(new)),
            Call::Update(read, members) => Answer::Group(self.update(read, members)),
            Call::Delete(read) => {
                let (id, if_match) = (read.id.to_string(), Some(read.etag.to_string()));
                self.change(Operation::DeleteConnectionGroup, &Request::DeleteConnectionGroup { id, if_match })
            }
            Call::Tag(arn, tags) => {
                let (resource, tags) = (arn.to_string(), tags.clone().into_iter().collect());
                self.change(Operation::TagResource, &Request::TagResource { resource, tags })
            }
            Call::Untag(arn, keys) => {
                let (resource, keys) = (arn.to_string(), keys.iter().cloned().collect());
                self.change(Operation::UntagResource, &Request::UntagResource { resource, keys })
            }
            Call::Tenants(id) => Answer::Tenants(self.tenants(id)),
            Call::AnycastIpList(id) => Answer::AnycastIpList(found(self.anycast_ip_list(id))),
            Call::List => Answer::Listed(self.list()),
        }
    }

    fn call(&self, operation: Operation, request: &Request) -> Result<Answered, ApiError> {
        let refused = |status, code: &str, message: &str| {
            let class = ErrorClass::of(status, Some(code));
            Err(ApiError::new(operation, class, Some(code.to_owned()), message, Some(REQUEST_ID.to_owned())))
        };
        let failed = |class, message| Err(ApiError::new(operation, class, None, message, None));
        match self.cloud.call(operation, request) {
            Reply::Refused(Refusal::Code(status, code, message)) => refused(status, code, message),
            Reply::Refused(Refusal::Page) => failed(ErrorClass::Unexpected, "not CloudFront's answer"),
            Reply::Refused(Refusal::NoConnection) => failed(ErrorClass::Unreachable, "no connection"),
            Reply::Refused(Refusal::Silence) | Reply::Lost => failed(ErrorClass::TimedOut, "no answer"),
            Reply::Answered { outcome: Ok(response), left_out, without_list } => {
                let listing = if without_list { Listing::LeftOut } else { Listing::Stated };
                Ok(Answered { response, left_out, listing })
            }
            Reply::Answered { outcome: Err(error), .. } => {
                refused(error.code.status(), error.code.as_str(), &error.message)
            }
        }
    }

    fn describe(&self, lookup: &Lookup) -> Result<Option<Described>, ApiError> {
        let (group, tags) = match lookup {
            Lookup::Known { id, arn } => (self.get(id.as_str()), Some((arn, self.tags_of(arn)))),
            Lookup::Name(name) => (self.get(name.as_str()), None),
        };
        let Some(group) = found(group)? else { return Ok(None) };
        let tags = match tags {
            Some((arn, tags)) if *arn == group.arn => tags?,
            _ => self.tags_of(&group.arn)?,
        };
        Ok(Some(Described { group, tags }))
    }

    fn get(&self, identifier: &str) -> Result<Group, ApiError> {
        let request = Request::GetConnectionGroup { identifier: identifier.to_owned() };
        self.call(Operation::GetConnectionGroup, &request).map(Answered::group)
    }

    fn tags_of(&self, arn: &Arn) -> Result<Tags, ApiError> {
        let request = Request::ListTagsForResource { resource: arn.to_string() };
        match self.call(Operation::ListTagsForResource, &request)?.response {
            Response::ListTagsForResource(tags) => Ok(tags),
            other => unreachable!("{other:?}"),
        }
    }

    fn create(&self, new: &NewGroup) -> Result<Group, ApiError> {
        let request = Request::CreateConnectionGroup(CreateConnectionGroup {
            name: new.name.to_string(),
            ipv6_enabled: Some(new.config.ipv6_enabled),
            viewer_fallback: None,
            anycast_ip_list_id: new.config.anycast_ip_list_id.as_ref().map(ToString::to_string),
            enabled: Some(new.config.enabled),
            tags: new.tags.clone().into_iter().collect(),
        });
        let group = self.call(Operation::CreateConnectionGroup, &request)?.group();
        Ok(group.as_accepted(&new.config.clone().into()))
    }

    fn update(&self, read: &Group, members: &Members) -> Result<Group, ApiError> {
        let carried = viewer_fallback(&read.elements);
        let only_switches = *members == Members { enabled: members.enabled, ..read.config.clone() };
        let send = |viewer_fallback| {
            let request = Request::UpdateConnectionGroup(UpdateConnectionGroup {
                id: read.id.to_string(),
                if_match: Some(read.etag.to_string()),
                ipv6_enabled: members.ipv6_enabled,
                viewer_fallback,
                anycast_ip_list_id: list_element(&read.config, members),
                enabled: members.enabled,
            });
            self.call(Operation::UpdateConnectionGroup, &request).map(Answered::group)
        };
        let group = match send(carried.clone()) {
            Err(error)
                if carried.is_some()
                    && only_switches
                    && matches!(error.class, ErrorClass::InvalidArgument | ErrorClass::NotFound) =>
            {
                send(None)
            }
            answer => answer,
        };
        group.map(|group| group.as_accepted(members))
    }

    fn change(&self, operation: Operation, request: &Request) -> Answer {
        Answer::Done(self.call(operation, request).map(drop))
    }

    fn tenants(&self, id: &GroupId) -> Result<Tenants, ApiError> {
        let request = Request::ListDistributionTenants {
            distribution_id: None,
            connection_group_id: Some(id.to_string()),
            page: PageRequest { marker: None, max_items: None },
        };
        let Answered { response, left_out: _, listing } = self.call(Operation::ListDistributionTenants, &request)?;
        match response {
            Response::ListDistributionTenants(page) => Ok(Tenants {
                count: page.items.len(),
                names: page.items.into_iter().take(10).map(|tenant| tenant.name).collect(),
                beyond_this_page: page.next_marker.is_some(),
                listing,
            }),
            other => unreachable!("{other:?}"),
        }
    }

    fn anycast_ip_list(&self, id: &AnycastIpListId) -> Result<AddressFamily, ApiError> {
        let request = Request::GetAnycastIpList { id: id.to_string() };
        match self.call(Operation::GetAnycastIpList, &request)?.response {
            Response::GetAnycastIpList(list) => Ok(match list.ip_address_type {
                IpAddressType::Ipv4 => AddressFamily::Ipv4Only,
                IpAddressType::Ipv6 | IpAddressType::Dualstack => AddressFamily::Other,
            }),
            other => unreachable!("{other:?}"),
        }
    }

    fn list(&self) -> Result<Vec<Summary>, ApiError> {
        let operation = Operation::ListConnectionGroups;
        let (mut groups, mut markers, mut marker) = (Vec::new(), BTreeSet::new(), None);
        loop {
            let page = PageRequest { marker, max_items: None };
            let request = Request::ListConnectionGroups { anycast_ip_list_id: None, page };
            let Answered { response, left_out, listing: _ } = self.call(operation, &request)?;
            let Response::ListConnectionGroups(page) = response else { unreachable!("{response:?}") };
            groups.extend(page.items.iter().map(|item| summary(item, &left_out)));
            match page.next_marker {
                None => return Ok(groups),
                Some(next) if !markers.insert(next.clone()) => {
                    return Err(ApiError::new(operation, ErrorClass::Unexpected, None, "a page comes again", None));
                }
                next => marker = next,
            }
        }
    }
}

/// CloudFront answers that there is no such resource.
fn found<T>(answer: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match answer {
        Err(error) if error.class == ErrorClass::NotFound => Ok(None),
        answer => answer.map(Some),
    }
}

impl Answered {
    fn group(self) -> Group {
        match self.response {
            Response::CreateConnectionGroup(shown)
            | Response::GetConnectionGroup(shown)
            | Response::UpdateConnectionGroup(shown) => group(&shown, &self.left_out),
            other => unreachable!("{other:?}"),
        }
    }
}

fn time(at: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(at.0).ok()
}

fn elements(shown: &Shown) -> Elements {
    let fallback = shown.viewer_fallback.as_ref().map(|id| ("ViewerFallback", format!("{BEFORE_ID}{id}{AFTER_ID}")));
    let further = shown.further_elements.iter().map(|(name, text)| (name.as_str(), format!("<{name}>{text}</{name}>")));
    let elements = fallback.into_iter().chain(further).collect::<Vec<_>>();
    Elements::of_children(elements.iter().map(|(name, xml)| (*name, xml.as_str())))
}

const BEFORE_ID: &str = "<ViewerFallback><DistributionId>";
const AFTER_ID: &str = "</DistributionId></ViewerFallback>";

/// What an update carries along.
fn viewer_fallback(carried: &Elements) -> Option<String> {
    let (_, xml) = carried.carried().find(|(name, _)| *name == "ViewerFallback")?;
    Some(xml.strip_prefix(BEFORE_ID).unwrap().strip_suffix(AFTER_ID).unwrap().to_owned())
}

fn group(shown: &Versioned<Shown>, left_out: &BTreeSet<LeftOut>) -> Group {
    let Versioned { resource, etag } = shown;
    let mut group = Group {
        id: GroupId::new(&resource.id),
        arn: Arn::new(&resource.arn),
        name: GroupName::new(&resource.name),
        etag: Etag::new(etag),
        config: Members {
            enabled: Some(resource.enabled),
            ipv6_enabled: Some(resource.ipv6_enabled),
            anycast_ip_list_id: resource.anycast_ip_list_id.as_deref().map(AnycastIpListId::new),
        },
        deployment: Some(Deployment::parse(resource.status.as_str())),
        routing_endpoint: Some(resource.routing_endpoint.clone()),
        is_default: resource.is_default,
        created: time(resource.created_time),
        modified: time(resource.last_modified_time),
        elements: elements(resource),
    };
    for member in left_out {
        match member {
            LeftOut::Status => group.deployment = None,
            LeftOut::Enabled => group.config.enabled = None,
            LeftOut::Ipv6Enabled => group.config.ipv6_enabled = None,
            LeftOut::AnycastIpListId => group.config.anycast_ip_list_id = None,
            LeftOut::RoutingEndpoint => group.routing_endpoint = None,
            LeftOut::Times => (group.created, group.modified) = (None, None),
            LeftOut::RowStatus | LeftOut::RowEnabled => {}
        }
    }
    group
}

fn summary(item: &ConnectionGroupSummary, left_out: &BTreeSet<LeftOut>) -> Summary {
    let stated = |member| !left_out.contains(&member);
    Summary {
        id: GroupId::new(&item.id),
        arn: Arn::new(&item.arn),
        name: GroupName::new(&item.name),
        etag: Etag::new(&item.etag),
        enabled: stated(LeftOut::RowEnabled).then_some(item.enabled),
        anycast_ip_list_id: item.anycast_ip_list_id.as_deref().map(AnycastIpListId::new),
        deployment: stated(LeftOut::RowStatus).then(|| Deployment::parse(item.status.as_str())),
        modified: time(item.last_modified_time),
    }
}
