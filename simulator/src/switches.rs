//! Every behaviour that AWS does not document, as a named switch with its default. Pure.
//!
//! The same type is the command line of the binary, the body of `PUT /_admin/switches`, and what [`crate::Account`]
//! obeys. Each comment says where the default comes from: *documented*, *observed* in public traces, *inferred* from
//! the API model or from what other tools do, or *unknown*.

mod choices;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::time::Millis;

pub use choices::*;

/// The switches of one account.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::Args)]
#[serde(deny_unknown_fields)]
pub struct Switches {
    /// The account number that stands in every ARN
    #[arg(long, default_value_t = Switches::DEFAULT.account_id)]
    pub account_id: AccountId,
    /// Ids are derived from this number: the same seed and the same calls give the same ids
    #[arg(long, default_value_t = Switches::DEFAULT.seed)]
    pub seed: u64,
    /// How long a group or list stays `InProgress` after a change (observed: 2 to 5 minutes)
    #[arg(long, default_value_t = Switches::DEFAULT.propagation)]
    pub propagation: Millis,
    /// `Deployed` may not last: after this long a change is `InProgress` for as long once more; 0 for a status that never goes back (unknown)
    #[arg(long, default_value_t = Switches::DEFAULT.status_flap)]
    pub status_flap: Millis,
    /// `GetConnectionGroup` shows a group as it was this long ago, however many changes have been made since (unknown)
    #[arg(long, default_value_t = Switches::DEFAULT.read_lag)]
    pub read_lag: Millis,
    /// `ListTagsForResource` shows the tags as they were this long ago (unknown)
    #[arg(long, default_value_t = Switches::DEFAULT.tag_lag)]
    pub tag_lag: Millis,
    /// `ListConnectionGroups` shows the groups as they were this long ago (unknown)
    #[arg(long, default_value_t = Switches::DEFAULT.list_lag)]
    pub list_lag: Millis,
    /// `ListDistributionTenants` shows the tenants as they were this long ago: not those that came since, but those that left (unknown)
    #[arg(long, default_value_t = Switches::DEFAULT.tenant_lag)]
    pub tenant_lag: Millis,
    /// How many versions of a group and of its tags are kept in any case for reads that are told to be stale; the lags keep what they need
    #[arg(long, default_value_t = Switches::DEFAULT.past_versions)]
    pub past_versions: u32,
    /// How long the name of a deleted group stays taken, although the group is not found any more (unknown)
    #[arg(long, default_value_t = Switches::DEFAULT.name_reuse_delay)]
    pub name_reuse_delay: Millis,
    /// Connection groups per account (documented quota)
    #[arg(long, default_value_t = Switches::DEFAULT.groups_per_account)]
    pub groups_per_account: u32,
    /// Connection groups per Anycast IP list (documented quota)
    #[arg(long, default_value_t = Switches::DEFAULT.groups_per_list)]
    pub groups_per_list: u32,
    /// Anycast IP lists per account (documented: none until asked for; here some, to be of use)
    #[arg(long, default_value_t = Switches::DEFAULT.lists_per_account)]
    pub lists_per_account: u32,
    /// Tags per resource (documented for distributions, inferred for groups)
    #[arg(long, default_value_t = Switches::DEFAULT.tags_per_resource)]
    pub tags_per_resource: u32,
    /// Items in a page when the caller asks for no number (unknown)
    #[arg(long, default_value_t = Switches::DEFAULT.page_size)]
    pub page_size: u32,
    /// The most items in a page (unknown)
    #[arg(long, default_value_t = Switches::DEFAULT.page_size_max)]
    pub page_size_max: u32,
    /// When the caller asks for larger pages than that (unknown)
    #[arg(long, value_enum, default_value_t = Switches::DEFAULT.oversized_page)]
    pub oversized_page: OversizedPage,
    /// When a list is filtered by an id that does not exist (unknown; the model allows `EntityNotFound`)
    #[arg(long, value_enum, default_value_t = Switches::DEFAULT.unknown_filter)]
    pub unknown_filter: UnknownFilter,
    /// Which names a group may have (unknown; the model sets no pattern)
    #[arg(long, value_enum, default_value_t = Switches::DEFAULT.names)]
    pub names: Names,
    /// Whether Update and Delete find a group by name or ARN too (unknown; the model says id)
    #[arg(long, value_enum, default_value_t = Switches::DEFAULT.write_by)]
    pub write_by: WriteBy,
    /// `Enabled` of a group created without it (inferred)
    #[arg(long, action = clap::ArgAction::Set, default_value_t = Switches::DEFAULT.create_enabled)]
    pub create_enabled: bool,
    /// `IpAddressType` of a list created without it (inferred)
    #[arg(long, value_enum, default_value_t = Switches::DEFAULT.list_address_type)]
    pub list_address_type: IpAddressType,
    /// When the name is taken and the quota is used up as well (unknown)
    #[arg(long, value_enum, default_value_t = Switches::DEFAULT.create_precedence)]
    pub create_precedence: CreatePrecedence,
    /// An update while the group is `InProgress` (unknown; refused, it is `ResourceInUse`)
    #[arg(long, value_enum, default_value_t = Switches::DEFAULT.update_in_progress)]
    pub update_in_progress: Tolerance,
    /// A deletion while the group is `InProgress` (inferred: accepted; refused, it is `ResourceNotDisabled`)
    #[arg(long, value_enum, default_value_t = Switches::DEFAULT.delete_in_progress)]
    pub delete_in_progress: Tolerance,
    /// Disabling a group that still has tenants (unknown; refused, it is `ResourceInUse`)
    #[arg(long, value_enum, default_value_t = Switches::DEFAULT.disable_with_tenants)]
    pub disable_with_tenants: Tolerance,
    /// An update that changes nothing (unknown)
    #[arg(long, value_enum, default_value_t = Switches::DEFAULT.empty_update)]
    pub empty_update: EmptyUpdate,
    /// What an empty `AnycastIpListId` element in an update does (unknown)
    #[arg(long, value_enum, default_value_t = Switches::DEFAULT.detach)]
    pub detach: Detach,
    /// Whether an update that omits `AnycastIpListId` detaches the list (inferred: no, updates are partial)
    #[arg(long, action = clap::ArgAction::Set, default_value_t = Switches::DEFAULT.omission_detaches)]
    pub omission_detaches: bool,
    /// Whether an update takes off the members it omits that came later: `ViewerFallback`, and what is newer still (inferred: no)
    #[arg(long, action = clap::ArgAction::Set, default_value_t = Switches::DEFAULT.omission_clears)]
    pub omission_clears: bool,
    /// Deleting the default group: documented as impossible, the code is unknown
    #[arg(long, value_enum, default_value_t = Switches::DEFAULT.default_group_deletion)]
    pub default_group_deletion: DefaultGroupDeletion,
    /// The error of a group on an Anycast IP list that does not exist (inferred)
    #[arg(long, value_enum, default_value_t = Switches::DEFAULT.unknown_list)]
    pub unknown_list: UnknownList,
    /// The error of a group too many on an Anycast IP list (inferred)
    #[arg(long, value_enum, default_value_t = Switches::DEFAULT.full_list)]
    pub full_list: FullList,
    /// The error of a group with IPv6 on an IPv4-only Anycast IP list (inferred)
    #[arg(long, value_enum, default_value_t = Switches::DEFAULT.ipv6_on_ipv4_list)]
    pub ipv6_on_ipv4_list: Ipv6OnIpv4List,
    /// How a call is answered that was done and has nothing to say: a deletion, or a change of tags (documented)
    #[arg(long, value_enum, default_value_t = Switches::DEFAULT.done_answer)]
    pub done_answer: DoneAnswer,
    /// Which error an update or deletion gives that is both outdated (412) and in conflict (409) (unknown)
    #[arg(long, value_enum, default_value_t = Switches::DEFAULT.write_precedence)]
    pub write_precedence: WritePrecedence,
    /// `If-Match: *` (unknown; refused, it is `InvalidIfMatchVersion`)
    #[arg(long, value_enum, default_value_t = Switches::DEFAULT.if_match_star)]
    pub if_match_star: Tolerance,
    /// An `If-Match` that cannot be an `ETag` at all (inferred)
    #[arg(long, value_enum, default_value_t = Switches::DEFAULT.implausible_if_match)]
    pub implausible_if_match: ImplausibleIfMatch,
    /// Whether a change of tags moves the `ETag` (inferred: no)
    #[arg(long, action = clap::ArgAction::Set, default_value_t = Switches::DEFAULT.tags_move_etag)]
    pub tags_move_etag: bool,
    /// Whether Create answers with the tags (observed: yes)
    #[arg(long, action = clap::ArgAction::Set, default_value_t = Switches::DEFAULT.create_echoes_tags)]
    pub create_echoes_tags: bool,
    /// Whether Get and Update answer with the tags (observed: no)
    #[arg(long, action = clap::ArgAction::Set, default_value_t = Switches::DEFAULT.get_echoes_tags)]
    pub get_echoes_tags: bool,
    /// Members that answers about groups leave out, in lists too (unknown; the API's model calls each of them optional)
    #[arg(long, value_enum, default_value_t = Switches::DEFAULT.left_out)]
    pub left_out: LeftOut,
    /// Calls per second before calls are throttled; 0 for no limit (unpublished)
    #[arg(long, default_value_t = Switches::DEFAULT.rate)]
    pub rate: u32,
    /// Calls that may come at once before the rate counts (unpublished)
    #[arg(long, default_value_t = Switches::DEFAULT.burst)]
    pub burst: u32,
    /// The error of a call too many (observed)
    #[arg(long, value_enum, default_value_t = Switches::DEFAULT.throttling)]
    pub throttling: Throttling,
}

impl Switches {
    /// The defaults, each as its field says.
    pub const DEFAULT: Self = Self {
        account_id: AccountId(123_456_789_012),
        seed: 0,
        propagation: Millis::seconds(150),
        status_flap: Millis(0),
        read_lag: Millis(0),
        tag_lag: Millis(0),
        list_lag: Millis(0),
        tenant_lag: Millis(0),
        past_versions: 1,
        name_reuse_delay: Millis(0),
        groups_per_account: 100,
        groups_per_list: 5,
        lists_per_account: 10,
        tags_per_resource: 50,
        page_size: 100,
        page_size_max: 100,
        oversized_page: OversizedPage::Clamp,
        unknown_filter: UnknownFilter::Empty,
        names: Names::Any,
        write_by: WriteBy::Id,
        create_enabled: true,
        list_address_type: IpAddressType::Ipv4,
        create_precedence: CreatePrecedence::NameFirst,
        update_in_progress: Tolerance::Accept,
        delete_in_progress: Tolerance::Accept,
        disable_with_tenants: Tolerance::Accept,
        empty_update: EmptyUpdate::NewVersion,
        detach: Detach::EmptyElement,
        omission_detaches: false,
        omission_clears: false,
        default_group_deletion: DefaultGroupDeletion::CannotDeleteEntityWhileInUse,
        unknown_list: UnknownList::EntityNotFound,
        full_list: FullList::EntityLimitExceeded,
        ipv6_on_ipv4_list: Ipv6OnIpv4List::InvalidArgument,
        done_answer: DoneAnswer::NoContent,
        write_precedence: WritePrecedence::VersionFirst,
        if_match_star: Tolerance::Refuse,
        implausible_if_match: ImplausibleIfMatch::PreconditionFailed,
        tags_move_etag: false,
        create_echoes_tags: true,
        get_echoes_tags: false,
        left_out: LeftOut::Nothing,
        rate: 0,
        burst: 10,
        throttling: Throttling::Throttling,
    };
}

impl Default for Switches {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A twelve-digit AWS account number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(u64);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

impl FromStr for AccountId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(number) if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) => Ok(Self(number)),
            _ => Err(format!("\"{text}\" is not an account number: twelve digits are needed")),
        }
    }
}

impl TryFrom<String> for AccountId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.to_string()
    }
}
