//! A rolling upgrade: the new Pod stands by until the old one, which was told to stop, has released its Lease. Also from the chart before this one.

use std::collections::BTreeMap;
use std::time::Instant;

use cloudfront_simulator::admin::Operation;
use connection_group_operator::api::ConnectionGroup;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::json;
use testbed::{ControlPlane, Error, Result, Simulator, wait_until};

use crate::release::{CHART, CRD, PATIENCE, Release, container, create_namespace, hurried, pod};
use crate::rights::{create, ready};

/// The arguments that say which Lease the Pods share.
fn lease_of(deployment: &Deployment) -> Vec<String> {
    let args = container(&pod(deployment)).args.unwrap_or_default();
    args.into_iter().filter(|arg| arg.starts_with("--leader-election")).collect()
}

/// The name of the only Deployment, wherever it is, and the Lease of its Pods.
async fn deployment_and_lease(control_plane: &ControlPlane) -> Result<(String, Vec<String>)> {
    let all = Api::<Deployment>::all(control_plane.client().await?).list(&ListParams::default()).await?.items;
    let [deployment] = &all[..] else { panic!("{} Deployments", all.len()) };
    Ok((deployment.name_any(), lease_of(deployment)))
}

#[tokio::test]
async fn the_pods_of_all_revisions_share_one_lease_whatever_an_upgrade_or_a_rollback_changes() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    create_namespace(&control_plane, "elsewhere", &[]).await?;
    let values = |more: &str| vec!["ownerId=chart-test".to_owned(), more.to_owned()];
    let release = Release::install(&control_plane, "named", &values("replicas=2")).await?;
    let (first, lease) = deployment_and_lease(&control_plane).await?;
    let expected =
        ["", "-lease=named-connection-group-operator", "-namespace=named"].map(|end| format!("--leader-election{end}"));
    assert_eq!((first.as_str(), &lease[..]), ("named-connection-group-operator", &expected[..]));
    for (change, name) in [
        ("replicas=1", "named-connection-group-operator"),
        ("nameOverride=other", "named-other"),
        ("fullnameOverride=another", "another"),
        ("namespaceOverride=elsewhere", "named-connection-group-operator"),
    ] {
        release.helm("upgrade", &values(change)).await?;
        assert_eq!(deployment_and_lease(&control_plane).await?, (name.to_owned(), lease.clone()), "{change}");
    }
    for revision in ["4", "2", "1"] {
        control_plane.helm_ok(&["rollback", "named", revision, "--namespace", "named"]).await?;
        assert_eq!(deployment_and_lease(&control_plane).await?.1, lease, "back to {revision}");
    }
    Ok(())
}

#[tokio::test]
async fn an_upgrade_with_another_owner_id_or_identity_is_refused_until_the_pods_are_stopped() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    let values = |owner: &str, more: &str| vec![format!("ownerId={owner}"), more.to_owned()];
    let release = Release::install(&control_plane, "owned", &values("prod-eu", "replicas=2")).await?;
    let stop = stop("owned", "owned-connection-group-operator");
    let mistakes = [
        (values("prod-us", "log.level=debug"), "ownerId is prod-us, but"),
        (values("prod-eu", "identity.namespace=default"), "identity.namespace is default, but"),
    ];
    for (values, says) in &mistakes {
        match release.helm("upgrade", values).await {
            Err(Error::Command { stderr, .. }) => {
                assert!(stderr.contains(says) && stderr.contains(&stop), "{stderr}");
            }
            other => panic!("{says}: {other:?}"),
        }
    }
    release.helm("upgrade", &values("prod-eu", "identity.namespace=kube-system")).await?;
    for (values, _) in &mistakes {
        let words = stop.split_whitespace().skip(1).collect::<Vec<_>>();
        control_plane.kubectl_ok(&words).await?;
        release.helm("upgrade", values).await?;
        let replicas = release.deployment().await?.spec.and_then(|spec| spec.replicas);
        assert_eq!(replicas, Some(2), "the upgrade starts the Pods again");
    }
    Ok(())
}

#[tokio::test]
async fn a_rolling_upgrade_hands_over_at_once_and_asks_cloudfront_for_nothing_but_a_list() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    let simulator = Simulator::start(control_plane.folder(), ["--propagation=100ms"]).await?;
    let release = Release::install(&control_plane, "upgraded", &hurried(&simulator)?).await?;
    let old = release.run(&simulator).await?;
    let api = Api::<ConnectionGroup>::namespaced(control_plane.client().await?, release.namespace);
    create(&api, "edge").await?;
    let before = ready(&api, "edge").await?;

    let mut values = hurried(&simulator)?;
    values.push("log.level=debug".to_owned());
    release.helm("upgrade", &values).await?;
    let new = release.run(&simulator).await?;
    old.stop().await?;
    let stopped = Instant::now();
    let since = simulator.admin.requests(0).await?.last().map_or(0, |call| call.seq);
    wait_until(PATIENCE, "a call of the new Pod", async || {
        let calls = simulator.admin.requests(since).await.map_err(|error| error.to_string())?;
        if calls.is_empty() { Err("no call") } else { Ok(()) }.map_err(str::to_owned)
    })
    .await?;
    println!("{} ms without a leader", stopped.elapsed().as_millis());
    ready(&api, "edge").await?;
    new.stop().await?;
    let calls = simulator.admin.requests(since).await?;
    assert!(calls.iter().all(|call| call.operation == Some(Operation::ListConnectionGroups)), "{calls:?}");
    assert_eq!(ready(&api, "edge").await?.metadata.resource_version, before.metadata.resource_version);
    Ok(())
}

/// The command that stops the Pods of a Deployment.
fn stop(namespace: &str, name: &str) -> String {
    format!("kubectl -n {namespace} scale deployment/{name} --replicas=0")
}

/// The chart as it was at commit fbd838f, made by `helm package`.
const BEFORE: &str = "tests/chart/before/connection-group-operator-0.1.0.tgz";

#[tokio::test]
async fn the_chart_before_this_one_is_upgraded_with_the_values_that_it_took() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    create_namespace(&control_plane, "tenant", &[]).await?;
    for (name, values) in
        [("defaults", &["--set", "ownerId=before"][..]), ("typical", &["--values", "tests/chart/before/values.yaml"])]
    {
        create_namespace(&control_plane, name, &[]).await?;
        let release = Release { control_plane: &control_plane, name, namespace: name };
        // There is one CustomResourceDefinition and one of each admission policy in a cluster.
        let place = ["--namespace", name, "--take-ownership"];
        control_plane.helm_ok(&[&["install", name, BEFORE], &place[..], values].concat()).await?;
        let before = release.deployment().await?;
        let old = before.spec.clone().expect("it has a spec");
        for values in [&["--reuse-values"], values] {
            control_plane.helm_ok(&[&["upgrade", name, CHART], &place[..], values].concat()).await?;
            let after = release.deployment().await?;
            assert_eq!(lease_of(&after), lease_of(&before), "old and new Pods share one Lease");
            let new = after.spec.expect("it has a spec");
            assert_eq!(new.selector, old.selector);
            let selects = |labels: Option<&BTreeMap<String, String>>| {
                let wanted = old.selector.match_labels.iter().flatten();
                wanted.clone().all(|(key, value)| labels.is_some_and(|labels| labels.get(key) == Some(value)))
            };
            assert!(selects(new.template.metadata.as_ref().and_then(|metadata| metadata.labels.as_ref())));
        }
        let policies = Api::<NetworkPolicy>::namespaced(control_plane.client().await?, name);
        for policy in policies.list(&ListParams::default()).await? {
            let dns = json!({ "ports": [{ "port": 53, "protocol": "UDP" }, { "port": 53, "protocol": "TCP" }] });
            let egress = policy.spec.and_then(|spec| spec.egress).unwrap_or_default();
            assert_eq!(json!(egress[0]), dns, "also where the old values have no ports of DNS");
        }
        control_plane.helm_ok(&["uninstall", name, "--namespace", name]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_upgrade_from_a_chart_with_another_lease_is_refused_until_the_pods_are_stopped() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    create_namespace(&control_plane, "leased", &[]).await?;
    let place = ["--namespace", "leased"];
    let long = "a-name-that-leaves-no-room-for-all-of-the-charts";
    let cut = "use Lease leased/a-name-that-leaves-no-room-for-all-of-the-charts-connec, and";
    for (name, old, new, says) in [
        ("leased", "fullnameOverride=mine", "fullnameOverride=mine", "use Lease leased/mine, and"),
        ("leased", "fullnameOverride=mine", "fullnameOverride=", "use Lease leased/mine, and"),
        ("leased", "leaderElection.leaseName=mine", "leaderElection.leaseName=", "use Lease leased/mine, and"),
        ("leased", "leaderElection.enabled=false,replicas=1", "leaderElection.enabled=true", "use no Lease, and"),
        (
            "my-connection-group-operator",
            "replicas=2",
            "replicas=2",
            "use Lease leased/my-connection-group-operator, and",
        ),
        (long, "replicas=2", "replicas=2", cut),
    ] {
        let set = |more: &str| format!("ownerId=leased,{more}");
        let install = ["install", name, BEFORE, "--take-ownership", "--set", &set(old)];
        control_plane.helm_ok(&[&install[..], &place].concat()).await?;
        let (deployment, lease) = deployment_and_lease(&control_plane).await?;
        let set = set(new);
        let upgrade = ["upgrade", name, CHART, "--take-ownership", "--reset-values", "--set", &set];
        let upgrade = [&upgrade[..], &place].concat();
        match control_plane.helm_ok(&upgrade).await {
            Err(Error::Command { stderr, .. }) => {
                assert!(stderr.contains(says) && stderr.contains(&stop("leased", &deployment)), "{new}: {stderr}");
            }
            other => panic!("{old}, then {new}: {other:?}"),
        }
        let words = stop("leased", &deployment);
        control_plane.kubectl_ok(&words.split_whitespace().skip(1).collect::<Vec<_>>()).await?;
        control_plane.helm_ok(&upgrade).await?;
        assert_ne!(deployment_and_lease(&control_plane).await?.1, lease);
        control_plane.helm_ok(&[&["uninstall", name], &place[..]].concat()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_older_definition_that_kubectl_applied_becomes_the_releases_own_as_the_documents_say() -> Result<()> {
    let control_plane = ControlPlane::start().await?;
    create_namespace(&control_plane, "adopting", &[]).await?;
    let current = std::fs::read_to_string("crds/connectiongroups.yaml").expect("it is generated");
    let older = current.replacen("name: Ready\n", "name: Old\n", 1);
    assert_ne!(older, current, "it has a column of that name");
    let path = control_plane.folder().join("older.yaml");
    std::fs::write(&path, older).expect("the run's folder can be written to");
    control_plane.kubectl_ok(&["apply", "--server-side", "-f", &path.to_string_lossy()]).await?;
    let install = ["upgrade", "--install", "adopting", CHART, "--namespace", "adopting", "--set", "ownerId=adopting"];
    for (more, refused) in [(&[][..], "cannot be imported"), (&["--take-ownership"], "conflict")] {
        match control_plane.helm_ok(&[&install[..], more].concat()).await {
            Err(Error::Command { stderr, .. }) => assert!(stderr.contains(refused), "{more:?}: {stderr}"),
            other => panic!("{more:?}: {other:?}"),
        }
    }
    let flags = ["--take-ownership", "--force-conflicts"];
    for document in ["docs/install.md", "charts/connection-group-operator/README.md"] {
        let text = std::fs::read_to_string(document).expect("a document");
        assert!(text.contains(&flags.join(" ")), "{document}");
    }
    control_plane.helm_ok(&[&install[..], &flags].concat()).await?;
    let columns = control_plane
        .kubectl_ok(&["get", "crd", CRD, "-o", "jsonpath={.spec.versions[0].additionalPrinterColumns[0].name}"])
        .await?;
    assert_eq!(columns, "Ready", "it is the chart's");
    Ok(())
}
