//! The operator's memory beside objects as large as Kubernetes stores them, and more of them than an account has groups by default.

use std::fs;
use std::time::{Duration, Instant};

use axum::http::Request;
use connection_group_operator::api::finalizer;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::json;
use testbed::{ControlPlane, Operator, Result, Testbed, wait_until};

use crate::large::padded;
use crate::leader::{LONG, replica};
use crate::steps;

/// How many objects. In any case they are more than fit into the limit; `make bench` asks for 500, which costs the API server minutes and gigabytes.
fn count() -> usize {
    std::env::var("MEMORY_OBJECTS").map_or(250, |count| count.parse().expect("MEMORY_OBJECTS is a number"))
}

/// One in this many objects is ours to reconcile. The others carry another installation's finalizer, and are read all the same: to have all of them written
/// costs the API server minutes.
const OURS: usize = 25;

/// Requests of this test to the API server that are in flight at once.
const AT_ONCE: usize = 8;

/// For what transfers hundreds of megabytes.
const PATIENCE: Duration = Duration::from_mins(5);

/// The memory limit of the operator's container in the chart, in MiB.
fn limit() -> u64 {
    let values = include_str!("../../charts/connection-group-operator/values.yaml");
    let (_, limits) = values.split_once("\n  limits:\n    memory: ").expect("the chart limits the memory");
    let (limit, _) = limits.split_once("Mi\n").expect("in MiB");
    limit.parse().expect("a number")
}

/// The most memory that a process has had resident so far, in MiB.
fn peak(operator: &mut Operator) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", operator.process().pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    line.expect("the kernel reports it").parse::<u64>().expect("a number") / 1024
}

/// Sends a request about each object, by its number. Its answer, of a megabyte, is not decoded.
async fn for_each(bed: &Testbed, request: impl Fn(&str, usize) -> Request<Vec<u8>>) -> Result<()> {
    let client = bed.control_plane.client().await?;
    let objects = format!("/apis/cloudfront.kube-operators.dev/v1alpha1/namespaces/{}/connectiongroups", bed.namespace);
    let requests = stream::iter((0..count()).map(|n| request(&objects, n)));
    let answers = requests.map(async |request| client.request_text(request).await.map(drop));
    Ok(answers.buffer_unordered(AT_ONCE).try_collect().await?)
}

/// Objects of a megabyte. Labels alone would take the API server several minutes of its time.
async fn create_all(bed: &Testbed) -> Result<()> {
    let mut object = padded("NAME", 50, 250_000);
    object.metadata.owner_references = Some(vec![OwnerReference {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        name: "o".repeat(650_000),
        uid: "1f0c7a52-6e0d-4f0b-9a53-0d4c2f1b8e77".to_owned(),
        ..OwnerReference::default()
    }]);
    let ours = serde_json::to_string(&object).expect("an object is JSON");
    object.metadata.finalizers = Some(vec![finalizer("another")]);
    let theirs = serde_json::to_string(&object).expect("an object is JSON");
    for_each(bed, |objects, n| {
        let template = if n.is_multiple_of(OURS) { &ours } else { &theirs };
        let request = Request::post(objects).header("content-type", "application/json");
        request.body(template.replace("NAME", &format!("edge-{n}")).into_bytes()).expect("a request")
    })
    .await
}

/// Changes each object so that the operator has nothing to do, but gets an event of a megabyte.
async fn touch_all(bed: &Testbed) -> Result<()> {
    let touch = json!({ "metadata": { "labels": { "touched": "" } } }).to_string();
    for_each(bed, |objects, n| {
        let request =
            Request::patch(format!("{objects}/edge-{n}")).header("content-type", "application/merge-patch+json");
        request.body(touch.clone().into_bytes()).expect("a request")
    })
    .await
}

async fn until_metric(operator: &Operator, line: &str) -> Result<()> {
    let (name, _) = line.rsplit_once(' ').expect("a value");
    wait_until(PATIENCE, line, async || {
        let metrics = operator.metrics().await.map_err(|error| error.to_string())?;
        let found = metrics.lines().find(|metric| metric.starts_with(name)).unwrap_or("no such metric");
        if found == line { Ok(()) } else { Err(found.to_owned()) }
    })
    .await
}

#[tokio::test]
async fn with_hundreds_of_objects_of_a_megabyte_each_leader_and_standby_stay_within_the_memory_limit_of_the_chart()
-> Result<()> {
    let bed = Testbed::on(ControlPlane::start().await?, ["--propagation=100ms", "--groups-per-account=1000"]).await?;
    let began = Instant::now();
    let figure = |when: &str, replicas: [&mut Operator; 2]| {
        let peaks = replicas.map(peak);
        println!("{when}, after {} s: leader {} MiB, standby {} MiB", began.elapsed().as_secs(), peaks[0], peaks[1]);
        peaks
    };
    let mut leader = replica(&bed, "first", &LONG).start().await?;
    let mut standby = replica(&bed, "second", &LONG).start().await?;
    figure("without an object", [&mut leader, &mut standby]);
    for replica in [&mut leader, &mut standby] {
        replica.terminate(PATIENCE).await?;
    }
    create_all(&bed).await?;
    println!("{} objects were created within {} s", count(), began.elapsed().as_secs());

    leader.restart().await?;
    standby.restart().await?;
    figure("both have listed all", [&mut leader, &mut standby]);
    let ready = "connection_group_operator_status_conditions{reason=\"Deployed\",status=\"True\",type=\"Ready\"}";
    until_metric(&leader, &format!("{ready} {}", count() / OURS)).await?;
    steps::an_inventory(&bed).await?;
    figure("ours are Ready", [&mut leader, &mut standby]);

    touch_all(&bed).await?;
    // Events arrive in order: a watcher that has received this one has received those before it.
    steps::create(&bed, "last", json!({})).await?;
    steps::ready(&bed, "last").await?;
    until_metric(&standby, &format!("workqueue_adds_total{{name=\"connectiongroup\"}} {}", count() + 1)).await?;
    let peaks = figure("all were touched", [&mut leader, &mut standby]);
    assert!(peaks.iter().all(|peak| *peak <= limit()), "{peaks:?} MiB, and the limit is {} MiB", limit());
    Ok(())
}
