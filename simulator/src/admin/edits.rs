//! What someone else does to the account: new groups, lists and tenants, and changes of them. Pure data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::Tags;
use crate::switches::{IpAddressType, ServeOn};

/// A group that someone else creates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewGroup {
    /// Its name.
    pub name: String,
    /// On if not given.
    #[serde(default = "on")]
    pub enabled: bool,
    /// On if not given.
    #[serde(default = "on")]
    pub ipv6_enabled: bool,
    /// The list it uses.
    #[serde(default)]
    pub anycast_ip_list_id: Option<String>,
    /// The distribution that viewers without SNI get the certificate of.
    #[serde(default)]
    pub viewer_fallback: Option<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

impl NewGroup {
    /// An enabled group with IPv6, no list and no tags.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            enabled: true,
            ipv6_enabled: true,
            anycast_ip_list_id: None,
            viewer_fallback: None,
            tags: Tags::new(),
        }
    }
}

/// What someone else changes of a group; what is not given stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupPatch {
    /// Switches it on or off.
    pub enabled: Option<bool>,
    /// Switches IPv6 on or off.
    pub ipv6_enabled: Option<bool>,
    /// Attaches this list; empty text detaches.
    pub anycast_ip_list_id: Option<String>,
    /// The distribution that viewers without SNI get the certificate of; empty text for none.
    pub viewer_fallback: Option<String>,
    /// Elements that this version of the API does not have, name and text.
    pub further_elements: BTreeMap<String, String>,
    /// Tags to set.
    pub set_tags: Tags,
    /// Keys of tags to remove.
    pub remove_tags: Vec<String>,
}

impl GroupPatch {
    /// Whether it touches more than tags.
    #[must_use]
    pub fn edits_configuration(&self) -> bool {
        self.enabled.is_some()
            || self.ipv6_enabled.is_some()
            || self.anycast_ip_list_id.is_some()
            || self.viewer_fallback.is_some()
            || !self.further_elements.is_empty()
    }
}

/// An Anycast IP list that someone else creates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewList {
    /// Its name.
    pub name: String,
    /// `ipv4` if not given.
    #[serde(default = "ipv4")]
    pub ip_address_type: IpAddressType,
    /// 3 if not given.
    #[serde(default = "three")]
    pub ip_count: u32,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

impl NewList {
    /// A list of three addresses.
    pub fn named(name: impl Into<String>, ip_address_type: IpAddressType) -> Self {
        Self { name: name.into(), ip_address_type, ip_count: three(), tags: Tags::new() }
    }
}

/// What someone else changes of an Anycast IP list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListPatch {
    /// Which addresses it holds from now on.
    pub ip_address_type: IpAddressType,
}

/// A tenant that someone puts behind a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTenant {
    /// Its name.
    pub name: String,
    /// The group, by id, name or ARN; the default group if not given, which is made if need be.
    #[serde(default)]
    pub connection_group: Option<String>,
    /// The multi-tenant distribution.
    #[serde(default = "some_distribution")]
    pub distribution_id: String,
    /// The domains it serves.
    #[serde(default)]
    pub domains: Vec<String>,
    /// On which addresses.
    #[serde(default)]
    pub serve_on: Option<ServeOn>,
}

impl NewTenant {
    /// A tenant without domains behind the group that `connection_group` (id, name or ARN) means.
    pub fn behind(connection_group: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            connection_group: Some(connection_group.into()),
            distribution_id: some_distribution(),
            domains: Vec::new(),
            serve_on: None,
        }
    }
}

fn on() -> bool {
    true
}

fn ipv4() -> IpAddressType {
    IpAddressType::Ipv4
}

fn three() -> u32 {
    3
}

fn some_distribution() -> String {
    "E1SIMULATEDDIST".to_owned()
}
