//! Carries a plan out. Talks to CloudFront through the port: at most one mutation, always of a group that was read in this pass.
//!
//! In: a [`Plan`]. Out: a [`Conclusion`], or the [`Trouble`] that stopped it.

use super::{
    Finalizer, Known, Surroundings,
    desired::Intent,
    memory::Memory,
    message,
    plan::{Block, Plan, Refusal, Release, Rest, Update},
    status::{Change, Conclusion, Next, Sight},
    trouble::{Trouble, explain},
};
use crate::{
    api::{BlockedBy, Reason, Standing},
    cloudfront::{
        ApiError, CloudFront, Config, Deployment, Described, ErrorClass, Group, NewGroup, Operation, Tenants,
    },
    reconcile::ownership::OwnerTag,
};

/// Carries the plan out.
///
/// # Errors
/// What stopped the one mutation.
pub async fn apply<C: CloudFront>(
    plan: Plan,
    intent: &Intent,
    known: &Known<'_>,
    memory: &mut Memory,
    around: &Surroundings<'_, C>,
) -> Result<Conclusion, Trouble> {
    let port = around.port;
    let mut write = Write { memory, around };
    Ok(match plan {
        Plan::Keep => Conclusion::unchanged(),
        Plan::Note(summary) => Conclusion::noted(summary, known),
        Plan::UpToDate(described) => in_step(described.group).with_tags(intent),
        Plan::Mirror(described, drift) => {
            let mut conclusion = in_step(described.group);
            if described.tags.get(OwnerTag::KEY).is_some_and(|tag| tag == known.owner_tag.as_str()) {
                conclusion.message += message::KEPT_OWNER_TAG;
            }
            conclusion.drift = Change::Set(drift);
            conclusion
        }
        Plan::NothingToMirror => {
            let text = message::not_found_to_mirror(&known.name);
            Conclusion::new(Sight::Nothing, Standing::Reconciling, Reason::GroupNotFound, text)
        }

        Plan::Create(new) => create(&new, &mut write).await?.with_tags(intent),
        Plan::Forget => {
            let id = known.status.id.as_deref().unwrap_or_default();
            let text = message::deleted_outside(&known.name, id);
            Conclusion::new(Sight::Nothing, Standing::Reconciling, Reason::DeletedOutside, text.clone())
                .then(Next::Now)
                .warn(Reason::DeletedOutside, "Read", text)
        }
        Plan::Adopt(described) => {
            let tags = [(OwnerTag::KEY.to_owned(), known.owner_tag.to_string())].into();
            write.note(Operation::TagResource, port.tag(described.arn(), &tags).await)?;
            let text = format!("Connection group {} was adopted: nobody owned it.", known.name);
            Conclusion::new(Sight::Group(described.group), Standing::Reconciling, Reason::Adopted, text.clone())
                .then(Next::Now)
                .tell(Reason::Adopted, "Adopt", text)
        }
        Plan::Update(update) => self::update(*update, intent, known, &mut write).await?,
        Plan::Tag(described, set) => {
            write.note(Operation::TagResource, port.tag(described.arn(), &set).await)?;
            let keys = set.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let mut applied = known.status.tags.clone();
            applied.extend(set);
            tagged(described.group, applied).tell(Reason::Tagged, "Tag", format!("Tags were set: {keys}."))
        }
        Plan::Untag(described, keys) => {
            write.note(Operation::UntagResource, port.untag(described.arn(), &keys).await)?;
            let applied = known.status.tags.iter().filter(|(key, _)| !keys.contains(*key));
            let applied = applied.map(|(key, value)| (key.clone(), value.clone())).collect();
            let keys = keys.into_iter().collect::<Vec<_>>().join(", ");
            tagged(described.group, applied).tell(Reason::Tagged, "Untag", format!("Tags were removed: {keys}."))
        }

        Plan::Disable(described) => {
            let config = Config { enabled: false, ..described.group.config.clone() };
            let group = port.update(described.id(), described.etag(), &config).await;
            let group = write.note(Operation::UpdateConnectionGroup, group)?;
            let text = "The group is disabled so that it can be deleted; no tenant uses it.".to_owned();
            disabling(group).tell(Reason::Disabling, "Disable", text)
        }
        Plan::AwaitDisabled(described) => disabling(described.group),
        Plan::Delete(described) => {
            let deleted = port.delete(described.id(), described.etag()).await;
            write.note(Operation::DeleteConnectionGroup, deleted)?;
            let text = format!("Connection group {} was deleted; waiting for proof that it is gone.", known.name);
            Conclusion::new(Sight::Unchanged, Standing::Reconciling, Reason::Deleting, text)
                .then(Next::In(around.policy.sweep_interval_active))
        }
        Plan::ConfirmGone => {
            let text = message::confirming_gone(&known.name, around.list_trouble);
            Conclusion::new(Sight::Unchanged, Standing::Reconciling, Reason::Deleting, text)
                .then(Next::In(around.policy.sweep_interval_active))
        }
        Plan::Disown(described) => {
            let keys = [OwnerTag::KEY.to_owned()].into();
            write.note(Operation::UntagResource, port.untag(described.arn(), &keys).await)?;
            release(Release::Retained, known)
        }
        Plan::Release(why) => release(why, known),

        Plan::Blocked(block) => blocked(block, known),
        Plan::Refuse(described, refusal) => refuse(described, &refusal, known),
    })
}

/// Tells memory of each mutation as it ends.
struct Write<'a, 'b, C> {
    memory: &'a mut Memory,
    around: &'a Surroundings<'b, C>,
}

impl<C: CloudFront> Write<'_, '_, C> {
    fn note<T>(&mut self, operation: Operation, result: Result<T, ApiError>) -> Result<T, ApiError> {
        self.memory.wrote(operation, result.as_ref().map(drop), self.around.clock.moment());
        result
    }
}

async fn create<C: CloudFront>(new: &NewGroup, write: &mut Write<'_, '_, C>) -> Result<Conclusion, Trouble> {
    let port = write.around.port;
    match write.note(Operation::CreateConnectionGroup, port.create(new).await) {
        Ok(group) => {
            let text = format!("Connection group {} was created as {}.", group.name, group.id);
            Ok(in_step(group).tell(Reason::Created, "Create", text))
        }
        Err(error) => Err(explain(error, &new.config, None, port).await),
    }
}

async fn update<C: CloudFront>(
    update: Update,
    intent: &Intent,
    known: &Known<'_>,
    write: &mut Write<'_, '_, C>,
) -> Result<Conclusion, Trouble> {
    let (port, Update { described, config, changes, rest }) = (write.around.port, update);
    let before = &described.group.config;
    let answer = port.update(described.id(), described.etag(), &config).await;
    let group = match write.note(Operation::UpdateConnectionGroup, answer) {
        Ok(group) => group,
        Err(error) if error.class == ErrorClass::InUse && described.group.deployment != Deployment::Deployed => {
            return Ok(in_step(described.group).then(Next::In(write.around.policy.sweep_interval_active)));
        }
        Err(error) => return Err(explain(error, &config, Some(before), port).await),
    };
    let turned_off = before.enabled && !config.enabled;
    let tenants = if turned_off { port.tenants(&group.id).await.ok() } else { None };
    let kept_list = group.config.anycast_ip_list_id.clone().filter(|_| config.anycast_ip_list_id.is_none());

    let conclusion = match (rest, kept_list) {
        (Rest::RejectedDetach, _) => match &group.config.anycast_ip_list_id {
            Some(list) => {
                let refusal = Refusal::AnycastDetachRejected(list.clone());
                refuse(Described { group, tags: described.tags }, &refusal, known)
            }
            None => in_step(group),
        },
        (_, Some(list)) => {
            let refusal = Refusal::AnycastDetachRejected(list);
            refuse(Described { group, tags: described.tags }, &refusal, known).then(Next::Now)
        }
        (Rest::Tags, None) => in_step(group).then(Next::Now),
        (Rest::Rollout, None) => in_step(group).with_tags(intent),
    };
    let (reason, who) = if known.spec_is_new() {
        (Reason::Updated, "")
    } else {
        (Reason::DriftCorrected, "Somebody else's change was put right: ")
    };
    let conclusion = conclusion.tell(reason, "Update", format!("{who}{}.", message::changes(&changes)));
    Ok(match tenants {
        Some(tenants) if tenants.count > 0 => {
            conclusion.warn(Reason::DisabledWithTenants, "Disable", off_air(&tenants))
        }
        _ => conclusion,
    })
}

fn off_air(tenants: &Tenants) -> String {
    format!(
        "The group was disabled, as spec.enabled says, while at least {} distribution tenant(s) use it: {}. Their traffic is down.",
        tenants.count,
        tenants.names.join(", ")
    )
}

fn in_step(group: Group) -> Conclusion {
    let Group { routing_endpoint, config, deployment, modified, .. } = &group;
    let text = message::deployed(routing_endpoint.as_deref(), config.enabled, deployment, *modified);
    let (standing, reason) = standing_of(&group.deployment, group.config.enabled);
    Conclusion::new(Sight::Group(group), standing, reason, text)
}

/// What the rollout says of a group that equals its spec.
#[must_use]
pub const fn standing_of(deployment: &Deployment, enabled: bool) -> (Standing, Reason) {
    match (deployment, enabled) {
        (Deployment::Pending(_), _) => (Standing::Reconciling, Reason::Deploying),
        (Deployment::Deployed, true) => (Standing::Ready, Reason::Deployed),
        (Deployment::Deployed, false) => (Standing::Ready, Reason::Disabled),
    }
}

fn tagged(group: Group, applied: crate::cloudfront::Tags) -> Conclusion {
    let mut conclusion = in_step(group).then(Next::Now);
    conclusion.tags = Change::Set(applied);
    conclusion
}

fn disabling(group: Group) -> Conclusion {
    let text = format!(
        "Being deleted: the group is disabled; CloudFront says {} and takes minutes until it may be deleted.",
        group.deployment.as_str()
    );
    Conclusion::new(Sight::Group(group), Standing::Reconciling, Reason::Disabling, text)
}

fn release(why: Release, known: &Known<'_>) -> Conclusion {
    let text = message::released(&known.name, why);
    let reason = if why == Release::Gone { Reason::Deleted } else { Reason::Released };
    let mut conclusion = Conclusion::new(Sight::Unchanged, Standing::Reconciling, reason, text.clone());
    conclusion.finalizer = Finalizer::Release;
    conclusion.tell(reason, "Release", text)
}

fn blocked(block: Block, known: &Known<'_>) -> Conclusion {
    let reconciling = |sight, reason, text| Conclusion::new(sight, Standing::Reconciling, reason, text);
    match block {
        Block::Suspended => Conclusion::suspended(known),
        Block::DeletionProtected => {
            reconciling(Sight::Unchanged, Reason::DeletionProtected, message::DELETION_PROTECTED.to_owned())
        }
        Block::TagsPending(_) => {
            reconciling(Sight::Unchanged, Reason::Conflict, message::tags_pending(&known.name)).then(Next::Backoff)
        }
        Block::InUse(described, tenants) => {
            let text = message::in_use(&known.name, &tenants);
            let mut conclusion =
                reconciling(Sight::Group(described.group), Reason::InUse, text).then(Next::SlowBackoff);
            conclusion.blocked_by = Change::Set(Some(BlockedBy {
                count: i64::try_from(tenants.count).unwrap_or(i64::MAX),
                tenants: tenants.names,
            }));
            conclusion
        }
    }
}

fn refuse(described: Described, refusal: &Refusal, known: &Known<'_>) -> Conclusion {
    let (sight, reason, text) = match refusal {
        Refusal::NotOwned(owner) => (Sight::Nothing, Reason::NotOwned, message::not_owned(&known.name, owner)),
        Refusal::DefaultGroup => (Sight::Nothing, Reason::DefaultGroup, message::default_group(&known.name)),
        Refusal::AdoptionRefused(obstacle) => {
            (Sight::Nothing, Reason::AdoptionRefused, message::adoption_refused(&known.name, obstacle))
        }
        Refusal::AnycastDetachRejected(list) => {
            (Sight::Group(described.group), Reason::AnycastDetachRejected, message::detach_rejected(&known.name, list))
        }
    };
    Conclusion::new(sight, Standing::Stalled, reason, text).then(Next::SlowBackoff)
}
