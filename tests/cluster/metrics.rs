//! Every metric changes when the thing that it counts happens, and the list of metrics in the documents is that of a real scrape.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cloudfront_simulator::admin::{Fault, FaultRule, GroupPatch, Moment, NewGroup, NewTenant, Operation};
use connection_group_operator::api::ConnectionGroup;
use kube::api::DeleteParams;
use serde_json::json;
use testbed::{Operator, Result, Testbed, wait_gone, wait_until};
use tokio::time::{Instant, sleep_until};

use crate::{scrape::Scrape, steps, steps::PATIENCE};

const LISTED: &str = "docs/reference/metrics.md";

async fn scrape(operator: &Operator) -> Result<Scrape> {
    Ok(Scrape::of(&operator.metrics().await?))
}

/// Waits until each of these series satisfies `met`, which is given its value before and now; a series that does not exist counts as 0.
async fn until(
    operator: &Operator,
    before: &Scrape,
    rows: &[(&str, &str)],
    met: impl Fn(f64, f64) -> bool,
) -> Result<()> {
    wait_until(PATIENCE, "metrics that changed", async || {
        let now = scrape(operator).await.map_err(|error| error.to_string())?;
        let missed = rows.iter().filter_map(|(name, labels)| {
            let [then, now] = [before, &now].map(|scrape| scrape.sum(name, labels).unwrap_or_default());
            (!met(then, now)).then(|| format!("{name}{{{labels}}} was {then} and is {now}"))
        });
        let missed = missed.collect::<Vec<_>>();
        if missed.is_empty() { Ok(()) } else { Err(missed.join("; ")) }
    })
    .await
}

async fn grow(operator: &Operator, before: &Scrape, rows: &[(&str, &str)]) -> Result<()> {
    until(operator, before, rows, |then, now| now > then).await
}

async fn are(operator: &Operator, value: f64, rows: &[(&str, &str)]) -> Result<()> {
    until(operator, &Scrape::of(""), rows, |_, now| (now - value).abs() < 1e-9).await
}

fn error(status: u16, code: &str) -> Fault {
    Fault::Error { status, code: code.to_owned(), message: String::new(), when: Moment::Before }
}

#[tokio::test]
async fn every_metric_changes_with_what_it_counts_and_is_listed_in_the_documents() -> Result<()> {
    let bed = steps::bed().await?;
    let operator = steps::hasty_operator(&bed)
        .args(["--metrics-per-object", "--leader-election", "--leader-election-namespace"])
        .args([&bed.namespace])
        .start()
        .await?;
    at_rest(&operator).await?;
    one_object_is_created(&bed, &operator).await?;
    let tagged = Instant::now();
    a_pass_stands_still_and_another_object_goes_on(&bed, &operator).await?;
    calls_are_refused(&bed, &operator).await?;
    somebody_else_makes_changes(&bed, &operator, tagged).await?;
    an_object_goes(&bed, &operator).await?;
    lists_fail(&bed, &operator).await?;

    let text = operator.metrics().await?;
    let folder = target().join("states");
    fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join("metrics.txt"), &text)).expect("target is ours");
    assert_eq!(listed(), shown(&Scrape::of(&text)), "{LISTED} and a scrape");
    Ok(())
}

async fn at_rest(operator: &Operator) -> Result<()> {
    let version = format!("version={}", env!("CARGO_PKG_VERSION"));
    are(
        operator,
        1.0,
        &[
            ("connection_group_operator_build_info", &version),
            ("leader_election_master_status", "name=connection-group-operator"),
        ],
    )
    .await?;
    are(
        operator,
        0.0,
        &[
            ("controller_runtime_reconcile_total", ""),
            ("connection_group_operator_inventory_groups", ""),
            ("connection_group_operator_orphans", ""),
            ("connection_group_operator_termination_current_seconds", ""),
            ("workqueue_depth", "name=connectiongroup"),
        ],
    )
    .await?;
    are(operator, 100.0, &[("connection_group_operator_budget_calls_per_second", "")]).await?;
    let nothing = Scrape::of("");
    // Not `process_cpu_seconds_total`: it counts whole seconds, and this operator uses hardly one.
    let process = [
        ("process_start_time_seconds", ""),
        ("process_resident_memory_bytes", ""),
        ("process_virtual_memory_bytes", ""),
        ("process_open_fds", ""),
        ("process_max_fds", ""),
        ("process_threads", ""),
    ];
    grow(operator, &nothing, &process).await
}

async fn one_object_is_created(bed: &Testbed, operator: &Operator) -> Result<()> {
    let before = scrape(operator).await?;
    steps::create(bed, "edge", json!({ "tags": { "team": "edge" } })).await?;
    steps::ready(bed, "edge").await?;
    let call = "service=CloudFront,operation=CreateConnectionGroup";
    let answered = "service=CloudFront,operation=CreateConnectionGroup,status_code=201,error_code=";
    let deployed = "type=Ready,status=True,reason=Deployed";
    let named = format!("namespace={},name=edge,{deployed}", bed.namespace);
    grow(
        operator,
        &before,
        &[
            ("aws_api_calls_total", answered),
            ("aws_api_requests_total", answered),
            ("aws_api_call_duration_seconds_count", call),
            ("aws_api_call_retries_count", call),
            ("controller_runtime_reconcile_total", "controller=connectiongroup,result=success"),
            ("controller_runtime_reconcile_total", "controller=connectiongroup,result=requeue_after"),
            ("controller_runtime_reconcile_time_seconds_count", "controller=connectiongroup"),
            ("workqueue_adds_total", "name=connectiongroup"),
            ("workqueue_queue_duration_seconds_count", "name=connectiongroup"),
            ("workqueue_work_duration_seconds_count", "name=connectiongroup"),
            ("connection_group_operator_events_total", "reason=Created"),
            ("connection_group_operator_status_conditions", deployed),
            ("connection_group_operator_status_condition_current_status_seconds", deployed),
            ("connection_group_operator_status_condition_object_seconds", &named),
            ("connection_group_operator_status_condition_transitions_total", deployed),
            ("connection_group_operator_inventory_groups", ""),
        ],
    )
    .await
}

/// One reconcile waits for an answer that comes too late.
async fn a_pass_stands_still_and_another_object_goes_on(bed: &Testbed, operator: &Operator) -> Result<()> {
    let before = scrape(operator).await?;
    let hold = bed.simulator.admin.hold_once(Operation::UpdateConnectionGroup, Moment::Before).await?;
    steps::patch(bed, "edge", json!({ "spec": { "ipv6Enabled": false } })).await?;
    bed.simulator.admin.wait_until_held(hold, PATIENCE).await?;
    steps::create(bed, "waits", json!({})).await?;
    grow(
        operator,
        &before,
        &[
            ("workqueue_unfinished_work_seconds", "name=connectiongroup"),
            ("workqueue_longest_running_processor_seconds", "name=connectiongroup"),
            ("controller_runtime_active_workers", "controller=connectiongroup"),
        ],
    )
    .await?;
    steps::ready(bed, "waits").await?;
    grow(
        operator,
        &before,
        &[
            ("controller_runtime_reconcile_timeouts_total", "controller=connectiongroup"),
            ("controller_runtime_reconcile_errors_total", "controller=connectiongroup"),
            ("controller_runtime_reconcile_total", "controller=connectiongroup,result=error"),
            ("workqueue_retries_total", "name=connectiongroup"),
            ("aws_api_calls_total", "operation=UpdateConnectionGroup,status_code=,error_code=NoAnswer"),
        ],
    )
    .await?;
    bed.simulator.admin.delete_fault(hold).await?;
    steps::ready(bed, "edge").await?;
    are(operator, 0.0, &[("workqueue_depth", ""), ("controller_runtime_active_workers", "")]).await
}

async fn calls_are_refused(bed: &Testbed, operator: &Operator) -> Result<()> {
    let table = [
        ("throttled", Fault::Throttle, "Throttled", "aws_api_call_throttled_errors_total"),
        ("denied", error(403, "AccessDenied"), "AccessDenied", "aws_api_call_permission_errors_total"),
        ("limited", error(400, "EntityLimitExceeded"), "QuotaExceeded", "aws_api_call_limit_exceeded_errors_total"),
        ("invalid", error(400, "InvalidArgument"), "InvalidArgument", "aws_api_call_validation_errors_total"),
    ];
    for (name, fault, reason, metric) in table {
        let before = scrape(operator).await?;
        let (operation, target) = (Operation::CreateConnectionGroup, Some(name.to_owned()));
        bed.simulator.admin.add_fault(&FaultRule { target, ..FaultRule::new(operation, fault) }).await?;
        steps::create(bed, name, json!({})).await?;
        steps::settled(bed, name, reason).await?;
        let state = format!("type=Ready,status=False,reason={reason}");
        let errors = (metric, "service=CloudFront,operation=CreateConnectionGroup");
        grow(operator, &before, &[errors, ("connection_group_operator_status_conditions", &state)]).await?;
    }
    let terminal = ("controller_runtime_terminal_reconcile_errors_total", "controller=connectiongroup");
    grow(operator, &Scrape::of(""), &[terminal]).await?;
    let slower = [("connection_group_operator_slowed_calls_per_second", "operation=CreateConnectionGroup")];
    until(operator, &Scrape::of(""), &slower, |_, now| now > 0.0 && now < 100.0).await?;
    are(operator, 100.0, &[("connection_group_operator_budget_calls_per_second", "")]).await
}

/// `tagged`: when the tag `team` had been set.
async fn somebody_else_makes_changes(bed: &Testbed, operator: &Operator, tagged: Instant) -> Result<()> {
    let (before, admin) = (scrape(operator).await?, &bed.simulator.admin);
    admin.edit_group("edge", &GroupPatch { enabled: Some(false), ..GroupPatch::default() }).await?;
    let drift = "connection_group_operator_drift_detected_total";
    grow(operator, &before, &[(drift, "field=enabled")]).await?;
    steps::ready(bed, "edge").await?;

    // An element that no version of the API has, and that the update which corrects the drift loses.
    admin.set_switches(&json!({ "omission_clears": true })).await?;
    let further_elements = [("Later".to_owned(), "x".to_owned())].into();
    admin.edit_group("edge", &GroupPatch { enabled: Some(false), further_elements, ..GroupPatch::default() }).await?;
    let unknown = ("connection_group_operator_unknown_elements_total", "element=Later");
    grow(operator, &before, &[unknown, ("connection_group_operator_lost_elements_total", "element=Later")]).await?;
    steps::ready(bed, "edge").await?;

    // Within a minute after the tag was set, a read without it may be an old one: the tag is set again, and that does not count as drift.
    sleep_until(tagged + Duration::from_secs(61)).await;
    admin.edit_group("edge", &GroupPatch { remove_tags: vec!["team".into()], ..GroupPatch::default() }).await?;
    let request = json!({ "cloudfront.kube-operators.dev/reconcile-requested-at": "now" });
    steps::patch(bed, "edge", json!({ "metadata": { "annotations": request } })).await?;
    grow(operator, &before, &[(drift, "field=tags")]).await?;

    steps::patch(bed, "edge", json!({ "spec": { "anycastIpListId": "aip_unknown" } })).await?;
    let refused = ("connection_group_operator_members_refused_total", "member=anycastIpListId");
    grow(operator, &before, &[refused]).await?;
    steps::patch(bed, "edge", json!({ "spec": { "anycastIpListId": null } })).await?;
    steps::ready(bed, "edge").await?;

    admin.delete_group("waits").await?;
    grow(operator, &before, &[(drift, "field=group")]).await?;
    steps::ready(bed, "waits").await?;

    let owner = format!("{0}/{0}/forgotten", bed.namespace);
    let tags: BTreeMap<_, _> = [("cloudfront.kube-operators.dev/owner".to_owned(), owner)].into();
    admin.create_group(&NewGroup { tags, ..NewGroup::named("forgotten") }).await?;
    are(operator, 1.0, &[("connection_group_operator_orphans", "")]).await
}

async fn an_object_goes(bed: &Testbed, operator: &Operator) -> Result<()> {
    let before = scrape(operator).await?;
    let tenant = bed.simulator.admin.create_tenant(&NewTenant::behind("edge", "customer")).await?;
    let objects = bed.api::<ConnectionGroup>().await?;
    objects.delete("edge", &DeleteParams::default()).await?;
    steps::settled(bed, "edge", "InUse").await?;
    grow(operator, &before, &[("connection_group_operator_termination_current_seconds", "")]).await?;
    bed.simulator.admin.delete_tenant(&tenant.id).await?;
    // A deletion that waits for tenants reads them again after half a minute, or at once on request.
    let request = "cloudfront.kube-operators.dev/reconcile-requested-at";
    steps::patch(bed, "edge", json!({ "metadata": { "annotations": { request: "the tenant is gone" } } })).await?;
    wait_gone(&objects, "edge", PATIENCE).await?;
    grow(operator, &before, &[("connection_group_operator_termination_duration_seconds_count", "")]).await?;
    are(operator, 0.0, &[("connection_group_operator_termination_current_seconds", "")]).await
}

async fn lists_fail(bed: &Testbed, operator: &Operator) -> Result<()> {
    bed.simulator.admin.fault_always(Operation::ListConnectionGroups, error(503, "ServiceUnavailable")).await?;
    let age = [("connection_group_operator_inventory_age_seconds", "")];
    until(operator, &Scrape::of(""), &age, |_, now| now > 3.0).await
}

/// Type and labels of each metric.
type Kinds = BTreeMap<String, (String, BTreeSet<String>)>;

fn shown(scrape: &Scrape) -> Kinds {
    scrape.types.iter().map(|(name, kind)| (name.clone(), (kind.clone(), scrape.labels(name)))).collect()
}

fn listed() -> Kinds {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(LISTED)).expect("the list is there");
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells = row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>();
        let [name, kind, labels, stability, meaning] = cells[..] else { panic!("five columns: {row}") };
        assert!(["stable", "alpha"].contains(&stability), "{row}");
        assert!(meaning.len() > 10, "{row}");
        let labels = labels.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (name.trim_matches('`').to_owned(), (kind.to_owned(), labels))
    })
    .collect()
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in target").to_owned()
}

#[tokio::test]
async fn reconciles_that_wait_for_a_call_are_shown_by_class() -> Result<()> {
    let bed = steps::bed().await?;
    let operator = bed.operator().args(["--aws-rate=0.001", "--aws-burst=2"]).start().await?;
    for name in ["first", "second", "third"] {
        steps::create(&bed, name, json!({})).await?;
    }
    // The list and one Create are the burst.
    are(&operator, 2.0, &[("connection_group_operator_call_queue_depth", "class=UserRequest")]).await?;
    let oldest = [("connection_group_operator_call_queue_oldest_wait_seconds", "class=UserRequest")];
    let before = scrape(&operator).await?;
    grow(&operator, &before, &oldest).await?;
    are(&operator, 0.0, &[("controller_runtime_active_workers", "")]).await
}

#[tokio::test]
async fn by_default_no_metric_names_an_object_and_without_a_lease_none_reports_one() -> Result<()> {
    let bed = steps::bed().await?;
    let operator = steps::operator(&bed).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    let deployed = "type=Ready,status=True,reason=Deployed";
    are(&operator, 1.0, &[("connection_group_operator_status_conditions", deployed)]).await?;
    let text = operator.metrics().await?;
    // Except for the watched namespaces, which the administrator named.
    let of_scopes = |line: &&str| line.starts_with("connection_group_operator_scope_readable{");
    let text = text.lines().filter(|line| !of_scopes(line)).collect::<Vec<_>>().join("\n");
    for absent in ["edge", &bed.namespace, "leader_election"] {
        assert!(!text.contains(absent), "{absent}: {text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_standby_reports_that_it_stands_by_and_leaves_the_rest_to_the_leader() -> Result<()> {
    let bed = steps::bed().await?;
    let replica = || steps::operator(&bed).args(["--leader-election", "--leader-election-namespace", &bed.namespace]);
    let leader = replica().start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    let standby = replica().start().await?;
    let master = [("leader_election_master_status", "name=connection-group-operator")];
    are(&leader, 1.0, &master).await?;
    are(&standby, 0.0, &master).await?;
    let objects = ("connection_group_operator_status_conditions", "type=Ready,status=True,reason=Deployed");
    are(&leader, 1.0, &[objects]).await?;
    let shown = scrape(&standby).await?;
    for absent in ["connection_group_operator_status_conditions", "connection_group_operator_inventory_age_seconds"] {
        assert_eq!(shown.sum(absent, ""), None, "{absent}");
    }
    assert_eq!(shown.sum("workqueue_depth", ""), Some(0.0), "what it observed does not wait in the queue");
    Ok(())
}
