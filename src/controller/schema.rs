//! Whether the `CustomResourceDefinition` in the cluster is older than this operator. Pure, except for log lines.
//!
//! The chart's RBAC does not allow the operator to read the definition itself, and it need not: the API server drops status fields that the definition does
//! not know, and its answer to a write shows what is left.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::{Map, Value};

use crate::api::{ConnectionGroupStatus, add_schema_outdated};

/// Fields that were sent but not stored.
pub fn dropped(sent: &ConnectionGroupStatus, stored: &ConnectionGroupStatus) -> Vec<String> {
    let stored = fields(stored);
    fields(sent).into_iter().map(|(field, _)| field).filter(|field| !stored.contains_key(field)).collect()
}

fn fields(status: &ConnectionGroupStatus) -> Map<String, Value> {
    match serde_json::to_value(status) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// The status with the condition that reports dropped fields, if there are any.
pub fn with_outdated_condition(
    status: &ConnectionGroupStatus,
    dropped: &[String],
    previous: &[Condition],
    now: Timestamp,
) -> ConnectionGroupStatus {
    let mut reported = status.clone();
    if !dropped.is_empty() {
        add_schema_outdated(&mut reported.conditions, previous, sentence(dropped), status.observed_generation, now);
    }
    reported
}

/// Logs which fields are dropped, or that none are.
pub fn log(dropped: &[String]) {
    if dropped.is_empty() {
        tracing::info!("the CustomResourceDefinition has all fields of status");
    } else {
        tracing::warn!("{}", sentence(dropped));
    }
}

fn sentence(dropped: &[String]) -> String {
    format!(
        "The CustomResourceDefinition is older than this operator: the API server drops status.{}. The group is still kept as the spec says; fields of \
         the spec that the definition does not have cannot be set. Upgrade the CustomResourceDefinition.",
        dropped.join(", status.")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::condition;

    fn sent() -> ConnectionGroupStatus {
        let id = Some("cg_1".to_owned());
        ConnectionGroupStatus { id, is_default: Some(false), ..ConnectionGroupStatus::UNSEEN }
    }

    #[test]
    fn what_the_api_server_does_not_store_is_named_and_nothing_else() {
        let stored = ConnectionGroupStatus { is_default: None, ..sent() };
        assert_eq!(dropped(&sent(), &stored), ["isDefault"]);
        assert!(dropped(&sent(), &sent()).is_empty());
        assert!(dropped(&stored, &sent()).is_empty(), "an additional field does not count as dropped");
    }

    #[test]
    fn the_condition_is_present_while_fields_are_dropped_and_keeps_its_time() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let names = ["isDefault".to_owned()];
        let first = with_outdated_condition(&sent(), &names, &[], at(10)).conditions;
        let second = with_outdated_condition(&sent(), &names, &first, at(20)).conditions;
        assert_eq!(first, second);
        assert!(condition(&second, "SchemaOutdated").is_some_and(|told| told.message.contains("status.isDefault")));
        assert!(with_outdated_condition(&sent(), &[], &second, at(30)).conditions.is_empty());
    }
}
