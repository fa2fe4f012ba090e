//! The one place that writes status. Talks to the API server.

use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};

use super::gone::{read, says_gone};
use crate::api::{ConnectionGroup, ConnectionGroupStatus};

/// Replaces the whole status of exactly this object; a later object of the same name is left alone. Returns the stored status, without the fields that the
/// `CustomResourceDefinition` does not know; `None` if the object is gone.
///
/// # Errors
/// The API server refused it, or could not be reached.
pub async fn write(
    api: &Api<ConnectionGroup>,
    object: &ConnectionGroup,
    status: &ConnectionGroupStatus,
) -> Result<Option<ConnectionGroupStatus>, Box<kube::Error>> {
    let operations = serde_json::json!([
        { "op": "test", "path": "/metadata/uid", "value": object.metadata.uid },
        { "op": "add", "path": "/status", "value": status.to_store() },
    ]);
    let patch = serde_json::from_value(operations).map_err(|error| Box::new(kube::Error::SerdeError(error)))?;
    let patch = Patch::Json::<ConnectionGroup>(patch);
    match api.patch_status(&object.name_any(), &PatchParams::default(), &patch).await {
        Ok(stored) => Ok(stored.status),
        Err(kube::Error::Api(answer)) if says_gone(&answer, &object.name_any()) => Ok(None),
        // The API server does not say which operation failed; the test of the uid fails if another object has taken the name.
        Err(kube::Error::Api(answer)) if answer.code == 422 => {
            match read(api, &object.name_any()).await.map_err(Box::new)? {
                Some(current) if current.metadata.uid == object.metadata.uid => Err(Box::new(kube::Error::Api(answer))),
                Some(_) | None => Ok(None),
            }
        }
        Err(error) => Err(Box::new(error)),
    }
}
