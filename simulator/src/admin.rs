//! The JSON of the admin path `/_admin/…`, shared by the server and its clients. Pure data.

mod edits;
mod faults;

use serde::{Deserialize, Serialize};

pub use crate::model::{AnycastIpList, ConnectionGroup, DeploymentStatus, DistributionTenant, Tags, Versioned};
pub use crate::operation::Operation;
pub use crate::request::Request;
pub use crate::switches::{IpAddressType, ServeOn, Switches};
pub use crate::time::{Millis, Timestamp};
pub use edits::{GroupPatch, ListPatch, NewGroup, NewList, NewTenant};
pub use faults::{Fault, FaultCreated, FaultId, FaultRule, FaultStatus, Moment, OperationFilter};

/// One call of the API, as the request log remembers it. Held calls are in the log too, without a status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedCall {
    /// Counts up from 1 in order of arrival, also across clearing of the log.
    pub seq: u64,
    /// When it arrived.
    pub time: Timestamp,
    /// Which operation it called, if that could be told.
    pub operation: Option<Operation>,
    /// What it was about, in the caller's words.
    pub target: Option<String>,
    /// The name of the group that `target` meant on arrival.
    pub group_name: Option<String>,
    /// What was understood of it: `{"operation": …, "input": {…}}`.
    pub request: Option<Request>,
    /// The `If-Match` it carried.
    pub if_match: Option<String>,
    /// The HTTP status of the answer; none while the call goes on, and none if the connection was closed instead.
    pub status: Option<u16>,
    /// The error code of the answer.
    pub error: Option<String>,
    /// The `x-amzn-requestid` of the answer.
    pub request_id: String,
    /// Who signed it.
    pub access_key_id: Option<String>,
    /// The fault that struck it.
    pub fault: Option<FaultId>,
    /// Whether the call has been carried out on the account without an error.
    pub took_effect: bool,
}

/// Moves the simulator's clock ahead of the real one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockAdvance {
    /// By how much.
    pub advance_ms: u64,
}

/// The simulator's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// The time it shows.
    pub now: Timestamp,
}

/// A connection group with its tags and `ETag`.
pub type GroupState = Versioned<ConnectionGroup>;

/// All the account holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The simulator's time.
    pub now: Timestamp,
    /// The connection groups, in order of creation.
    pub groups: Vec<GroupState>,
    /// The Anycast IP lists, in order of creation.
    pub anycast_ip_lists: Vec<AnycastIpList>,
    /// The tenants, in order of creation.
    pub tenants: Vec<DistributionTenant>,
}

impl State {
    /// The group of that name or id.
    #[must_use]
    pub fn group(&self, identifier: &str) -> Option<&GroupState> {
        self.groups.iter().find(|group| group.resource.name == identifier || group.resource.id == identifier)
    }
}

/// The answer of the admin path to what it cannot do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminError {
    /// Why not, in words.
    pub error: String,
}
