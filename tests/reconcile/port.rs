//! The CloudFront port over the simulator's `Account`, in this process. In: the port's calls. Out: what CloudFront would answer, with the faults
//! that a test has ordered. Synchronous underneath: no network, no clock of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use cloudfront_simulator::{
    Account, ErrorCode, Freshness, Request, Response, ServiceError, Timestamp,
    model::{ConnectionGroup as Shown, ConnectionGroupSummary, DeploymentStatus, Versioned},
    request::{CreateConnectionGroup, PageRequest, UpdateConnectionGroup},
    response::Page,
    switches::IpAddressType,
};
use connection_group_operator::cloudfront::{
    AddressFamily, AnycastIpListId, ApiError, Arn, CloudFront, Deployment, Described, Elements, ErrorClass, Etag,
    Group, GroupId, GroupName, Listing, Lookup, Members, NewGroup, Operation, Summary, Tags, Tenants, list_element,
};

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Refused before it has an effect.
    Error(ErrorClass),
    /// Refused with a code that this version does not know.
    UnknownCode,
    /// Takes effect, but the answer is lost.
    AnswerLost,
    /// Takes effect, but the answer shows the group with IPv6 the other way.
    AnsweredWrongly,
    /// Takes effect, but the answer shows the group switched the other way.
    AnsweredWithTheOldSwitch,
    /// Answered from the state before the last change.
    Stale,
    /// A page without items, although others follow.
    EmptyPage,
    /// An answer without the list that was asked for.
    ListLeftOut,
    /// An answer that shows a group without all that is optional.
    Lacking,
    /// Somebody else changes the group just before the call.
    ChangedJustBefore,
}

/// A member that the API's model calls optional, and that answers leave out from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    Status,
    Enabled,
    Ipv6Enabled,
    AnycastIpListId,
    RoutingEndpoint,
    Times,
    /// Of a row of the list.
    RowStatus,
    /// Of a row of the list.
    RowEnabled,
}

impl LeftOut {
    pub const ALL: [Self; 8] = [
        Self::Status,
        Self::Enabled,
        Self::Ipv6Enabled,
        Self::AnycastIpListId,
        Self::RoutingEndpoint,
        Self::Times,
        Self::RowStatus,
        Self::RowEnabled,
    ];

    fn strip_group(self, group: &mut Group) {
        match self {
            Self::Status => group.deployment = None,
            Self::Enabled => group.config.enabled = None,
            Self::Ipv6Enabled => group.config.ipv6_enabled = None,
            Self::AnycastIpListId => group.config.anycast_ip_list_id = None,
            Self::RoutingEndpoint => group.routing_endpoint = None,
            Self::Times => (group.created, group.modified) = (None, None),
            Self::RowStatus | Self::RowEnabled => {}
        }
    }

    fn strip_row(self, row: &mut Summary) {
        match self {
            Self::RowStatus => row.deployment = None,
            Self::RowEnabled => row.enabled = None,
            Self::Status
            | Self::Enabled
            | Self::Ipv6Enabled
            | Self::AnycastIpListId
            | Self::RoutingEndpoint
            | Self::Times => {}
        }
    }
}

/// An account that answers the port. All clones are the same account.
#[derive(Clone)]
pub struct InProcess {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Clone)]
struct Inner {
    account: Account,
    now: Timestamp,
    calls: Vec<Operation>,
    faults: BTreeMap<Operation, Vec<Fault>>,
    left_out: BTreeSet<LeftOut>,
    left_out_once: BTreeSet<LeftOut>,
}

impl InProcess {
    pub fn new(account: Account, now: Timestamp) -> Self {
        let (calls, faults) = (Vec::new(), BTreeMap::new());
        let (left_out, left_out_once) = (BTreeSet::new(), BTreeSet::new());
        Self { inner: Arc::new(Mutex::new(Inner { account, now, calls, faults, left_out, left_out_once })) }
    }

    /// Another account that is like this one now.
    pub fn fork(&self) -> Self {
        Self { inner: Arc::new(Mutex::new(self.lock().clone())) }
    }

    /// The account itself, for what somebody else does to it.
    pub fn account<T>(&self, act: impl FnOnce(&mut Account, Timestamp) -> T) -> T {
        let mut inner = self.lock();
        let now = inner.now;
        act(&mut inner.account, now)
    }

    pub fn set_now(&self, now: Timestamp) {
        self.lock().now = now;
    }

    /// Orders a fault for the next call of that operation; several are used up in order.
    pub fn fail(&self, operation: Operation, fault: Fault) {
        self.lock().faults.entry(operation).or_default().push(fault);
    }

    /// From now on, all answers leave these members out.
    pub fn leave_out(&self, members: impl IntoIterator<Item = LeftOut>) {
        self.lock().left_out.extend(members);
    }

    /// From now on, answers are whole again.
    pub fn leave_nothing_out(&self) {
        self.lock().left_out.clear();
    }

    fn group(&self, shown: &Versioned<Shown>) -> Group {
        let mut group = group(shown);
        let mut inner = self.lock();
        let once = std::mem::take(&mut inner.left_out_once);
        inner.left_out.union(&once).for_each(|member| member.strip_group(&mut group));
        group
    }

    fn summary(&self, item: &ConnectionGroupSummary) -> Summary {
        let mut row = summary(item);
        self.lock().left_out.iter().for_each(|member| member.strip_row(&mut row));
        row
    }

    /// Every fault that was ordered and has not been used up is called off.
    pub fn faults_stop(&self) {
        self.lock().faults.clear();
    }

    /// The calls since the last time this was asked.
    pub fn take_calls(&self) -> Vec<Operation> {
        std::mem::take(&mut self.lock().calls)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn call(&self, operation: Operation, request: &Request) -> Result<Response, ApiError> {
        let mut inner = self.lock();
        inner.calls.push(operation);
        let now = inner.now;
        let fault = inner.faults.get_mut(&operation).filter(|faults| !faults.is_empty()).map(|faults| faults.remove(0));
        let mut freshness = Freshness::AsSwitched;
        match fault {
            Some(Fault::Error(class)) => {
                return Err(ApiError::new(operation, class, None, "ordered by the test", Some("r-1".to_owned())));
            }
            Some(Fault::UnknownCode) => {
                let (class, code) = (ErrorClass::Unexpected, Some("LaterException".to_owned()));
                return Err(ApiError::new(operation, class, code, "ordered by the test", Some("r-1".to_owned())));
            }
            Some(Fault::Stale) => freshness = Freshness::Stale { versions: 1 },
            Some(Fault::ChangedJustBefore) => {
                let target = request.target().unwrap().to_owned();
                let patch = cloudfront_simulator::admin::GroupPatch { ipv6_enabled: Some(false), ..Default::default() };
                inner.account.outside_edit_group(now, &target, patch).unwrap();
            }
            Some(Fault::Lacking) => inner.left_out_once.extend(LeftOut::ALL),
            Some(
                Fault::AnswerLost
                | Fault::AnsweredWrongly
                | Fault::AnsweredWithTheOldSwitch
                | Fault::EmptyPage
                | Fault::ListLeftOut,
            )
            | None => {}
        }
        let mut answer = inner.account.call_with(now, request, freshness);
        if fault == Some(Fault::EmptyPage) {
            let page = Page { items: Vec::new(), marker: None, max_items: 100, next_marker: Some("more".to_owned()) };
            return Ok(Response::ListDistributionTenants(page));
        }
        if fault == Some(Fault::ListLeftOut) {
            // No page holds none of that many items.
            let page = Page { items: Vec::new(), marker: None, max_items: 0, next_marker: None };
            return Ok(Response::ListDistributionTenants(page));
        }
        if let (Some(Fault::AnsweredWrongly), Ok(Response::UpdateConnectionGroup(shown))) = (fault, &mut answer) {
            shown.resource.ipv6_enabled = !shown.resource.ipv6_enabled;
        }
        if let (Some(Fault::AnsweredWithTheOldSwitch), Ok(Response::UpdateConnectionGroup(shown))) =
            (fault, &mut answer)
        {
            shown.resource.enabled = !shown.resource.enabled;
        }
        if fault == Some(Fault::AnswerLost) {
            return Err(ApiError::new(operation, ErrorClass::TimedOut, None, "the answer was lost", None));
        }
        answer.map_err(|error| api_error(operation, &error))
    }

    fn get(&self, identifier: &str) -> Result<Option<Group>, ApiError> {
        let request = Request::GetConnectionGroup { identifier: identifier.to_owned() };
        match self.call(Operation::GetConnectionGroup, &request) {
            Ok(Response::GetConnectionGroup(shown)) => Ok(Some(self.group(&shown))),
            Err(error) if error.class == ErrorClass::NotFound => Ok(None),
            other => Err(unexpected(other)),
        }
    }

    fn tags_of(&self, arn: &Arn) -> Result<Tags, ApiError> {
        let request = Request::ListTagsForResource { resource: arn.to_string() };
        match self.call(Operation::ListTagsForResource, &request) {
            Ok(Response::ListTagsForResource(tags)) => Ok(tags),
            other => Err(unexpected(other)),
        }
    }
}

fn unexpected(answer: Result<Response, ApiError>) -> ApiError {
    answer.expect_err("the account answers each request with its own response")
}

fn api_error(operation: Operation, error: &ServiceError) -> ApiError {
    let code: ErrorCode = error.code;
    let class = ErrorClass::of(code.status(), Some(code.as_str()));
    ApiError::new(operation, class, Some(code.as_str().to_owned()), &error.message, Some("r-1".to_owned()))
}

fn time(at: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(at.0).ok()
}

fn deployment(status: DeploymentStatus) -> Deployment {
    Deployment::parse(status.as_str())
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

fn group(shown: &Versioned<Shown>) -> Group {
    let Versioned { resource, etag } = shown;
    Group {
        id: GroupId::new(&resource.id),
        arn: Arn::new(&resource.arn),
        name: GroupName::new(&resource.name),
        etag: Etag::new(etag),
        config: Members {
            enabled: Some(resource.enabled),
            ipv6_enabled: Some(resource.ipv6_enabled),
            anycast_ip_list_id: resource.anycast_ip_list_id.as_deref().map(AnycastIpListId::new),
        },
        deployment: Some(deployment(resource.status)),
        routing_endpoint: Some(resource.routing_endpoint.clone()),
        is_default: resource.is_default,
        created: time(resource.created_time),
        modified: time(resource.last_modified_time),
        elements: elements(resource),
    }
}

fn summary(item: &ConnectionGroupSummary) -> Summary {
    Summary {
        id: GroupId::new(&item.id),
        arn: Arn::new(&item.arn),
        name: GroupName::new(&item.name),
        etag: Etag::new(&item.etag),
        enabled: Some(item.enabled),
        anycast_ip_list_id: item.anycast_ip_list_id.as_deref().map(AnycastIpListId::new),
        deployment: Some(deployment(item.status)),
        modified: time(item.last_modified_time),
    }
}

impl CloudFront for InProcess {
    async fn describe(&self, lookup: &Lookup) -> Result<Option<Described>, ApiError> {
        let (group, tags) = match lookup {
            Lookup::Known { id, arn } => (self.get(id.as_str()), Some((arn, self.tags_of(arn)))),
            Lookup::Name(name) => (self.get(name.as_str()), None),
        };
        let Some(group) = group? else { return Ok(None) };
        let tags = match tags {
            Some((arn, tags)) if *arn == group.arn => tags?,
            _ => self.tags_of(&group.arn)?,
        };
        Ok(Some(Described { group, tags }))
    }

    async fn tags(&self, arn: &Arn) -> Result<Option<Tags>, ApiError> {
        match self.tags_of(arn) {
            Err(error) if error.class == ErrorClass::NotFound => Ok(None),
            answer => answer.map(Some),
        }
    }

    async fn create(&self, new: &NewGroup) -> Result<Group, ApiError> {
        let request = Request::CreateConnectionGroup(CreateConnectionGroup {
            name: new.name.to_string(),
            ipv6_enabled: Some(new.config.ipv6_enabled),
            viewer_fallback: None,
            anycast_ip_list_id: new.config.anycast_ip_list_id.as_ref().map(ToString::to_string),
            enabled: Some(new.config.enabled),
            tags: new.tags.clone().into_iter().collect(),
        });
        match self.call(Operation::CreateConnectionGroup, &request) {
            Ok(Response::CreateConnectionGroup(shown)) => {
                Ok(self.group(&shown).as_accepted(&new.config.clone().into()))
            }
            other => Err(unexpected(other)),
        }
    }

    async fn update(&self, read: &Group, members: &Members) -> Result<Group, ApiError> {
        let request = Request::UpdateConnectionGroup(UpdateConnectionGroup {
            id: read.id.to_string(),
            if_match: Some(read.etag.to_string()),
            ipv6_enabled: members.ipv6_enabled,
            viewer_fallback: viewer_fallback(&read.elements),
            anycast_ip_list_id: list_element(&read.config, members),
            enabled: members.enabled,
        });
        match self.call(Operation::UpdateConnectionGroup, &request) {
            Ok(Response::UpdateConnectionGroup(shown)) => Ok(self.group(&shown).as_accepted(members)),
            other => Err(unexpected(other)),
        }
    }

    async fn delete(&self, read: &Group) -> Result<(), ApiError> {
        let request = Request::DeleteConnectionGroup { id: read.id.to_string(), if_match: Some(read.etag.to_string()) };
        self.call(Operation::DeleteConnectionGroup, &request).map(drop)
    }

    async fn tag(&self, arn: &Arn, tags: &Tags) -> Result<(), ApiError> {
        let tags = tags.clone().into_iter().collect();
        let request = Request::TagResource { resource: arn.to_string(), tags };
        self.call(Operation::TagResource, &request).map(drop)
    }

    async fn untag(&self, arn: &Arn, keys: &BTreeSet<String>) -> Result<(), ApiError> {
        let keys = keys.iter().cloned().collect();
        let request = Request::UntagResource { resource: arn.to_string(), keys };
        self.call(Operation::UntagResource, &request).map(drop)
    }

    async fn tenants(&self, id: &GroupId) -> Result<Tenants, ApiError> {
        let request = Request::ListDistributionTenants {
            distribution_id: None,
            connection_group_id: Some(id.to_string()),
            page: PageRequest { marker: None, max_items: None },
        };
        match self.call(Operation::ListDistributionTenants, &request) {
            Ok(Response::ListDistributionTenants(page)) => Ok(Tenants {
                count: page.items.len(),
                names: page.items.iter().take(10).map(|tenant| tenant.name.clone()).collect(),
                beyond_this_page: page.next_marker.is_some(),
                listing: if page.max_items == 0 { Listing::LeftOut } else { Listing::Stated },
            }),
            other => Err(unexpected(other)),
        }
    }

    async fn anycast_ip_list(&self, id: &AnycastIpListId) -> Result<Option<AddressFamily>, ApiError> {
        let request = Request::GetAnycastIpList { id: id.to_string() };
        match self.call(Operation::GetAnycastIpList, &request) {
            Ok(Response::GetAnycastIpList(list)) => Ok(Some(match list.ip_address_type {
                IpAddressType::Ipv4 => AddressFamily::Ipv4Only,
                IpAddressType::Ipv6 | IpAddressType::Dualstack => AddressFamily::Other,
            })),
            Err(error) if error.class == ErrorClass::NotFound => Ok(None),
            other => Err(unexpected(other)),
        }
    }

    async fn list(&self) -> Result<Vec<Summary>, ApiError> {
        let mut groups = Vec::new();
        let mut marker = None;
        loop {
            let page = PageRequest { marker, max_items: None };
            let request = Request::ListConnectionGroups { anycast_ip_list_id: None, page };
            match self.call(Operation::ListConnectionGroups, &request) {
                Ok(Response::ListConnectionGroups(page)) => {
                    groups.extend(page.items.iter().map(|item| self.summary(item)));
                    marker = page.next_marker;
                    if marker.is_none() {
                        return Ok(groups);
                    }
                }
                other => return Err(unexpected(other)),
            }
        }
    }
}
