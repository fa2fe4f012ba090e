//! Condition types and the rules of kstatus. Pure.
//!
//! `Ready` is always there; `Reconciling` and `Stalled` only while true and never both (Kubernetes API conventions, kstatus).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::ConditionReason;

const READY: &str = "Ready";
const RECONCILING: &str = "Reconciling";
const STALLED: &str = "Stalled";
const DRIFTED: &str = "Drifted";
const SCHEMA_OUTDATED: &str = "SchemaOutdated";

/// Where an object stands, in kstatus' terms. One of three, so that `Reconciling` and `Stalled` cannot both be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Nothing to do: kstatus Current.
    Ready,
    /// On its way, or will be tried again: kstatus `InProgress`.
    Reconciling,
    /// A person has to act: kstatus Failed.
    Stalled,
}

/// The condition of that type, if present.
#[must_use]
pub fn condition<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether the condition of that type is present and true.
#[must_use]
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    condition(conditions, type_).is_some_and(|condition| condition.status == "True")
}

/// The conditions that say where an object stands; `lastTransitionTime` is kept where a condition's status did not change.
///
/// `drift` is the text of the `Drifted` condition, which is there only while the group differs in mode Observe.
#[must_use]
pub fn set_standing(
    previous: &[Condition],
    (standing, reason, message): (Standing, ConditionReason, &str),
    drift: Option<&str>,
    generation: i64,
    now: Timestamp,
) -> Vec<Condition> {
    let build = |type_: &str, status: &str, reason: ConditionReason, message: &str| {
        let unchanged = condition(previous, type_).filter(|old| old.status == status && !bug!(EachWriteIsATransition));
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: reason.as_str().to_owned(),
            message: message.to_owned(),
            observed_generation: Some(generation),
            last_transition_time: unchanged.map_or(Time(now), |old| old.last_transition_time.clone()),
        }
    };
    let mut conditions = match standing {
        Standing::Ready => vec![build(READY, "True", reason, message)],
        Standing::Reconciling => {
            vec![build(READY, "False", reason, message), build(RECONCILING, "True", reason, message)]
        }
        Standing::Stalled => {
            vec![build(READY, "False", reason, message), build(STALLED, "True", reason, message)]
        }
    };
    conditions.extend(drift.map(|text| build(DRIFTED, "True", ConditionReason::Drifted, text)));
    conditions
}

/// Changes the message of the conditions that say where an object stands. What other conditions say stays true.
pub fn set_message(conditions: &mut [Condition], message: &str) {
    let says_standing = |condition: &&mut Condition| [READY, RECONCILING, STALLED].contains(&condition.type_.as_str());
    conditions.iter_mut().filter(says_standing).for_each(|condition| message.clone_into(&mut condition.message));
}

/// Adds the condition that says that the API server does not store all of status; `previous` are the conditions before.
pub fn add_schema_outdated(
    conditions: &mut Vec<Condition>,
    previous: &[Condition],
    message: String,
    generation: i64,
    now: Timestamp,
) {
    conditions.push(Condition {
        type_: SCHEMA_OUTDATED.to_owned(),
        status: "True".to_owned(),
        reason: ConditionReason::SchemaOutdated.as_str().to_owned(),
        message,
        observed_generation: Some(generation),
        last_transition_time: condition(previous, SCHEMA_OUTDATED)
            .map_or(Time(now), |old| old.last_transition_time.clone()),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn types(conditions: &[Condition]) -> Vec<(&str, &str)> {
        conditions.iter().map(|c| (c.type_.as_str(), c.status.as_str())).collect()
    }

    #[test]
    fn reconciling_and_stalled_are_present_only_while_true_and_never_both() {
        let standing = |standing| set_standing(&[], (standing, ConditionReason::Deploying, "m"), None, 1, at(0));
        assert_eq!(types(&standing(Standing::Ready)), [("Ready", "True")]);
        assert_eq!(types(&standing(Standing::Reconciling)), [("Ready", "False"), ("Reconciling", "True")]);
        assert_eq!(types(&standing(Standing::Stalled)), [("Ready", "False"), ("Stalled", "True")]);
    }

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        let first = set_standing(&[], (Standing::Reconciling, ConditionReason::Deploying, "a"), None, 1, at(10));
        let second = set_standing(&first, (Standing::Stalled, ConditionReason::NotOwned, "b"), None, 2, at(20));
        let third = set_standing(&second, (Standing::Ready, ConditionReason::Deployed, "c"), None, 2, at(30));
        assert_eq!(second[0].last_transition_time, Time(at(10)), "Ready stayed False");
        assert_eq!(second[1].last_transition_time, Time(at(20)), "Stalled is new");
        assert_eq!(third[0].last_transition_time, Time(at(30)), "Ready turned True");
        assert_eq!(third[0].observed_generation, Some(2));
    }

    #[test]
    fn a_new_message_about_the_standing_leaves_the_other_conditions_alone() {
        let ready = (Standing::Ready, ConditionReason::Deployed, "m");
        let mut conditions = set_standing(&[], ready, Some("enabled"), 1, at(0));
        set_message(&mut conditions, "suspended");
        let messages = conditions.iter().map(|it| (it.type_.as_str(), it.message.as_str())).collect::<Vec<_>>();
        assert_eq!(messages, [("Ready", "suspended"), ("Drifted", "enabled")]);
    }

    #[test]
    fn drifted_is_present_only_while_the_group_differs() {
        let drifted = set_standing(&[], (Standing::Ready, ConditionReason::Deployed, "m"), Some("enabled"), 1, at(0));
        assert!(is_true(&drifted, "Drifted"));
        let in_sync = set_standing(&drifted, (Standing::Ready, ConditionReason::Deployed, "m"), None, 1, at(0));
        assert!(condition(&in_sync, "Drifted").is_none());
    }
}
