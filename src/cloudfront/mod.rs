//! The port to CloudFront: what the operator needs from it, in CloudFront's own terms. Pure types and one trait.
//!
//! In: identifiers, configurations, tags. Out: groups as read in this call, or an [`ApiError`] that carries its class. [`sdk`] is the adapter over the AWS
//! SDK. Outside this module, only `leadership::fence` knows that SDK: as an interceptor, it makes the last check before a call is sent.

mod config;
pub mod elements;
pub mod error;
pub mod queue;
pub mod sdk;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    future::Future,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::Moment;

pub use config::{Config, Members, list_element};
pub use elements::Elements;
pub use error::{ApiError, ErrorClass, Operation};

macro_rules! text_newtypes {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name(String);

        impl $name {
            /// Wraps the text as CloudFront or a person wrote it.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

text_newtypes! {
    /// Name of a connection group, unique per account and immutable.
    GroupName,
    /// Id of a connection group, `cg_...`.
    GroupId,
    /// ARN of a connection group.
    Arn,
    /// Version identifier of a group. Guards versions, not identity: two groups may have the same (docs/cloudfront-api.md, ETag).
    Etag,
    /// Id of an Anycast static IP list, `aip_...`.
    AnycastIpListId,
}

impl Arn {
    /// The AWS account, if it names one.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.0.split(':').nth(4).filter(|account| !account.is_empty())
    }
}

/// Tags as key and value.
pub type Tags = BTreeMap<String, String>;

/// CloudFront's deployment status. The API has a free-form string; only one value matters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Deployment {
    /// Deployed everywhere.
    Deployed,
    /// Anything else, verbatim; `InProgress` as far as known.
    Pending(String),
}

impl Deployment {
    /// Reads CloudFront's string.
    #[must_use]
    pub fn parse(status: &str) -> Self {
        if status == "Deployed" { Self::Deployed } else { Self::Pending(status.to_owned()) }
    }

    /// CloudFront's string, verbatim.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Deployed => "Deployed",
            Self::Pending(status) => status,
        }
    }
}

/// A connection group as `GetConnectionGroup` and the answers of Create and Update show it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    /// Id.
    pub id: GroupId,
    /// ARN.
    pub arn: Arn,
    /// Name.
    pub name: GroupName,
    /// ETag of this version.
    pub etag: Etag,
    /// Configuration of this version.
    pub config: Members,
    /// Deployment status of this version; `None` if the answer does not state it.
    pub deployment: Option<Deployment>,
    /// Host name of the routing endpoint.
    pub routing_endpoint: Option<String>,
    /// Whether this is the account's default group.
    pub is_default: bool,
    /// When the group was created.
    pub created: Option<Timestamp>,
    /// When the group was last modified.
    pub modified: Option<Timestamp>,
    /// Elements of the answer that the operator does not manage.
    pub elements: Elements,
}

impl Group {
    /// The answer to a Create or Update that sent these members. CloudFront accepted them, so a switch that the answer does not state has the value that was
    /// sent.
    #[must_use]
    pub fn as_accepted(mut self, sent: &Members) -> Self {
        self.config.enabled = self.config.enabled.or(sent.enabled);
        self.config.ipv6_enabled = self.config.ipv6_enabled.or(sent.ipv6_enabled);
        self
    }
}

/// A group and its tags, read in one call of the port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Described {
    /// The group.
    pub group: Group,
    /// All its tags, ours and others'.
    pub tags: Tags,
}

/// A group as `ListConnectionGroups` shows it: without IPv6 and without tags (docs/cloudfront-api.md, Operations).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Summary {
    /// Id.
    pub id: GroupId,
    /// ARN.
    pub arn: Arn,
    /// Name.
    pub name: GroupName,
    /// ETag.
    pub etag: Etag,
    /// Whether the group serves traffic; optional in the API's model.
    pub enabled: Option<bool>,
    /// Attached Anycast list.
    pub anycast_ip_list_id: Option<AnycastIpListId>,
    /// Deployment status; optional in the API's model.
    pub deployment: Option<Deployment>,
    /// When the group was last modified.
    pub modified: Option<Timestamp>,
}

/// One complete inventory: the list of the account's groups.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// When the first page was requested: everything that was written before is in the list.
    pub began: Moment,
    /// The groups, by name.
    pub groups: BTreeMap<GroupName, Summary>,
}

/// How to find a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// By name; its tags are read after the group, because the ARN is not known before.
    Name(GroupName),
    /// By an id and ARN that an earlier read showed; group and tags are read in parallel.
    Known {
        /// Id.
        id: GroupId,
        /// ARN.
        arn: Arn,
    },
}

/// What Create sends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NewGroup {
    /// Name.
    pub name: GroupName,
    /// Configuration.
    pub config: Config,
    /// Tags, including the owner tag.
    pub tags: Tags,
}

/// Distribution tenants that use a group, from one page of at most 100.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tenants {
    /// How many the page showed.
    pub count: usize,
    /// The first names, at most ten.
    pub names: Vec<String>,
    /// Whether CloudFront has further pages.
    pub beyond_this_page: bool,
    /// Whether the answer has a list at all.
    pub listing: Listing,
}

/// Whether an answer has the list that was requested. How CloudFront writes an empty list is not documented: a missing list may mean "empty" or
/// "not stated".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Listing {
    /// It is there, possibly empty.
    #[default]
    Stated,
    /// It is missing.
    LeftOut,
}

impl Tenants {
    /// Whether anybody uses the group; a page may be empty although others follow.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.count > 0 || self.beyond_this_page
    }
}

/// Address families of an Anycast static IP list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressFamily {
    /// IPv4 only: every group on the list must have IPv6 off.
    Ipv4Only,
    /// IPv4 and IPv6, or a family this version does not know.
    Other,
}

/// All that the operator requests from CloudFront. Each call is one attempt: nothing below this trait retries, except that [`update`](CloudFront::update)
/// may send a second time in the one case that it describes.
pub trait CloudFront: Send + Sync {
    /// Get and `ListTagsForResource`. `None` when CloudFront says `EntityNotFound`.
    fn describe(&self, lookup: &Lookup) -> impl Future<Output = Result<Option<Described>, ApiError>> + Send;

    /// `ListTagsForResource` of one group. `None` when CloudFront says that there is no such resource.
    fn tags(&self, arn: &Arn) -> impl Future<Output = Result<Option<Tags>, ApiError>> + Send;

    /// `CreateConnectionGroup`.
    fn create(&self, group: &NewGroup) -> impl Future<Output = Result<Group, ApiError>> + Send;

    /// `UpdateConnectionGroup` of a group as it was just read, with If-Match from that read.
    ///
    /// `Enabled` and `Ipv6Enabled` are sent unless they are `None`. `AnycastIpListId` is sent if a list is wanted, and as an empty element if
    /// one is to be detached. It is left out if there is none and none is wanted: it is not known whether the empty element is accepted
    /// (docs/cloudfront-api.md, Anycast lists), and nothing else may depend on that. The other elements that an update takes are sent as they were read. If CloudFront refuses an
    /// update that does nothing but switch the group on or off, it is sent once more without those elements: the emergency switch must not depend on them.
    fn update(&self, read: &Group, members: &Members) -> impl Future<Output = Result<Group, ApiError>> + Send;

    /// `DeleteConnectionGroup` of a group as it was just read, with If-Match from that read.
    fn delete(&self, read: &Group) -> impl Future<Output = Result<(), ApiError>> + Send;

    /// `TagResource`.
    fn tag(&self, arn: &Arn, tags: &Tags) -> impl Future<Output = Result<(), ApiError>> + Send;

    /// `UntagResource`.
    fn untag(&self, arn: &Arn, keys: &BTreeSet<String>) -> impl Future<Output = Result<(), ApiError>> + Send;

    /// `ListDistributionTenants` of one group, one page.
    fn tenants(&self, id: &GroupId) -> impl Future<Output = Result<Tenants, ApiError>> + Send;

    /// `GetAnycastIpList`. `None` when CloudFront says `EntityNotFound`.
    fn anycast_ip_list(
        &self,
        id: &AnycastIpListId,
    ) -> impl Future<Output = Result<Option<AddressFamily>, ApiError>> + Send;

    /// `ListConnectionGroups`, all pages, or an error: never a part of the list.
    fn list(&self) -> impl Future<Output = Result<Vec<Summary>, ApiError>> + Send;
}
