//! A pass as a log: its input and the answers so far. The shipping `reconcile` is run from its start over that log until it asks for something
//! that is not answered yet. In: input, log. Out: the next [`Call`], or the outcome. Pure: nothing else is asked, no time passes.

use std::{
    collections::BTreeSet,
    future::{pending, ready},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
    time::Duration,
};

use connection_group_operator::{
    api::ConnectionGroup,
    clock::{Clock, Moment},
    cloudfront::{
        AddressFamily, AnycastIpListId, ApiError, Arn, CloudFront, Described, Group, GroupId, Lookup, Members,
        NewGroup, Operation, Snapshot, Summary, Tags, Tenants,
    },
    reconcile::{
        Memory, Outcome, Policy, Surroundings, reconcile,
        view::{Evidence, View, Withheld},
    },
};

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub const EPOCH_MS: i64 = 1_800_000_000_000;

/// A call of the port, as it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    Describe(Lookup),
    Tags(Arn),
    Create(NewGroup),
    Update(Group, Members),
    Delete(Group),
    Tag(Arn, Tags),
    Untag(Arn, BTreeSet<String>),
    Tenants(GroupId),
    AnycastIpList(AnycastIpListId),
    List,
}

impl Call {
    /// The operation whose failure fails the call.
    pub const fn operation(&self) -> Operation {
        match self {
            Self::Describe(_) => Operation::GetConnectionGroup,
            Self::Tags(_) => Operation::ListTagsForResource,
            Self::Create(_) => Operation::CreateConnectionGroup,
            Self::Update(..) => Operation::UpdateConnectionGroup,
            Self::Delete(_) => Operation::DeleteConnectionGroup,
            Self::Tag(..) => Operation::TagResource,
            Self::Untag(..) => Operation::UntagResource,
            Self::Tenants(_) => Operation::ListDistributionTenants,
            Self::AnycastIpList(_) => Operation::GetAnycastIpList,
            Self::List => Operation::ListConnectionGroups,
        }
    }

    /// The same call, failed.
    pub fn failed(&self, error: ApiError) -> Answer {
        match self {
            Self::Describe(_) => Answer::Described(Err(error)),
            Self::Tags(_) => Answer::Tags(Err(error)),
            Self::Create(_) | Self::Update(..) => Answer::Group(Err(error)),
            Self::Delete(_) | Self::Tag(..) | Self::Untag(..) => Answer::Done(Err(error)),
            Self::Tenants(_) => Answer::Tenants(Err(error)),
            Self::AnycastIpList(_) => Answer::AnycastIpList(Err(error)),
            Self::List => Answer::Listed(Err(error)),
        }
    }
}

/// What the port answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Described(Result<Option<Described>, ApiError>),
    Tags(Result<Option<Tags>, ApiError>),
    Group(Result<Group, ApiError>),
    Done(Result<(), ApiError>),
    Tenants(Result<Tenants, ApiError>),
    AnycastIpList(Result<Option<AddressFamily>, ApiError>),
    Listed(Result<Vec<Summary>, ApiError>),
}

impl Answer {
    pub fn error(&self) -> Option<&ApiError> {
        match self {
            Self::Described(answer) => answer.as_ref().err(),
            Self::Tags(answer) => answer.as_ref().err(),
            Self::Group(answer) => answer.as_ref().err(),
            Self::Done(answer) => answer.as_ref().err(),
            Self::Tenants(answer) => answer.as_ref().err(),
            Self::AnycastIpList(answer) => answer.as_ref().err(),
            Self::Listed(answer) => answer.as_ref().err(),
        }
    }
}

/// What a pass was started with.
#[derive(Clone, Debug)]
pub struct Input {
    pub object: ConnectionGroup,
    pub memory: Memory,
    pub snapshot: Option<Arc<Snapshot>>,
    pub list_trouble: Option<ApiError>,
    pub process_start: Duration,
    pub started: Duration,
}

/// One call and its answer.
#[derive(Clone, Debug)]
pub struct Entry {
    pub call: Call,
    pub answer: Answer,
    pub at: Duration,
}

impl Entry {
    /// Whether it changed something at CloudFront, as far as the answer tells.
    pub fn changed_something(&self) -> bool {
        self.call.operation().is_mutation() && self.answer.error().is_none()
    }
}

/// Where a pass stands.
#[derive(Clone, Debug)]
pub enum Stage {
    Asking(Call),
    /// It is about to change something, and wants to know whether its object is up to date.
    Confirming(Evidence),
    Ended(Box<Outcome>, Memory),
}

/// The port and the clock of a pass that is run over its log.
pub struct Replay<'a> {
    input: &'a Input,
    log: &'a [Arc<Entry>],
    views: Views,
    cursor: Mutex<Cursor>,
}

/// What is known of the object's being up to date: it was confirmed so often, and then perhaps denied.
#[derive(Clone, Copy, Debug, Default)]
pub struct Views {
    pub confirmed: usize,
    pub then: Option<Withheld>,
}

#[derive(Default)]
struct Cursor {
    answered: usize,
    confirmed: usize,
    asked: Option<Stage>,
}

impl<'a> Replay<'a> {
    pub fn new(input: &'a Input, log: &'a [Arc<Entry>], views: Views) -> Self {
        Self { input, log, views, cursor: Mutex::default() }
    }

    fn cursor(&self) -> MutexGuard<'_, Cursor> {
        self.cursor.lock().unwrap()
    }

    async fn ask(&self, call: Call) -> Answer {
        if let Some(answer) = self.recorded(&call) {
            return answer;
        }
        self.cursor().asked = Some(Stage::Asking(call));
        pending().await
    }

    fn recorded(&self, call: &Call) -> Option<Answer> {
        let mut cursor = self.cursor();
        let entry = self.log.get(cursor.answered)?;
        assert_eq!(entry.call, *call, "the same input and answers led to another call: hidden non-determinism");
        cursor.answered += 1;
        Some(entry.answer.clone())
    }

    fn now(&self) -> Duration {
        let answered = self.cursor().answered;
        answered.checked_sub(1).map_or(self.input.started, |last| self.log[last].at)
    }
}

impl View for Replay<'_> {
    fn confirm(&self, _: Operation, evidence: Evidence) -> BoxFuture<'_, Result<(), Withheld>> {
        let mut cursor = self.cursor();
        if cursor.confirmed < self.views.confirmed {
            cursor.confirmed += 1;
            return Box::pin(ready(Ok(())));
        }
        if let Some(why) = self.views.then {
            return Box::pin(ready(Err(why)));
        }
        cursor.asked = Some(Stage::Confirming(evidence));
        Box::pin(pending())
    }
}

impl Clock for Replay<'_> {
    fn moment(&self) -> Moment {
        Moment::after_start(self.now().saturating_sub(self.input.process_start))
    }

    fn wall(&self) -> jiff::Timestamp {
        wall(self.now())
    }
}

pub fn wall(elapsed: Duration) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(EPOCH_MS + i64::try_from(elapsed.as_millis()).unwrap()).unwrap()
}

/// Runs a pass over its log.
pub fn run(input: &Input, log: &[Arc<Entry>], views: Views, policy: &Policy) -> Stage {
    let replay = Replay::new(input, log, views);
    let mut memory = input.memory.clone();
    let around = Surroundings {
        port: &replay,
        policy,
        snapshot: input.snapshot.as_deref(),
        list_trouble: input.list_trouble.as_ref(),
        clock: &replay,
        view: &replay,
    };
    let ended = {
        let future = pin!(reconcile(&input.object, &mut memory, &around));
        future.poll(&mut Context::from_waker(Waker::noop()))
    };
    match ended {
        Poll::Ready(outcome) => Stage::Ended(Box::new(outcome), memory),
        Poll::Pending => {
            let asked = replay.cursor().asked.take();
            asked.expect("reconcile waits for something else than the port and the view")
        }
    }
}

macro_rules! answered {
    ($self:ident, $call:expr, $kind:path) => {
        match $self.ask($call).await {
            $kind(answer) => answer,
            other => unreachable!("another call's answer: {other:?}"),
        }
    };
}

impl CloudFront for Replay<'_> {
    async fn describe(&self, lookup: &Lookup) -> Result<Option<Described>, ApiError> {
        answered!(self, Call::Describe(lookup.clone()), Answer::Described)
    }

    async fn tags(&self, arn: &Arn) -> Result<Option<Tags>, ApiError> {
        answered!(self, Call::Tags(arn.clone()), Answer::Tags)
    }

    async fn create(&self, new: &NewGroup) -> Result<Group, ApiError> {
        answered!(self, Call::Create(new.clone()), Answer::Group)
    }

    async fn update(&self, read: &Group, members: &Members) -> Result<Group, ApiError> {
        answered!(self, Call::Update(read.clone(), members.clone()), Answer::Group)
    }

    async fn delete(&self, read: &Group) -> Result<(), ApiError> {
        answered!(self, Call::Delete(read.clone()), Answer::Done)
    }

    async fn tag(&self, arn: &Arn, tags: &Tags) -> Result<(), ApiError> {
        answered!(self, Call::Tag(arn.clone(), tags.clone()), Answer::Done)
    }

    async fn untag(&self, arn: &Arn, keys: &BTreeSet<String>) -> Result<(), ApiError> {
        answered!(self, Call::Untag(arn.clone(), keys.clone()), Answer::Done)
    }

    async fn tenants(&self, id: &GroupId) -> Result<Tenants, ApiError> {
        answered!(self, Call::Tenants(id.clone()), Answer::Tenants)
    }

    async fn anycast_ip_list(&self, id: &AnycastIpListId) -> Result<Option<AddressFamily>, ApiError> {
        answered!(self, Call::AnycastIpList(id.clone()), Answer::AnycastIpList)
    }

    async fn list(&self) -> Result<Vec<Summary>, ApiError> {
        answered!(self, Call::List, Answer::Listed)
    }
}
