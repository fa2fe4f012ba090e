//! Carries the one mutation of a pass out. Talks to CloudFront through the port.
//!
//! In: a [`Mutation`], which holds the group as read in this pass. Out: a [`Conclusion`], or the [`Trouble`] that stopped it.

use std::time::Duration;

use super::{
    Known, Surroundings,
    backoff::Pace,
    conclude::{after, disabling, in_step, is_as_asked, members_refused, reconciling, release},
    conclusion::{Change, Conclusion, InStep, Next, Sight},
    desired::Intent,
    members::{contradictions, contradicts, differing, value},
    memory::Memory,
    message,
    ownership::Claim,
    plan::{Left, Mutation, Release, TagsLeft, Update},
    refusal::{is_about_the_members, refusal},
    trouble::{Trouble, explain},
};
use crate::{
    api::{Drift, Member, Reason, RefusalCause, RefusedMember, is_true},
    cloudfront::{ApiError, CloudFront, Deployment, Described, ErrorClass, Group, Members, NewGroup, Tenants},
};

/// How long tags usually take to be seen: what else is to be done about them waits so long, or they would be set again.
const TAGS_SHOW: Duration = Duration::from_secs(1);

/// Carries the mutation out.
///
/// # Errors
/// What stopped it.
pub async fn apply<C: CloudFront>(
    mutation: Mutation,
    intent: &Intent,
    known: &Known<'_>,
    memory: &mut Memory,
    around: &Surroundings<'_, C>,
) -> Result<Conclusion, Trouble> {
    let port = around.port;
    let mut write = Write { memory, around };
    Ok(match mutation {
        Mutation::Create(new) => create(&new, intent, known, &mut write).await?.with_tags(intent),
        Mutation::Adopt(Described { group, tags: _ }) => {
            write.claim(port.tag(&group.arn, &known.claim.tags()).await)?;
            let text = format!("Connection group {} was adopted: it had no owner.", known.name);
            let conclusion = reconciling(Sight::Group(group), Reason::Adopted, text.clone());
            // Whatever list it has, it came with it.
            let conclusion = Conclusion { attached: Change::Set(None), ..conclusion };
            conclusion.then(Next::Now).tell(Reason::Adopted, "Adopt", text)
        }
        Mutation::Mark(described) => {
            write.note(port.tag(&described.group.arn, &known.claim.installation.tag()).await)?;
            let text = message::marked(&known.name, &known.claim.installation);
            // Ready stays, where it is still true; nothing becomes Ready before the tag was read.
            let was_ready = is_true(&known.status.conditions, "Ready") && !known.spec_is_new();
            let conclusion = if was_ready && is_as_asked(&described, intent, known) {
                Conclusion { in_step: InStep::No, ..in_step(described.group, intent, known) }
            } else {
                reconciling(Sight::Group(described.group), Reason::Tagged, text.clone())
            };
            // Not at once: the tag may take a while to be seen, and would be put there again.
            conclusion.then(Next::Backoff(Pace::Quick)).tell(Reason::Tagged, "Tag", text)
        }
        Mutation::TakeOver(Described { group, tags: _ }, from) => {
            write.claim(port.tag(&group.arn, &known.claim.installation.tag()).await)?;
            let text = message::taken_over(&known.name, &from, &known.claim.installation);
            let conclusion = reconciling(Sight::Group(group), Reason::TakenOver, text.clone());
            conclusion.then(Next::Backoff(Pace::Quick)).tell(Reason::TakenOver, "TakeOver", text)
        }
        Mutation::Update(Described { group, tags: _ }, update) => {
            update_members(&group, &update, intent, known, &mut write).await?
        }
        Mutation::Tag(Described { group, tags: read }, set, left) => {
            write.memory.tagged.forget(&set.keys().cloned().collect());
            let answer = write.note(port.tag(&group.arn, &set).await);
            answer.map_err(|error| Trouble::from(error).with_tags(&set))?;
            write.memory.tagged.set(&group.id, &set, around.clock.moment());
            let text = format!("Tags were set: {}.", set.keys().map(String::as_str).collect::<Vec<_>>().join(", "));
            let lost = known.lost_tags(&set, &Described { group: group.clone(), tags: read });
            if !lost.is_empty() {
                write.put_right();
            }
            let mut applied = known.tags_sent_to(&group);
            applied.extend(set);
            let has_tags_left = left == Left::Tags;
            let conclusion = Conclusion { tags: Change::Set(applied), ..after(group, left, intent, known) };
            let conclusion = if has_tags_left { conclusion.then(Next::After(TAGS_SHOW)) } else { conclusion };
            conclusion.despite(lost).tell(Reason::Tagged, "Tag", text)
        }
        Mutation::Untag(Described { group, tags: _ }, keys, left) => {
            write.memory.tagged.forget(&keys);
            write.note(port.untag(&group.arn, &keys).await)?;
            write.memory.tagged.removed(&group.id, &keys, around.clock.moment());
            let mut applied = known.tags_sent_to(&group);
            applied.retain(|key, _| !keys.contains(key));
            let text = format!("Tags were removed: {}.", keys.into_iter().collect::<Vec<_>>().join(", "));
            let conclusion = Conclusion { tags: Change::Set(applied), ..after(group, left, intent, known) };
            conclusion.tell(Reason::Tagged, "Untag", text)
        }

        Mutation::Disable(Described { group: read, tags: _ }) => disable(read, known, &mut write).await?,
        Mutation::Enable(Described { group: read, tags: _ }, blocker) => {
            let on = Members { enabled: Some(true), ..read.config.clone() };
            let group = match write.updated(&read, port.update(&read, &on).await) {
                Ok(group) => group,
                Err(error) if waits_for_rollout(&error, &read) => return Ok(postponed(read).then(Next::Tenants)),
                Err(error) => return Err(error.into()),
            };
            if contradicts(&group.config, &on) {
                return Ok(not_as_asked(group, &on));
            }
            let text = message::enabled_again(&known.name, blocker);
            let lost = lost(&read, &group);
            let conclusion = reconciling(Sight::Group(group), Reason::EnabledAgain, text.clone()).then(Next::Now);
            conclusion.warn(Reason::EnabledAgain, "Enable", text).without(&read, "Enable", &lost)
        }
        Mutation::Delete(Described { group, tags: _ }) => {
            if let Err(error) = write.note(port.delete(&group).await) {
                if error.class == ErrorClass::HasTenants {
                    write.memory.delete_was_refused(known.now, known.settle_window);
                }
                return Err(error.into());
            }
            write.memory.replaced.add(&group, None, around.clock.moment());
            let text = format!("Connection group {} was deleted; waiting for proof that it is gone.", known.name);
            if bug!(ReleasedAfterTheDelete) {
                return Ok(release(&Release::Gone, None, known));
            }
            reconciling(Sight::Unchanged, Reason::Deleting, text).then(Next::WithTheList)
        }
        Mutation::Disown(Described { group, tags: _ }) => {
            let keys = Claim::KEYS.map(str::to_owned).into();
            write.note(port.untag(&group.arn, &keys).await)?;
            release(&Release::Retained, group.config.enabled, known)
        }
    })
}

/// Tells memory of each mutation as it ends.
struct Write<'a, 'b, C> {
    memory: &'a mut Memory,
    around: &'a Surroundings<'b, C>,
}

impl<C: CloudFront> Write<'_, '_, C> {
    fn note<T>(&mut self, result: Result<T, ApiError>) -> Result<T, ApiError> {
        self.memory.wrote(self.around.clock.moment());
        self.memory.ended(&result);
        result
    }

    /// Of an update, which is answered with the version that it made.
    fn updated(&mut self, read: &Group, result: Result<Group, ApiError>) -> Result<Group, ApiError> {
        if let Ok(group) = &result {
            self.memory.made = Some((group.id.clone(), group.etag.clone()));
            self.memory.replaced.add(read, Some(&group.etag), self.around.clock.moment());
        }
        self.note(result)
    }

    /// Of a change of others that was put right; whether it is time to tell people that it happens again and again.
    fn put_right(&mut self) -> bool {
        let now = self.around.clock.moment();
        self.memory.dispute.put_right(now);
        self.memory.dispute.is_flapping(now)
    }

    /// Of what others changed too, and a part of a change did not put right; what was refused before is no change of others.
    fn remains(&mut self, update: &Update) {
        let is_done = |member: &Member| {
            update.selection.members.contains(member) || update.refused.iter().any(|refused| refused.member == *member)
        };
        self.memory.dispute.look(!update.open.iter().all(is_done));
    }

    /// Of an update of members that succeeded.
    fn carried_out(&mut self, known: &Known<'_>) {
        self.memory.trial = known.trial.clone();
        self.memory.trial.carried_out();
    }

    /// Of an update of members that was refused for what it says.
    fn refused(&mut self, update: &Update, known: &Known<'_>) {
        self.memory.trial = known.trial.clone();
        self.memory.trial.refused(&update.selection, &update.open, &known.uid, known.now);
    }

    /// Of a mutation that makes a group ours.
    fn claim<T>(&mut self, result: Result<T, ApiError>) -> Result<T, ApiError> {
        if result.is_ok() || !bug!(DoubtfulCreateIsForgotten) {
            self.memory.claimed(self.around.clock.moment());
        }
        self.memory.ended(&result);
        result
    }
}

async fn create<C: CloudFront>(
    new: &NewGroup,
    intent: &Intent,
    known: &Known<'_>,
    write: &mut Write<'_, '_, C>,
) -> Result<Conclusion, Trouble> {
    let port = write.around.port;
    match write.claim(port.create(new).await) {
        Ok(group) => {
            write.memory.tagged.set(&group.id, &new.tags, write.around.clock.moment());
            let text = format!("Connection group {} was created as {}.", group.name, group.id);
            let attached = Change::Set(new.config.anycast_ip_list_id.as_ref().map(ToString::to_string));
            let sent = new.config.clone().into();
            let conclusion = if contradicts(&group.config, &sent) {
                not_as_asked(group, &sent)
            } else {
                in_step(group, intent, known)
            };
            Ok(Conclusion { attached, ..conclusion }.tell(Reason::Created, "Create", text))
        }
        Err(error) => Err(explain(error, &new.config, port).await.with_tags(&new.tags)),
    }
}

/// Takes the group out of service: for its deletion, or because the spec says so while the deletion is held back.
async fn disable<C: CloudFront>(
    read: Group,
    known: &Known<'_>,
    write: &mut Write<'_, '_, C>,
) -> Result<Conclusion, Trouble> {
    let off = Members { enabled: Some(false), ..read.config.clone() };
    let group = match write.updated(&read, write.around.port.update(&read, &off).await) {
        Ok(group) => group,
        Err(error) if waits_for_rollout(&error, &read) => return Ok(postponed(read)),
        Err(error) => return Err(error.into()),
    };
    if contradicts(&group.config, &off) {
        return Ok(not_as_asked(group, &off));
    }
    let lost = lost(&read, &group);
    let conclusion = if known.wants_traffic {
        let text = "The group is disabled so that it can be deleted; no tenant uses it.".to_owned();
        disabling(group).tell(Reason::Disabling, "Disable", text)
    } else {
        let tenants = write.around.port.tenants(&group.id).await;
        let text = "The group is disabled, as spec.enabled says.".to_owned();
        let conclusion = reconciling(Sight::Group(group), Reason::Updating, text.clone()).then(Next::Now);
        with_tenants_off_air(conclusion.tell(Reason::Updated, "Disable", text), tenants)
    };
    Ok(conclusion.without(&read, "Disable", &lost))
}

/// Warns of tenants whose group was taken out of service because the spec says so.
#[must_use]
pub fn with_tenants_off_air(conclusion: Conclusion, tenants: Result<Tenants, ApiError>) -> Conclusion {
    match tenants {
        Ok(tenants) if tenants.any() => {
            conclusion.warn(Reason::DisabledWithTenants, "Disable", message::off_air(&tenants))
        }
        Ok(_) => conclusion,
        Err(error) => conclusion.warn(Reason::DisabledWithTenants, "Disable", message::perhaps_off_air(&error)),
    }
}

async fn update_members<C: CloudFront>(
    read: &Group,
    update: &Update,
    intent: &Intent,
    known: &Known<'_>,
    write: &mut Write<'_, '_, C>,
) -> Result<Conclusion, Trouble> {
    let port = write.around.port;
    let Update { config, selection: _, open: _, refused: _, changes, left: _, tags: _ } = update;
    let group = match write.updated(read, port.update(read, config).await) {
        Ok(group) => group,
        Err(error) if waits_for_rollout(&error, read) => return Ok(postponed(read.clone())),
        Err(error) if error.class == ErrorClass::StaleEtag && bug!(OutdatedUpdateIsDone) => {
            return Ok(in_step(read.clone(), intent, known));
        }
        Err(error) if is_about_the_members(&error) => {
            return refused(error, read.clone(), update, known, write).await;
        }
        Err(error) => return Err(error.into()),
    };
    write.carried_out(known);
    let switches_off = read.config.enabled != Some(false) && config.enabled == Some(false);
    let went_off = (switches_off || known.may_have_switched_off(read)).then(|| group.id.clone());
    let kept = contradictions(&group.config, config);
    let is_kept = |change: &&Drift| kept.iter().any(|member| member.as_str() == change.field);
    let made = changes.iter().filter(|change| !is_kept(change)).cloned().collect::<Vec<_>>();
    let text = message::changes(&made);
    let lost = lost(read, &group);
    let conclusion = written(group, update, intent, known).without(read, "Update", &lost);
    let conclusion = if made.is_empty() {
        conclusion
    } else if known.was_changed_by_others(read) {
        let flapping = write.put_right();
        write.remains(update);
        let text = format!("Somebody else's change was corrected: {text}.");
        let conclusion = conclusion.despite(made).tell(Reason::DriftCorrected, "Update", text);
        if flapping {
            conclusion.warn(Reason::DriftFlapping, "Update", message::FLAPPING.to_owned())
        } else {
            conclusion
        }
    } else {
        conclusion.tell(Reason::Updated, "Update", format!("{text}."))
    };
    Ok(match went_off {
        Some(id) => with_tenants_off_air(conclusion, port.tenants(&id).await),
        None => conclusion,
    })
}

/// CloudFront refused an update for what it says. Of several members each is tried alone, at once; one alone goes on record.
async fn refused<C: CloudFront>(
    error: ApiError,
    read: Group,
    update: &Update,
    known: &Known<'_>,
    write: &mut Write<'_, '_, C>,
) -> Result<Conclusion, Trouble> {
    let members = &update.selection.members;
    let Some(member) = members.first().copied().filter(|_| members.len() == 1) else {
        write.refused(update, known);
        let on_record = known.refused().iter().filter(|refused| update.open.contains(&refused.member));
        let on_record = on_record.cloned().collect::<Vec<_>>();
        let conclusion = if on_record.is_empty() {
            reconciling(Sight::Group(read), Reason::Updating, message::refused_together(members))
        } else {
            members_refused(read, on_record, known)
        };
        return Ok(conclusion.then(Next::Now).failed(error));
    };
    let refusal = refusal(&error, member, &update.config, write.around.port).await;
    // Whatever the cause, the next member has its turn.
    write.refused(update, known);
    let refusal = refusal.ok_or_else(|| error.clone())?;
    let text = message::member_refused(&known.name, &refusal, read.config.anycast_ip_list_id.as_ref());
    let is_new = !known.refused().contains(&refusal);
    let mut all = update.refused.clone();
    all.push(refusal);
    all.sort_by_key(|refused| refused.member);
    let pause = write.memory.trial.pause(known.now);
    let next = match (update.tags, pause) {
        (TagsLeft::None, pause) if !pause.is_zero() => Next::After(pause),
        (TagsLeft::None | TagsLeft::Some, _) => Next::Now,
    };
    let conclusion = members_refused(read, all, known).then(next).failed(error.clone());
    let conclusion = Conclusion { refused_now: Some(member), ..conclusion };
    Ok(if is_new {
        conclusion.warn(Reason::MemberRefused, "Update", message::with_request_id(&text, &error))
    } else {
        conclusion
    })
}

/// The elements that the answer to an update no longer shows.
fn lost(read: &Group, answered: &Group) -> Vec<String> {
    read.elements.lost(&answered.elements).map(ToOwned::to_owned).collect()
}

/// Whether CloudFront refused a change because an earlier one is still rolled out.
fn waits_for_rollout(error: &ApiError, read: &Group) -> bool {
    error.class == ErrorClass::InUse && matches!(read.deployment, Some(Deployment::Pending(_)))
}

fn postponed(read: Group) -> Conclusion {
    let text = message::waits_for_rollout(read.deployment.as_ref());
    // The list that shows the end of the roll-out wakes the object.
    reconciling(Sight::Group(read), Reason::Deploying, text).then(Next::DeepCheck)
}

/// What CloudFront answered to an update, against what was asked for.
fn written(group: Group, update: &Update, intent: &Intent, known: &Known<'_>) -> Conclusion {
    let Update { config: asked, selection, open: _, refused, changes: _, left, tags: _ } = update;
    let left = if first_stated_otherwise(&group, asked, intent, known) { Left::Members } else { left.clone() };
    let has_list = selection.members.contains(&Member::AnycastIpListId);
    let attached = match &asked.anycast_ip_list_id {
        Some(list) if has_list && !bug!(AttachedListIsForgotten) => Change::Set(Some(list.to_string())),
        None if has_list && group.config.anycast_ip_list_id.is_none() => Change::Set(None),
        Some(_) | None => Change::Keep,
    };
    let conclusion = if has_list && asked.anycast_ip_list_id.is_none() && group.config.anycast_ip_list_id.is_some() {
        // The next pass reads whether it really stayed.
        let ignored = RefusedMember {
            member: Member::AnycastIpListId,
            desired: String::new(),
            cause: RefusalCause::DetachIgnored,
            detail: String::new(),
        };
        let text = message::member_refused(&known.name, &ignored, group.config.anycast_ip_list_id.as_ref());
        let all = refused.iter().cloned().chain([ignored]).collect();
        let conclusion = members_refused(group, all, known).then(Next::Now);
        let conclusion = Conclusion { refused_now: Some(Member::AnycastIpListId), ..conclusion };
        conclusion.warn(Reason::MemberRefused, "Update", text)
    } else if contradicts(&group.config, asked) {
        not_as_asked(group, asked)
    } else if left == Left::Members && !refused.is_empty() {
        members_refused(group, refused.clone(), known).then(Next::Now)
    } else {
        after(group, left, intent, known)
    };
    Conclusion { attached, ..conclusion }
}

/// Whether the answer states a member that the read left out, so that it was not sent, and it is not as the spec says.
fn first_stated_otherwise(group: &Group, asked: &Members, intent: &Intent, known: &Known<'_>) -> bool {
    let Intent::Present(desired) = intent else { return false };
    let wanted = desired.target(&group.config, known.attached_list(group).as_ref());
    differing(&wanted, &group.config).iter().any(|member| value(asked, *member).is_none())
}

fn not_as_asked(group: Group, asked: &Members) -> Conclusion {
    let text = message::not_as_asked(&group.config, asked);
    reconciling(Sight::Group(group), Reason::Conflict, text).then(Next::Backoff(Pace::Quick))
}
