//! Killed (SIGKILL) at every boundary of every call, to CloudFront and to the API server; after a restart all is as if nothing had happened.

use std::collections::BTreeMap;

use cloudfront_simulator::admin::{Fault, FaultRule, LoggedCall, Moment, Operation};
use connection_group_operator::api::ConnectionGroup;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use testbed::{Operator, Result, Testbed, wait_gone, wait_until};

use crate::{steps, steps::PATIENCE};

/// What somebody does with an object that is in sync, or not there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Create,
    Edit,
    Tag,
    Untag,
    Delete,
}

/// The calls that each step brings about.
const CALLS: [(Step, &[Operation]); 5] = [
    (Step::Create, &[Operation::CreateConnectionGroup]),
    (Step::Edit, &[Operation::GetConnectionGroup, Operation::ListTagsForResource, Operation::UpdateConnectionGroup]),
    (Step::Tag, &[Operation::TagResource]),
    (Step::Untag, &[Operation::UntagResource]),
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

/// One object for each boundary: before the call takes effect, and after it but before its answer is heard.
fn points() -> Vec<(String, Step, Operation, Moment)> {
    let calls = CALLS.iter().flat_map(|(step, operations)| operations.iter().map(move |operation| (*step, *operation)));
    let points =
        calls.flat_map(|(step, operation)| [(step, operation, Moment::Before), (step, operation, Moment::After)]);
    points
        .enumerate()
        .map(|(n, (step, operation, moment))| (format!("point-{n:02}"), step, operation, moment))
        .collect()
}

#[tokio::test]
async fn killed_at_every_boundary_of_every_call_it_ends_where_an_undisturbed_run_ends() -> Result<()> {
    let undisturbed = run(Disturbance::None).await?;
    let killed = run(Disturbance::Killed).await?;
    println!("{} points; {undisturbed} calls undisturbed, {} more when killed", points().len(), killed - undisturbed);
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Disturbance {
    None,
    Killed,
}

/// Returns the number of calls, without lists and without answers that there is nothing.
async fn run(disturbance: Disturbance) -> Result<usize> {
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    let mut operator = patient(&bed).await?;
    for (name, step, ..) in points() {
        match step {
            Step::Create => continue,
            Step::Untag => steps::create(&bed, &name, json!({ "tags": { "team": "edge" } })).await?,
            Step::Edit | Step::Tag | Step::Delete => steps::create(&bed, &name, json!({})).await?,
        };
    }
    for (name, step, ..) in points() {
        if step != Step::Create {
            steps::ready(&bed, &name).await?;
        }
    }

    let mut held = Vec::new();
    if disturbance == Disturbance::Killed {
        for (name, _, operation, when) in points() {
            let fault = Fault::Hold { when };
            let rule = FaultRule { target: Some(name), times: Some(1), ..FaultRule::new(operation, fault) };
            held.push(admin.add_fault(&rule).await?);
        }
    }
    for (name, step, ..) in points() {
        take(&bed, &name, step).await?;
    }
    if disturbance == Disturbance::Killed {
        for fault in &held {
            admin.wait_until_held(*fault, PATIENCE).await?;
        }
        held.push(admin.hold_once(Operation::ListConnectionGroups, Moment::After).await?);
        admin.wait_until_held(held[held.len() - 1], PATIENCE).await?;
        operator.kill().await?;
        operator.restart().await?;
    }
    assert_end(&bed).await?;
    // The dead process's calls go on, late.
    for fault in held {
        admin.release(fault).await?;
    }
    steps::a_sweep(&bed).await?;
    assert_end(&bed).await?;

    let calls = admin.requests(0).await?;
    for ((name, operation), effects) in effects(&calls) {
        assert_eq!(effects, 1, "{operation:?} of {name} took effect {effects} times");
    }
    // While a deletion is waited out, each list is followed by a look at what is gone.
    Ok(steps::calls_but_lists(&bed, 0).await?.iter().filter(|call| call.status != Some(404)).count())
}

/// An operator that can have many calls under way, and waits for them for as long as a test may take.
async fn patient(bed: &Testbed) -> Result<Operator> {
    let patience = ["--aws-call-timeout=30s", "--create-settle-window=30s"];
    steps::operator(bed).args(patience).start().await
}

async fn take(bed: &Testbed, name: &str, step: Step) -> Result<()> {
    match step {
        Step::Create => steps::create(bed, name, json!({})).await.map(drop),
        Step::Edit => steps::patch(bed, name, json!({ "spec": { "enabled": false } })).await.map(drop),
        Step::Tag => steps::patch(bed, name, json!({ "spec": { "tags": { "team": "edge" } } })).await.map(drop),
        Step::Untag => steps::patch(bed, name, json!({ "spec": { "tags": null } })).await.map(drop),
        Step::Delete => {
            bed.api::<ConnectionGroup>().await?.delete(name, &DeleteParams::default()).await?;
            Ok(())
        }
    }
}

/// Each object is Ready, or gone, and so is its group; and there is no other.
async fn assert_end(bed: &Testbed) -> Result<()> {
    let mut expected = BTreeMap::new();
    for (name, step, ..) in points() {
        if step == Step::Delete {
            // A new process cannot know whether a Create was sent just before it began: it waits for the settle window.
            wait_gone(&bed.api::<ConnectionGroup>().await?, &name, PATIENCE * 3).await?;
        } else {
            steps::ready(bed, &name).await?;
            expected.insert(name, (step != Step::Edit, (step == Step::Tag).then(|| "edge".to_owned())));
        }
    }
    let groups = bed.simulator.admin.state().await?.groups.into_iter().map(|group| {
        let tags = group.resource.tags.unwrap_or_default();
        (group.resource.name, (group.resource.enabled, tags.get("team").cloned()))
    });
    assert_eq!(groups.collect::<BTreeMap<_, _>>(), expected);
    Ok(())
}

/// How often each creation and deletion took effect.
fn effects(calls: &[LoggedCall]) -> BTreeMap<(String, Operation), usize> {
    let mut effects = BTreeMap::new();
    for call in calls.iter().filter(|call| call.took_effect) {
        let operation = call.operation.filter(|operation| {
            matches!(operation, Operation::CreateConnectionGroup | Operation::DeleteConnectionGroup)
        });
        if let (Some(operation), Some(name)) = (operation, call.group_name.clone().or_else(|| call.target.clone())) {
            *effects.entry((name, operation)).or_default() += 1;
        }
    }
    effects
}

#[tokio::test]
async fn killed_between_an_answer_and_the_status_write_it_writes_what_is_so_and_repeats_nothing() -> Result<()> {
    let bed = steps::bed().await?;
    let mut operator = patient(&bed).await?;
    steps::create(&bed, "edited", json!({})).await?;
    steps::ready(&bed, "edited").await?;

    let denied = deny(&bed, "status", "connectiongroups/status", "true").await?;
    steps::create(&bed, "created", json!({})).await?;
    steps::patch(&bed, "edited", json!({ "spec": { "enabled": false } })).await?;
    let admin = &bed.simulator.admin;
    wait_until(PATIENCE, "both groups to be as asked", async || {
        let state = admin.state().await.map_err(|error| error.to_string())?;
        let enabled = |name| state.group(name).map(|group| group.resource.enabled);
        if (enabled("created"), enabled("edited")) == (Some(true), Some(false)) {
            Ok(())
        } else {
            Err(format!("{state:?}"))
        }
    })
    .await?;
    operator.kill().await?;
    let since = steps::now(&bed).await?;
    denied.lift(&bed).await?;
    operator.restart().await?;
    steps::ready(&bed, "created").await?;
    steps::settled(&bed, "edited", "Disabled").await?;
    assert!(steps::writes(&bed.simulator.admin.requests(since).await?).is_empty());
    Ok(())
}

#[tokio::test]
async fn killed_before_a_finalizer_is_stored_or_taken_off_it_has_changed_nothing_or_all() -> Result<()> {
    let bed = steps::bed().await?;
    let mut operator = steps::hasty_operator(&bed).start().await?;
    steps::create(&bed, "leaving", json!({})).await?;
    steps::ready(&bed, "leaving").await?;

    let finalizers = "object.metadata.?finalizers.orValue([]) != oldObject.metadata.?finalizers.orValue([])";
    let denied = deny(&bed, "finalizers", "connectiongroups", finalizers).await?;
    take(&bed, "leaving", Step::Delete).await?;
    take(&bed, "coming", Step::Create).await?;
    let admin = &bed.simulator.admin;
    wait_until(PATIENCE, "the group to be gone", async || match admin.state().await {
        Ok(state) if state.groups.is_empty() => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    steps::a_sweep(&bed).await?;
    assert!(admin.state().await?.groups.is_empty(), "nothing is created without a finalizer");
    operator.kill().await?;
    denied.lift(&bed).await?;
    operator.restart().await?;
    wait_gone(&bed.api::<ConnectionGroup>().await?, "leaving", PATIENCE).await?;
    steps::ready(&bed, "coming").await?;
    let calls = admin.requests(0).await?;
    let once = [
        ("coming", Operation::CreateConnectionGroup),
        ("leaving", Operation::CreateConnectionGroup),
        ("leaving", Operation::DeleteConnectionGroup),
    ];
    assert_eq!(effects(&calls), once.map(|(name, operation)| ((name.to_owned(), operation), 1)).into());
    Ok(())
}

/// Writes in the test's namespace that the API server refuses for now.
struct Denied(String);

/// Refuses updates of a resource for which the expression is true.
async fn deny(bed: &Testbed, name: &str, resource: &str, expression: &str) -> Result<Denied> {
    let name = format!("{}-{name}", bed.namespace);
    let policy: Value = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": { "name": name },
        "spec": {
            "matchConstraints": {
                "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": bed.namespace } },
                "resourceRules": [{
                    "apiGroups": ["cloudfront.kube-operators.dev"],
                    "apiVersions": ["*"],
                    "resources": [resource],
                    "operations": ["UPDATE"],
                }],
            },
            "validations": [{ "expression": format!("!({expression})"), "message": "refused by the test" }],
        },
    });
    let binding: Value = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": { "name": name },
        "spec": { "policyName": name, "validationActions": ["Deny"] },
    });
    for manifest in [&policy, &binding] {
        bed.apply(&manifest.to_string()).await?;
    }
    // It holds a moment later.
    steps::create(bed, "probe", json!({ "suspend": true })).await?;
    wait_until(PATIENCE, "the API server to refuse", async || {
        let patch = [r#"{"metadata":{"finalizers":["probe.example/1"]}}"#, r#"{"status":{"observedGeneration":7}}"#];
        let (subresource, patch) = if resource.ends_with("/status") { ("status", patch[1]) } else { ("", patch[0]) };
        let subresource = format!("--subresource={subresource}");
        let mut words = vec!["patch", "cfcg", "probe", "--type=merge", "--dry-run=server", "-p", patch];
        if subresource != "--subresource=" {
            words.push(&subresource);
        }
        match bed.kubectl(&words).await {
            Err(error) if error.to_string().contains("refused by the test") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;
    Ok(Denied(name))
}

impl Denied {
    async fn lift(self, bed: &Testbed) -> Result<()> {
        for kind in ["validatingadmissionpolicybinding", "validatingadmissionpolicy"] {
            bed.kubectl(&["delete", kind, &self.0]).await?;
        }
        Ok(())
    }
}
