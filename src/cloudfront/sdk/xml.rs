//! An XML document in plain form. Pure.
//!
//! In: the bytes of a document. Out: the same document without what its meaning does not depend on: declaration, comments, processing instructions, CDATA
//! sections, namespaces and attributes (members of this API have none); and the position of each child of its root. `None` if the document is not complete.

use std::ops::Range;

use quick_xml::{Reader, escape::escape, events::Event};

/// A document in plain form.
#[derive(Debug, Default)]
pub struct Plain {
    /// The document.
    pub text: String,
    /// Whether text was written in a way that the SDK misreads: it takes only the first piece of an element's text, and no CDATA section.
    pub was_in_pieces: bool,
    children: Vec<(String, Range<usize>)>,
}

impl Plain {
    /// The children of the root: the name and the complete element of each.
    pub fn children(&self) -> impl Iterator<Item = (&str, &str)> {
        self.children.iter().map(|(name, place)| (name.as_str(), &self.text[place.clone()]))
    }
}

/// The document in plain form, if it is complete XML, from the first tag of an element to its last.
pub fn plain(document: &[u8]) -> Option<Plain> {
    let document = std::str::from_utf8(document).ok()?;
    let mut reader = Reader::from_str(document);
    let mut plain = Plain::default();
    let (mut open, mut elements, mut child_began) = (0_usize, 0_usize, 0);
    loop {
        let event = reader.read_event().ok()?;
        if open == 1 && matches!(event, Event::Start(_) | Event::Empty(_)) {
            child_began = plain.text.len();
        }
        let closed = match event {
            Event::Start(tag) => {
                plain.text.extend(["<", tag.local_name().as_ref(), ">"]);
                (open, elements) = (open.saturating_add(1), elements.saturating_add(1));
                None
            }
            Event::Empty(tag) => {
                plain.text.extend(["<", tag.local_name().as_ref(), "/>"]);
                elements = elements.saturating_add(1);
                Some(tag.local_name().as_ref().to_owned())
            }
            // It closes the element that was opened last, or the reader fails.
            Event::End(tag) => {
                plain.text.extend(["</", tag.local_name().as_ref(), ">"]);
                open = open.saturating_sub(1);
                Some(tag.local_name().as_ref().to_owned())
            }
            Event::Text(text) if open > 0 => {
                plain.text.push_str(&text);
                None
            }
            Event::GeneralRef(name) if open > 0 => {
                plain.text.extend(["&", &*name, ";"]);
                None
            }
            Event::CData(text) if open > 0 => {
                plain.text.push_str(&escape(&*text));
                plain.was_in_pieces = true;
                None
            }
            Event::Comment(_) | Event::PI(_) => {
                plain.was_in_pieces |= open > 0;
                None
            }
            Event::Eof => return (elements > 0 && open == 0).then_some(plain),
            Event::Text(_) | Event::GeneralRef(_) | Event::CData(_) | Event::Decl(_) | Event::DocType(_) => None,
        };
        if let (1, Some(name)) = (open, closed) {
            plain.children.push((name, child_began..plain.text.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANTS: &str = "<?xml version=\"1.0\"?>\n<ListDistributionTenantsResult xmlns=\"http://example.com/\">\
        <DistributionTenantList><DistributionTenantSummary><Name>caf\u{e9} &amp; bar</Name><Note/>\
        </DistributionTenantSummary></DistributionTenantList></ListDistributionTenantsResult>";

    fn is_whole(text: &[u8]) -> bool {
        plain(text).is_some()
    }

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
    fn what_is_not_a_document_is_not_whole() {
        for text in
            [&b""[..], b"no XML", b"<Tags></Items>", b"</Tags>", b"<Tags>\xff</Tags>", b"<?xml version=\"1.0\"?>"]
        {
            assert!(!is_whole(text), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn text_in_pieces_becomes_one_and_escapes_stay() {
        let odd = "<?xml version=\"1.0\"?><!-- a --><a:G xmlns:a=\"x\"><a:N b=\"c\">1<!-- c -->2<![CDATA[<3]]>&amp;&#x34;</a:N><E/></a:G>";
        let read = plain(odd.as_bytes()).unwrap();
        assert_eq!(read.text, "<G><N>12&lt;3&amp;&#x34;</N><E/></G>");
        assert!(read.was_in_pieces && !plain(TENANTS.as_bytes()).unwrap().was_in_pieces);
        let children = read.children().collect::<Vec<_>>();
        assert_eq!(children, [("N", "<N>12&lt;3&amp;&#x34;</N>"), ("E", "<E/>")]);
    }
}
