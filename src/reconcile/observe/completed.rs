//! Fills in what an answer omits. Pure: (group as read, its owner, inventory, status) -> group.

use crate::{
    cloudfront::{Deployment, Described, Etag, Group, Members, Snapshot},
    reconcile::{ObjectView, ownership::Owner},
};

impl ObjectView<'_> {
    /// The group as just read. What the answer omits is filled in from a row of the list that shows the same version, or from status, which is only a hint.
    /// What CloudFront states now always wins.
    #[must_use]
    pub fn completed(&self, described: Described, owner: &Owner, snapshot: Option<&Snapshot>) -> Described {
        let Described { group, tags } = described;
        let row = snapshot.and_then(|list| list.groups.get(&group.name));
        let row = row.filter(|row| row.id == group.id && row.etag == group.etag);
        let same_version = self.is_version_on_record(&group);
        let noted = Some(self.status).filter(|_| same_version);
        let of_ours = noted.filter(|_| self.is_or_may_be_ours(&group, owner));
        let enabled = row.and_then(|row| row.enabled).or_else(|| of_ours?.enabled);
        let ipv6_enabled = noted.and_then(|status| status.ipv6_enabled);
        let once = self.deployment().filter(|_| same_version);
        let listed = row.and_then(|row| row.deployment.clone());
        // A version that is rolled out stays so: a list that shows its roll-out in progress is older.
        let deployment = if once == Some(Deployment::Deployed) { once } else { listed.or(once) };
        let deployment = deployment.filter(|_| !bug!(AbsentStatusIsInProgress));
        let config = Members {
            enabled: group.config.enabled.or(enabled),
            ipv6_enabled: group.config.ipv6_enabled.or(ipv6_enabled),
            // Not filled in from status: an answer without a list usually means that there is none.
            anycast_ip_list_id: group
                .config
                .anycast_ip_list_id
                .or_else(|| row.and_then(|row| row.anycast_ip_list_id.clone())),
        };
        let recorded = self.status.e_tag.as_deref().filter(|_| bug!(EtagFromStatus)).map(Etag::new);
        let etag = recorded.unwrap_or(group.etag);
        Described { group: Group { etag, config, deployment: group.deployment.or(deployment), ..group }, tags }
    }

    /// Whether status may say that this group is disabled. It may be forged, and must not make a group that is someone else's look as if an adoption changed
    /// nothing.
    fn is_or_may_be_ours(&self, group: &Group, owner: &Owner) -> bool {
        match owner {
            Owner::Ours | Owner::Unmarked | Owner::ToTakeOver(_) | Owner::TagsPending | Owner::Unstated => true,
            Owner::Unowned => self.may_still_be_ours(group),
            Owner::Elsewhere(_) | Owner::Other(_) => false,
        }
    }
}
