//! Condition types, the one list of reasons, and the rules of kstatus. Pure.
//!
//! `Ready` is always there; `Reconciling` and `Stalled` only while true and never both (Kubernetes API conventions, kstatus).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

const READY: &str = "Ready";
const RECONCILING: &str = "Reconciling";
const STALLED: &str = "Stalled";
const DRIFTED: &str = "Drifted";
const SCHEMA_OUTDATED: &str = "SchemaOutdated";

/// Why an object is in its state. `as_str()` is the condition's reason, the event's reason and the metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// CloudFront is still rolling the configuration out.
    Deploying,
    /// Rolled out and equal to the spec.
    Deployed,
    /// Rolled out, equal to the spec, and disabled because the spec says so.
    Disabled,
    /// CloudFront asked us to slow down.
    Throttled,
    /// CloudFront could not be reached, timed out or failed on its side.
    ServiceUnavailable,
    /// Somebody changed the group between our read and our write, or a read was stale.
    Conflict,
    /// IAM refused an action.
    AccessDenied,
    /// No usable AWS credentials were found, or they have expired.
    CredentialsUnavailable,
    /// An account quota is used up.
    QuotaExceeded,
    /// Distribution tenants still use the group.
    InUse,
    /// The Anycast static IP list does not exist.
    AnycastIpListNotFound,
    /// CloudFront refused a value.
    InvalidArgument,
    /// A part of the spec is carried out, and the next part follows at once.
    Updating,
    /// Another owner holds the name.
    NotOwned,
    /// The group is this object's in another installation with the same owner id.
    AnotherInstallation,
    /// An unowned group of that name exists and may not be taken over.
    AdoptionRefused,
    /// CloudFront kept the Anycast list attached although asked to detach it.
    AnycastDetachRejected,
    /// The name is that of the account's default group, which is never managed.
    DefaultGroup,
    /// CloudFront answered with something this version does not know.
    UnexpectedResponse,
    /// Somebody else keeps changing the group; what they changed last is put right after a pause.
    DriftFlapping,
    /// Mode Observe: no group of that name exists.
    GroupNotFound,
    /// Mode Observe: the group differs from the spec.
    Drifted,
    /// The `CustomResourceDefinition` is older than the operator.
    SchemaOutdated,
    /// The group is being disabled so that it can be deleted.
    Disabling,
    /// The group is being deleted, or its absence is being confirmed.
    Deleting,
    /// `spec.suspend` is true.
    Suspended,
    /// `spec.deletionProtection` is true.
    DeletionProtected,
    /// Event: the group was created.
    Created,
    /// Event: the group's configuration was changed.
    Updated,
    /// Event: CloudFront refused a member of the spec; the others are carried out.
    MemberRefused,
    /// Event: an Anycast list is attached that is not on record as attached by this object; it stays.
    AnycastListKept,
    /// Event: a deletion cannot go on, so its group was enabled again.
    EnabledAgain,
    /// CloudFront says that a group on record does not exist; a second proof is awaited.
    ConfirmingAbsence,
    /// Event: the group's tags were changed.
    Tagged,
    /// An unowned group is taken over once a second look shows no owner either.
    Adopting,
    /// Event: an unowned group was taken over.
    Adopted,
    /// Event: a group of another installation was taken over, as the administrator decided.
    TakenOver,
    /// Event: the object carries the finalizer of another installation, which alone acts on it.
    ForeignFinalizer,
    /// Event: the group had been deleted by somebody else.
    DeletedOutside,
    /// Event: somebody else's change was put right.
    DriftCorrected,
    /// Event: the group was disabled although tenants use it, because the spec says so.
    DisabledWithTenants,
    /// Event: the answer to an update no longer shows an element of the group that the operator does not manage.
    ElementLost,
    /// Event: on the operator's Pod; a group carries our owner tag, and the object that the tag names is gone, or names another group.
    Orphaned,
    /// Event: the group was let go and left as it is.
    Released,
    /// Event: the group is gone.
    Deleted,
}

impl Reason {
    /// The reason in the `CamelCase` that Kubernetes uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deploying => "Deploying",
            Self::Deployed => "Deployed",
            Self::Disabled => "Disabled",
            Self::Throttled => "Throttled",
            Self::ServiceUnavailable => "ServiceUnavailable",
            Self::Conflict => "Conflict",
            Self::AccessDenied => "AccessDenied",
            Self::CredentialsUnavailable => "CredentialsUnavailable",
            Self::QuotaExceeded => "QuotaExceeded",
            Self::InUse => "InUse",
            Self::AnycastIpListNotFound => "AnycastIpListNotFound",
            Self::InvalidArgument => "InvalidArgument",
            Self::Updating => "Updating",
            Self::NotOwned => "NotOwned",
            Self::AnotherInstallation => "AnotherInstallation",
            Self::AdoptionRefused => "AdoptionRefused",
            Self::AnycastDetachRejected => "AnycastDetachRejected",
            Self::DefaultGroup => "DefaultGroup",
            Self::UnexpectedResponse => "UnexpectedResponse",
            Self::DriftFlapping => "DriftFlapping",
            Self::GroupNotFound => "GroupNotFound",
            Self::Drifted => "Drifted",
            Self::SchemaOutdated => "SchemaOutdated",
            Self::Disabling => "Disabling",
            Self::Deleting => "Deleting",
            Self::Suspended => "Suspended",
            Self::DeletionProtected => "DeletionProtected",
            Self::Created => "Created",
            Self::Updated => "Updated",
            Self::MemberRefused => "MemberRefused",
            Self::AnycastListKept => "AnycastListKept",
            Self::EnabledAgain => "EnabledAgain",
            Self::ConfirmingAbsence => "ConfirmingAbsence",
            Self::Tagged => "Tagged",
            Self::Adopting => "Adopting",
            Self::Adopted => "Adopted",
            Self::TakenOver => "TakenOver",
            Self::ForeignFinalizer => "ForeignFinalizer",
            Self::DeletedOutside => "DeletedOutside",
            Self::DriftCorrected => "DriftCorrected",
            Self::DisabledWithTenants => "DisabledWithTenants",
            Self::ElementLost => "ElementLost",
            Self::Orphaned => "Orphaned",
            Self::Released => "Released",
            Self::Deleted => "Deleted",
        }
    }
}

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
    (standing, reason, message): (Standing, Reason, &str),
    drift: Option<&str>,
    generation: i64,
    now: Timestamp,
) -> Vec<Condition> {
    let build = |type_: &str, status: &str, reason: Reason, message: &str| {
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
    conditions.extend(drift.map(|text| build(DRIFTED, "True", Reason::Drifted, text)));
    conditions
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
        reason: Reason::SchemaOutdated.as_str().to_owned(),
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
        let standing = |standing| set_standing(&[], (standing, Reason::Deploying, "m"), None, 1, at(0));
        assert_eq!(types(&standing(Standing::Ready)), [("Ready", "True")]);
        assert_eq!(types(&standing(Standing::Reconciling)), [("Ready", "False"), ("Reconciling", "True")]);
        assert_eq!(types(&standing(Standing::Stalled)), [("Ready", "False"), ("Stalled", "True")]);
    }

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        let first = set_standing(&[], (Standing::Reconciling, Reason::Deploying, "a"), None, 1, at(10));
        let second = set_standing(&first, (Standing::Stalled, Reason::NotOwned, "b"), None, 2, at(20));
        let third = set_standing(&second, (Standing::Ready, Reason::Deployed, "c"), None, 2, at(30));
        assert_eq!(second[0].last_transition_time, Time(at(10)), "Ready stayed False");
        assert_eq!(second[1].last_transition_time, Time(at(20)), "Stalled is new");
        assert_eq!(third[0].last_transition_time, Time(at(30)), "Ready turned True");
        assert_eq!(third[0].observed_generation, Some(2));
    }

    #[test]
    fn drifted_is_present_only_while_the_group_differs() {
        let drifted = set_standing(&[], (Standing::Ready, Reason::Deployed, "m"), Some("enabled"), 1, at(0));
        assert!(is_true(&drifted, "Drifted"));
        let settled = set_standing(&drifted, (Standing::Ready, Reason::Deployed, "m"), None, 1, at(0));
        assert!(condition(&settled, "Drifted").is_none());
    }
}
