//! The configuration of a group: as a spec wants it, and as answers show it and updates send it. Pure.

use super::AnycastIpListId;

/// A complete configuration, as a spec asks for it and Create sends it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// Whether the group serves traffic.
    pub enabled: bool,
    /// Whether the routing endpoint answers over IPv6.
    pub ipv6_enabled: bool,
    /// The Anycast list that is attached, if any.
    pub anycast_ip_list_id: Option<AnycastIpListId>,
}

/// The members that `UpdateConnectionGroup` can change, as an answer shows them or an update sends them.
///
/// Every member of an answer is optional in the API's model. A switch that is `None` was not stated by the answer, or is left out of the update: it is never
/// a value. An answer leaves the list out if none is attached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Members {
    /// Whether the group serves traffic.
    pub enabled: Option<bool>,
    /// Whether the routing endpoint answers over IPv6.
    pub ipv6_enabled: Option<bool>,
    /// The Anycast list that is attached, if any.
    pub anycast_ip_list_id: Option<AnycastIpListId>,
}

impl From<Config> for Members {
    fn from(Config { enabled, ipv6_enabled, anycast_ip_list_id }: Config) -> Self {
        Self { enabled: Some(enabled), ipv6_enabled: Some(ipv6_enabled), anycast_ip_list_id }
    }
}

/// Equal if every switch was stated and all values are the same.
impl PartialEq<Config> for Members {
    fn eq(&self, config: &Config) -> bool {
        let Config { enabled, ipv6_enabled, anycast_ip_list_id } = config;
        self.enabled == Some(*enabled)
            && self.ipv6_enabled == Some(*ipv6_enabled)
            && self.anycast_ip_list_id == *anycast_ip_list_id
    }
}

/// The value of `AnycastIpListId` in an update of a group as it was just read: `None` leaves it out, an empty string detaches the list.
#[must_use]
pub fn list_element(read: &Members, wanted: &Members) -> Option<String> {
    match (&read.anycast_ip_list_id, &wanted.anycast_ip_list_id) {
        (_, Some(list)) => Some(list.to_string()),
        (Some(_), None) => Some(String::new()),
        (None, None) => None,
    }
}
