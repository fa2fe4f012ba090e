//! An answer is believed only if it is whole. In: the SDK's hook after an answer was read. Out: a refusal of what is
//! not as it is due. Talks to nobody.
//!
//! The SDK reads XML leniently: a list that was cut off on its way reads as a shorter list, an empty body as no tags,
//! and where no document is due, any page passes. A tenant that is left out so would let its group be disabled, an
//! owner tag would let somebody else's group be taken.

use aws_sdk_cloudfront::config::{
    ConfigBag, Intercept, RuntimeComponents, interceptors::AfterDeserializationInterceptorContextRef,
};
use aws_smithy_runtime_api::{box_error::BoxError, client::orchestrator::Metadata};
use quick_xml::{Reader, events::Event};

use crate::cloudfront::Operation;

/// The hook into the SDK.
#[derive(Debug)]
pub struct Whole;

/// Why an answer is not believed.
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
        let name = bag.load::<Metadata>().map(Metadata::name);
        let operation = Operation::ALL.into_iter().find(|operation| Some(operation.as_str()) == name);
        let body = context.response().body().bytes().unwrap_or_default().trim_ascii();
        let document_is_due = operation.is_none_or(Operation::is_answered_with_a_document);
        let as_due = if document_is_due { is_whole(body) } else { body.is_empty() };
        // What is an error already stays the error that it is.
        if as_due || context.output_or_error().is_err() { Ok(()) } else { Err(Broken.into()) }
    }
}

/// Whether a text is XML from the first tag of one element to its last. Its name is the SDK's to check.
fn is_whole(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let mut reader = Reader::from_str(text);
    let (mut open, mut elements) = (0_usize, 0_usize);
    loop {
        match reader.read_event() {
            Ok(Event::Start(_)) => (open, elements) = (open.saturating_add(1), elements.saturating_add(1)),
            Ok(Event::Empty(_)) => elements = elements.saturating_add(1),
            // Of the element that was opened last, or the reader fails.
            Ok(Event::End(_)) => open = open.saturating_sub(1),
            Ok(Event::Eof) => return elements > 0 && open == 0,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANTS: &str = "<?xml version=\"1.0\"?>\n<ListDistributionTenantsResult xmlns=\"http://example.com/\">\
        <DistributionTenantList><DistributionTenantSummary><Name>caf\u{e9} &amp; bar</Name><Note/>\
        </DistributionTenantSummary></DistributionTenantList></ListDistributionTenantsResult>";

    #[test]
    fn wherever_a_document_is_cut_it_is_not_whole() {
        assert!(is_whole(TENANTS.as_bytes()));
        for end in 0..TENANTS.len() {
            assert!(!is_whole(&TENANTS.as_bytes()[..end]), "{:?}", String::from_utf8_lossy(&TENANTS.as_bytes()[..end]));
        }
    }

    #[test]
    fn an_empty_list_is_whole_in_either_spelling() {
        for text in ["<Tags/>", "<Tags><Items></Items></Tags>", "<?xml version=\"1.0\"?><Tags><!-- none --></Tags>\n"] {
            assert!(is_whole(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_is_no_document_is_not_whole() {
        for text in
            [&b""[..], b"no XML", b"<Tags></Items>", b"</Tags>", b"<Tags>\xff</Tags>", b"<?xml version=\"1.0\"?>"]
        {
            assert!(!is_whole(text), "{}", String::from_utf8_lossy(text));
        }
    }
}
