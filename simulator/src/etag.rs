//! The `ETag` of a version number. Pure.
//!
//! CloudFront's `ETag`s are a fixed sequence: the first version of every resource has the same one, and so on. So an
//! `ETag` guards a version, never an identity. The first five are known from public traces; the rest are made up,
//! always alike.

use crate::ids;

const KNOWN: [&str; 5] = ["E23ZP02F085DFQ", "ETVPDKIKX0DER", "E3UN6WX5RRO2AG", "E1F83G8C2ARO7P", "E1PA6795UKMFR9"];

/// The `ETag` of the version `number`; the first version is 0.
pub fn of_version(number: u32) -> String {
    match KNOWN.get(number as usize) {
        Some(known) => (*known).to_owned(),
        None => format!("E{}", ids::digits(ids::mix(u64::from(number), "etag"), ids::UPPER, 13)),
    }
}

/// Whether this could be an `ETag` at all.
pub fn is_plausible(text: &str) -> bool {
    (2..=16).contains(&text.len())
        && text.starts_with('E')
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_sequence_starts_as_observed_and_never_repeats() {
        assert_eq!(of_version(0), "E23ZP02F085DFQ");
        assert_eq!(of_version(1), "ETVPDKIKX0DER");
        let all: BTreeSet<_> = (0..2000).map(of_version).collect();
        assert_eq!(all.len(), 2000);
        assert!(all.iter().all(|etag| is_plausible(etag)));
    }

    #[test]
    fn other_text_is_no_etag() {
        for text in ["", "E", "*", "\"E1\"", "W/E1", "e23zp02f085dfq", "X23ZP02F085DFQ"] {
            assert!(!is_plausible(text), "{text}");
        }
    }
}
