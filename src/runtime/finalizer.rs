//! Our finalizer on an object: added before CloudFront is asked for anything, removed only when a pass says so. Talks to the API server.
//!
//! Not kube's helper: that one releases on any `Ok`, and a deletion takes minutes of `Ok` passes here.

use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};

use crate::api::{ConnectionGroup, FINALIZER};

const TRIES: usize = 5;

/// Stores the finalizer; the answer is the object that carries it, if it still exists.
///
/// # Errors
/// The API server's refusal.
pub async fn add(
    api: &Api<ConnectionGroup>,
    object: &ConnectionGroup,
) -> Result<Option<ConnectionGroup>, Box<kube::Error>> {
    change(api, object, Presence::Present).await
}

/// Takes the finalizer off; an object that is gone already is as good.
///
/// # Errors
/// The API server's refusal.
pub async fn remove(api: &Api<ConnectionGroup>, object: &ConnectionGroup) -> Result<(), Box<kube::Error>> {
    change(api, object, Presence::Absent).await.map(drop)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Present,
    Absent,
}

/// Reads anew and tries again where somebody else changed the object in between, so that no finalizer of others is lost.
async fn change(
    api: &Api<ConnectionGroup>,
    object: &ConnectionGroup,
    wanted: Presence,
) -> Result<Option<ConnectionGroup>, Box<kube::Error>> {
    let name = object.name_any();
    let mut current = object.clone();
    let mut tries = 1;
    loop {
        let mut finalizers = current.finalizers().to_vec();
        finalizers.retain(|finalizer| finalizer != FINALIZER);
        if wanted == Presence::Present {
            finalizers.push(FINALIZER.to_owned());
        }
        let patch = serde_json::json!({ "metadata": {
            "uid": current.metadata.uid,
            "resourceVersion": current.metadata.resource_version,
            "finalizers": finalizers,
        }});
        match api.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await {
            Ok(stored) => return Ok(Some(stored)),
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(None),
            Err(kube::Error::Api(status)) if status.is_conflict() && tries < TRIES => tries += 1,
            Err(error) => return Err(Box::new(error)),
        }
        match api.get_opt(&name).await.map_err(Box::new)? {
            Some(fresh) if fresh.metadata.uid == object.metadata.uid => current = fresh,
            Some(_) | None => return Ok(None),
        }
        if wanted == Presence::Present && current.metadata.deletion_timestamp.is_some() {
            return Ok(None);
        }
    }
}
