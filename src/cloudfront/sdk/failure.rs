//! Converts the SDK's errors to the port's. Pure.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_cloudfront::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::http::Response;

use crate::{
    cloudfront::{ApiError, ErrorClass, Operation},
    leadership::fence::NotSent,
    network::root_cause,
};

/// The port's error for a failed call.
pub fn api_error<E>(operation: Operation, error: &SdkError<E, Response>) -> ApiError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match error {
        SdkError::ServiceError(answered) => {
            let (metadata, raw) = (answered.err(), answered.raw());
            let class = ErrorClass::of(raw.status().as_u16(), metadata.code());
            let message = match (class, metadata.message()) {
                // AWS may repeat the request that it could not verify, including the session token.
                (ErrorClass::Credentials, _) => String::new(),
                (_, Some(message)) => message.to_owned(),
                (_, None) => unexplained(raw, "without a message"),
            };
            let code = metadata.code().map(ToOwned::to_owned);
            ApiError::new(operation, class, code, &message, request_id(raw))
        }
        SdkError::ResponseError(answered) => {
            let raw = answered.raw();
            let class = ErrorClass::of(raw.status().as_u16(), None);
            let message = unexplained(raw, "with an answer that cannot be read");
            ApiError::new(operation, class, None, &message, request_id(raw))
        }
        SdkError::TimeoutError(_) => {
            ApiError::new(operation, ErrorClass::TimedOut, None, "no answer within the call time-out", None)
        }
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            ApiError::new(operation, ErrorClass::TimedOut, None, &root_cause(error), None)
        }
        _ => match (error, credentials_error(error)) {
            (_, Some(cause)) => ApiError::new(operation, ErrorClass::Credentials, None, &root_cause(cause), None),
            (SdkError::DispatchFailure(_), None) => {
                ApiError::new(operation, ErrorClass::Unreachable, None, &root_cause(error), None)
            }
            (_, None) => ApiError::new(operation, ErrorClass::Unexpected, None, &root_cause(error), None),
        },
    }
}

/// Why the fence refused the call at the last step before it was sent, if it did.
pub fn refused<E>(error: &SdkError<E, Response>) -> Option<NotSent>
where
    E: Error + 'static,
{
    chain(error).find_map(|cause| cause.downcast_ref::<NotSent>().copied())
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

/// What is known about an answer that does not explain itself. Its body is not quoted: a proxy may repeat the request, credentials included.
fn unexplained(response: &Response, what: &str) -> String {
    let status = response.status().as_u16();
    match response.headers().get("content-type").filter(|kind| !kind.contains("xml")) {
        Some(kind) => format!("HTTP status {status} {what}; its content is {kind} instead of XML, as from a proxy"),
        None => format!("HTTP status {status} {what}"),
    }
}

fn request_id(response: &Response) -> Option<String> {
    response.headers().get("x-amzn-requestid").map(ToOwned::to_owned)
}

fn credentials_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    chain(error).find(|error| error.is::<CredentialsError>())
}
