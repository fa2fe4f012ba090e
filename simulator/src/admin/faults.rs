//! Faults: what can happen to a call, and to which. Pure data.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::edits::GroupPatch;
use crate::operation::Operation;

/// Which fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(pub u64);

impl fmt::Display for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A fault, and the calls it strikes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// The operation it strikes.
    #[serde(default)]
    pub operation: OperationFilter,
    /// Strikes only calls whose target contains this: as the caller put it, or the id or name of the group it means.
    #[serde(default)]
    pub target: Option<String>,
    /// How many such calls go by unharmed first.
    #[serde(default)]
    pub skip: u32,
    /// Of the others, it strikes every so-manieth; each one if not given.
    #[serde(default = "each")]
    pub every: NonZeroU32,
    /// How many calls it strikes; all of them if not given.
    #[serde(default)]
    pub times: Option<u32>,
    /// What happens to them.
    pub fault: Fault,
}

impl FaultRule {
    /// What strikes every call of an operation.
    pub fn new(operation: impl Into<OperationFilter>, fault: Fault) -> Self {
        Self { operation: operation.into(), target: None, skip: 0, every: each(), times: None, fault }
    }
}

/// One operation, or `*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum OperationFilter {
    /// Every operation.
    #[default]
    Any,
    /// This one.
    Only(Operation),
}

impl OperationFilter {
    /// Whether it lets `operation` through.
    #[must_use]
    pub fn matches(self, operation: Operation) -> bool {
        match self {
            Self::Any => true,
            Self::Only(only) => only == operation,
        }
    }
}

impl From<Operation> for OperationFilter {
    fn from(operation: Operation) -> Self {
        Self::Only(operation)
    }
}

impl FromStr for OperationFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "*" { Ok(Self::Any) } else { text.parse().map(Self::Only) }
    }
}

impl TryFrom<String> for OperationFilter {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<OperationFilter> for String {
    fn from(filter: OperationFilter) -> Self {
        match filter {
            OperationFilter::Any => "*".to_owned(),
            OperationFilter::Only(operation) => operation.to_string(),
        }
    }
}

/// On which side of the effect something happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// The account has not seen the call.
    #[default]
    Before,
    /// The account has carried the call out.
    After,
}

/// What can happen to a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// It is answered with an error.
    Error {
        /// The HTTP status.
        status: u16,
        /// The error code.
        code: String,
        /// The sentence.
        #[serde(default)]
        message: String,
        /// Whether the call has taken effect all the same.
        #[serde(default)]
        when: Moment,
    },
    /// It takes effect at once and is answered later.
    Delay {
        /// How much later.
        ms: u64,
    },
    /// The connection is closed without an answer.
    Drop {
        /// Whether the call has taken effect.
        #[serde(default)]
        when: Moment,
    },
    /// It stands still until the fault is released (then it goes on) or deleted (then its connection is closed and,
    /// before the effect, it never happened). It goes on even if its caller is gone.
    Hold {
        /// Where it stands still.
        #[serde(default)]
        when: Moment,
    },
    /// The connection is closed at once; the call takes effect later.
    Late {
        /// How much later.
        ms: u64,
    },
    /// It is answered as a call too many, and has no effect.
    Throttle,
    /// A read is answered from an earlier version of each group and of its tags.
    StaleRead {
        /// How many changes it misses: 1 if not given.
        #[serde(default = "one")]
        versions: u32,
    },
    /// `ListTagsForResource` is answered from the tags before the last change.
    TagLag,
    /// Someone else changes the group just before an update or a deletion, whose `If-Match` is outdated then.
    Overtaken {
        /// What they change; if nothing, they save the group as it is, which is a new version all the same.
        #[serde(default)]
        edit: GroupPatch,
    },
    /// It is answered with this, and has no effect.
    Raw {
        /// The HTTP status.
        status: u16,
        /// `Content-Type`.
        content_type: String,
        /// The body.
        #[serde(default)]
        body: String,
        /// Further headers.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
}

impl Fault {
    /// Whether it can happen to a call of `operation` at all.
    #[must_use]
    pub fn suits(&self, operation: Operation) -> bool {
        match self {
            Self::StaleRead { .. } => matches!(
                operation,
                Operation::GetConnectionGroup
                    | Operation::GetConnectionGroupByRoutingEndpoint
                    | Operation::ListConnectionGroups
                    | Operation::ListTagsForResource
            ),
            Self::Overtaken { .. } => {
                matches!(operation, Operation::UpdateConnectionGroup | Operation::DeleteConnectionGroup)
            }
            Self::TagLag => operation == Operation::ListTagsForResource,
            Self::Error { .. }
            | Self::Delay { .. }
            | Self::Drop { .. }
            | Self::Hold { .. }
            | Self::Late { .. }
            | Self::Throttle
            | Self::Raw { .. } => true,
        }
    }
}

fn each() -> NonZeroU32 {
    NonZeroU32::MIN
}

fn one() -> u32 {
    1
}

/// A fault in place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultStatus {
    /// Its id.
    pub id: FaultId,
    /// What was asked for.
    pub rule: FaultRule,
    /// How many calls matched, those that went by unharmed included.
    pub matched: u32,
    /// How many calls it struck.
    pub hits: u32,
    /// How many calls stand still right now.
    pub held: usize,
}

/// The answer to a new fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultCreated {
    /// Its id.
    pub id: FaultId,
}
