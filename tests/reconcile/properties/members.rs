//! Whatever users, other clients and CloudFront's refusals do to the members of a group: the next reconcile obeys a switch-off, and at
//! rest each member is as the spec says, or is reported as refused.

use std::time::Duration;

use cloudfront_simulator::{
    admin::{GroupPatch, NewGroup, NewList},
    switches::{Detach, IpAddressType},
};
use connection_group_operator::{
    api::{Member, NO_LIST},
    cloudfront::{ErrorClass, Operation},
};
use port::{Fault, Way};
use proptest::{prelude::*, sample::select};

use crate::world::{PROPAGATION, World, spec};

#[derive(Clone, Copy, Debug)]
enum List {
    Unnamed,
    Detached,
    Unknown,
    Full,
    Ipv4,
    Dualstack,
}

#[derive(Clone, Debug)]
enum Step {
    Edit { enabled: bool, ipv6: bool, list: List },
    SomeoneEdits { enabled: Option<bool>, ipv6: Option<bool> },
    SomeoneAttaches,
    Refuse(ErrorClass),
    Request(u8),
    Reconcile,
    Crash,
    Inventory,
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    let lists = vec![List::Unnamed, List::Detached, List::Unknown, List::Full, List::Ipv4, List::Dualstack];
    let refusals = vec![
        ErrorClass::InvalidArgument,
        ErrorClass::LimitExceeded,
        ErrorClass::NotFound,
        ErrorClass::AlreadyExists,
        ErrorClass::InUse,
        ErrorClass::AccessDenied,
        ErrorClass::TimedOut,
    ];
    prop_oneof![
        4 => (any::<bool>(), any::<bool>(), select(lists)).prop_map(|(enabled, ipv6, list)| Step::Edit { enabled, ipv6, list }),
        2 => (any::<Option<bool>>(), any::<Option<bool>>()).prop_map(|(enabled, ipv6)| Step::SomeoneEdits { enabled, ipv6 }),
        1 => Just(Step::SomeoneAttaches),
        3 => select(refusals).prop_map(Step::Refuse),
        1 => any::<u8>().prop_map(Step::Request),
        8 => Just(Step::Reconcile),
        1 => Just(Step::Crash),
        3 => Just(Step::Inventory),
        3 => Just(Step::Wait),
    ]
}

/// A group of ours at rest, and the ids of the lists that a spec may name.
struct Scene {
    world: World,
    full: String,
    ipv4: String,
    dualstack: String,
}

impl Scene {
    fn new(way: Way, detach: Detach) -> Self {
        let mut world = World::via(way, spec());
        world.switch(|switches| switches.detach = detach);
        world.settle_within(Duration::from_mins(20), 80);
        let list = |family| {
            world.port.account(|account, now| account.outside_create_list(now, NewList::named("static", family))).id
        };
        let (full, ipv4, dualstack) =
            (list(IpAddressType::Dualstack), list(IpAddressType::Ipv4), list(IpAddressType::Dualstack));
        for number in 0..5 {
            let mut new = NewGroup::named(format!("other-{number}"));
            new.anycast_ip_list_id = Some(full.clone());
            world.port.account(|account, now| account.outside_create_group(now, new)).unwrap();
        }
        world.take_inventory();
        Self { world, full, ipv4, dualstack }
    }

    /// After these steps, with no fault left to come.
    fn after(steps: &[Step], way: Way, detach: Detach) -> Self {
        let mut scene = Self::new(way, detach);
        for step in steps {
            scene.take(step);
        }
        scene.world.faults_stop();
        scene
    }

    fn id(&self, list: List) -> Option<String> {
        match list {
            List::Unnamed => None,
            List::Detached => Some(NO_LIST.to_owned()),
            List::Unknown => Some("aip_unknown".to_owned()),
            List::Full => Some(self.full.clone()),
            List::Ipv4 => Some(self.ipv4.clone()),
            List::Dualstack => Some(self.dualstack.clone()),
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Edit { enabled, ipv6, list } => {
                let id = self.id(*list);
                self.world.edit(|spec| {
                    spec.enabled = *enabled;
                    spec.ipv6_enabled = *ipv6;
                    spec.anycast_ip_list_id = id;
                });
            }
            Step::SomeoneEdits { enabled, ipv6 } => {
                // Nor can others have IPv6 on an IPv4-only list.
                let on_ipv4 = self.world.group().unwrap().resource.anycast_ip_list_id.as_ref() == Some(&self.ipv4);
                let ipv6_enabled = ipv6.filter(|on| !(*on && on_ipv4));
                self.world.someone_edits(GroupPatch { enabled: *enabled, ipv6_enabled, ..GroupPatch::default() });
            }
            Step::SomeoneAttaches => {
                let anycast_ip_list_id = Some(self.dualstack.clone());
                self.world.someone_edits(GroupPatch { anycast_ip_list_id, ..GroupPatch::default() });
            }
            Step::Refuse(class) => self.world.may_fail(Operation::UpdateConnectionGroup, Fault::Error(*class)),
            Step::Request(at) => self.world.request_reconcile(&at.to_string()),
            Step::Reconcile => drop(self.world.reconcile()),
            Step::Crash => {
                self.world.crash();
                self.world.take_inventory();
            }
            Step::Inventory => self.world.take_inventory(),
            Step::Wait => self.world.advance(PROPAGATION),
        }
    }
}

proptest! {
    #![proptest_config(super::cases(400))]

    #[test]
    fn whatever_came_before_a_switch_off_is_obeyed_by_the_next_reconcile(
        way in super::way(),
        detach in select(vec![Detach::EmptyElement, Detach::Never, Detach::Rejected]),
        steps in prop::collection::vec(step(), 0..24),
    ) {
        let world = &mut Scene::after(&steps, way, detach).world;
        world.edit(|spec| spec.enabled = false);
        world.reconcile();
        prop_assert!(!world.group().unwrap().resource.enabled, "{}", world.message());
    }

    #[test]
    fn at_rest_each_member_is_as_the_spec_says_or_is_reported_as_refused(
        way in super::way(),
        detach in select(vec![Detach::EmptyElement, Detach::Never, Detach::Rejected]),
        steps in prop::collection::vec(step(), 0..24),
    ) {
        let world = &mut Scene::after(&steps, way, detach).world;
        world.advance(world.settings.resync_interval * 2);
        world.take_inventory();
        world.settle_within(Duration::from_mins(20), 80);

        let (group, spec, status) = (world.group().unwrap().resource, &world.object.spec, world.status());
        let is_refused = |member| status.refused.iter().any(|refused| refused.member == member);
        prop_assert_eq!(group.enabled, spec.enabled, "nothing refuses the switch: {}", world.message());
        prop_assert!(group.ipv6_enabled == spec.ipv6_enabled || is_refused(Member::Ipv6Enabled), "{}", world.message());
        let list = match spec.anycast_ip_list_id.as_deref() {
            None => status.attached_anycast_ip_list_id.is_none() || group.anycast_ip_list_id != status.attached_anycast_ip_list_id,
            Some(NO_LIST) => group.anycast_ip_list_id.is_none(),
            Some(id) => group.anycast_ip_list_id.as_deref() == Some(id),
        };
        prop_assert!(list || is_refused(Member::AnycastIpListId), "{:?}: {}", group, world.message());
        prop_assert_eq!(world.ready().0 == "True", status.refused.is_empty(), "{}", world.message());
        for refused in &status.refused {
            prop_assert!(world.message().contains(refused.member.as_str()) || world.message().contains("detach"), "{}", world.message());
        }
    }
}
