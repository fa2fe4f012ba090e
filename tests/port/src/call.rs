//! The port's calls and answers as values, and the one port that is made of a function between them. A new call of the port is added here; the
//! compiler names the matches that must handle it.

use std::{collections::BTreeSet, future::Future, ops::Deref};

use connection_group_operator::cloudfront::{
    AddressFamily, AnycastIpListId, ApiError, Arn, CloudFront, Described, Group, GroupId, Lookup, Members, NewGroup,
    Operation, Summary, Tags, Tenants,
};

/// A call of the port, with its arguments.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each is a method of the port")]
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

/// What the port answered.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each is what methods of the port return")]
pub enum Answer {
    Described(Result<Option<Described>, ApiError>),
    Tags(Result<Option<Tags>, ApiError>),
    Group(Result<Group, ApiError>),
    Done(Result<(), ApiError>),
    Tenants(Result<Tenants, ApiError>),
    AnycastIpList(Result<Option<AddressFamily>, ApiError>),
    Listed(Result<Vec<Summary>, ApiError>),
}

impl Call {
    /// The operation whose failure fails the call.
    #[must_use]
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
    #[must_use]
    pub const fn failed(&self, error: ApiError) -> Answer {
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

    /// The call, made at that port.
    pub async fn made_at<C: CloudFront>(&self, port: &C) -> Answer {
        match self {
            Self::Describe(lookup) => Answer::Described(port.describe(lookup).await),
            Self::Tags(arn) => Answer::Tags(port.tags(arn).await),
            Self::Create(new) => Answer::Group(port.create(new).await),
            Self::Update(read, members) => Answer::Group(port.update(read, members).await),
            Self::Delete(read) => Answer::Done(port.delete(read).await),
            Self::Tag(arn, tags) => Answer::Done(port.tag(arn, tags).await),
            Self::Untag(arn, keys) => Answer::Done(port.untag(arn, keys).await),
            Self::Tenants(id) => Answer::Tenants(port.tenants(id).await),
            Self::AnycastIpList(id) => Answer::AnycastIpList(port.anycast_ip_list(id).await),
            Self::List => Answer::Listed(port.list().await),
        }
    }
}

impl Answer {
    /// The error, if it is one.
    #[must_use]
    pub const fn error(&self) -> Option<&ApiError> {
        match self {
            Self::Described(Err(error))
            | Self::Tags(Err(error))
            | Self::Group(Err(error))
            | Self::Done(Err(error))
            | Self::Tenants(Err(error))
            | Self::AnycastIpList(Err(error))
            | Self::Listed(Err(error)) => Some(error),
            Self::Described(Ok(_))
            | Self::Tags(Ok(_))
            | Self::Group(Ok(_))
            | Self::Done(Ok(()))
            | Self::Tenants(Ok(_))
            | Self::AnycastIpList(Ok(_))
            | Self::Listed(Ok(_)) => None,
        }
    }
}

/// What answers calls.
pub trait Answering: Send + Sync {
    /// The answer to a call, which is of the kind that the call asks for.
    fn answer(&self, call: Call) -> impl Future<Output = Answer> + Send;
}

impl<A: Answering> Answering for &A {
    fn answer(&self, call: Call) -> impl Future<Output = Answer> + Send {
        (*self).answer(call)
    }
}

/// A port whose calls are all answered in one place.
#[derive(Clone, Debug)]
pub struct AnsweredBy<A>(pub A);

impl<A> Deref for AnsweredBy<A> {
    type Target = A;

    fn deref(&self) -> &A {
        &self.0
    }
}

macro_rules! answered {
    ($self:ident, $call:expr, $kind:path) => {
        match $self.0.answer($call).await {
            $kind(answer) => answer,
            other => unreachable!("the answer to another call: {other:?}"),
        }
    };
}

impl<A: Answering> CloudFront for AnsweredBy<A> {
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
