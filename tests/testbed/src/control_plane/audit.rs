//! The requests of Pods' service accounts to the API server. In: its audit log. Out: their requests. Reads a file.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};

const LOG: &str = "audit.log";
const POLICY: &str = "audit-policy.yaml";

/// Every request of a ServiceAccount, without bodies.
const RULES: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  userGroups: [system:serviceaccounts]
";

/// One request to a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Audited {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// The API group; empty for the core one.
    pub group: String,
    /// The resource, with its subresource after a slash.
    pub resource: String,
    /// The namespace; empty for all namespaces, and for cluster-scoped resources.
    pub namespace: String,
    /// The name; empty for several objects, and for one that is being created.
    pub name: String,
    /// The status code of the answer.
    pub code: u16,
    /// What the client calls itself.
    pub user_agent: String,
}

/// Writes the policy, and returns the arguments for kube-apiserver, whose working folder this is.
pub(super) fn prepare(folder: &Path) -> Result<[String; 3]> {
    let policy = folder.join(POLICY);
    fs::write(&policy, RULES).map_err(Error::io("write", &policy))?;
    // Blocking: a request that was answered is in the log.
    Ok([
        format!("--audit-policy-file={POLICY}"),
        format!("--audit-log-path={LOG}"),
        "--audit-log-mode=blocking-strict".to_owned(),
    ])
}

/// The requests of `namespace`'s ServiceAccount `name`, in the order of their answers.
pub(super) fn of(folder: &Path, namespace: &str, name: &str) -> Result<Vec<Audited>> {
    let user = format!("system:serviceaccount:{namespace}:{name}");
    let path = folder.join(LOG);
    let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let events = text.lines().map(|line| serde_json::from_str::<Event>(line).map_err(std::io::Error::from));
    let events = events.collect::<std::io::Result<Vec<_>>>().map_err(Error::io("read", &path))?;
    let theirs = events.into_iter().filter(|event| event.user.username == user);
    Ok(theirs.filter_map(Event::request).collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    verb: String,
    #[serde(default)]
    user_agent: String,
    user: User,
    object_ref: Option<ObjectRef>,
    response_status: Option<ResponseStatus>,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Deserialize)]
struct ResponseStatus {
    #[serde(default)]
    code: u16,
}

impl Event {
    fn request(self) -> Option<Audited> {
        let ObjectRef { api_group: group, resource, subresource, namespace, name } = self.object_ref?;
        let resource = if subresource.is_empty() { resource } else { format!("{resource}/{subresource}") };
        let code = self.response_status.map_or(0, |status| status.code);
        Some(Audited { verb: self.verb, group, resource, namespace, name, code, user_agent: self.user_agent })
    }
}
