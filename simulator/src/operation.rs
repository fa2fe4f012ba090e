//! The operations of the API, by name. Pure data.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// The operations the simulator answers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Operation { $($(#[$doc])* $name),+ }

        impl Operation {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The name AWS gives it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }
        }
    };
}

operations! {
    /// Makes a group.
    CreateConnectionGroup,
    /// Reads a group by id, name or ARN.
    GetConnectionGroup,
    /// Reads a group by its host name.
    GetConnectionGroupByRoutingEndpoint,
    /// Changes some of a group's configuration.
    UpdateConnectionGroup,
    /// Removes a group.
    DeleteConnectionGroup,
    /// Reads a page of groups.
    ListConnectionGroups,
    /// Sets tags.
    TagResource,
    /// Removes tags.
    UntagResource,
    /// Reads tags.
    ListTagsForResource,
    /// Makes an Anycast IP list.
    CreateAnycastIpList,
    /// Reads an Anycast IP list.
    GetAnycastIpList,
    /// Removes an Anycast IP list.
    DeleteAnycastIpList,
    /// Reads a page of Anycast IP lists.
    ListAnycastIpLists,
    /// Reads a page of tenants.
    ListDistributionTenants,
}

impl Operation {
    /// Whether it only reads.
    #[must_use]
    pub const fn is_read(self) -> bool {
        match self {
            Self::GetConnectionGroup
            | Self::GetConnectionGroupByRoutingEndpoint
            | Self::ListConnectionGroups
            | Self::ListTagsForResource
            | Self::GetAnycastIpList
            | Self::ListAnycastIpLists
            | Self::ListDistributionTenants => true,
            Self::CreateConnectionGroup
            | Self::UpdateConnectionGroup
            | Self::DeleteConnectionGroup
            | Self::TagResource
            | Self::UntagResource
            | Self::CreateAnycastIpList
            | Self::DeleteAnycastIpList => false,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Operation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|operation| operation.as_str() == text);
        found.copied().ok_or_else(|| format!("the simulator has no operation {text}"))
    }
}
