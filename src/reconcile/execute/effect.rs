//! The result of a change: facts, without a sentence. Pure data.

use crate::{
    api::{Drift, RefusedMember},
    cloudfront::{ApiError, Described, Group, GroupId, Members, NewGroup, Tags, Tenants},
    reconcile::{
        ownership::Installation,
        plan::{Blocker, RemainingWork, Update},
    },
};

/// The result of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The group was created.
    Created(Group, NewGroup),
    /// An unowned group now carries our tags.
    Adopted(Group),
    /// A group without an identity now carries ours.
    Marked(Described),
    /// The group now carries our identity in place of this one.
    TakenOver(Group, Installation),
    /// Members were updated.
    Updated(Box<Updated>),
    /// CloudFront refused an update because of its content.
    MembersRefused(Box<MembersRefused>),
    /// Tags were set.
    Tagged(Box<Tagged>),
    /// These tags were removed.
    Untagged(Group, Vec<String>, RemainingWork),
    /// Deletion: the group is disabled.
    DisabledInDeletion(Box<Switched>, Option<TenantsRead>),
    /// Deletion: the group is enabled again, because the deletion cannot go on, or the group is kept.
    EnabledAgain(Box<Switched>, Blocker),
    /// CloudFront accepted the Delete.
    Deleted(GroupId),
    /// The group no longer carries the tags that mark ownership.
    Disowned(Group),
    /// Nothing was changed: CloudFront accepts no change while it rolls out an earlier one.
    Postponed(Group, Postponed),
}

/// Who uses a group that was just disabled, or why that could not be determined.
pub type TenantsRead = Result<Tenants, ApiError>;

/// Tags that were set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged {
    /// The group.
    pub group: Group,
    /// The tags.
    pub set: Tags,
    /// What is left to do.
    pub left: RemainingWork,
    /// Those that were correct before, as far as is known, until another client removed or changed them.
    pub corrected: Vec<Drift>,
    /// Whether other clients keep changing the group.
    pub series: Series,
}

/// An update of members that CloudFront accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Updated {
    /// The group before.
    pub read: Group,
    /// The group as the answer shows it.
    pub answer: Group,
    /// What was sent.
    pub update: Update,
    /// The changes that the spec asks for and the answer shows.
    pub made: Vec<Drift>,
    /// The changes of other clients that it corrected.
    pub corrected: Vec<Drift>,
    /// Whether other clients keep changing the group.
    pub series: Series,
    /// Who uses the group, if it was disabled.
    pub tenants: Option<TenantsRead>,
}

/// Whether a correction triggers the warning that other clients keep changing the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Series {
    /// It does not: there is none, or it is not the third of its series.
    Short,
    /// It does: it is the third of its series.
    Flapping,
}

/// An update of members that CloudFront refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembersRefused {
    /// The group as it is.
    pub read: Group,
    /// What was sent.
    pub update: Update,
    /// The answer.
    pub error: ApiError,
    /// The refusal, if one member was sent alone. If several were sent, each is tried alone next.
    pub refusal: Option<RefusedMember>,
}

/// A group that was enabled or disabled for its deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switched {
    /// The group before.
    pub read: Group,
    /// What was sent.
    pub sent: Members,
    /// The group as the answer shows it.
    pub answer: Group,
}

/// Which change waits for a roll-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Postponed {
    /// One that enables the group of a deletion again: its tenants are read meanwhile.
    Enable,
    /// Any other.
    Other,
}
