//! Tells people of orphans in events. Talks to the API server; an event that is refused harms nothing, and is tried again with the next list.
//!
//! In: what the sweeps found. Out: one event for each orphan that this process has not told of. No object manages an orphan, so its event is about the
//! operator's own Pod, in its namespace.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use tokio::sync::watch;

use super::events::Recorder;
use crate::{
    api::Reason,
    cloudfront::GroupId,
    orphans::{Object, Orphan},
    reconcile::{Event, Severity},
    sweep::Lists,
};

/// Tells of every orphan once, for as long as sweeps go on.
pub async fn tell(mut lists: watch::Receiver<Lists>, client: Client) {
    let us = this_pod(client.default_namespace());
    let recorder = Recorder::new(client);
    let mut told = BTreeSet::new();
    while lists.changed().await.is_ok() {
        let orphans = lists.borrow_and_update().orphans.clone();
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
    let so = match object {
        Object::Gone => {
            "but that object does not exist. It is left as it is. To keep or to delete it, create that object again."
                .to_owned()
        }
        Object::NamesAnother(group) => format!(
            "but that object names connection group {group} instead. It is left as it is. Delete it at CloudFront if nobody needs it, or put another \
             object's owner tag on it."
        ),
    };
    let note = format!("Connection group {id} carries our owner tag, '{owner}' (owner id/namespace/name), {so}");
    Event { severity: Severity::Warning, reason: Reason::Orphaned, action: "Sweep", note }
}
