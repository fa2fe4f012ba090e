//! Picks the members out of a request body. Any order will do; what is unknown or given twice is refused. Pure.

use crate::error::{ErrorCode, ServiceError};

use super::xml::{self, Element};

/// The members of a structure that have not been picked yet.
#[derive(Debug, Default)]
pub(super) struct Members(Vec<Element>);

impl Members {
    /// The members of the body, whose root must be `root`. An empty body has none.
    pub fn of_body(body: &[u8], root: &str) -> Result<Self, ServiceError> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        let element = xml::parse(body).map_err(|why| malformed(&format!("The body is not well-formed XML: {why}.")))?;
        if element.name != root {
            return Err(malformed(&format!("The root element must be {root}, not {}.", element.name)));
        }
        Self::of(element)
    }

    fn of(element: Element) -> Result<Self, ServiceError> {
        if element.text.trim().is_empty() {
            Ok(Self(element.children))
        } else {
            Err(malformed(&format!("There must be no text directly in the element {}.", element.name)))
        }
    }

    /// Takes out the structure `name`, if it is there.
    pub fn structure(&mut self, name: &str) -> Result<Option<Self>, ServiceError> {
        self.take(name)?.map(Self::of).transpose()
    }

    /// Takes out all the elements `name`.
    pub fn all(&mut self, name: &str) -> Vec<Element> {
        self.0.extract_if(.., |element| element.name == name).collect()
    }

    /// Takes out the text of `name`, if it is there.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, ServiceError> {
        self.take(name)?.map(text_of).transpose()
    }

    /// Takes out the truth value of `name`, if it is there.
    pub fn boolean(&mut self, name: &str) -> Result<Option<bool>, ServiceError> {
        let parse = |text: String| match text.trim() {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(malformed(&format!("{name} must be true or false, not \"{other}\"."))),
        };
        self.text(name)?.map(parse).transpose()
    }

    /// Takes out the number in `name`, if it is there.
    pub fn integer(&mut self, name: &str) -> Result<Option<i32>, ServiceError> {
        self.text(name)?.map(|text| integer(name, &text)).transpose()
    }

    /// Takes out the tags of `Items`.
    pub fn tag_items(&mut self) -> Result<Vec<(String, String)>, ServiceError> {
        let Some(mut items) = self.structure("Items")? else { return Ok(Vec::new()) };
        let tags = items.all("Tag").into_iter().map(|element| {
            let mut tag = Self::of(element)?;
            let key = tag.text("Key")?.ok_or_else(|| malformed("A Tag must have a Key."))?;
            let value = tag.text("Value")?.unwrap_or_default();
            tag.end()?;
            Ok((key, value))
        });
        let tags = tags.collect::<Result<_, _>>()?;
        items.end()?;
        Ok(tags)
    }

    /// Takes out the keys of `Items`.
    pub fn key_items(&mut self) -> Result<Vec<String>, ServiceError> {
        let Some(mut items) = self.structure("Items")? else { return Ok(Vec::new()) };
        let keys = items.all("Key").into_iter().map(text_of).collect::<Result<_, _>>()?;
        items.end()?;
        Ok(keys)
    }

    /// Refuses what has not been picked.
    pub fn end(self) -> Result<(), ServiceError> {
        match self.0.first() {
            None => Ok(()),
            Some(element) => Err(malformed(&format!("The element {} is not expected here.", element.name))),
        }
    }

    fn take(&mut self, name: &str) -> Result<Option<Element>, ServiceError> {
        let mut found = self.all(name);
        let element = found.pop();
        if found.is_empty() {
            Ok(element)
        } else {
            Err(malformed(&format!("The element {name} is given more than once.")))
        }
    }
}

/// A number sent as text.
pub(super) fn integer(name: &str, text: &str) -> Result<i32, ServiceError> {
    text.trim().parse().map_err(|_| malformed(&format!("{name} must be a number, not \"{text}\".")))
}

fn text_of(element: Element) -> Result<String, ServiceError> {
    if element.children.is_empty() {
        Ok(element.text)
    } else {
        Err(malformed(&format!("There must be no elements in the element {}.", element.name)))
    }
}

pub(super) fn malformed(message: &str) -> ServiceError {
    ServiceError::new(ErrorCode::MalformedXML, message)
}
