//! The choices that switches offer. Pure data.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::error::ErrorCode;

macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }
    )+};
}

choices! {
    /// Whether something undocumented is accepted or refused.
    Tolerance {
        /// It is done
        Accept,
        /// It is refused
        Refuse,
    }
    /// When larger pages are asked for than exist.
    OversizedPage {
        /// The largest page is given
        Clamp,
        /// `InvalidArgument`
        Refuse,
    }
    /// When a list is filtered by an id that does not exist.
    UnknownFilter {
        /// An empty list
        Empty,
        /// `EntityNotFound`
        NotFound,
    }
    /// Which names a group may have.
    Names {
        /// Any text without control characters
        Any,
        /// Up to 64 letters, digits, `-` and `_`, not starting with the latter two
        Conservative,
    }
    /// By what Update and Delete find a group.
    WriteBy {
        /// By id only
        Id,
        /// By id, name or ARN, as Get does
        Any,
    }
    /// What is looked at first when a group is created.
    CreatePrecedence {
        /// `EntityAlreadyExists` before `EntityLimitExceeded`
        NameFirst,
        /// `EntityLimitExceeded` before `EntityAlreadyExists`
        QuotaFirst,
    }
    /// What an update does that changes nothing.
    EmptyUpdate {
        /// A new `ETag`, and a new propagation
        NewVersion,
        /// Nothing
        Unchanged,
    }
    /// What an empty `AnycastIpListId` element does.
    Detach {
        /// It detaches the list
        EmptyElement,
        /// Nothing: the list stays, silently
        Never,
        /// `InvalidArgument`
        Rejected,
    }
    /// The error of deleting the default group.
    DefaultGroupDeletion {
        /// 409
        CannotDeleteEntityWhileInUse,
        /// 403
        AccessDenied,
        /// 400
        IllegalDelete,
        /// 400
        InvalidArgument,
    }
    /// The error of a group on a list that does not exist.
    UnknownList {
        /// 404
        EntityNotFound,
        /// 400
        InvalidArgument,
    }
    /// The error of a group too many on one list.
    FullList {
        /// 400
        EntityLimitExceeded,
        /// 400
        InvalidArgument,
    }
    /// The error of a group with IPv6 on an IPv4-only list.
    Ipv6OnIpv4List {
        /// 400
        InvalidArgument,
        /// 400
        UnsupportedOperation,
        /// 409
        ResourceInUse,
    }
    /// The error of a call too many.
    Throttling {
        /// 400
        Throttling,
        /// 429
        TooManyRequests,
        /// 503
        SlowDown,
    }
    /// How a call is answered that was done and has nothing to say: a deletion, or a change of tags.
    DoneAnswer {
        /// 204
        NoContent,
        /// 200, with an empty body
        Empty,
        /// 200, with an XML document
        Document,
    }
    /// What is looked at first when a group is updated or deleted.
    WritePrecedence {
        /// 412 before 409
        VersionFirst,
        /// 409 before 412
        StateFirst,
    }
    /// The error of an `If-Match` that cannot be an `ETag`.
    ImplausibleIfMatch {
        /// 412, as for any other wrong version
        PreconditionFailed,
        /// 400
        InvalidIfMatchVersion,
    }
    /// What answers about groups leave out.
    LeftOut {
        /// Nothing that there is to say
        Nothing,
        /// `Status`
        Status,
        /// `Enabled`
        Enabled,
        /// `Ipv6Enabled`
        Ipv6Enabled,
        /// `IsDefault`
        IsDefault,
        /// `RoutingEndpoint`
        RoutingEndpoint,
        /// `CreatedTime` and `LastModifiedTime`
        Times,
        /// All of these
        All,
    }
    /// On which addresses a domain of a tenant is served.
    ServeOn {
        /// On all of its group
        Any,
        /// On those of the group's Anycast IP list; elsewhere it counts as unknown
        AnycastIpListOnly,
    }
    /// Which addresses an Anycast IP list holds.
    IpAddressType {
        /// IPv4 only: groups that use the list cannot have IPv6 on
        Ipv4,
        /// IPv6 only
        Ipv6,
        /// Both
        Dualstack,
    }
}

impl DefaultGroupDeletion {
    /// The code this stands for.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::CannotDeleteEntityWhileInUse => ErrorCode::CannotDeleteEntityWhileInUse,
            Self::AccessDenied => ErrorCode::AccessDenied,
            Self::IllegalDelete => ErrorCode::IllegalDelete,
            Self::InvalidArgument => ErrorCode::InvalidArgument,
        }
    }
}

impl UnknownList {
    /// The code this stands for.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::EntityNotFound => ErrorCode::EntityNotFound,
            Self::InvalidArgument => ErrorCode::InvalidArgument,
        }
    }
}

impl FullList {
    /// The code this stands for.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::EntityLimitExceeded => ErrorCode::EntityLimitExceeded,
            Self::InvalidArgument => ErrorCode::InvalidArgument,
        }
    }
}

impl Ipv6OnIpv4List {
    /// The code this stands for.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::InvalidArgument => ErrorCode::InvalidArgument,
            Self::UnsupportedOperation => ErrorCode::UnsupportedOperation,
            Self::ResourceInUse => ErrorCode::ResourceInUse,
        }
    }
}

impl Throttling {
    /// The code this stands for.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Throttling => ErrorCode::Throttling,
            Self::TooManyRequests => ErrorCode::TooManyRequests,
            Self::SlowDown => ErrorCode::SlowDown,
        }
    }
}

impl LeftOut {
    /// The elements that are left out.
    #[must_use]
    pub const fn elements(self) -> &'static [&'static str] {
        match self {
            Self::Nothing => &[],
            Self::Status => &["Status"],
            Self::Enabled => &["Enabled"],
            Self::Ipv6Enabled => &["Ipv6Enabled"],
            Self::IsDefault => &["IsDefault"],
            Self::RoutingEndpoint => &["RoutingEndpoint"],
            Self::Times => &["CreatedTime", "LastModifiedTime"],
            Self::All => {
                &["Status", "Enabled", "Ipv6Enabled", "IsDefault", "RoutingEndpoint", "CreatedTime", "LastModifiedTime"]
            }
        }
    }
}

impl ServeOn {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::AnycastIpListOnly => "anycast-ip-list-only",
        }
    }
}

impl IpAddressType {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Dualstack => "dualstack",
        }
    }
}
