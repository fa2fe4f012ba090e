//! From the SDK's errors to the port's. Pure.

use aws_sdk_cloudfront::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::http::Response;

use crate::cloudfront::{ApiError, ErrorClass, Operation};

/// What a failed call means.
pub fn api_error<E>(operation: Operation, error: &SdkError<E, Response>) -> ApiError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let chain = || causes(error);
    match error {
        SdkError::ServiceError(answered) => {
            let (metadata, raw) = (answered.err(), answered.raw());
            let class = ErrorClass::of(raw.status().as_u16(), metadata.code());
            let message = metadata
                .message()
                .map_or_else(|| format!("HTTP status {} without a message", raw.status().as_u16()), ToOwned::to_owned);
            let code = metadata.code().map(ToOwned::to_owned);
            ApiError::new(operation, class, code, &message, request_id(raw))
        }
        SdkError::ResponseError(answered) => {
            let raw = answered.raw();
            let class = ErrorClass::of(raw.status().as_u16(), None);
            let message = format!("HTTP status {} with an answer that cannot be read", raw.status().as_u16());
            ApiError::new(operation, class, None, &message, request_id(raw))
        }
        SdkError::TimeoutError(_) => {
            ApiError::new(operation, ErrorClass::TimedOut, None, "no answer within the call time-out", None)
        }
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            ApiError::new(operation, ErrorClass::TimedOut, None, "connecting to CloudFront timed out", None)
        }
        SdkError::DispatchFailure(_) if !has_credentials_error(error) => {
            ApiError::new(operation, ErrorClass::Unreachable, None, &chain(), None)
        }
        _ if has_credentials_error(error) => ApiError::new(operation, ErrorClass::Credentials, None, &chain(), None),
        _ => ApiError::new(operation, ErrorClass::Unexpected, None, &chain(), None),
    }
}

/// The error and its causes, in their own words.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn request_id(response: &Response) -> Option<String> {
    response.headers().get("x-amzn-requestid").map(ToOwned::to_owned)
}

fn has_credentials_error(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .any(<dyn std::error::Error + 'static>::is::<aws_credential_types::provider::error::CredentialsError>)
}
