//! What others do to the account behind the operator's back: edits that no rule of the API holds up. Pure.
//!
//! They move `ETag`s as any change does. They can do what the API would refuse, such as removing a group that is
//! enabled.

use std::sync::Arc;

use crate::admin::{GroupPatch, ListPatch, NewGroup, NewList, NewTenant};
use crate::etag;
use crate::model::{AnycastIpList, ConnectionGroup, DistributionTenant, Tags, Versioned};
use crate::time::Timestamp;

use super::record::Group;
use super::rollout::Rollout;
use super::tenants::Tenant;
use super::{Account, tenants};

/// Why an edit from outside cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutsideError {
    /// What is to be edited does not exist.
    #[error("there is no {kind} {identifier}")]
    Unknown {
        /// What kind of thing.
        kind: &'static str,
        /// What it was called.
        identifier: String,
    },
    /// Even from outside, names are unique.
    #[error("a connection group named {0} exists already")]
    NameTaken(String),
}

impl Account {
    /// All groups as they are now, with their tags.
    #[must_use]
    pub fn groups(&self, now: Timestamp) -> Vec<Versioned<ConnectionGroup>> {
        let shown = |record: &Arc<super::Record>| {
            record.current().map(|group| group.shown(now, Some(record.tags.current().clone())))
        };
        self.groups.values().filter_map(shown).collect()
    }

    /// The group that `identifier` (id, name or ARN) means, as it is now, with its tags.
    #[must_use]
    pub fn group(&self, now: Timestamp, identifier: &str) -> Option<Versioned<ConnectionGroup>> {
        let group = self.current_group(identifier)?;
        let record = self.groups.get(&group.id)?;
        Some(group.shown(now, Some(record.tags.current().clone())))
    }

    /// All Anycast IP lists as they are now.
    #[must_use]
    pub fn anycast_ip_lists(&self, now: Timestamp) -> Vec<AnycastIpList> {
        self.lists.values().map(|list| self.shown_list(list, now)).collect()
    }

    /// All tenants.
    #[must_use]
    pub fn tenants(&self) -> Vec<DistributionTenant> {
        self.present_tenants().cloned().collect()
    }

    /// Someone else creates a group.
    ///
    /// # Errors
    /// If the name is taken.
    pub fn outside_create_group(
        &mut self,
        now: Timestamp,
        new: NewGroup,
    ) -> Result<Versioned<ConnectionGroup>, OutsideError> {
        self.check_name_free(now, &new.name).map_err(|_| OutsideError::NameTaken(new.name.clone()))?;
        let mut group = self.new_group(now, &new.name, new.enabled);
        group.ipv6_enabled = new.ipv6_enabled;
        group.viewer_fallback = new.viewer_fallback;
        group.anycast_ip_list_id = new.anycast_ip_list_id;
        Ok(self.insert_outside(now, group, new.tags))
    }

    /// CloudFront creates the default group; the one there is, if there is one.
    pub fn outside_create_default_group(&mut self, now: Timestamp) -> Versioned<ConnectionGroup> {
        let existing = self.groups(now).into_iter().find(|group| group.resource.is_default);
        existing.unwrap_or_else(|| {
            let mut group = self.new_group(now, "", true);
            group.name = format!("CreatedByCloudFront-{}", group.id);
            group.is_default = true;
            self.insert_outside(now, group, Tags::new())
        })
    }

    /// Someone else edits a group (id, name or ARN).
    ///
    /// # Errors
    /// If there is no such group.
    pub fn outside_edit_group(
        &mut self,
        now: Timestamp,
        identifier: &str,
        patch: GroupPatch,
    ) -> Result<Versioned<ConnectionGroup>, OutsideError> {
        let edits_configuration = patch.edits_configuration();
        self.edit_outside(now, identifier, patch, edits_configuration)
    }

    /// Someone else saves a group (id, name or ARN): a new version of it, whether or not it differs.
    ///
    /// # Errors
    /// If there is no such group.
    pub fn outside_save_group(
        &mut self,
        now: Timestamp,
        identifier: &str,
        patch: GroupPatch,
    ) -> Result<Versioned<ConnectionGroup>, OutsideError> {
        self.edit_outside(now, identifier, patch, true)
    }

    fn edit_outside(
        &mut self,
        now: Timestamp,
        identifier: &str,
        patch: GroupPatch,
        makes_a_version: bool,
    ) -> Result<Versioned<ConnectionGroup>, OutsideError> {
        let current = self.current_group(identifier).ok_or_else(|| unknown("connection group", identifier))?;
        let id = current.id.clone();
        let mut next = current.next_version(now, &self.switches);
        next.enabled = patch.enabled.unwrap_or(next.enabled);
        next.ipv6_enabled = patch.ipv6_enabled.unwrap_or(next.ipv6_enabled);
        if let Some(distribution) = patch.viewer_fallback {
            next.viewer_fallback = Some(distribution).filter(|id| !id.is_empty());
        }
        next.further_elements.extend(patch.further_elements);
        if let Some(list) = patch.anycast_ip_list_id {
            next.anycast_ip_list_id = Some(list).filter(|list| !list.is_empty());
        }
        if makes_a_version {
            let kept = self.kept(now);
            self.edit_record(&id, |record| record.replace(Some(next), now, kept));
        }
        let mut tags = self.groups.get(&id).map(|record| record.tags.current().clone()).unwrap_or_default();
        tags.extend(patch.set_tags);
        tags.retain(|key, _| !patch.remove_tags.contains(key));
        self.set_group_tags(now, &id, tags);
        self.group(now, &id).ok_or_else(|| unknown("connection group", identifier))
    }

    /// Someone else deletes a group (id, name or ARN), with no regard to its state. Its tenants stay.
    ///
    /// # Errors
    /// If there is no such group.
    pub fn outside_delete_group(&mut self, now: Timestamp, identifier: &str) -> Result<(), OutsideError> {
        let group = self.current_group(identifier).ok_or_else(|| unknown("connection group", identifier))?;
        let id = group.id.clone();
        self.remove_group(now, &id);
        Ok(())
    }

    /// Someone else creates an Anycast IP list.
    pub fn outside_create_list(&mut self, now: Timestamp, new: NewList) -> AnycastIpList {
        let id = self.insert_list(now, &new.name, new.ip_address_type, new.ip_count, new.tags);
        self.shown_list(&self.lists[&id], now)
    }

    /// Someone else edits an Anycast IP list.
    ///
    /// # Errors
    /// If there is no such list.
    pub fn outside_edit_list(
        &mut self,
        now: Timestamp,
        id: &str,
        patch: &ListPatch,
    ) -> Result<AnycastIpList, OutsideError> {
        let rollout = Rollout::begin(now, &self.switches);
        let list = Arc::make_mut(&mut self.lists).get_mut(id).ok_or_else(|| unknown("Anycast IP list", id))?;
        list.ip_address_type = patch.ip_address_type;
        list.version += 1;
        list.modified_at = now;
        list.rollout = rollout;
        Ok(self.shown_list(&self.lists[id], now))
    }

    /// Someone else deletes an Anycast IP list. Groups that use it keep its id.
    ///
    /// # Errors
    /// If there is no such list.
    pub fn outside_delete_list(&mut self, id: &str) -> Result<(), OutsideError> {
        let removed = Arc::make_mut(&mut self.lists).remove(id);
        removed.map(drop).ok_or_else(|| unknown("Anycast IP list", id))
    }

    /// Someone puts a tenant behind a group (id, name or ARN), or behind the default group, which is made if need be.
    ///
    /// # Errors
    /// If there is no such group.
    pub fn outside_create_tenant(
        &mut self,
        now: Timestamp,
        new: NewTenant,
    ) -> Result<DistributionTenant, OutsideError> {
        let connection_group_id = match new.connection_group {
            None => self.outside_create_default_group(now).resource.id,
            Some(identifier) => {
                let group = self.current_group(&identifier);
                group.ok_or_else(|| unknown("connection group", &identifier))?.id.clone()
            }
        };
        let (id, _) = self.new_id(tenants::PREFIX);
        let tenant = DistributionTenant {
            arn: self.arn("distribution-tenant", &id),
            id: id.clone(),
            name: new.name,
            distribution_id: new.distribution_id,
            connection_group_id,
            domains: new.domains,
            serve_on: new.serve_on,
            created_time: now,
            last_modified_time: now,
            etag: etag::of_version(0),
        };
        let behind = Tenant { tenant: tenant.clone(), left_at: None };
        Arc::make_mut(&mut self.tenants).insert(id, behind);
        Ok(tenant)
    }

    /// Someone removes a tenant (id or name).
    ///
    /// # Errors
    /// If there is no such tenant.
    pub fn outside_delete_tenant(&mut self, now: Timestamp, identifier: &str) -> Result<(), OutsideError> {
        let found = self.present_tenants().find(|tenant| tenant.id == identifier || tenant.name == identifier);
        let id = found.map(|tenant| tenant.id.clone()).ok_or_else(|| unknown("tenant", identifier))?;
        self.remove_tenant(now, &id);
        Ok(())
    }

    fn insert_outside(&mut self, now: Timestamp, group: Group, tags: Tags) -> Versioned<ConnectionGroup> {
        let shown = group.shown(now, Some(tags.clone()));
        self.insert_group(group, tags, now);
        shown
    }
}

fn unknown(kind: &'static str, identifier: &str) -> OutsideError {
    OutsideError::Unknown { kind, identifier: identifier.to_owned() }
}
