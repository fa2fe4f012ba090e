//! What each scenario is on record to show: how many states, and the plans and errors that it is there for.
//!
//! The counts are exact for the bounds of `make test` and the same on every machine. More of them than on record is the code's business; fewer means that
//! something is no longer explored.

use connection_group_operator::cloudfront::{ErrorClass, Operation};

/// What a scenario must show.
pub struct Record {
    pub scenario: &'static str,
    pub states: usize,
    pub plans: &'static [&'static str],
    pub errors: &'static [(Operation, ErrorClass)],
}

pub const RECORDS: [Record; 31] = [
    Record {
        scenario: "life",
        states: 973_501,
        plans: &["Create", "Update", "Tag", "Listed", "UpToDate", "NotLooked", "DeletedOutside"],
        errors: &[
            (Operation::CreateConnectionGroup, ErrorClass::AlreadyExists),
            (Operation::UpdateConnectionGroup, ErrorClass::NotFound),
            (Operation::UpdateConnectionGroup, ErrorClass::StaleEtag),
            (Operation::DeleteConnectionGroup, ErrorClass::StaleEtag),
            (Operation::TagResource, ErrorClass::NotFound),
        ],
    },
    Record {
        scenario: "faults",
        states: 258_323,
        plans: &[
            "Disable",
            "AwaitDisabled",
            "Delete",
            "ConfirmGone",
            "Release(Gone)",
            "Blocked(TagsPending)",
            "Outdated",
        ],
        errors: &[
            (Operation::DeleteConnectionGroup, ErrorClass::NotFound),
            (Operation::UpdateConnectionGroup, ErrorClass::ServiceUnavailable),
            (Operation::CreateConnectionGroup, ErrorClass::TimedOut),
        ],
    },
    Record {
        scenario: "minds",
        states: 281_497,
        plans: &["Untag"],
        errors: &[
            (Operation::TagResource, ErrorClass::AccessDenied),
            (Operation::UntagResource, ErrorClass::Throttled),
        ],
    },
    Record {
        scenario: "deletion",
        states: 418_550,
        plans: &["Blocked(InUse)"],
        errors: &[(Operation::DeleteConnectionGroup, ErrorClass::HasTenants)],
    },
    Record {
        scenario: "struck",
        states: 385_407,
        plans: &["Blocked(InUse)", "Enable"],
        errors: &[(Operation::DeleteConnectionGroup, ErrorClass::HasTenants)],
    },
    Record {
        scenario: "owners",
        states: 437_896,
        plans: &["Refuse(NotOwned)"],
        errors: &[(Operation::CreateConnectionGroup, ErrorClass::AlreadyExists)],
    },
    Record {
        scenario: "strangers",
        states: 393_918,
        plans: &["Refuse(AdoptionRefused)", "Release(NotOurs)", "Blocked(OwnerTagMissing)"],
        errors: &[],
    },
    Record { scenario: "adoption", states: 848_527, plans: &["Adopt", "Blocked(OwnerMayShow)"], errors: &[] },
    Record { scenario: "squatters", states: 343_800, plans: &["Blocked(TagsOfAnother)", "Adopt"], errors: &[] },
    Record { scenario: "dispute", states: 74_810, plans: &["Blocked(Flapping)", "Update"], errors: &[] },
    Record {
        scenario: "replicas",
        states: 747_459,
        plans: &["Create", "Delete"],
        errors: &[(Operation::UpdateConnectionGroup, ErrorClass::StaleEtag)],
    },
    Record {
        scenario: "modes",
        states: 383_415,
        plans: &[
            "Mirrored",
            "NothingToMirror",
            "Disown",
            "Release(Retained)",
            "Release(Observed)",
            "Blocked(Suspended)",
            "Blocked(DeletionProtected)",
            "Blocked(ClaimMayLand)",
        ],
        errors: &[(Operation::UpdateConnectionGroup, ErrorClass::NotFound)],
    },
    Record {
        scenario: "anycast",
        states: 507_017,
        plans: &["MembersRefused"],
        errors: &[
            (Operation::CreateConnectionGroup, ErrorClass::NotFound),
            (Operation::CreateConnectionGroup, ErrorClass::InvalidArgument),
            (Operation::UpdateConnectionGroup, ErrorClass::NotFound),
            (Operation::UpdateConnectionGroup, ErrorClass::InvalidArgument),
        ],
    },
    Record { scenario: "sticky", states: 153_643, plans: &["MembersRefused"], errors: &[] },
    Record { scenario: "drift", states: 387_153, plans: &["Tag", "Listed"], errors: &[] },
    Record {
        scenario: "refusals",
        states: 139_081,
        plans: &["AwaitDisabled"],
        errors: &[
            (Operation::UpdateConnectionGroup, ErrorClass::InUse),
            (Operation::DeleteConnectionGroup, ErrorClass::NotDisabled),
        ],
    },
    Record {
        scenario: "quota",
        states: 212_007,
        plans: &["Create"],
        errors: &[(Operation::CreateConnectionGroup, ErrorClass::LimitExceeded)],
    },
    Record { scenario: "forgeries", states: 383_344, plans: &["ConfirmGone", "Release(Gone)"], errors: &[] },
    Record {
        scenario: "requests",
        states: 66_714,
        plans: &["MembersRefused", "Tag"],
        errors: &[(Operation::UpdateConnectionGroup, ErrorClass::InvalidArgument)],
    },
    Record { scenario: "lag", states: 273_967, plans: &["Create", "Disable", "Release(Gone)"], errors: &[] },
    Record {
        scenario: "members",
        states: 28_867,
        plans: &["MembersRefused", "Update"],
        errors: &[(Operation::UpdateConnectionGroup, ErrorClass::NotFound)],
    },
    Record { scenario: "lists", states: 49_158, plans: &["Update"], errors: &[] },
    Record { scenario: "tags", states: 7_270, plans: &["Tag", "Untag"], errors: &[] },
    Record {
        scenario: "blocked",
        states: 56_021,
        plans: &["Enable", "Disown"],
        errors: &[(Operation::UntagResource, ErrorClass::NotFound)],
    },
    Record { scenario: "clones", states: 13_633, plans: &["Refuse(Elsewhere)", "Release(Elsewhere)"], errors: &[] },
    Record { scenario: "heir", states: 82_519, plans: &["TakeOver", "Refuse(Elsewhere)"], errors: &[] },
    Record { scenario: "unmarked", states: 10_113, plans: &["Mark"], errors: &[] },
    Record { scenario: "lies", states: 204_543, plans: &["ConfirmAbsence", "Blocked(OwnerUnstated)"], errors: &[] },
    Record { scenario: "terse", states: 7_406, plans: &["UpToDate"], errors: &[] },
    Record { scenario: "replaced", states: 74_144, plans: &["Blocked(OwnerMayShow)", "Adopt"], errors: &[] },
    Record { scenario: "default group", states: 78_255, plans: &["Refuse(DefaultGroup)"], errors: &[] },
];

/// The record of a scenario.
pub fn of(scenario: &str) -> &'static Record {
    RECORDS.iter().find(|record| record.scenario == scenario).expect("every scenario has its record")
}
