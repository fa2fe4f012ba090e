//! Random histories: what users, other clients, tenants and CloudFront's failures do to an object and its group, in any order.

use std::collections::BTreeMap;

use cloudfront_simulator::{
    admin::{GroupPatch, NewList},
    switches::IpAddressType,
};
use connection_group_operator::{
    api::{AdoptionPolicy, ConnectionGroupSpec, DeletionPolicy, Mode},
    cloudfront::{ErrorClass, Operation},
};
use port::{Fault, Way};
use proptest::{prelude::*, sample::select};

use crate::world::{PROPAGATION, World, spec};

/// What happens next.
#[derive(Clone, Debug)]
pub enum Step {
    Edit(Edit),
    Suspend(bool),
    SomeoneEdits { enabled: Option<bool>, ipv6: Option<bool> },
    SomeoneTags(BTreeMap<String, String>),
    SomeoneDeletes,
    SomeoneCreates,
    TenantComes(u8),
    TenantGoes(u8),
    Fail(Operation, Fault),
    Reconcile,
    ReconcileAndCrash,
    Inventory,
    Propagate,
}

/// An edit of the spec.
#[derive(Clone, Debug)]
pub struct Edit {
    enabled: bool,
    ipv6: bool,
    list: Option<List>,
    tags: BTreeMap<String, String>,
    mode: Mode,
    adoption: AdoptionPolicy,
    deletion: DeletionPolicy,
}

/// A list of the account, or one that does not exist.
#[derive(Clone, Copy, Debug)]
pub enum List {
    First,
    Second,
    Unknown,
}

/// Our keys and those of others differ, so that no history gives a key two owners.
fn our_tags() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop::collection::btree_map("ours-[a-c]", "[a-z]{0,3}", 0..3)
}

fn edit() -> impl Strategy<Value = Edit> {
    let list = prop::option::weighted(0.4, select(vec![List::First, List::Second, List::Unknown]));
    let policies = (
        select(vec![Mode::Manage, Mode::Manage, Mode::Manage, Mode::Observe]),
        select(vec![AdoptionPolicy::Never, AdoptionPolicy::IfUnchanged, AdoptionPolicy::Always]),
        select(vec![DeletionPolicy::Delete, DeletionPolicy::Retain]),
    );
    (any::<[bool; 2]>(), list, our_tags(), policies).prop_map(
        |([enabled, ipv6], list, tags, (mode, adoption, deletion))| Edit {
            enabled,
            ipv6,
            list,
            tags,
            mode,
            adoption,
            deletion,
        },
    )
}

/// A call, and what goes wrong with it.
pub fn fault() -> impl Strategy<Value = (Operation, Fault)> {
    let operation = select(vec![
        Operation::CreateConnectionGroup,
        Operation::GetConnectionGroup,
        Operation::UpdateConnectionGroup,
        Operation::DeleteConnectionGroup,
        Operation::ListConnectionGroups,
        Operation::TagResource,
        Operation::UntagResource,
        Operation::ListTagsForResource,
        Operation::ListDistributionTenants,
        Operation::GetAnycastIpList,
    ]);
    let error = select(vec![
        ErrorClass::Throttled,
        ErrorClass::ServiceUnavailable,
        ErrorClass::TimedOut,
        ErrorClass::AccessDenied,
        ErrorClass::StaleEtag,
        ErrorClass::InUse,
        ErrorClass::Unexpected,
    ]);
    let fault = prop_oneof![7 => error.prop_map(Fault::Error), 1 => Just(Fault::AnswerLost), 1 => Just(Fault::Stale)];
    let tenants = select(vec![Fault::EmptyPage, Fault::ListLeftOut]);
    prop_oneof![
        9 => (operation, fault),
        1 => tenants.prop_map(|fault| (Operation::ListDistributionTenants, fault)),
    ]
}

/// What happens next.
pub fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => edit().prop_map(Step::Edit),
        1 => any::<bool>().prop_map(Step::Suspend),
        2 => (any::<Option<bool>>(), any::<Option<bool>>()).prop_map(|(enabled, ipv6)| Step::SomeoneEdits { enabled, ipv6 }),
        1 => prop::collection::btree_map("theirs-[a-c]", "[a-z]{0,3}", 0..2).prop_map(Step::SomeoneTags),
        1 => Just(Step::SomeoneDeletes),
        1 => Just(Step::SomeoneCreates),
        1 => (0..2_u8).prop_map(Step::TenantComes),
        1 => (0..2_u8).prop_map(Step::TenantGoes),
        4 => fault().prop_map(|(operation, fault)| Step::Fail(operation, fault)),
        6 => Just(Step::Reconcile),
        1 => Just(Step::ReconcileAndCrash),
        3 => Just(Step::Inventory),
        2 => Just(Step::Propagate),
    ]
}

/// A world with a history.
pub struct History {
    pub world: World,
    /// The tags that others put on the group.
    pub theirs: BTreeMap<String, String>,
    lists: [String; 2],
    /// Whether an answer has left out the list of tenants.
    left_out: bool,
}

impl History {
    pub fn new(way: Way) -> Self {
        let world = World::via(way, spec());
        let list = || {
            let new = NewList::named("static", IpAddressType::Dualstack);
            world.port.account(|account, now| account.outside_create_list(now, new)).id
        };
        let lists = [list(), list()];
        Self { world, theirs: BTreeMap::new(), lists, left_out: false }
    }

    fn id(&self, list: List) -> String {
        match list {
            List::First => self.lists[0].clone(),
            List::Second => self.lists[1].clone(),
            List::Unknown => "aip_unknown".to_owned(),
        }
    }

    pub fn take(&mut self, step: Step) {
        let (exists, tenants) = (self.world.group().is_some(), self.tenants());
        let world = &mut self.world;
        match step {
            Step::Edit(Edit { enabled, ipv6, list, tags, mode, adoption, deletion }) => {
                let list = list.map(|list| self.id(list));
                self.world.edit(|spec| {
                    *spec = ConnectionGroupSpec {
                        enabled,
                        ipv6_enabled: ipv6,
                        anycast_ip_list_id: list,
                        tags,
                        mode,
                        adoption_policy: adoption,
                        deletion_policy: deletion,
                        ..ConnectionGroupSpec::default()
                    };
                });
            }
            Step::Suspend(suspend) => world.edit(|spec| spec.suspend = suspend),
            Step::SomeoneEdits { enabled, ipv6 } if exists => {
                world.someone_edits(GroupPatch { enabled, ipv6_enabled: ipv6, ..GroupPatch::default() });
            }
            Step::SomeoneTags(tags) if exists => {
                self.theirs.extend(tags.clone());
                world.someone_edits(GroupPatch { set_tags: tags, ..GroupPatch::default() });
            }
            Step::SomeoneDeletes if exists => {
                self.no_tenant_is_left();
                self.world.someone_deletes_the_group();
                self.theirs.clear();
            }
            Step::SomeoneCreates if !exists => {
                world.someone_creates(|_| {});
                self.theirs.clear();
            }
            Step::TenantComes(number) if exists && !tenants.contains(&name(number)) => {
                world.tenant_comes(&name(number));
            }
            Step::TenantGoes(number) if tenants.contains(&name(number)) => world.tenant_goes(&name(number)),
            Step::SomeoneEdits { .. }
            | Step::SomeoneTags(_)
            | Step::SomeoneDeletes
            | Step::SomeoneCreates
            | Step::TenantComes(_)
            | Step::TenantGoes(_) => {}
            // A list of tenants that is left out for a consistency window counts as empty (docs/safety.md): once is no proof, twice may be.
            Step::Fail(_, Fault::ListLeftOut) if self.left_out => {}
            Step::Fail(operation, fault) => {
                self.left_out |= fault == Fault::ListLeftOut;
                world.may_fail(operation, fault);
            }
            Step::Reconcile => drop(world.reconcile()),
            Step::ReconcileAndCrash => {
                world.reconcile_without_storing();
                world.crash();
            }
            Step::Inventory => world.take_inventory(),
            Step::Propagate => world.advance(PROPAGATION),
        }
    }

    /// A last edit, after which only CloudFront is waited for. What it does not name stays as it was.
    pub fn final_edit(&mut self) {
        let unknown = self.id(List::Unknown);
        self.world.settings.allow_adoption = true;
        self.world.edit(|spec| {
            (spec.mode, spec.suspend) = (Mode::Manage, false);
            (spec.adoption_policy, spec.deletion_policy) = (AdoptionPolicy::Always, DeletionPolicy::Delete);
            spec.anycast_ip_list_id.take_if(|list| *list == unknown);
        });
    }

    /// The names of the tenants.
    pub fn tenants(&self) -> Vec<String> {
        self.world.port.account(|account, _| account.tenants().into_iter().map(|tenant| tenant.name).collect())
    }

    pub fn no_tenant_is_left(&mut self) {
        self.tenants().iter().for_each(|name| self.world.tenant_goes(name));
    }
}

fn name(number: u8) -> String {
    format!("shop-{number}")
}
