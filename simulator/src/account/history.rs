//! What two accounts are told apart by, for a model checker: each group as it is, and as outdated reads show it. Pure.

use crate::etag;
use crate::model::{DeploymentStatus, Tags};
use crate::time::Timestamp;

use super::Account;
use super::record::Group;

/// One connection group, its present and what is kept of its past.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    /// As it is; none once it is deleted.
    pub current: Option<Version<'a>>,
    /// As it was before its last change.
    pub previous: Option<Version<'a>>,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// Its tags.
    pub tags: &'a Tags,
    /// Its tags before their last change.
    pub previous_tags: &'a Tags,
    /// When its tags last changed.
    pub tags_changed_at: Timestamp,
}

/// One version of a connection group.
#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Which version it is; the `ETag` follows from it.
    pub number: u32,
    /// Whether it serves traffic.
    pub enabled: bool,
    /// Whether it answers over IPv6.
    pub ipv6_enabled: bool,
    /// The list it uses.
    pub anycast_ip_list_id: Option<&'a str>,
    /// Whether it is the default group.
    pub is_default: bool,
    /// Whether it is everywhere.
    pub status: DeploymentStatus,
    /// When the group was created.
    pub created_at: Timestamp,
}

impl Account {
    /// The groups, present and past, in order of creation.
    pub fn histories(&self, now: Timestamp) -> impl Iterator<Item = History<'_>> {
        self.groups.values().map(move |record| History {
            current: record.current().map(|group| group.version_at(now)),
            previous: record.group.previous().as_ref().map(|group| group.version_at(now)),
            changed_at: record.group.changed_at(),
            tags: record.tags.current(),
            previous_tags: record.tags.previous(),
            tags_changed_at: record.tags.changed_at(),
        })
    }
}

impl Version<'_> {
    /// Its `ETag`.
    #[must_use]
    pub fn etag(&self) -> String {
        etag::of_version(self.number)
    }
}

impl Group {
    fn version_at(&self, now: Timestamp) -> Version<'_> {
        Version {
            id: &self.id,
            name: &self.name,
            number: self.version,
            enabled: self.enabled,
            ipv6_enabled: self.ipv6_enabled,
            anycast_ip_list_id: self.anycast_ip_list_id.as_deref(),
            is_default: self.is_default,
            status: self.status(now),
            created_at: self.created_at,
        }
    }
}
