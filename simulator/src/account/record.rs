//! What the account keeps of one connection group: its present, and just enough past for outdated reads. Pure.

use std::collections::BTreeMap;

use crate::etag;
use crate::model::{ConnectionGroup, ConnectionGroupSummary, DeploymentStatus, Tags, Versioned};
use crate::switches::Switches;
use crate::time::Timestamp;

use super::rollout::Rollout;
use super::timeline::{Kept, Timeline, View};

/// One connection group over time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Record {
    /// None before its creation and after its deletion.
    pub group: Timeline<Option<Group>>,
    pub tags: Timeline<Tags>,
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
    pub rollout: Rollout,
}

impl Record {
    pub fn new(group: Group, tags: Tags, now: Timestamp) -> Self {
        Self { group: Timeline::begin(Some(group), None, now), tags: Timeline::begin(tags, Tags::new(), now) }
    }

    /// The group as it is; none once it is deleted.
    pub fn current(&self) -> Option<&Group> {
        self.group.current().as_ref()
    }

    /// The group as a read shows it.
    pub fn seen(&self, view: View) -> Option<&Group> {
        self.group.seen(view).as_ref()
    }

    /// The tags as a read shows them.
    pub fn tags_seen(&self, view: View) -> &Tags {
        // Whoever still sees a group that is gone sees the tags it had.
        let gone = u32::from(self.current().is_none());
        self.tags.seen(View { back: view.back.max(gone), ..view })
    }

    /// Puts another version, or none, in the place of the current one.
    pub fn replace(&mut self, group: Option<Group>, now: Timestamp, kept: Kept) {
        self.group.change(group, now, kept);
    }

    pub fn replace_tags(&mut self, tags: Tags, now: Timestamp, kept: Kept) {
        self.tags.change(tags, now, kept);
    }
}

impl Group {
    /// The next version of this group: changed now, not yet deployed.
    pub fn next_version(&self, now: Timestamp, switches: &Switches) -> Self {
        Self { version: self.version + 1, modified_at: now, rollout: Rollout::begin(now, switches), ..self.clone() }
    }

    pub fn status(&self, at: Timestamp) -> DeploymentStatus {
        self.rollout.status(at)
    }

    pub fn shown(&self, at: Timestamp, tags: Option<Tags>) -> Versioned<ConnectionGroup> {
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
                status: self.status(at),
                enabled: self.enabled,
                is_default: self.is_default,
            },
        }
    }

    pub fn summary(&self, at: Timestamp) -> ConnectionGroupSummary {
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
            status: self.status(at),
            is_default: self.is_default,
        }
    }

    pub fn answers_to(&self, identifier: &str) -> bool {
        self.id == identifier || self.name == identifier || self.arn == identifier
    }
}
