//! How soon a reservation is served. Pure data.

/// The classes, the one that goes first first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A group that serves although its spec says off: the emergency switch.
    SwitchOff,
    /// What a person asked for and has not been answered: a new generation, a deletion, a requested reconcile, traffic that is down against the spec
    /// although no deletion took it down.
    Asked,
    /// The list of the account. One at a time, so that it takes little; behind everything in trouble it would be too old to prove anything.
    Inventory,
    /// Work that has begun: being rolled out, to be finished, or stopped by something that passes by itself.
    Progress,
    /// What nobody waits for: retries of what was refused, full reads of what is in sync, tags of groups that no object names.
    Rest,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::SwitchOff, Self::Asked, Self::Inventory, Self::Progress, Self::Rest];

    /// The name, as a label of metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SwitchOff => "SwitchOff",
            Self::Asked => "Asked",
            Self::Inventory => "Inventory",
            Self::Progress => "Progress",
            Self::Rest => "Rest",
        }
    }

    /// Whether a person waits for it, so that it may use the whole burst.
    #[must_use]
    pub const fn is_asked_by_a_person(self) -> bool {
        match self {
            Self::SwitchOff | Self::Asked => true,
            Self::Inventory | Self::Progress | Self::Rest => false,
        }
    }

    /// What a reservation is charged when its turn comes; the difference to what it used is settled at its end. An account of up to 100 groups is
    /// one page, and a reconcile reads a group and its tags, and makes one change.
    #[must_use]
    pub const fn usual_calls(self) -> u32 {
        match self {
            Self::Inventory => 1,
            Self::SwitchOff | Self::Asked | Self::Progress | Self::Rest => 3,
        }
    }
}
