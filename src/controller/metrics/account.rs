//! The inventory of the AWS account: how old it is, and what it shows. Pure.

use prometheus::GaugeVec;

use super::family::{gauge, many};
use crate::{account::inventory::InventoryState, clock::Moment};

/// The gauges of the account, without series on a standby: a standby does not read the account, so it has no `inventory`.
pub fn gauges(inventory: Option<&InventoryState>, now: Moment) -> Vec<GaugeVec> {
    let age = |inventory: &InventoryState| {
        inventory.snapshot.as_ref().map_or(f64::INFINITY, |list| now.since(list.began).as_secs_f64())
    };
    let groups = |inventory: &InventoryState| inventory.snapshot.as_ref().map_or(0, |list| list.groups.len());
    vec![
        gauge(
            "connection_group_operator_inventory_age_seconds",
            "Time since the newest complete inventory was begun; +Inf without one.",
            [],
            inventory.map(|inventory| ([], age(inventory))),
        ),
        gauge(
            "connection_group_operator_inventory_groups",
            "Connection groups in the newest complete inventory.",
            [],
            inventory.map(|inventory| ([], many(groups(inventory)))),
        ),
        gauge(
            "connection_group_operator_orphans",
            "Connection groups that carry our owner tag although no object names them.",
            [],
            inventory.map(|inventory| ([], many(inventory.orphans.len()))),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc, time::Duration};

    use super::*;
    use crate::{
        account::orphans::{Orphan, OwnerObject},
        cloudfront::{Arn, Etag, GroupId, GroupName, Snapshot, Summary},
        controller::metrics::{family::computed, testing::text_of},
        reconcile::ownership::OwnerTag,
    };

    fn shown(inventory: Option<InventoryState>) -> String {
        let now = Moment::after_start(Duration::from_secs(10));
        text_of(|registry| computed(registry, move || gauges(inventory.as_ref(), now)))
    }

    fn group(name: GroupName) -> (GroupName, Summary) {
        let group = Summary {
            id: GroupId::new("cg_1"),
            arn: Arn::new("arn"),
            name: name.clone(),
            etag: Etag::new("E1"),
            enabled: None,
            anycast_ip_list_id: None,
            deployment: None,
            modified: None,
        };
        (name, group)
    }

    #[test]
    fn a_leader_that_never_listed_reports_that_and_a_standby_reports_nothing() {
        let blind = shown(Some(InventoryState::default()));
        assert!(blind.contains("connection_group_operator_inventory_age_seconds inf\n"), "{blind}");
        assert_eq!(shown(None), "");
    }

    #[test]
    fn a_list_is_shown_with_its_age_and_its_groups() {
        let groups = ["a", "b", "c"].map(|name| group(GroupName::new(name)));
        let list = Snapshot { began: Moment::after_start(Duration::from_secs(3)), groups: groups.into() };
        let orphan = Orphan { owner: OwnerTag::new("prod", "platform", "edge"), object: OwnerObject::Gone };
        let orphans = Arc::new(BTreeMap::from([(GroupId::new("cg_1"), orphan)]));
        let text = shown(Some(InventoryState { snapshot: Some(Arc::new(list)), orphans, ..InventoryState::default() }));
        for line in ["inventory_age_seconds 7", "inventory_groups 3", "orphans 1"] {
            assert!(text.contains(&format!("connection_group_operator_{line}\n")), "{line}: {text}");
        }
    }
}
