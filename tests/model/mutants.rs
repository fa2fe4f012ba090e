//! Deliberate bugs, put around the shipping reconcile: what its port tells it, what it asks, what comes of it. Each is there to be caught.
//! In: the honest port. Out: the same with one flaw, or without.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use connection_group_operator::{
    api::{
        ConnectionGroup, ConnectionGroupStatus, Mode, NO_LIST, RECONCILE_REQUESTED_AT, Reason, Standing, is_true,
        set_standing,
    },
    clock::{Clock, Moment},
    cloudfront::{
        AddressFamily, AnycastIpListId, ApiError, Arn, CloudFront, Deployment, Described, ErrorClass, Etag, Group,
        GroupId, GroupName, Lookup, Members, NewGroup, Operation, Snapshot, Summary, Tags, Tenants,
    },
    reconcile::{
        Finalizer, Memory, Outcome,
        ownership::{Claim, Installation, OwnerTag},
    },
};

use kube::ResourceExt;
use port::AnsweredBy;

use crate::{
    replay::{Answer, Call, Entry, Replay},
    state::{CLONE, INSTALLATION, NAME, NEVER, OWNER_TAGS},
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
    /// Each update carries all that the spec says.
    UpdateCarriesEverything,
    /// As long as one member is refused, no other is updated.
    RefusedMemberHoldsUpOthers,
    /// A change of others is left alone for a while, even one that switched the group on.
    SwitchingOffIsPaused,
    /// A deletion that cannot go on leaves the group as it is by then.
    BlockedDeletionLeavesItOff,
    /// A group that is to stay is let go of at once.
    RetainedWhileOff,
    /// Whatever the cache shows is recent enough for every change.
    EventsAreEvidence,
    /// A new leader acts on the cache that it filled while it stood by.
    NewTermBelievesItsCache,
    /// Tags that were found as the spec asks for them count as sent.
    FoundTagsAreOurs,
    /// An object in mode Observe goes at once.
    ObserveReleasesAtOnce,
    /// What was seen of an earlier group of the name is believed of this one.
    UnownedWhicheverGroup,
    /// The owner tag alone makes a group ours.
    IdentityIsIgnored,
    /// A deployment status that an answer leaves out is taken for a roll-out.
    AbsentStatusIsInProgress,
    /// The first `EntityNotFound` takes the group out of status.
    OneNotFoundIsGone,
    /// The first read without an owner tag takes the group out of status.
    OneReadWithoutTagsIsLost,
    /// A failed pass says when the next one comes.
    NextTryIsTold,
    /// Whatever list is attached was attached by this object.
    EveryListIsOurs,
    /// An update settles the generation, although tags are left to be set.
    SettledWithoutTags,
    /// Of several members that differ, one is updated at a time.
    EachMemberAlone,
    /// What tags were sent is not put on record.
    SentTagsAreForgotten,
}

/// The port of a pass, with that bug.
pub struct Flawed<'a> {
    pub port: AnsweredBy<&'a Replay<'a>>,
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
        let row = self.port.input().snapshot.as_ref().and_then(|list| list.groups.get(&GroupName::new(NAME)));
        if let (true, Some(row)) = (self.has(Mutant::EveryListIsOurs), row) {
            let list = row.anycast_ip_list_id.as_ref().map(ToString::to_string);
            object.to_mut().status.iter_mut().for_each(|status| status.attached_anycast_ip_list_id.clone_from(&list));
        }
        object
    }

    /// What the pass remembers, as the bug has it.
    pub fn memory(&self) -> Memory {
        let mut memory = self.port.input().memory.clone();
        let row = self.port.input().snapshot.as_ref().and_then(|list| list.groups.get(&GroupName::new(NAME)));
        if let (true, Some(unowned), Some(row)) = (self.has(Mutant::UnownedWhicheverGroup), &mut memory.unowned, row) {
            unowned.id.clone_from(&row.id);
        }
        memory
    }

    /// The list of the pass, as the bug has it.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        let mut list = self.port.input().snapshot.clone();
        if let (true, Some(list)) = (self.has(Mutant::AbsentStatusIsInProgress), &mut list) {
            for row in Arc::make_mut(list).groups.values_mut() {
                row.deployment.get_or_insert_with(in_progress);
            }
        }
        list
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
            (Some(Mutant::ObserveReleasesAtOnce), _) if deleting && object.spec.mode == Mode::Observe => {
                outcome.finalizer = Finalizer::Release;
            }
            (Some(Mutant::OneNotFoundIsGone), _)
                if !deleting && log.iter().any(|entry| matches!(entry.answer, Answer::Described(Ok(None)))) =>
            {
                forget(&mut outcome.status);
            }
            (Some(Mutant::OneReadWithoutTagsIsLost), Some((_, Answer::Described(Ok(Some(read))))))
                if !deleting && OwnerTag::in_tags(&read.tags).is_none() =>
            {
                forget(&mut outcome.status);
            }
            (Some(Mutant::FoundTagsAreOurs), _) if is_true(&outcome.status.conditions, "Ready") => {
                outcome.status.tags.clone_from(&object.spec.tags);
            }
            (Some(Mutant::SettledWithoutTags), Some((Call::Update(..), Answer::Group(Ok(_))))) if !deleting => {
                outcome.status.settled_generation = object.metadata.generation;
            }
            (Some(Mutant::SentTagsAreForgotten), _) => outcome.status.tags.clear(),
            (Some(Mutant::NextTryIsTold), _) if outcome.error.is_some() => {
                let text = format!("the next try is {:?} after {:?}", outcome.requeue, self.port.input().started);
                outcome.status.conditions.iter_mut().for_each(|condition| condition.message.clone_from(&text));
            }
            _ => {}
        }
        outcome
    }

    /// What an update carries, as the bug has it.
    fn sent(&self, read: &Group, members: &Members) -> Members {
        let object = &self.port.input().object;
        if self.has(Mutant::EachMemberAlone) && members.enabled != read.config.enabled {
            return Members { enabled: members.enabled, ..read.config.clone() };
        }
        if !self.has(Mutant::UpdateCarriesEverything) || object.metadata.deletion_timestamp.is_some() {
            return members.clone();
        }
        let spec = &object.spec;
        let list = match spec.anycast_ip_list_id.as_deref() {
            None => read.config.anycast_ip_list_id.clone(),
            Some(NO_LIST) => None,
            Some(id) => Some(AnycastIpListId::new(id)),
        };
        Members { enabled: Some(spec.enabled), ipv6_enabled: Some(spec.ipv6_enabled), anycast_ip_list_id: list }
    }

    /// Why the bug keeps an update from being made, if it does.
    fn holds_up(&self, members: &Members) -> Option<ApiError> {
        let input = self.port.input();
        let deleting = input.object.metadata.deletion_timestamp.is_some();
        let class = match self.mutant? {
            Mutant::RefusedMemberHoldsUpOthers
                if input.object.status.as_ref().is_some_and(|status| !status.refused.is_empty()) =>
            {
                ErrorClass::InvalidArgument
            }
            Mutant::SwitchingOffIsPaused
                if members.enabled == Some(false) && input.memory.dispute.pause("", self.port.moment()).is_some() =>
            {
                ErrorClass::Throttled
            }
            Mutant::BlockedDeletionLeavesItOff if deleting && members.enabled == Some(true) => ErrorClass::Throttled,
            _ => return None,
        };
        Some(ApiError::new(Operation::UpdateConnectionGroup, class, None, "held up", None))
    }
}

fn in_progress() -> Deployment {
    Deployment::parse("InProgress")
}

fn forget(status: &mut ConnectionGroupStatus) {
    (status.id, status.arn, status.e_tag) = (None, None, None);
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
        if let (true, Ok(Some(described))) = (self.has(Mutant::IdentityIsIgnored), &mut answer) {
            let uid = self.port.input().object.metadata.uid.as_deref().unwrap_or_default();
            let acting = if uid.starts_with("uid-1") { CLONE } else { INSTALLATION };
            described.tags.extend(Installation::new(acting).tag());
        }
        if let (true, Ok(Some(described))) = (self.has(Mutant::AbsentStatusIsInProgress), &mut answer) {
            described.group.deployment.get_or_insert_with(in_progress);
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
        if let Some(error) = self.holds_up(members) {
            return Err(error);
        }
        if self.has(Mutant::RetainedWhileOff) && members.enabled == Some(true) {
            self.port.untag(&read.arn, &Claim::KEYS.map(str::to_owned).into()).await?;
            return Ok(read.clone());
        }
        let group = self.port.update(&self.read(read), &self.sent(read, members)).await?;
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
