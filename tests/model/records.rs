//! What each scenario must show: the plans and errors that it exists for, and its exact number of states.
//!
//! The counts are for the bounds of `make test` and are the same on every machine. They are in records.tsv, which `make model-records` writes. Fewer states
//! mean that something is no longer explored; more, that something new can happen. Both need an explanation.

use std::{collections::BTreeMap, fs, sync::Mutex};

use connection_group_operator::cloudfront::{ErrorClass, Operation};

/// What a scenario must show.
pub struct Record {
    pub scenario: &'static str,
    pub plans: &'static [&'static str],
    pub errors: &'static [(Operation, ErrorClass)],
}

pub const RECORDS: [Record; 35] = [
    Record {
        scenario: "life",
        plans: &["Create", "Update", "Tag", "Listed", "UpToDate", "NotRead", "DeletedOutside"],
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
        plans: &["Untag"],
        errors: &[
            (Operation::TagResource, ErrorClass::AccessDenied),
            (Operation::UntagResource, ErrorClass::Throttled),
        ],
    },
    Record { scenario: "errors", plans: &["Create", "Tag", "Untag", "Disable", "Delete"], errors: &[] },
    Record { scenario: "old lists", plans: &["ConfirmGone", "Release(Gone)", "Delete"], errors: &[] },
    Record {
        scenario: "unlisted",
        plans: &["Enable", "Blocked(InUse)"],
        errors: &[(Operation::DeleteConnectionGroup, ErrorClass::HasTenants)],
    },
    Record {
        scenario: "deletion",
        plans: &["Blocked(InUse)"],
        errors: &[(Operation::DeleteConnectionGroup, ErrorClass::HasTenants)],
    },
    Record {
        scenario: "struck",
        plans: &["Blocked(InUse)", "Enable"],
        errors: &[(Operation::DeleteConnectionGroup, ErrorClass::HasTenants)],
    },
    Record {
        scenario: "owners",
        plans: &["Refuse(NotOwned)"],
        errors: &[(Operation::CreateConnectionGroup, ErrorClass::AlreadyExists)],
    },
    Record {
        scenario: "strangers",
        plans: &["Refuse(AdoptionRefused)", "Release(NotOurs)", "Blocked(OwnerTagMissing)"],
        errors: &[],
    },
    Record { scenario: "adoption", plans: &["Adopt", "Blocked(OwnerMayShow)"], errors: &[] },
    Record { scenario: "squatters", plans: &["Blocked(TagsOfAnother)", "Adopt"], errors: &[] },
    Record { scenario: "dispute", plans: &["Blocked(Flapping)", "Update"], errors: &[] },
    Record {
        scenario: "replicas",
        plans: &["Create", "Delete"],
        errors: &[(Operation::UpdateConnectionGroup, ErrorClass::StaleEtag)],
    },
    Record {
        scenario: "modes",
        plans: &[
            "Mirrored",
            "NothingToMirror",
            "Disown",
            "Release(Retained)",
            "Release(Observed)",
            "Blocked(Suspended)",
            "Blocked(DeletionProtected)",
            "Blocked(ClaimPending)",
        ],
        errors: &[(Operation::UpdateConnectionGroup, ErrorClass::NotFound)],
    },
    Record {
        scenario: "anycast",
        plans: &["MembersRefused"],
        errors: &[
            (Operation::CreateConnectionGroup, ErrorClass::NotFound),
            (Operation::CreateConnectionGroup, ErrorClass::InvalidArgument),
            (Operation::UpdateConnectionGroup, ErrorClass::NotFound),
            (Operation::UpdateConnectionGroup, ErrorClass::InvalidArgument),
        ],
    },
    Record { scenario: "sticky", plans: &["MembersRefused"], errors: &[] },
    Record { scenario: "drift", plans: &["Tag", "Listed"], errors: &[] },
    Record {
        scenario: "refusals",
        plans: &["AwaitDisabled"],
        errors: &[
            (Operation::UpdateConnectionGroup, ErrorClass::InUse),
            (Operation::DeleteConnectionGroup, ErrorClass::NotDisabled),
        ],
    },
    Record {
        scenario: "quota",
        plans: &["Create"],
        errors: &[(Operation::CreateConnectionGroup, ErrorClass::LimitExceeded)],
    },
    Record { scenario: "aliased", plans: &["Create"], errors: &[] },
    Record { scenario: "forgeries", plans: &["ConfirmGone", "Release(Gone)"], errors: &[] },
    Record {
        scenario: "requests",
        plans: &["MembersRefused", "Tag"],
        errors: &[(Operation::UpdateConnectionGroup, ErrorClass::InvalidArgument)],
    },
    Record { scenario: "lag", plans: &["Create", "Disable", "Release(Gone)"], errors: &[] },
    Record {
        scenario: "members",
        plans: &["MembersRefused", "Update"],
        errors: &[(Operation::UpdateConnectionGroup, ErrorClass::NotFound)],
    },
    Record { scenario: "lists", plans: &["Update"], errors: &[] },
    Record { scenario: "tags", plans: &["Tag", "Untag"], errors: &[] },
    Record {
        scenario: "blocked",
        plans: &["Enable", "Disown"],
        errors: &[(Operation::UntagResource, ErrorClass::NotFound)],
    },
    Record { scenario: "clones", plans: &["Refuse(Elsewhere)", "Release(Elsewhere)"], errors: &[] },
    Record { scenario: "heir", plans: &["TakeOver", "Refuse(Elsewhere)"], errors: &[] },
    Record { scenario: "unmarked", plans: &["Mark"], errors: &[] },
    Record { scenario: "lies", plans: &["ConfirmAbsence", "Blocked(OwnerUnstated)"], errors: &[] },
    Record { scenario: "terse", plans: &["UpToDate"], errors: &[] },
    Record { scenario: "replaced", plans: &["Blocked(OwnerMayShow)", "Adopt"], errors: &[] },
    Record { scenario: "default group", plans: &["Refuse(DefaultGroup)"], errors: &[] },
];

/// The record of a scenario.
pub fn of(scenario: &str) -> &'static Record {
    RECORDS.iter().find(|record| record.scenario == scenario).expect("every scenario has its record")
}

const COUNTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/records.tsv");
const HEADING: &str = "scenario\tstates";

/// Compares a scenario with its count of states, or records the count.
pub fn count(scenario: &str, states: usize) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    if std::env::var_os("MODEL_RECORDS").is_some() {
        let _turn = ONE_AT_A_TIME.lock();
        let mut counts = counts();
        counts.retain(|known, _| RECORDS.iter().any(|record| record.scenario == known));
        counts.insert(scenario.to_owned(), states);
        let rows = counts.iter().map(|(scenario, states)| format!("{scenario}\t{states}\n"));
        fs::write(COUNTS, format!("{HEADING}\n{}", rows.collect::<String>())).unwrap();
        return;
    }
    assert_eq!(
        counts().get(scenario).copied(),
        Some(states),
        "{scenario}: the count of states differs from the record. Run `make model-records`, and explain the diff of records.tsv in the commit message"
    );
}

/// The states of each scenario on record.
pub fn counts() -> BTreeMap<String, usize> {
    let text = fs::read_to_string(COUNTS).unwrap();
    let rows = text.strip_prefix(HEADING).expect("the heading").lines().filter(|row| !row.is_empty());
    rows.map(|row| {
        let (scenario, states) = row.split_once('\t').expect("a scenario and its states");
        (scenario.to_owned(), states.parse().unwrap())
    })
    .collect()
}
