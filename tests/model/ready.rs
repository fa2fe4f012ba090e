//! S6: when an object may be Ready, and a generation of it synced. In: the outcome of a reconcile, or a status about to be written. Out: nothing, or the
//! [`Violation`]. Pure.

use connection_group_operator::{
    api::{ConnectionGroup, ConnectionGroupStatus, Mode, is_true},
    clock::Moment,
    cloudfront::{Deployment, Described, Group, Members, Tags},
    reconcile::{Outcome, tags::TagChanges},
};

use crate::{
    properties::{Property, Violation, hold, matches, named_owner},
    replay::{Answer, Call},
    reviewed::{is_outdated, list_matches},
    state::{Pass, Scenario, State},
};

/// What a reconcile knows about the group when it ends.
enum Seen {
    /// It read nothing.
    None,
    /// There is no such group.
    Gone,
    /// The group as last read, with what the reconcile then changed.
    Group(Box<Described>),
}

/// For the outcome of a reconcile.
pub fn of_outcome(
    scenario: &Scenario,
    state: &State,
    operator: usize,
    pass: &Pass,
    outcome: &Outcome,
) -> Result<(), Violation> {
    let object = &pass.input.object;
    if object.spec.mode == Mode::Observe || object.spec.suspend {
        return Ok(());
    }
    let (status, generation) = (&outcome.status, object.metadata.generation);
    let before = object.status.as_ref();
    let ready = is_true(&status.conditions, "Ready");
    let of_this = Some(status.observed_generation) == generation;
    let was_synced = before.is_some_and(|before| before.synced_generation == generation);
    let was_ready = was_ready_in(object, status.observed_generation);
    let syncs = status.synced_generation == generation && !was_synced;
    let started = pass.input.started.saturating_sub(state.operators[operator].process_start);
    let started = Moment::after_start(started);
    let sight = sight(state, pass, |read| is_outdated(scenario, state, operator, pass, read));
    let is_in_step = |late: Tags| match &sight {
        Seen::None => was_synced,
        Seen::Gone => false,
        Seen::Group(read) => {
            let group = completed(pass, &read.group);
            let tags = read.tags.clone().into_iter().chain(late).collect();
            matches(&object.spec, &group, &tags)
                && (object.spec.anycast_ip_list_id.is_some()
                    || has_none_of_ours(scenario, state, operator, &group, status))
        }
    };
    hold(Property::S6, is_in_step(Tags::new()) || !syncs, || {
        format!("generation {generation:?} is not synced: {}", told(&sight))
    })?;
    if !ready {
        return Ok(());
    }
    let deployed = match &sight {
        Seen::None => true,
        Seen::Gone => false,
        Seen::Group(read) => completed(pass, &read.group).deployment == Some(Deployment::Deployed),
    };
    // Tags that an answered change of this process has set may show late: meanwhile the object is Ready but not synced.
    let late = match (&sight, pass.input.memory.tags.confirmed.may_not_show(started)) {
        (Seen::Group(read), Some((id, late))) if *id == read.group.id => late,
        _ => TagChanges::new(),
    };
    let late = late.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))).collect();
    let still = was_ready && (matches!(sight, Seen::None) || !of_this || is_so_but_for_tags(pass, &sight));
    hold(Property::S6, still || (of_this && is_in_step(late) && deployed), || told(&sight))
}

/// Whether a group that shows no owner is otherwise as it should be: one such answer proves nothing about its tags.
fn is_so_but_for_tags(pass: &Pass, sight: &Seen) -> bool {
    let Seen::Group(read) = sight else { return false };
    let (spec, group) = (&pass.input.object.spec, completed(pass, &read.group));
    named_owner(&read.tags).is_none()
        && matches(spec, &group, &spec.tags)
        && group.deployment == Some(Deployment::Deployed)
}

fn told(sight: &Seen) -> String {
    match sight {
        Seen::None => "nothing was read".to_owned(),
        Seen::Gone => "no group was found".to_owned(),
        Seen::Group(read) => format!("the group is {read:?}"),
    }
}

fn sight(state: &State, pass: &Pass, is_outdated: impl Fn(&Group) -> bool) -> Seen {
    let mut sight = Seen::None;
    for entry in &pass.log {
        match (&entry.call, &entry.answer, &mut sight) {
            // Older than an answered change of this process.
            (Call::Describe(_), Answer::Described(Ok(Some(read))), _) if is_outdated(&read.group) => {
                sight = Seen::None;
            }
            (Call::Describe(_), Answer::Described(Ok(read)), _) => {
                let read = read.clone().filter(|read| read.group.name.as_str() == &*state.name);
                sight = read.map_or(Seen::Gone, |read| Seen::Group(Box::new(read)));
            }
            // One answer that there is no group proves nothing if the next read fails.
            (Call::Describe(_), Answer::Described(Err(_)), Seen::Gone) => sight = Seen::None,
            (Call::Create(new), Answer::Group(Ok(group)), _) => {
                sight = Seen::Group(Box::new(Described { group: group.clone(), tags: new.tags.clone() }));
            }
            (Call::Update(..), Answer::Group(Ok(group)), Seen::Group(read)) => read.group = group.clone(),
            (Call::Tag(_, tags), Answer::Done(Ok(())), Seen::Group(read)) => read.tags.extend(tags.clone()),
            (Call::Untag(_, keys), Answer::Done(Ok(())), Seen::Group(read)) => {
                read.tags.retain(|key, _| !keys.contains(key));
            }
            (Call::Delete(_), Answer::Done(Ok(())), _) => sight = Seen::Gone,
            _ => {}
        }
    }
    sight
}

/// The group, with what its answers omitted filled in from what CloudFront stated before about the same version, or the same group.
fn completed(pass: &Pass, group: &Group) -> Group {
    let row = pass.input.snapshot.as_ref().and_then(|list| list.groups.get(&group.name));
    let row = row.filter(|row| row.id == group.id && row.etag == group.etag);
    let status = pass.input.object.status.as_ref().filter(|status| status.id.as_deref() == Some(group.id.as_str()));
    let version = status.filter(|status| status.e_tag.as_deref() == Some(group.etag.as_str()));
    let deployment = version.and_then(|status| status.status.as_deref()).map(Deployment::parse);
    let rolled_out = deployment.clone().filter(|deployment| *deployment == Deployment::Deployed);
    let listed = row.and_then(|row| row.deployment.clone());
    let enabled = row.and_then(|row| row.enabled).or_else(|| status.and_then(|status| status.enabled));
    Group {
        config: Members {
            enabled: group.config.enabled.or(enabled),
            ipv6_enabled: group.config.ipv6_enabled.or_else(|| status.and_then(|status| status.ipv6_enabled)),
            anycast_ip_list_id: group
                .config
                .anycast_ip_list_id
                .clone()
                .or_else(|| row.and_then(|row| row.anycast_ip_list_id.clone())),
        },
        deployment: group.deployment.clone().or(rolled_out).or(listed).or(deployment),
        ..group.clone()
    }
}

/// Whether the list that a group has although its spec names none may belong to someone else.
fn has_none_of_ours(
    scenario: &Scenario,
    state: &State,
    operator: usize,
    group: &Group,
    status: &ConnectionGroupStatus,
) -> bool {
    let Some(list) = &group.config.anycast_ip_list_id else { return true };
    let sent = &state.object_of(operator).sent.lists;
    let on_record = status.attached_anycast_ip_list_id.as_deref() == Some(list.as_str());
    !on_record && (state.lists_may_be_anothers(scenario, operator) || !sent.contains(list.as_str()))
}

/// For a status just before it is written: it shows what the generation that it names asks for.
pub fn of_write(
    scenario: &Scenario,
    state: &State,
    object: usize,
    pass: &Pass,
    status: &ConnectionGroupStatus,
) -> Result<(), Violation> {
    let generation = usize::try_from(status.observed_generation).unwrap_or_default();
    let variant = generation.checked_sub(1).and_then(|index| state.objects[object].variants.get(index));
    let Some(variant) = variant.filter(|_| is_true(&status.conditions, "Ready")) else { return Ok(()) };
    let spec = &scenario.specs[usize::from(*variant)];
    if spec.mode == Mode::Observe || spec.suspend {
        return Ok(());
    }
    let shown = (status.enabled, status.ipv6_enabled, status.status.as_deref());
    let asked = (spec.enabled, spec.ipv6_enabled, "Deployed");
    // What CloudFront has never stated is not shown.
    let terse = scenario.lies || !scenario.left_out.is_empty();
    let same = shown.0.map_or(terse, |enabled| enabled == asked.0)
        && shown.1.map_or(terse, |enabled| enabled == asked.1)
        && shown.2 == Some(asked.2);
    let listed = list_matches(spec.anycast_ip_list_id.as_deref(), status.anycast_ip_list_id.as_deref());
    // For the generation of this reconcile, its outcome was checked already.
    let generation = pass.input.object.metadata.generation;
    let judged =
        generation == Some(status.observed_generation) || was_ready_in(&pass.input.object, status.observed_generation);
    hold(Property::S6, same && listed && judged, || {
        format!("generation {} asks for {asked:?}, the status shows {shown:?}", status.observed_generation)
    })
}

/// Whether the reconcile began with an object that was Ready in that generation.
fn was_ready_in(object: &ConnectionGroup, generation: i64) -> bool {
    let before = object.status.as_ref();
    before.is_some_and(|before| before.observed_generation == generation && is_true(&before.conditions, "Ready"))
}
