//! The operations on connection groups. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{ErrorCode, ServiceError};
use crate::ids;
use crate::model::{ConnectionGroup, ConnectionGroupSummary, Tags, Versioned};
use crate::request::{CreateConnectionGroup, PageRequest, UpdateConnectionGroup};
use crate::response::Page;
use crate::switches::{CreatePrecedence, EmptyUpdate, UnknownFilter, WriteBy, WritePrecedence};
use crate::tagging;
use crate::time::Timestamp;

use super::record::{Group, Record};
use super::rollout::Rollout;
use super::{Account, Freshness, pages};

pub(super) const PREFIX: &str = "cg_";

impl Account {
    pub(super) fn create_group(
        &mut self,
        now: Timestamp,
        input: &CreateConnectionGroup,
    ) -> Result<Versioned<ConnectionGroup>, ServiceError> {
        self.check_name(&input.name)?;
        let tags = tagging::checked(&input.tags)?;
        tagging::check_count(&tags, self.switches.tags_per_resource)?;
        let (name_free, quota_left) = (self.check_name_free(now, &input.name), self.check_group_quota());
        match self.switches.create_precedence {
            CreatePrecedence::NameFirst => name_free.and(quota_left)?,
            CreatePrecedence::QuotaFirst => quota_left.and(name_free)?,
        }
        let list = input.anycast_ip_list_id.clone().filter(|id| !id.is_empty());
        let ipv6_enabled = input.ipv6_enabled.unwrap_or(true);
        self.check_list_use(list.as_deref(), ipv6_enabled, None)?;

        let enabled = input.enabled.unwrap_or(self.switches.create_enabled);
        let mut group = self.new_group(now, &input.name, enabled);
        group.ipv6_enabled = ipv6_enabled;
        group.viewer_fallback = input.viewer_fallback.clone().filter(|id| !id.is_empty());
        group.anycast_ip_list_id = list;
        let echoed = self.switches.create_echoes_tags.then(|| tags.clone());
        let answer = group.shown(now, echoed);
        self.insert_group(group, tags, now);
        Ok(answer)
    }

    pub(super) fn get_group(
        &self,
        now: Timestamp,
        freshness: Freshness,
        identifier: &str,
    ) -> Result<Versioned<ConnectionGroup>, ServiceError> {
        let view = freshness.of_groups(now, self.switches.read_lag);
        let by_id = self.groups.get(identifier).filter(|record| record.seen(view).is_some());
        let record = by_id.or_else(|| {
            let answers = |record: &&Arc<Record>| record.seen(view).is_some_and(|group| group.answers_to(identifier));
            self.groups.values().find(answers)
        });
        self.shown(record, now, freshness).ok_or_else(|| group_not_found(identifier))
    }

    pub(super) fn get_group_by_endpoint(
        &self,
        now: Timestamp,
        freshness: Freshness,
        endpoint: &str,
    ) -> Result<Versioned<ConnectionGroup>, ServiceError> {
        let view = freshness.of_groups(now, self.switches.read_lag);
        let answers = |record: &&Arc<Record>| record.seen(view).is_some_and(|group| group.routing_endpoint == endpoint);
        self.shown(self.groups.values().find(answers), now, freshness).ok_or_else(|| group_not_found(endpoint))
    }

    pub(super) fn update_group(
        &mut self,
        now: Timestamp,
        input: &UpdateConnectionGroup,
    ) -> Result<Versioned<ConnectionGroup>, ServiceError> {
        let current = self.group_to_write(&input.id)?;
        let if_match = Self::require_if_match(input.if_match.as_deref())?;
        let conflict = self.update_conflict(now, current, input);
        self.in_order(self.check_version(current.version, if_match), conflict)?;

        let list = self.list_after(current, input.anycast_ip_list_id.as_deref())?;
        let ipv6_enabled = input.ipv6_enabled.unwrap_or(current.ipv6_enabled);
        if list != current.anycast_ip_list_id || ipv6_enabled != current.ipv6_enabled {
            self.check_list_use(list.as_deref(), ipv6_enabled, Some(current))?;
        }

        let mut next = current.next_version(now, &self.switches);
        next.enabled = input.enabled.unwrap_or(current.enabled);
        next.ipv6_enabled = ipv6_enabled;
        next.anycast_ip_list_id = list;
        self.omit(&mut next, input.viewer_fallback.as_deref());
        let unchanged = next.enabled == current.enabled
            && next.ipv6_enabled == current.ipv6_enabled
            && next.viewer_fallback == current.viewer_fallback
            && next.further_elements == current.further_elements
            && next.anycast_ip_list_id == current.anycast_ip_list_id;
        let id = current.id.clone();
        if !unchanged || self.switches.empty_update == EmptyUpdate::NewVersion {
            let kept = self.kept(now);
            self.edit_record(&id, |record| record.replace(Some(next), now, kept));
        }
        self.get_group_now(now, &id)
    }

    pub(super) fn delete_group(
        &mut self,
        now: Timestamp,
        id: &str,
        if_match: Option<&str>,
    ) -> Result<(), ServiceError> {
        let current = self.group_to_write(id)?;
        let if_match = Self::require_if_match(if_match)?;
        self.in_order(self.check_version(current.version, if_match), self.deletion_conflict(now, current))?;
        let id = current.id.clone();
        self.remove_group(now, &id);
        Ok(())
    }

    pub(super) fn list_groups(
        &self,
        now: Timestamp,
        freshness: Freshness,
        list: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<ConnectionGroupSummary>, ServiceError> {
        let list = list.filter(|id| !id.is_empty());
        let unknown = list.filter(|id| !self.lists.contains_key(*id));
        if let (Some(id), UnknownFilter::NotFound) = (unknown, self.switches.unknown_filter) {
            return Err(not_found(&format!("The specified Anycast IP list {id} does not exist.")));
        }
        let view = freshness.of_groups(now, self.switches.list_lag);
        let groups = self.groups.values().filter_map(|record| record.seen(view));
        let wanted = groups
            .filter(|group| list.is_none_or(|id| group.anycast_ip_list_id.as_deref() == Some(id)))
            .map(|group| (group.id.as_str(), group));
        pages::cut(wanted, PREFIX, page, &self.switches, |group| group.summary(view.at))
    }

    /// The current version of the group that `identifier` means: an id first, then a name or an ARN.
    pub(super) fn current_group(&self, identifier: &str) -> Option<&Group> {
        let by_id = self.groups.get(identifier).and_then(|record| record.current());
        by_id.or_else(|| {
            let mut all = self.groups.values().filter_map(|record| record.current());
            all.find(|group| group.answers_to(identifier))
        })
    }

    pub(super) fn new_group(&mut self, now: Timestamp, name: &str, enabled: bool) -> Group {
        let (id, serial) = self.new_id(PREFIX);
        Group {
            arn: self.arn("connection-group", &id),
            id,
            name: name.to_owned(),
            routing_endpoint: ids::routing_endpoint(self.switches.seed, serial),
            enabled,
            ipv6_enabled: true,
            viewer_fallback: None,
            further_elements: BTreeMap::new(),
            anycast_ip_list_id: None,
            is_default: false,
            version: 0,
            created_at: now,
            modified_at: now,
            rollout: Rollout::begin(now, &self.switches),
        }
    }

    pub(super) fn insert_group(&mut self, group: Group, tags: Tags, now: Timestamp) {
        self.groups.insert(group.id.clone(), Arc::new(Record::new(group, tags, now)));
    }

    /// Removes a group. Of those that were removed before, only such are remembered as outdated reads or a name that is held may yet show.
    pub(super) fn remove_group(&mut self, now: Timestamp, id: &str) {
        let kept = self.kept(now);
        let gone_since = kept.since.min(now.before(self.switches.name_reuse_delay));
        self.groups.retain(|_, record| record.current().is_some() || record.group.changed_at() > gone_since);
        self.edit_record(id, |record| {
            record.replace(None, now, kept);
            record.replace_tags(Tags::new(), now, kept);
        });
    }

    pub(super) fn edit_record(&mut self, id: &str, edit: impl FnOnce(&mut Record)) {
        if let Some(record) = self.groups.get_mut(id) {
            edit(Arc::make_mut(record));
        }
    }

    pub(super) fn get_group_now(&self, now: Timestamp, id: &str) -> Result<Versioned<ConnectionGroup>, ServiceError> {
        let record = self.groups.get(id).ok_or_else(|| group_not_found(id))?;
        let group = record.current().ok_or_else(|| group_not_found(id))?;
        Ok(group.shown(now, self.switches.get_echoes_tags.then(|| record.tags.current().clone())))
    }

    fn shown(
        &self,
        record: Option<&Arc<Record>>,
        now: Timestamp,
        freshness: Freshness,
    ) -> Option<Versioned<ConnectionGroup>> {
        let record = record?;
        let view = freshness.of_groups(now, self.switches.read_lag);
        let tags = self.switches.get_echoes_tags.then(|| record.tags_seen(freshness.of_tags(now, &self.switches)));
        Some(record.seen(view)?.shown(view.at, tags.cloned()))
    }

    fn group_to_write(&self, id: &str) -> Result<&Group, ServiceError> {
        let found = self.current_group(id).filter(|group| match self.switches.write_by {
            WriteBy::Id => group.id == id,
            WriteBy::Any => true,
        });
        found.ok_or_else(|| group_not_found(id))
    }

    fn in_order(&self, version: Result<(), ServiceError>, state: Result<(), ServiceError>) -> Result<(), ServiceError> {
        match self.switches.write_precedence {
            WritePrecedence::VersionFirst => version.and(state),
            WritePrecedence::StateFirst => state.and(version),
        }
    }
}

fn group_not_found(identifier: &str) -> ServiceError {
    not_found(&format!("The specified connection group {identifier} does not exist."))
}

pub(super) fn not_found(message: &str) -> ServiceError {
    ServiceError::new(ErrorCode::EntityNotFound, message)
}

pub(super) fn limit_exceeded(message: &str) -> ServiceError {
    ServiceError::new(ErrorCode::EntityLimitExceeded, message)
}
