//! The priority of a reservation. Pure data.

use strum::IntoStaticStr;

/// The classes, highest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr)]
pub enum Class {
    /// A group that serves traffic although its spec says off: the emergency switch.
    SwitchOff,
    /// What a person asked for and has not been done yet: a new generation, a deletion, a requested reconcile, or traffic that is down contrary to the spec
    /// although no deletion took it down.
    UserRequest,
    /// The inventory. There is one at a time, so it takes few calls; if it had to wait for all failing objects, it would be too old to prove anything.
    Inventory,
    /// Work in progress: being deployed, to be finished, or stopped by a transient error.
    Progress,
    /// What nobody waits for: retries of what was refused, full reads of groups in sync, tags of groups that no object manages.
    Background,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::SwitchOff, Self::UserRequest, Self::Inventory, Self::Progress, Self::Background];

    /// The name, as a metric label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether a person waits for it, so that it may use the whole burst.
    #[must_use]
    pub const fn is_asked_by_a_person(self) -> bool {
        match self {
            Self::SwitchOff | Self::UserRequest => true,
            Self::Inventory | Self::Progress | Self::Background => false,
        }
    }

    /// How many calls a reservation is charged for when its turn comes; the difference to the calls that it made is settled at its end. The inventory of an
    /// account of up to 100 groups is one page. A reconcile reads a group and its tags, and makes one change.
    #[must_use]
    pub const fn usual_calls(self) -> u32 {
        match self {
            Self::Inventory => 1,
            Self::SwitchOff | Self::UserRequest | Self::Progress | Self::Background => 3,
        }
    }
}
