//! What the operator knows about its objects may be stale, or missing: connections that freeze, stale lists, permissions and a
//! CRD that are removed. Nothing is changed at CloudFront on such a basis.

use std::time::{Duration, Instant};

use cloudfront_simulator::admin::{GroupPatch, Moment, Operation};
use connection_group_operator::api::{ConnectionGroup, finalizer};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::DeleteParams;
use kube::{Api, ResourceExt};
use serde_json::json;
use testbed::{ControlPlane, Operator, Proxy, Result, Testbed, wait_for, wait_gone, wait_until};

use crate::leader::{SHORT, replica, successor};
use crate::relay::Relay;
use crate::{journal, scrape::Scrape, steps, steps::PATIENCE};

/// A watch is restarted every 50 s; what that detects is detected within this time, also on a machine that compiles at the same time.
const A_WATCH: Duration = Duration::from_secs(150);

async fn proxy(bed: &Testbed) -> Result<(Proxy, std::path::PathBuf)> {
    let proxy = Proxy::start(bed.control_plane.address()?).await?;
    let server = format!("https://{}", proxy.address());
    let kubeconfig = bed.control_plane.kubeconfig_via(bed.control_plane.kubeconfig(), &server)?;
    Ok((proxy, kubeconfig))
}

async fn is_enabled(bed: &Testbed, name: &str) -> Result<Option<bool>> {
    Ok(bed.simulator.admin.group(name).await?.map(|group| group.resource.enabled))
}

/// How often something was changed at CloudFront.
async fn writes(bed: &Testbed) -> Result<usize> {
    Ok(steps::writes(&bed.simulator.admin.requests(0).await?).len())
}

/// Another client disables the group.
async fn switch_off(bed: &Testbed, name: &str) -> Result<()> {
    let off = GroupPatch { enabled: Some(false), ..GroupPatch::default() };
    bed.simulator.admin.edit_group(name, &off).await?;
    Ok(())
}

async fn until_enabled(bed: &Testbed, name: &str) -> Result<()> {
    wait_until(A_WATCH, &format!("{name} to be on again"), async || match is_enabled(bed, name).await {
        Ok(Some(true)) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await
}

async fn until_metric(operator: &Operator, line: &str) -> Result<()> {
    wait_until(A_WATCH, &format!("'{line}' among the metrics"), async || {
        let metrics = operator.metrics().await.map_err(|error| error.to_string())?;
        if metrics.lines().any(|metric| metric == line) { Ok(()) } else { Err("another value".to_owned()) }
    })
    .await
}

fn readable(namespace: &str, value: u8) -> String {
    format!("connection_group_operator_scope_readable{{namespace=\"{namespace}\"}} {value}")
}

/// How often the watch failed for that reason.
async fn watch_failures(operator: &Operator, reason: &str) -> Result<f64> {
    let failures = Scrape::of(&operator.metrics().await?)
        .sum("connection_group_operator_watch_failures_total", &format!("reason={reason}"));
    Ok(failures.unwrap_or_default())
}

#[tokio::test]
async fn a_standby_whose_connections_froze_takes_over_and_changes_nothing_from_its_stale_cache() -> Result<()> {
    let bed = steps::bed().await?;
    let mut first = replica(&bed, "first", &SHORT).start().await?;
    steps::create(&bed, "edge", json!({ "enabled": false })).await?;
    steps::settled(&bed, "edge", "Disabled").await?;
    let (proxy, kubeconfig) = proxy(&bed).await?;
    // Ready means that it has listed the object, whose spec says off.
    let _second = replica(&bed, "second", &SHORT).kubeconfig(kubeconfig).start().await?;
    proxy.freeze();
    steps::patch(&bed, "edge", json!({ "spec": { "enabled": true } })).await?;
    steps::ready(&bed, "edge").await?;
    let before = writes(&bed).await?;

    first.kill().await?;
    successor(&bed, &["first"]).await?;
    steps::an_inventory(&bed).await?;
    steps::an_inventory(&bed).await?;
    assert_eq!((is_enabled(&bed, "edge").await?, writes(&bed).await?), (Some(true), before));
    steps::patch(&bed, "edge", json!({ "spec": { "ipv6Enabled": false } })).await?;
    steps::ready(&bed, "edge").await?;
    assert_eq!((is_enabled(&bed, "edge").await?, writes(&bed).await?), (Some(true), before + 1));
    Ok(())
}

#[tokio::test]
async fn an_edit_is_observed_within_about_a_minute_although_the_watch_froze() -> Result<()> {
    let bed = steps::bed().await?;
    let (proxy, kubeconfig) = proxy(&bed).await?;
    let _operator = steps::operator(&bed).kubeconfig(kubeconfig).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    proxy.freeze();
    let edited = Instant::now();
    steps::patch(&bed, "edge", json!({ "spec": { "enabled": false } })).await?;
    wait_until(A_WATCH, "the group to be off", async || match is_enabled(&bed, "edge").await {
        Ok(Some(false)) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    println!("with a frozen watch, an edit was carried out after {} s", edited.elapsed().as_secs());
    steps::settled(&bed, "edge", "Disabled").await?;
    Ok(())
}

#[tokio::test]
async fn a_stale_list_switches_nothing_off() -> Result<()> {
    let bed = steps::bed().await?;
    let relay = Relay::start(&bed.control_plane).await?;
    let mut operator = steps::operator(&bed).kubeconfig(relay.kubeconfig()).start().await?;
    steps::create(&bed, "edge", json!({ "enabled": false })).await?;
    steps::settled(&bed, "edge", "Disabled").await?;
    // Listed as it is now, for later.
    operator.restart().await?;
    steps::patch(&bed, "edge", json!({ "spec": { "enabled": true } })).await?;
    steps::ready(&bed, "edge").await?;
    operator.kill().await?;
    let before = writes(&bed).await?;

    relay.replay();
    let since = steps::now(&bed).await?;
    operator.restart().await?;
    wait_until(PATIENCE, "the group to be read", async || {
        let calls = steps::calls_but_lists(&bed, since).await.map_err(|error| error.to_string())?;
        if calls.is_empty() { Err("not yet".to_owned()) } else { Ok(()) }
    })
    .await?;
    steps::an_inventory(&bed).await?;
    steps::an_inventory(&bed).await?;
    assert_eq!((is_enabled(&bed, "edge").await?, writes(&bed).await?), (Some(true), before));
    relay.replay_no_more();
    steps::patch(&bed, "edge", json!({ "spec": { "ipv6Enabled": false } })).await?;
    steps::ready(&bed, "edge").await?;
    assert_eq!((is_enabled(&bed, "edge").await?, writes(&bed).await?), (Some(true), before + 1));
    Ok(())
}

/// A ServiceAccount with the operator's permissions in the namespaces of its role bindings; returns its kubeconfig.
async fn account(bed: &Testbed, name: &str) -> Result<std::path::PathBuf> {
    bed.kubectl(&["create", "serviceaccount", name]).await?;
    let subject = format!("{}:{name}", bed.namespace);
    may_read_identity(bed, &subject).await?;
    bed.control_plane.kubeconfig_of(&bed.namespace, name).await
}

/// Allows a ServiceAccount, `NAMESPACE:NAME`, to read the identity of the installation.
pub async fn may_read_identity(bed: &Testbed, subject: &str) -> Result<()> {
    let name = format!("identity-{}", bed.namespace);
    let (role, account) = (format!("--role={name}"), format!("--serviceaccount={subject}"));
    let may = ["--verb=get", "--resource=namespaces", "--resource-name=kube-system", "--namespace=kube-system"];
    bed.control_plane.kubectl_ok(&[&["create", "role", &name], &may[..]].concat()).await?;
    let bind = ["create", "rolebinding", &name, &role, &account, "--namespace=kube-system"];
    bed.control_plane.kubectl_ok(&bind).await.map(drop)
}

/// What the operator does with the objects themselves.
const VERBS: [&str; 4] = ["get", "list", "watch", "patch"];

/// Makes a role allow this for objects, and everything that the operator does with their status, events and so on.
async fn allow(bed: &Testbed, name: &str, namespace: &str, verbs: &[&str]) -> Result<()> {
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": { "name": name, "namespace": namespace },
        "rules": [
            { "apiGroups": ["cloudfront.kube-operators.dev"], "resources": ["connectiongroups"], "verbs": verbs },
            { "apiGroups": ["cloudfront.kube-operators.dev"], "resources": ["connectiongroups/status"], "verbs": ["patch"] },
            { "apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"] },
            { "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "get", "update"] },
        ],
    });
    let path = bed.control_plane.folder().join(format!("role-{name}-{namespace}.json"));
    std::fs::write(&path, role.to_string()).expect("the run's folder can be written to");
    let path = path.to_string_lossy();
    bed.control_plane.kubectl_ok(&["apply", "-f", &path]).await.map(drop)
}

/// Grants it in a namespace, through objects of the same name.
async fn grant(bed: &Testbed, name: &str, namespace: &str) -> Result<()> {
    allow(bed, name, namespace, &VERBS).await?;
    let (role, account) = (format!("--role={name}"), format!("--serviceaccount={}:{name}", bed.namespace));
    let bind = ["create", "rolebinding", name, "--namespace", namespace, &role, &account];
    bed.control_plane.kubectl_ok(&bind).await.map(drop)
}

#[tokio::test]
async fn without_permission_to_read_objects_nothing_is_changed_until_it_is_back() -> Result<()> {
    let bed = steps::bed().await?;
    let kubeconfig = account(&bed, "operator").await?;
    grant(&bed, "operator", &bed.namespace).await?;
    let operator = steps::operator(&bed).kubeconfig(kubeconfig).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    until_metric(&operator, &readable(&bed.namespace, 1)).await?;

    // A single object may still be read: that alone does not justify a change. The watch that has begun continues to its end.
    allow(&bed, "operator", &bed.namespace, &["get", "patch"]).await?;
    let taken = Instant::now();
    until_metric(&operator, &readable(&bed.namespace, 0)).await?;
    println!("rights that were taken away were noticed after {} s", taken.elapsed().as_secs());
    assert!(watch_failures(&operator, "Forbidden").await? > 0.0);
    let before = writes(&bed).await?;
    steps::patch(&bed, "edge", json!({ "spec": { "enabled": false } })).await?;
    // The cache says that it should be on, and the object that it should be off; both say that it should have IPv6.
    let (enabled, ipv6_enabled) = (Some(false), Some(false));
    let off = GroupPatch { enabled, ipv6_enabled, ..GroupPatch::default() };
    bed.simulator.admin.edit_group("edge", &off).await?;
    steps::an_inventory(&bed).await?;
    steps::an_inventory(&bed).await?;
    assert_eq!(writes(&bed).await?, before);
    journal::says(&operator, "does not let this operator list and watch ConnectionGroup objects").await?;
    let ready = reqwest::get(format!("{}/readyz", operator.health())).await?;
    assert_eq!(ready.status(), 503);
    let text = ready.text().await?;
    assert!(text.contains(&bed.namespace), "{text}");

    allow(&bed, "operator", &bed.namespace, &VERBS).await?;
    wait_for(&bed.api().await?, "edge", A_WATCH, "edge to be Disabled", |object: &ConnectionGroup| {
        object.metadata.generation == Some(2) && steps::ready_condition(object).reason == "Disabled"
    })
    .await?;
    journal::says(&operator, "can be read now").await?;
    let group = bed.simulator.admin.group("edge").await?.expect("the group exists").resource;
    assert_eq!((group.enabled, group.ipv6_enabled), (false, true));
    assert_eq!(writes(&bed).await?, before + 1, "it was off by then");
    Ok(())
}

#[tokio::test]
async fn while_the_resource_is_not_served_nothing_is_changed_and_once_it_is_drift_is_corrected() -> Result<()> {
    let bed = Testbed::on(ControlPlane::start().await?, ["--propagation=100ms"]).await?;
    let operator = steps::operator(&bed).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    let served = async |served: bool| {
        let patch = json!([{ "op": "replace", "path": "/spec/versions/0/served", "value": served }]).to_string();
        bed.kubectl(&["patch", "crd", "connectiongroups.cloudfront.kube-operators.dev", "--type=json", "-p", &patch])
            .await
    };
    served(false).await?;
    until_metric(&operator, &readable(&bed.namespace, 0)).await?;
    assert!(watch_failures(&operator, "NotServed").await? > 0.0);
    switch_off(&bed, "edge").await?;
    steps::an_inventory(&bed).await?;
    steps::an_inventory(&bed).await?;
    assert_eq!(is_enabled(&bed, "edge").await?, Some(false));
    journal::says(&operator, "does not serve ConnectionGroup objects").await?;
    served(true).await?;
    until_enabled(&bed, "edge").await
}

#[tokio::test]
async fn an_edit_that_arrives_while_the_group_is_read_stops_the_change_that_was_planned_before_it() -> Result<()> {
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    let _operator = steps::operator(&bed).start().await?;
    steps::create(&bed, "edge", json!({ "enabled": false })).await?;
    steps::settled(&bed, "edge", "Disabled").await?;
    let before = writes(&bed).await?;

    let held = admin.hold_once(Operation::GetConnectionGroup, Moment::After).await?;
    steps::patch(&bed, "edge", json!({ "spec": { "enabled": true } })).await?;
    admin.wait_until_held(held, PATIENCE).await?;
    steps::patch(&bed, "edge", json!({ "spec": { "enabled": false } })).await?;
    // The watch that delivers this object has delivered the edit before it.
    steps::create(&bed, "witness", json!({})).await?;
    wait_until(PATIENCE, "the witness to be created", async || match writes(&bed).await {
        Ok(writes) if writes == before + 1 => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    admin.release(held).await?;
    steps::settled(&bed, "edge", "Disabled").await?;
    assert_eq!((is_enabled(&bed, "edge").await?, writes(&bed).await?), (Some(false), before + 1));
    Ok(())
}

#[tokio::test]
async fn a_finalizer_that_someone_removes_is_restored_at_once() -> Result<()> {
    let bed = steps::bed().await?;
    // With its usual intervals: only the change itself triggers another read soon.
    let _operator = bed.operator().start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    let objects = bed.api::<ConnectionGroup>().await?;
    steps::patch(&bed, "edge", json!({ "metadata": { "finalizers": null } })).await?;
    let is_back = |object: &ConnectionGroup| object.finalizers() == [finalizer(&bed.namespace)];
    wait_for(&objects, "edge", PATIENCE, "the finalizer to be back", is_back).await?;
    Ok(())
}

#[tokio::test]
async fn a_namespace_that_may_not_be_read_delays_only_itself() -> Result<()> {
    let bed = steps::bed().await?;
    let other = steps::bed().await?;
    let kubeconfig = account(&bed, "operator").await?;
    grant(&bed, "operator", &bed.namespace).await?;
    let operator = replica(&bed, "first", &SHORT)
        .args(["--watch-namespace", &other.namespace, "--watch-namespace", "there-is-none-yet"])
        .kubeconfig(kubeconfig)
        .start()
        .await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    steps::create(&other, "elsewhere", json!({})).await?;
    let ready = reqwest::get(format!("{}/readyz", operator.health())).await?.text().await?;
    for namespace in [&other.namespace, "there-is-none-yet"] {
        assert!(ready.contains(&format!("namespace '{namespace}' cannot be read")), "{ready}");
        until_metric(&operator, &readable(namespace, 0)).await?;
    }
    until_metric(&operator, &readable(&bed.namespace, 1)).await?;
    assert_eq!(bed.simulator.admin.group("elsewhere").await?, None);

    grant(&other, "unused", &other.namespace).await.ok();
    let account = format!("--serviceaccount={}:operator", bed.namespace);
    other.kubectl(&["create", "rolebinding", "operator", "--role=unused", &account]).await?;
    wait_until(A_WATCH, "the object in the other namespace to be reconciled, too", async || {
        match bed.simulator.admin.group("elsewhere").await {
            Ok(Some(_)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
}

#[tokio::test]
async fn a_namespace_that_is_deleted_with_its_role_binding_is_removed_once_the_documented_command_was_run() -> Result<()>
{
    let bed = Testbed::on(ControlPlane::start().await?, ["--propagation=100ms"]).await?;
    let _controller = bed.control_plane.start_namespace_controller()?;
    let control_plane = &bed.control_plane;
    control_plane.kubectl_ok(&["create", "namespace", "home"]).await?;
    control_plane.kubectl_ok(&["create", "serviceaccount", "operator", "--namespace=home"]).await?;
    may_read_identity(&bed, "home:operator").await?;
    let kubeconfig = control_plane.kubeconfig_of("home", "operator").await?;
    grant(&bed, "operator", &bed.namespace).await?;
    bed.kubectl(&["delete", "rolebinding", "operator"]).await?;
    bed.kubectl(&["create", "rolebinding", "operator", "--role=operator", "--serviceaccount=home:operator"]).await?;
    let operator = steps::hasty_operator(&bed).kubeconfig(kubeconfig).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;

    // In the order that Kubernetes may choose: the binding is gone before the objects.
    bed.kubectl(&["delete", "rolebinding", "operator"]).await?;
    let namespaces = Api::<Namespace>::all(control_plane.client().await?);
    namespaces.delete(&bed.namespace, &DeleteParams::default()).await?;
    until_metric(&operator, &readable(&bed.namespace, 0)).await?;
    journal::says(&operator, "docs/uninstall.md").await?;
    assert!(bed.simulator.admin.group("edge").await?.is_some());
    let documented = std::fs::read_to_string("docs/uninstall.md").expect("the document can be read");
    let (_, commands) = documented.split_once("```sh finish-namespace\n").expect("it has the commands");
    let commands = commands.split("```").next().unwrap_or_default();
    let commands = commands.replace("connection-group-operator:connection-group-operator", "home:operator");
    for command in commands.split("&&") {
        let words = command.split_whitespace().skip_while(|word| *word == "kubectl").collect::<Vec<_>>();
        control_plane.kubectl_ok(&words).await?;
    }
    wait_gone(&namespaces, &bed.namespace, A_WATCH).await?;
    assert_eq!(bed.simulator.admin.state().await?.groups, Vec::new());
    Ok(())
}

#[tokio::test]
async fn a_change_reads_its_object_at_most_once_and_not_at_all_if_its_event_has_just_arrived() -> Result<()> {
    let bed = steps::bed().await?;
    let relay = Relay::start(&bed.control_plane).await?;
    let _operator = steps::hasty_operator(&bed).kubeconfig(relay.kubeconfig()).start().await?;
    let objects = bed.api::<ConnectionGroup>().await?;
    let mut figures = Vec::new();
    let mut since = (0, 0);
    let mut figure = async |what: &'static str| {
        let calls = steps::calls_but_lists(&bed, since.0).await?;
        figures.push((what, steps::operations(&calls), relay.reads() - since.1));
        since = (steps::now(&bed).await?, relay.reads());
        Result::Ok(())
    };
    steps::create(&bed, "edge", json!({})).await?;
    steps::ready(&bed, "edge").await?;
    figure("create to Ready").await?;
    steps::patch(&bed, "edge", json!({ "spec": { "tags": { "team": "edge" } } })).await?;
    steps::ready(&bed, "edge").await?;
    figure("an edit").await?;
    steps::patch(&bed, "edge", json!({ "spec": { "enabled": false } })).await?;
    steps::settled(&bed, "edge", "Disabled").await?;
    figure("an edit that switches off").await?;
    steps::patch(&bed, "edge", json!({ "spec": { "enabled": true } })).await?;
    steps::ready(&bed, "edge").await?;
    figure("an edit that switches on").await?;
    objects.delete("edge", &DeleteParams::default()).await?;
    wait_gone(&objects, "edge", PATIENCE).await?;
    figure("a deletion").await?;
    for (what, calls, reads) in &figures {
        println!("{what}: {reads} reads of the API server; {} calls but lists: {calls:?}", calls.len());
        let changes = calls.iter().filter(|call| !call.is_read()).count();
        let most = match *what {
            "an edit that switches off" => 1,
            // The release of the finalizer is a change, too.
            "a deletion" => changes + 1,
            _ => 0,
        };
        assert!(*reads <= most, "{what}: {reads}");
    }
    assert!(figures.iter().any(|(_, calls, _)| calls.contains(&Operation::DeleteConnectionGroup)));
    Ok(())
}
