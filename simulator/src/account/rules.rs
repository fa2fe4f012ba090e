//! What the API holds against a change of a connection group. Pure.

use crate::error::{ErrorCode, ServiceError};
use crate::model::DeploymentStatus;
use crate::request::UpdateConnectionGroup;
use crate::switches::{Detach, IpAddressType, Names, Tolerance};
use crate::time::Timestamp;

use super::groups::limit_exceeded;
use super::record::{Group, Record};
use super::{Account, invalid_argument};

impl Account {
    pub(super) fn update_conflict(
        &self,
        now: Timestamp,
        group: &Group,
        input: &UpdateConnectionGroup,
    ) -> Result<(), ServiceError> {
        let in_progress = group.status(now) == DeploymentStatus::InProgress;
        if in_progress && self.switches.update_in_progress == Tolerance::Refuse {
            return Err(resource_in_use(format!("The connection group {} is being deployed.", group.id)));
        }
        let disables = group.enabled && input.enabled == Some(false);
        if disables && self.switches.disable_with_tenants == Tolerance::Refuse && self.has_tenants(&group.id) {
            return Err(resource_in_use(format!("The connection group {} is used by distribution tenants.", group.id)));
        }
        Ok(())
    }

    pub(super) fn deletion_conflict(&self, now: Timestamp, group: &Group) -> Result<(), ServiceError> {
        if group.is_default {
            let code = self.switches.default_group_deletion.code();
            return Err(ServiceError::new(code, "The default connection group cannot be deleted."));
        }
        if group.enabled {
            return Err(ServiceError::new(
                ErrorCode::ResourceNotDisabled,
                "The specified connection group must be disabled before it can be deleted.",
            ));
        }
        if self.has_tenants(&group.id) {
            return Err(ServiceError::new(
                ErrorCode::CannotDeleteEntityWhileInUse,
                "The connection group cannot be deleted while distribution tenants are associated with it.",
            ));
        }
        let in_progress = group.status(now) == DeploymentStatus::InProgress;
        if in_progress && self.switches.delete_in_progress == Tolerance::Refuse {
            return Err(ServiceError::new(
                ErrorCode::ResourceNotDisabled,
                "The specified connection group is still being disabled.",
            ));
        }
        Ok(())
    }

    pub(super) fn list_after(&self, group: &Group, sent: Option<&str>) -> Result<Option<String>, ServiceError> {
        match sent {
            None if self.switches.omission_detaches => Ok(None),
            None => Ok(group.anycast_ip_list_id.clone()),
            Some("") => match self.switches.detach {
                Detach::EmptyElement => Ok(None),
                Detach::Never => Ok(group.anycast_ip_list_id.clone()),
                Detach::Rejected => Err(invalid_argument("The Anycast IP list id must not be empty.")),
            },
            Some(id) => Ok(Some(id.to_owned())),
        }
    }

    /// What an update makes of the members that came later: of `ViewerFallback` as sent, and of elements that no request can have.
    pub(super) fn omit(&self, group: &mut Group, viewer_fallback: Option<&str>) {
        let clears = self.switches.omission_clears;
        match viewer_fallback {
            None if clears => group.viewer_fallback = None,
            None => {}
            Some("") => group.viewer_fallback = None,
            Some(distribution) => group.viewer_fallback = Some(distribution.to_owned()),
        }
        if clears {
            group.further_elements.clear();
        }
    }

    /// Whether a group may use `list`; `before` is the group as it is, when it exists.
    pub(super) fn check_list_use(
        &self,
        list: Option<&str>,
        ipv6: bool,
        before: Option<&Group>,
    ) -> Result<(), ServiceError> {
        let Some(id) = list else { return Ok(()) };
        let Some(found) = self.lists.get(id) else {
            let code = self.switches.unknown_list.code();
            return Err(ServiceError::new(code, format!("The specified Anycast IP list {id} does not exist.")));
        };
        if ipv6 && found.ip_address_type == IpAddressType::Ipv4 {
            let code = self.switches.ipv6_on_ipv4_list.code();
            let message = format!("IPv6 must be disabled to use the IPv4-only Anycast IP list {id}.");
            return Err(ServiceError::new(code, message));
        }
        let uses_already = before.is_some_and(|group| group.anycast_ip_list_id.as_deref() == Some(id));
        let limit = self.switches.groups_per_list;
        if !uses_already && self.groups_on_list(id) >= limit as usize {
            let code = self.switches.full_list.code();
            let message = format!("At most {limit} connection groups can use one Anycast IP list.");
            return Err(ServiceError::new(code, message));
        }
        Ok(())
    }

    pub(super) fn groups_on_list(&self, id: &str) -> usize {
        let current = self.groups.values().filter_map(|record| record.current());
        current.filter(|group| group.anycast_ip_list_id.as_deref() == Some(id)).count()
    }

    pub(super) fn check_group_quota(&self) -> Result<(), ServiceError> {
        let limit = self.switches.groups_per_account;
        if self.groups.values().filter(|record| record.current().is_some()).count() >= limit as usize {
            return Err(limit_exceeded(&format!("At most {limit} connection groups are allowed in one account.")));
        }
        Ok(())
    }

    pub(super) fn check_name_free(&self, now: Timestamp, name: &str) -> Result<(), ServiceError> {
        let held_since = now.before(self.switches.name_reuse_delay);
        let holder = |record: &Record| match (record.current(), record.group.previous()) {
            (None, Some(gone)) if record.group.changed_at() > held_since => gone.name == name,
            (current, _) => current.is_some_and(|group| group.name == name),
        };
        let taken = self.groups.values().any(|record| holder(record));
        if taken {
            let message = format!("A connection group with the name {name} already exists.");
            return Err(ServiceError::new(ErrorCode::EntityAlreadyExists, message));
        }
        Ok(())
    }

    pub(super) fn check_name(&self, name: &str) -> Result<(), ServiceError> {
        let good = match self.switches.names {
            Names::Any => !name.is_empty() && !name.chars().any(char::is_control),
            Names::Conservative => {
                name.len() <= 64
                    && name.starts_with(|c: char| c.is_ascii_alphanumeric())
                    && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            }
        };
        if good { Ok(()) } else { Err(invalid_argument("The name of the connection group is missing or not valid.")) }
    }
}

fn resource_in_use(message: String) -> ServiceError {
    ServiceError::new(ErrorCode::ResourceInUse, message)
}
