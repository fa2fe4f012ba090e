//! The facts after a reconcile: at CloudFront, as the operator read it, and of the object. In: the world around a reconcile. Out: answers to questions that
//! a sentence raises. Pure.

use std::time::Duration;

use cloudfront_simulator::model::{ConnectionGroup as Shown, Versioned};
use connection_group_operator::{
    api::{ConnectionGroupSpec, Mode, NO_LIST},
    cloudfront::{AnycastIpListId, ApiError, Deployment, ErrorClass, GroupName, Operation, Summary},
};

use super::record::{Exists, Record};
use crate::world::{IDENTITY, OWNER, World};

/// The facts that sentences are checked against.
#[derive(Debug)]
pub struct Facts<'a> {
    pub world: &'a WorldFacts,
    /// What the operator read, up to the end of the reconcile: that is what "is" means in a sentence.
    pub record: &'a Record,
    /// The group at CloudFront, before and after the reconcile.
    pub before: Option<&'a Versioned<Shown>>,
    pub after: Option<&'a Versioned<Shown>>,
    /// Whether someone else changed the group since it was last as the spec says.
    pub others_changed: bool,
    /// Changes of others that were corrected.
    pub corrected: u32,
    /// Whether someone else changed the group during the reconcile.
    pub interfered: bool,
    pub requeue: Duration,
}

/// The other facts of the world.
#[derive(Debug)]
pub struct WorldFacts {
    pub spec: ConnectionGroupSpec,
    pub name: String,
    pub deleting: bool,
    pub owner: String,
    pub identity: String,
    pub allow_adoption: bool,
    pub consistency_window: Duration,
    pub row: Option<Summary>,
    pub groups_listed: usize,
    pub list_fails: bool,
    pub lists: Vec<String>,
    pub status_id: Option<String>,
    pub status_endpoint: Option<String>,
    pub status_tags: usize,
    pub status_enabled: Option<bool>,
    /// The Anycast list that status says this object attached.
    pub status_attached: Option<String>,
    /// The differences in the object's status.
    pub drift: usize,
    /// The refusals in the object's status.
    pub refused: usize,
    /// CloudFront was made to answer with an error of its own, a stale read or an incomplete answer.
    pub lies: bool,
}

impl WorldFacts {
    pub fn of(world: &World, lies: bool) -> Self {
        let name = world.object.spec.name.clone().unwrap_or_else(|| "edge".to_owned());
        let list = world.snapshot.as_ref();
        let status = world.object.status.as_ref();
        Self {
            spec: world.object.spec.clone(),
            deleting: world.object.metadata.deletion_timestamp.is_some(),
            owner: format!("{}/platform/edge", world.settings.owner_id),
            identity: world.settings.installation.to_string(),
            allow_adoption: world.settings.allow_adoption,
            consistency_window: world.settings.consistency_window,
            row: list.and_then(|list| list.groups.get(&GroupName::new(&name))).cloned(),
            groups_listed: list.map_or(0, |list| list.groups.len()),
            list_fails: world.inventory_error.is_some(),
            lists: world.port.account(|account, now| account.anycast_ip_lists(now)).into_iter().map(|l| l.id).collect(),
            status_id: status.and_then(|status| status.id.clone()),
            status_enabled: status.and_then(|status| status.enabled),
            status_tags: status.map_or(0, |status| status.tags.len()),
            status_endpoint: status.and_then(|status| status.routing_endpoint.clone()),
            status_attached: status.and_then(|status| status.attached_anycast_ip_list_id.clone()),
            drift: status.map_or(0, |status| status.drift.len()),
            refused: status.map_or(0, |status| status.refused.len()),
            name,
            lies,
        }
    }
}

impl Facts<'_> {
    pub fn spec(&self) -> &ConnectionGroupSpec {
        &self.world.spec
    }

    pub fn is_name(&self, name: &str) -> bool {
        self.world.name == name
    }

    pub fn manages(&self) -> bool {
        self.spec().mode == Mode::Manage
    }

    /// Whether the group is known to be enabled, or disabled.
    pub fn enabled(&self) -> Option<bool> {
        let listed = self.row().and_then(|row| row.enabled);
        self.record.enabled.or(listed).or(self.record.enabled_once)
    }

    /// Whether the group is enabled, as the last read states it, or the list of that version.
    pub fn stated_enabled(&self) -> Option<bool> {
        let read = self.record.group.as_ref().and_then(|group| group.config.enabled);
        read.or_else(|| self.row().and_then(|row| row.enabled))
    }

    /// The row of the list that shows the version that was read last.
    fn row(&self) -> Option<&Summary> {
        let version = self.record.version.as_ref().map(|(id, etag)| (id.as_str(), etag.as_str()));
        let is_it = |row: &&Summary| version.is_none_or(|version| version == (row.id.as_str(), row.etag.as_str()));
        self.world.row.as_ref().filter(is_it)
    }

    /// Whether CloudFront reports this status of the group's roll-out.
    pub fn says(&self, status: &str) -> bool {
        let listed = self.world.row.as_ref().and_then(|row| row.deployment.as_ref());
        let listed = listed.map(Deployment::as_str);
        [self.record.deployment.as_deref(), listed].contains(&Some(status))
    }

    pub fn exists(&self) -> bool {
        self.record.exists == Exists::Yes
    }

    /// Whether CloudFront reported at the last read that there is no such group.
    pub fn reported_absent(&self) -> bool {
        self.record.exists == Exists::No
            || (!self.record.called(Operation::GetConnectionGroup) && self.world.row.is_none())
    }

    /// Whether the group is gone.
    pub fn is_gone(&self) -> bool {
        self.after.is_none()
    }

    pub fn owner_tag(&self) -> Option<&str> {
        self.record.tags.get(OWNER).map(String::as_str)
    }

    pub fn identity_tag(&self) -> Option<&str> {
        self.record.tags.get(IDENTITY).map(String::as_str)
    }

    pub fn is_marked_as_ours(&self) -> bool {
        self.owner_tag() == Some(&self.world.owner)
    }

    pub fn tenants(&self) -> usize {
        self.record.tenants.as_ref().map_or(0, |tenants| tenants.count)
    }

    pub fn has_tenants(&self) -> bool {
        self.record.tenants.as_ref().is_some_and(|tenants| tenants.count > 0 || tenants.beyond_this_page)
    }

    /// Whether such a call failed like that: in this reconcile, or in an earlier one if this one made no such call.
    pub fn failed(&self, operation: &str, class: impl Fn(ErrorClass) -> bool) -> bool {
        let is_it = |error: &ApiError| error.operation.as_str() == operation && class(error.class);
        let called = self.record.calls.iter().any(|(call, _)| call.as_str() == operation);
        self.record.errors.iter().any(is_it) || (!called && self.record.earlier.iter().any(is_it))
    }

    /// Whether such a call was ever refused like that.
    pub fn was_refused(&self, operation: Operation, class: impl Fn(ErrorClass) -> bool) -> bool {
        let errors = self.record.errors.iter().chain(&self.record.earlier);
        errors.filter(|error| error.operation == operation).any(|error| class(error.class))
    }

    /// Whether the tags make the group this object's in this installation.
    pub fn is_ours(&self) -> bool {
        self.is_marked_as_ours() && self.identity_tag().is_none_or(|identity| identity == self.world.identity)
    }

    pub fn is_tried_within(&self, seconds: u64) -> bool {
        self.requeue <= Duration::from_secs(seconds) && !self.spec().suspend
    }

    pub fn changed_nothing(&self) -> bool {
        !self.record.changed()
    }

    pub fn done(&self, operation: Operation) -> bool {
        self.record.done.contains(&operation)
    }

    /// The Anycast list of the group, as it was last read.
    pub fn list(&self) -> Option<&str> {
        let read = self.record.group.as_ref().and_then(|group| group.config.anycast_ip_list_id.as_ref());
        let list = read.or_else(|| self.row().and_then(|row| row.anycast_ip_list_id.as_ref()));
        list.map(AnycastIpListId::as_str)
    }

    /// The members and tags in which the group differs from the spec, as it was last read.
    pub fn differing(&self) -> Vec<&'static str> {
        let Some(group) = &self.record.group else { return vec!["group"] };
        let spec = self.spec();
        let list = match spec.anycast_ip_list_id.as_deref() {
            None => self.list().is_none_or(|list| !self.record.attached.contains(list)),
            Some(NO_LIST) => self.list().is_none(),
            Some(wanted) => self.list() == Some(wanted),
        };
        let tags = spec.tags.iter().all(|(key, value)| self.record.tags.get(key) == Some(value));
        let is_so = |stated: Option<bool>, wanted: bool| stated.is_none_or(|stated| stated == wanted);
        [
            ("enabled", is_so(self.stated_enabled(), spec.enabled)),
            ("ipv6Enabled", is_so(group.config.ipv6_enabled, spec.ipv6_enabled)),
            ("anycastIpListId", list),
            ("tags", tags),
        ]
        .into_iter()
        .filter_map(|(what, is_so)| (!is_so).then_some(what))
        .collect()
    }

    /// Whether the group is as the spec says, whatever was read.
    pub fn is_as_asked(&self) -> bool {
        let spec = self.spec();
        let tags = spec.tags.iter().map(|(key, value)| (format!("tags[{key}]"), value.clone()));
        let list = spec.anycast_ip_list_id.clone().filter(|list| list != NO_LIST);
        let members = [
            ("enabled".to_owned(), spec.enabled.to_string()),
            ("ipv6Enabled".to_owned(), spec.ipv6_enabled.to_string()),
            ("anycastIpListId".to_owned(), list.unwrap_or_default()),
        ];
        members.into_iter().chain(tags).all(|(field, value)| Self::field(self.after, &field) == value)
    }

    /// Whether the group's field was read with that value.
    pub fn reads(&self, field: &str, value: &str) -> bool {
        let Some(group) = &self.record.group else { return true };
        let text = |stated: Option<bool>| stated.map(|stated| stated.to_string());
        if field == "ipv6Enabled" && group.config.ipv6_enabled.is_none() {
            return true;
        }
        let read = match (field, field.strip_prefix("tags[").and_then(|key| key.strip_suffix(']'))) {
            ("enabled", _) => text(self.enabled()),
            ("ipv6Enabled", _) => text(group.config.ipv6_enabled),
            (_, Some(key)) => self.record.tags.get(key).cloned(),
            (_, None) => self.list().map(ToOwned::to_owned),
        };
        read.unwrap_or_default() == if value == "nothing" { "" } else { value }
    }

    /// The value of the group's field at CloudFront, as text.
    pub fn field(group: Option<&Versioned<Shown>>, field: &str) -> String {
        let Some(Versioned { resource, .. }) = group else { return String::new() };
        let tag = field.strip_prefix("tags[").and_then(|key| key.strip_suffix(']'));
        match (field, tag) {
            ("enabled", _) => resource.enabled.to_string(),
            ("ipv6Enabled", _) => resource.ipv6_enabled.to_string(),
            ("anycastIpListId", _) => resource.anycast_ip_list_id.clone().unwrap_or_default(),
            (_, Some(key)) => resource.tags.as_ref().and_then(|tags| tags.get(key)).cloned().unwrap_or_default(),
            (other, None) => panic!("no such field: {other}"),
        }
    }
}
