//! Carries the one mutation of a pass out. Talks to CloudFront through the port.
//!
//! In: a [`Mutation`], which holds the group as read in this pass. Out: a [`Conclusion`], or the [`Trouble`] that stopped it.

use super::{
    Known, Surroundings,
    backoff::Pace,
    conclude::{after, disabling, reconciling, release, stuck},
    conclusion::{Change, Conclusion, InStep, Next, Sight},
    desired::Intent,
    memory::Memory,
    message,
    ownership::Claim,
    plan::{Left, Mutation, Release},
    trouble::{Trouble, explain},
};
use crate::{
    api::{Drift, Reason},
    cloudfront::{ApiError, CloudFront, Config, Deployment, Described, ErrorClass, Group, Members, NewGroup},
};

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
        Mutation::Create(new) => create(&new, known, &mut write).await?.with_tags(intent),
        Mutation::Adopt(Described { group, tags: _ }) => {
            write.claim(port.tag(&group.arn, &known.claim.tags()).await)?;
            let text = format!("Connection group {} was adopted: nobody owned it.", known.name);
            let conclusion = reconciling(Sight::Group(group), Reason::Adopted, text.clone());
            conclusion.then(Next::Backoff(Pace::Quick)).tell(Reason::Adopted, "Adopt", text)
        }
        Mutation::Mark(Described { group, tags: _ }) => {
            write.note(port.tag(&group.arn, &known.claim.installation.tag()).await)?;
            let text = message::marked(&known.name, &known.claim.installation);
            // What people were told of the object stays true.
            let conclusion = if known.status.conditions.is_empty() {
                reconciling(Sight::Group(group), Reason::Tagged, text.clone())
            } else {
                Conclusion { sight: Sight::Group(group), in_step: InStep::No, ..Conclusion::unchanged() }
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
        Mutation::Update(Described { group, tags: _ }, config, changes, left) => {
            update(&group, &config, &changes, left, known, &mut write).await?
        }
        Mutation::Tag(Described { group, tags: _ }, set, left) => {
            let answer = write.note(port.tag(&group.arn, &set).await);
            answer.map_err(|error| Trouble::from(error).with_tags(&set))?;
            let text = format!("Tags were set: {}.", set.keys().map(String::as_str).collect::<Vec<_>>().join(", "));
            let lost = known.lost_tags(&set);
            if !lost.is_empty() {
                write.put_right();
            }
            let mut applied = known.status.tags.clone();
            applied.extend(set);
            // Not at once: tags may take a while to be seen, and would be set again.
            let next = if left == Left::Tags { Next::Backoff(Pace::Quick) } else { Next::DeepCheck };
            let conclusion = Conclusion { tags: Change::Set(applied), ..after(group, left, known) };
            conclusion.then(next).despite(lost).tell(Reason::Tagged, "Tag", text)
        }
        Mutation::Untag(Described { group, tags: _ }, keys, left) => {
            write.note(port.untag(&group.arn, &keys).await)?;
            let mut applied = known.status.tags.clone();
            applied.retain(|key, _| !keys.contains(key));
            let text = format!("Tags were removed: {}.", keys.into_iter().collect::<Vec<_>>().join(", "));
            let conclusion = Conclusion { tags: Change::Set(applied), ..after(group, left, known) };
            conclusion.tell(Reason::Tagged, "Untag", text)
        }

        Mutation::Disable(Described { group: read, tags: _ }) => {
            let off = Members { enabled: Some(false), ..read.config.clone() };
            let group = match write.note(port.update(&read, &off).await) {
                Ok(group) => group,
                Err(error) if waits_for_rollout(&error, &read) => return Ok(postponed(read, &error)),
                Err(error) => return Err(error.into()),
            };
            let text = "The group is disabled so that it can be deleted; no tenant uses it.".to_owned();
            let lost = lost(&read, &group);
            disabling(group).tell(Reason::Disabling, "Disable", text).without(&read, "Disable", &lost)
        }
        Mutation::Delete(Described { group, tags: _ }) => {
            write.note(port.delete(&group).await)?;
            let text = format!("Connection group {} was deleted; waiting for proof that it is gone.", known.name);
            reconciling(Sight::Unchanged, Reason::Deleting, text).then(Next::WithTheList)
        }
        Mutation::Disown(Described { group, tags: _ }) => {
            let keys = Claim::KEYS.map(str::to_owned).into();
            write.note(port.untag(&group.arn, &keys).await)?;
            release(&Release::Retained, known)
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
        result
    }

    /// Of a change of others that was put right; whether it is time to tell people that it happens again and again.
    fn put_right(&mut self) -> bool {
        let now = self.around.clock.moment();
        self.memory.dispute.put_right(now);
        self.memory.dispute.is_flapping(now)
    }

    /// Of a mutation that makes a group ours.
    fn claim<T>(&mut self, result: Result<T, ApiError>) -> Result<T, ApiError> {
        self.memory.claimed(self.around.clock.moment());
        result
    }
}

async fn create<C: CloudFront>(
    new: &NewGroup,
    known: &Known<'_>,
    write: &mut Write<'_, '_, C>,
) -> Result<Conclusion, Trouble> {
    let port = write.around.port;
    match write.claim(port.create(new).await) {
        Ok(group) => {
            let text = format!("Connection group {} was created as {}.", group.name, group.id);
            Ok(written(group, &new.config, Left::Nothing, known).tell(Reason::Created, "Create", text))
        }
        Err(error) => Err(explain(error, &new.config, None, port).await.with_tags(&new.tags)),
    }
}

async fn update<C: CloudFront>(
    read: &Group,
    config: &Config,
    changes: &[Drift],
    left: Left,
    known: &Known<'_>,
    write: &mut Write<'_, '_, C>,
) -> Result<Conclusion, Trouble> {
    let port = write.around.port;
    let group = match write.note(port.update(read, &config.clone().into()).await) {
        Ok(group) => group,
        Err(error) if waits_for_rollout(&error, read) => return Ok(postponed(read.clone(), &error)),
        Err(error) => return Err(explain(error, config, Some(&read.config), port).await),
    };
    let tenants = match (read.config.enabled, config.enabled) {
        (Some(true) | None, false) => Some(port.tenants(&group.id).await),
        _ => None,
    };
    let text = message::changes(changes);
    let lost = lost(read, &group);
    let conclusion = written(group, config, left, known).without(read, "Update", &lost);
    let conclusion = if known.was_changed_by_others(read) {
        let flapping = write.put_right();
        let text = format!("Somebody else's change was put right: {text}.");
        let conclusion = conclusion.despite(changes.to_vec()).tell(Reason::DriftCorrected, "Update", text);
        if flapping {
            conclusion.warn(Reason::DriftFlapping, "Update", message::FLAPPING.to_owned())
        } else {
            conclusion
        }
    } else {
        conclusion.tell(Reason::Updated, "Update", format!("{text}."))
    };
    Ok(match tenants {
        Some(Ok(tenants)) if tenants.any() => {
            conclusion.warn(Reason::DisabledWithTenants, "Disable", message::off_air(&tenants))
        }
        Some(Err(error)) => conclusion.warn(Reason::DisabledWithTenants, "Disable", message::perhaps_off_air(&error)),
        Some(Ok(_)) | None => conclusion,
    })
}

/// The elements that the answer to an update no longer shows.
fn lost(read: &Group, answered: &Group) -> Vec<String> {
    read.elements.lost(&answered.elements).map(ToOwned::to_owned).collect()
}

/// Whether CloudFront refused a change because an earlier one is still rolled out.
fn waits_for_rollout(error: &ApiError, read: &Group) -> bool {
    error.class == ErrorClass::InUse && read.deployment != Some(Deployment::Deployed)
}

fn postponed(read: Group, error: &ApiError) -> Conclusion {
    let text = message::waits_for_rollout(read.deployment.as_ref(), error);
    reconciling(Sight::Group(read), Reason::Deploying, text).then(Next::WithTheList)
}

/// What CloudFront answered to a write, against what was asked for.
fn written(group: Group, asked: &Config, left: Left, known: &Known<'_>) -> Conclusion {
    match group.config.anycast_ip_list_id.clone() {
        // The next pass reads whether it really stayed.
        Some(list) if asked.anycast_ip_list_id.is_none() => stuck(group, list, known).then(Next::Now),
        _ if group.config.differ_from(asked) => {
            let text = message::not_as_asked(&group.config, asked);
            reconciling(Sight::Group(group), Reason::Conflict, text).then(Next::Backoff(Pace::Quick))
        }
        _ => after(group, left, known),
    }
}
