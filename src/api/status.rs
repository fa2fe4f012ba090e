//! What the operator answers. Pure data. Status is a cache for people and for the next reconcile, never an authority about ownership.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::Value;
use strum::{IntoStaticStr, VariantArray};

/// Observed state of the connection group, as of the last read.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionGroupStatus {
    /// Generation of the spec that this status is about; -1 until the operator has reconciled the object.
    #[serde(default = "unseen")]
    pub observed_generation: i64,
    /// Id of the connection group at CloudFront, such as `cg_2uVbA9KeWaADTbKzhj9lcKDoM25`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Amazon Resource Name of the connection group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// Name of the connection group at CloudFront.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Owner tag of this object when its group was last read: owner id, namespace and name; absent in mode Observe if the group does not carry it. If the
    /// operator has another owner id now, it reads the group again before it relies on this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Identity of the installation that last read the group: the uid of its namespace kube-system, or of the one that --identity-namespace names. If
    /// the operator has another identity now, it reads the group again before it relies on this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installation: Option<String>,
    /// Generation of the spec that the group matched, tags included, when it was last read in full or changed; absent while that is not known. In mode
    /// Observe: the generation for which it was last read in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced_generation: Option<i64>,
    /// CloudFront's version identifier of the group, verbatim, as last read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e_tag: Option<String>,
    /// CloudFront's own deployment status, verbatim: InProgress or Deployed; `NotStated` if CloudFront left it out. `NoGroupKnown` while no group of this object
    /// was seen.
    #[serde(default, deserialize_with = "of_cloudfront", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = NO_GROUP_KNOWN))]
    pub status: Option<String>,
    /// Host name that tenants' domains point at, such as d111111abcdef8.cloudfront.net.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing_endpoint: Option<String>,
    /// Whether CloudFront says that the group is enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Whether CloudFront says that IPv6 is enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6_enabled: Option<bool>,
    /// Id of the Anycast static IP list that is attached, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anycast_ip_list_id: Option<String>,
    /// Whether this is the account's default connection group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_default: Option<bool>,
    /// When CloudFront created the group.
    #[serde(default, deserialize_with = "if_readable", skip_serializing_if = "Option::is_none")]
    pub created_time: Option<Time>,
    /// When the group was last modified, according to CloudFront.
    #[serde(default, deserialize_with = "if_readable", skip_serializing_if = "Option::is_none")]
    pub last_modified_time: Option<Time>,
    /// Id of the Anycast static IP list that this object attached itself. Only that one is detached when spec.anycastIpListId is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached_anycast_ip_list_id: Option<String>,
    /// Members of the spec that CloudFront refused, for this generation of the spec; the others were carried out, or are tried next.
    #[serde(default, deserialize_with = "the_readable", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["member".into()]))]
    pub refused: Vec<RefusedMember>,
    /// Tags of the group that the operator sent for this object, or may have sent; only these are ever removed. Tags of others are not listed, also
    /// where they equal those of the spec.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Fields in which the group differs from the spec (mode Observe).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["field".into()]))]
    pub drift: Vec<Drift>,
    /// Whether the group still carries the owner tag that an earlier mode Manage of this object put on it (mode Observe); absent otherwise.
    #[serde(default, skip_serializing_if = "is_false")]
    pub carries_owner_tag: bool,
    /// Distribution tenants that keep the group from being deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_by: Option<BlockedBy>,
    /// Value of the reconcile-requested-at annotation at the last reconcile that it triggered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// Ready always; Reconciling, Stalled, Drifted and `SchemaOutdated` only while true.
    #[serde(default, deserialize_with = "the_readable", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// What the API server stores as the deployment status of an object without one, so that the columns of `kubectl get` say it.
const NO_GROUP_KNOWN: &str = "NoGroupKnown";

/// What is stored where there is a group, but no deployment status.
const NOT_STATED: &str = "NotStated";

/// The deployment status, if it is one of CloudFront's.
fn of_cloudfront<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let status = Option::<String>::deserialize(deserializer)?;
    Ok(status.filter(|status| ![NO_GROUP_KNOWN, NOT_STATED].contains(&status.as_str())))
}

/// The date, or `None` if it cannot be parsed. The API server accepts dates that we cannot parse; one of them must not make the object unreadable.
fn if_readable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
}

/// The items that can be parsed. A condition may hold such a date, a refusal a cause that only a later version knows.
fn the_readable<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let items = Vec::<Value>::deserialize(deserializer)?;
    Ok(items.into_iter().filter_map(|item| serde_json::from_value(item).ok()).collect())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
const fn is_false(value: &bool) -> bool {
    !*value
}

const UNSEEN_GENERATION: i64 = -1;

const fn unseen() -> i64 {
    UNSEEN_GENERATION
}

impl ConnectionGroupStatus {
    /// This status as it is stored: the default of `status.status` is for objects without a group.
    #[must_use]
    pub fn to_store(&self) -> Self {
        let is_left_out = self.id.is_some() && self.status.is_none();
        let status = if is_left_out { Some(NOT_STATED.to_owned()) } else { self.status.clone() };
        Self { status, ..self.clone() }
    }

    /// The status of an object that no controller has seen.
    pub const UNSEEN: Self = Self {
        observed_generation: UNSEEN_GENERATION,
        id: None,
        arn: None,
        name: None,
        owner: None,
        installation: None,
        synced_generation: None,
        e_tag: None,
        status: None,
        routing_endpoint: None,
        enabled: None,
        ipv6_enabled: None,
        anycast_ip_list_id: None,
        is_default: None,
        created_time: None,
        last_modified_time: None,
        attached_anycast_ip_list_id: None,
        refused: Vec::new(),
        tags: BTreeMap::new(),
        drift: Vec::new(),
        carries_owner_tag: false,
        blocked_by: None,
        last_handled_reconcile_at: None,
        conditions: Vec::new(),
    };
}

/// A member of a group's configuration, by its field in spec.
#[derive(
    JsonSchema,
    Serialize,
    Deserialize,
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
pub enum Member {
    /// Whether the group serves traffic.
    Enabled,
    /// Whether the routing endpoint answers over IPv6.
    Ipv6Enabled,
    /// The Anycast static IP list.
    AnycastIpListId,
}

impl Member {
    /// All of them, in the order in which they are tried.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Its field in spec.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Why CloudFront did not apply a member.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RefusalCause {
    /// The Anycast list does not exist in this account.
    ListNotFound,
    /// The Anycast list is IPv4-only, which cannot be combined with IPv6.
    ListIsIpv4Only,
    /// A quota is used up, such as that of groups on one Anycast list.
    QuotaExceeded,
    /// The group is in use, in a way that forbids the change.
    InUse,
    /// CloudFront says that something of that kind exists already.
    AlreadyExists,
    /// CloudFront refused to detach the Anycast list.
    DetachRefused,
    /// CloudFront accepted the request to detach the list, but kept it attached.
    DetachIgnored,
    /// The value was refused, for the reason in `detail`.
    Invalid,
}

/// A member of the spec that CloudFront refused when it was tried alone.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct RefusedMember {
    /// The field of spec that was refused.
    pub member: Member,
    /// Value that the spec asks for; empty when it asks for none.
    pub desired: String,
    /// Why it was refused, in one word.
    pub cause: RefusalCause,
    /// What CloudFront said: its error code and message.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// One field in which the observed group differs from the spec.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Name of the field as in spec; a tag is written tags[key].
    pub field: String,
    /// Value that the spec asks for; empty when it asks for none.
    pub desired: String,
    /// Value that CloudFront has; empty when it has none.
    pub observed: String,
}

/// The distribution tenants that still use a group.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct BlockedBy {
    /// How many tenants were counted; CloudFront is asked for one page, usually of 100; the message says if there are more.
    pub count: i64,
    /// Names of the tenants, at most ten.
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub tenants: Vec<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_stored_in_place_of_a_deployment_status_is_none_when_it_is_read() {
        let group = |status: Option<&str>| ConnectionGroupStatus {
            id: Some("cg_1".to_owned()),
            status: status.map(ToOwned::to_owned),
            ..ConnectionGroupStatus::UNSEEN
        };
        for (kept, stored) in [(None, "NotStated"), (Some("Deployed"), "Deployed"), (Some("InProgress"), "InProgress")]
        {
            let json = serde_json::to_value(group(kept).to_store()).unwrap();
            assert_eq!(json["status"], stored);
            assert_eq!(serde_json::from_value::<ConnectionGroupStatus>(json).unwrap(), group(kept));
        }
        assert_eq!(ConnectionGroupStatus::UNSEEN.to_store(), ConnectionGroupStatus::UNSEEN);
        let none: ConnectionGroupStatus = serde_json::from_value(json!({ "status": NO_GROUP_KNOWN })).unwrap();
        assert_eq!(none, ConnectionGroupStatus::UNSEEN);
    }

    #[test]
    fn a_date_that_only_the_api_server_can_read_costs_no_more_than_itself() {
        let condition = |at: &str| json!({ "type": "Ready", "status": "True", "reason": "Deployed", "message": "m", "lastTransitionTime": at });
        for odd in ["9999-12-31T23:59:59Z", "2026-01-01T00:00:00Ztrash"] {
            let status = json!({ "id": "cg_1", "createdTime": odd, "conditions": [condition(odd)] });
            let status: ConnectionGroupStatus = serde_json::from_value(status).unwrap();
            assert_eq!((status.id.as_deref(), status.created_time, status.conditions.len()), (Some("cg_1"), None, 0));
        }
        let at = "2026-01-01T00:00:00Z";
        let status = json!({ "observedGeneration": 1, "createdTime": at, "conditions": [condition(at)] });
        let read: ConnectionGroupStatus = serde_json::from_value(status.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), status);
    }
}
