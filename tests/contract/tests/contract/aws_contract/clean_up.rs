//! Whatever happens, no group is left; and no group of anyone else is touched.

use std::{collections::BTreeMap, time::Duration};

use cloudfront_simulator::{
    Operation,
    admin::{Fault, FaultRule, LoggedCall, Moment, NewGroup, OperationFilter},
};
use futures::{StreamExt, stream};
use nix::sys::signal::Signal;
use serde_json::json;
use testbed::wait_until;

use super::program::{Place, Run, run};

const NOT_CLEAN: Option<i32> = Some(3);
const INTERRUPTED: Option<i32> = Some(130);
/// A whole run makes at least this many calls; with fewer, the tests here try less than they seem to.
const CALLS: usize = 80;
/// The requests that create a group, one for each of its two lives; the one between them requests a name that is taken.
const CREATIONS: [usize; 2] = [0, 2];
/// Runs at the same time, each with a simulator of its own.
const AT_ONCE: usize = 4;

fn at(call: usize, fault: Fault) -> FaultRule {
    let skip = u32::try_from(call).unwrap();
    FaultRule { skip, times: Some(1), ..FaultRule::new(OperationFilter::Any, fault) }
}

/// The calls of a run to which nothing happens.
async fn calls_of_a_run() -> Vec<LoggedCall> {
    let place = Place::switched(json!({})).await;
    let ended = run(place.agreed(), "").await;
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    place.assert_clean("undisturbed").await;
    place.simulator.admin.requests(0).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_at_any_call_it_leaves_nothing() {
    let calls = calls_of_a_run().await;
    // The last update is the last call before the clean-up; some of the clean-up's own are tried as well.
    let last = calls.iter().rposition(|call| call.operation == Some(Operation::UpdateConnectionGroup)).unwrap();
    assert!(last >= CALLS, "only {last} calls before the clean-up");
    let interrupted = |call: usize| async move {
        let place = Place::switched(json!({})).await;
        let admin = &place.simulator.admin;
        let moment = if call.is_multiple_of(2) { Moment::Before } else { Moment::After };
        let fault = admin.add_fault(&at(call, Fault::Hold { when: moment })).await.unwrap();
        let mut run = Run::start(place.agreed(), "").await;
        admin.wait_until_held(fault, Duration::from_secs(20)).await.unwrap();
        run.signal([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP][call % 3]);
        // A clean-up is not stopped by an interruption.
        run.says_one_of(&["Interrupted: finishing the call under way", "Cleaning up"]).await;
        admin.release(fault).await.unwrap();
        let ended = run.end().await;
        // The last call may end the work before the interruption does.
        assert!([INTERRUPTED, Some(0)].contains(&ended.code), "call {call}: {ended:?}");
        place.assert_clean(&format!("interrupted at call {call}")).await;
        ended.code == INTERRUPTED
    };
    let outcomes = stream::iter(0..last + 4).map(interrupted).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
    let interrupted = outcomes.iter().filter(|interrupted| **interrupted).count();
    println!("interrupted at {interrupted} calls, and in the clean-up at {}", outcomes.len() - interrupted);
    assert!(interrupted >= last, "interrupted at {interrupted} of {last} calls");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_change_is_carried_out_but_not_answered_it_leaves_nothing() {
    let calls = calls_of_a_run().await.into_iter().enumerate();
    let changes = calls.filter(|(_, call)| call.operation.is_some_and(|operation| !operation.is_read()));
    let unanswered = |(call, logged): (usize, LoggedCall)| async move {
        let place = Place::switched(json!({})).await;
        place.simulator.admin.add_fault(&at(call, Fault::Drop { when: Moment::After })).await.unwrap();
        let ended = run(place.agreed(), "").await;
        assert!([Some(0), Some(1)].contains(&ended.code), "call {call}: {ended:?}");
        place.assert_clean(&format!("no answer to {logged:?}: {}", ended.output)).await;
    };
    stream::iter(changes).map(unanswered).buffer_unordered(AT_ONCE).collect::<()>().await;
}

#[tokio::test]
async fn a_group_that_appears_late_is_waited_for_and_deleted() {
    for creation in CREATIONS {
        let place = Place::switched(json!({})).await;
        let late = Fault::Late { ms: 500 };
        let late = FaultRule { operation: Operation::CreateConnectionGroup.into(), ..at(creation, late) };
        place.simulator.admin.add_fault(&late).await.unwrap();
        let mut command = place.agreed();
        command.args(["--settle", "3s"]);
        let ended = run(command, "").await;
        assert_eq!(ended.code, Some(1), "{}", ended.output);
        let came = async || {
            let calls = place.simulator.admin.requests(0).await.unwrap();
            if calls.iter().any(|call| call.fault.is_some() && call.took_effect) { Ok(()) } else { Err("not yet") }
        };
        wait_until(Duration::from_secs(10), "the late creation", came).await.unwrap();
        place.assert_clean(&format!("creation {creation} came late: {}", ended.output)).await;
    }
}

#[tokio::test]
async fn interrupted_in_its_clean_up_it_continues() {
    let place = Place::switched(json!({})).await;
    let admin = &place.simulator.admin;
    let tagging = admin.hold_once(Operation::TagResource, Moment::After).await.unwrap();
    let mut run = Run::start(place.agreed(), "").await;
    admin.wait_until_held(tagging, Duration::from_secs(20)).await.unwrap();
    let deletion = admin.hold_once(Operation::DeleteConnectionGroup, Moment::Before).await.unwrap();
    run.signal(Signal::SIGINT);
    run.says("Interrupted").await;
    admin.release(tagging).await.unwrap();
    admin.wait_until_held(deletion, Duration::from_secs(20)).await.unwrap();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        run.signal(signal);
    }
    admin.release(deletion).await.unwrap();
    assert_eq!(run.end().await.code, INTERRUPTED);
    place.assert_clean("interrupted twice").await;
}

#[tokio::test]
async fn what_a_killed_run_leaves_another_run_removes_by_its_name() {
    for creation in CREATIONS {
        let place = Place::switched(json!({})).await;
        let admin = &place.simulator.admin;
        let hold = FaultRule {
            operation: Operation::CreateConnectionGroup.into(),
            ..at(creation, Fault::Hold { when: Moment::After })
        };
        let fault = admin.add_fault(&hold).await.unwrap();
        let mut run = Run::start(place.agreed(), "").await;
        let line = run.says("If this program is killed: make aws-contract CLEAN_UP=").await;
        let name = line.rsplit('=').next().unwrap();
        admin.wait_until_held(fault, Duration::from_secs(20)).await.unwrap();
        run.signal(Signal::SIGKILL);
        run.end().await;
        assert_eq!(place.groups().await.len(), 2, "there is something to clean up");

        let mut command = place.rehearsal();
        command.env("CLEAN_UP", name);
        let ended = super::program::run(command, "").await;
        assert_eq!(ended.code, Some(0), "{}", ended.output);
        place.assert_clean("cleaned up by name").await;
    }
}

#[tokio::test]
async fn a_group_without_the_mark_of_the_run_is_left_alone_whatever_its_name() {
    let place = Place::switched(json!({})).await;
    let name = "contract-test-0123456789ab";
    for tags in
        [BTreeMap::new(), BTreeMap::from([("connection-group-operator/contract-test".into(), "another".into())])]
    {
        place.simulator.admin.create_group(&NewGroup { tags, ..NewGroup::named(name) }).await.unwrap();
        let mut command = place.rehearsal();
        command.env("CLEAN_UP", name);
        let ended = run(command, "").await;
        assert_eq!(ended.code, NOT_CLEAN, "{}", ended.output);
        assert!(ended.output.contains("it was left alone"), "{}", ended.output);
        let group = place.simulator.admin.group(name).await.unwrap().expect("it is still there");
        assert_eq!(group.etag, "E23ZP02F085DFQ", "unchanged");
        place.simulator.admin.delete_group(name).await.unwrap();
    }
}

#[tokio::test]
async fn only_a_name_that_a_run_gives_can_be_cleaned_up() {
    let place = Place::switched(json!({})).await;
    for name in ["neighbour", "contract-test-", "contract-test-0123456789ab.dot", "contract-test-0123456789abc"] {
        let mut command = place.rehearsal();
        command.env("CLEAN_UP", name);
        assert_eq!(run(command, "").await.code, Some(2), "{name}");
    }
    assert_eq!(place.calls().await, 0);
}

#[tokio::test]
async fn a_group_that_cannot_be_deleted_is_named() {
    let place = Place::switched(json!({})).await;
    place
        .simulator
        .admin
        .add_fault(&FaultRule {
            operation: Operation::DeleteConnectionGroup.into(),
            times: None,
            ..at(
                0,
                Fault::Error { status: 403, code: "AccessDenied".into(), message: "no".into(), when: Moment::Before },
            )
        })
        .await
        .unwrap();
    let mut command = place.agreed();
    command.args(["--deadline", "1s"]);
    let ended = run(command, "").await;
    assert_eq!(ended.code, NOT_CLEAN, "{}", ended.output);
    assert!(ended.output.contains("NOT CLEAN: the group contract-test-"), "{}", ended.output);
    assert!(ended.output.contains("Try again: make aws-contract CLEAN_UP=contract-test-"), "{}", ended.output);
}
