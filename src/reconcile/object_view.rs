//! What an object already says: identity, stored status, and how closely it has to be looked at. Pure: object -> [`ObjectView`].

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;

use super::{
    Inputs, ObjectState,
    desired::{Desired, group_name},
    drift_backoff::Pause,
    members::Trial,
    object_state::{Awaits, FIRST_PAUSE, TagChanges},
    observe::ReadDepth,
    ownership::{Claim, OwnerTag, TAGS_SETTLE, is_young},
};
use crate::{
    api::{ConnectionGroup, ConnectionGroupStatus, Drift, RECONCILE_REQUESTED_AT, RefusedMember, condition, is_true},
    clock::Moment,
    cloudfront::{
        AnycastIpListId, Arn, Deployment, Described, Etag, Group, GroupId, GroupName, Members, Snapshot, Summary, Tags,
    },
};

/// An object as a pass knows it. Its status is a hint for finding things, never an authority about ownership.
pub struct ObjectView<'a> {
    /// Name of the group at CloudFront.
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
    /// The status as stored.
    pub status: &'a ConnectionGroupStatus,
    /// How closely to look.
    pub depth: ReadDepth,
    /// Whether this pass has tried to change something, because what it read was not as it should be.
    pub found_amiss: bool,
    /// How long until all tags that we sent have had the time to show.
    pub tags_settle_in: Duration,
    /// Changes of a group's tags that CloudFront has confirmed to this process, and that reads may not show yet.
    pub tagged: Option<(GroupId, TagChanges)>,
    /// A group that was read without an owner, and how long until it is believed that it has none.
    pub unowned: Option<(GroupId, Duration)>,
    /// How long every read must show a group without an owner before that is believed.
    pub settle_window: Duration,
    /// Whether a change of others was read before, and is not put right yet.
    pub in_dispute: bool,
    /// Whether the last change of this process may have taken effect without an answer: what differs since may be our own doing.
    pub unanswered: bool,
    /// The version of the group that the last answered change of this process made. A stale read may show it after an older one.
    pub made: Option<(GroupId, Etag)>,
    /// How long changes of others are left as they are, if people have not asked for anything since.
    pub pause: Option<Pause>,
    /// Value of the annotation that asks for a reconcile.
    pub requested_at: Option<String>,
    /// Whether the spec wants the group in service.
    pub wants_traffic: bool,
    /// Whether no read has told the group's owner for a settle window, as its tags have no values.
    pub owner_unstated_for_long: bool,
    /// Whether CloudFront says that the group is in use, and lists no tenant.
    pub in_use_unlisted: bool,
    /// How far the members have been tried.
    pub trial: Trial,
    /// When the pass began.
    pub now: Moment,
    /// How long until a group that every read misses is taken for gone without a list.
    pub absence_confirmed_in: Duration,
    wall: Timestamp,
}

/// Whether a group was in service when it was last read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// It was, as far as is known.
    On,
    /// It was not, as the spec says.
    OffAsAsked,
    /// It was not, although the spec says otherwise.
    OffAgainstTheSpec,
}

/// Whether an earlier process put the group back into service because CloudFront called it in use without listing a tenant: a restart is no reason to take it
/// out of service again.
fn was_in_use_unlisted(status: &ConnectionGroupStatus, state: &ObjectState, now: Moment) -> bool {
    let unlisted = status.blocked_by.as_ref().is_some_and(|blocked_by| blocked_by.count == 0);
    unlisted && state.delete_refused.is_none() && now.since(Moment::START) < FIRST_PAUSE
}

static NEVER_SEEN: ConnectionGroupStatus = ConnectionGroupStatus::UNSEEN;

impl<'a> ObjectView<'a> {
    /// Reads an object.
    #[must_use]
    pub fn of<C>(object: &'a ConnectionGroup, state: &ObjectState, inputs: &Inputs<'_, C>) -> Self {
        let status = object.status.as_ref().unwrap_or(&NEVER_SEEN);
        let uid = object.uid().unwrap_or_default();
        let requested_at = object.annotations().get(RECONCILE_REQUESTED_AT).cloned();
        let claim = Claim {
            owner: OwnerTag::new(&inputs.policy.owner_id, &object.namespace().unwrap_or_default(), &object.name_any()),
            installation: inputs.policy.installation.clone(),
        };
        let read_as_another = status.id.is_some()
            && (status.owner.as_deref() != Some(claim.owner.as_str())
                || status.installation.as_deref() != Some(claim.installation.as_str()));
        let is_asked = requested_at != status.last_handled_reconcile_at && !bug!(RequestIsTakenForHandled);
        let depth = if requested_at.is_some() && is_asked {
            ReadDepth::Requested
        } else if read_as_another || (inputs.clock.moment() >= state.resync_due() && !bug!(ResyncIsNeverDue)) {
            ReadDepth::Full
        } else {
            ReadDepth::FromInventory
        };
        let window = inputs.policy.settle_window;
        let now = inputs.clock.moment();
        let generation = object.metadata.generation.unwrap_or_default();
        let somebody_asks = depth == ReadDepth::Requested || status.observed_generation != generation;
        let pause = state.drift_backoff.pause(&uid, now).filter(|_| !somebody_asks);
        Self {
            name: group_name(object),
            claim,
            uid,
            generation,
            awaits: state.awaits,
            deleting: object.metadata.deletion_timestamp.is_some(),
            status,
            depth,
            found_amiss: false,
            tags_settle_in: state.tags_settle_in(now),
            tagged: state.tagged.may_not_show(now).map(|(id, tags)| (id.clone(), tags)),
            unowned: state
                .unowned
                .as_ref()
                .map(|seen| (seen.id.clone(), window.saturating_sub(state.unowned_for(&seen.id, now)))),
            settle_window: window,
            in_dispute: state.drift_backoff.is_open(),
            unanswered: state.unanswered,
            made: state.made.clone(),
            pause,
            trial: state.trial.of(generation, requested_at.as_deref()),
            requested_at,
            wants_traffic: object.spec.enabled,
            owner_unstated_for_long: state.owner_unstated_since.is_some_and(|since| now.since(since) >= window),
            in_use_unlisted: !somebody_asks
                && (state.is_in_use_unlisted(now, window) || was_in_use_unlisted(status, state, now)),
            now,
            // Both reads may be older than a group that was only just claimed.
            absence_confirmed_in: state
                .absent_for(now)
                .map_or(window, |time| window.saturating_sub(time))
                .max(state.claims_unsettled_for(window, now)),
            wall: inputs.clock.wall(),
        }
    }

    /// What was read before was not as it should be, or not the newest: the group is read in full.
    pub fn read_again(&mut self) {
        self.depth = self.depth.max(ReadDepth::Full);
        self.found_amiss = true;
    }

    /// Whether the group on record is in service.
    #[must_use]
    pub const fn service(&self) -> Service {
        match (self.status.enabled, self.wants_traffic) {
            (Some(true) | None, _) => Service::On,
            (Some(false), false) => Service::OffAsAsked,
            (Some(false), true) => Service::OffAgainstTheSpec,
        }
    }

    /// Whether nothing says if the group on record is in service, because an update of ours was not answered.
    #[must_use]
    pub const fn service_is_in_doubt(&self) -> bool {
        self.unanswered && self.status.id.is_some() && self.status.enabled.is_none()
    }

    /// Whether the group on record may be out of service against the spec: it was when last read, or an update of ours was not answered.
    #[must_use]
    pub fn may_be_off_against_the_spec(&self) -> bool {
        self.service() == Service::OffAgainstTheSpec || (self.service_is_in_doubt() && self.wants_traffic)
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

    /// A group as just read, with what the answer leaves out as CloudFront stated it before: in a row of the list that shows the same version, or to
    /// status, which is no more than a hint. What CloudFront states now always prevails.
    #[must_use]
    pub fn completed(&self, described: Described, snapshot: Option<&Snapshot>) -> Described {
        let Described { group, tags } = described;
        let row = snapshot.and_then(|list| list.groups.get(&group.name));
        let row = row.filter(|row| row.id == group.id && row.etag == group.etag);
        let same_version = self.is_version_on_record(&group);
        let noted = Some(self.status).filter(|_| same_version);
        let enabled = row.and_then(|row| row.enabled).or_else(|| noted.and_then(|status| status.enabled));
        let ipv6_enabled = noted.and_then(|status| status.ipv6_enabled);
        let once = self.deployment().filter(|_| same_version);
        let listed = row.and_then(|row| row.deployment.clone());
        // A version that was rolled out stays so: a list that shows it under way is older.
        let deployment = if once == Some(Deployment::Deployed) { once } else { listed.or(once) };
        let deployment = deployment.filter(|_| !bug!(AbsentStatusIsInProgress));
        let config = Members {
            enabled: group.config.enabled.or(enabled),
            ipv6_enabled: group.config.ipv6_enabled.or(ipv6_enabled),
            // Here status is not asked: an answer without a list usually means that there is none.
            anycast_ip_list_id: group
                .config
                .anycast_ip_list_id
                .or_else(|| row.and_then(|row| row.anycast_ip_list_id.clone())),
        };
        let recorded = self.status.e_tag.as_deref().filter(|_| bug!(EtagFromStatus)).map(Etag::new);
        let etag = recorded.unwrap_or(group.etag);
        Described { group: Group { etag, config, deployment: group.deployment.or(deployment), ..group }, tags }
    }

    /// The reason on record.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        condition(&self.status.conditions, "Ready").map(|ready| ready.reason.as_str())
    }

    /// Whether this generation of the spec has not been acted upon yet.
    #[must_use]
    pub const fn spec_is_new(&self) -> bool {
        self.status.observed_generation != self.generation
    }

    /// Whether this version of the group is somebody else's doing: it is neither on record nor may be our own, or it is known as such.
    #[must_use]
    pub fn was_changed_by_others(&self, group: &Group) -> bool {
        let same_id = self.status.id.as_deref() == Some(group.id.as_str());
        let is_new = self.status.e_tag.as_deref().is_some_and(|etag| !same_id || etag != group.etag.as_str());
        let made = self.made.as_ref().is_some_and(|(id, etag)| *id == group.id && *etag == group.etag);
        let may_be_our_own = self.unanswered || made;
        !self.spec_is_new() && ((is_new && !may_be_our_own) || self.in_dispute)
    }

    /// Whether a group that is off as the spec says may have been switched off by an update of ours that was not answered.
    #[must_use]
    pub fn may_have_switched_off(&self, group: &Group) -> bool {
        self.unanswered && self.status.enabled.is_none() && !self.wants_traffic && group.config.enabled == Some(false)
    }

    /// How long until it is believed that nobody owns this group; a whole window for one that is seen so for the first time.
    #[must_use]
    pub fn owner_may_show_for(&self, group: &Group) -> Duration {
        let seen = self.unowned.as_ref().filter(|(id, _)| *id == group.id || bug!(UnownedWhicheverGroup));
        seen.map_or(self.settle_window, |(_, left)| *left)
    }

    /// Whether tags that we sent have had the time to show.
    #[must_use]
    pub const fn tags_are_settled(&self) -> bool {
        self.tags_settle_in.is_zero()
    }

    /// Whether what a read shows of the group's tags may be older than the last change of the spec that was carried out: then it settles nothing.
    #[must_use]
    pub fn tags_may_be_old(&self, desired: &Desired) -> bool {
        let has_tags = !desired.tags.is_empty() || !self.status.tags.is_empty();
        let is_settled = self.status.settled_generation == Some(self.generation);
        has_tags && !is_settled && !self.tags_are_settled()
    }

    /// The tags of a group as they are: what was read, and what was confirmed since and may not show yet. A tag that was set, and that the spec names no more,
    /// counts only where it shows, for it may be others' doing by now. Whoever asks for a reconcile has what that read lacks set at once.
    #[must_use]
    pub fn tags_of(&self, read: &Described, desired: &Desired) -> Tags {
        let mut tags = read.tags.clone();
        let confirmed = self.tagged.iter().filter(|(id, _)| *id == read.group.id).flat_map(|(_, changes)| changes);
        for (key, value) in confirmed {
            match value {
                Some(value) if desired.tags.get(key) == Some(value) && self.depth == ReadDepth::Requested => {}
                Some(value) if desired.tags.contains_key(key) => drop(tags.insert(key.clone(), value.clone())),
                Some(_) => {}
                None => drop(tags.remove(key)),
            }
        }
        tags
    }

    /// Of tags that differ from the spec, those that were as they should be once, as far as is known. One whose change was confirmed a moment ago may not show
    /// yet.
    #[must_use]
    pub fn lost_tags(&self, differing: &Tags, read: &Described) -> Vec<Drift> {
        let sent = self.tags_sent_to(&read.group);
        let may_not_show =
            |key: &String| self.tagged.iter().any(|(id, changes)| *id == read.group.id && changes.contains_key(key));
        let was_there =
            |key: &String, value: &String| !self.unanswered && sent.get(key) == Some(value) && !may_not_show(key);
        let lost = differing.iter().filter(|(key, value)| was_there(key, value));
        lost.map(|(key, value)| Drift {
            field: format!("tags[{key}]"),
            desired: value.clone(),
            observed: read.tags.get(key).cloned().unwrap_or_default(),
        })
        .collect()
    }

    /// Whether an earlier pass came to a conclusion about the object.
    #[must_use]
    pub const fn was_reconciled(&self) -> bool {
        !self.status.conditions.is_empty()
    }

    /// Whether a row of the list shows the very version of the group that is on record.
    #[must_use]
    pub fn is_on_record(&self, listed: &Summary) -> bool {
        self.status.id.as_deref() == Some(listed.id.as_str())
            && self.status.e_tag.as_deref() == Some(listed.etag.as_str())
    }

    /// Whether a group of which CloudFront does not state whether it serves may be out of service: it was when that was last known, or an update of ours was
    /// not answered.
    #[must_use]
    pub fn may_be_off(&self, group: &Group) -> bool {
        let same_group = self.id().as_ref() == Some(&group.id);
        let last_known = self.status.enabled;
        let was_off = last_known == Some(false) || (last_known.is_none() && self.unanswered);
        group.config.enabled.is_none() && same_group && was_off
    }

    /// Whether people were told of this very version of the group, for this generation of the spec, that it is ready, and it states no more now than it did then:
    /// that is still true, and one read that does not show the owner does not change it.
    #[must_use]
    pub fn was_told_of(&self, group: &Group) -> bool {
        let ready = is_true(&self.status.conditions, "Ready");
        let states_the_same = self.status.enabled == group.config.enabled
            && self.status.ipv6_enabled == group.config.ipv6_enabled
            && self.status.anycast_ip_list_id.as_deref()
                == group.config.anycast_ip_list_id.as_ref().map(AnycastIpListId::as_str);
        ready && states_the_same && self.is_version_on_record(group) && !self.deleting && !self.spec_is_new()
    }

    /// The tags that this object sent to this group, as far as is known; those on record for another one are not on this one by our doing.
    #[must_use]
    pub fn tags_sent_to(&self, group: &Group) -> Tags {
        if self.id().is_none_or(|id| id == group.id) { self.status.tags.clone() } else { Tags::new() }
    }

    /// Whether this is the very version of the group that is on record.
    #[must_use]
    pub fn is_version_on_record(&self, group: &Group) -> bool {
        self.status.id.as_deref() == Some(group.id.as_str())
            && self.status.e_tag.as_deref() == Some(group.etag.as_str())
    }

    /// What CloudFront refused, for this generation of the spec, and unless somebody asks to try again.
    #[must_use]
    pub fn refused(&self) -> &[RefusedMember] {
        if self.is_asked_anew() { &[] } else { &self.status.refused }
    }

    /// Whether a person asks for something that has not been acted upon yet.
    #[must_use]
    pub fn is_asked_anew(&self) -> bool {
        self.spec_is_new() || self.depth == ReadDepth::Requested
    }

    /// The Anycast list that this object attached to this group. Where no id is on record, the group may come from a Create without an answer.
    #[must_use]
    pub fn attached_list(&self, group: &Group) -> Option<AnycastIpListId> {
        if bug!(EveryListIsOurs) {
            return group.config.anycast_ip_list_id.clone();
        }
        let same_group = self.id().is_none_or(|id| id == group.id);
        self.status.attached_anycast_ip_list_id.as_deref().filter(|_| same_group).map(AnycastIpListId::new)
    }

    /// Whether a group that shows no owner tag is on record as this object's, and has not been without the tag for long.
    #[must_use]
    pub fn may_still_be_ours(&self, group: &Group) -> bool {
        let on_record =
            self.id().as_ref() == Some(&group.id) && self.status.owner.as_deref() == Some(self.claim.owner.as_str());
        on_record && !self.owner_may_show_for(group).is_zero()
    }

    /// Whether a group of the installation to take over from may be taken over: in a deletion, no other one than the group on record.
    #[must_use]
    pub fn may_take_over(&self, group: &Group) -> bool {
        !self.deleting || self.id().is_some_and(|id| id == group.id)
    }

    /// How long until all tags of a group can be seen, where that is known.
    #[must_use]
    pub fn tags_show_in(&self, group: &Group) -> Option<Duration> {
        let age = |created| Duration::try_from(self.wall.duration_since(created)).unwrap_or_default();
        let young = group.created.filter(|created| is_young(*created, self.wall));
        young.map(|created| TAGS_SETTLE.saturating_sub(age(created)))
    }

    /// Whether the group was equal to this generation of the spec at the last read, and neither this pass nor the last list speaks against it.
    #[must_use]
    pub fn is_in_sync(&self, snapshot: Option<&Snapshot>) -> bool {
        let same = |list: &Snapshot| list.groups.get(&self.name).is_some_and(|group| self.is_on_record(group));
        let ready = is_true(&self.status.conditions, "Ready");
        ready && !self.deleting && !self.spec_is_new() && !self.found_amiss && snapshot.is_none_or(same)
    }
}
