//! What the operator reads and changes at CloudFront, written down on the way. In: the port's calls. Out: the last answers, and which changes took effect.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
};

use cloudfront_simulator::{Millis, Timestamp};
use connection_group_operator::cloudfront::{
    AddressFamily, AnycastIpListId, ApiError, Arn, CloudFront, Described, Group, GroupId, Lookup, Members, NewGroup,
    Operation, Summary, Tags, Tenants,
};

use crate::port::InProcess;

/// That of the world's policy.
const SETTLE_WINDOW: Millis = Millis::seconds(60);

/// Whether the last answer about the group shows one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exists {
    /// There was no answer.
    #[default]
    Unread,
    Yes,
    No,
}

/// What the answers said so far.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    pub exists: Exists,
    pub group: Option<Group>,
    /// Id and version of the group that was shown last: versions of two groups may be called the same.
    pub version: Option<(String, String)>,
    /// Whether that version is enabled, as was last stated.
    pub enabled: Option<bool>,
    /// The same of an earlier version, where it was not stated of this one.
    pub enabled_once: Option<bool>,
    /// How far the roll-out of that version is.
    pub deployment: Option<String>,
    pub tags: Tags,
    pub tenants: Option<Tenants>,
    /// Errors of this reconcile.
    pub errors: Vec<ApiError>,
    /// Errors of earlier ones.
    pub earlier: Vec<ApiError>,
    /// Calls of this reconcile, and whether each of them changed something.
    pub calls: Vec<(Operation, Effect)>,
    /// Changes that took effect, of this and earlier reconciles.
    pub done: Vec<Operation>,
    /// Versions that answered changes of this process have replaced, and when: an answer that shows one of them within a settle window is no news.
    pub replaced: BTreeMap<(String, String), Timestamp>,
    /// Whether this reconcile had such an answer.
    pub outdated: bool,
    /// Anycast lists that were sent, and may have been attached.
    pub attached: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    None,
    Changed,
    /// The change took effect, and the operator got no answer.
    ChangedWithoutAnswer,
}

impl Heard {
    /// Whether this reconcile called that operation.
    pub fn called(&self, operation: Operation) -> bool {
        self.calls.iter().any(|(call, _)| *call == operation)
    }

    /// Whether this reconcile changed anything by that operation.
    pub fn changed_by(&self, operation: Operation) -> bool {
        self.calls.iter().any(|(call, effect)| *call == operation && *effect != Effect::None)
    }

    pub fn changed(&self) -> bool {
        self.calls.iter().any(|(_, effect)| *effect != Effect::None)
    }

    fn is_replaced(&self, group: &Group, now: Timestamp) -> bool {
        self.replaced.get(&version(group)).is_some_and(|at| now < at.after(SETTLE_WINDOW))
    }

    /// What an answer leaves out of the same version is as it was stated before.
    fn shown(&mut self, group: &Group) {
        let version = Some(version(group));
        let same_version = self.version == version;
        self.enabled = group.config.enabled.or(self.enabled.filter(|_| same_version));
        self.enabled_once = self.enabled.or(self.enabled_once);
        let deployment = group.deployment.as_ref().map(|deployment| deployment.as_str().to_owned());
        self.deployment = deployment.or_else(|| self.deployment.take().filter(|_| same_version));
        self.version = version;
        self.group = Some(group.clone());
        self.exists = Exists::Yes;
    }
}

fn version(group: &Group) -> (String, String) {
    (group.id.to_string(), group.etag.to_string())
}

/// The port of a world, with a record.
pub struct Recorded {
    port: InProcess,
    heard: Mutex<Heard>,
}

impl Recorded {
    pub fn new(port: InProcess) -> Self {
        Self { port, heard: Mutex::default() }
    }

    pub fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap()
    }

    /// Another reconcile begins.
    pub fn begin(&self) {
        let mut heard = self.heard();
        let errors = std::mem::take(&mut heard.errors);
        heard.earlier.extend(errors);
        heard.calls.clear();
        heard.outdated = false;
    }

    fn now(&self) -> Timestamp {
        self.port.account(|_, now| now)
    }

    fn note<T>(&self, operation: Operation, answer: Result<T, ApiError>) -> Result<T, ApiError> {
        let mut heard = self.heard();
        let effect = match &answer {
            Err(error) if error.message == "the answer was lost" && operation.is_mutation() => {
                if operation == Operation::UpdateConnectionGroup {
                    (heard.enabled, heard.enabled_once) = (None, None);
                }
                Effect::ChangedWithoutAnswer
            }
            Ok(_) if operation.is_mutation() => Effect::Changed,
            Ok(_) | Err(_) => Effect::None,
        };
        heard.calls.push((operation, effect));
        if effect != Effect::None {
            heard.done.push(operation);
        }
        heard.errors.extend(answer.as_ref().err().cloned());
        drop(heard);
        answer
    }
}

impl CloudFront for Recorded {
    async fn describe(&self, lookup: &Lookup) -> Result<Option<Described>, ApiError> {
        let answer = self.note(Operation::GetConnectionGroup, self.port.describe(lookup).await);
        let mut heard = self.heard();
        match &answer {
            Ok(Some(Described { group, .. })) if heard.is_replaced(group, self.now()) => heard.outdated = true,
            Ok(Some(Described { group, tags })) => {
                heard.shown(group);
                heard.tags.clone_from(tags);
            }
            Ok(None) => {
                heard.exists = Exists::No;
                heard.group = None;
            }
            Err(_) => {}
        }
        drop(heard);
        answer
    }

    async fn tags(&self, arn: &Arn) -> Result<Option<Tags>, ApiError> {
        self.note(Operation::ListTagsForResource, self.port.tags(arn).await)
    }

    async fn create(&self, new: &NewGroup) -> Result<Group, ApiError> {
        self.heard().attached.extend(new.config.anycast_ip_list_id.as_ref().map(ToString::to_string));
        let answer = self.note(Operation::CreateConnectionGroup, self.port.create(new).await);
        if let Ok(group) = &answer {
            self.heard().shown(group);
            self.heard().tags.clone_from(&new.tags);
        }
        answer
    }

    async fn update(&self, read: &Group, members: &Members) -> Result<Group, ApiError> {
        if members.anycast_ip_list_id != read.config.anycast_ip_list_id {
            self.heard().attached.extend(members.anycast_ip_list_id.as_ref().map(ToString::to_string));
        }
        let answer = self.note(Operation::UpdateConnectionGroup, self.port.update(read, members).await);
        if let Ok(group) = &answer {
            self.heard().shown(group);
            self.heard().replaced.insert(version(read), self.now());
        }
        answer
    }

    async fn delete(&self, read: &Group) -> Result<(), ApiError> {
        let answer = self.note(Operation::DeleteConnectionGroup, self.port.delete(read).await);
        if answer.is_ok() {
            self.heard().replaced.insert(version(read), self.now());
        }
        answer
    }

    async fn tag(&self, arn: &Arn, tags: &Tags) -> Result<(), ApiError> {
        let answer = self.note(Operation::TagResource, self.port.tag(arn, tags).await);
        if answer.is_ok() {
            self.heard().tags.extend(tags.clone());
        }
        answer
    }

    async fn untag(&self, arn: &Arn, keys: &BTreeSet<String>) -> Result<(), ApiError> {
        let answer = self.note(Operation::UntagResource, self.port.untag(arn, keys).await);
        if answer.is_ok() {
            self.heard().tags.retain(|key, _| !keys.contains(key));
        }
        answer
    }

    async fn tenants(&self, id: &GroupId) -> Result<Tenants, ApiError> {
        let answer = self.note(Operation::ListDistributionTenants, self.port.tenants(id).await);
        if let Ok(tenants) = &answer {
            self.heard().tenants = Some(tenants.clone());
        }
        answer
    }

    async fn anycast_ip_list(&self, id: &AnycastIpListId) -> Result<Option<AddressFamily>, ApiError> {
        self.note(Operation::GetAnycastIpList, self.port.anycast_ip_list(id).await)
    }

    async fn list(&self) -> Result<Vec<Summary>, ApiError> {
        self.note(Operation::ListConnectionGroups, self.port.list().await)
    }
}
