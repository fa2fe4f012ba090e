//! What goes over the wire for the current call. In: the SDK's hooks. Out: how many requests were sent, to which server, and the HTTP status of the last answer,
//! which the SDK's own results leave out. Does no I/O.

use std::{cell::RefCell, future::Future, mem::take};

use aws_sdk_cloudfront::config::{
    ConfigBag, Intercept, RuntimeComponents,
    interceptors::{BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef},
};
use aws_smithy_runtime_api::box_error::BoxError;

tokio::task_local! {
    static UNDER_WAY: RefCell<Wire>;
}

/// What went over the wire for one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wire {
    /// HTTP requests that were sent; none if the call failed before that, because there were no credentials.
    pub requests: u32,
    /// Where the last of them was sent, without any user and password: flags, variables and the AWS files have a say in it.
    pub server: Option<String>,
    /// HTTP status of the last answer, if there was one.
    pub status: Option<u16>,
}

/// Runs a call, and returns what went over the wire for it.
pub async fn watched<T>(call: impl Future<Output = T>) -> (T, Wire) {
    UNDER_WAY.scope(RefCell::default(), async { (call.await, UNDER_WAY.with(RefCell::take)) }).await
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
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let server = server(context.request().uri());
        change(|wire| Wire { requests: wire.requests.saturating_add(1), server, status: None });
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
fn change(with: impl FnOnce(Wire) -> Wire) {
    let _ = UNDER_WAY.try_with(|wire| wire.replace_with(|wire| with(take(wire))));
}

fn server(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Some(format!("{scheme}://{host}"))
}
