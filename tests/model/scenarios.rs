//! The scenarios: who acts, what they may do, and how often. Each is explored to its end, and its number of states is on record.
//!
//! Each has two budgets. With that of `make test`, all scenarios take about four minutes on two cores. That of `make model` (`MODEL_BOUND=wide`) allows one
//! more fault, or one more change of mind if there are many faults already or they lead to too many states, as with two processes at once. It takes up to an
//! hour, and at most six gigabytes for each scenario.

use std::{sync::Arc, time::Duration};

use cloudfront_simulator::{
    Account, Switches, Timestamp,
    admin::{GroupPatch, NewGroup, NewList},
    switches::{CreatePrecedence, Detach, IpAddressType, Tolerance, WritePrecedence},
};
use connection_group_operator::{
    api::{AdoptionPolicy, ConnectionGroupSpec, DeletionPolicy, Mode, NO_LIST, finalizer},
    cloudfront::{Config, ErrorClass, GroupName, NewGroup as NewGroupOfOurs},
    reconcile::ownership::{Installation, OwnerTag},
};
use port::{Call, LeftOut};

use crate::{
    outside::Outside,
    people::delete,
    replay::EPOCH_MS,
    state::{Budget, Cast, INSTALLATION, NAME, OWNER_TAGS, Scenario, State},
};

/// How many faults, changes of mind, and out-of-band changes.
pub const fn budget(faults: u8, edits: u8, outside: u8) -> Budget {
    Budget { faults, edits, outside }
}

/// The scenario with this budget.
pub fn within(budget: Budget, scenario: Scenario) -> Scenario {
    Scenario { budget, ..scenario }
}

pub fn spec() -> ConnectionGroupSpec {
    ConnectionGroupSpec::default()
}

fn tagged() -> ConnectionGroupSpec {
    ConnectionGroupSpec { ipv6_enabled: false, tags: [("team".to_owned(), "edge".to_owned())].into(), ..spec() }
}

pub fn disabled() -> ConnectionGroupSpec {
    ConnectionGroupSpec { enabled: false, ..spec() }
}

/// Roll-outs end by an action of the model, not after a time.
pub fn switches() -> Switches {
    Switches { propagation: cloudfront_simulator::Millis::seconds(60 * 60 * 24 * 365 * 100), ..Switches::default() }
}

/// The scenario with its budgets for `make test` and `make model`.
fn scenario(name: &'static str, budget: Budget, wide: Budget) -> Scenario {
    Scenario {
        name,
        specs: vec![spec()],
        operators: vec![0],
        switches: switches(),
        allow_adoption: false,
        cast: Cast::Owners,
        left_out: &[],
        lies: false,
        prelude: |_| {},
        budget,
        wide,
        outside: &[],
        inventory_interval: Duration::from_secs(20),
        errors: &[ErrorClass::ServiceUnavailable],
        lost: &[ErrorClass::TimedOut],
        lease: true,
        harsh: true,
        ticks: true,
        resyncs: false,
        blind: false,
        deletions: true,
        requests: false,
        lag: false,
    }
}

/// One operator, users who change their minds, and others who interfere.
pub fn life() -> Scenario {
    Scenario {
        specs: vec![spec(), tagged()],
        outside: &[Outside::Disables, Outside::Deletes],
        ..scenario("life", budget(1, 1, 1), budget(2, 1, 1))
    }
}

/// Many faults and crashes.
pub fn faults() -> Scenario {
    scenario("faults", budget(2, 1, 0), budget(3, 1, 0))
}

/// Users who change their minds again and again, and a process that does not die.
pub fn minds() -> Scenario {
    Scenario {
        specs: vec![spec(), tagged()],
        harsh: false,
        errors: &[ErrorClass::Throttled, ErrorClass::AccessDenied],
        ..scenario("minds", budget(1, 2, 0), budget(1, 3, 0))
    }
}

/// Each call of a reconcile may meet every class of error. Of a failed list, a reconcile only checks that it failed.
pub fn errors() -> Scenario {
    const LOST: &[ErrorClass] =
        &[ErrorClass::ServiceUnavailable, ErrorClass::TimedOut, ErrorClass::Unreachable, ErrorClass::Unexpected];
    Scenario {
        specs: vec![ConnectionGroupSpec { ipv6_enabled: false, ..spec() }, tagged()],
        errors: ErrorClass::ALL,
        lost: LOST,
        harsh: false,
        ticks: false,
        ..scenario("errors", budget(1, 2, 0), budget(2, 2, 0))
    }
}

/// CloudFront says that the group is in use but never lists a tenant.
pub fn unlisted() -> Scenario {
    Scenario {
        switches: Switches {
            tenant_lag: cloudfront_simulator::Millis::seconds(60 * 60 * 24 * 365 * 100),
            ..switches()
        },
        prelude: |state| ours(state, &[]),
        outside: &[Outside::TenantComes],
        harsh: false,
        ..scenario("unlisted", budget(0, 1, 1), budget(1, 1, 1))
    }
}

/// Inventories are as rare as by default, so that one that still counts may be older than the consistency window. A process died just after it had sent a
/// Create, and the object is being deleted.
pub fn old_lists() -> Scenario {
    Scenario {
        inventory_interval: Duration::from_mins(1),
        prelude: |state| {
            let tags = [(OwnerTag::KEY, OWNER_TAGS[0]), (Installation::KEY, INSTALLATION)];
            state.late.push(Call::Create(NewGroupOfOurs {
                name: GroupName::new(NAME),
                config: Config { enabled: true, ipv6_enabled: true, anycast_ip_list_id: None },
                tags: tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            }));
            let object = state.objects[0].current.as_mut().unwrap();
            Arc::make_mut(object).metadata.finalizers = Some(vec![finalizer(state.cast.owner_id(0))]);
            delete(state, 0);
            state.operators[0].process_start = state.now;
        },
        harsh: false,
        ..scenario("old lists", budget(1, 0, 0), budget(2, 0, 0))
    }
}

/// A group that already exists, tenants, and an object that is deleted.
pub fn deletion() -> Scenario {
    Scenario {
        prelude: |state| ours(state, &[]),
        outside: &[Outside::TenantComes, Outside::TenantGoes, Outside::Deletes],
        ..scenario("deletion", budget(1, 1, 2), budget(2, 1, 2))
    }
}

/// A deletion in which two things go wrong.
pub fn struck() -> Scenario {
    Scenario {
        name: "struck",
        outside: &[Outside::TenantComes],
        budget: budget(2, 1, 1),
        wide: budget(2, 1, 1),
        ..deletion()
    }
}

/// Two owner ids want one name.
pub fn owners() -> Scenario {
    Scenario {
        operators: vec![0, 1],
        harsh: false,
        ticks: false,
        ..scenario("owners", budget(1, 1, 0), budget(2, 1, 0))
    }
}

/// Others create groups with our name, remove our tag, and set theirs.
pub fn strangers() -> Scenario {
    Scenario {
        outside: &[
            Outside::CreatesUnowned,
            Outside::CreatesForeign,
            Outside::TakesOwnerTagOff,
            Outside::PutsForeignOwnerTag,
        ],
        ..scenario("strangers", budget(1, 1, 2), budget(2, 1, 2))
    }
}

/// A group without an owner exists and may be adopted.
pub fn adoption() -> Scenario {
    let unchanged = ConnectionGroupSpec { adoption_policy: AdoptionPolicy::IfUnchanged, ..spec() };
    Scenario {
        specs: vec![ConnectionGroupSpec { adoption_policy: AdoptionPolicy::Always, ..spec() }, unchanged],
        allow_adoption: true,
        prelude: |state| {
            state.account.outside_create_group(state.timestamp(), NewGroup::named(NAME)).unwrap();
        },
        outside: &[Outside::PutsForeignOwnerTag, Outside::TurnsIpv6Off],
        ..scenario("adoption", budget(1, 1, 1), budget(2, 1, 1))
    }
}

/// Someone else creates the group while our own Create is abandoned, or after ours is deleted: it is adopted, and its tags are not ours.
pub fn squatters() -> Scenario {
    Scenario {
        specs: vec![ConnectionGroupSpec { adoption_policy: AdoptionPolicy::Always, ..tagged() }],
        allow_adoption: true,
        outside: &[Outside::CreatesUnowned],
        ..scenario("squatters", budget(2, 0, 1), budget(2, 1, 1))
    }
}

/// Someone changes the group, and changes it again as soon as that is corrected.
pub fn dispute() -> Scenario {
    Scenario { outside: &[Outside::Disables], ..scenario("dispute", budget(1, 0, 2), budget(2, 0, 2)) }
}

/// Two processes act for one object at once, as if there were no Lease.
pub fn replicas() -> Scenario {
    Scenario {
        operators: vec![0, 0],
        lease: false,
        ticks: false,
        ..scenario("replicas", budget(0, 1, 0), budget(0, 2, 0))
    }
}

/// Every mode, after every other.
pub fn modes() -> Scenario {
    Scenario {
        specs: vec![
            spec(),
            ConnectionGroupSpec { mode: Mode::Observe, ..disabled() },
            ConnectionGroupSpec { suspend: true, ..spec() },
            ConnectionGroupSpec { deletion_protection: true, ..spec() },
            ConnectionGroupSpec { deletion_policy: DeletionPolicy::Retain, ..spec() },
        ],
        ..scenario("modes", budget(1, 2, 0), budget(2, 2, 0))
    }
}

/// An Anycast list that CloudFront refuses to detach, one that does not exist, and one that forbids IPv6.
pub fn anycast() -> Scenario {
    let attached = attached();
    let unknown = ConnectionGroupSpec { anycast_ip_list_id: Some("aip_unknown".to_owned()), ..attached.clone() };
    let forbidden = ConnectionGroupSpec { ipv6_enabled: true, ..attached.clone() };
    Scenario {
        specs: vec![attached, ConnectionGroupSpec { ipv6_enabled: false, ..spec() }, unknown, forbidden],
        switches: Switches { detach: Detach::Rejected, ..switches() },
        prelude: |state| drop(state.account.outside_create_list(state.timestamp(), list())),
        harsh: false,
        deletions: false,
        ..scenario("anycast", budget(1, 2, 0), budget(2, 2, 0))
    }
}

/// An Anycast list that stays attached although CloudFront accepts the detachment.
pub fn sticky() -> Scenario {
    Scenario {
        specs: vec![attached(), tagged()],
        switches: Switches { detach: Detach::Never, ..switches() },
        harsh: true,
        name: "sticky",
        budget: budget(1, 2, 0),
        wide: budget(2, 2, 0),
        ..anycast()
    }
}

/// What the inventory does not show: tags that others removed, found by the full resync.
pub fn drift() -> Scenario {
    Scenario {
        specs: vec![tagged()],
        prelude: |state| ours(state, &[("team", "edge")]),
        outside: &[Outside::TakesTagsOff, Outside::TurnsIpv6Off],
        resyncs: true,
        ..scenario("drift", budget(1, 1, 1), budget(2, 1, 1))
    }
}

/// A CloudFront that refuses whatever it may refuse: changes during a roll-out, and by state before it checks the version.
pub fn refusals() -> Scenario {
    Scenario {
        specs: vec![spec(), disabled()],
        switches: Switches {
            update_in_progress: Tolerance::Refuse,
            delete_in_progress: Tolerance::Refuse,
            disable_with_tenants: Tolerance::Refuse,
            write_precedence: WritePrecedence::StateFirst,
            ..switches()
        },
        prelude: |state| ours(state, &[]),
        outside: &[Outside::Enables, Outside::TenantComes],
        ..scenario("refusals", budget(1, 1, 1), budget(1, 1, 2))
    }
}

/// The account is full.
pub fn quota() -> Scenario {
    Scenario {
        switches: Switches { groups_per_account: 1, create_precedence: CreatePrecedence::QuotaFirst, ..switches() },
        prelude: |state| {
            state.account.outside_create_group(state.timestamp(), NewGroup::named("other")).unwrap();
        },
        ..scenario("quota", budget(3, 1, 0), budget(3, 2, 0))
    }
}

/// The name is that of the account's default group.
pub fn default_group() -> Scenario {
    let name = Account::new(switches()).outside_create_default_group(Timestamp(EPOCH_MS)).resource.name;
    Scenario {
        specs: vec![ConnectionGroupSpec { name: Some(name), ..spec() }],
        prelude: |state| drop(state.account.outside_create_default_group(state.timestamp())),
        ..scenario("default group", budget(3, 1, 0), budget(3, 2, 0))
    }
}

/// The name is the id of someone else's group, which Get finds by name and id alike. Without faults: once the answer to a Create is lost, only the list leads
/// to the new group.
pub fn aliased() -> Scenario {
    let other = Account::new(switches()).outside_create_group(Timestamp(EPOCH_MS), NewGroup::named("other")).unwrap();
    let name = Some(other.resource.id);
    Scenario {
        specs: vec![ConnectionGroupSpec { name, adoption_policy: AdoptionPolicy::Always, ..spec() }],
        allow_adoption: true,
        prelude: |state| {
            state.account.outside_create_group(state.timestamp(), NewGroup::named("other")).unwrap();
            state.account.propagate(state.timestamp());
        },
        harsh: false,
        ..scenario("aliased", budget(0, 2, 0), budget(0, 3, 0))
    }
}

/// Someone has permission to write status, and makes it name someone else's group, or restores an older status.
pub fn forgeries() -> Scenario {
    Scenario {
        prelude: |state| {
            let tags = [(OwnerTag::KEY.to_owned(), "somebody/else/other".to_owned())].into();
            state
                .account
                .outside_create_group(state.timestamp(), NewGroup { tags, ..NewGroup::named("other") })
                .unwrap();
            state.account.propagate(state.timestamp());
        },
        outside: &[Outside::ForgesStatus, Outside::PutsOldStatusBack],
        ..scenario("forgeries", budget(1, 1, 2), budget(2, 1, 2))
    }
}

/// Users request a reconcile: for someone else's list that CloudFront refuses to detach, and for tags that no inventory shows.
pub fn requests() -> Scenario {
    Scenario {
        specs: vec![tagged(), ConnectionGroupSpec { anycast_ip_list_id: Some(NO_LIST.to_owned()), ..tagged() }],
        switches: Switches { detach: Detach::Rejected, ..switches() },
        prelude: |state| {
            let list = state.account.outside_create_list(state.timestamp(), list());
            ours(state, &[("team", "edge")]);
            let attaches =
                GroupPatch { anycast_ip_list_id: Some(list.id), ipv6_enabled: Some(false), ..GroupPatch::default() };
            state.account.outside_edit_group(state.timestamp(), NAME, attaches).unwrap();
            state.account.propagate(state.timestamp());
        },
        outside: &[Outside::TakesTagsOff],
        requests: true,
        deletions: false,
        ..scenario("requests", budget(1, 2, 1), budget(2, 2, 1))
    }
}

/// A spec asks in vain for a list that does not exist, and for IPv6; this must hold up nothing else.
pub fn members() -> Scenario {
    let refused = ConnectionGroupSpec { anycast_ip_list_id: Some("aip_unknown".to_owned()), ..spec() };
    Scenario {
        specs: vec![spec(), ConnectionGroupSpec { enabled: false, ..refused.clone() }, refused],
        prelude: |state| ours(state, &[]),
        outside: &[Outside::Disables, Outside::Enables],
        errors: &[ErrorClass::LimitExceeded],
        harsh: false,
        deletions: false,
        ..scenario("members", budget(0, 1, 1), budget(1, 1, 1))
    }
}

/// A list that forbids IPv6 is attached; then the spec asks for IPv6, and for the group to be off.
pub fn families() -> Vec<ConnectionGroupSpec> {
    vec![attached(), ConnectionGroupSpec { ipv6_enabled: true, enabled: false, ..attached() }]
}

/// Lists that this object attached, and lists that others did.
pub fn lists() -> Scenario {
    let plain = ConnectionGroupSpec { ipv6_enabled: false, ..spec() };
    let none = ConnectionGroupSpec { anycast_ip_list_id: Some(NO_LIST.to_owned()), ..plain.clone() };
    Scenario {
        specs: vec![plain, attached(), none],
        prelude: |state| drop(state.account.outside_create_list(state.timestamp(), list())),
        outside: &[Outside::AttachesList],
        harsh: false,
        deletions: false,
        ..scenario("lists", budget(0, 2, 1), budget(0, 3, 1))
    }
}

/// Tags that this object sent, and the same ones that others had set before.
pub fn tags() -> Scenario {
    let plain = ConnectionGroupSpec { ipv6_enabled: false, ..spec() };
    Scenario {
        specs: vec![plain, tagged()],
        outside: &[Outside::PutsTheTag, Outside::ChangesTheTag],
        harsh: false,
        deletions: false,
        ..scenario("tags", budget(0, 2, 1), budget(1, 2, 1))
    }
}

/// A deletion that can no longer continue, at any of its steps: protection is set, the policy becomes Retain, or a tenant appears.
pub fn blocked() -> Scenario {
    Scenario {
        specs: vec![
            spec(),
            ConnectionGroupSpec { deletion_protection: true, ..spec() },
            ConnectionGroupSpec { deletion_policy: DeletionPolicy::Retain, ..spec() },
        ],
        prelude: |state| ours(state, &[]),
        outside: &[Outside::TenantComes, Outside::Disables, Outside::Deletes],
        harsh: false,
        ..scenario("blocked", budget(0, 2, 1), budget(1, 2, 1))
    }
}

/// A backup of the cluster is restored into a second one while the first one still runs.
pub fn clones() -> Scenario {
    Scenario {
        operators: vec![0, 1],
        cast: Cast::Clones,
        specs: vec![spec(), disabled()],
        prelude: |state| ours(state, &[]),
        outside: &[Outside::RestoresBackup],
        harsh: false,
        ticks: false,
        ..scenario("clones", budget(0, 1, 1), budget(1, 1, 1))
    }
}

/// The same, but the second cluster was told to take over. The first one still runs, and creates again what the second one deletes.
pub fn heir() -> Scenario {
    Scenario { cast: Cast::Heir, name: "heir", ..clones() }
}

/// The group was created before groups were marked with an identity.
pub fn unmarked() -> Scenario {
    Scenario {
        specs: vec![spec(), disabled()],
        prelude: |state| {
            let tags = [(OwnerTag::KEY.to_owned(), OWNER_TAGS[0].to_owned())].into();
            // Before this process began, or a list could be older than the group.
            let before = Timestamp(EPOCH_MS);
            state.account.outside_create_group(before, NewGroup { tags, ..NewGroup::named(NAME) }).unwrap();
            state.account.propagate(before);
        },
        harsh: false,
        ..scenario("unmarked", budget(1, 1, 0), budget(2, 1, 0))
    }
}

/// A single answer is false: it says that an existing group does not exist, or shows it without tags, or omits everything that it may omit.
pub fn lies() -> Scenario {
    Scenario {
        lies: true,
        specs: vec![tagged(), ConnectionGroupSpec { enabled: false, ..tagged() }],
        prelude: |state| ours(state, &[("team", "edge")]),
        outside: &[Outside::Deletes],
        harsh: false,
        ..scenario("lies", budget(1, 1, 1), budget(1, 2, 1))
    }
}

/// CloudFront states no deployment status in its lists, and no dates.
pub fn terse() -> Scenario {
    Scenario {
        left_out: &[LeftOut::RowStatus, LeftOut::Times],
        specs: vec![spec(), disabled()],
        harsh: false,
        ..scenario("terse", budget(0, 2, 0), budget(1, 2, 0))
    }
}

/// A group without an owner may be adopted, but the wait starts again for another group of the same name; no answer states how old it is.
pub fn replaced() -> Scenario {
    Scenario {
        left_out: &[LeftOut::Times],
        specs: vec![ConnectionGroupSpec { adoption_policy: AdoptionPolicy::Always, ..spec() }],
        allow_adoption: true,
        prelude: |state| {
            state.account.outside_create_group(state.timestamp(), NewGroup::named(NAME)).unwrap();
        },
        outside: &[Outside::ReplacesByUnowned],
        harsh: false,
        ..scenario("replaced", budget(0, 1, 2), budget(1, 1, 2))
    }
}

/// The operator's cache lags behind users's edits by any number of them; a process that takes over was a standby with such a cache.
pub fn lag() -> Scenario {
    Scenario { specs: vec![spec(), disabled()], lag: true, ..scenario("lag", budget(1, 2, 0), budget(2, 2, 0)) }
}

fn attached() -> ConnectionGroupSpec {
    let mut account = Account::new(switches());
    let list = account.outside_create_list(Timestamp(EPOCH_MS), list());
    ConnectionGroupSpec { anycast_ip_list_id: Some(list.id), ipv6_enabled: false, ..spec() }
}

fn list() -> NewList {
    NewList::named("static", IpAddressType::Ipv4)
}

/// The group exists as an earlier process left it, before this process began: otherwise a list that began with it could be older than the group.
fn ours(state: &mut State, tags: &[(&str, &str)]) {
    let tags = tags.iter().chain(&[(OwnerTag::KEY, OWNER_TAGS[0]), (Installation::KEY, INSTALLATION)]);
    let tags = tags.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let before = Timestamp(EPOCH_MS);
    state.account.outside_create_group(before, NewGroup { tags, ..NewGroup::named(NAME) }).unwrap();
    state.account.propagate(before);
}
