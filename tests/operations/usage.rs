//! The documents for people who use the operator, run as they are written: the tutorial, tenants, Anycast lists, teams.

use cloudfront_simulator::admin::{IpAddressType, NewList};
use testbed::{Result, Simulator};

use crate::cluster::{self, Cluster};
use crate::document::{Block, blocks, labelled};

/// Installed, with a namespace for the objects.
async fn installed() -> Result<(Cluster, Simulator)> {
    let (mut cluster, account) = Cluster::start().await?;
    cluster.run_all(&labelled("docs/install-eks.md", "pod-identity")).await?;
    cluster.run("kubectl wait --for=condition=Established --timeout=1m crd/connectiongroups.cloudfront.kube-operators.dev; kubectl create namespace platform").await?;
    Ok((cluster, account))
}

/// Installed, with the group `edge`.
async fn with_a_group() -> Result<(Cluster, Simulator)> {
    let (mut cluster, account) = installed().await?;
    cluster.run("kubectl apply -f examples/connection-group.yaml").await?;
    cluster.settled("platform", "edge", "Deployed").await?;
    Ok((cluster, account))
}

/// Runs the blocks of a document that carry no mark.
async fn run_unmarked(cluster: &mut Cluster, path: &str) -> Result<String> {
    let unmarked = blocks(path, None).into_iter().filter(|block| block.note.is_none());
    cluster.run_all(&unmarked.map(|Block { script, .. }| script).collect::<Vec<_>>()).await
}

#[tokio::test]
async fn the_tutorial_takes_a_group_through_its_life() -> Result<()> {
    let (mut cluster, account) = installed().await?;
    let printed = run_unmarked(&mut cluster, "docs/tutorial.md").await?;
    assert!(printed.contains("DriftCorrected"), "{printed}");
    assert!(printed.contains("[\"shop\"] true"), "{printed}");
    assert!(account.admin.state().await?.groups.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_requested_reconcile_is_answered_as_the_concepts_say() -> Result<()> {
    let (mut cluster, _account) = with_a_group().await?;
    run_unmarked(&mut cluster, "docs/concepts.md").await?;
    Ok(())
}

#[tokio::test]
async fn the_page_about_tenants_finds_id_and_endpoint_of_the_group() -> Result<()> {
    let (mut cluster, account) = with_a_group().await?;
    let printed = run_unmarked(&mut cluster, "docs/tenants-and-dns.md").await?;
    let group = cluster::group(&account, "edge").await?.resource;
    assert!(printed.contains(&format!("{} {}\n", group.id, group.routing_endpoint)), "{printed}");
    Ok(())
}

#[tokio::test]
async fn an_anycast_list_is_attached_as_its_page_says() -> Result<()> {
    let (mut cluster, account) = with_a_group().await?;
    let list = account.admin.create_list(&NewList::named("list", IpAddressType::Ipv4)).await?;
    for Block { script, .. } in blocks("docs/anycast.md", None) {
        cluster.run(&script.replace("aip_2uVbA9KeWaADTbKzhj9lcKDoM25", &list.id)).await?;
    }
    assert_eq!(cluster::group(&account, "edge").await?.resource.anycast_ip_list_id, Some(list.id));
    Ok(())
}

/// An object of team A, as YAML on standard input.
fn object(name: &str, spec: &str) -> String {
    format!(
        "<<'EOF'\n{{apiVersion: cloudfront.kube-operators.dev/v1alpha1, kind: ConnectionGroup, metadata: {{name: {name}, namespace: team-a}}, spec: {spec}}}\nEOF"
    )
}

/// Waits until the API server knows the policy, and returns why it refuses the object.
async fn refusal(cluster: &mut Cluster, spec: &str) -> Result<String> {
    let create = object("new", spec);
    let script = format!(
        "for try in $(seq 300); do if ! kubectl create --dry-run=server -f - {create}\nthen exit 0; fi; sleep 0.2; done 2>&1; exit 1"
    );
    cluster.run(&script).await
}

#[tokio::test]
async fn a_team_gets_a_group_of_its_own_name_and_the_policy_refuses_everything_else() -> Result<()> {
    let (mut cluster, account) = installed().await?;
    run_unmarked(&mut cluster, "docs/teams.md").await?;
    assert!(account.admin.group("team-a_shop").await?.is_some());
    for (spec, reason) in [
        ("{}", "the name of the connection group must begin with \"team-a_\""),
        ("{name: team-b_shop}", "the name of the connection group must begin with \"team-a_\""),
        ("{name: team-a-web_shop}", "the name of the connection group must begin with \"team-a_\""),
        ("{name: team-a_new, adoptionPolicy: Always}", "adoptionPolicy must be Never"),
        ("{name: team-a_new, mode: Observe}", "mode must be Manage"),
    ] {
        let printed = refusal(&mut cluster, spec).await?;
        assert!(printed.contains(reason), "{spec}: {printed}");
    }
    Ok(())
}

/// Patches the spec of an object of team A, and returns what kubectl prints, its refusals included.
async fn patched(cluster: &mut Cluster, name: &str, spec: &str) -> Result<String> {
    let patch = format!("kubectl -n team-a patch cfcg/{name} --type=merge -p '{{\"spec\":{spec}}}'");
    cluster.run(&format!("{patch} 2>&1 || true")).await
}

#[tokio::test]
async fn an_object_from_before_the_policy_of_teams_can_be_switched_off_and_deleted_and_gets_nothing_that_it_forbids()
-> Result<()> {
    let (mut cluster, account) = installed().await?;
    cluster.run("kubectl create namespace team-a").await?;
    cluster.run("kubectl label namespace team-a cloudfront.kube-operators.dev/team=true").await?;
    cluster.run(&format!("kubectl create -f - {}", object("older", "{}"))).await?;
    cluster
        .run(&format!("kubectl create -f - {}", object("watcher", "{mode: Observe, adoptionPolicy: Always}")))
        .await?;
    cluster.settled("team-a", "older", "Deployed").await?;
    cluster.run("kubectl apply -f examples/teams/policy.yaml").await?;
    refusal(&mut cluster, "{}").await?;
    for (name, spec) in [
        ("older", r#"{"enabled":false,"suspend":false}"#),
        ("older", r#"{"deletionPolicy":"Retain"}"#),
        ("older", r#"{"deletionPolicy":"Delete"}"#),
        ("watcher", r#"{"tags":{"team":"a"}}"#),
        ("watcher", r#"{"adoptionPolicy":"Never"}"#),
    ] {
        let printed = patched(&mut cluster, name, spec).await?;
        assert!(printed.contains(" patched"), "{name} {spec}: {printed}");
    }
    for (name, spec, reason) in [
        ("watcher", r#"{"adoptionPolicy":"Always"}"#, "adoptionPolicy must be Never"),
        ("older", r#"{"adoptionPolicy":"Always"}"#, "adoptionPolicy must be Never"),
        ("older", r#"{"mode":"Observe"}"#, "mode must be Manage"),
    ] {
        let printed = patched(&mut cluster, name, spec).await?;
        assert!(printed.contains(reason), "{name} {spec}: {printed}");
    }
    cluster.settled("team-a", "older", "Disabled").await?;
    cluster.run("kubectl -n team-a delete cfcg/older --timeout=2m").await?;
    assert!(account.admin.group("older").await?.is_none());
    Ok(())
}
