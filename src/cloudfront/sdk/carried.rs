//! Members of a group that the SDK does not know: read from the answer, and added to an update before it is signed. Does no I/O.
//!
//! In: the SDK's hooks around one call. Out: the [`Elements`] of the group in the answer; a request body with those that an update carries along.

use std::sync::Arc;

use aws_sdk_cloudfront::config::{
    ConfigBag, Intercept, RuntimeComponents,
    interceptors::{AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut},
};
use aws_smithy_runtime_api::box_error::BoxError;
use parking_lot::Mutex;

use super::xml::plain;
use crate::cloudfront::elements::Elements;

/// Reads the elements of the group in the answer to a call.
#[derive(Clone, Debug, Default)]
pub struct ElementCapture(Arc<Mutex<Elements>>);

impl ElementCapture {
    /// What was read.
    pub fn take(&self) -> Elements {
        std::mem::take(&mut self.0.lock())
    }
}

impl Intercept for ElementCapture {
    fn name(&self) -> &'static str {
        "ElementCapture"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let answer = plain(context.response().body().bytes().unwrap_or_default()).unwrap_or_default();
        *self.0.lock() = Elements::of_children(answer.children());
        Ok(())
    }
}

/// Adds to an update the elements that it would leave out.
#[derive(Debug)]
pub struct Carry(pub Elements);

/// Why an update is not sent.
#[derive(Debug, thiserror::Error)]
#[error("the update could not be completed with what it has to carry along")]
struct Incomplete;

impl Intercept for Carry {
    fn name(&self) -> &'static str {
        "Carry"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let body = completed(request.body().bytes().unwrap_or_default(), &self.0).ok_or(Incomplete)?;
        request.headers_mut().insert("content-length", body.len().to_string());
        *request.body_mut() = body.into();
        Ok(())
    }
}

/// The end of the request. The carried elements go before it, after the SDK's own members: in the order of their names, as an SDK that knew them would write
/// them.
const END: &str = "</UpdateConnectionGroupRequest>";

fn completed(body: &[u8], elements: &Elements) -> Option<String> {
    let members = std::str::from_utf8(body).ok()?.strip_suffix(END)?;
    let carried = elements.carried().map(|(_, xml)| xml).collect::<String>();
    Some([members, &carried, END].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "<UpdateConnectionGroupRequest xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\">";

    fn elements(xml: &str) -> Elements {
        Elements::of_children([("ViewerFallback", xml), ("Later", "<Later>x</Later>")])
    }

    /// `tests/clients` checks that boto3 sends the same body.
    #[test]
    fn an_update_carries_what_it_would_otherwise_omit_with_its_escapes_and_nothing_newer() {
        let sdk = "<AnycastIpListId></AnycastIpListId><Enabled>false</Enabled><Ipv6Enabled>true</Ipv6Enabled>";
        let fallback = "<ViewerFallback><DistributionId>E1&amp;A</DistributionId></ViewerFallback>";
        for members in [sdk, ""] {
            let sent = completed(format!("{ROOT}{members}{END}").as_bytes(), &elements(fallback));
            assert_eq!(sent, Some(format!("{ROOT}{members}{fallback}{END}")));
        }
    }

    #[test]
    fn an_empty_element_is_not_carried_and_a_body_of_another_kind_is_not_sent() {
        let body = format!("{ROOT}<Enabled>true</Enabled>{END}");
        assert_eq!(completed(body.as_bytes(), &elements("<ViewerFallback/>")), Some(body.clone()));
        for other in [&b""[..], b"<UpdateConnectionGroupRequest/>"] {
            assert_eq!(completed(other, &elements("<ViewerFallback/>")), None);
        }
    }
}
