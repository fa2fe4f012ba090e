//! The inventory of the AWS account: how old it is, and what it shows. Pure.

use prometheus::GaugeVec;

use super::family::{gauge, many};
use crate::{account::inventory::Lists, clock::Moment};

/// The gauges of the account, without series on a standby: a standby does not read the account, so it has no `lists`.
pub fn gauges(lists: Option<&Lists>, now: Moment) -> Vec<GaugeVec> {
    let age = |lists: &Lists| lists.snapshot.as_ref().map_or(f64::INFINITY, |list| now.since(list.began).as_secs_f64());
    let groups = |lists: &Lists| lists.snapshot.as_ref().map_or(0, |list| list.groups.len());
    vec![
        gauge(
            "connection_group_operator_inventory_age_seconds",
            "Time since the newest complete inventory was begun; +Inf without one.",
            [],
            lists.map(|lists| ([], age(lists))),
        ),
        gauge(
            "connection_group_operator_inventory_groups",
            "Connection groups in the newest complete inventory.",
            [],
            lists.map(|lists| ([], many(groups(lists)))),
        ),
        gauge(
            "connection_group_operator_orphans",
            "Connection groups that carry our owner tag although no object names them.",
            [],
            lists.map(|lists| ([], many(lists.orphans.len()))),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc, time::Duration};

    use super::*;
    use crate::{
        account::orphans::{Object, Orphan},
        cloudfront::{Arn, Etag, GroupId, GroupName, Snapshot, Summary},
        controller::metrics::{family::computed, testing::text_of},
        reconcile::ownership::OwnerTag,
    };

    fn shown(lists: Option<Lists>) -> String {
        let now = Moment::after_start(Duration::from_secs(10));
        text_of(|registry| computed(registry, move || gauges(lists.as_ref(), now)))
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
        let blind = shown(Some(Lists::default()));
        assert!(blind.contains("connection_group_operator_inventory_age_seconds inf\n"), "{blind}");
        assert_eq!(shown(None), "");
    }

    #[test]
    fn a_list_is_shown_with_its_age_and_its_groups() {
        let groups = ["a", "b", "c"].map(|name| group(GroupName::new(name)));
        let list = Snapshot { began: Moment::after_start(Duration::from_secs(3)), groups: groups.into() };
        let orphan = Orphan { owner: OwnerTag::new("prod", "platform", "edge"), object: Object::Gone };
        let orphans = Arc::new(BTreeMap::from([(GroupId::new("cg_1"), orphan)]));
        let text = shown(Some(Lists { snapshot: Some(Arc::new(list)), orphans, ..Lists::default() }));
        for line in ["inventory_age_seconds 7", "inventory_groups 3", "orphans 1"] {
            assert!(text.contains(&format!("connection_group_operator_{line}\n")), "{line}: {text}");
        }
    }
}
