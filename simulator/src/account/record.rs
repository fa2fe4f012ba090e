//! What the account keeps of one connection group: its present, and just enough past for outdated reads. Pure.

use std::collections::BTreeMap;

use crate::etag;
use crate::model::{ConnectionGroup, ConnectionGroupSummary, DeploymentStatus, Tags, Versioned};
use crate::switches::Switches;
use crate::time::Timestamp;

use super::Freshness;

/// One connection group over time. A deleted one has no `current`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Record {
    pub current: Option<Group>,
    pub previous: Option<Group>,
    pub changed_at: Timestamp,
    pub tags: Tags,
    pub previous_tags: Tags,
    pub tags_changed_at: Timestamp,
}

/// One version of a connection group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Group {
    pub id: String,
    pub arn: String,
    pub name: String,
    pub routing_endpoint: String,
    pub enabled: bool,
    pub ipv6_enabled: bool,
    pub viewer_fallback: Option<String>,
    pub further_elements: BTreeMap<String, String>,
    pub anycast_ip_list_id: Option<String>,
    pub is_default: bool,
    pub version: u32,
    pub created_at: Timestamp,
    pub modified_at: Timestamp,
    pub deployed_at: Timestamp,
}

impl Record {
    pub fn new(group: Group, tags: Tags, now: Timestamp) -> Self {
        Self {
            current: Some(group),
            previous: None,
            changed_at: now,
            tags,
            previous_tags: Tags::new(),
            tags_changed_at: now,
        }
    }

    /// What a reader sees now.
    pub fn seen(&self, now: Timestamp, freshness: Freshness, switches: &Switches) -> Option<&Group> {
        let stale = freshness == Freshness::Stale || now < self.changed_at.after(switches.read_lag);
        if stale { self.previous.as_ref() } else { self.current.as_ref() }
    }

    /// The tags a reader sees now.
    pub fn tags_seen(&self, now: Timestamp, freshness: Freshness, switches: &Switches) -> &Tags {
        // Whoever still sees a group that is gone sees the tags it had.
        let stale = freshness != Freshness::AsSwitched
            || now < self.tags_changed_at.after(switches.tag_lag)
            || self.current.is_none();
        if stale { &self.previous_tags } else { &self.tags }
    }

    /// Puts another version, or none, in the place of the current one.
    pub fn replace(&mut self, group: Option<Group>, now: Timestamp) {
        self.previous = std::mem::replace(&mut self.current, group);
        self.changed_at = now;
    }

    pub fn replace_tags(&mut self, tags: Tags, now: Timestamp) {
        self.previous_tags = std::mem::replace(&mut self.tags, tags);
        self.tags_changed_at = now;
    }
}

impl Group {
    /// The next version of this group: changed now, not yet deployed.
    pub fn next_version(&self, now: Timestamp, switches: &Switches) -> Self {
        Self {
            version: self.version + 1,
            modified_at: now,
            deployed_at: now.after(switches.propagation),
            ..self.clone()
        }
    }

    pub fn status(&self, now: Timestamp) -> DeploymentStatus {
        if now < self.deployed_at { DeploymentStatus::InProgress } else { DeploymentStatus::Deployed }
    }

    pub fn shown(&self, now: Timestamp, tags: Option<Tags>) -> Versioned<ConnectionGroup> {
        Versioned {
            etag: etag::of_version(self.version),
            resource: ConnectionGroup {
                id: self.id.clone(),
                name: self.name.clone(),
                arn: self.arn.clone(),
                created_time: self.created_at,
                last_modified_time: self.modified_at,
                tags,
                ipv6_enabled: self.ipv6_enabled,
                routing_endpoint: self.routing_endpoint.clone(),
                viewer_fallback: self.viewer_fallback.clone(),
                further_elements: self.further_elements.clone(),
                anycast_ip_list_id: self.anycast_ip_list_id.clone(),
                status: self.status(now),
                enabled: self.enabled,
                is_default: self.is_default,
            },
        }
    }

    pub fn summary(&self, now: Timestamp) -> ConnectionGroupSummary {
        ConnectionGroupSummary {
            id: self.id.clone(),
            name: self.name.clone(),
            arn: self.arn.clone(),
            routing_endpoint: self.routing_endpoint.clone(),
            created_time: self.created_at,
            last_modified_time: self.modified_at,
            etag: etag::of_version(self.version),
            viewer_fallback: self.viewer_fallback.clone(),
            anycast_ip_list_id: self.anycast_ip_list_id.clone(),
            enabled: self.enabled,
            status: self.status(now),
            is_default: self.is_default,
        }
    }

    pub fn answers_to(&self, identifier: &str) -> bool {
        self.id == identifier || self.name == identifier || self.arn == identifier
    }
}
