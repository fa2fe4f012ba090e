//! Conditions of the objects, how long they have held, and deletions. In: the objects from the cache. Does no I/O.
//!
//! Labels name states, not objects, so that the number of series does not grow with the number of objects; `--metrics-per-object` adds the names.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use prometheus::{Gauge, GaugeVec, HistogramVec, IntCounterVec, Registry};

use super::family::{counter, gauge, gauges, histogram};
use crate::api::{ConnectionGroup, condition};

/// A deletion takes minutes, or hours if tenants block it.
const DELETION_SECONDS: [f64; 12] =
    [1.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21_600.0, 86_400.0];

/// Conditions and deletions.
pub struct Objects {
    count: GaugeVec,
    seconds: GaugeVec,
    per_object: Option<GaugeVec>,
    transitions: IntCounterVec,
    terminating: Gauge,
    terminated: HistogramVec,
}

/// Type, status and reason of a condition.
type State<'a> = [&'a str; 3];

impl Objects {
    pub fn new(registry: &Registry, per_object: bool) -> Self {
        let state = ["type", "status", "reason"];
        let named = ["namespace", "name", "type", "status", "reason"];
        let objects = Self {
            count: gauges(
                registry,
                "connection_group_operator_status_conditions",
                "ConnectionGroup objects in each state; an object that was not reconciled yet is Ready Unknown.",
                &state,
            ),
            seconds: gauges(
                registry,
                "connection_group_operator_status_condition_current_status_seconds",
                "How long the object that has been in a state for longest has been in it; without those that are suspended or being deleted.",
                &state,
            ),
            per_object: per_object.then(|| {
                gauges(
                    registry,
                    "connection_group_operator_status_condition_object_seconds",
                    "How long each object has been in its states; only with --metrics-per-object.",
                    &named,
                )
            }),
            transitions: counter(
                registry,
                "connection_group_operator_status_condition_transitions_total",
                "Changes of the status of a condition, by what it became.",
                &state,
            ),
            terminating: gauge(
                registry,
                "connection_group_operator_termination_current_seconds",
                "How long the object that has been terminating for longest has been so; 0 if none is.",
            ),
            terminated: histogram(
                registry,
                "connection_group_operator_termination_duration_seconds",
                "Time from the deletion of objects to the removal of the finalizer.",
                &[],
                &DELETION_SECONDS,
            ),
        };
        objects.terminated.with_label_values::<&str>(&[]);
        objects
    }

    /// A status was stored; `previous` are the conditions before.
    pub fn stored(&self, previous: &[Condition], next: &[Condition]) {
        for new in next {
            if condition(previous, &new.type_).is_none_or(|old| old.status != new.status) {
                self.transitions.with_label_values(&state(new)).inc();
            }
        }
    }

    /// An object that was being deleted is released.
    pub fn released(&self, object: &ConnectionGroup, now: Timestamp) {
        if let Some(deleted) = &object.metadata.deletion_timestamp {
            self.terminated.with_label_values::<&str>(&[]).observe(since(deleted.0, now));
        }
    }

    /// Updates the gauges.
    pub fn measure(&self, objects: &[Arc<ConnectionGroup>], now: Timestamp) {
        let mut found = BTreeMap::<State<'_>, (f64, f64)>::new();
        self.forget();
        for object in objects {
            let created = object.metadata.creation_timestamp.as_ref().map_or(now, |created| created.0);
            let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
            let unseen = conditions.is_empty().then_some((["Ready", "Unknown", ""], created));
            let seen = conditions.iter().map(|condition| (state(condition), condition.last_transition_time.0));
            let going = object.metadata.deletion_timestamp.is_some();
            for (state, began) in unseen.into_iter().chain(seen) {
                let lasts = since(began, now);
                let (count, longest) = found.entry(state).or_default();
                *count += 1.0;
                // Nothing is expected of a suspended object, and a deletion has its own metric.
                if !object.spec.suspend && !going {
                    *longest = longest.max(lasts);
                }
                if let Some(per_object) = &self.per_object {
                    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
                    let [type_, status, reason] = state;
                    per_object.with_label_values(&[namespace.as_str(), &name, type_, status, reason]).set(lasts);
                }
            }
        }
        for (state, (count, longest)) in found {
            self.count.with_label_values(&state).set(count);
            self.seconds.with_label_values(&state).set(longest);
        }
        let deletions = objects.iter().filter_map(|object| object.metadata.deletion_timestamp.as_ref());
        self.terminating.set(deletions.map(|deleted| since(deleted.0, now)).fold(0.0, f64::max));
    }

    /// Resets the gauges: states that no object is in any longer must go, and on a standby all of them.
    pub fn forget(&self) {
        self.count.reset();
        self.seconds.reset();
        if let Some(per_object) = &self.per_object {
            per_object.reset();
        }
        self.terminating.set(0.0);
    }
}

fn state(condition: &Condition) -> State<'_> {
    [&condition.type_, &condition.status, &condition.reason]
}

/// Zero at least: clocks of other machines may be ahead of ours.
fn since(began: Timestamp, now: Timestamp) -> f64 {
    Duration::try_from(now.duration_since(began)).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;
    use crate::{
        api::{ConditionReason, ConnectionGroupSpec, ConnectionGroupStatus, Standing, set_standing},
        controller::metrics::testing::text_of,
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn conditions(standing: Standing, reason: ConditionReason, since: i64) -> Vec<Condition> {
        set_standing(&[], (standing, reason, "m"), None, 1, at(since))
    }

    fn object(name: &str, conditions: Vec<Condition>) -> Arc<ConnectionGroup> {
        let mut object = ConnectionGroup::new(name, ConnectionGroupSpec::default());
        object.metadata.namespace = Some("default".into());
        object.metadata.creation_timestamp = Some(Time(at(0)));
        object.status = Some(ConnectionGroupStatus { conditions, ..ConnectionGroupStatus::UNSEEN });
        Arc::new(object)
    }

    #[test]
    fn objects_are_counted_by_state_with_the_longest_time_in_it() {
        let deployed = |name, since| object(name, conditions(Standing::Ready, ConditionReason::Deployed, since));
        let objects = [deployed("a", 70), deployed("b", 90), object("new", Vec::new())];
        let text = text_of(|registry| Objects::new(registry, false).measure(&objects, at(100)));
        for (metric, labels, value) in [
            ("status_conditions", r#"reason="Deployed",status="True",type="Ready""#, 2),
            ("status_condition_current_status_seconds", r#"reason="Deployed",status="True",type="Ready""#, 30),
            ("status_conditions", r#"reason="",status="Unknown",type="Ready""#, 1),
            ("status_condition_current_status_seconds", r#"reason="",status="Unknown",type="Ready""#, 100),
        ] {
            let line = format!("connection_group_operator_{metric}{{{labels}}} {value}\n");
            assert!(text.contains(&line), "{line}{text}");
        }
        assert!(!text.contains("name="), "no label names an object: {text}");
    }

    #[test]
    fn what_is_suspended_or_being_deleted_is_counted_and_not_timed() {
        let deploying = object("edge", conditions(Standing::Reconciling, ConditionReason::Deploying, 1));
        let (mut suspended, mut going) = ((*deploying).clone(), (*deploying).clone());
        suspended.spec.suspend = true;
        going.metadata.deletion_timestamp = Some(Time(at(40)));
        let objects = [Arc::new(suspended), Arc::new(going)];
        let text = text_of(|registry| Objects::new(registry, false).measure(&objects, at(100)));
        let labels = r#"reason="Deploying",status="False",type="Ready""#;
        assert!(text.contains(&format!("status_conditions{{{labels}}} 2\n")), "{text}");
        assert!(text.contains(&format!("current_status_seconds{{{labels}}} 0\n")), "{text}");
    }

    #[test]
    fn names_are_shown_to_those_who_ask_for_them() {
        let stalled = [object("edge", conditions(Standing::Stalled, ConditionReason::NotOwned, 40))];
        let text = text_of(|registry| Objects::new(registry, true).measure(&stalled, at(100)));
        let line = r#"status_condition_object_seconds{name="edge",namespace="default",reason="NotOwned",status="True",type="Stalled"} 60"#;
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn a_state_that_no_object_is_in_any_more_is_gone() {
        let stalled = [object("edge", conditions(Standing::Stalled, ConditionReason::NotOwned, 40))];
        let text = text_of(|registry| {
            let objects = Objects::new(registry, true);
            objects.measure(&stalled, at(100));
            objects.measure(&[], at(101));
        });
        assert!(!text.contains("NotOwned"), "{text}");
    }

    #[test]
    fn a_transition_is_a_change_of_status_and_not_of_reason() {
        let deploying = conditions(Standing::Reconciling, ConditionReason::Deploying, 1);
        let throttled = conditions(Standing::Reconciling, ConditionReason::Throttled, 2);
        let deployed = conditions(Standing::Ready, ConditionReason::Deployed, 3);
        let text = text_of(|registry| {
            let objects = Objects::new(registry, false);
            for (previous, next) in [(&Vec::new(), &deploying), (&deploying, &throttled), (&throttled, &deployed)] {
                objects.stored(previous, next);
            }
        });
        let lines = text.lines().filter(|line| line.starts_with("connection_group_operator_status_condition_tran"));
        let told = lines.map(|line| line.split('{').nth(1).unwrap()).collect::<Vec<_>>();
        let expected = [
            r#"reason="Deployed",status="True",type="Ready"} 1"#,
            r#"reason="Deploying",status="False",type="Ready"} 1"#,
            r#"reason="Deploying",status="True",type="Reconciling"} 1"#,
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_deletion_is_timed_while_it_lasts_and_when_it_ends() {
        let mut going = (*object("edge", Vec::new())).clone();
        going.metadata.deletion_timestamp = Some(Time(at(40)));
        let text = text_of(|registry| {
            let objects = Objects::new(registry, false);
            objects.released(&going, at(90));
            objects.measure(&[Arc::new(going)], at(100));
        });
        assert!(text.contains("connection_group_operator_termination_current_seconds 60\n"), "{text}");
        assert!(text.contains("connection_group_operator_termination_duration_seconds_sum 50\n"), "{text}");
    }
}
