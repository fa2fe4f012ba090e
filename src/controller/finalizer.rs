//! The finalizer of this installation on an object: added before the first call to CloudFront, removed only when a reconcile says so. Talks to the API
//! server.
//!
//! Each installation has its own, so that none removes what another one needs. This does not use kube's helper: that one removes the finalizer on any `Ok`,
//! while a deletion takes minutes of `Ok` reconciles here.

use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};

use super::gone::{read, says_gone};
use crate::{
    api::{ConnectionGroup, GROUP, LEGACY_FINALIZER},
    reconcile::freshness::Basis,
};

const TRIES: usize = 5;

/// Which installation holds an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// None yet, or no longer.
    Nobody,
    /// This one.
    Us,
    /// An installation of a version that had one finalizer for all installations.
    Legacy,
    /// Another one, with this finalizer; only that one acts on the object.
    Another(String),
}

/// Determines from an object's finalizers which installation holds it. If the object has both ours and another's, we have started something that we have to
/// finish.
#[must_use]
pub fn holder(finalizers: &[String], own: &str) -> Holder {
    let is = |wanted: &str| finalizers.iter().any(|finalizer| finalizer == wanted);
    let of_an_installation =
        |finalizer: &&String| finalizer.strip_prefix(GROUP).is_some_and(|rest| rest.starts_with('/'));
    if is(own) {
        return Holder::Us;
    }
    match finalizers.iter().filter(of_an_installation).find(|finalizer| *finalizer != LEGACY_FINALIZER) {
        Some(another) => Holder::Another(another.clone()),
        None if is(LEGACY_FINALIZER) => Holder::Legacy,
        None => Holder::Nobody,
    }
}

/// Stores the finalizer, and replaces the legacy one if that is there. Returns the object as it is afterwards, held by us or by another; `None` if it is gone,
/// or is being deleted and held by no installation.
///
/// # Errors
/// The API server refused it, or could not be reached.
pub async fn add(
    api: &Api<ConnectionGroup>,
    object: &ConnectionGroup,
    own: &str,
) -> Result<Option<ConnectionGroup>, Box<kube::Error>> {
    Ok(match change(api, object, own, Presence::Present).await? {
        Changed::Stored(object) | Changed::BySomeone(object) => Some(object),
        Changed::Gone => None,
    })
}

/// Whether the finalizer was removed.
#[derive(Debug)]
pub enum Removed {
    /// It was, or the object is gone.
    Yes,
    /// It was not: someone has edited the object since it was reconciled. This is the object as it is now.
    EditedMeanwhile(Box<ConnectionGroup>),
}

/// Removes the finalizer, and the legacy one with it, unless the object was edited since this version.
///
/// # Errors
/// The API server refused it, or could not be reached.
pub async fn remove(
    api: &Api<ConnectionGroup>,
    object: &ConnectionGroup,
    own: &str,
) -> Result<Removed, Box<kube::Error>> {
    Ok(match change(api, object, own, Presence::Absent).await? {
        Changed::Stored(_) | Changed::Gone => Removed::Yes,
        Changed::BySomeone(object) => Removed::EditedMeanwhile(Box::new(object)),
    })
}

/// How a change of the finalizers ended.
enum Changed {
    /// The object as the API server stored it.
    Stored(ConnectionGroup),
    /// Nothing was stored, because the object is no longer what the change was meant for.
    BySomeone(ConnectionGroup),
    /// The object is gone, or nothing may be added any more.
    Gone,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Present,
    Absent,
}

/// Reads again and retries if someone else changed the object in between, so that no finalizer of others is lost.
async fn change(
    api: &Api<ConnectionGroup>,
    object: &ConnectionGroup,
    own: &str,
    wanted: Presence,
) -> Result<Changed, Box<kube::Error>> {
    let name = object.name_any();
    let mut current = object.clone();
    let mut tries = 1;
    loop {
        let mut finalizers = current.finalizers().to_vec();
        finalizers.retain(|finalizer| finalizer != own && finalizer != LEGACY_FINALIZER);
        if wanted == Presence::Present {
            finalizers.push(own.to_owned());
        }
        let patch = serde_json::json!({ "metadata": {
            "uid": current.metadata.uid,
            "resourceVersion": current.metadata.resource_version,
            "finalizers": finalizers,
        }});
        match api.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await {
            Ok(stored) => return Ok(Changed::Stored(stored)),
            Err(kube::Error::Api(status)) if says_gone(&status, &name) => return Ok(Changed::Gone),
            Err(kube::Error::Api(status)) if status.is_conflict() && tries < TRIES => tries += 1,
            Err(error) => return Err(Box::new(error)),
        }
        match read(api, &name).await.map_err(Box::new)? {
            Some(fresh) if fresh.metadata.uid == object.metadata.uid => current = fresh,
            Some(_) | None => return Ok(Changed::Gone),
        }
        let deleting = current.metadata.deletion_timestamp.is_some();
        match (wanted, holder(current.finalizers(), own)) {
            (Presence::Absent, _) if Basis::of(&current) == Basis::of(object) => {}
            (Presence::Present, Holder::Nobody) if deleting => return Ok(Changed::Gone),
            (Presence::Present, Holder::Nobody) => {}
            (Presence::Present, Holder::Legacy) if !deleting => {}
            (Presence::Absent, _) | (Presence::Present, Holder::Us | Holder::Another(_) | Holder::Legacy) => {
                return Ok(Changed::BySomeone(current));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::http::Method;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        api::finalizer,
        controller::testing::{client, conflict},
    };

    #[tokio::test]
    async fn a_finalizer_that_others_add_at_the_same_moment_stays() {
        const THEIRS: &str = "example.com/theirs";
        let own = finalizer("prod");
        let object = |version: &str, finalizers: &[&str]| {
            json!({
                "metadata": { "name": "edge", "uid": "a", "resourceVersion": version, "finalizers": finalizers },
                "spec": {},
            })
        };
        for (wanted, before, after) in
            [(Presence::Present, vec![], vec![THEIRS, &own]), (Presence::Absent, vec![own.as_str()], vec![THEIRS])]
        {
            let patches = Arc::<Mutex<Vec<Value>>>::default();
            let sent = Arc::clone(&patches);
            let meanwhile = object("2", &[&[THEIRS], &before[..]].concat());
            let client = client(move |method, patch| {
                if *method == Method::GET {
                    return (200, meanwhile.clone());
                }
                let mut patches = sent.lock().unwrap();
                patches.push(patch);
                if patches.len() == 1 { conflict() } else { (200, meanwhile.clone()) }
            });
            let seen = serde_json::from_value(object("1", &before)).unwrap();
            change(&Api::namespaced(client, "platform"), &seen, &own, wanted).await.unwrap();
            let patches = patches.lock().unwrap();
            let versions = patches.iter().map(|patch| &patch["metadata"]["resourceVersion"]).collect::<Vec<_>>();
            assert_eq!(versions, ["1", "2"], "each applies only to the version that was observed");
            assert_eq!(patches[1]["metadata"]["finalizers"], json!(after));
        }
    }

    /// What becomes of a change of version 1 of the object, while `meanwhile` is what is stored.
    async fn changed(seen: &Value, meanwhile: &Value, wanted: Presence) -> Changed {
        let stored = meanwhile.clone();
        let client = client(move |method, _| if *method == Method::GET { (200, stored.clone()) } else { conflict() });
        let seen = serde_json::from_value(seen.clone()).unwrap();
        change(&Api::namespaced(client, "platform"), &seen, &finalizer("prod"), wanted).await.unwrap()
    }

    #[tokio::test]
    async fn an_object_that_turns_out_to_be_held_by_us_and_being_deleted_is_not_taken_for_gone() {
        let seen = json!({ "metadata": { "name": "edge", "uid": "a", "resourceVersion": "1" }, "spec": {} });
        let mut meanwhile = seen.clone();
        meanwhile["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert!(matches!(changed(&seen, &meanwhile, Presence::Present).await, Changed::Gone), "nobody holds it");
        for held in [finalizer("prod"), finalizer("stage"), LEGACY_FINALIZER.to_owned()] {
            meanwhile["metadata"]["finalizers"] = json!([held]);
            let Changed::BySomeone(current) = changed(&seen, &meanwhile, Presence::Present).await else {
                panic!("{held}: it must be reconciled as it is now")
            };
            assert_eq!(current.finalizers(), [held]);
        }
    }

    #[tokio::test]
    async fn the_finalizer_of_an_object_that_was_edited_since_it_was_reconciled_stays() {
        let own = finalizer("prod");
        let seen = json!({
            "metadata": { "name": "edge", "uid": "a", "resourceVersion": "1", "generation": 2, "finalizers": [own] },
            "spec": {},
        });
        let mut meanwhile = seen.clone();
        meanwhile["metadata"]["generation"] = json!(3);
        assert!(matches!(changed(&seen, &meanwhile, Presence::Absent).await, Changed::BySomeone(_)));
    }

    #[test]
    fn an_installation_holds_an_object_by_its_own_finalizer_alone() {
        let (us, them) = (finalizer("prod"), finalizer("stage"));
        let held = |finalizers: &[&str]| holder(&finalizers.iter().map(ToString::to_string).collect::<Vec<_>>(), &us);
        assert_eq!(held(&[]), Holder::Nobody);
        assert_eq!(held(&["example.com/theirs", "cloudfront.kube-operators.development/x"]), Holder::Nobody);
        assert_eq!(held(&["example.com/theirs", &us]), Holder::Us);
        assert_eq!(held(&[LEGACY_FINALIZER]), Holder::Legacy);
        assert_eq!(held(&[&them]), Holder::Another(them.clone()));
        assert_eq!(held(&[LEGACY_FINALIZER, &them]), Holder::Another(them.clone()), "the other one was first");
        assert_eq!(held(&[&them, &us]), Holder::Us, "an operator finishes what it began");
    }
}
