//! Reading distribution tenants. They are made and removed from outside only, see [`super::outside`]. Pure.

use crate::error::ServiceError;
use crate::model::DistributionTenant;
use crate::request::PageRequest;
use crate::response::Page;
use crate::switches::UnknownFilter;
use crate::time::Timestamp;

use super::groups::not_found;
use super::{Account, pages};

pub(super) const PREFIX: &str = "dt_";

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
        let wanted = self
            .tenants
            .values()
            .filter(|tenant| now >= tenant.created_time.after(self.switches.tenant_lag))
            .filter(|tenant| group.is_none_or(|id| tenant.connection_group_id == id))
            .filter(|tenant| distribution.is_none_or(|id| tenant.distribution_id == id))
            .map(|tenant| (tenant.id.as_str(), tenant));
        pages::cut(wanted, PREFIX, page, &self.switches, Clone::clone)
    }

    pub(super) fn has_tenants(&self, group: &str) -> bool {
        self.tenants.values().any(|tenant| tenant.connection_group_id == group)
    }
}
