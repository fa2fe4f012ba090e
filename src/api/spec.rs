//! What a person writes. Pure data: defaults and rules live in the schema, so that the API server rejects specs that make no sense.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::status::ConnectionGroupStatus;

/// Desired state of one Amazon CloudFront connection group: the front door (one routing endpoint, an IPv6 switch, optional
/// static Anycast IPs) that distribution tenants share.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "cloudfront.kube-operators.dev",
    version = "v1alpha1",
    kind = "ConnectionGroup",
    plural = "connectiongroups",
    singular = "connectiongroup",
    shortname = "cfcg",
    category = "aws",
    namespaced,
    status = "ConnectionGroupStatus",
    derive = "PartialEq",
    doc = "ConnectionGroup keeps one Amazon CloudFront connection group as its spec says.",
    selectable = ".spec.name",
    validation = Rule::new("size(self.metadata.name) <= 63")
        .message("`metadata.name` must be at most 63 characters, so that the owner tag fits"),
    validation = Rule::new("has(self.spec.name) || self.metadata.name.matches('^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$')")
        .message("`metadata.name` must be letters, digits and '-' to serve as the connection group's name: set `spec.name` when the object's name has a dot"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.status", description = "CloudFront's own status, or NoGroupKnown"),
    printcolumn(name = "Enabled", type_ = "boolean", json_path = ".status.enabled"),
    printcolumn(name = "Endpoint", type_ = "string", json_path = ".status.routingEndpoint"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Id", type_ = "string", json_path = ".status.id", priority = 1),
    printcolumn(name = "ETag", type_ = "string", json_path = ".status.eTag", priority = 1),
    printcolumn(name = "Anycast", type_ = "string", json_path = ".status.anycastIpListId", priority = 1),
    printcolumn(name = "IPv6", type_ = "boolean", json_path = ".status.ipv6Enabled", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].message", priority = 1)
)]
#[x_kube(
    validation = Rule::new("has(self.name) == has(oldSelf.name) && (!has(self.name) || self.name == oldSelf.name)")
        .message("`name` must not change, nor be set or unset later: CloudFront cannot rename a connection group; create another object instead")
)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionGroupSpec {
    /// Name of the connection group at CloudFront, unique in the AWS account; metadata.name when unset. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(
        validation = Rule::new("self.matches('^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$')")
            .message("`name` must start with a letter or digit and hold only letters, digits, '-' and '_', at most 64 characters")
    )]
    pub name: Option<String>,

    /// Whether the group serves traffic. False takes down the traffic of all its tenants, even while tenants are attached; the roll-out takes minutes.
    /// Null is refused. Client-side `kubectl apply` and merge patches turn null into an absent field, so the group is then enabled: write true or false.
    #[serde(default = "yes")]
    pub enabled: bool,

    /// Whether the routing endpoint answers over IPv6. Must be false with an IPv4-only Anycast list.
    #[serde(default = "yes")]
    pub ipv6_enabled: bool,

    /// Id of the Anycast static IP list to attach, or `none` to detach whatever list is attached. Removing the field detaches a list that this
    /// object attached; one that others attached stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 4, max = 64))]
    #[x_kube(
        validation = Rule::new("self == 'none' || self.matches('^aip_[A-Za-z0-9]{1,60}$')")
            .message("`anycastIpListId` must be the id of an Anycast static IP list: 'aip_' and up to 60 letters and digits; or 'none'")
    )]
    pub anycast_ip_list_id: Option<String>,

    /// Tags to keep on the group, at most 40. Tags that others put on the group are left alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 40), schema_with = "tags_schema")]
    #[x_kube(
        validation = Rule::new("self.all(k, size(k) >= 1 && size(k) <= 128)")
            .message("`tags` keys must be 1 to 128 characters long"),
        validation = Rule::new("self.all(k, k.matches('^[\\\\p{L}\\\\p{Z}\\\\p{N}_.:/=+@-]*$') && self[k].matches('^[\\\\p{L}\\\\p{Z}\\\\p{N}_.:/=+@-]*$'))")
            .message("`tags` keys and values must hold only letters, digits, spaces and _ . : / = + - @"),
        validation = Rule::new("!self.exists(k, k.lowerAscii().startsWith('aws:'))")
            .message("`tags` keys must not start with 'aws:', in any case of letters: AWS reserves them"),
        validation = Rule::new("!self.exists(k, k.lowerAscii().startsWith('cloudfront.kube-operators.dev/'))")
            .message("`tags` keys must not start with 'cloudfront.kube-operators.dev/', in any case of letters: the operator reserves them"),
        validation = Rule::new("self.all(k, k.trim() == k && self[k].trim() == self[k])")
            .message("`tags` keys and values must not begin or end with a space")
    )]
    pub tags: BTreeMap<String, String>,

    /// Manage makes the group match this object; Observe never writes to AWS, mirrors the group of that name and reports drift.
    #[serde(default)]
    pub mode: Mode,

    /// What to do when an unowned group of that name already exists. Adopting also needs the operator's --allow-adoption.
    #[serde(default)]
    pub adoption_policy: AdoptionPolicy,

    /// What happens to the group when this object is deleted: Delete deletes it, Retain removes the owner and identity tags and leaves it.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// Whether deleting this object is held back: while true the operator neither disables the group for a deletion nor deletes it.
    #[serde(default)]
    pub deletion_protection: bool,

    /// Whether the operator pauses: it neither reads nor changes the group, `enabled` included, and a deletion waits until this is false again.
    #[serde(default)]
    pub suspend: bool,
}

/// The value that detaches any list, whoever attached it.
pub const NO_LIST: &str = "none";

impl Default for ConnectionGroupSpec {
    fn default() -> Self {
        Self {
            name: None,
            enabled: true,
            ipv6_enabled: true,
            anycast_ip_list_id: None,
            tags: BTreeMap::new(),
            mode: Mode::default(),
            adoption_policy: AdoptionPolicy::default(),
            deletion_policy: DeletionPolicy::default(),
            deletion_protection: false,
            suspend: false,
        }
    }
}

/// Who decides about the group: this object, or others while this object only observes.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The group is made to match the object.
    #[default]
    Manage,
    /// The group is mirrored into status; AWS is never written to.
    Observe,
}

/// What an object may do with a group of its name that nobody owns.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AdoptionPolicy {
    /// Leave it alone.
    #[default]
    Never,
    /// Take it over only if it already equals the spec.
    IfUnchanged,
    /// Take it over and make it match.
    Always,
}

/// What becomes of the group when its object is deleted.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeletionPolicy {
    /// Disabled, then deleted, once no tenant uses it.
    #[default]
    Delete,
    /// Left as it is, without our owner tag.
    Retain,
}

const fn yes() -> bool {
    true
}

fn tags_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "additionalProperties": { "type": "string", "maxLength": 256 }
    })
}
