//! The one place that writes status. Talks to the API server.

use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};

use crate::api::{ConnectionGroup, ConnectionGroupStatus};

/// Replaces the whole status of this very object; an object of the same name that came after it is left alone.
///
/// # Errors
/// The API server's refusal. An object that is gone is no error.
pub async fn write(
    api: &Api<ConnectionGroup>,
    object: &ConnectionGroup,
    status: &ConnectionGroupStatus,
) -> Result<(), Box<kube::Error>> {
    let operations = serde_json::json!([
        { "op": "test", "path": "/metadata/uid", "value": object.metadata.uid },
        { "op": "add", "path": "/status", "value": status },
    ]);
    let patch = serde_json::from_value(operations).map_err(|error| Box::new(kube::Error::SerdeError(error)))?;
    let patch = Patch::Json::<ConnectionGroup>(patch);
    match api.patch_status(&object.name_any(), &PatchParams::default(), &patch).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(answer)) if answer.is_not_found() => Ok(()),
        // The API server does not say which operation failed; the test of the uid does when another object has taken the name.
        Err(kube::Error::Api(answer)) if answer.code == 422 => {
            match api.get_opt(&object.name_any()).await.map_err(Box::new)? {
                Some(current) if current.metadata.uid == object.metadata.uid => Err(Box::new(kube::Error::Api(answer))),
                Some(_) | None => Ok(()),
            }
        }
        Err(error) => Err(Box::new(error)),
    }
}
