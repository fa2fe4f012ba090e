//! XML as a tree of elements: bytes in, [`Element`] out, and text out. Pure.

use quick_xml::Reader;
use quick_xml::escape;
use quick_xml::events::{BytesStart, Event};

/// An element: text, or further elements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub name: String,
    pub text: String,
    pub children: Vec<Element>,
}

/// The root element of a document, or what is wrong with it.
pub(super) fn parse(bytes: &[u8]) -> Result<Element, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        let closed = match event {
            Event::Start(tag) => {
                open.push(element(&tag));
                None
            }
            Event::Empty(tag) => Some(element(&tag)),
            Event::End(_) => open.pop(),
            Event::Text(piece) => {
                append(&mut open, &piece)?;
                None
            }
            Event::CData(piece) => {
                append(&mut open, &piece)?;
                None
            }
            Event::GeneralRef(name) => {
                let reference = format!("&{};", &*name);
                append(&mut open, &escape::unescape(&reference).map_err(|error| error.to_string())?)?;
                None
            }
            Event::Eof => return Err("it ends too early".to_owned()),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => None,
            Event::DocType(_) => return Err("a document type is not allowed".to_owned()),
        };
        if let Some(done) = closed {
            match open.last_mut() {
                Some(parent) => parent.children.push(done),
                None => return Ok(done),
            }
        }
    }
}

fn element(tag: &BytesStart<'_>) -> Element {
    let name = tag.local_name().as_ref().to_owned();
    Element { name, ..Element::default() }
}

fn append(open: &mut [Element], piece: &str) -> Result<(), String> {
    match open.last_mut() {
        Some(element) => element.text.push_str(piece),
        None if piece.trim().is_empty() => {}
        None => return Err("there is text outside of the root element".to_owned()),
    }
    Ok(())
}

/// Writes a document element by element.
#[derive(Debug, Default)]
pub(super) struct Document(String);

impl Document {
    /// A document whose root element has the API's namespace.
    pub fn rooted(name: &str, content: impl FnOnce(&mut Self)) -> String {
        let mut document = Self("<?xml version=\"1.0\"?>\n".to_owned());
        document.0.extend(["<", name, " xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\">"]);
        content(&mut document);
        document.0.extend(["</", name, ">"]);
        document.0
    }

    /// An element with elements in it.
    pub fn parent(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.0.extend(["<", name, ">"]);
        content(self);
        self.0.extend(["</", name, ">"]);
    }

    /// An element with text in it.
    pub fn text(&mut self, name: &str, text: impl std::fmt::Display) {
        let text = text.to_string();
        // A reader would turn a bare carriage return into a line feed.
        let escaped = escape::escape(&text).replace('\r', "&#13;");
        self.0.extend(["<", name, ">", &escaped, "</", name, ">"]);
    }

    /// An element with text in it, if there is text.
    pub fn optional(&mut self, name: &str, text: Option<impl std::fmt::Display>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_escaping_and_reading_back() {
        let odd = "a & b < c > d \" ' \u{e9} \u{1f980} \r\n\t]]>";
        let written = Document::rooted("Root", |root| root.text("Value", odd));
        assert_eq!(parse(written.as_bytes()).unwrap().children[0].text, odd);
    }

    #[test]
    fn both_kinds_of_empty_element_character_data_and_prefixes_are_read() {
        let root = parse(
            b"<?xml version=\"1.0\"?>\n<a:R xmlns:a=\"x\"><A/><B></B><C><![CDATA[<&>]]></C><D>&#233;&amp;</D></a:R>",
        )
        .unwrap();
        assert_eq!(root.name, "R");
        let texts: Vec<_> = root.children.iter().map(|child| (child.name.as_str(), child.text.as_str())).collect();
        assert_eq!(texts, [("A", ""), ("B", ""), ("C", "<&>"), ("D", "é&")]);
    }

    #[test]
    fn broken_documents_are_refused() {
        for text in ["", "<a>", "<a></b>", "text", "<a>&unknown;</a>", "<!DOCTYPE a><a/>", "{\"json\": 1}"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(parse(&[b'<', 0xff, b'>']).is_err());
    }
}
