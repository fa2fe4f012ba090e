//! `docs/disaster-recovery.md`, run as it is written.

use cloudfront_simulator::admin::{GroupPatch, Request, Tags};
use connection_group_operator::api::{LEGACY_FINALIZER, finalizer};
use kube::ResourceExt;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;
use testbed::{ControlPlane, Result, Simulator, wait_for, wait_gone, wait_until};

use crate::cluster::{self, Cluster, PATIENCE, message};
use crate::document::labelled;

const DOCUMENT: &str = "docs/disaster-recovery.md";
const IDENTITY: &str = "cloudfront.kube-operators.dev/installation";
/// The identity that the document uses as an example.
const EXAMPLE: &str = "1f0c7a52-6e0d-4f0b-9a53-0d4c2f1b8e77";

/// Follows the document on an empty cluster, in place of the installation with this identity.
async fn follow(cluster: &mut Cluster, lost: &str) -> Result<()> {
    for script in labelled(DOCUMENT, "rebuild") {
        cluster.run(&script.replace(EXAMPLE, lost)).await?;
    }
    Ok(())
}

/// A cluster with an installation `prod-eu` and the group `edge`.
pub async fn installed() -> Result<(Cluster, Simulator)> {
    let (mut cluster, account) = Cluster::start().await?;
    follow(&mut cluster, EXAMPLE).await?;
    Ok((cluster, account))
}

/// Another cluster, with the same owner id and the same objects, restored from a backup of the first one, which still runs.
async fn restored_beside(original: &Cluster, account: &Simulator) -> Result<Cluster> {
    let mut copy = Cluster::on(ControlPlane::start().await?, account);
    copy.run(&labelled(DOCUMENT, "rebuild")[0]).await?;
    copy.run("kubectl create namespace platform").await?;
    let mut object = original.objects("platform").await?.get("edge").await?;
    let status = object.status.clone();
    object.metadata.uid = None;
    object.metadata.resource_version = None;
    let objects = copy.objects("platform").await?;
    objects.create(&PostParams::default(), &object).await?;
    objects.patch_status("edge", &PatchParams::default(), &Patch::Merge(json!({ "status": status }))).await?;
    Ok(copy)
}

async fn identity(cluster: &mut Cluster) -> Result<String> {
    cluster.run("kubectl get namespace kube-system -o jsonpath='{.metadata.uid}'").await
}

/// The tags that were written since then, each alone: what a take-over writes, and nothing else.
async fn identities_written(account: &Simulator, since: u64) -> Result<Vec<String>> {
    let writes = cluster::writes(account, since).await?;
    let identity = |write| match write {
        Request::TagResource { tags, .. } if tags.len() == 1 && tags[0].0 == IDENTITY => tags[0].1.clone(),
        other => panic!("{other:?}"),
    };
    Ok(writes.into_iter().map(identity).collect())
}

#[tokio::test]
async fn a_rebuilt_cluster_that_is_told_to_take_over_finds_its_groups_and_changes_nothing_but_the_identity()
-> Result<()> {
    let (mut lost, account) = installed().await?;
    lost.run("kubectl -n platform create -f - <<'EOF'\n{apiVersion: cloudfront.kube-operators.dev/v1alpha1, kind: ConnectionGroup, metadata: {name: forgotten}, spec: {}}\nEOF")
        .await?;
    lost.settled("platform", "forgotten", "Deployed").await?;
    let status = lost.settled("platform", "edge", "Deployed").await?.status.expect("it is Ready");
    let before = cluster::tags(&account, "edge").await?;
    assert_eq!(before.get(IDENTITY), Some(&identity(&mut lost).await?), "the groups show the identity");
    lost.operator.as_mut().expect("it is installed").kill().await?;
    lost.control_plane.stop_api_server().await;
    let since = cluster::now(&account).await?;

    let mut rebuilt = Cluster::on(ControlPlane::start().await?, &account);
    follow(&mut rebuilt, &before[IDENTITY]).await?;
    let found = rebuilt.settled("platform", "edge", "Deployed").await?.status.expect("it is Ready");
    assert_eq!((found.id, found.routing_endpoint), (status.id, status.routing_endpoint));
    let operator = rebuilt.operator.as_ref().expect("it is installed");
    wait_until(PATIENCE, "the forgotten group to be reported", async || {
        let metrics = operator.metrics().await.map_err(|error| error.to_string())?;
        if metrics.contains("connection_group_operator_orphans 1\n") { Ok(()) } else { Err(metrics) }
    })
    .await?;
    let us = identity(&mut rebuilt).await?;
    assert_eq!(identities_written(&account, since).await?, [us.as_str()]);
    let mut expected: Tags = before;
    expected.insert(IDENTITY.to_owned(), us.clone());
    assert_eq!(cluster::tags(&account, "edge").await?, expected);

    rebuilt.run_all(&labelled(DOCUMENT, "done")).await?;
    rebuilt.look_now("platform", "edge", "without the flag").await?;
    rebuilt.settled("platform", "edge", "Deployed").await?;
    assert_eq!(identities_written(&account, since).await?, [us]);
    Ok(())
}

#[tokio::test]
async fn a_backup_restored_beside_the_running_original_touches_nothing_whatever_is_done_there() -> Result<()> {
    let (mut original, account) = installed().await?;
    original.settled("platform", "edge", "Deployed").await?;
    let groups = account.admin.state().await?.groups;
    let since = cluster::now(&account).await?;

    let mut copy = restored_beside(&original, &account).await?;
    let refused = copy.settled("platform", "edge", "AnotherInstallation").await?;
    assert!(message(&refused).contains(&identity(&mut original).await?), "{}", message(&refused));
    copy.patch("platform", "edge", json!({ "spec": { "enabled": false, "tags": { "team": "drill" } } })).await?;
    copy.settled("platform", "edge", "AnotherInstallation").await?;
    copy.run("kubectl -n platform delete connectiongroup --all --timeout=1m").await?;
    wait_gone(&copy.objects("platform").await?, "edge", PATIENCE).await?;
    assert_eq!(cluster::writes(&account, since).await?, []);
    assert_eq!(account.admin.state().await?.groups, groups, "not even a tag has changed");

    original.patch("platform", "edge", json!({ "spec": { "ipv6Enabled": false } })).await?;
    original.settled("platform", "edge", "Deployed").await?;
    assert!(!cluster::group(&account, "edge").await?.resource.ipv6_enabled, "the original continues");
    Ok(())
}

#[tokio::test]
async fn a_namespace_that_is_deleted_in_a_restored_copy_is_removed_and_the_originals_group_stays_unchanged()
-> Result<()> {
    let (original, account) = installed().await?;
    original.settled("platform", "edge", "Deployed").await?;
    let groups = account.admin.state().await?.groups;
    let since = cluster::now(&account).await?;

    let mut copy = restored_beside(&original, &account).await?;
    copy.settled("platform", "edge", "AnotherInstallation").await?;
    let _controller = copy.control_plane.start_namespace_controller()?;
    copy.run("kubectl delete namespace platform --timeout=2m").await?;
    assert_eq!(cluster::writes(&account, since).await?, []);
    assert_eq!(account.admin.state().await?.groups, groups, "not even a tag has changed");

    original.patch("platform", "edge", json!({ "spec": { "ipv6Enabled": false } })).await?;
    original.settled("platform", "edge", "Deployed").await?;
    assert!(!cluster::group(&account, "edge").await?.resource.ipv6_enabled, "the original continues");
    Ok(())
}

#[tokio::test]
async fn of_two_running_clusters_the_one_that_is_told_to_take_over_acts_and_the_other_stops_and_vice_versa()
-> Result<()> {
    let (mut original, account) = installed().await?;
    original.settled("platform", "edge", "Deployed").await?;
    let mut copy = restored_beside(&original, &account).await?;
    copy.settled("platform", "edge", "AnotherInstallation").await?;
    let [here, there] = [identity(&mut original).await?, identity(&mut copy).await?];
    let [take_over, done] = labelled(DOCUMENT, "take-over").try_into().expect("two steps");

    let since = cluster::now(&account).await?;
    copy.run(&take_over.replace(EXAMPLE, &here)).await?;
    copy.settled("platform", "edge", "Deployed").await?;
    assert_eq!(identities_written(&account, since).await?, [there.as_str()]);
    copy.run(&done).await?;

    let since = cluster::now(&account).await?;
    original.patch("platform", "edge", json!({ "spec": { "enabled": false } })).await?;
    let stopped = original.settled("platform", "edge", "AnotherInstallation").await?;
    assert!(message(&stopped).contains(&there), "{}", message(&stopped));
    assert_eq!(cluster::writes(&account, since).await?, []);
    copy.patch("platform", "edge", json!({ "spec": { "ipv6Enabled": false } })).await?;
    copy.settled("platform", "edge", "Deployed").await?;

    original.patch("platform", "edge", json!({ "spec": { "enabled": true, "ipv6Enabled": false } })).await?;
    original.run(&take_over.replace(EXAMPLE, &there)).await?;
    original.settled("platform", "edge", "Deployed").await?;
    assert_eq!(cluster::tags(&account, "edge").await?.get(IDENTITY), Some(&here));
    copy.look_now("platform", "edge", "now").await?;
    copy.settled("platform", "edge", "AnotherInstallation").await?;
    Ok(())
}

#[tokio::test]
async fn groups_and_objects_of_a_version_without_identity_are_marked_and_stay_ready() -> Result<()> {
    let (mut cluster, account) = installed().await?;
    let before = cluster.settled("platform", "edge", "Deployed").await?;
    cluster.operator = None;
    // As that version left them.
    let unmarked = GroupPatch { remove_tags: vec![IDENTITY.to_owned()], ..GroupPatch::default() };
    account.admin.edit_group("edge", &unmarked).await?;
    cluster.patch("platform", "edge", json!({ "metadata": { "finalizers": [LEGACY_FINALIZER] } })).await?;
    let objects = cluster.objects("platform").await?;
    let forget = Patch::Merge(json!({ "status": { "installation": null, "syncedGeneration": null } }));
    objects.patch_status("edge", &PatchParams::default(), &forget).await?;
    let since = cluster::now(&account).await?;

    cluster.run_all(&labelled(DOCUMENT, "done")).await?;
    let marked = |object: &_| ResourceExt::finalizers(object) == [finalizer("prod-eu")];
    wait_for(&objects, "edge", PATIENCE, "the finalizer of the installation", marked).await?;
    let us = identity(&mut cluster).await?;
    wait_until(PATIENCE, "the identity on the group", async || {
        let tags = cluster::tags(&account, "edge").await.map_err(|error| error.to_string())?;
        if tags.get(IDENTITY) == Some(&us) { Ok(()) } else { Err(format!("{tags:?}")) }
    })
    .await?;
    cluster.look_now("platform", "edge", "now").await?;
    let after = cluster.settled("platform", "edge", "Deployed").await?;
    let since_when = |object: &connection_group_operator::api::ConnectionGroup| {
        object.status.as_ref().map(|status| status.conditions[0].last_transition_time.clone())
    };
    assert_eq!(since_when(&after), since_when(&before), "it was Ready all the time");
    assert_eq!(identities_written(&account, since).await?, [us]);
    Ok(())
}

#[tokio::test]
async fn with_a_wrong_owner_id_nothing_is_touched_not_even_by_a_deletion_and_the_right_one_fixes_it() -> Result<()> {
    let (mut cluster, account) = installed().await?;
    cluster.run("kubectl -n platform create -f - <<'EOF'\n{apiVersion: cloudfront.kube-operators.dev/v1alpha1, kind: ConnectionGroup, metadata: {name: going}, spec: {}}\nEOF").await?;
    let before = cluster.settled("platform", "going", "Deployed").await?;
    let since = cluster::now(&account).await?;
    let by_mistake = labelled(DOCUMENT, "wrong-owner")[0].replace("prod-eu", "prod-us");
    cluster.run(&by_mistake).await?;
    cluster.patch("platform", "edge", json!({ "spec": { "enabled": false } })).await?;
    cluster.run("kubectl -n platform delete connectiongroup/going --wait=false").await?;
    let operator = cluster.operator.as_ref().expect("it is installed");
    let log = operator.log().to_owned();
    wait_until(PATIENCE, "both objects to be left alone", async || {
        let log = std::fs::read_to_string(&log).map_err(|error| error.to_string())?;
        let logged =
            log.lines().filter(|line| line.contains(&finalizer("prod-eu")) && line.contains("leaves the object alone"));
        if logged.count() == 2 { Ok(()) } else { Err(log) }
    })
    .await?;
    let events = "kubectl -n platform get events --field-selector reason=ForeignFinalizer -o jsonpath='{.items[*].involvedObject.name}'";
    let told = cluster.run(events).await?;
    assert!(told.contains("edge") && told.contains("going"), "{told}");
    let held = cluster.objects("platform").await?.get("going").await?;
    assert_eq!((held.finalizers(), &held.status), (before.finalizers(), &before.status));
    assert_eq!(cluster::writes(&account, since).await?, []);

    cluster.run_all(&labelled(DOCUMENT, "wrong-owner")).await?;
    wait_gone(&cluster.objects("platform").await?, "going", PATIENCE).await?;
    cluster.settled("platform", "edge", "Disabled").await?;
    Ok(())
}

#[tokio::test]
async fn a_copy_with_an_owner_id_of_its_own_leaves_restored_objects_alone_until_their_finalizer_is_removed()
-> Result<()> {
    let (original, account) = installed().await?;
    original.settled("platform", "edge", "Deployed").await?;
    let mut copy = restored_beside(&original, &account).await?;
    copy.run(&labelled(DOCUMENT, "wrong-owner")[0].replace("prod-eu", "staging")).await?;
    let since = cluster::now(&account).await?;
    copy.run_all(&labelled(DOCUMENT, "copy")).await?;
    copy.look_now("platform", "edge", "now").await?;
    copy.settled("platform", "edge", "NotOwned").await?;
    assert_eq!(cluster::writes(&account, since).await?, []);
    Ok(())
}

#[tokio::test]
async fn a_cluster_restored_from_a_snapshot_of_etcd_gets_another_identity_from_another_namespace() -> Result<()> {
    let (mut cluster, account) = installed().await?;
    cluster.settled("platform", "edge", "Deployed").await?;
    let since = cluster::now(&account).await?;
    cluster.run_all(&labelled(DOCUMENT, "snapshot")).await?;
    let refused = cluster.settled("platform", "edge", "AnotherInstallation").await?;
    assert!(message(&refused).contains(&identity(&mut cluster).await?), "{}", message(&refused));
    assert_eq!(cluster::writes(&account, since).await?, []);
    Ok(())
}

#[tokio::test]
async fn a_new_owner_tag_hands_a_group_over_to_an_object_of_another_namespace() -> Result<()> {
    let (mut cluster, account) = installed().await?;
    cluster.patch("platform", "edge", json!({ "spec": { "suspend": true } })).await?;
    let owner = ("cloudfront.kube-operators.dev/owner".to_owned(), "prod-eu/network/edge".to_owned());
    account.admin.edit_group("edge", &GroupPatch { set_tags: [owner].into(), ..GroupPatch::default() }).await?;
    let since = cluster::now(&account).await?;
    cluster.run("kubectl create namespace network; sed 's/namespace: platform/namespace: network/' examples/connection-group.yaml | kubectl apply -f -").await?;
    cluster.settled("network", "edge", "Deployed").await?;
    cluster.patch("platform", "edge", json!({ "spec": { "suspend": false } })).await?;
    cluster.settled("platform", "edge", "NotOwned").await?;
    cluster.run("kubectl -n platform delete connectiongroup/edge --timeout=1m").await?;
    assert_eq!(cluster::writes(&account, since).await?, []);
    cluster::group(&account, "edge").await?;
    Ok(())
}

#[tokio::test]
async fn specs_that_may_be_out_of_date_change_no_group_while_their_objects_observe_or_are_suspended() -> Result<()> {
    let (mut cluster, account) = installed().await?;
    cluster.settled("platform", "edge", "Deployed").await?;
    cluster.run_all(&labelled(DOCUMENT, "stop")).await?;
    cluster.operator = None;
    let since = cluster::now(&account).await?;
    cluster.patch("platform", "edge", json!({ "spec": { "enabled": false } })).await?;
    cluster.run_all(&labelled(DOCUMENT, "suspend")).await?;
    cluster.run_all(&labelled(DOCUMENT, "done")).await?;
    let suspended = |object: &connection_group_operator::api::ConnectionGroup| {
        object.status.is_some() && message(object).starts_with("Suspended")
    };
    wait_for(&cluster.objects("platform").await?, "edge", PATIENCE, "a suspended object", suspended).await?;

    cluster.run_all(&labelled(DOCUMENT, "stale")).await?;
    cluster.patch("platform", "edge", json!({ "spec": { "suspend": false } })).await?;
    let shown = cluster.settled("platform", "edge", "Deployed").await?;
    assert!(!shown.status.expect("it is mirrored").drift.is_empty());
    assert_eq!(cluster::writes(&account, since).await?, []);
    Ok(())
}
