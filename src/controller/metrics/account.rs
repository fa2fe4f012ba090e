//! The inventory of the AWS account: how old it is, and what it shows. Does no I/O.

use std::time::Duration;

use prometheus::{GaugeVec, Registry};

use super::family::gauges;

/// Gauges of the account. A standby does not read the account, and shows none.
pub struct Account {
    inventory_age: GaugeVec,
    inventory_groups: GaugeVec,
    orphans: GaugeVec,
}

/// What the last inventories showed.
pub struct Swept {
    /// Time since the newest complete inventory began, and how many groups it shows.
    pub list: Option<(Duration, usize)>,
    /// Number of groups with our owner tag that no object manages.
    pub orphans: usize,
}

const NO_LABELS: [&str; 0] = [];

impl Account {
    pub fn new(registry: &Registry) -> Self {
        Self {
            inventory_age: gauges(
                registry,
                "connection_group_operator_inventory_age_seconds",
                "Time since the newest complete list of the account's groups was begun; +Inf without one.",
                &NO_LABELS,
            ),
            inventory_groups: gauges(
                registry,
                "connection_group_operator_inventory_groups",
                "Connection groups in the newest complete list.",
                &NO_LABELS,
            ),
            orphans: gauges(
                registry,
                "connection_group_operator_orphans",
                "Connection groups that carry our owner tag although no object names them.",
                &NO_LABELS,
            ),
        }
    }

    /// Updates the gauges; `None` on a standby.
    pub fn measure(&self, listed: Option<&Swept>) {
        for gauge in [&self.inventory_age, &self.inventory_groups, &self.orphans] {
            gauge.reset();
        }
        if let Some(Swept { list, orphans }) = listed {
            let age = list.map_or(f64::INFINITY, |(age, _)| age.as_secs_f64());
            self.inventory_age.with_label_values(&NO_LABELS).set(age);
            self.inventory_groups.with_label_values(&NO_LABELS).set(many(list.map_or(0, |(_, groups)| groups)));
            self.orphans.with_label_values(&NO_LABELS).set(many(*orphans));
        }
    }
}

/// A count as the value of a gauge.
pub fn many(n: usize) -> f64 {
    u32::try_from(n).unwrap_or(u32::MAX).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::metrics::testing::text_of;

    #[test]
    fn a_leader_that_never_listed_says_so_and_a_standby_says_nothing() {
        let shown = |listed: Option<&Swept>| text_of(|registry| Account::new(registry).measure(listed));
        let blind = shown(Some(&Swept { list: None, orphans: 0 }));
        assert!(blind.contains("connection_group_operator_inventory_age_seconds inf\n"), "{blind}");
        assert!(!shown(None).contains("inventory"));
    }

    #[test]
    fn a_list_is_shown_with_its_age_and_its_groups() {
        let listed = Swept { list: Some((Duration::from_secs(7), 3)), orphans: 1 };
        let text = text_of(|registry| Account::new(registry).measure(Some(&listed)));
        for line in ["inventory_age_seconds 7", "inventory_groups 3", "orphans 1"] {
            assert!(text.contains(&format!("connection_group_operator_{line}\n")), "{line}: {text}");
        }
    }
}
