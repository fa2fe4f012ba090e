//! The sentences, each a function whose name is the sentence. In: a target. Out: which sentences hold. Talks to the target.

pub mod life;
pub mod neighbours;

use crate::target::Verdict;

/// One sentence, and whether it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What the operator relies on.
    pub sentence: String,
    /// Whether it holds.
    pub verdict: Verdict,
}

impl Finding {
    pub(crate) fn new(function: &str, verdict: Verdict) -> Self {
        Self { sentence: function.replace('_', " "), verdict }
    }
}
