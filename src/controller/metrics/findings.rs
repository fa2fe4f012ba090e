//! What reconciles did and found: events by reason, and drift by field. Does no I/O.

use prometheus::{IntCounterVec, Registry};

use super::family::counter;
use crate::{
    api::{Drift, Member},
    reconcile::Event,
};

/// All tags count as one field, because their keys are unbounded.
const TAGS: &str = "tags";

/// Counts findings.
pub struct Findings {
    events: IntCounterVec,
    drift: IntCounterVec,
    refused: IntCounterVec,
}

impl Findings {
    pub fn new(registry: &Registry) -> Self {
        let findings = Self {
            events: counter(
                registry,
                "connection_group_operator_events_total",
                "What the operator did or found, by reason.",
                &["reason"],
            ),
            drift: counter(
                registry,
                "connection_group_operator_drift_detected_total",
                "Changes to groups that others made, by field; in mode Observe, new differences from the spec; `group` is the deletion of the group itself.",
                &["field"],
            ),
            refused: counter(
                registry,
                "connection_group_operator_members_refused_total",
                "Updates of one member of a group's configuration that CloudFront refused, by member.",
                &["member"],
            ),
        };
        for member in Member::ALL {
            findings.refused.with_label_values(&[member.as_str()]);
            findings.drift.with_label_values(&[member.as_str()]);
        }
        for field in [TAGS, "group"] {
            findings.drift.with_label_values(&[field]);
        }
        findings
    }

    /// A reconcile had something to report.
    pub fn reported(&self, events: &[Event], drift: &[Drift], refused: Option<Member>) {
        if let Some(member) = refused {
            self.refused.with_label_values(&[member.as_str()]).inc();
        }
        for event in events {
            self.events.with_label_values(&[event.reason.as_str()]).inc();
        }
        for Drift { field, .. } in drift {
            let field = if field.starts_with("tags[") { TAGS } else { field };
            self.drift.with_label_values(&[field]).inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::EventReason, controller::metrics::testing::text_of, reconcile::Severity};

    #[test]
    fn findings_are_counted_and_a_tag_is_not_named() {
        let event =
            Event { severity: Severity::Normal, reason: EventReason::Created, action: "Create", note: String::new() };
        let drift = ["enabled", "tags[team]", "tags[stage]"].map(|field| Drift {
            field: field.into(),
            desired: String::new(),
            observed: String::new(),
        });
        let text = text_of(|registry| Findings::new(registry).reported(&[event], &drift, Some(Member::Ipv6Enabled)));
        for line in [
            r#"events_total{reason="Created"} 1"#,
            r#"drift_detected_total{field="enabled"} 1"#,
            r#"drift_detected_total{field="tags"} 2"#,
            r#"drift_detected_total{field="group"} 0"#,
            r#"members_refused_total{member="ipv6Enabled"} 1"#,
            r#"members_refused_total{member="enabled"} 0"#,
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }
}
