//! Emits events about orphans. Talks to the API server; a refused event does no harm, and is retried with the next inventory.
//!
//! In: the orphans found with the inventory. Out: one event for each orphan that this process has not reported yet. No object manages an orphan, so the event
//! is about the operator's own Pod, in the Pod's namespace.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use tokio::sync::watch;

use super::events::Recorder;
use crate::{
    account::inventory::InventoryState,
    account::orphans::{Orphan, OwnerObject},
    api::EventReason,
    cloudfront::GroupId,
    reconcile::{Event, Severity},
};

/// Reports every orphan once, for as long as inventories are taken.
pub async fn emit(mut inventory: watch::Receiver<InventoryState>, client: Client) {
    let us = this_pod(client.default_namespace());
    let recorder = Recorder::new(client);
    let mut told = BTreeSet::new();
    while inventory.changed().await.is_ok() {
        let orphans = inventory.borrow_and_update().orphans.clone();
        told.retain(|id| orphans.contains_key(id));
        for (id, orphan) in orphans.iter() {
            if !told.contains(id) && recorder.publish(&us, &event(id, orphan)).await {
                told.insert(id.clone());
            }
        }
    }
}

fn this_pod(namespace: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        name: Some(std::env::var("HOSTNAME").unwrap_or_else(|_| env!("CARGO_PKG_NAME").to_owned())),
        namespace: Some(namespace.to_owned()),
        ..ObjectReference::default()
    }
}

fn event(id: &GroupId, Orphan { owner, object }: &Orphan) -> Event {
    let explanation = match object {
        OwnerObject::Gone => {
            "but that object does not exist. The operator leaves the group as it is. To keep or delete it, create that object again."
                .to_owned()
        }
        OwnerObject::NamesAnother(group) => format!(
            "but that object names connection group {group} instead. The operator leaves it as it is. Delete it at CloudFront if nobody needs it, or put \
             another object's owner tag on it."
        ),
    };
    let note = format!(
        "Connection group {id} carries this installation's owner tag, '{owner}' (owner id/namespace/name), {explanation}"
    );
    Event { severity: Severity::Warning, reason: EventReason::Orphaned, action: "Inventory", note }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        time::Duration,
    };

    use serde_json::{Value, json};
    use tokio::{sync::mpsc, time::timeout};

    use super::*;
    use crate::{controller::testing::client, reconcile::ownership::OwnerTag};

    const PATIENCE: Duration = Duration::from_secs(30);

    fn inventory(orphans: &[(&str, &str)]) -> InventoryState {
        let orphan = |name: &str| Orphan { owner: OwnerTag::new("prod", "platform", name), object: OwnerObject::Gone };
        let orphans = orphans.iter().map(|(id, name)| (GroupId::new(*id), orphan(name)));
        InventoryState { orphans: Arc::new(orphans.collect::<BTreeMap<_, _>>()), ..InventoryState::default() }
    }

    #[tokio::test]
    async fn an_orphan_is_reported_with_each_list_until_its_event_is_stored_and_then_no_more() {
        let (sent, mut events) = mpsc::unbounded_channel();
        let refuses = Arc::new(AtomicBool::new(true));
        let client = client(move |_, event: Value| {
            sent.send(event.clone()).unwrap();
            if refuses.swap(false, Ordering::SeqCst) {
                (403, json!({ "kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403 }))
            } else {
                (201, event)
            }
        });
        let (publish, heard) = watch::channel(InventoryState::default());
        let telling = tokio::spawn(emit(heard, client));
        let (first, second) = (("cg_1", "edge"), ("cg_2", "shop"));
        for (orphans, told) in [(&[first][..], "cg_1"), (&[first], "cg_1"), (&[first, second], "cg_2")] {
            publish.send_replace(inventory(orphans));
            let event = timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
            assert_eq!((&event["reason"], &event["regarding"]["kind"]), (&json!("Orphaned"), &json!("Pod")));
            assert!(event["note"].as_str().unwrap().contains(told), "{told}: {event}");
        }
        telling.abort();
    }
}
