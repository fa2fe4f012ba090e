//! Why a reconcile failed, and what follows from that: one row for each class of error. Pure, but for [`explain`], which may read an Anycast list.

use super::{backoff::Backoff, ownership::is_reserved, plan::Change};
use crate::{
    api::{Reason, Standing},
    cloudfront::{AddressFamily, AnycastIpListId, ApiError, Arn, CloudFront, Config, ErrorClass, Group, Tags},
};

/// A call to CloudFront failed, and ended the reconcile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct ReconcileError {
    /// The call that failed.
    #[source]
    pub error: ApiError,
    /// What is known of the failure beyond its class.
    pub cause: Cause,
    /// The ARN of the group that was about to be changed, as just read.
    pub arn: Option<Arn>,
    /// That group, if it is ours.
    pub read: Option<Group>,
    /// The Anycast list that may have been attached all the same.
    pub may_have_attached: Option<AnycastIpListId>,
    /// What a person can do besides.
    pub hint: Option<&'static str>,
}

/// What is known of a failure beyond the class of its error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nothing.
    Class,
    /// The call was to set these tags, and nothing tells whether it did.
    MayHaveTagged(Tags),
    /// The Anycast list does not exist.
    AnycastIpListNotFound(AnycastIpListId),
    /// The Anycast list is IPv4-only, and IPv6 was asked for.
    Ipv4OnlyList(AnycastIpListId),
}

/// What follows from an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorPolicy {
    /// Reason of the condition.
    pub reason: Reason,
    /// Whether it is retried without a person.
    pub standing: Standing,
    /// How fast it is retried.
    pub backoff: Backoff,
}

impl From<ApiError> for ReconcileError {
    fn from(error: ApiError) -> Self {
        Self { error, cause: Cause::Class, arn: None, read: None, may_have_attached: None, hint: None }
    }
}

impl ReconcileError {
    /// The error, if no more is known of it than its class.
    #[must_use]
    pub fn unexplained(&self) -> Option<&ApiError> {
        (self.cause == Cause::Class).then_some(&self.error)
    }

    /// What follows from it.
    #[must_use]
    pub fn policy(&self) -> ErrorPolicy {
        let (reason, standing, backoff) = match (&self.cause, self.error.class) {
            (Cause::AnycastIpListNotFound(_), _) => {
                (Reason::AnycastIpListNotFound, Standing::Reconciling, Backoff::Slow)
            }
            (Cause::Ipv4OnlyList(_), _) | (_, ErrorClass::InvalidArgument) => {
                (Reason::InvalidArgument, Standing::Stalled, Backoff::Slow)
            }
            (_, ErrorClass::Throttled) => (Reason::Throttled, Standing::Reconciling, Backoff::Soon),
            (_, ErrorClass::ServiceUnavailable) if bug!(OutageIsStalled) => {
                (Reason::ServiceUnavailable, Standing::Stalled, Backoff::Slow)
            }
            (_, ErrorClass::ServiceUnavailable | ErrorClass::TimedOut | ErrorClass::Unreachable) => {
                (Reason::ServiceUnavailable, Standing::Reconciling, Backoff::Quick)
            }
            (_, ErrorClass::Credentials) => (Reason::CredentialsUnavailable, Standing::Reconciling, Backoff::Quick),
            (_, ErrorClass::AccessDenied) => (Reason::AccessDenied, Standing::Reconciling, Backoff::Slow),
            (_, ErrorClass::NotFound | ErrorClass::AlreadyExists | ErrorClass::StaleEtag | ErrorClass::NotDisabled) => {
                (Reason::Conflict, Standing::Reconciling, Backoff::Quick)
            }
            (_, ErrorClass::LimitExceeded) => (Reason::QuotaExceeded, Standing::Reconciling, Backoff::Slow),
            (_, ErrorClass::InUse) => (Reason::InUse, Standing::Reconciling, Backoff::Slow),
            // The group is off for its deletion, and whoever uses it has no traffic.
            (_, ErrorClass::HasTenants) => (Reason::InUse, Standing::Reconciling, Backoff::Quick),
            (_, ErrorClass::Unexpected) => (Reason::UnexpectedResponse, Standing::Reconciling, Backoff::Quick),
        };
        ErrorPolicy { reason, standing, backoff }
    }

    /// The same, of the call that was to make this change.
    #[must_use]
    pub fn of(self, change: &Change) -> Self {
        let may_have_attached = change.attaches().filter(|_| self.error.class.leaves_doubt()).cloned();
        Self {
            arn: change.group().map(|group| group.arn.clone()),
            read: change.group_of_ours().cloned(),
            may_have_attached,
            hint: change.hint(),
            ..self
        }
    }

    /// The same, if the call was to set these tags: unless it was refused, they may be set.
    #[must_use]
    pub fn with_tags(self, tags: &Tags) -> Self {
        let is_refusal = self.error.class == ErrorClass::Unexpected && bug!(UnreadableAnswerIsARefusal);
        let in_doubt = self.error.class.leaves_doubt() && !is_refusal && !bug!(DoubtfulTagsAreForgotten);
        if self.cause != Cause::Class || !in_doubt {
            return self;
        }
        let own = tags.iter().filter(|(key, _)| !is_reserved(key));
        Self { cause: Cause::MayHaveTagged(own.map(|(key, value)| (key.clone(), value.clone())).collect()), ..self }
    }
}

/// Finds out what a refused Create was about, where the code alone does not tell: an unknown list, or an IPv4-only one together with IPv6.
pub async fn explain<C: CloudFront>(error: ApiError, wanted: &Config, port: &C) -> ReconcileError {
    let cause = match (error.class, &wanted.anycast_ip_list_id) {
        (ErrorClass::NotFound, Some(list)) => match port.anycast_ip_list(list).await {
            // A new group has nothing else that could be missing.
            Ok(None) | Err(_) => Cause::AnycastIpListNotFound(list.clone()),
            Ok(Some(_)) => Cause::Class,
        },
        (ErrorClass::InvalidArgument, Some(list)) if wanted.ipv6_enabled => match port.anycast_ip_list(list).await {
            Ok(Some(AddressFamily::Ipv4Only)) => Cause::Ipv4OnlyList(list.clone()),
            Ok(None) => Cause::AnycastIpListNotFound(list.clone()),
            Ok(Some(AddressFamily::Other)) | Err(_) => Cause::Class,
        },
        _ => Cause::Class,
    };
    ReconcileError { cause, ..error.into() }
}
