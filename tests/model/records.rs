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

pub const RECORDS: [Record; 20] = [
    Record {
        scenario: "life",
        states: 611_533,
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
        states: 970_708,
        plans: &["Disable", "AwaitDisabled", "Delete", "ConfirmGone", "Release(Gone)", "Blocked(TagsPending)"],
        errors: &[
            (Operation::DeleteConnectionGroup, ErrorClass::NotFound),
            (Operation::UpdateConnectionGroup, ErrorClass::ServiceUnavailable),
            (Operation::CreateConnectionGroup, ErrorClass::TimedOut),
        ],
    },
    Record {
        scenario: "minds",
        states: 700_805,
        plans: &["Untag"],
        errors: &[
            (Operation::TagResource, ErrorClass::AccessDenied),
            (Operation::UntagResource, ErrorClass::Throttled),
        ],
    },
    Record {
        scenario: "deletion",
        states: 1_551_889,
        plans: &["Blocked(InUse)"],
        errors: &[(Operation::DeleteConnectionGroup, ErrorClass::HasTenants)],
    },
    Record {
        scenario: "owners",
        states: 207_832,
        plans: &["Refuse(NotOwned)"],
        errors: &[(Operation::CreateConnectionGroup, ErrorClass::AlreadyExists)],
    },
    Record {
        scenario: "strangers",
        states: 189_829,
        plans: &["Refuse(AdoptionRefused)", "Release(NotOurs)"],
        errors: &[],
    },
    Record { scenario: "adoption", states: 718_708, plans: &["Adopt", "Blocked(OwnerMayShow)"], errors: &[] },
    Record { scenario: "squatters", states: 310_328, plans: &["Blocked(TagsOfAnother)", "Adopt"], errors: &[] },
    Record { scenario: "dispute", states: 64_465, plans: &["Blocked(Flapping)", "Update"], errors: &[] },
    Record {
        scenario: "replicas",
        states: 290_553,
        plans: &["Create", "Delete"],
        errors: &[(Operation::UpdateConnectionGroup, ErrorClass::StaleEtag)],
    },
    Record {
        scenario: "modes",
        states: 179_135,
        plans: &[
            "Mirrored",
            "NothingToMirror",
            "Disown",
            "Release(Retained)",
            "Release(Observed)",
            "Blocked(Suspended)",
            "Blocked(DeletionProtected)",
        ],
        errors: &[(Operation::UntagResource, ErrorClass::NotFound)],
    },
    Record {
        scenario: "anycast",
        states: 348_880,
        plans: &["Refuse(AnycastDetachRejected)"],
        errors: &[
            (Operation::CreateConnectionGroup, ErrorClass::NotFound),
            (Operation::CreateConnectionGroup, ErrorClass::InvalidArgument),
            (Operation::UpdateConnectionGroup, ErrorClass::NotFound),
            (Operation::UpdateConnectionGroup, ErrorClass::InvalidArgument),
        ],
    },
    Record { scenario: "sticky", states: 110_435, plans: &["Refuse(AnycastDetachRejected)"], errors: &[] },
    Record { scenario: "drift", states: 295_178, plans: &["Tag", "Listed"], errors: &[] },
    Record {
        scenario: "refusals",
        states: 368_726,
        plans: &["AwaitDisabled"],
        errors: &[
            (Operation::UpdateConnectionGroup, ErrorClass::InUse),
            (Operation::DeleteConnectionGroup, ErrorClass::NotDisabled),
        ],
    },
    Record {
        scenario: "quota",
        states: 87_280,
        plans: &["Create"],
        errors: &[(Operation::CreateConnectionGroup, ErrorClass::LimitExceeded)],
    },
    Record { scenario: "forgeries", states: 228_650, plans: &["ConfirmGone", "Release(Gone)"], errors: &[] },
    Record {
        scenario: "requests",
        states: 394_405,
        plans: &["Refuse(AnycastDetachRejected)", "Tag"],
        errors: &[(Operation::UpdateConnectionGroup, ErrorClass::InvalidArgument)],
    },
    Record { scenario: "lag", states: 216_315, plans: &["Create", "Disable", "Release(Gone)"], errors: &[] },
    Record { scenario: "default group", states: 43_904, plans: &["Refuse(DefaultGroup)"], errors: &[] },
];

/// The record of a scenario.
pub fn of(scenario: &str) -> &'static Record {
    RECORDS.iter().find(|record| record.scenario == scenario).expect("every scenario has its record")
}
