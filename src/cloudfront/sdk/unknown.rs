//! Names of elements that this version does not know: logged once, and few enough for metric labels. In: a name, as CloudFront or a proxy in its place wrote
//! it. Out: a label. Writes log lines.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use crate::cloudfront::error::one_line;

/// The names that have been seen.
#[derive(Debug, Default)]
pub struct Unknown(Mutex<BTreeSet<String>>);

/// How many names get their own label.
const NAMES: usize = 20;

/// Maximum length of a name, far beyond those of the API.
const NAME_LIMIT: usize = 64;

/// The label of all further names.
const OTHER: &str = "other";

impl Unknown {
    /// The label for a name. A new name is logged.
    pub fn label(&self, name: &str) -> String {
        let name = one_line(name, NAME_LIMIT);
        let mut seen = self.0.lock();
        if seen.contains(&name) {
            return name;
        }
        if seen.len() >= NAMES {
            return OTHER.to_owned();
        }
        tracing::warn!(
            element = name,
            "CloudFront sends an element of connection groups that this version does not manage; it is left as it is"
        );
        seen.insert(name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_labels_until_there_are_too_many() {
        let unknown = Unknown::default();
        for number in 0..NAMES {
            assert_eq!(unknown.label(&format!("E{number}")), format!("E{number}"));
        }
        assert_eq!((unknown.label("E0").as_str(), unknown.label("Further").as_str()), ("E0", OTHER));
        assert!(unknown.label(&"x".repeat(500)).len() <= NAME_LIMIT + 3);
    }
}
