//! What must always hold, as an independent review demanded: the safety properties S9 to S17. In: a call about to be made, or an outcome. Out: nothing, or
//! the [`Violation`]. Pure. What an object really sent is known here from its calls, not from its status.

use std::{sync::Arc, time::Duration};

use connection_group_operator::{
    api::{ConnectionGroup, Member, Mode, NO_LIST, condition, is_true},
    clock::Moment,
    cloudfront::{Arn, Described, Group, Members, Tags},
    reconcile::{
        Finalizer, Outcome,
        ownership::{Claim, Installation, OwnerTag},
    },
};

use crate::{
    canon::since_epoch,
    properties::{Property, Violation, hold, last_read, named_owner},
    replay::Call,
    state::{Pass, Scenario, State},
};

/// How long tags may take to show.
const MINUTE: Duration = Duration::from_mins(1);

/// S9, for a call just after the object of its reconcile was confirmed to be up to date, or needed no confirmation.
pub fn of_view(state: &State, operator: usize, pass: &Pass, call: &Call) -> Result<(), Violation> {
    let takes_something_away = match call {
        Call::Update(read, members) => takes_away(&read.config, members),
        Call::Delete(_) | Call::Untag(..) => true,
        Call::Tag(_, tags) => tags.contains_key(OwnerTag::KEY),
        // Something that existed before and is gone.
        Call::Create(_) => pass.input.object.status.as_ref().is_some_and(|status| !status.conditions.is_empty()),
        Call::Describe(_) | Call::Tags(_) | Call::Tenants(_) | Call::AnycastIpList(_) | Call::List => false,
    };
    let basis = |object: &ConnectionGroup| {
        let metadata = &object.metadata;
        (metadata.uid.clone(), metadata.generation, metadata.deletion_timestamp.is_some())
    };
    let current = state.object_of(operator).current.as_deref().map(basis);
    let seen = basis(&pass.input.object);
    hold(Property::S9, !takes_something_away || current.as_ref() == Some(&seen), || {
        format!("{} rests on {seen:?}, the object is {current:?}", call.operation())
    })
}

/// Whether clients that reach the group before may no longer reach it afterwards.
fn takes_away(before: &Members, after: &Members) -> bool {
    let goes_off = |before: Option<bool>, after: Option<bool>| before == Some(true) && after == Some(false);
    goes_off(before.enabled, after.enabled)
        || goes_off(before.ipv6_enabled, after.ipv6_enabled)
        || (before.anycast_ip_list_id.is_some() && before.anycast_ip_list_id != after.anycast_ip_list_id)
}

/// S11, S12, S14, S15 and S16, for a change just before it is made.
pub fn of_call(scenario: &Scenario, state: &State, operator: usize, pass: &Pass, call: &Call) -> Result<(), Violation> {
    let spec = &pass.input.object.spec;
    let sent = &state.object_of(operator).sent;
    match call {
        Call::Update(read, members) => {
            acts_here(scenario, state, operator, pass, call, &read.arn)?;
            let [before, after] = [&read.config, members].map(|members| members.anycast_ip_list_id.as_ref());
            let goes = before.filter(|list| after != Some(*list) && spec.anycast_ip_list_id.is_none());
            hold(Property::S11, goes.is_none_or(|list| sent.lists.contains(list.as_str())), || {
                format!("{} goes, and this object attached {:?}", goes.unwrap(), sent.lists)
            })
        }
        Call::Delete(read) => acts_here(scenario, state, operator, pass, call, &read.arn),
        Call::Untag(arn, keys) => {
            acts_here(scenario, state, operator, pass, call, arn)?;
            let read = last_read(pass, |group| group.arn == *arn);
            let tags = read.map(|read| &read.tags);
            let was_sent = |key: &String| {
                tags.and_then(|tags| tags.get(key))
                    .is_none_or(|value| sent.tags.contains(&(key.clone(), value.clone())))
            };
            let lost = keys.iter().filter(|key| !Claim::KEYS.contains(&key.as_str())).find(|key| !was_sent(key));
            hold(Property::S12, lost.is_none(), || format!("{lost:?} goes, and this object sent {:?}", sent.tags))?;
            let in_service = read.is_some_and(|read| read.group.config.enabled != Some(false));
            hold(Property::S16, in_service || !spec.enabled || !keys.contains(OwnerTag::KEY), || {
                "it is released while it is off".to_owned()
            })
        }
        Call::Tag(arn, tags) => {
            acts_here(scenario, state, operator, pass, call, arn)?;
            is_old_enough(state, pass, arn, tags)
        }
        Call::Create(_)
        | Call::Describe(_)
        | Call::Tags(_)
        | Call::Tenants(_)
        | Call::AnycastIpList(_)
        | Call::List => Ok(()),
    }
}

/// S14: the identity on the group is ours, or is set now.
fn acts_here(
    scenario: &Scenario,
    state: &State,
    operator: usize,
    pass: &Pass,
    call: &Call,
    arn: &Arn,
) -> Result<(), Violation> {
    let claim = state.claim(operator);
    let read = last_read(pass, |group| group.arn == *arn);
    let acting = read.and_then(|read| Installation::in_tags(&read.tags));
    let marks = matches!(call, Call::Tag(_, tags) if Installation::in_tags(tags).as_ref() == Some(&claim.installation));
    let heir = scenario.cast.predecessor(state.operators[operator].object);
    let may = match &acting {
        Some(acting) if *acting == claim.installation => true,
        None => marks,
        Some(_) => marks && acting == heir,
    };
    hold(Property::S14, may, || format!("{acting:?} acts on the group, this is {}", claim.installation))
}

/// S15: a group that gets our owner tag has really existed for at least as long as a tag may take to show.
fn is_old_enough(state: &State, pass: &Pass, arn: &Arn, tags: &Tags) -> Result<(), Violation> {
    let unowned = last_read(pass, |group| group.arn == *arn).is_some_and(|read| !read.tags.contains_key(OwnerTag::KEY));
    if !unowned || !tags.contains_key(OwnerTag::KEY) {
        return Ok(());
    }
    let now = state.timestamp();
    let mut there = state.account.histories(now).filter_map(|history| history.current);
    let young = there
        .any(|group| arn.as_str().ends_with(group.id) && since_epoch(now) < since_epoch(group.created_at) + MINUTE);
    hold(Property::S15, !young, || format!("{arn} was made less than a minute ago"))
}

/// S10, S13 and S17, for the outcome of a reconcile.
pub fn of_outcome(
    scenario: &Scenario,
    state: &State,
    operator: usize,
    pass: &Pass,
    outcome: &Outcome,
) -> Result<(), Violation> {
    off_at_once(scenario, state, operator, pass)?;
    keeps_the_living(scenario, state, operator, pass, outcome)?;
    absence_says_nothing(state, operator, pass, outcome)
}

/// Whether a read shows a version that an answered change of this process had replaced when the reconcile began: CloudFront refuses any change of it.
pub fn is_outdated(scenario: &Scenario, state: &State, operator: usize, pass: &Pass, read: &Group) -> bool {
    let started = pass.input.started.saturating_sub(state.operators[operator].process_start);
    let window = scenario.settings(state.operators[operator].object).consistency_window;
    pass.input.memory.versions.replaced.shows_in(read, window, Moment::after_start(started))
}

/// S10, unless CloudFront has refused that same switch, the reconcile has already made its change, or its read is stale.
fn off_at_once(scenario: &Scenario, state: &State, operator: usize, pass: &Pass) -> Result<(), Violation> {
    let object = &pass.input.object;
    let spec = &object.spec;
    let refused = object.status.iter().flat_map(|status| &status.refused).any(|one| one.member == Member::Enabled);
    let created = pass.log.iter().any(|entry| matches!(entry.call, Call::Create(_)));
    if pass.deleting() || spec.suspend || spec.mode != Mode::Manage || spec.enabled || refused || created {
        return Ok(());
    }
    let claim = state.claim(operator);
    let ours = |read: &Described| {
        OwnerTag::in_tags(&read.tags).as_ref() == Some(&claim.owner)
            && Installation::in_tags(&read.tags).as_ref() == Some(&claim.installation)
    };
    let Some(read) = last_read(pass, |group| group.name.as_str() == &*state.name)
        .filter(|read| ours(read) && !read.group.is_default && read.group.config.enabled == Some(true))
    else {
        return Ok(());
    };
    if is_outdated(scenario, state, operator, pass, &read.group) {
        return Ok(());
    }
    let off = pass.log.iter().any(|entry| matches!(&entry.call, Call::Update(_, sent) if is_off_alone(read, sent)));
    hold(Property::S10, off, || format!("it was read as {:?}", read.group.config))
}

fn is_off_alone(read: &Described, sent: &Members) -> bool {
    let Group { config, .. } = &read.group;
    let same_family = config.ipv6_enabled.is_none() || config.ipv6_enabled == sent.ipv6_enabled;
    sent.enabled == Some(false) && same_family && config.anycast_ip_list_id == sent.anycast_ip_list_id
}

/// S13. Two false answers do not confirm each other.
fn keeps_the_living(
    scenario: &Scenario,
    state: &State,
    operator: usize,
    pass: &Pass,
    outcome: &Outcome,
) -> Result<(), Violation> {
    let Some(known) = pass.input.object.status.as_ref().and_then(|status| status.id.as_ref()) else { return Ok(()) };
    if scenario.budget.faults - state.left.faults > 1
        || outcome.finalizer == Finalizer::Release
        || outcome.status.id.as_ref() == Some(known)
    {
        return Ok(());
    }
    let claim = state.claim(operator);
    // An answer that names another owner is trusted at once, because nothing is changed then.
    let anothers = |read: &Described| named_owner(&read.tags).is_some() && !claim.is_in(&read.tags);
    if last_read(pass, |group| group.id.as_str() == known).is_some_and(anothers) {
        return Ok(());
    }
    let groups = state.account.groups(state.timestamp());
    let lives = groups.iter().any(|group| {
        let tags = group.resource.tags.clone().unwrap_or_default();
        group.resource.id == *known && group.resource.name == *state.name && claim.is_in(&tags)
    });
    hold(Property::S13, !lives, || format!("{known} lives, and status says {:?}", outcome.status.id))
}

/// S17, for an object that was Ready and whose group is unchanged, as far as it was shown.
fn absence_says_nothing(state: &State, operator: usize, pass: &Pass, outcome: &Outcome) -> Result<(), Violation> {
    let object = &pass.input.object;
    let (Some(status), Some(read)) = (&object.status, last_read(pass, |_| true)) else { return Ok(()) };
    let Group { id, etag, config, deployment, .. } = &read.group;
    let told = [config.enabled, config.ipv6_enabled].into_iter().flatten();
    let asked = [config.enabled.map(|_| object.spec.enabled), config.ipv6_enabled.map(|_| object.spec.ipv6_enabled)];
    let in_step = told.eq(asked.into_iter().flatten())
        && config.anycast_ip_list_id.as_ref().map(ToString::to_string) == status.anycast_ip_list_id
        && object.spec.tags.iter().all(|(key, value)| read.tags.get(key) == Some(value))
        && state.claim(operator).is_in(&read.tags);
    let same = status.id.as_deref() == Some(id.as_str()) && status.e_tag.as_deref() == Some(etag.as_str());
    let was_ready = is_true(&status.conditions, "Ready")
        && Some(status.observed_generation) == object.metadata.generation
        && object.spec.mode == Mode::Manage
        && !object.spec.suspend;
    let quiet = outcome.error.is_none() && !pass.log.iter().any(|entry| entry.call.operation().is_mutation());
    if deployment.is_some() || !in_step || !same || !was_ready || !quiet || pass.deleting() {
        return Ok(());
    }
    let now = condition(&outcome.status.conditions, "Ready").map(|ready| ready.reason.as_str());
    hold(Property::S17, is_true(&outcome.status.conditions, "Ready"), || format!("it was Ready, and now is {now:?}"))
}

/// Whether the list of a group is what the spec asks for; if the spec names none, any list is fine.
pub fn list_matches(spec: Option<&str>, shown: Option<&str>) -> bool {
    match spec {
        None => true,
        Some(NO_LIST) => shown.is_none(),
        Some(_) => spec == shown,
    }
}

impl State {
    /// Records what a call carries, whatever its result.
    pub fn sends(&mut self, operator: usize, pass: &Pass, call: &Call) {
        let slot = &mut self.objects[self.operators[operator].object];
        if slot.incarnation != pass.incarnation {
            return;
        }
        let (tags, list) = match call {
            Call::Create(new) => (Some(&new.tags), new.config.anycast_ip_list_id.as_ref()),
            Call::Tag(_, tags) => (Some(tags), None),
            Call::Update(read, members) => {
                let list = members.anycast_ip_list_id.as_ref();
                (None, list.filter(|list| read.config.anycast_ip_list_id.as_ref() != Some(*list)))
            }
            Call::Delete(_)
            | Call::Untag(..)
            | Call::Describe(_)
            | Call::Tags(_)
            | Call::Tenants(_)
            | Call::AnycastIpList(_)
            | Call::List => return,
        };
        let sent = Arc::make_mut(&mut slot.sent);
        sent.tags.extend(tags.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
        sent.lists.extend(list.map(ToString::to_string));
    }
}
