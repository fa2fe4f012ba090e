//! What goes over the wire for the current call. In: the SDK's hooks. Out: how many requests were sent, and the HTTP status of the last answer, which the
//! SDK's own results leave out. Does no I/O.

use std::{cell::Cell, future::Future};

use aws_sdk_cloudfront::config::{
    ConfigBag, Intercept, RuntimeComponents,
    interceptors::{BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef},
};
use aws_smithy_runtime_api::box_error::BoxError;

tokio::task_local! {
    static UNDER_WAY: Cell<Wire>;
}

/// What went over the wire for one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wire {
    /// HTTP requests that were sent; none if the call failed before that, because there were no credentials.
    pub requests: u32,
    /// HTTP status of the last answer, if there was one.
    pub status: Option<u16>,
}

/// Runs a call, and returns what went over the wire for it.
pub async fn watched<T>(call: impl Future<Output = T>) -> (T, Wire) {
    UNDER_WAY.scope(Cell::default(), async { (call.await, UNDER_WAY.with(Cell::get)) }).await
}

/// The hook into the SDK.
#[derive(Debug)]
pub struct Tap;

impl Intercept for Tap {
    fn name(&self) -> &'static str {
        "Tap"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        change(|wire| Wire { requests: wire.requests.saturating_add(1), status: None });
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let status = Some(context.response().status().as_u16());
        change(|wire| Wire { status, ..wire });
        Ok(())
    }
}

/// Changes nothing outside of our calls: the SDK requests credentials with requests of its own.
fn change(with: impl Fn(Wire) -> Wire) {
    let _ = UNDER_WAY.try_with(|wire| wire.set(with(wire.get())));
}
