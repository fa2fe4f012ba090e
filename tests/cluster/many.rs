//! Several operators, several namespaces, many objects.

use std::time::{Duration, Instant};

use cloudfront_simulator::admin::{NewGroup, Operation};
use connection_group_operator::api::ConnectionGroup;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use testbed::{Result, Testbed, wait_for, wait_until};

use crate::{steps, steps::PATIENCE};

const OWNER: &str = "cloudfront.kube-operators.dev/owner";

#[tokio::test]
async fn of_two_installations_that_want_one_name_one_owns_it_and_the_other_reports_the_owner() -> Result<()> {
    let bed = steps::bed().await?;
    let other = namespace(&bed).await?;
    let (one, two) = (steps::operator(&bed).owner_id("one"), steps::hurried(bed.operator().watch_namespace(&other)));
    let _operators = tokio::try_join!(one.start(), two.owner_id("two").start())?;
    let places = [("one", &bed.namespace), ("two", &other)];
    for (_, namespace) in places {
        create_in(&bed, namespace, "edge").await?;
    }
    one_owner(&bed, places.map(|(owner_id, namespace)| (format!("{owner_id}/{namespace}/edge"), namespace, "edge")))
        .await
}

#[tokio::test]
async fn of_two_objects_that_want_one_name_one_owns_it_and_the_other_reports_the_owner() -> Result<()> {
    let bed = steps::bed().await?;
    let _operator = steps::operator(&bed).start().await?;
    for name in ["first", "second"] {
        steps::create(&bed, name, json!({ "name": "edge" })).await?;
    }
    let namespace = &bed.namespace;
    one_owner(&bed, ["first", "second"].map(|name| (format!("{namespace}/{namespace}/{name}"), namespace, name))).await
}

/// Of two objects (owner tag, namespace, name), the one that the group's tag names is Ready, and the other reports its owner.
async fn one_owner(bed: &Testbed, objects: [(String, &String, &str); 2]) -> Result<()> {
    let group = wait_until(PATIENCE, "the group", async || match bed.simulator.admin.group("edge").await {
        Ok(Some(group)) => Ok(group),
        other => Err(format!("{other:?}")),
    })
    .await?;
    let owner = group.resource.tags.as_ref().and_then(|tags| tags.get(OWNER)).expect("the group has an owner tag");
    assert_eq!(objects.iter().filter(|(tag, ..)| tag == owner).count(), 1, "{owner}");
    for (tag, namespace, name) in &objects {
        let api = Api::<ConnectionGroup>::namespaced(bed.control_plane.client().await?, namespace);
        let reason = if tag == owner { "Deployed" } else { "NotOwned" };
        let object = wait_for(&api, name, PATIENCE, reason, |object| has_reason(object, reason)).await?;
        let message = steps::message(&object);
        assert!(tag == owner || message.contains(&format!("belongs to '{owner}'")), "{message}");
    }
    assert_eq!(bed.simulator.admin.state().await?.groups.len(), 1);
    Ok(())
}

#[tokio::test]
async fn only_objects_in_the_watched_namespaces_are_handled() -> Result<()> {
    let bed = steps::bed().await?;
    let (second, unwatched) = (namespace(&bed).await?, namespace(&bed).await?);
    let operator = steps::operator(&bed).args(["--watch-namespace", &second]);
    let _operator = operator.start().await?;
    create_in(&bed, &unwatched, "aloof").await?;
    create_in(&bed, &bed.namespace, "near").await?;
    create_in(&bed, &second, "far").await?;
    for (namespace, name) in [(&bed.namespace, "near"), (&second, "far")] {
        let api = Api::<ConnectionGroup>::namespaced(bed.control_plane.client().await?, namespace);
        wait_for(&api, name, PATIENCE, "Deployed", |object| has_reason(object, "Deployed")).await?;
    }
    steps::an_inventory(&bed).await?;
    let aloof = Api::<ConnectionGroup>::namespaced(bed.control_plane.client().await?, &unwatched).get("aloof").await?;
    assert_eq!(aloof.finalizers(), Vec::<String>::new());
    assert_eq!(aloof.status.map(|status| status.observed_generation), Some(-1));
    assert_eq!(bed.simulator.admin.group("aloof").await?, None);
    Ok(())
}

#[tokio::test]
async fn twenty_objects_at_once_cost_twenty_calls_and_the_inventories_of_that_period() -> Result<()> {
    const OBJECTS: usize = 20;
    let bed = steps::bed().await?;
    let begun = Instant::now();
    let operator = bed.operator().args(["--aws-rate=20", "--inventory-interval=1h", "--inventory-interval-active=2s"]);
    let _operator = operator.start().await?;
    let names = (0..OBJECTS).map(|n| format!("edge-{n}")).collect::<Vec<_>>();
    let items = names.iter().map(|name| steps::manifest(name, &json!({}))).collect::<Vec<_>>();
    bed.apply(&json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string()).await?;
    for name in &names {
        steps::ready(&bed, name).await?;
    }
    let all = bed.simulator.admin.requests(0).await?;
    let creates = steps::calls_but_lists(&bed, 0).await?;
    assert_eq!(steps::operations(&creates), [Operation::CreateConnectionGroup; OBJECTS]);
    // One at the start, one every two seconds while anything is rolled out: 4 on an idle machine.
    let lists = all.len() - creates.len();
    let inventories = usize::try_from(begun.elapsed().as_secs() / 2 + 1).expect("few");
    assert!(lists <= inventories, "{lists} lists during {inventories} inventories");
    Ok(())
}

#[tokio::test]
async fn the_calls_of_all_objects_and_of_the_inventories_share_one_budget() -> Result<()> {
    const BURST: usize = 3;
    let bed = steps::bed().await?;
    let admin = &bed.simulator.admin;
    admin.create_group(&NewGroup::named("unnamed")).await?;
    for n in 0..5 {
        steps::create(&bed, &format!("edge-{n}"), json!({})).await?;
    }
    // After the burst, the next call is a quarter of an hour away.
    let operator = bed.operator().args(["--aws-rate=0.001".to_owned(), format!("--aws-burst={BURST}")]);
    let _operator = operator.args(["--inventory-interval=1s", "--inventory-interval-active=200ms"]).start().await?;
    let calls = async |at_least| match admin.requests(0).await {
        Ok(calls) if calls.len() >= at_least => Ok(steps::operations(&calls)),
        other => Err(format!("{other:?}")),
    };
    let burst = wait_until(PATIENCE, "the burst", async || calls(BURST).await).await?;
    assert_eq!(burst[0], Operation::ListConnectionGroups, "{burst:?}");
    let more = wait_until(Duration::from_secs(3), "one call more", async || calls(BURST + 1).await).await;
    assert!(more.is_err(), "{more:?}");
    Ok(())
}

fn has_reason(object: &ConnectionGroup, reason: &str) -> bool {
    let conditions = object.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    conditions.iter().any(|condition| condition.type_ == "Ready" && condition.reason == reason)
}

/// One more namespace.
async fn namespace(bed: &Testbed) -> Result<String> {
    let metadata = ObjectMeta { generate_name: Some("test-".to_owned()), ..Default::default() };
    let namespace = Namespace { metadata, ..Default::default() };
    let namespaces = Api::<Namespace>::all(bed.control_plane.client().await?);
    Ok(namespaces.create(&PostParams::default(), &namespace).await?.name_any())
}

async fn create_in(bed: &Testbed, namespace: &str, name: &str) -> Result<()> {
    let object = serde_json::from_value(steps::manifest(name, &json!({}))).expect("a ConnectionGroup");
    let api = Api::<ConnectionGroup>::namespaced(bed.control_plane.client().await?, namespace);
    api.create(&PostParams::default(), &object).await?;
    Ok(())
}
