//! What each scenario must show: the plans and errors that it exists for, and its exact number of states.
//!
//! The counts are for the bounds of `make test` and are the same on every machine. They are in records.tsv, which `make model-records` writes. Fewer states
//! mean that something is no longer explored; more, that something new can happen. Both need an explanation.

use std::{collections::BTreeMap, fs, sync::Mutex};

use connection_group_operator::cloudfront::{ErrorClass, Operation};
use port::PlanName;

/// What a scenario must show.
pub struct Record {
    pub scenario: &'static str,
    pub plans: &'static [PlanName],
    pub errors: &'static [(Operation, ErrorClass)],
}

pub const RECORDS: [Record; 35] = [
    Record {
        scenario: "life",
        plans: &[
            PlanName::Create,
            PlanName::Update,
            PlanName::Tag,
            PlanName::Listed,
            PlanName::UpToDate,
            PlanName::NotRead,
            PlanName::DeletedOutside,
        ],
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
            PlanName::Disable,
            PlanName::AwaitDisabled,
            PlanName::Delete,
            PlanName::ConfirmGone,
            PlanName::ReleaseGone,
            PlanName::TagsPending,
            PlanName::Outdated,
        ],
        errors: &[
            (Operation::DeleteConnectionGroup, ErrorClass::NotFound),
            (Operation::UpdateConnectionGroup, ErrorClass::ServiceUnavailable),
            (Operation::CreateConnectionGroup, ErrorClass::TimedOut),
        ],
    },
    Record {
        scenario: "minds",
        plans: &[PlanName::Untag],
        errors: &[
            (Operation::TagResource, ErrorClass::AccessDenied),
            (Operation::UntagResource, ErrorClass::Throttled),
        ],
    },
    Record {
        scenario: "errors",
        plans: &[PlanName::Create, PlanName::Tag, PlanName::Untag, PlanName::Disable, PlanName::Delete],
        errors: &[],
    },
    Record {
        scenario: "old lists",
        plans: &[PlanName::ConfirmGone, PlanName::ReleaseGone, PlanName::Delete],
        errors: &[],
    },
    Record {
        scenario: "unlisted",
        plans: &[PlanName::Enable, PlanName::InUse],
        errors: &[(Operation::DeleteConnectionGroup, ErrorClass::HasTenants)],
    },
    Record {
        scenario: "deletion",
        plans: &[PlanName::InUse],
        errors: &[(Operation::DeleteConnectionGroup, ErrorClass::HasTenants)],
    },
    Record {
        scenario: "struck",
        plans: &[PlanName::InUse, PlanName::Enable],
        errors: &[(Operation::DeleteConnectionGroup, ErrorClass::HasTenants)],
    },
    Record {
        scenario: "owners",
        plans: &[PlanName::NotOwned],
        errors: &[(Operation::CreateConnectionGroup, ErrorClass::AlreadyExists)],
    },
    Record {
        scenario: "strangers",
        plans: &[PlanName::AdoptionRefused, PlanName::ReleaseNotOurs, PlanName::OwnerTagMissing],
        errors: &[],
    },
    Record { scenario: "adoption", plans: &[PlanName::Adopt, PlanName::OwnerMayShow], errors: &[] },
    Record { scenario: "squatters", plans: &[PlanName::TagsOfAnother, PlanName::Adopt], errors: &[] },
    Record { scenario: "dispute", plans: &[PlanName::Flapping, PlanName::Update], errors: &[] },
    Record {
        scenario: "replicas",
        plans: &[PlanName::Create, PlanName::Delete],
        errors: &[(Operation::UpdateConnectionGroup, ErrorClass::StaleEtag)],
    },
    Record {
        scenario: "modes",
        plans: &[
            PlanName::Mirrored,
            PlanName::NothingToMirror,
            PlanName::Disown,
            PlanName::ReleaseRetained,
            PlanName::ReleaseObserved,
            PlanName::Suspended,
            PlanName::DeletionProtected,
            PlanName::ClaimPending,
        ],
        errors: &[(Operation::UpdateConnectionGroup, ErrorClass::NotFound)],
    },
    Record {
        scenario: "anycast",
        plans: &[PlanName::MembersRefused],
        errors: &[
            (Operation::CreateConnectionGroup, ErrorClass::NotFound),
            (Operation::CreateConnectionGroup, ErrorClass::InvalidArgument),
            (Operation::UpdateConnectionGroup, ErrorClass::NotFound),
            (Operation::UpdateConnectionGroup, ErrorClass::InvalidArgument),
        ],
    },
    Record { scenario: "sticky", plans: &[PlanName::MembersRefused], errors: &[] },
    Record { scenario: "drift", plans: &[PlanName::Tag, PlanName::Listed], errors: &[] },
    Record {
        scenario: "refusals",
        plans: &[PlanName::AwaitDisabled],
        errors: &[
            (Operation::UpdateConnectionGroup, ErrorClass::InUse),
            (Operation::DeleteConnectionGroup, ErrorClass::NotDisabled),
        ],
    },
    Record {
        scenario: "quota",
        plans: &[PlanName::Create],
        errors: &[(Operation::CreateConnectionGroup, ErrorClass::LimitExceeded)],
    },
    Record { scenario: "aliased", plans: &[PlanName::Create], errors: &[] },
    Record { scenario: "forgeries", plans: &[PlanName::ConfirmGone, PlanName::ReleaseGone], errors: &[] },
    Record {
        scenario: "requests",
        plans: &[PlanName::MembersRefused, PlanName::Tag],
        errors: &[(Operation::UpdateConnectionGroup, ErrorClass::InvalidArgument)],
    },
    Record { scenario: "lag", plans: &[PlanName::Create, PlanName::Disable, PlanName::ReleaseGone], errors: &[] },
    Record {
        scenario: "members",
        plans: &[PlanName::MembersRefused, PlanName::Update],
        errors: &[(Operation::UpdateConnectionGroup, ErrorClass::NotFound)],
    },
    Record { scenario: "lists", plans: &[PlanName::Update], errors: &[] },
    Record { scenario: "tags", plans: &[PlanName::Tag, PlanName::Untag], errors: &[] },
    Record {
        scenario: "blocked",
        plans: &[PlanName::Enable, PlanName::Disown],
        errors: &[(Operation::UntagResource, ErrorClass::NotFound)],
    },
    Record { scenario: "clones", plans: &[PlanName::Elsewhere, PlanName::ReleaseElsewhere], errors: &[] },
    Record { scenario: "heir", plans: &[PlanName::TakeOver, PlanName::Elsewhere], errors: &[] },
    Record { scenario: "unmarked", plans: &[PlanName::Mark], errors: &[] },
    Record { scenario: "lies", plans: &[PlanName::ConfirmAbsence, PlanName::OwnerUnstated], errors: &[] },
    Record { scenario: "terse", plans: &[PlanName::UpToDate], errors: &[] },
    Record { scenario: "replaced", plans: &[PlanName::OwnerMayShow, PlanName::Adopt], errors: &[] },
    Record { scenario: "default group", plans: &[PlanName::DefaultGroup], errors: &[] },
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
