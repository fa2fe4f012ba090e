//! Reading distribution tenants. They are made and removed from outside only, see [`super::outside`]. Pure.

use std::sync::Arc;

use crate::error::ServiceError;
use crate::model::DistributionTenant;
use crate::request::PageRequest;
use crate::response::Page;
use crate::switches::UnknownFilter;
use crate::time::Timestamp;

use super::groups::not_found;
use super::{Account, pages};

pub(super) const PREFIX: &str = "dt_";

/// A tenant, also for as long as lists may still show it after it left.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tenant {
    pub tenant: DistributionTenant,
    pub left_at: Option<Timestamp>,
}

impl Tenant {
    fn is_there(&self, at: Timestamp) -> bool {
        at >= self.tenant.created_time && self.left_at.is_none_or(|left_at| at < left_at)
    }
}

impl Account {
    pub(super) fn list_tenants(
        &self,
        now: Timestamp,
        distribution: Option<&str>,
        group: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<DistributionTenant>, ServiceError> {
        let group = group.filter(|id| !id.is_empty());
        let distribution = distribution.filter(|id| !id.is_empty());
        let unknown = group.filter(|id| self.current_group(id).is_none());
        if let (Some(id), UnknownFilter::NotFound) = (unknown, self.switches.unknown_filter) {
            return Err(not_found(&format!("The specified connection group {id} does not exist.")));
        }
        let seen_at = now.before(self.switches.tenant_lag);
        let seen = self.tenants.values().filter(|tenant| tenant.is_there(seen_at)).map(|seen| &seen.tenant);
        let wanted = seen
            .filter(|tenant| group.is_none_or(|id| tenant.connection_group_id == id))
            .filter(|tenant| distribution.is_none_or(|id| tenant.distribution_id == id))
            .map(|tenant| (tenant.id.as_str(), tenant));
        pages::cut(wanted, PREFIX, page, &self.switches, Clone::clone)
    }

    pub(super) fn has_tenants(&self, group: &str) -> bool {
        self.present_tenants().any(|tenant| tenant.connection_group_id == group)
    }

    pub(super) fn present_tenants(&self) -> impl Iterator<Item = &DistributionTenant> {
        self.tenants.values().filter(|tenant| tenant.left_at.is_none()).map(|present| &present.tenant)
    }

    pub(super) fn remove_tenant(&mut self, now: Timestamp, id: &str) {
        let tenants = Arc::make_mut(&mut self.tenants);
        if let Some(tenant) = tenants.get_mut(id) {
            tenant.left_at = Some(now);
        }
        let seen_at = now.before(self.switches.tenant_lag);
        tenants.retain(|_, tenant| tenant.left_at.is_none_or(|left_at| seen_at < left_at));
    }
}
