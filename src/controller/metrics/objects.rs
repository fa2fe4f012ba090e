//! Conditions of the objects, how long they have held, deletions, and whether the objects can be read. In: the objects from the cache. Does no I/O.
//!
//! Labels name states, not objects, so that the number of series does not grow with the number of objects; `--metrics-per-object` adds the names.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use prometheus::{GaugeVec, HistogramVec, IntCounterVec, Registry};

use super::family::{counter, gauge, histogram};
use crate::{
    api::{ConnectionGroup, condition},
    controller::scope::Blind,
};

/// A deletion takes minutes, or hours if tenants block it.
const DELETION_SECONDS: [f64; 12] =
    [1.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21_600.0, 86_400.0];

const STATE: [&str; 3] = ["type", "status", "reason"];

/// Counts changes of conditions, and times deletions.
pub struct Changes {
    transitions: IntCounterVec,
    terminated: HistogramVec,
}

impl Changes {
    pub fn new(registry: &Registry) -> Self {
        let changes = Self {
            transitions: counter(
                registry,
                "connection_group_operator_status_condition_transitions_total",
                "Changes of the status of a condition, by what it became.",
                &STATE,
            ),
            terminated: histogram(
                registry,
                "connection_group_operator_termination_duration_seconds",
                "Time from the deletion of objects to the removal of the finalizer.",
                &[],
                &DELETION_SECONDS,
            ),
        };
        changes.terminated.with_label_values::<&str>(&[]);
        changes
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
}

/// The gauges of the objects; a standby has none.
pub fn gauges(objects: &[Arc<ConnectionGroup>], per_object: bool, now: Timestamp) -> Vec<GaugeVec> {
    let count = gauge(
        "connection_group_operator_status_conditions",
        "ConnectionGroup objects in each state; an object that was not reconciled yet is Ready Unknown.",
        STATE,
        [],
    );
    let seconds = gauge(
        "connection_group_operator_status_condition_current_status_seconds",
        "Longest time that any object has been in this state, not counting objects that are suspended or being deleted.",
        STATE,
        [],
    );
    let named = gauge(
        "connection_group_operator_status_condition_object_seconds",
        "How long each object has been in its states; only with --metrics-per-object.",
        ["namespace", "name", "type", "status", "reason"],
        [],
    );
    for object in objects {
        let created = object.metadata.creation_timestamp.as_ref().map_or(now, |created| created.0);
        let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        let unseen = conditions.is_empty().then_some((["Ready", "Unknown", ""], created));
        let seen = conditions.iter().map(|condition| (state(condition), condition.last_transition_time.0));
        let going = object.metadata.deletion_timestamp.is_some();
        for (state, began) in unseen.into_iter().chain(seen) {
            let lasts = since(began, now);
            count.with_label_values(&state).inc();
            let longest = seconds.with_label_values(&state);
            // Nothing is expected of a suspended object, and a deletion has its own metric.
            if !object.spec.suspend && !going {
                longest.set(longest.get().max(lasts));
            }
            if per_object {
                let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
                let [type_, status, reason] = state;
                named.with_label_values(&[namespace.as_str(), &name, type_, status, reason]).set(lasts);
            }
        }
    }
    let deletions = objects.iter().filter_map(|object| object.metadata.deletion_timestamp.as_ref());
    let terminating = gauge(
        "connection_group_operator_termination_current_seconds",
        "Longest time that any object has been terminating; 0 if there is none.",
        [],
        [([], deletions.map(|deleted| since(deleted.0, now)).fold(0.0, f64::max))],
    );
    vec![count, seconds, named, terminating]
}

/// Whether the objects of each scope can be read.
pub fn readable(views: &[(String, Option<Blind>)]) -> GaugeVec {
    gauge(
        "connection_group_operator_scope_readable",
        "Whether the objects of a watched namespace can be read; `*` is all namespaces. While they cannot, nothing is changed for them.",
        ["namespace"],
        views.iter().map(|(scope, blind)| ([scope.as_str()], if blind.is_none() { 1.0 } else { 0.0 })),
    )
}

/// Type, status and reason of a condition.
fn state(condition: &Condition) -> [&str; 3] {
    [&condition.type_, &condition.status, &condition.reason]
}

/// Zero at least: clocks of other machines may be ahead of ours.
fn since(began: Timestamp, now: Timestamp) -> f64 {
    Duration::try_from(now.duration_since(began)).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use parking_lot::Mutex;

    use super::*;
    use crate::{
        api::{ConditionReason, ConnectionGroupSpec, ConnectionGroupStatus, Standing, set_standing},
        controller::metrics::{encode, family::computed, testing::text_of},
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

    /// What a scrape at second 100 shows.
    fn shown(objects: Vec<Arc<ConnectionGroup>>, per_object: bool) -> String {
        text_of(|registry| computed(registry, move || gauges(&objects, per_object, at(100))))
    }

    #[test]
    fn objects_are_counted_by_state_with_the_longest_time_in_it() {
        let deployed = |name, since| object(name, conditions(Standing::Ready, ConditionReason::Deployed, since));
        let text = shown(vec![deployed("a", 70), deployed("b", 90), object("new", Vec::new())], false);
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
    fn suspended_and_deleting_objects_are_counted_but_not_timed() {
        let deploying = object("edge", conditions(Standing::Reconciling, ConditionReason::Deploying, 1));
        let (mut suspended, mut going) = ((*deploying).clone(), (*deploying).clone());
        suspended.spec.suspend = true;
        going.metadata.deletion_timestamp = Some(Time(at(40)));
        let text = shown(vec![Arc::new(suspended), Arc::new(going)], false);
        let labels = r#"reason="Deploying",status="False",type="Ready""#;
        assert!(text.contains(&format!("status_conditions{{{labels}}} 2\n")), "{text}");
        assert!(text.contains(&format!("current_status_seconds{{{labels}}} 0\n")), "{text}");
    }

    #[test]
    fn names_are_shown_only_on_request() {
        let text = shown(vec![object("edge", conditions(Standing::Stalled, ConditionReason::NotOwned, 40))], true);
        let line = r#"status_condition_object_seconds{name="edge",namespace="default",reason="NotOwned",status="True",type="Stalled"} 60"#;
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn a_state_without_objects_disappears() {
        let stalled = object("edge", conditions(Standing::Stalled, ConditionReason::NotOwned, 40));
        let (objects, registry) = (Arc::new(Mutex::new(vec![stalled])), Registry::new());
        let cache = Arc::clone(&objects);
        computed(&registry, move || gauges(&cache.lock(), true, at(100)));
        assert!(encode(&registry).contains("NotOwned"));
        objects.lock().clear();
        let text = encode(&registry);
        assert!(!text.contains("NotOwned"), "{text}");
    }

    #[test]
    fn a_transition_is_a_change_of_status_and_not_of_reason() {
        let deploying = conditions(Standing::Reconciling, ConditionReason::Deploying, 1);
        let throttled = conditions(Standing::Reconciling, ConditionReason::Throttled, 2);
        let deployed = conditions(Standing::Ready, ConditionReason::Deployed, 3);
        let text = text_of(|registry| {
            let changes = Changes::new(registry);
            for (previous, next) in [(&Vec::new(), &deploying), (&deploying, &throttled), (&throttled, &deployed)] {
                changes.stored(previous, next);
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
            Changes::new(registry).released(&going, at(90));
            computed(registry, move || gauges(&[Arc::new(going.clone())], false, at(100)));
        });
        assert!(text.contains("connection_group_operator_termination_current_seconds 60\n"), "{text}");
        assert!(text.contains("connection_group_operator_termination_duration_seconds_sum 50\n"), "{text}");
    }
}
