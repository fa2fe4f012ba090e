//! The errors CloudFront answers with: code, HTTP status, whose fault it is, and a sentence. Pure.

use serde::{Deserialize, Serialize};

/// An error answer of the service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
#[error("{code:?}: {message}")]
pub struct ServiceError {
    /// What went wrong, as clients match on it.
    pub code: ErrorCode,
    /// What went wrong, in words.
    pub message: String,
}

impl ServiceError {
    /// An error of this code with this sentence.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// Every error code the simulator knows. The names are CloudFront's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ErrorCode {
    /// The caller may not do this.
    AccessDenied,
    /// The connection group or Anycast IP list is still used by something.
    CannotDeleteEntityWhileInUse,
    /// The name is taken.
    EntityAlreadyExists,
    /// A quota is used up.
    EntityLimitExceeded,
    /// There is no such connection group, Anycast IP list or tenant.
    EntityNotFound,
    /// Deletion of this resource is never allowed.
    IllegalDelete,
    /// An argument is missing, malformed, or at odds with another.
    InvalidArgument,
    /// `If-Match` is missing or cannot be a version of the resource.
    InvalidIfMatchVersion,
    /// A tag breaks a rule.
    InvalidTagging,
    /// The request body is not the XML document that was expected.
    MalformedXML,
    /// The request is not signed.
    MissingAuthenticationToken,
    /// There is no resource of that ARN.
    NoSuchResource,
    /// `If-Match` names another version than the current one.
    PreconditionFailed,
    /// The resource is being changed, or is in use.
    ResourceInUse,
    /// The connection group must be disabled first.
    ResourceNotDisabled,
    /// CloudFront is out of order for the moment.
    ServiceUnavailable,
    /// Too many calls.
    SlowDown,
    /// Too many calls.
    Throttling,
    /// Too many calls.
    TooManyRequests,
    /// No operation answers this method and path.
    UnknownOperation,
    /// The operation exists, but not for this input.
    UnsupportedOperation,
}

impl ErrorCode {
    /// The HTTP status this error travels with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::EntityLimitExceeded
            | Self::IllegalDelete
            | Self::InvalidArgument
            | Self::InvalidIfMatchVersion
            | Self::InvalidTagging
            | Self::MalformedXML
            | Self::Throttling
            | Self::UnsupportedOperation => 400,
            Self::AccessDenied | Self::MissingAuthenticationToken => 403,
            Self::EntityNotFound | Self::NoSuchResource | Self::UnknownOperation => 404,
            Self::CannotDeleteEntityWhileInUse
            | Self::EntityAlreadyExists
            | Self::ResourceInUse
            | Self::ResourceNotDisabled => 409,
            Self::PreconditionFailed => 412,
            Self::TooManyRequests => 429,
            Self::ServiceUnavailable | Self::SlowDown => 503,
        }
    }

    /// The code as it stands in the answer.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "AccessDenied",
            Self::CannotDeleteEntityWhileInUse => "CannotDeleteEntityWhileInUse",
            Self::EntityAlreadyExists => "EntityAlreadyExists",
            Self::EntityLimitExceeded => "EntityLimitExceeded",
            Self::EntityNotFound => "EntityNotFound",
            Self::IllegalDelete => "IllegalDelete",
            Self::InvalidArgument => "InvalidArgument",
            Self::InvalidIfMatchVersion => "InvalidIfMatchVersion",
            Self::InvalidTagging => "InvalidTagging",
            Self::MalformedXML => "MalformedXML",
            Self::MissingAuthenticationToken => "MissingAuthenticationToken",
            Self::NoSuchResource => "NoSuchResource",
            Self::PreconditionFailed => "PreconditionFailed",
            Self::ResourceInUse => "ResourceInUse",
            Self::ResourceNotDisabled => "ResourceNotDisabled",
            Self::ServiceUnavailable => "ServiceUnavailable",
            Self::SlowDown => "SlowDown",
            Self::Throttling => "Throttling",
            Self::TooManyRequests => "TooManyRequests",
            Self::UnknownOperation => "UnknownOperation",
            Self::UnsupportedOperation => "UnsupportedOperation",
        }
    }
}
