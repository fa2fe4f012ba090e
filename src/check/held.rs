//! The objects that another installation holds by its finalizer: this one leaves them alone, and they look healthy. Lists them, as the operator itself does.

use kube::{Api, Client, Resource, ResourceExt, api::ListParams, core::PartialObjectMeta};

use super::{Finding, count, kubernetes::advice};
use crate::{
    api::{ConnectionGroup, finalizer, owner_id},
    controller::{
        RunArgs,
        finalizer::{Holder, holder},
    },
    network::api_failure,
};

const SUBJECT: &str = "finalizers";

/// Maximum number of objects that are named.
const SHOWN: usize = 10;

const PAGE: u32 = 500;

/// The objects of all watched namespaces.
#[derive(Debug, Default)]
struct Objects {
    count: usize,
    /// Each one that another installation holds, and the owner id of that installation.
    held: Vec<String>,
}

/// Whether any object is left to another installation. `None` if the objects cannot be listed for want of a right or of the resource: other checks report that.
pub async fn check(args: &RunArgs, client: &Client) -> Option<Finding> {
    let own = finalizer(&args.owner_id);
    let watched = args.namespaces();
    let apis: Vec<Api<ConnectionGroup>> = if watched.is_empty() {
        vec![Api::all(client.clone())]
    } else {
        watched.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect()
    };
    let mut objects = Objects::default();
    for api in apis {
        match list(&api, &own, &mut objects).await {
            Ok(()) => {}
            Err(kube::Error::Api(status)) if status.is_forbidden() || status.code == 404 => return None,
            Err(error) => return Some(Finding::failed(SUBJECT, api_failure(&error), advice(&error))),
        }
    }
    Some(finding(&objects, &args.owner_id))
}

/// One page after the other.
async fn list(api: &Api<ConnectionGroup>, own: &str, objects: &mut Objects) -> Result<(), kube::Error> {
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let listed = api.list_metadata(&page).await?;
        objects.count += listed.items.len();
        objects.held.extend(listed.items.iter().filter_map(|object| held_by_another(object, own)));
        match listed.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(()),
        }
    }
}

fn held_by_another<K: Resource>(object: &PartialObjectMeta<K>, own: &str) -> Option<String> {
    match holder(object.finalizers(), own) {
        Holder::Another(theirs) => {
            let place = object.namespace().unwrap_or_default();
            Some(format!("{place}/{} (owner id {})", object.name_any(), owner_id(&theirs)))
        }
        Holder::Nobody | Holder::Us | Holder::Legacy => None,
    }
}

fn finding(objects: &Objects, own: &str) -> Finding {
    let Objects { count: number, held } = objects;
    let objects = count(*number, "object");
    if held.is_empty() {
        return Finding::ok(SUBJECT, format!("of {objects}, none has the finalizer of another owner id"));
    }
    let more = held.len().saturating_sub(SHOWN);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let shown = held.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    let have = if held.len() == 1 { "has" } else { "have" };
    Finding::failed(
        SUBJECT,
        format!(
            "{} of {objects} {have} the finalizer of another owner id: {shown}{more}. This installation, with owner id {own}, leaves them alone",
            held.len()
        ),
        format!(
            "If the owner id was changed to {own} by mistake, set --owner-id (ownerId in the chart) back, and change nothing on the objects; otherwise, see \
             docs/disaster-recovery.md"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_all_objects_that_another_installation_holds_and_names_ten() {
        let held =
            |count| Objects { count: 20, held: (0..count).map(|number| format!("n/o{number} (owner id x)")).collect() };
        assert!(finding(&held(0), "us").to_string().starts_with("ok      finalizers: of 20 objects, none "));
        let line = finding(&held(12), "us").to_string();
        assert!(line.starts_with("FAILED  finalizers: 12 of 20 objects have the finalizer "), "{line}");
        assert!(line.contains("n/o9 (owner id x) and 2 more. This") && !line.contains("n/o10"), "{line}");
    }
}
