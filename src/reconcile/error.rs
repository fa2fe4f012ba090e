//! Why a reconcile failed, and how that is handled: one row for each class of error. Pure, except for [`explain`], which may read an Anycast list.

use super::{
    backoff::Backoff,
    ownership::is_reserved,
    plan::{Blocker, Change},
};
use crate::{
    api::{ConditionReason, Standing},
    cloudfront::{AddressFamily, AnycastIpListId, ApiError, Arn, CloudFront, Config, ErrorClass, Group, Tags},
};

/// A failed call to CloudFront that ended the reconcile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct ReconcileError {
    /// The call that failed.
    #[source]
    pub error: ApiError,
    /// What is known about the failure beyond its class.
    pub cause: Cause,
    /// The ARN of the group that was about to be changed, as just read.
    pub arn: Option<Arn>,
    /// That group, if it is ours.
    pub read: Option<Group>,
    /// Whether the failed call may have enabled or disabled the group.
    pub may_have_switched: bool,
    /// The Anycast list that the failed call may have attached.
    pub may_have_attached: Option<AnycastIpListId>,
    /// If the call was meant to re-enable a group that is being deleted: the reason.
    pub enables_because_of: Option<Blocker>,
}

/// What is known about a failure beyond the class of its error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nothing.
    Unexplained,
    /// It is unknown whether the call set these tags.
    MayHaveTagged(Tags),
    /// The Anycast list does not exist.
    AnycastIpListNotFound(AnycastIpListId),
    /// The Anycast list is IPv4-only, and IPv6 was asked for.
    Ipv4OnlyList(AnycastIpListId),
}

/// How an error is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorPolicy {
    /// Reason of the condition.
    pub reason: ConditionReason,
    /// Whether a person has to act.
    pub standing: Standing,
    /// How fast it is retried.
    pub backoff: Backoff,
}

impl From<ApiError> for ReconcileError {
    fn from(error: ApiError) -> Self {
        Self {
            error,
            cause: Cause::Unexplained,
            arn: None,
            read: None,
            may_have_switched: false,
            may_have_attached: None,
            enables_because_of: None,
        }
    }
}

impl ReconcileError {
    /// The error, if nothing is known about it beyond its class.
    #[must_use]
    pub fn unexplained(&self) -> Option<&ApiError> {
        (self.cause == Cause::Unexplained).then_some(&self.error)
    }

    /// How the error is handled.
    #[must_use]
    pub fn policy(&self) -> ErrorPolicy {
        let (reason, standing, backoff) = match (&self.cause, self.error.class) {
            (Cause::AnycastIpListNotFound(_), _) => {
                (ConditionReason::AnycastIpListNotFound, Standing::Reconciling, Backoff::Slow)
            }
            (Cause::Ipv4OnlyList(_), _) | (_, ErrorClass::InvalidArgument) => {
                (ConditionReason::InvalidArgument, Standing::Stalled, Backoff::Slow)
            }
            (_, ErrorClass::Throttled) => (ConditionReason::Throttled, Standing::Reconciling, Backoff::Soon),
            (_, ErrorClass::ServiceUnavailable) if bug!(OutageIsStalled) => {
                (ConditionReason::ServiceUnavailable, Standing::Stalled, Backoff::Slow)
            }
            (_, ErrorClass::ServiceUnavailable | ErrorClass::TimedOut | ErrorClass::Unreachable) => {
                (ConditionReason::ServiceUnavailable, Standing::Reconciling, Backoff::Quick)
            }
            (_, ErrorClass::Credentials) => {
                (ConditionReason::CredentialsUnavailable, Standing::Reconciling, Backoff::Quick)
            }
            (_, ErrorClass::AccessDenied) => (ConditionReason::AccessDenied, Standing::Reconciling, Backoff::Slow),
            (_, ErrorClass::AlreadyExists) => (ConditionReason::AlreadyExists, Standing::Reconciling, Backoff::Quick),
            // An outdated ETag gets here only after all attempts: the reconcile itself reads again first (`TRIES` in reconcile/mod.rs).
            (_, ErrorClass::NotFound | ErrorClass::StaleEtag | ErrorClass::NotDisabled) => {
                (ConditionReason::Conflict, Standing::Reconciling, Backoff::Quick)
            }
            (_, ErrorClass::LimitExceeded) => (ConditionReason::QuotaExceeded, Standing::Reconciling, Backoff::Slow),
            (_, ErrorClass::InUse) => (ConditionReason::InUse, Standing::Reconciling, Backoff::Slow),
            // The group is off for its deletion, so the traffic of its tenants is down.
            (_, ErrorClass::HasTenants) => (ConditionReason::InUse, Standing::Reconciling, Backoff::Quick),
            (_, ErrorClass::Unexpected) => (ConditionReason::UnexpectedResponse, Standing::Reconciling, Backoff::Quick),
        };
        ErrorPolicy { reason, standing, backoff }
    }

    /// Adds what follows from the change that the call was to make.
    #[must_use]
    pub fn of(self, change: &Change) -> Self {
        let may_have_switched = change.switches() && self.error.class.leaves_doubt();
        let may_have_attached = change.attaches().filter(|_| self.error.class.leaves_doubt()).cloned();
        Self {
            arn: change.group().map(|group| group.arn.clone()),
            read: change.group_of_ours().cloned(),
            may_have_switched,
            may_have_attached,
            enables_because_of: change.enables_because_of(),
            ..self
        }
    }

    /// Adds the tags that the call was to set: unless it was refused, they may be set.
    #[must_use]
    pub fn with_tags(self, tags: &Tags) -> Self {
        let is_refusal = self.error.class == ErrorClass::Unexpected && bug!(UnreadableAnswerIsARefusal);
        let in_doubt = self.error.class.leaves_doubt() && !is_refusal && !bug!(DoubtfulTagsAreForgotten);
        if self.cause != Cause::Unexplained || !in_doubt {
            return self;
        }
        let own = tags.iter().filter(|(key, _)| !is_reserved(key));
        Self { cause: Cause::MayHaveTagged(own.map(|(key, value)| (key.clone(), value.clone())).collect()), ..self }
    }
}

/// Determines why a Create was refused if the error code alone is not enough: an unknown Anycast list, or an IPv4-only list together with IPv6.
pub async fn explain<C: CloudFront>(error: ApiError, wanted: &Config, port: &C) -> ReconcileError {
    let cause = match (error.class, &wanted.anycast_ip_list_id) {
        (ErrorClass::NotFound, Some(list)) => match port.anycast_ip_list(list).await {
            // A Create refers to nothing else that could be missing.
            Ok(None) | Err(_) => Cause::AnycastIpListNotFound(list.clone()),
            Ok(Some(_)) => Cause::Unexplained,
        },
        (ErrorClass::InvalidArgument, Some(list)) if wanted.ipv6_enabled => match port.anycast_ip_list(list).await {
            Ok(Some(AddressFamily::Ipv4Only)) => Cause::Ipv4OnlyList(list.clone()),
            Ok(None) => Cause::AnycastIpListNotFound(list.clone()),
            Ok(Some(AddressFamily::Other)) | Err(_) => Cause::Unexplained,
        },
        _ => Cause::Unexplained,
    };
    ReconcileError { cause, ..error.into() }
}
