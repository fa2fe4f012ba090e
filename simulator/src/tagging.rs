//! What CloudFront asks of tags. Pure.

use unicode_general_category::{GeneralCategory as Category, get_general_category};

use crate::error::{ErrorCode, ServiceError};
use crate::model::Tags;

const KEY_MAX: usize = 128;
const VALUE_MAX: usize = 256;
const RESERVED_PREFIX: &str = "aws:";

/// The tags as a map, or the first rule they break.
pub fn checked(pairs: &[(String, String)]) -> Result<Tags, ServiceError> {
    let mut tags = Tags::new();
    for (key, value) in pairs {
        check_key(key)?;
        check_text("value", key, value, 0, VALUE_MAX)?;
        if tags.insert(key.clone(), value.clone()).is_some() {
            return Err(invalid(format!("Tag keys must be unique; \"{key}\" is given more than once.")));
        }
    }
    Ok(tags)
}

/// Refuses more tags than one resource may have.
pub fn check_count(tags: &Tags, limit: u32) -> Result<(), ServiceError> {
    if tags.len() > limit as usize {
        return Err(invalid(format!("A resource can have at most {limit} tags; it would have {}.", tags.len())));
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), ServiceError> {
    check_text("key", key, key, 1, KEY_MAX)?;
    if key.len() >= RESERVED_PREFIX.len() && key.as_bytes()[..4].eq_ignore_ascii_case(RESERVED_PREFIX.as_bytes()) {
        return Err(invalid(format!("Tag keys starting with \"aws:\" are reserved; \"{key}\" cannot be set.")));
    }
    Ok(())
}

fn check_text(part: &str, key: &str, text: &str, min: usize, max: usize) -> Result<(), ServiceError> {
    let length = text.chars().count();
    if length < min || length > max {
        return Err(invalid(format!(
            "The {part} of tag \"{key}\" must be {min} to {max} characters long, not {length}."
        )));
    }
    match text.chars().find(|c| !is_allowed(*c)) {
        Some(character) => Err(invalid(format!(
            "The {part} of tag \"{key}\" holds the character {character:?}, which is not allowed."
        ))),
        None => Ok(()),
    }
}

/// `[\p{L}\p{Z}\p{N}_.:/=+\-@]`, as the API model has it.
fn is_allowed(character: char) -> bool {
    "_.:/=+-@".contains(character)
        || matches!(
            get_general_category(character),
            Category::UppercaseLetter
                | Category::LowercaseLetter
                | Category::TitlecaseLetter
                | Category::ModifierLetter
                | Category::OtherLetter
                | Category::SpaceSeparator
                | Category::LineSeparator
                | Category::ParagraphSeparator
                | Category::DecimalNumber
                | Category::LetterNumber
                | Category::OtherNumber
        )
}

fn invalid(message: String) -> ServiceError {
    ServiceError::new(ErrorCode::InvalidTagging, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &str, value: &str) -> Result<Tags, ServiceError> {
        checked(&[(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn tags_within_the_rules_are_taken() {
        let long = "ß".repeat(128);
        for (key, value) in [
            ("k", ""),
            (long.as_str(), "v"),
            ("Ünï cödé", "日本語 ½"),
            ("a_.:/=+-@", "x"),
            ("xaws:", ""),
            ("awsome", ""),
        ] {
            assert!(check(key, value).is_ok(), "{key}={value}");
        }
    }

    #[test]
    fn tags_that_break_a_rule_are_refused_as_invalid_tagging() {
        let (long_key, long_value) = ("k".repeat(129), "v".repeat(257));
        for (key, value) in [
            ("", "v"),
            (long_key.as_str(), "v"),
            ("k", long_value.as_str()),
            ("aws:x", ""),
            ("AWS:x", ""),
            ("a&b", ""),
            ("k", "a<b"),
            ("k", "line\nbreak"),
            ("k", "🦀"),
        ] {
            let error = check(key, value).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidTagging, "{key}={value}");
        }
    }

    #[test]
    fn a_key_given_twice_is_refused() {
        let twice = [("k".to_owned(), "1".to_owned()), ("k".to_owned(), "2".to_owned())];
        assert_eq!(checked(&twice).unwrap_err().code, ErrorCode::InvalidTagging);
    }
}
