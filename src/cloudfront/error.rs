//! What can go wrong with a call to CloudFront. Every error code of the API is named once here, and nowhere else. Pure.
//!
//! In: the operation, the HTTP status, the code and the message. Out: an [`ApiError`] whose [`ErrorClass`] decides everything that follows. Source of the
//! codes: docs/cloudfront-api.md, Errors. The codes for throttling and for credentials are not in AWS's API model.

use strum::{Display, IntoStaticStr, VariantArray};

/// An operation of the CloudFront API; its name is also the IAM action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Display, IntoStaticStr, VariantArray)]
#[expect(missing_docs, reason = "the names are CloudFront's own")]
pub enum Operation {
    CreateConnectionGroup,
    GetConnectionGroup,
    UpdateConnectionGroup,
    DeleteConnectionGroup,
    ListConnectionGroups,
    TagResource,
    UntagResource,
    ListTagsForResource,
    ListDistributionTenants,
    GetAnycastIpList,
}

impl Operation {
    /// All of them.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The name as CloudFront and IAM write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether it changes something at CloudFront.
    #[must_use]
    pub const fn is_mutation(self) -> bool {
        match self {
            Self::CreateConnectionGroup
            | Self::UpdateConnectionGroup
            | Self::DeleteConnectionGroup
            | Self::TagResource
            | Self::UntagResource => true,
            Self::GetConnectionGroup
            | Self::ListConnectionGroups
            | Self::ListTagsForResource
            | Self::ListDistributionTenants
            | Self::GetAnycastIpList => false,
        }
    }

    /// Whether the answer to a successful call has a document.
    #[must_use]
    pub const fn is_answered_with_a_document(self) -> bool {
        match self {
            Self::CreateConnectionGroup
            | Self::GetConnectionGroup
            | Self::UpdateConnectionGroup
            | Self::ListConnectionGroups
            | Self::ListTagsForResource
            | Self::ListDistributionTenants
            | Self::GetAnycastIpList => true,
            Self::DeleteConnectionGroup | Self::TagResource | Self::UntagResource => false,
        }
    }
}

/// The class of an error. One variant for each kind of reaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, VariantArray)]
pub enum ErrorClass {
    /// Too many calls of this operation; the call queue slows it down.
    Throttled,
    /// CloudFront failed on its side.
    ServiceUnavailable,
    /// No answer within the call timeout.
    TimedOut,
    /// No connection, or it broke before an answer arrived.
    Unreachable,
    /// Credentials are missing, expired or not accepted.
    Credentials,
    /// IAM refused the action.
    AccessDenied,
    /// The entity does not exist.
    NotFound,
    /// The name is taken.
    AlreadyExists,
    /// A quota is used up.
    LimitExceeded,
    /// A value was refused.
    InvalidArgument,
    /// The version in If-Match is not the current one.
    StaleEtag,
    /// The group is in use, which prevents this update.
    InUse,
    /// The group must be disabled before it is deleted.
    NotDisabled,
    /// Tenants use the group, which prevents its deletion.
    HasTenants,
    /// An answer that cannot be read, or an unknown code.
    Unexpected,
}

impl ErrorClass {
    /// All of them.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Whether the call may have taken effect in spite of the error.
    #[must_use]
    pub const fn leaves_doubt(self) -> bool {
        match self {
            Self::TimedOut | Self::Unreachable | Self::ServiceUnavailable | Self::Unexpected => true,
            Self::Throttled
            | Self::Credentials
            | Self::AccessDenied
            | Self::NotFound
            | Self::AlreadyExists
            | Self::LimitExceeded
            | Self::InvalidArgument
            | Self::StaleEtag
            | Self::InUse
            | Self::NotDisabled
            | Self::HasTenants => false,
        }
    }

    /// Whether the error is transient and says nothing about the group or the request. An answer that cannot be read says nothing either.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        match self {
            Self::Throttled | Self::ServiceUnavailable | Self::TimedOut | Self::Unreachable | Self::Unexpected => true,
            Self::Credentials
            | Self::AccessDenied
            | Self::NotFound
            | Self::AlreadyExists
            | Self::LimitExceeded
            | Self::InvalidArgument
            | Self::StaleEtag
            | Self::InUse
            | Self::NotDisabled
            | Self::HasTenants => false,
        }
    }

    /// The class of an answered error.
    ///
    /// The code decides. If there is none, or an unknown one, a proxy may have answered in CloudFront's place. The HTTP status then decides only where it
    /// leads to no more than another read or a retry: 412 is only ever sent because of `If-Match`. A bare 404 does not prove that a group is gone, a bare 403 does
    /// not prove that IAM refused, and a bare 409 does not say what is in the way.
    #[must_use]
    pub fn of(status: u16, code: Option<&str>) -> Self {
        match code {
            Some("AccessDenied" | "AccessDeniedException") => Self::AccessDenied,
            Some("EntityNotFound" | "NoSuchResource") => Self::NotFound,
            Some("EntityAlreadyExists") => Self::AlreadyExists,
            Some("EntityLimitExceeded") => Self::LimitExceeded,
            Some("InvalidArgument" | "InvalidTagging") => Self::InvalidArgument,
            Some("InvalidIfMatchVersion" | "PreconditionFailed") => Self::StaleEtag,
            Some("ResourceInUse") => Self::InUse,
            Some("ResourceNotDisabled") => Self::NotDisabled,
            Some("CannotDeleteEntityWhileInUse") => Self::HasTenants,
            Some(
                "Throttling"
                | "ThrottlingException"
                | "ThrottledException"
                | "RequestThrottled"
                | "RequestThrottledException"
                | "TooManyRequests"
                | "TooManyRequestsException"
                | "RequestLimitExceeded"
                | "SlowDown",
            ) => Self::Throttled,
            Some(
                "ExpiredToken"
                | "ExpiredTokenException"
                | "InvalidClientTokenId"
                | "UnrecognizedClientException"
                | "MissingAuthenticationToken"
                | "SignatureDoesNotMatch"
                | "IncompleteSignature"
                | "RequestExpired",
            ) => Self::Credentials,
            Some("ServiceUnavailable" | "InternalFailure" | "InternalError") => Self::ServiceUnavailable,
            _ => match status {
                412 => Self::StaleEtag,
                429 => Self::Throttled,
                500..=599 => Self::ServiceUnavailable,
                _ => Self::Unexpected,
            },
        }
    }
}

/// One failed call, with everything a message, a log line or a metric needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {}", self.text())]
pub struct ApiError {
    /// The call.
    pub operation: Operation,
    /// The class of the error.
    pub class: ErrorClass,
    /// CloudFront's error code, if it answered with one.
    pub code: Option<String>,
    /// The message of CloudFront or of the transport, at most [`MESSAGE_LIMIT`] characters.
    pub message: String,
    /// AWS request id, if there was an answer.
    pub request_id: Option<String>,
}

/// Maximum length of an error text that is passed on, in characters; CloudFront or a proxy may send anything.
pub const MESSAGE_LIMIT: usize = 400;

impl ApiError {
    /// Builds an error whose message is bounded and on one line.
    #[must_use]
    pub fn new(
        operation: Operation,
        class: ErrorClass,
        code: Option<String>,
        message: &str,
        request_id: Option<String>,
    ) -> Self {
        let code = code.map(|code| one_line(&code, 64));
        let request_id = request_id.map(|id| one_line(&id, 64));
        Self { operation, class, code, message: one_line(message, MESSAGE_LIMIT), request_id }
    }

    /// Code and message, as far as there are any.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.code {
            Some(code) if self.message.is_empty() => code.clone(),
            Some(code) => format!("{code}: {}", self.message),
            None => self.message.clone(),
        }
    }
}

/// The text on one line of at most `limit` characters: CloudFront, or a proxy in its place, may send anything.
#[must_use]
pub fn one_line(text: &str, limit: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= limit {
        return line;
    }
    line.chars().take(limit - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_api_has_its_class() {
        let table = [
            (403, "AccessDenied", ErrorClass::AccessDenied),
            (404, "EntityNotFound", ErrorClass::NotFound),
            (404, "NoSuchResource", ErrorClass::NotFound),
            (409, "EntityAlreadyExists", ErrorClass::AlreadyExists),
            (400, "EntityLimitExceeded", ErrorClass::LimitExceeded),
            (400, "InvalidArgument", ErrorClass::InvalidArgument),
            (400, "InvalidTagging", ErrorClass::InvalidArgument),
            (400, "InvalidIfMatchVersion", ErrorClass::StaleEtag),
            (412, "PreconditionFailed", ErrorClass::StaleEtag),
            (409, "ResourceInUse", ErrorClass::InUse),
            (409, "ResourceNotDisabled", ErrorClass::NotDisabled),
            (409, "CannotDeleteEntityWhileInUse", ErrorClass::HasTenants),
            (400, "Throttling", ErrorClass::Throttled),
            (503, "ServiceUnavailable", ErrorClass::ServiceUnavailable),
            (403, "ExpiredToken", ErrorClass::Credentials),
            (418, "Teapot", ErrorClass::Unexpected),
            (503, "Teapot", ErrorClass::ServiceUnavailable),
        ];
        for (status, code, class) in table {
            assert_eq!(ErrorClass::of(status, Some(code)), class, "{status} {code}");
        }
    }

    #[test]
    fn without_a_code_the_http_status_decides() {
        for (status, class) in [
            (412, ErrorClass::StaleEtag),
            (429, ErrorClass::Throttled),
            (400, ErrorClass::Unexpected),
            (403, ErrorClass::Unexpected),
            (404, ErrorClass::Unexpected),
            (409, ErrorClass::Unexpected),
            (500, ErrorClass::ServiceUnavailable),
            (502, ErrorClass::ServiceUnavailable),
            (302, ErrorClass::Unexpected),
            (200, ErrorClass::Unexpected),
        ] {
            assert_eq!(ErrorClass::of(status, None), class, "{status}");
        }
    }

    #[test]
    fn a_message_is_one_bounded_line_whatever_cloudfront_returns() {
        let page = "<html>\n".repeat(1000);
        let error = ApiError::new(Operation::GetConnectionGroup, ErrorClass::Unexpected, None, &page, None);
        assert_eq!(error.message.chars().count(), MESSAGE_LIMIT);
        assert!(!error.to_string().contains('\n'));
    }
}
