//! An object, reduced to what a reconcile reads. Pure.
//!
//! In: an object as the API server sends it, of which a megabyte may be other people's labels, annotations and managed fields. Out: the rest. What the watch
//! drops is not even decoded: a megabyte of short labels would take twenty megabytes in memory.

use std::{borrow::Cow, collections::BTreeMap};

use k8s_openapi::{
    NamespaceResourceScope,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::Resource;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::api::{ConnectionGroup, ConnectionGroupSpec, ConnectionGroupStatus, RECONCILE_REQUESTED_AT};

/// The value of the annotation is copied into status; this much is enough to distinguish one request from the next.
const LONGEST_REQUEST: usize = 256;

/// Drops what no reconcile reads.
pub fn slim(object: &mut ConnectionGroup) {
    let whole = std::mem::take(&mut object.metadata);
    let requested_at = whole.annotations.unwrap_or_default().remove(RECONCILE_REQUESTED_AT);
    object.metadata = ObjectMeta {
        name: whole.name,
        namespace: whole.namespace,
        uid: whole.uid,
        generation: whole.generation,
        resource_version: whole.resource_version,
        creation_timestamp: whole.creation_timestamp,
        deletion_timestamp: whole.deletion_timestamp,
        // All of them, because a change of ours writes the whole list.
        finalizers: whole.finalizers,
        annotations: Annotations { requested_at }.into(),
        ..ObjectMeta::default()
    };
}

/// What a watch reads of an object.
#[derive(Clone, Debug)]
pub struct Slim(pub Result<ConnectionGroup, Unreadable>);

/// What is known about an object that exists but does not decode.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// Why it does not decode.
    pub error: String,
}

#[derive(Deserialize)]
struct Text {
    metadata: Metadata,
    #[serde(default)]
    spec: Value,
    #[serde(default)]
    status: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    generation: Option<i64>,
    resource_version: Option<String>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    finalizers: Option<Vec<String>>,
    #[serde(default)]
    annotations: Annotations,
}

#[derive(Default, Deserialize)]
struct Annotations {
    // The same name as in `RECONCILE_REQUESTED_AT`.
    #[serde(rename = "cloudfront.kube-operators.dev/reconcile-requested-at")]
    requested_at: Option<String>,
}

impl From<Annotations> for Option<BTreeMap<String, String>> {
    fn from(annotations: Annotations) -> Self {
        let mut value = annotations.requested_at?;
        value.truncate(value.floor_char_boundary(LONGEST_REQUEST));
        // Copied, because the truncated `String` keeps its capacity.
        Some([(RECONCILE_REQUESTED_AT.to_owned(), value.as_str().to_owned())].into())
    }
}

impl From<Metadata> for ObjectMeta {
    fn from(read: Metadata) -> Self {
        Self {
            name: read.name,
            namespace: read.namespace,
            uid: read.uid,
            generation: read.generation,
            resource_version: read.resource_version,
            creation_timestamp: read.creation_timestamp,
            deletion_timestamp: read.deletion_timestamp,
            finalizers: read.finalizers,
            annotations: read.annotations.into(),
            ..Self::default()
        }
    }
}

impl<'de> Deserialize<'de> for Slim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text { metadata, spec, status } = Text::deserialize(deserializer)?;
        let metadata = ObjectMeta::from(metadata);
        let read = |spec, status| {
            let spec = ConnectionGroupSpec::deserialize::<Value>(spec)?;
            Ok((spec, Option::<ConnectionGroupStatus>::deserialize::<Value>(status)?))
        };
        Ok(Self(match read(spec, status) {
            Ok((spec, status)) => Ok(ConnectionGroup { metadata, spec, status }),
            Err(error) => Err(Unreadable { metadata, error: serde_json::Error::to_string(&error) }),
        }))
    }
}

impl Resource for Slim {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        ConnectionGroup::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        ConnectionGroup::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        ConnectionGroup::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        ConnectionGroup::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|unreadable| &unreadable.metadata, Resource::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.as_mut().map_or_else(|unreadable| &mut unreadable.metadata, Resource::meta_mut)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry, jiff::Timestamp};
    use kube::ResourceExt;

    use super::*;

    #[test]
    fn the_cache_keeps_of_a_one_megabyte_object_what_a_reconcile_reads() {
        let mut object = ConnectionGroup::new("edge", ConnectionGroupSpec::default());
        object.metadata.namespace = Some("platform".into());
        object.metadata.uid = Some("a".into());
        object.metadata.generation = Some(2);
        object.metadata.resource_version = Some("7".into());
        object.metadata.creation_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        object.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
        object.metadata.finalizers = Some(vec![crate::api::finalizer("prod"), "example.com/theirs".into()]);
        object.status = Some(ConnectionGroupStatus::UNSEEN);
        let small = object.clone();
        object.metadata.labels = Some((0..1000).map(|n| (format!("label-{n}"), "x".repeat(63))).collect());
        object.annotations_mut().insert("padding".into(), "x".repeat(200_000));
        object.annotations_mut().insert(RECONCILE_REQUESTED_AT.into(), "\u{e9}".repeat(50_000));
        object.metadata.managed_fields = Some(vec![ManagedFieldsEntry::default(); 100]);
        let text = serde_json::to_string(&object).unwrap();
        let watched = serde_json::from_str::<Slim>(&text).unwrap().0.unwrap();
        slim(&mut object);
        for mut slimmed in [watched, object] {
            let request = slimmed.metadata.annotations.take().unwrap().remove(RECONCILE_REQUESTED_AT).unwrap();
            assert_eq!(request, "\u{e9}".repeat(LONGEST_REQUEST / 2));
            assert!(request.capacity() <= LONGEST_REQUEST);
            assert_eq!(serde_json::to_value(&slimmed).unwrap(), serde_json::to_value(&small).unwrap());
        }
    }

    #[test]
    fn an_object_decodes_as_the_resource_and_one_that_does_not_is_known_by_its_metadata() {
        let read = |text| serde_json::from_value::<Slim>(text).unwrap();
        let metadata = serde_json::json!({ "name": "edge", "uid": "a" });
        let [good, no_spec, bad_spec, bad_status] = [
            serde_json::json!({ "metadata": metadata, "spec": {}, "status": null }),
            serde_json::json!({ "metadata": metadata }),
            serde_json::json!({ "metadata": metadata, "spec": { "enabled": "maybe" } }),
            serde_json::json!({ "metadata": metadata, "spec": {}, "status": { "observedGeneration": "maybe" } }),
        ]
        .map(read);
        assert!(good.0.as_ref().is_ok_and(|object| object.status.is_none()), "{good:?}");
        for slim in [no_spec, bad_spec, bad_status] {
            assert_eq!(slim.name_any(), "edge");
            assert!(slim.0.is_err_and(|unreadable| unreadable.error.contains("invalid type")));
        }
        let names = [Slim::kind(&()), Slim::group(&()), Slim::version(&()), Slim::plural(&())];
        assert_eq!(names, ["ConnectionGroup", crate::api::GROUP, "v1alpha1", "connectiongroups"]);
    }
}
