//! Every sentence that a condition or an event may contain, and what it claims. A sentence that is not here fails the test, so that a new one gets its claim.
//!
//! "Is" means: as CloudFront reported when the operator last read it. "Nothing was changed" means: not by this reconcile.

mod deletion;
mod failures;
mod ownership;
mod service;

use super::facts::Facts;

/// A sentence, and whether it is true. The contents of its placeholders are passed in order.
pub struct Sentence {
    pub text: &'static str,
    pub is_true: fn(&Facts<'_>, &[&str]) -> bool,
}

const fn says(text: &'static str, is_true: fn(&Facts<'_>, &[&str]) -> bool) -> Sentence {
    Sentence { text, is_true }
}

/// Advice, or what happens under a condition: there is nothing to check.
const fn advises(text: &'static str) -> Sentence {
    says(text, |_, _| true)
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Sentence> {
    [service::SENTENCES, deletion::SENTENCES, ownership::SENTENCES, failures::SENTENCES].into_iter().flatten()
}
