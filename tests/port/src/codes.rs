//! What an error code means, independently of the operator's code. Pure data: the codes of the API's model with their statuses, those that every AWS service
//! documents, and those that AWS's SDKs take for throttling.

use connection_group_operator::cloudfront::ErrorClass::{
    self, AccessDenied, AlreadyExists, Credentials, HasTenants, InUse, InvalidArgument, LimitExceeded, NotDisabled,
    NotFound, ServiceUnavailable, StaleEtag, Throttled, Unexpected,
};

/// The code, the HTTP status that it comes with, and what it means.
pub const CODES: [(&str, u16, ErrorClass); 39] = [
    ("AccessDenied", 403, AccessDenied),
    ("AccessDeniedException", 403, AccessDenied),
    ("EntityNotFound", 404, NotFound),
    ("NoSuchResource", 404, NotFound),
    ("EntityAlreadyExists", 409, AlreadyExists),
    ("EntityLimitExceeded", 400, LimitExceeded),
    ("InvalidArgument", 400, InvalidArgument),
    ("InvalidTagging", 400, InvalidArgument),
    ("InvalidIfMatchVersion", 400, StaleEtag),
    ("PreconditionFailed", 412, StaleEtag),
    ("ResourceInUse", 409, InUse),
    ("ResourceNotDisabled", 409, NotDisabled),
    ("CannotDeleteEntityWhileInUse", 409, HasTenants),
    ("Throttling", 400, Throttled),
    ("ThrottlingException", 400, Throttled),
    ("ThrottledException", 400, Throttled),
    ("RequestThrottled", 400, Throttled),
    ("RequestThrottledException", 400, Throttled),
    ("TooManyRequests", 400, Throttled),
    ("TooManyRequestsException", 400, Throttled),
    ("RequestLimitExceeded", 400, Throttled),
    ("SlowDown", 400, Throttled),
    ("ExpiredToken", 403, Credentials),
    ("ExpiredTokenException", 403, Credentials),
    ("InvalidClientTokenId", 403, Credentials),
    ("UnrecognizedClientException", 403, Credentials),
    ("MissingAuthenticationToken", 403, Credentials),
    ("SignatureDoesNotMatch", 403, Credentials),
    ("IncompleteSignature", 400, Credentials),
    ("RequestExpired", 400, Credentials),
    // The code decides, whatever the status: a proxy may have changed it.
    ("ServiceUnavailable", 400, ServiceUnavailable),
    ("InternalFailure", 400, ServiceUnavailable),
    ("InternalError", 400, ServiceUnavailable),
    ("ServiceUnavailable", 503, ServiceUnavailable),
    ("NobodyKnowsThisOne", 500, ServiceUnavailable),
    ("NobodyKnowsThisOne", 429, Throttled),
    ("NobodyKnowsThisOne", 412, StaleEtag),
    ("NobodyKnowsThisOne", 400, Unexpected),
    ("UnsupportedOperation", 400, Unexpected),
];
