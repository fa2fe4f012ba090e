//! What is known about an object before anything is read: identity, stored status, object state, and how much to read. Reads the clock,
//! otherwise pure: (object, object state, inputs) -> [`ObjectView`].

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;

use super::{
    Inputs, ObjectState,
    desired::group_name,
    drift_backoff::Pause,
    members::{MemberAttempts, MemberSet},
    object_state::Awaits,
    observe::ReadDepth,
    ownership::{Claim, OwnerTag},
    tags::TagChanges,
};
use crate::{
    api::{ConnectionGroup, ConnectionGroupStatus, RECONCILE_REQUESTED_AT, RefusedMember, condition, is_true},
    clock::Moment,
    cloudfront::{AnycastIpListId, Arn, Deployment, Etag, Group, GroupId, GroupName, Members, Snapshot, Summary},
};

/// An object as a reconcile sees it. Its status is a hint for finding the group, never proof of ownership.
pub struct ObjectView<'a> {
    /// Name of the group in CloudFront.
    pub name: GroupName,
    /// How a group of this object is marked.
    pub claim: Claim,
    /// Uid of the object, the seed of its jitter.
    pub uid: String,
    /// Generation of the spec.
    pub generation: i64,
    /// What the object waits for since its last reconcile by this process.
    pub awaits: Awaits,
    /// Whether the object is being deleted.
    pub deleting: bool,
    /// The group whose Delete CloudFront has accepted from this process, if no read has shown a group since.
    pub deleted: Option<GroupId>,
    /// The status as stored.
    pub status: &'a ConnectionGroupStatus,
    /// How much to read.
    pub depth: ReadDepth,
    /// Whether this reconcile has already tried to change something, because what it read was not as it should be.
    pub is_repeated: bool,
    /// How long until all tags that we sent have had time to show.
    pub sent_tags_visible_in: Duration,
    /// Tag changes that CloudFront has confirmed to this process and that reads may not show yet, and their group.
    pub tags_confirmed: Option<(GroupId, TagChanges)>,
    /// A group that was read without an owner, and how long until that is believed.
    pub unowned: Option<(GroupId, Duration)>,
    /// The consistency window: among others, how long every read must show a group without an owner before that is believed.
    pub consistency_window: Duration,
    /// The members in which an earlier read showed another client's change that is not corrected yet.
    pub uncorrected: MemberSet,
    /// Whether status shows the group as this process has seen it, in a read, a list or the answer to a change.
    pub has_seen_group: bool,
    /// Whether a change of this process may have taken effect without an answer: new differences may be our own.
    pub unanswered: bool,
    /// The version of the group that the last answered update of this process produced. A read may show it after a stale read has shown an older one.
    pub latest_own_version: Option<(GroupId, Etag)>,
    /// The current pause of the drift backoff, unless people have asked for something since.
    pub pause: Option<Pause>,
    /// Value of the annotation that requests a reconcile.
    pub requested_at: Option<String>,
    /// Whether the spec wants the group enabled.
    pub spec_enabled: bool,
    /// Whether every read for a consistency window has shown the owner or identity tag without a value.
    pub owner_unstated_for_long: bool,
    /// Whether CloudFront says that the group is in use, but lists no tenant.
    pub in_use_unlisted: bool,
    /// Which members have been tried.
    pub member_attempts: MemberAttempts,
    /// When the reconcile began.
    pub now: Moment,
    /// How long until a group that no read finds counts as gone without a list.
    pub absence_confirmed_in: Duration,
    /// The time by the wall clock when the reconcile began.
    pub wall: Timestamp,
}

static NEVER_SEEN: ConnectionGroupStatus = ConnectionGroupStatus::UNSEEN;

impl<'a> ObjectView<'a> {
    /// Builds the view of an object.
    #[must_use]
    pub fn of<C>(object: &'a ConnectionGroup, state: &ObjectState, inputs: &Inputs<'_, C>) -> Self {
        let status = object.status.as_ref().unwrap_or(&NEVER_SEEN);
        let uid = object.uid().unwrap_or_default();
        let requested_at = object.annotations().get(RECONCILE_REQUESTED_AT).cloned();
        let claim = Claim {
            owner: OwnerTag::new(
                &inputs.settings.owner_id,
                &object.namespace().unwrap_or_default(),
                &object.name_any(),
            ),
            installation: inputs.settings.installation.clone(),
        };
        let read_as_another = status.id.is_some()
            && (status.owner.as_deref().is_some_and(|owner| owner != claim.owner.as_str())
                || status.installation.as_deref() != Some(claim.installation.as_str()));
        let is_asked = requested_at != status.last_handled_reconcile_at && !bug!(RequestIsTakenForHandled);
        let depth = if requested_at.is_some() && is_asked {
            ReadDepth::Requested
        } else if read_as_another || (inputs.clock.moment() >= state.resync_due() && !bug!(ResyncIsNeverDue)) {
            ReadDepth::Full
        } else {
            ReadDepth::FromInventory
        };
        let window = inputs.settings.consistency_window;
        let now = inputs.clock.moment();
        let generation = object.metadata.generation.unwrap_or_default();
        let is_asked_anew = depth == ReadDepth::Requested || status.observed_generation != generation;
        let pause = state.drift_backoff.pause(&uid, now).filter(|_| !is_asked_anew);
        Self {
            name: group_name(object),
            claim,
            uid,
            generation,
            awaits: state.awaits,
            deleting: object.metadata.deletion_timestamp.is_some(),
            deleted: state.deleted.clone(),
            status,
            depth,
            is_repeated: false,
            sent_tags_visible_in: state.tags.visible_in(now),
            tags_confirmed: state.tags.confirmed.may_not_show(now).map(|(id, tags)| (id.clone(), tags)),
            unowned: state
                .unowned
                .as_ref()
                .map(|seen| (seen.id.clone(), window.saturating_sub(state.unowned_for(&seen.id, now)))),
            consistency_window: window,
            uncorrected: state.drift_backoff.uncorrected().clone(),
            has_seen_group: state.has_seen_group,
            unanswered: state.unanswered,
            latest_own_version: state.versions.latest.clone(),
            pause,
            member_attempts: state.member_attempts.of(generation, requested_at.as_deref()),
            requested_at,
            spec_enabled: object.spec.enabled,
            owner_unstated_for_long: state.owner_unstated_since.is_some_and(|since| now.since(since) >= window),
            in_use_unlisted: !is_asked_anew
                && (state.unlisted_use.holds(now, window) || state.unlisted_use.may_be_recent(status, now)),
            now,
            // Both reads may be older than a group that was claimed only just now.
            absence_confirmed_in: state
                .absent_for(now)
                .map_or(window, |time| window.saturating_sub(time))
                .max(state.claims_pending_for(window, now)),
            wall: inputs.clock.wall(),
        }
    }

    /// Asks for a full read, because the last read was stale or not as it should be.
    pub fn read_again(&mut self) {
        self.depth = self.depth.max(ReadDepth::Full);
        self.is_repeated = true;
    }

    /// The id on record.
    #[must_use]
    pub fn id(&self) -> Option<GroupId> {
        self.status.id.as_deref().map(GroupId::new)
    }

    /// The ARN on record.
    #[must_use]
    pub fn arn(&self) -> Option<Arn> {
        self.status.arn.as_deref().map(Arn::new)
    }

    /// The deployment status on record.
    #[must_use]
    pub fn deployment(&self) -> Option<Deployment> {
        self.status.status.as_deref().map(Deployment::parse)
    }

    /// The reason of the Ready condition on record.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        condition(&self.status.conditions, "Ready").map(|ready| ready.reason.as_str())
    }

    /// Whether this generation of the spec has not been acted on yet.
    #[must_use]
    pub const fn spec_is_new(&self) -> bool {
        self.status.observed_generation != self.generation
    }

    /// Whether an earlier reconcile came to a conclusion about the object.
    #[must_use]
    pub const fn was_reconciled(&self) -> bool {
        !self.status.conditions.is_empty()
    }

    /// Whether a row of the list shows the version of the group that is on record.
    #[must_use]
    pub fn is_on_record(&self, listed: &Summary) -> bool {
        self.status.id.as_deref() == Some(listed.id.as_str())
            && self.status.e_tag.as_deref() == Some(listed.etag.as_str())
    }

    /// Whether status already reports this version of the group as Ready for this generation of the spec, and the read states the same values. Ready is then
    /// still true, and one read that does not show the owner does not change that.
    #[must_use]
    pub fn is_reported_ready(&self, group: &Group) -> bool {
        let ready = is_true(&self.status.conditions, "Ready");
        let Members { enabled, ipv6_enabled, anycast_ip_list_id } = &group.config;
        let states_the_same = self.status.enabled == *enabled
            && self.status.ipv6_enabled == *ipv6_enabled
            && self.status.anycast_ip_list_id.as_deref() == anycast_ip_list_id.as_ref().map(AnycastIpListId::as_str);
        ready && states_the_same && self.is_version_on_record(group) && !self.deleting && !self.spec_is_new()
    }

    /// Whether this is the version of the group that is on record.
    #[must_use]
    pub fn is_version_on_record(&self, group: &Group) -> bool {
        self.status.id.as_deref() == Some(group.id.as_str())
            && self.status.e_tag.as_deref() == Some(group.etag.as_str())
    }

    /// What CloudFront refused for this generation of the spec; empty if someone asks to try again.
    #[must_use]
    pub fn refused(&self) -> &[RefusedMember] {
        if self.is_asked_anew() { &[] } else { &self.status.refused }
    }

    /// Whether a person asks for something that has not been acted on yet.
    #[must_use]
    pub fn is_asked_anew(&self) -> bool {
        self.spec_is_new() || self.depth == ReadDepth::Requested
    }

    /// The Anycast list that this object attached to this group. If no id is on record, the group may come from an unanswered Create.
    #[must_use]
    pub fn attached_list(&self, group: &Group) -> Option<AnycastIpListId> {
        if bug!(EveryListIsOurs) {
            return group.config.anycast_ip_list_id.clone();
        }
        let same_group = self.id().is_none_or(|id| id == group.id);
        self.status.attached_anycast_ip_list_id.as_deref().filter(|_| same_group).map(AnycastIpListId::new)
    }

    /// Whether a group of the installation to take over from may be taken over: in a deletion, only the group on record.
    #[must_use]
    pub fn may_take_over(&self, group: &Group) -> bool {
        !self.deleting || self.id().is_some_and(|id| id == group.id)
    }

    /// Whether the group matched this generation of the spec at the last read, and neither this reconcile nor the last inventory contradicts that.
    #[must_use]
    pub fn is_in_sync(&self, snapshot: Option<&Snapshot>) -> bool {
        let same = |list: &Snapshot| list.groups.get(&self.name).is_some_and(|group| self.is_on_record(group));
        let ready = is_true(&self.status.conditions, "Ready");
        ready && !self.deleting && !self.spec_is_new() && !self.is_repeated && snapshot.is_none_or(same)
    }
}
