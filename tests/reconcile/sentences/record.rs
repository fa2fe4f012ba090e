//! Records what the operator reads and changes at CloudFront. In: the port's calls. Out: the last answers, and which changes took effect.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
};

use cloudfront_simulator::{Millis, Timestamp};
use connection_group_operator::cloudfront::{ApiError, Described, Group, Operation, Tags, Tenants};
use port::{Answer, AnsweredBy, Answering, Call, InProcess};

/// That of the world's settings.
const CONSISTENCY_WINDOW: Millis = Millis::seconds(60);

/// Whether the last answer about the group shows one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exists {
    /// There was no answer.
    #[default]
    Unread,
    Yes,
    No,
}

/// What the answers contained so far.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub exists: Exists,
    pub group: Option<Group>,
    /// Id and version of the group that was shown last: versions of two groups may have the same name.
    pub version: Option<(String, String)>,
    /// Whether that version is enabled, as was last stated.
    pub enabled: Option<bool>,
    /// The same of an earlier version, if no answer stated it of this one.
    pub enabled_once: Option<bool>,
    /// The roll-out status of that version.
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
    /// The group that the last answered Delete was about.
    pub deleted: Option<String>,
    /// Versions that answered changes of this process have replaced, and when: an answer that shows one of them within a consistency window is outdated.
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

impl Record {
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
        self.replaced.get(&version(group)).is_some_and(|at| now < at.after(CONSISTENCY_WINDOW))
    }

    /// What an answer about the same version leaves out is as it was stated before.
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
    port: AnsweredBy<InProcess>,
    record: Mutex<Record>,
}

impl Recorded {
    pub fn new(port: AnsweredBy<InProcess>) -> AnsweredBy<Self> {
        AnsweredBy(Self { port, record: Mutex::default() })
    }

    pub fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap()
    }

    /// Another reconcile begins.
    pub fn begin(&self) {
        let mut record = self.record();
        let errors = std::mem::take(&mut record.errors);
        record.earlier.extend(errors);
        record.calls.clear();
        record.outdated = false;
    }

    fn now(&self) -> Timestamp {
        self.port.account(|_, now| now)
    }
}

impl Answering for Recorded {
    async fn answer(&self, call: Call) -> Answer {
        let lost_before = self.port.answers_lost();
        let answer = call.made_at(&self.port).await;
        let was_lost = self.port.answers_lost() > lost_before;
        self.record().add(&call, &answer, was_lost, self.now());
        answer
    }
}

impl Record {
    fn add(&mut self, call: &Call, answer: &Answer, was_lost: bool, now: Timestamp) {
        let operation = call.operation();
        let effect = match answer.error() {
            _ if !operation.is_mutation() => Effect::None,
            Some(_) if was_lost => Effect::ChangedWithoutAnswer,
            Some(_) => Effect::None,
            None => Effect::Changed,
        };
        self.calls.push((operation, effect));
        if effect != Effect::None {
            self.done.push(operation);
        }
        self.errors.extend(answer.error().cloned());
        match call {
            Call::Create(new) => {
                self.attached.extend(new.config.anycast_ip_list_id.as_ref().map(ToString::to_string));
                if effect == Effect::Changed {
                    self.tags.clone_from(&new.tags);
                }
            }
            Call::Update(read, members) => {
                if members.anycast_ip_list_id != read.config.anycast_ip_list_id {
                    self.attached.extend(members.anycast_ip_list_id.as_ref().map(ToString::to_string));
                }
                if was_lost {
                    (self.enabled, self.enabled_once) = (None, None);
                }
                if effect == Effect::Changed {
                    self.replaced.insert(version(read), now);
                }
            }
            Call::Delete(read) if effect == Effect::Changed => {
                self.replaced.insert(version(read), now);
                self.deleted = Some(read.id.to_string());
            }
            Call::Tag(_, tags) if effect == Effect::Changed => self.tags.extend(tags.clone()),
            Call::Untag(_, keys) if effect == Effect::Changed => self.tags.retain(|key, _| !keys.contains(key)),
            Call::Tag(..)
            | Call::Untag(..)
            | Call::Describe(_)
            | Call::Tags(_)
            | Call::Delete(_)
            | Call::Tenants(_)
            | Call::AnycastIpList(_)
            | Call::List => {}
        }
        match answer {
            Answer::Described(Ok(Some(Described { group, .. }))) if self.is_replaced(group, now) => {
                self.outdated = true;
            }
            Answer::Described(Ok(Some(Described { group, tags }))) => {
                self.shown(group);
                self.tags.clone_from(tags);
            }
            Answer::Described(Ok(None)) => {
                self.exists = Exists::No;
                self.group = None;
            }
            Answer::Group(Ok(group)) => self.shown(group),
            Answer::Tenants(Ok(tenants)) => self.tenants = Some(tenants.clone()),
            Answer::Described(Err(_))
            | Answer::Group(Err(_))
            | Answer::Tenants(Err(_))
            | Answer::Tags(_)
            | Answer::Done(_)
            | Answer::AnycastIpList(_)
            | Answer::Listed(_) => {}
        }
    }
}
