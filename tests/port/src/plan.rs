//! Every plan of a reconcile by its name: the one list of them that tests share.

use connection_group_operator::reconcile::plan::{Action, Block, Change, Finding, NotManaged, Release};

/// A plan without its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, strum::VariantArray)]
#[expect(missing_docs, reason = "each is named after the plan")]
pub enum PlanName {
    Create,
    Adopt,
    Mark,
    TakeOver,
    Update,
    Tag,
    Untag,
    Disable,
    Enable,
    Delete,
    Disown,
    NotRead,
    Outdated,
    Listed,
    UpToDate,
    Mirrored,
    NothingToMirror,
    ConfirmAbsence,
    DeletedOutside,
    AwaitDisabled,
    ConfirmGone,
    ReleaseGone,
    ReleaseNotOurs,
    ReleaseElsewhere,
    ReleaseRetained,
    ReleaseObserved,
    Suspended,
    DeletionProtected,
    InUse,
    TagsPending,
    ClaimPending,
    TagsOfAnother,
    OwnerMayShow,
    OwnerTagMissing,
    OwnerUnstated,
    Flapping,
    MembersRefused,
    NotOwned,
    Elsewhere,
    DefaultGroup,
    AdoptionRefused,
}

impl PlanName {
    /// All plans.
    pub const ALL: &[Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The name of a plan. No wildcard: a new plan must be named, and then be reached by a row of the table and a scenario of the model check.
    #[must_use]
    pub const fn of(plan: &Action) -> Self {
        match plan {
            Action::Change(mutation) => match mutation {
                Change::Create(_) => Self::Create,
                Change::Adopt(_) => Self::Adopt,
                Change::Mark(_) => Self::Mark,
                Change::TakeOver(..) => Self::TakeOver,
                Change::Update(..) => Self::Update,
                Change::Tag(..) => Self::Tag,
                Change::Untag(..) => Self::Untag,
                Change::DisableInDeletion(_) => Self::Disable,
                Change::EnableAgain(..) => Self::Enable,
                Change::Delete(_) => Self::Delete,
                Change::Disown(_) => Self::Disown,
            },
            Action::None(finding) => match finding {
                Finding::NotRead => Self::NotRead,
                Finding::Outdated => Self::Outdated,
                Finding::Listed(_) => Self::Listed,
                Finding::UpToDate(_) => Self::UpToDate,
                Finding::Mirrored(..) => Self::Mirrored,
                Finding::NothingToMirror => Self::NothingToMirror,
                Finding::ConfirmAbsence => Self::ConfirmAbsence,
                Finding::DeletedOutside => Self::DeletedOutside,
                Finding::AwaitDisabled(_) => Self::AwaitDisabled,
                Finding::ConfirmGone(_) => Self::ConfirmGone,
                Finding::Release(Release::Gone) => Self::ReleaseGone,
                Finding::Release(Release::NotOurs) => Self::ReleaseNotOurs,
                Finding::Release(Release::Elsewhere(_)) => Self::ReleaseElsewhere,
                Finding::Release(Release::Retained) => Self::ReleaseRetained,
                Finding::Release(Release::Observed(_)) => Self::ReleaseObserved,
                Finding::Blocked(Block::Suspended) => Self::Suspended,
                Finding::Blocked(Block::DeletionProtected(_)) => Self::DeletionProtected,
                Finding::Blocked(Block::InUse(..)) => Self::InUse,
                Finding::Blocked(Block::TagsPending(..)) => Self::TagsPending,
                Finding::Blocked(Block::ClaimPending(..)) => Self::ClaimPending,
                Finding::Blocked(Block::TagsOfAnother) => Self::TagsOfAnother,
                Finding::Blocked(Block::OwnerMayShow(..)) => Self::OwnerMayShow,
                Finding::Blocked(Block::OwnerTagMissing(..)) => Self::OwnerTagMissing,
                Finding::Blocked(Block::OwnerUnstated(_)) => Self::OwnerUnstated,
                Finding::Blocked(Block::Flapping(..)) => Self::Flapping,
                Finding::MembersRefused(..) => Self::MembersRefused,
                Finding::NotManaged(_, NotManaged::NotOwned(_)) => Self::NotOwned,
                Finding::NotManaged(_, NotManaged::Elsewhere(_)) => Self::Elsewhere,
                Finding::NotManaged(_, NotManaged::DefaultGroup) => Self::DefaultGroup,
                Finding::NotManaged(_, NotManaged::AdoptionRefused(_)) => Self::AdoptionRefused,
            },
        }
    }
}
