//! Killed (SIGKILL) at every boundary of every call to CloudFront; after a restart everything is as if nothing had happened.

use std::collections::BTreeMap;
use std::time::Duration;

use cloudfront_simulator::admin::{Fault, FaultRule, GroupPatch, LoggedCall, Moment, NewGroup, NewTenant, Operation};
use connection_group_operator::api::ConnectionGroup;
use kube::api::DeleteParams;
use serde_json::json;
use testbed::{Operator, Result, Testbed, wait_gone};

use crate::{steps, steps::PATIENCE};

/// What a user does with an object that is in sync, or does not exist yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Create,
    /// Of a group without an owner.
    Adopt,
    /// Of a group that another installation has marked.
    TakeOver,
    Edit,
    Tag,
    Untag,
    /// Deletes an object that retains its group.
    Retain,
    /// Disables the group while tenants block its deletion.
    Enable,
    Delete,
}

/// The calls that each step causes.
const CALLS: [(Step, &[Operation]); 9] = [
    (Step::Adopt, &[Operation::TagResource]),
    (Step::Create, &[Operation::CreateConnectionGroup]),
    (Step::TakeOver, &[Operation::TagResource]),
    (Step::Edit, &[Operation::GetConnectionGroup, Operation::ListTagsForResource, Operation::UpdateConnectionGroup]),
    (Step::Tag, &[Operation::TagResource]),
    (Step::Untag, &[Operation::UntagResource]),
    (Step::Retain, &[Operation::UntagResource]),
    (Step::Enable, &[Operation::UpdateConnectionGroup]),
    (
        Step::Delete,
        &[
            Operation::GetConnectionGroup,
            Operation::ListTagsForResource,
            Operation::ListDistributionTenants,
            Operation::UpdateConnectionGroup,
            Operation::DeleteConnectionGroup,
        ],
    ),
];

impl Step {
    /// The reason for which the object is at rest once the step is done; `None` if it is gone.
    const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Create | Self::Adopt | Self::TakeOver | Self::Tag | Self::Untag => Some("Deployed"),
            Self::Edit => Some("Disabled"),
            Self::Enable => Some("InUse"),
            Self::Retain | Self::Delete => None,
        }
    }

    /// The changes at CloudFront that the operator makes in the life cycle of such an object, each of them once.
    fn changes(self) -> Vec<Operation> {
        use Operation::{
            CreateConnectionGroup as Create, DeleteConnectionGroup as Delete, TagResource as Tag,
            UntagResource as Untag, UpdateConnectionGroup as Update,
        };
        match self {
            Self::Create => vec![Create],
            Self::Adopt | Self::TakeOver => vec![Tag],
            Self::Edit | Self::Enable => vec![Create, Update],
            Self::Tag => vec![Create, Tag],
            Self::Untag | Self::Retain => vec![Create, Untag],
            Self::Delete => vec![Create, Update, Delete],
        }
    }
}

/// A call at which the process is killed: before it takes effect, or after it but before its answer is received.
struct Point {
    /// Each has an object of its own.
    name: String,
    step: Step,
    operation: Operation,
    moment: Moment,
}

fn points() -> Vec<Point> {
    let calls = CALLS.iter().flat_map(|(step, operations)| operations.iter().map(move |operation| (*step, *operation)));
    let calls = calls.flat_map(|call| [(call, Moment::Before), (call, Moment::After)]).enumerate();
    calls
        .map(|(n, ((step, operation), moment))| Point { name: format!("point-{n:02}"), step, operation, moment })
        .collect()
}

/// A consistency window, and what takes a second or two on an idle machine.
const A_WINDOW: Duration = Duration::from_secs(90);

/// What each kill may cost: the next process reads the group again, with its tags and tenants, before and after a change.
const CALLS_PER_KILL: usize = 6;

const PREDECESSOR: &str = "1f0c7a52-6e0d-4f0b-9a53-0d4c2f1b8e77";

#[tokio::test]
async fn killed_at_every_boundary_of_every_call_it_ends_where_an_undisturbed_run_ends() -> Result<()> {
    let (undisturbed, killed) = tokio::try_join!(run(Disturbance::None), run(Disturbance::Killed))?;
    let (points, more) = (points().len(), killed.saturating_sub(undisturbed));
    println!("{points} points; {undisturbed} calls undisturbed, {more} more when killed");
    assert!(more <= points * CALLS_PER_KILL, "{more} more calls");
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Disturbance {
    None,
    Killed,
}

/// Returns the number of calls that do not depend on how long it takes.
async fn run(disturbance: Disturbance) -> Result<usize> {
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    // No group of this account was created recently, as far as the operator knows, so each shows all its tags.
    admin.advance_clock(Duration::from_hours(1)).await?;
    let mut operator = patient(&bed).await?;
    for Point { name, step, .. } in points() {
        prepare(&bed, &name, step).await?;
    }
    for Point { name, step, .. } in points() {
        hold_back(&bed, &name, step).await?;
    }

    let mut held = Vec::new();
    for Point { name, operation, moment: when, .. } in points() {
        if disturbance == Disturbance::Killed {
            let fault = Fault::Hold { when };
            let rule = FaultRule { target: Some(name), times: Some(1), ..FaultRule::new(operation, fault) };
            held.push(admin.add_fault(&rule).await?);
        }
    }
    // The first call that is held must not time out before the last one is held: adoptions take a consistency window to get there.
    for adoptions in [true, false] {
        let of_this_round = |point: &Point| (point.step == Step::Adopt) == adoptions;
        for Point { name, step, .. } in points().into_iter().filter(of_this_round) {
            take(&bed, &name, step).await?;
        }
        for (_, fault) in points().iter().zip(&held).filter(|(point, _)| of_this_round(point)) {
            admin.wait_until_held(*fault, A_WINDOW).await?;
        }
    }
    if disturbance == Disturbance::Killed {
        for when in [Moment::After, Moment::Before] {
            let list = admin.hold_once(Operation::ListConnectionGroups, when).await?;
            admin.wait_until_held(list, PATIENCE).await?;
            operator.kill().await?;
            held.push(list);
            operator.restart().await?;
        }
    }
    assert_end(&bed).await?;
    // The dead process's calls take effect, late.
    for fault in held {
        admin.release(fault).await?;
    }
    steps::an_inventory(&bed).await?;
    assert_end(&bed).await?;
    assert_eq!(effects(&admin.requests(0).await?), expected_effects(disturbance));
    Ok(steps::calls_but_lists(&bed, 0).await?.iter().filter(|call| !is_repeated_in_time(call)).count())
}

/// Whether such calls keep coming during the test: after each list, the groups that are being deleted are read, and a group that is in use is read again
/// and again.
fn is_repeated_in_time(call: &LoggedCall) -> bool {
    let is_in_use = |point: &Point| point.step == Step::Enable && call.group_name.as_ref() == Some(&point.name);
    let is_read = call.operation.is_some_and(Operation::is_read);
    call.status == Some(404) || (is_read && points().iter().any(is_in_use))
}

/// An operator that can have many calls in flight, and waits for them as long as a test may take.
async fn patient(bed: &Testbed) -> Result<Operator> {
    let patience = ["--aws-call-timeout=30s", "--consistency-window=30s"];
    let keys = ["--allow-adoption", "--take-over-installation", PREDECESSOR];
    steps::operator(bed).args(patience).args(keys).start().await
}

/// What exists before the step.
async fn prepare(bed: &Testbed, name: &str, step: Step) -> Result<()> {
    let spec = match step {
        Step::Create => return Ok(()),
        Step::Adopt | Step::TakeOver => {
            let mark = |key: &str, value| (format!("cloudfront.kube-operators.dev/{key}"), value);
            let owner = format!("{0}/{0}/{name}", bed.namespace);
            let marks = [mark("owner", owner), mark("installation", PREDECESSOR.to_owned())];
            let tags = if step == Step::Adopt { BTreeMap::new() } else { marks.into() };
            bed.simulator.admin.create_group(&NewGroup { tags, ..NewGroup::named(name) }).await?;
            return Ok(());
        }
        Step::Untag => json!({ "tags": { "team": "edge" } }),
        Step::Retain => json!({ "deletionPolicy": "Retain" }),
        Step::Edit | Step::Tag | Step::Enable | Step::Delete => json!({}),
    };
    steps::create(bed, name, spec).await.map(drop)
}

/// Waits for what was prepared; starts a deletion that is to be blocked.
async fn hold_back(bed: &Testbed, name: &str, step: Step) -> Result<()> {
    if matches!(step, Step::Create | Step::Adopt | Step::TakeOver) {
        return Ok(());
    }
    steps::ready(bed, name).await?;
    if step == Step::Enable {
        bed.simulator.admin.create_tenant(&NewTenant::behind(name, format!("{name}-shop"))).await?;
        delete(bed, name).await?;
        steps::settled(bed, name, "InUse").await?;
    }
    Ok(())
}

async fn take(bed: &Testbed, name: &str, step: Step) -> Result<()> {
    match step {
        Step::Create | Step::TakeOver => steps::create(bed, name, json!({})).await.map(drop),
        Step::Adopt => steps::create(bed, name, json!({ "adoptionPolicy": "Always" })).await.map(drop),
        Step::Edit => steps::patch(bed, name, json!({ "spec": { "enabled": false } })).await.map(drop),
        Step::Tag => steps::patch(bed, name, json!({ "spec": { "tags": { "team": "edge" } } })).await.map(drop),
        Step::Untag => steps::patch(bed, name, json!({ "spec": { "tags": null } })).await.map(drop),
        Step::Enable => {
            let off = GroupPatch { enabled: Some(false), ..GroupPatch::default() };
            bed.simulator.admin.edit_group(name, &off).await?;
            Ok(())
        }
        Step::Retain | Step::Delete => delete(bed, name).await,
    }
}

async fn delete(bed: &Testbed, name: &str) -> Result<()> {
    bed.api::<ConnectionGroup>().await?.delete(name, &DeleteParams::default()).await?;
    Ok(())
}

/// Each object is at rest, or gone, and its group as it should be; and there is no other group.
async fn assert_end(bed: &Testbed) -> Result<()> {
    let objects = bed.api::<ConnectionGroup>().await?;
    let mut expected = BTreeMap::new();
    for Point { name, step, .. } in points() {
        // A new process cannot know what was sent just before it began: it waits for the consistency window.
        match step.reason() {
            None => wait_gone(&objects, &name, A_WINDOW).await?,
            Some(reason) => drop(steps::settled_within(bed, &name, reason, A_WINDOW).await?),
        }
        if step != Step::Delete {
            let team = (step == Step::Tag).then(|| "edge".to_owned());
            expected.insert(name, (step != Step::Edit, team, step != Step::Retain));
        }
    }
    let groups = bed.simulator.admin.state().await?.groups.into_iter().map(|group| {
        let tags = group.resource.tags.unwrap_or_default();
        let marked = tags.keys().any(|key| key.starts_with("cloudfront.kube-operators.dev/"));
        (group.resource.name, (group.resource.enabled, tags.get("team").cloned(), marked))
    });
    assert_eq!(groups.collect::<BTreeMap<_, _>>(), expected);
    Ok(())
}

/// How often changes took effect, by the name of the group.
type Effects = BTreeMap<(String, Operation), usize>;

/// How often each change took effect.
pub fn effects(calls: &[LoggedCall]) -> Effects {
    let mut effects = Effects::new();
    for call in calls.iter().filter(|call| call.took_effect) {
        let operation = call.operation.filter(|operation| !operation.is_read());
        if let (Some(operation), Some(name)) = (operation, call.group_name.clone().or_else(|| call.target.clone())) {
            *effects.entry((name, operation)).or_default() += 1;
        }
    }
    effects
}

fn expected_effects(disturbance: Disturbance) -> Effects {
    let mut effects = Effects::new();
    for Point { name, step, operation, moment } in points() {
        effects.extend(step.changes().into_iter().map(|change| ((name.clone(), change), 1)));
        // Tags have no ETag: the call of the dead process repeats what has been done since.
        let is_about_tags = matches!(operation, Operation::TagResource | Operation::UntagResource);
        if disturbance == Disturbance::Killed && moment == Moment::Before && is_about_tags {
            effects.insert((name, operation), 2);
        }
    }
    effects
}
