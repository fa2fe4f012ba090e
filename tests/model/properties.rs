//! What must always hold: the safety properties S1 to S8 (S6 is in [`ready`]), S18, and L3. In: a call about to be made, an outcome, a status about to be
//! written, or a state. Out: nothing, or the [`Violation`]. Pure.

use std::{fmt, time::Duration};

use cloudfront_simulator::model::ConnectionGroup as Shown;
use connection_group_operator::{
    api::{
        AdoptionPolicy, ConnectionGroup, ConnectionGroupSpec, ConnectionGroupStatus, DeletionPolicy, Mode,
        RECONCILE_REQUESTED_AT, condition, is_true,
    },
    cloudfront::{Arn, Described, ErrorClass, Group, GroupId, Tags, Tenants},
    reconcile::{
        Finalizer, Outcome,
        ownership::{Claim, OwnerTag},
    },
};

use kube::ResourceExt;

use crate::{
    classes::needs_a_person,
    passes::pass_object,
    ready,
    replay::{Answer, Call},
    reviewed::{self, list_matches},
    state::{OWNER_TAGS, Pass, Scenario, State},
};

/// A property that was violated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub property: Property,
    pub what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Property {
    S1,
    S2,
    S3,
    S4,
    S5,
    S6,
    S7,
    S8,
    S9,
    S10,
    S11,
    S12,
    S13,
    S14,
    S15,
    S16,
    S17,
    S18,
    L1,
    L2,
    L3,
    L4,
    O1,
    O2,
    O3,
}

impl Property {
    /// The property in words.
    pub const fn promise(self) -> &'static str {
        match self {
            Self::S1 => {
                "nothing is changed whose owner tag, as this reconcile read it, is not ours, nor any group of another name"
            }
            Self::S2 => "a reconcile makes at most one change",
            Self::S3 => {
                "the finalizer goes only when no group of the object exists and no request for one is on its way"
            }
            Self::S4 => {
                "a deletion never disables, against the spec, or deletes a group that a tenant uses, as the reconcile could see"
            }
            Self::S5 => "every change carries an ETag that was read in the same reconcile",
            Self::S6 => "Ready is True for a generation only if what was read matches that generation and is deployed",
            Self::S7 => "there are never two groups for one object",
            Self::S8 => "a group of another owner is reported",
            Self::S9 => "nothing is taken away, or made again, on an old view of the object",
            Self::S10 => {
                "a group that is on while the spec says off is disabled by the reconcile that reads it, and by an update of nothing else"
            }
            Self::S11 => "a list is detached only if this object attached it, or the spec says so explicitly",
            Self::S12 => "a tag is removed only if this object sent it, with that value",
            Self::S13 => "one false answer does not take a living group out of status",
            Self::S14 => "nothing is changed on which another installation acts",
            Self::S15 => "no group is adopted before its tags have had the time to show",
            Self::S16 => "a group that the spec wants in service is not released while it is off",
            Self::S17 => "what an answer omits proves nothing",
            Self::S18 => {
                "nothing is changed in mode Observe or while suspended, and nothing is deleted that is protected or is to stay"
            }
            Self::L1 => {
                "once the faults stop, the group matches, the object is Ready, and nothing is called or written any more"
            }
            Self::L2 => "once the faults stop, a deleted object goes with its group, or reports what blocks it",
            Self::L3 => "no transient error leaves a final state, and another reconcile is always due",
            Self::L4 => "what users request, and a list that contradicts an object, triggers a reconcile at once",
            Self::O1 => "no more changes are made than there are differences",
            Self::O2 => "the same spec leads to the same end, wherever it started from",
            Self::O3 => "who asks for a reconcile gets a full read",
        }
    }

    pub fn broken(self, what: impl Into<String>) -> Violation {
        Violation { property: self, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is broken: {}\n  {}", self.property, self.property.promise(), self.what)
    }
}

pub fn hold(property: Property, holds: bool, what: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(property.broken(what())) }
}

/// S1 to S5 and S18, for a call just before it is made.
pub fn of_call(scenario: &Scenario, state: &State, operator: usize, pass: &Pass, call: &Call) -> Result<(), Violation> {
    if !call.operation().is_mutation() {
        return Ok(());
    }
    hold(Property::S2, !pass.log.iter().any(|entry| had_its_effect(entry)), || {
        format!("{} is a second change", call.operation())
    })?;
    let spec = &pass.input.object.spec;
    hold(Property::S18, spec_allows(spec, call), || format!("{} against {spec:?}", call.operation()))?;
    let ours = state.owner_tag(operator);
    let owned = match call {
        Call::Create(new) => {
            let held = pass_object(state, operator, pass).is_some_and(|object| object.metadata.finalizers.is_some());
            hold(Property::S3, held || !scenario.lease, || "a group is created for an object without it".to_owned())?;
            hold(Property::S1, OwnerTag::in_tags(&new.tags) == Some(ours), || {
                "a group is created without our owner tag".to_owned()
            })
        }
        Call::Update(group, config) => {
            let disables = group.config.enabled == Some(true) && config.enabled != Some(true);
            was_read(pass, group, &ours)?;
            // The emergency switch works whoever uses the group.
            let for_the_deletion = disables && pass.deleting() && pass.input.object.spec.enabled;
            if for_the_deletion { no_tenant_was_seen(pass, &group.id) } else { Ok(()) }
        }
        Call::Delete(group) => {
            was_read(pass, group, &ours)?;
            no_tenant_was_seen(pass, &group.id)
        }
        Call::Tag(arn, tags) => {
            let read = last_read(pass, |group| group.arn == *arn);
            let adopts = read.is_some_and(|read| may_be_adopted(scenario, pass, read, tags, &ours));
            if adopts { Ok(()) } else { is_ours(pass, arn, &ours) }
        }
        Call::Untag(arn, _) => is_ours(pass, arn, &ours),
        Call::Describe(_) | Call::Tags(_) | Call::Tenants(_) | Call::AnycastIpList(_) | Call::List => Ok(()),
    };
    owned?;
    reviewed::of_call(scenario, state, operator, pass, call)
}

/// Whether the spec of an object allows a change for it.
fn spec_allows(spec: &ConnectionGroupSpec, change: &Call) -> bool {
    let may_delete = spec.deletion_policy == DeletionPolicy::Delete && !spec.deletion_protection;
    spec.mode == Mode::Manage && !spec.suspend && (may_delete || !matches!(change, Call::Delete(_)))
}

/// Whether a call of the log was a change that CloudFront has not refused because of its ETag.
fn had_its_effect(entry: &crate::replay::Entry) -> bool {
    entry.call.operation().is_mutation()
        && entry.answer.error().is_none_or(|error| error.class != ErrorClass::StaleEtag)
}

/// What the reconcile last read of a group.
pub fn last_read(pass: &Pass, is_meant: impl Fn(&Group) -> bool) -> Option<&Described> {
    pass.log.iter().rev().find_map(|entry| match &entry.answer {
        Answer::Described(Ok(Some(described))) if is_meant(&described.group) => Some(described),
        _ => None,
    })
}

fn was_read(pass: &Pass, group: &Group, ours: &OwnerTag) -> Result<(), Violation> {
    is_ours(pass, &group.arn, ours)?;
    let read = last_read(pass, |read| read.id == group.id && read.etag == group.etag);
    hold(Property::S5, read.is_some(), || format!("ETag {} was not read in this reconcile", group.etag))
}

fn is_ours(pass: &Pass, arn: &Arn, ours: &OwnerTag) -> Result<(), Violation> {
    let owner = last_read(pass, |group| group.arn == *arn).and_then(|read| OwnerTag::in_tags(&read.tags));
    hold(Property::S1, owner.as_ref() == Some(ours), || format!("the owner tag read was {owner:?}"))
}

/// The owner that the tags name; a tag without a value names no owner.
pub fn named_owner(tags: &Tags) -> Option<OwnerTag> {
    OwnerTag::in_tags(tags).filter(|owner| !owner.as_str().is_empty())
}

fn may_be_adopted(scenario: &Scenario, pass: &Pass, read: &Described, tags: &Tags, ours: &OwnerTag) -> bool {
    let spec = &pass.input.object.spec;
    let object_agrees = match spec.adoption_policy {
        AdoptionPolicy::Never => false,
        AdoptionPolicy::IfUnchanged => matches(spec, &read.group, &read.tags),
        AdoptionPolicy::Always => true,
    };
    let only_the_owner =
        tags.keys().all(|key| Claim::KEYS.contains(&key.as_str())) && OwnerTag::in_tags(tags).as_ref() == Some(ours);
    let unowned = OwnerTag::in_tags(&read.tags).is_none() && !read.group.is_default;
    scenario.allow_adoption && object_agrees && only_the_owner && unowned && !pass.deleting()
}

fn no_tenant_was_seen(pass: &Pass, id: &GroupId) -> Result<(), Violation> {
    let seen = pass.log.iter().rev().find_map(|entry| match (&entry.call, &entry.answer) {
        (Call::Tenants(of), Answer::Tenants(Ok(tenants))) if of == id => Some(tenants),
        _ => None,
    });
    let free = seen.is_some_and(|tenants: &Tenants| !tenants.any());
    hold(Property::S4, free, || format!("of its tenants the reconcile saw {seen:?}"))
}

/// Whether a group matches a spec, as far as it was shown; tags and lists of others do not count.
pub fn matches(spec: &ConnectionGroupSpec, group: &Group, tags: &Tags) -> bool {
    let list = group.config.anycast_ip_list_id.as_ref().map(ToString::to_string);
    let is = |shown: Option<bool>, asked: bool| shown.is_none_or(|shown| shown == asked);
    is(group.config.enabled, spec.enabled)
        && is(group.config.ipv6_enabled, spec.ipv6_enabled)
        && list_matches(spec.anycast_ip_list_id.as_deref(), list.as_deref())
        && spec.tags.iter().all(|(key, value)| tags.get(key) == Some(value))
}

/// S3, S6, S8, O3 and L3, for the outcome of a reconcile.
pub fn of_outcome(
    scenario: &Scenario,
    state: &State,
    operator: usize,
    pass: &Pass,
    outcome: &Outcome,
) -> Result<(), Violation> {
    let object = &pass.input.object;
    if outcome.finalizer == Finalizer::Release {
        of_release(scenario, state, operator, object)?;
    }
    let read = last_read(pass, |_| true).filter(|read| read.group.name.as_str() == &*state.name);
    ready::of_outcome(scenario, state, operator, pass, outcome)?;
    if let (Some(read), None, Mode::Manage, false) = (read, &outcome.error, object.spec.mode, pass.deleting()) {
        let owner = named_owner(&read.tags).filter(|owner| *owner != state.owner_tag(operator));
        let reason = condition(&outcome.status.conditions, "Ready").map(|ready| ready.reason.as_str());
        let reported = reason == Some("NotOwned") || read.group.is_default;
        hold(Property::S8, owner.is_none() || reported, || {
            format!("{owner:?} owns the group, reported is {reason:?}")
        })?;
    }
    reviewed::of_outcome(scenario, state, operator, pass, outcome)?;
    let request = object.annotations().get(RECONCILE_REQUESTED_AT);
    let handled = |status: &ConnectionGroupStatus| status.last_handled_reconcile_at.as_ref() == request;
    let answers = request.is_some() && handled(&outcome.status) && !object.status.as_ref().is_some_and(handled);
    let asked = pass.log.iter().any(|entry| matches!(entry.call, Call::Describe(_)));
    hold(Property::O3, asked || !answers || object.spec.suspend, || format!("{request:?} was answered unasked"))?;
    let transient = outcome.error.as_ref().is_some_and(|error| !needs_a_person(error.class));
    let was_stalled = object.status.as_ref().is_some_and(|status| is_true(&status.conditions, "Stalled"));
    let stalled = is_true(&outcome.status.conditions, "Stalled") && !was_stalled;
    hold(Property::L3, !(transient && stalled), || "a transient error ended in Stalled".to_owned())?;
    let due = outcome.requeue <= Duration::from_mins(5);
    hold(Property::L3, due, || format!("the next reconcile is due in {:?}", outcome.requeue))
}

fn of_release(scenario: &Scenario, state: &State, operator: usize, object: &ConnectionGroup) -> Result<(), Violation> {
    if !scenario.lease {
        return Ok(());
    }
    let ours = state.claim(operator);
    let managed = object.spec.mode == Mode::Manage && object.spec.deletion_policy == DeletionPolicy::Delete;
    let left = state.account.groups(state.timestamp()).into_iter().find(|group| {
        let tags = group.resource.tags.as_ref();
        managed && !group.resource.is_default && tags.is_some_and(|tags| ours.is_in(tags))
    });
    hold(Property::S3, left.is_none(), || format!("{} is still there", left.unwrap().resource.id))?;
    let claims = |tags: &Tags| ours.is_in(tags);
    let retained = object.spec.mode == Mode::Manage && object.spec.deletion_policy == DeletionPolicy::Retain;
    let outstanding = state.late.iter().find(|call| match call {
        // A group cannot be created under the name of the default group, nor under that of a group that stays.
        Call::Create(new) => {
            let stays = |group: &Shown| group.is_default || retained;
            claims(&new.tags) && !state.group().is_some_and(|group| stays(&group))
        }
        Call::Tag(_, tags) => claims(tags),
        _ => false,
    });
    hold(Property::S3, outstanding.is_none(), || format!("a {} of ours may yet land", outstanding.unwrap().operation()))
}

/// S7, and S1 for groups of other names, in a state.
pub fn of_state(state: &State) -> Result<(), Violation> {
    for ours in OWNER_TAGS {
        let owned = state.account.histories(state.timestamp()).filter(|history| {
            history.current.is_some() && history.tags.get(OwnerTag::KEY).is_some_and(|owner| owner == ours)
        });
        let count = owned.count();
        hold(Property::S7, count < 2, || format!("{count} groups carry {ours}"))?;
    }
    let left_alone = state.neighbours.is_empty() || *state.neighbours == *state.groups_of_others();
    hold(Property::S1, left_alone, || format!("{:?} have become {:?}", state.neighbours, state.groups_of_others()))
}
