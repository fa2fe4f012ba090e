//! The `ConnectionGroup` custom resource: what a person writes (`spec`), what the operator answers (`status`), and the CRD
//! that defines both for the API server. Pure: no Kubernetes client, no AWS SDK.

mod conditions;
mod reasons;
mod spec;
mod status;

pub use conditions::{Standing, add_schema_outdated, condition, is_true, set_message, set_standing};
pub use reasons::{ConditionReason, EventReason};
pub use spec::{AdoptionPolicy, ConnectionGroup, ConnectionGroupSpec, DeletionPolicy, Mode, NO_LIST};
pub use status::{BlockedBy, ConnectionGroupStatus, Drift, Member, RefusalCause, RefusedMember};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, ValidationRule,
};
use kube::CustomResourceExt;

/// API group of the resource; also the prefix of every annotation, finalizer and tag that belongs to the operator.
pub const GROUP: &str = "cloudfront.kube-operators.dev";

/// Finalizer that all installations shared before each had its own; it is replaced wherever it is found.
pub const LEGACY_FINALIZER: &str = "cloudfront.kube-operators.dev/connection-group";

/// Finalizer by which one installation keeps an object until its connection group is gone or released.
#[must_use]
pub fn finalizer(owner_id: &str) -> String {
    format!("{GROUP}/{owner_id}")
}

/// The owner id of the installation that has this finalizer.
#[must_use]
pub fn owner_id(finalizer: &str) -> &str {
    finalizer.strip_prefix(GROUP).and_then(|rest| rest.strip_prefix('/')).unwrap_or(finalizer)
}

/// Annotation that asks for one full reconcile now; its value is copied to `status.lastHandledReconcileAt`.
pub const RECONCILE_REQUESTED_AT: &str = "cloudfront.kube-operators.dev/reconcile-requested-at";

/// The CRD as it is installed.
///
/// Adds what the derive macro cannot express: the default of `status`, so that kstatus never calls an object current that no controller has seen; and how
/// null is treated. The API server refuses it where absence means a default, as a template that meant `false` would else get that default; otherwise it is
/// the same as absence.
#[must_use]
pub fn crd() -> CustomResourceDefinition {
    let mut crd = ConnectionGroup::crd();
    for version in &mut crd.spec.versions {
        let root = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut());
        let Some(root) = root else { continue };
        without_nullable(root);
        let Some(parts) = root.properties.as_mut() else { continue };
        if let Some(status) = parts.get_mut("status") {
            status.default = Some(JSON(serde_json::json!({ "observedGeneration": -1 })));
        }
        if let Some(spec) = parts.get_mut("spec") {
            refuse_null_for_a_default(spec);
        }
    }
    crd
}

/// A field that may not be null gets its default instead of null, before any rule can see it. One that may be keeps the null, and counts as absent in a rule,
/// as nothing else does that has a default. An enum refuses null by itself.
fn refuse_null_for_a_default(spec: &mut JSONSchemaProps) {
    let mut rules = Vec::new();
    for (name, field) in spec.properties.iter_mut().flatten() {
        let Some(JSON(default)) = &field.default else { continue };
        field.nullable = Some(true);
        if field.enum_.is_none() {
            rules.push(ValidationRule {
                rule: format!("has(self.{name})"),
                message: Some(format!("`{name}` must not be null: leave it out for its default, {default}")),
                ..ValidationRule::default()
            });
        }
    }
    spec.x_kubernetes_validations.get_or_insert_default().extend(rules);
}

fn without_nullable(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.properties.iter_mut().flat_map(|properties| properties.values_mut()).for_each(without_nullable);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> serde_json::Value {
        let crd = serde_json::to_value(crd()).unwrap();
        crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
    }

    fn undescribed(path: &str, node: &serde_json::Value, found: &mut Vec<String>) {
        for (name, field) in node["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            if field["description"].as_str().is_none_or(|text| text.split_whitespace().count() < 4) {
                found.push(path.clone());
            }
            undescribed(&path, field, found);
            undescribed(&path, &field["items"], found);
        }
    }

    #[test]
    fn every_field_has_a_description_worth_reading_in_kubectl_explain() {
        let mut found = Vec::new();
        undescribed("spec", &schema()["properties"]["spec"], &mut found);
        undescribed("status", &schema()["properties"]["status"], &mut found);
        assert_eq!(found, Vec::<String>::new());
    }

    fn unbounded(path: &str, node: &serde_json::Value, found: &mut Vec<String>) {
        let bounded = match node["type"].as_str() {
            Some("string") => node["maxLength"].is_number() || node["enum"].is_array() || node["format"].is_string(),
            Some("array") => node["maxItems"].is_number(),
            _ => true,
        };
        if !bounded {
            found.push(path.to_owned());
        }
        for (name, field) in node["properties"].as_object().into_iter().flatten() {
            unbounded(&format!("{path}.{name}"), field, found);
        }
    }

    #[test]
    fn every_string_a_person_writes_has_a_maximum_length() {
        let mut found = Vec::new();
        unbounded("spec", &schema()["properties"]["spec"], &mut found);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn null_is_refused_for_each_field_of_the_spec_that_has_a_default_and_for_no_other() {
        let spec = &schema()["properties"]["spec"];
        let rules = spec["x-kubernetes-validations"].as_array().unwrap();
        for (name, field) in spec["properties"].as_object().unwrap() {
            let has_default = !field["default"].is_null();
            let is_refused = rules.iter().any(|rule| rule["rule"] == format!("has(self.{name})"));
            assert_eq!(field["nullable"] == true, has_default, "{name}");
            assert_eq!(is_refused || field["enum"].is_array(), has_default, "{name}");
        }
    }

    #[test]
    fn an_object_that_no_controller_has_seen_is_never_current() {
        assert_eq!(schema()["properties"]["status"]["default"], serde_json::json!({ "observedGeneration": -1 }));
    }

    #[test]
    fn an_empty_spec_means_an_enabled_group_with_ipv6_that_is_managed_and_deleted_with_its_object() {
        let spec: ConnectionGroupSpec = serde_json::from_str("{}").unwrap();
        assert_eq!(spec, ConnectionGroupSpec::default());
        assert!(spec.enabled && spec.ipv6_enabled && !spec.suspend && !spec.deletion_protection);
        assert_eq!(
            (spec.mode, spec.adoption_policy, spec.deletion_policy),
            (Mode::Manage, AdoptionPolicy::Never, DeletionPolicy::Delete)
        );
    }
}
