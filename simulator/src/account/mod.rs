//! One AWS account as a state machine: a request and the time go in, a response or an error comes out. Pure.
//!
//! Nothing happens between calls: whether a change has propagated, whether a read is still outdated and how many calls
//! are left in the budget all follow from the time passed in. A call that fails changes nothing but that budget.

mod groups;
mod history;
mod lists;
mod outside;
mod pages;
mod record;
mod rollout;
mod rules;
mod tags;
mod tenants;
mod throttle;
mod timeline;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use history::{History, Version};
pub use outside::OutsideError;
pub(crate) use throttle::exceeded;

use crate::error::{ErrorCode, ServiceError};
use crate::etag;
use crate::ids;
use crate::request::Request;
use crate::response::Response;
use crate::switches::{ImplausibleIfMatch, Switches, Tolerance};
use crate::time::{Millis, Timestamp};
use lists::List;
use record::Record;
use tenants::Tenant;
use throttle::Bucket;
use timeline::{Kept, View};

/// Everything one AWS account holds that the simulator knows of.
///
/// Records are shared between clones until one of them changes, so that a model checker can keep millions of accounts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Account {
    switches: Switches,
    serial: u64,
    groups: BTreeMap<String, Arc<Record>>,
    lists: Arc<BTreeMap<String, List>>,
    tenants: Arc<BTreeMap<String, Tenant>>,
    bucket: Bucket,
}

/// Which state a read sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// What the switches say; the current state unless they set a lag.
    #[default]
    AsSwitched,
    /// Each group, and its tags, as they were so many changes ago at the least; the oldest version that the account keeps, if it keeps fewer.
    Stale {
        /// How many changes it misses.
        versions: u32,
    },
    /// The tags before their last change, all else as switched.
    StaleTags,
}

impl Freshness {
    fn of_groups(self, now: Timestamp, lag: Millis) -> View {
        let back = match self {
            Self::AsSwitched | Self::StaleTags => 0,
            Self::Stale { versions } => versions,
        };
        View { at: now.before(lag), back }
    }

    fn of_tags(self, now: Timestamp, switches: &Switches) -> View {
        let back = match self {
            Self::AsSwitched => 0,
            Self::Stale { versions } => versions,
            Self::StaleTags => 1,
        };
        View { at: now.before(switches.tag_lag), back }
    }
}

impl Account {
    /// An empty account.
    #[must_use]
    pub fn new(switches: Switches) -> Self {
        Self {
            switches,
            serial: 0,
            groups: BTreeMap::new(),
            lists: Arc::default(),
            tenants: Arc::default(),
            bucket: Bucket::default(),
        }
    }

    /// How the account behaves where AWS is silent.
    #[must_use]
    pub fn switches(&self) -> &Switches {
        &self.switches
    }

    /// Behaves differently from now on. What is in flight keeps the propagation time it started with.
    pub fn set_switches(&mut self, switches: Switches) {
        self.switches = switches;
    }

    /// Carries out one call.
    ///
    /// # Errors
    /// As CloudFront would; nothing has changed then.
    pub fn call(&mut self, now: Timestamp, request: &Request) -> Result<Response, ServiceError> {
        self.call_with(now, request, Freshness::AsSwitched)
    }

    /// Carries out one call whose reads see the state that `freshness` says. Changes are always made to the current
    /// state.
    ///
    /// # Errors
    /// As CloudFront would; nothing has changed then.
    pub fn call_with(
        &mut self,
        now: Timestamp,
        request: &Request,
        freshness: Freshness,
    ) -> Result<Response, ServiceError> {
        self.bucket.take(now, &self.switches)?;
        match request {
            Request::CreateConnectionGroup(input) => self.create_group(now, input).map(Response::CreateConnectionGroup),
            Request::GetConnectionGroup { identifier } => {
                self.get_group(now, freshness, identifier).map(Response::GetConnectionGroup)
            }
            Request::GetConnectionGroupByRoutingEndpoint { routing_endpoint } => self
                .get_group_by_endpoint(now, freshness, routing_endpoint)
                .map(Response::GetConnectionGroupByRoutingEndpoint),
            Request::UpdateConnectionGroup(input) => self.update_group(now, input).map(Response::UpdateConnectionGroup),
            Request::DeleteConnectionGroup { id, if_match } => {
                self.delete_group(now, id, if_match.as_deref()).map(|()| Response::DeleteConnectionGroup)
            }
            Request::ListConnectionGroups { anycast_ip_list_id, page } => self
                .list_groups(now, freshness, anycast_ip_list_id.as_deref(), page)
                .map(Response::ListConnectionGroups),
            Request::TagResource { resource, tags } => self.tag(now, resource, tags).map(|()| Response::TagResource),
            Request::UntagResource { resource, keys } => {
                self.untag(now, resource, keys).map(|()| Response::UntagResource)
            }
            Request::ListTagsForResource { resource } => {
                self.tags_of(now, freshness, resource).map(Response::ListTagsForResource)
            }
            Request::CreateAnycastIpList(input) => self.create_list(now, input).map(Response::CreateAnycastIpList),
            Request::GetAnycastIpList { id } => self.get_list(now, id).map(Response::GetAnycastIpList),
            Request::DeleteAnycastIpList { id, if_match } => {
                self.delete_list(id, if_match.as_deref()).map(|()| Response::DeleteAnycastIpList)
            }
            Request::ListAnycastIpLists { page } => self.list_lists(now, page).map(Response::ListAnycastIpLists),
            Request::ListDistributionTenants { distribution_id, connection_group_id, page } => self
                .list_tenants(now, distribution_id.as_deref(), connection_group_id.as_deref(), page)
                .map(Response::ListDistributionTenants),
        }
    }

    /// Every change made so far arrives everywhere at once.
    pub fn propagate(&mut self, now: Timestamp) {
        for record in self.groups.values_mut() {
            // Looked at first, for a record that is shared with another account is copied when it is touched.
            let waits = record.current().is_some_and(|group| !group.rollout.is_over(now));
            if waits && let Some(group) = Arc::make_mut(record).group.current_mut() {
                group.rollout.end(now);
            }
        }
        if self.lists.values().any(|list| !list.rollout.is_over(now)) {
            for list in Arc::make_mut(&mut self.lists).values_mut() {
                list.rollout.end(now);
            }
        }
    }

    /// What outdated reads may yet show of a group that changes now.
    fn kept(&self, now: Timestamp) -> Kept {
        let Switches { read_lag, tag_lag, list_lag, past_versions, .. } = self.switches;
        Kept { since: now.before(read_lag.max(tag_lag).max(list_lag)), versions: past_versions }
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn new_id(&mut self, prefix: &str) -> (String, u64) {
        let serial = self.next_serial();
        (ids::resource_id(prefix, self.switches.seed, serial), serial)
    }

    fn arn(&self, kind: &str, id: &str) -> String {
        format!("arn:aws:cloudfront::{}:{kind}/{id}", self.switches.account_id)
    }

    fn require_if_match(if_match: Option<&str>) -> Result<&str, ServiceError> {
        if_match.filter(|text| !text.is_empty()).ok_or_else(invalid_if_match)
    }

    fn check_version(&self, version: u32, if_match: &str) -> Result<(), ServiceError> {
        if if_match == "*" {
            return match self.switches.if_match_star {
                Tolerance::Accept => Ok(()),
                Tolerance::Refuse => Err(invalid_if_match()),
            };
        }
        if !etag::is_plausible(if_match)
            && self.switches.implausible_if_match == ImplausibleIfMatch::InvalidIfMatchVersion
        {
            return Err(invalid_if_match());
        }
        if if_match == etag::of_version(version) {
            Ok(())
        } else {
            Err(ServiceError::new(
                ErrorCode::PreconditionFailed,
                "The request failed because it didn't meet the preconditions in one or more request-header fields.",
            ))
        }
    }
}

fn invalid_if_match() -> ServiceError {
    ServiceError::new(
        ErrorCode::InvalidIfMatchVersion,
        "The If-Match version is missing or not valid for the resource.",
    )
}

fn invalid_argument(message: impl Into<String>) -> ServiceError {
    ServiceError::new(ErrorCode::InvalidArgument, message)
}
