//! What a failed call means for the object. Pure, but for [`explain`], which may ask CloudFront about an Anycast list.
//!
//! In: the error and the intent. Out: reason, standing and pace, one row for each class of error.

use super::{
    Known,
    backoff::Pace,
    desired::{Farewell, Intent},
    known::Service,
    message,
    ownership::is_reserved,
};
use crate::{
    api::{Reason, Standing},
    cloudfront::{
        AddressFamily, AnycastIpListId, ApiError, Arn, CloudFront, Config, ErrorClass, Group, Operation, Snapshot, Tags,
    },
};

/// A failed pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub trouble: Trouble,
    /// The ARN of the group that it was about to change, as just read.
    pub arn: Option<Arn>,
    /// That group, if it is ours.
    pub read: Option<Group>,
    /// The Anycast list that it may have attached all the same.
    pub may_have_attached: Option<AnycastIpListId>,
    /// What a person can do besides.
    pub hint: Option<&'static str>,
}

impl Failure {
    /// The error of which no more is known than its class.
    #[must_use]
    pub const fn unexplained(&self) -> Option<&ApiError> {
        match &self.trouble {
            Trouble::Api(error) => Some(error),
            Trouble::MayHaveTagged(..) | Trouble::AnycastIpListNotFound(..) | Trouble::Ipv4OnlyList(..) => None,
        }
    }

    /// The sentence for the condition.
    #[must_use]
    pub fn message(&self, intent: &Intent, known: &Known<'_>, snapshot: Option<&Snapshot>) -> String {
        let text = match (&self.trouble, intent) {
            (Trouble::AnycastIpListNotFound(list, _), _) => message::list_not_found(list),
            (Trouble::Ipv4OnlyList(list, error), _) => message::ipv4_only_list(list, error),
            (Trouble::Api(error), Intent::Present(desired))
                if error.class == ErrorClass::LimitExceeded && error.operation == Operation::CreateConnectionGroup =>
            {
                message::quota(error, desired, snapshot)
            }
            (Trouble::Api(error), Intent::Present(_)) if error.class == ErrorClass::InvalidArgument => {
                message::invalid(error)
            }
            (Trouble::Api(error) | Trouble::MayHaveTagged(_, error), _) => {
                message::trouble(error, &self.resource(error.operation, intent, known))
            }
        };
        let besides = match (self.hint, intent) {
            (Some(hint), _) => hint,
            (None, Intent::Absent { farewell: Farewell::Delete, .. }) if self.leaves_it_off(known) => {
                message::OFF_FOR_ITS_DELETION
            }
            (None, _) => "",
        };
        text + besides
    }

    /// Whether status will show the group as out of service against the spec: as it was just read, or else as it was before.
    fn leaves_it_off(&self, known: &Known<'_>) -> bool {
        match &self.read {
            Some(read) => known.wants_traffic && read.config.enabled == Some(false),
            None => known.service() == Service::OffAgainstTheSpec,
        }
    }

    /// What IAM would call the thing that an operation acts on.
    fn resource(&self, operation: Operation, intent: &Intent, known: &Known<'_>) -> String {
        let name = &known.name;
        match (operation, intent) {
            (
                Operation::CreateConnectionGroup | Operation::ListConnectionGroups | Operation::ListDistributionTenants,
                _,
            ) => format!("* (for connection group {name})"),
            (Operation::GetAnycastIpList, Intent::Present(desired) | Intent::Mirrored(desired)) => {
                let list = desired.config().anycast_ip_list_id.map(|list| list.to_string()).unwrap_or_default();
                format!("anycast-ip-list/{list}")
            }
            _ => match self.arn.clone().or_else(|| known.arn()) {
                Some(arn) => format!("{arn} ({name})"),
                None => format!("connection group {name}"),
            },
        }
    }
}

impl<T: Into<Trouble>> From<T> for Failure {
    fn from(trouble: T) -> Self {
        Self { trouble: trouble.into(), arn: None, read: None, may_have_attached: None, hint: None }
    }
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// A call failed, and its class says it all.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// A call that was to set these tags failed, and nothing tells whether it did.
    #[error("{1}")]
    MayHaveTagged(Tags, ApiError),
    /// The Anycast list that was asked for does not exist.
    #[error("{1}")]
    AnycastIpListNotFound(AnycastIpListId, ApiError),
    /// An IPv4-only list together with IPv6.
    #[error("{1}")]
    Ipv4OnlyList(AnycastIpListId, ApiError),
}

impl Trouble {
    /// The call that failed.
    #[must_use]
    pub const fn error(&self) -> &ApiError {
        match self {
            Self::Api(error)
            | Self::MayHaveTagged(_, error)
            | Self::AnycastIpListNotFound(_, error)
            | Self::Ipv4OnlyList(_, error) => error,
        }
    }

    /// Reason, standing and pace.
    #[must_use]
    pub fn verdict(&self) -> (Reason, Standing, Pace) {
        match self {
            Self::AnycastIpListNotFound(..) => (Reason::AnycastIpListNotFound, Standing::Reconciling, Pace::Slow),
            Self::Ipv4OnlyList(..) => (Reason::InvalidArgument, Standing::Stalled, Pace::Slow),
            Self::Api(error) | Self::MayHaveTagged(_, error) => match error.class {
                ErrorClass::Throttled => (Reason::Throttled, Standing::Reconciling, Pace::Soon),
                ErrorClass::ServiceUnavailable if bug!(OutageIsStalled) => {
                    (Reason::ServiceUnavailable, Standing::Stalled, Pace::Slow)
                }
                ErrorClass::ServiceUnavailable | ErrorClass::TimedOut | ErrorClass::Unreachable => {
                    (Reason::ServiceUnavailable, Standing::Reconciling, Pace::Quick)
                }
                ErrorClass::Credentials => (Reason::CredentialsUnavailable, Standing::Reconciling, Pace::Quick),
                ErrorClass::AccessDenied => (Reason::AccessDenied, Standing::Reconciling, Pace::Slow),
                ErrorClass::NotFound | ErrorClass::AlreadyExists | ErrorClass::StaleEtag | ErrorClass::NotDisabled => {
                    (Reason::Conflict, Standing::Reconciling, Pace::Quick)
                }
                ErrorClass::LimitExceeded => (Reason::QuotaExceeded, Standing::Reconciling, Pace::Slow),
                ErrorClass::InvalidArgument => (Reason::InvalidArgument, Standing::Stalled, Pace::Slow),
                ErrorClass::InUse => (Reason::InUse, Standing::Reconciling, Pace::Slow),
                // The group is off for its deletion, and whoever uses it has no traffic.
                ErrorClass::HasTenants => (Reason::InUse, Standing::Reconciling, Pace::Quick),
                ErrorClass::Unexpected => (Reason::UnexpectedResponse, Standing::Reconciling, Pace::Quick),
            },
        }
    }

    /// Whether it says nothing about the group: traffic goes on as it did. Nor does an answer that cannot be read.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        self.error().class.is_transient()
    }

    /// The trouble with a call that was to set these tags: unless it was refused, they may be set.
    #[must_use]
    pub fn with_tags(self, tags: &Tags) -> Self {
        let own = || tags.iter().filter(|(key, _)| !is_reserved(key));
        match self {
            Self::Api(error) if error.class == ErrorClass::Unexpected && bug!(UnreadableAnswerIsARefusal) => {
                Self::Api(error)
            }
            Self::Api(error) if error.class.leaves_doubt() && !bug!(DoubtfulTagsAreForgotten) => {
                Self::MayHaveTagged(own().map(|(key, value)| (key.clone(), value.clone())).collect(), error)
            }
            other => other,
        }
    }
}

/// Finds out what a refused Create was about, where the code alone does not tell: an unknown list, or an IPv4-only one together with IPv6.
pub async fn explain<C: CloudFront>(error: ApiError, wanted: &Config, port: &C) -> Trouble {
    match (error.class, &wanted.anycast_ip_list_id) {
        (ErrorClass::NotFound, Some(list)) => match port.anycast_ip_list(list).await {
            // A new group has nothing else that could be missing.
            Ok(None) | Err(_) => Trouble::AnycastIpListNotFound(list.clone(), error),
            Ok(Some(_)) => Trouble::Api(error),
        },
        (ErrorClass::InvalidArgument, Some(list)) if wanted.ipv6_enabled => match port.anycast_ip_list(list).await {
            Ok(Some(AddressFamily::Ipv4Only)) => Trouble::Ipv4OnlyList(list.clone(), error),
            Ok(None) => Trouble::AnycastIpListNotFound(list.clone(), error),
            Ok(Some(AddressFamily::Other)) | Err(_) => Trouble::Api(error),
        },
        _ => Trouble::Api(error),
    }
}
