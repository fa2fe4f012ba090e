//! An answer is accepted only if it is complete, and is read as it is meant. In: the SDK's hooks after an answer was read. Out: an error for an answer that
//! is not as expected, and a second parse of what the SDK would misread. Does no I/O.
//!
//! The SDK reads XML leniently: a list that was truncated on its way reads as a shorter list, an empty body reads as no tags, and where no document is
//! expected, any page is accepted. A tenant that is missing for this reason would let its group be disabled; a missing owner tag would let someone else's
//! group be taken. The SDK does not read text in pieces either: from an element with a comment in it, it takes only the text before the comment, and from a
//! CDATA section nothing.

use aws_sdk_cloudfront::config::{
    ConfigBag, Intercept, RuntimeComponents,
    interceptors::{AfterDeserializationInterceptorContextRef, FinalizerInterceptorContextMut},
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        orchestrator::{HttpResponse, Metadata},
        ser_de::{DeserializeResponse, SharedResponseDeserializer},
    },
};

use super::xml::plain;
use crate::cloudfront::Operation;

/// The hook into the SDK.
#[derive(Debug)]
pub struct Whole;

/// Why an answer is not accepted.
#[derive(Debug, thiserror::Error)]
#[error("the answer is not whole, or not CloudFront's")]
struct Broken;

impl Intercept for Whole {
    fn name(&self) -> &'static str {
        "Whole"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response().body().bytes().unwrap_or_default().trim_ascii();
        let as_due = if document_is_due(bag) { plain(body).is_some() } else { body.is_empty() };
        // An answer that is already an error keeps that error.
        if as_due || context.output_or_error().is_err() { Ok(()) } else { Err(Broken.into()) }
    }

    fn modify_before_attempt_completion(
        &self,
        context: &mut FinalizerInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(answer) = context.response() else { return Ok(()) };
        if answer.status().is_success() && !document_is_due(bag) {
            return Ok(());
        }
        let Some(body) = plain(answer.body().bytes().unwrap_or_default()).filter(|body| body.was_in_pieces) else {
            return Ok(());
        };
        let mut again = HttpResponse::new(answer.status(), body.text.into());
        *again.headers_mut() = answer.headers().clone();
        let read = bag.load::<SharedResponseDeserializer>();
        if let (Some(read), Some(outcome)) = (read, context.output_or_error_mut()) {
            *outcome = read.deserialize_nonstreaming_with_config(&again, bag);
        }
        Ok(())
    }
}

fn document_is_due(bag: &ConfigBag) -> bool {
    let name = bag.load::<Metadata>().map(Metadata::name);
    let operation = Operation::ALL.iter().copied().find(|operation| Some(operation.as_str()) == name);
    operation.is_none_or(Operation::is_answered_with_a_document)
}
