//! Under which name the operator writes: `kubectl get --show-managed-fields` shows it.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::ListParams;
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};
use testbed::{Result, Testbed, wait_until};

use crate::{steps, steps::PATIENCE};

const MANAGER: &str = "connection-group-operator";

/// Who wrote a field at this path of the managed fields; none if nobody did.
fn writers(object: &impl Resource, path: &str) -> Vec<String> {
    let writes = |entry: &&ManagedFieldsEntry| {
        let fields = serde_json::to_value(&entry.fields_v1).expect("managed fields are JSON");
        fields.pointer(path).is_some()
    };
    object.managed_fields().iter().filter(writes).filter_map(|entry| entry.manager.clone()).collect()
}

async fn events(bed: &Testbed) -> Result<Vec<Event>> {
    Ok(bed.api::<Event>().await?.list(&ListParams::default()).await?.items)
}

#[tokio::test]
async fn status_finalizer_events_and_lease_are_written_under_the_name_of_the_operator() -> Result<()> {
    let bed = steps::bed().await?;
    let lease = ["--leader-election", "--leader-election-namespace", &bed.namespace];
    let _operator = steps::operator(&bed).args(lease).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    let object = steps::ready(&bed, "edge").await?;
    assert_eq!(writers(&object, "/f:status/f:id"), [MANAGER]);
    assert_eq!(writers(&object, "/f:metadata/f:finalizers"), [MANAGER]);
    let lease = bed.api::<Lease>().await?.get(MANAGER).await?;
    assert_eq!(writers(&lease, "/f:spec/f:holderIdentity"), [MANAGER]);
    let created = wait_until(PATIENCE, "the event Created", async || {
        let events = events(&bed).await.map_err(|error| error.to_string())?;
        events.into_iter().find(|event| event.reason.as_deref() == Some("Created")).ok_or("no such event".to_owned())
    })
    .await?;
    assert_eq!(writers(&created, "/f:reason"), [MANAGER]);
    Ok(())
}

#[tokio::test]
async fn a_status_that_an_older_version_wrote_without_a_name_is_continued_and_not_doubled() -> Result<()> {
    let bed = steps::bed().await?;
    let mut operator = steps::operator(&bed).start().await?;
    steps::create(&bed, "edge", json!({})).await?;
    let stored = steps::ready(&bed, "edge").await?;
    operator.kill().await?;
    // As an older version did: the whole status, by a client without a User-Agent.
    let mut status: Value = serde_json::to_value(&stored.status).expect("a status is JSON");
    status["eTag"] = json!("of-an-older-version");
    let api = bed.api::<connection_group_operator::api::ConnectionGroup>().await?;
    let patch = kube::api::Patch::Merge(json!({ "status": status }));
    let nameless = api.patch_status("edge", &kube::api::PatchParams::default(), &patch).await?;
    assert_eq!(writers(&nameless, "/f:status/f:eTag"), ["unknown"]);
    operator.restart().await?;
    steps::patch(&bed, "edge", json!({ "spec": { "ipv6Enabled": false } })).await?;
    let object = steps::ready(&bed, "edge").await?;
    for field in ["eTag", "ipv6Enabled", "observedGeneration"] {
        assert_eq!(writers(&object, &format!("/f:status/f:{field}")), [MANAGER], "{field}");
    }
    let conditions = object.status.as_ref().map(|status| &status.conditions).expect("a status");
    assert_eq!(conditions.iter().filter(|condition| condition.type_ == "Ready").count(), 1, "{conditions:?}");
    assert_eq!(object.finalizers().len(), 1);
    Ok(())
}
