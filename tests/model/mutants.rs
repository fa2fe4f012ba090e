//! Deliberate bugs, put around the shipping reconcile: what its port tells it, what it asks, what comes of it. Each is there to be caught.
//! In: the honest port. Out: the same with one flaw, or without.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use connection_group_operator::{
    api::{ConnectionGroup, RECONCILE_REQUESTED_AT, Reason, Standing, set_standing},
    clock::Moment,
    cloudfront::{
        AddressFamily, AnycastIpListId, ApiError, Arn, CloudFront, Described, ErrorClass, Etag, Group, GroupId,
        GroupName, Lookup, Members, NewGroup, Operation, Summary, Tags, Tenants,
    },
    reconcile::{
        Finalizer, Outcome,
        ownership::{Installation, OwnerTag},
    },
};

use kube::ResourceExt;

use crate::{
    replay::{Answer, Call, Entry, Replay},
    state::{INSTALLATION, NAME, NEVER, OWNER_TAGS},
};

/// A bug that somebody could have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Every group of the name counts as ours.
    NoOwnershipCheck,
    /// The finalizer goes as soon as CloudFront answers the Delete.
    ReleasedAfterTheDelete,
    /// The group is disabled without a look at its tenants.
    DisabledBeforeThePreflight,
    /// `EntityAlreadyExists` is given up on.
    NameTakenIsTerminal,
    /// If-Match comes from status.
    EtagFromStatus,
    /// The finalizer goes at the first `EntityNotFound`.
    ReleasedOnOneNotFound,
    /// The status names the generation that the object has by then, not the one that was acted upon.
    GenerationReadAnew,
    /// Every pass writes the status.
    StatusRewrittenEveryPass,
    /// Who has sent a Create once never sends another.
    AlreadyCreatedIsRemembered,
    /// An update is followed by the tags in the same pass.
    TwoMutationsInAPass,
    /// Whatever group the status names is ours.
    StatusIsBelieved,
    /// The status is written only if it is not what this process wrote last.
    OnlyOwnWritesAreCompared,
    /// Who asks for a reconcile has been answered.
    RequestTakenForHandled,
    /// The pass goes on although the finalizer could not be stored.
    FinalizerTakenForStored,
}

/// The port of a pass, with that bug.
pub struct Flawed<'a> {
    pub port: &'a Replay<'a>,
    pub mutant: Option<Mutant>,
}

impl Flawed<'_> {
    fn has(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    fn read(&self, read: &Group) -> Group {
        let recorded = self.port.input().object.status.as_ref().and_then(|status| status.e_tag.as_deref());
        let recorded = recorded.filter(|_| self.has(Mutant::EtagFromStatus));
        Group { etag: recorded.map_or_else(|| read.etag.clone(), Etag::new), ..read.clone() }
    }

    /// The object of the pass, as the bug has it.
    pub fn object(&self) -> Cow<'_, ConnectionGroup> {
        let mut object = Cow::Borrowed(&self.port.input().object);
        if self.has(Mutant::RequestTakenForHandled) {
            let request = object.annotations().get(RECONCILE_REQUESTED_AT).cloned();
            object.to_mut().status.iter_mut().for_each(|status| status.last_handled_reconcile_at.clone_from(&request));
        }
        object
    }

    /// The outcome of the pass, as the bug has it.
    pub fn outcome(&self, mut outcome: Outcome, log: &[Arc<Entry>]) -> Outcome {
        let object = &self.port.input().object;
        let last = log.last().map(|entry| (&entry.call, &entry.answer));
        let deleting = object.metadata.deletion_timestamp.is_some();
        match (self.mutant, last) {
            (Some(Mutant::ReleasedAfterTheDelete), Some((Call::Delete(_), Answer::Done(Ok(()))))) => {
                outcome.finalizer = Finalizer::Release;
            }
            (Some(Mutant::ReleasedOnOneNotFound), Some((_, Answer::Described(Ok(None))))) if deleting => {
                outcome.finalizer = Finalizer::Release;
            }
            (Some(Mutant::NameTakenIsTerminal), _) if log.iter().any(|entry| says_name_taken(entry)) => {
                let standing = (Standing::Stalled, Reason::Conflict, "the name is taken");
                let generation = object.metadata.generation.unwrap_or_default();
                outcome.status.observed_generation = generation;
                outcome.status.conditions = set_standing(&[], standing, None, generation, jiff::Timestamp::UNIX_EPOCH);
                outcome.requeue = NEVER;
            }
            (Some(Mutant::StatusRewrittenEveryPass), _) => {
                let text = format!("looked at {:?}", self.port.input().started);
                outcome.status.conditions.iter_mut().for_each(|condition| condition.message.clone_from(&text));
            }
            _ => {}
        }
        outcome
    }
}

/// What makes a group ours.
fn marks() -> Tags {
    let owner = (OwnerTag::KEY.to_owned(), OWNER_TAGS[0].to_owned());
    [owner].into_iter().chain(Installation::new(INSTALLATION).tag()).collect()
}

fn says_name_taken(entry: &Entry) -> bool {
    entry.answer.error().is_some_and(|error| error.class == ErrorClass::AlreadyExists)
}

impl CloudFront for Flawed<'_> {
    async fn describe(&self, lookup: &Lookup) -> Result<Option<Described>, ApiError> {
        let mut answer = self.port.describe(lookup).await;
        if let (true, Ok(Some(described))) = (self.has(Mutant::NoOwnershipCheck), &mut answer) {
            described.tags.extend(marks());
        }
        if let (true, Lookup::Known { .. }, Ok(Some(described))) =
            (self.has(Mutant::StatusIsBelieved), lookup, &mut answer)
        {
            described.group.name = GroupName::new(NAME);
            described.tags.extend(marks());
        }
        answer
    }

    async fn tags(&self, arn: &Arn) -> Result<Option<Tags>, ApiError> {
        self.port.tags(arn).await
    }

    async fn create(&self, new: &NewGroup) -> Result<Group, ApiError> {
        let sent_one = self.port.input().memory.last_claim > Moment::START;
        if self.has(Mutant::AlreadyCreatedIsRemembered) && sent_one {
            let (operation, class) = (Operation::CreateConnectionGroup, ErrorClass::AlreadyExists);
            return Err(ApiError::new(operation, class, None, "created already", None));
        }
        self.port.create(new).await
    }

    async fn update(&self, read: &Group, members: &Members) -> Result<Group, ApiError> {
        let group = self.port.update(&self.read(read), members).await?;
        if self.has(Mutant::TwoMutationsInAPass) {
            self.port.tag(&group.arn, &self.port.input().object.spec.tags).await?;
        }
        Ok(group)
    }

    async fn delete(&self, read: &Group) -> Result<(), ApiError> {
        self.port.delete(&self.read(read)).await
    }

    async fn tag(&self, arn: &Arn, tags: &Tags) -> Result<(), ApiError> {
        self.port.tag(arn, tags).await
    }

    async fn untag(&self, arn: &Arn, keys: &BTreeSet<String>) -> Result<(), ApiError> {
        self.port.untag(arn, keys).await
    }

    async fn tenants(&self, id: &GroupId) -> Result<Tenants, ApiError> {
        if self.has(Mutant::DisabledBeforeThePreflight) {
            return Ok(Tenants::default());
        }
        self.port.tenants(id).await
    }

    async fn anycast_ip_list(&self, id: &AnycastIpListId) -> Result<Option<AddressFamily>, ApiError> {
        self.port.anycast_ip_list(id).await
    }

    async fn list(&self) -> Result<Vec<Summary>, ApiError> {
        self.port.list().await
    }
}
