//! Several replicas: one acts, the others stand by and take over. The simulator's log distinguishes them by the access key that signed a call.

use std::time::{Duration, Instant};

use cloudfront_simulator::admin::{GroupPatch, LoggedCall};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use serde_json::json;
use testbed::{ControlPlane, Operator, OperatorBuilder, Result, Signal, Testbed, wait_until};

use crate::{steps, steps::PATIENCE};

const LEASE: &str = "connection-group-operator";

/// A Lease that expires soon, for tests that wait for its end; even a busy machine does not stall for as long.
pub const SHORT: [&str; 3] = [
    "--leader-election-lease-duration=10s",
    "--leader-election-renew-deadline=8s",
    "--leader-election-retry-period=200ms",
];

/// A Lease that does not expire before a test has given up waiting for it.
pub const LONG: [&str; 2] = ["--leader-election-lease-duration=600s", "--leader-election-renew-deadline=500s"];

pub fn replica(bed: &Testbed, name: &str, pace: &[&str]) -> OperatorBuilder {
    steps::operator(bed)
        .args(["--leader-election", "--leader-election-namespace", &bed.namespace])
        .args(pace)
        .env("AWS_ACCESS_KEY_ID", name)
        .env("HOSTNAME", name)
}

fn key(call: &LoggedCall) -> &str {
    call.access_key_id.as_deref().unwrap_or("nobody")
}

/// Who acted, in turn; a name twice means that two acted at a time.
fn turns(calls: &[LoggedCall]) -> Vec<&str> {
    let mut turns: Vec<_> = calls.iter().map(key).collect();
    turns.dedup();
    turns
}

/// Waits until CloudFront gets a call from a replica that has not led before; returns its name.
pub async fn successor(bed: &Testbed, former: &[&str]) -> Result<String> {
    let what = format!("a call of another than {former:?}");
    wait_until(PATIENCE * 2, &what, async || {
        let calls = bed.simulator.admin.requests(0).await.map_err(|error| error.to_string())?;
        let other = calls.iter().map(key).find(|name| !former.contains(name));
        other.map(str::to_owned).ok_or_else(|| format!("{:?}", turns(&calls)))
    })
    .await
}

async fn writes(bed: &Testbed) -> Result<usize> {
    Ok(steps::writes(&bed.simulator.admin.requests(0).await?).len())
}

async fn lease(bed: &Testbed) -> Result<LeaseSpec> {
    Ok(bed.api::<Lease>().await?.get(LEASE).await?.spec.unwrap_or_default())
}

#[tokio::test]
async fn of_three_replicas_one_calls_cloudfront_and_all_are_ready() -> Result<()> {
    let bed = steps::bed().await?;
    let mut replicas = Vec::new();
    for name in ["first", "second", "third"] {
        // Starting waits for /readyz.
        replicas.push(replica(&bed, name, &LONG).start().await?);
    }
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    steps::patch(&bed, "edge", json!({ "spec": { "ipv6Enabled": false } })).await?;
    steps::ready(&bed, "edge").await?;
    steps::an_inventory(&bed).await?;
    assert_eq!(turns(&bed.simulator.admin.requests(0).await?), ["first"]);
    assert!(lease(&bed).await?.holder_identity.is_some_and(|holder| holder.starts_with("first_")));
    Ok(())
}

#[tokio::test]
async fn a_leader_that_is_told_to_stop_hands_over_and_its_successor_changes_nothing() -> Result<()> {
    let bed = steps::bed().await?;
    let mut first = replica(&bed, "first", &LONG).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    let before = writes(&bed).await?;
    let _second = replica(&bed, "second", &LONG).start().await?;

    let asked = Instant::now();
    assert!(first.terminate(PATIENCE).await?.success());
    successor(&bed, &["first"]).await?;
    println!("taken over {} ms after SIGTERM", asked.elapsed().as_millis());
    steps::patch(&bed, "edge", json!({ "metadata": { "annotations": { "seen": "by the second" } } })).await?;
    steps::an_inventory(&bed).await?;
    assert_eq!(turns(&bed.simulator.admin.requests(0).await?), ["first", "second"]);
    assert_eq!(writes(&bed).await?, before, "a change of the leader is no reason to call CloudFront");

    steps::patch(&bed, "edge", json!({ "spec": { "ipv6Enabled": false } })).await?;
    steps::ready(&bed, "edge").await?;
    assert_eq!(writes(&bed).await?, before + 1);
    Ok(())
}

#[tokio::test]
async fn after_a_leader_is_killed_a_standby_finishes_its_work() -> Result<()> {
    let bed = steps::bed().await?;
    let mut first = replica(&bed, "first", &SHORT).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    let _second = replica(&bed, "second", &SHORT).start().await?;
    let _third = replica(&bed, "third", &SHORT).start().await?;

    first.kill().await?;
    let killed = Instant::now();
    // The standbys saw the object as it was; the one that takes over must see this.
    steps::patch(&bed, "edge", json!({ "spec": { "enabled": false } })).await?;
    let next = successor(&bed, &["first"]).await?;
    println!("taken over {} ms after SIGKILL, with a Lease of 10 s", killed.elapsed().as_millis());
    steps::settled(&bed, "edge", "Disabled").await?;
    assert_eq!(turns(&bed.simulator.admin.requests(0).await?), ["first", &next]);
    assert_eq!(writes(&bed).await?, 2, "one create, one update");

    // After its restart it stands by.
    first.restart().await?;
    steps::an_inventory(&bed).await?;
    assert_eq!(turns(&bed.simulator.admin.requests(0).await?), ["first", &next]);
    Ok(())
}

#[tokio::test]
async fn a_leader_that_froze_past_the_end_of_its_lease_sends_nothing_more_and_ends() -> Result<()> {
    let bed = steps::bed().await?;
    let mut first = replica(&bed, "first", &SHORT).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    let _second = replica(&bed, "second", &SHORT).start().await?;

    first.process().signal(Signal::SIGSTOP)?;
    successor(&bed, &["first"]).await?;
    // Both have observed an edit by the time that the first one continues.
    steps::patch(&bed, "edge", json!({ "spec": { "ipv6Enabled": false } })).await?;
    steps::ready(&bed, "edge").await?;
    let since = steps::now(&bed).await?;
    first.process().signal(Signal::SIGCONT)?;
    let ended = first.process().wait_exit(PATIENCE).await?;
    assert_eq!(ended.code(), Some(1));
    let log = std::fs::read_to_string(first.log()).expect("the log can be read");
    assert!(log.contains("the process ends, and stands by once it is started anew"), "{log}");
    steps::an_inventory(&bed).await?;
    assert_eq!(turns(&bed.simulator.admin.requests(since).await?), ["second"]);
    Ok(())
}

#[tokio::test]
async fn while_the_api_server_hangs_the_leader_gives_up_and_one_standby_takes_over_afterwards() -> Result<()> {
    let bed = Testbed::on(ControlPlane::start().await?, ["--propagation=100ms"]).await?;
    let mut first = replica(&bed, "first", &SHORT).start().await?;
    for name in ["edge", "other"] {
        steps::create(&bed, name, json!({})).await?;
        steps::ready(&bed, name).await?;
    }
    let _second = replica(&bed, "second", &SHORT).start().await?;
    let _third = replica(&bed, "third", &SHORT).start().await?;

    bed.control_plane.pause_api_server().await?;
    let ended = first.process().wait_exit(PATIENCE).await?;
    assert_eq!(ended.code(), Some(1));
    let admin = &bed.simulator.admin;
    admin.edit_group("edge", &GroupPatch { enabled: Some(false), ..GroupPatch::default() }).await?;
    admin.delete_group("other").await?;
    let calls = admin.requests(0).await?;
    assert_eq!(turns(&calls), ["first"], "no replica can take over as long as the API server does not answer");
    bed.control_plane.resume_api_server().await?;

    let next = successor(&bed, &["first"]).await?;
    wait_until(PATIENCE, "the out-of-band change to be corrected", async || {
        let state = admin.state().await.map_err(|error| error.to_string())?;
        let on = |name| state.group(name).is_some_and(|group| group.resource.enabled);
        if on("edge") && on("other") { Ok(()) } else { Err(format!("{state:?}")) }
    })
    .await?;
    steps::patch(&bed, "edge", json!({ "spec": { "ipv6Enabled": false } })).await?;
    steps::ready(&bed, "edge").await?;
    assert_eq!(turns(&admin.requests(0).await?), ["first", &next]);
    assert_eq!(writes(&bed).await?, 5, "three creates, two updates");
    Ok(())
}

#[tokio::test]
async fn a_leader_whose_clock_is_wrong_is_left_alone_as_long_as_it_renews() -> Result<()> {
    let left_alone = async |name: &'static str, skew| -> Result<()> {
        let bed = steps::bed().await?;
        let leases = bed.api::<Lease>().await?;
        let mut held = leases.create(&PostParams::default(), &renewed(&Lease::default(), skew)).await?;
        let _standby = replica(&bed, name, &SHORT).start().await?;
        // Twice as long as its Lease lasts.
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(20) {
            tokio::time::sleep(Duration::from_millis(500)).await;
            held = leases.replace(LEASE, &PostParams::default(), &renewed(&held, skew)).await?;
        }
        assert!(bed.simulator.admin.requests(0).await?.is_empty(), "{name}: taken from a leader that renews");
        assert_eq!(successor(&bed, &[]).await?, name, "the Lease is no longer renewed");
        Ok(())
    };
    let hour = SignedDuration::from_hours(1);
    tokio::try_join!(left_alone("behind", -hour), left_alone("ahead", hour)).map(drop)
}

/// The Lease of a holder whose clock is off by `skew`.
fn renewed(lease: &Lease, skew: SignedDuration) -> Lease {
    let mut lease = lease.clone();
    lease.metadata = ObjectMeta { name: Some(LEASE.to_owned()), ..lease.metadata };
    lease.spec = Some(LeaseSpec {
        holder_identity: Some("somebody".to_owned()),
        lease_duration_seconds: Some(10),
        renew_time: Some(MicroTime(Timestamp::now() + skew)),
        ..LeaseSpec::default()
    });
    lease
}

#[tokio::test]
async fn a_lease_that_may_not_be_written_is_reported_and_nothing_is_done() -> Result<()> {
    let bed = steps::bed().await?;
    bed.kubectl(&["create", "serviceaccount", "powerless"]).await?;
    bed.kubectl(&["create", "role", "reader", "--verb=get,list,watch", "--resource=connectiongroups,namespaces"])
        .await?;
    let subject = format!("--serviceaccount={}:powerless", bed.namespace);
    bed.kubectl(&["create", "rolebinding", "reader", "--role=reader", &subject]).await?;
    let kubeconfig = bed.control_plane.kubeconfig_of(&bed.namespace, "powerless").await?;
    let identity = ["--identity-namespace", &bed.namespace];
    let operator: Operator = replica(&bed, "first", &SHORT).args(identity).kubeconfig(kubeconfig).start().await?;
    wait_until(PATIENCE, "a line about the Lease", async || {
        let log = std::fs::read_to_string(operator.log()).map_err(|error| error.to_string())?;
        let logged = log.contains("RBAC (get, create, update on leases)") && log.contains("forbidden");
        if logged { Ok(()) } else { Err(log) }
    })
    .await?;
    assert!(bed.simulator.admin.requests(0).await?.is_empty());
    let leases: Api<Lease> = bed.api().await?;
    assert!(leases.get_opt(LEASE).await?.is_none());
    Ok(())
}
