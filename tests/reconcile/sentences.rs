//! Every sentence of a condition or an event is true when it is reported: each is checked against the state at CloudFront, what the operator read and changed, and
//! the object. The states come from the table of all modes, from stories that the table has no room for, and from a fault at each call of both.

mod catalogue;
mod facts;
mod grammar;
mod record;
mod stories;
mod walk;

use connection_group_operator::{
    api::{AdoptionPolicy, DeletionPolicy, Mode},
    cloudfront::{ErrorClass, Operation},
};

use self::{
    stories::STORIES,
    walk::{Check, Failure, Plan, Walk},
};
use port::Fault;

use crate::{
    table::{axes::Case, worlds::world},
    world::World,
};

/// The number of reconciles of each combination of the table.
const RECONCILES: usize = 4;

#[test]
fn every_sentence_of_a_condition_or_an_event_is_true_when_it_is_reported() {
    let mut check = Check::new();
    for case in Case::all() {
        let name = || format!("{case:?}");
        let mut walk = Walk::new(world(&case), true, &mut check, &name, None);
        walk.reconcile_times(if case.suspended { 1 } else { RECONCILES });
    }
    let in_the_table = check.reconciles;
    for case in Case::all().filter(is_sampled) {
        let begun = world(&case);
        let name = || format!("{case:?}");
        under_every_fault(&mut check, &name, true, &|| begun.fork(), &|walk| walk.reconcile_times(RECONCILES));
    }
    let with_faults = check.reconciles - in_the_table;
    for (story, begin, steps) in STORIES {
        let name = || (*story).to_owned();
        under_every_fault(&mut check, &name, false, begin, steps);
    }
    let report = check.report();
    let in_stories = check.reconciles - with_faults - in_the_table;
    println!("{in_the_table} reconciles in the table, {with_faults} with faults, {in_stories} in stories");
    assert!(report.is_empty(), "\n{report}");
}

/// One object of each kind over each group: what faults do does not depend on the rest.
fn is_sampled(case: &Case) -> bool {
    let is_decided = matches!(
        (case.adoption_allowed, case.adoption),
        (true, AdoptionPolicy::Always) | (false, AdoptionPolicy::Never)
    );
    let kind = (case.mode, case.being_deleted, case.deletion, case.protected);
    let is_kind = matches!(
        kind,
        (Mode::Manage | Mode::Observe, false, DeletionPolicy::Delete, false)
            | (Mode::Manage, true, DeletionPolicy::Delete, true | false)
            | (Mode::Manage, true, DeletionPolicy::Retain, false)
            | (Mode::Observe, true, DeletionPolicy::Delete, false)
    );
    is_decided && is_kind && !case.suspended
}

/// The walk without faults, then once for each fault of each call that it makes, and for a process that ends before or after each reconcile.
fn under_every_fault(
    check: &mut Check,
    name: &dyn Fn() -> String,
    others_changed: bool,
    begin: &dyn Fn() -> World,
    steps: &dyn Fn(&mut Walk<'_>),
) {
    let mut walk = Walk::new(begin(), others_changed, check, name, None);
    steps(&mut walk);
    let calls = std::mem::take(&mut walk.calls);
    for (reconcile, operations) in calls.into_iter().enumerate() {
        let of_calls = operations
            .into_iter()
            .flat_map(|operation| faults(operation).into_iter().map(move |fault| Failure::Call(operation, fault)));
        for failure in of_calls.chain([Failure::Crash, Failure::CrashBeforeStatus]) {
            let mut walk = Walk::new(begin(), others_changed, check, name, Some(Plan { reconcile, failure }));
            steps(&mut walk);
        }
    }
}

/// What can happen to that call.
fn faults(operation: Operation) -> Vec<Fault> {
    let errors = ErrorClass::ALL.iter().copied().map(Fault::Error);
    let others: &[Fault] = match operation {
        Operation::CreateConnectionGroup | Operation::TagResource | Operation::UntagResource => &[Fault::AnswerLost],
        Operation::UpdateConnectionGroup => {
            &[Fault::UnknownCode, Fault::AnswerLost, Fault::AnsweredWrongly, Fault::ChangedJustBefore]
        }
        Operation::DeleteConnectionGroup => &[Fault::AnswerLost, Fault::ChangedJustBefore],
        Operation::GetConnectionGroup => &[Fault::Stale, Fault::Lacking],
        Operation::ListTagsForResource => &[Fault::Stale],
        Operation::ListDistributionTenants => &[Fault::AnswerLost, Fault::EmptyPage, Fault::ListLeftOut],
        Operation::GetAnycastIpList | Operation::ListConnectionGroups => &[],
    };
    errors.chain(others.iter().copied()).collect()
}
