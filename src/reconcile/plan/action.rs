//! What a reconcile does. Pure data.

use super::{change::Change, finding::Finding};

/// What a reconcile does: one change, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Change something in CloudFront.
    Change(Change),
    /// Change nothing.
    None(Finding),
}

impl From<Change> for Action {
    fn from(change: Change) -> Self {
        Self::Change(change)
    }
}

impl From<Finding> for Action {
    fn from(finding: Finding) -> Self {
        Self::None(finding)
    }
}
