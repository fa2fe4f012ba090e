//! One attempt of one call: in its turn, behind the fence, in a span, and reported to the [`Meter`]. Talks to CloudFront.
//!
//! In: the operation, and how to send its request. Out: the SDK's answer, or the port's error.

use std::{future::Future, time::Duration};

use aws_sdk_cloudfront::{
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use aws_smithy_runtime_api::http::Response;
use tokio::time::Instant;
use tracing::{Instrument, Span, field::Empty};

use super::{
    Sdk,
    failure::{api_error, refused},
    wire::{Wire, watched},
};
use crate::{
    cloudfront::{ApiError, ErrorClass, Operation, queue::Slowed},
    leadership::fence::NotSent,
};

/// Observes every call, for metrics.
pub trait Meter: Send + Sync {
    /// One attempt has ended.
    fn call_ended(&self, call: &Call<'_>);
    /// An answer shows an element of a group that this version does not know.
    fn unknown_element(&self, element: &str);
    /// The answer to an update no longer shows an element of the group that was there before.
    fn element_lost(&self, element: &str);
}

/// A call that has ended.
pub struct Call<'a> {
    /// The operation that was called.
    pub operation: Operation,
    /// How long it took, without the wait in the call queue.
    pub duration: Duration,
    /// What went over the wire.
    pub wire: Wire,
    /// How it failed; `None` is success.
    pub error: Option<&'a ApiError>,
}

impl Sdk {
    /// One attempt. The request is built when the turn has come, because it is large and hundreds may wait.
    pub(super) async fn call<T, E, F>(
        &self,
        operation: Operation,
        send: impl FnOnce() -> F + Send,
    ) -> Result<T, ApiError>
    where
        F: Future<Output = Result<T, SdkError<E, Response>>> + Send,
        T: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let reservation = self.reservation();
        let (admitted, _in_flight) = self.scope.begin(operation, reservation.admit(operation)).await;
        if let Err(Slowed) = admitted {
            return Err(not_sent(operation));
        }
        let started = Instant::now();
        let span = span(operation);
        let (answer, wire) = watched(Box::pin(send().instrument(span.clone()))).await;
        if answer.as_ref().err().and_then(refused) == Some(NotSent::Draining) {
            match self.scope.abandon().await {}
        }
        let answer = answer.map_err(|error| api_error(operation, &error));
        let duration = started.elapsed();
        self.fence.pass().await;
        let request_id = answer.as_ref().map_or_else(|error| error.request_id.as_deref(), RequestId::request_id);
        record(&span, &wire, request_id, answer.as_ref().err());
        self.meter.call_ended(&Call { operation, duration, wire, error: answer.as_ref().err() });
        match &answer {
            Ok(output) => {
                if operation.is_mutation() {
                    // The log line that reports a change is written in this span.
                    Span::current().record("aws_request_id", output.request_id());
                }
                tracing::debug!(%operation, aws_request_id = output.request_id(), ?duration, "call answered");
            }
            Err(error) => {
                tracing::debug!(%operation, aws_request_id = error.request_id, ?duration, %error, "call failed");
                if error.class == ErrorClass::Throttled {
                    self.queue.throttled(operation);
                }
            }
        }
        answer
    }
}

/// The error of a call that is not sent, because CloudFront throttled the operation recently. It is not reported to the meter.
fn not_sent(operation: Operation) -> ApiError {
    tracing::debug!(%operation, "call not sent: CloudFront has throttled this operation, and it is called less often for a minute");
    ApiError::new(
        operation,
        ErrorClass::Throttled,
        None,
        "not sent, as CloudFront has throttled this operation lately",
        None,
    )
}

/// A span for traces, named by OpenTelemetry's conventions for AWS calls.
fn span(operation: Operation) -> Span {
    tracing::info_span!(
        "call",
        otel.name = format!("CloudFront.{operation}"),
        otel.kind = "client",
        otel.status_code = Empty,
        rpc.system = "aws-api",
        rpc.service = "CloudFront",
        rpc.method = operation.as_str(),
        http.response.status_code = Empty,
        aws.request_id = Empty,
        "error.type" = Empty,
    )
}

fn record(span: &Span, wire: &Wire, request_id: Option<&str>, error: Option<&ApiError>) {
    span.record("http.response.status_code", wire.status);
    span.record("aws.request_id", request_id);
    if let Some(error) = error {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", error.code.clone().unwrap_or_else(|| format!("{:?}", error.class)));
    }
}
