//! The identity of this installation: the uid of a namespace that each new cluster creates. Talks to the API server, and only reads.
//!
//! In: the name of the namespace. Out: its uid, however long that takes. Until it is known, our groups cannot be distinguished from those of another
//! installation, so nothing may be changed.

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};
use tokio::time::sleep;

use crate::{
    network::api_failure,
    reconcile::{backoff::Backoff, ownership::Installation},
};

/// Reads the identity, with backoff between tries.
pub async fn read(client: Client, namespace: &str) -> Installation {
    let namespaces = Api::<Namespace>::all(client);
    let mut failures = 0;
    loop {
        let failure = match namespaces.get(namespace).await.map(|found| found.metadata.uid) {
            Ok(Some(uid)) => {
                tracing::info!(identity = uid, namespace, "the identity of this installation was read");
                return Installation::new(uid);
            }
            Ok(None) => "the API server showed it without a uid".to_owned(),
            Err(kube::Error::Api(status)) if status.is_not_found() => "there is no such namespace".to_owned(),
            Err(error) => api_failure(&error).trim_end_matches('.').to_owned(),
        };
        tracing::error!(
            namespace,
            "the identity of this installation cannot be read: {failure}. Nothing is done until it is known. It is the uid of the namespace that \
             --identity-namespace (identity.namespace in the chart) names; the operator needs the right to get that one namespace"
        );
        sleep(Backoff::Quick.delay(failures, namespace).min(LONGEST_PAUSE)).await;
        failures = failures.saturating_add(1);
    }
}

const LONGEST_PAUSE: std::time::Duration = std::time::Duration::from_secs(30);
