//! Makes the one change of a reconcile, and the reads that explain its result, through the CloudFront port.
//!
//! In: a [`Change`], which holds the group as read in this reconcile. Out: an [`Effect`] (facts, no sentences), or the error. The object state records each
//! call as it ends.

mod effect;
mod record;

pub use self::effect::{Effect, MembersRefused, Postponed, Series, Switched, Tagged, TenantsRead, Updated};
use self::record::Record;
use super::{
    Inputs, ObjectView,
    error::{ReconcileError, explain},
    members::{contradictions, contradicts},
    object_state::ObjectState,
    ownership::Claim,
    plan::{Change, Update},
    refusal::{is_about_the_members, refusal},
};
use crate::{
    api::Drift,
    cloudfront::{ApiError, CloudFront, Deployment, Described, ErrorClass, Group, Members},
};

/// Makes the change.
///
/// # Errors
/// The call that failed.
pub async fn execute<C: CloudFront>(
    change: &Change,
    view: &ObjectView<'_>,
    state: &mut ObjectState,
    inputs: &Inputs<'_, C>,
) -> Result<Effect, ReconcileError> {
    let port = inputs.port;
    let mut record = Record { state, inputs };
    Ok(match change {
        Change::Create(new) => match record.claimed(port.create(new).await) {
            Ok(group) => {
                record.state.tags.confirmed.set(&group.id, &new.tags, inputs.clock.moment());
                record.state.has_seen_group = true;
                Effect::Created(group, new.clone())
            }
            Err(error) => return Err(explain(error, &new.config, port).await.with_tags(&new.tags)),
        },
        Change::Adopt(Described { group, tags: _ }) => {
            record.claimed(port.tag(&group.arn, &view.claim.tags()).await)?;
            Effect::Adopted(group.clone())
        }
        Change::Mark(described) => {
            record.ended(port.tag(&described.group.arn, &view.claim.installation.tag()).await)?;
            Effect::Marked(described.clone())
        }
        Change::TakeOver(Described { group, tags: _ }, from) => {
            record.claimed(port.tag(&group.arn, &view.claim.installation.tag()).await)?;
            Effect::TakenOver(group.clone(), from.clone())
        }
        Change::Update(Described { group, tags: _ }, update) => {
            update_members(group, update, view, &mut record).await?
        }
        Change::Tag(read, set, left) => {
            let answer = record.ended(port.tag(&read.group.arn, set).await);
            if let Err(error) = answer {
                record.tags_in_doubt(&error, &set.keys().cloned().collect());
                return Err(ReconcileError::from(error).with_tags(set));
            }
            record.state.tags.confirmed.set(&read.group.id, set, inputs.clock.moment());
            let corrected = view.lost_tags(set, read);
            let series = record.corrected(&corrected, left, view);
            let (group, set, left) = (read.group.clone(), set.clone(), left.clone());
            Effect::Tagged(Box::new(Tagged { group, set, left, corrected, series }))
        }
        Change::Untag(Described { group, tags: _ }, keys, left) => {
            let answer = record.ended(port.untag(&group.arn, keys).await);
            answer.inspect_err(|error| record.tags_in_doubt(error, keys))?;
            record.state.tags.confirmed.removed(&group.id, keys, inputs.clock.moment());
            Effect::Untagged(group.clone(), keys.iter().cloned().collect(), left.clone())
        }
        Change::DisableInDeletion(Described { group, tags: _ }) => {
            match switch_in_deletion(group, SwitchTo::Off, &mut record).await? {
                Ok(switched) if contradicts(&switched.answer.config, &switched.sent) || view.spec_enabled => {
                    Effect::DisabledInDeletion(switched, None)
                }
                Ok(switched) => {
                    let tenants = port.tenants(&switched.answer.id).await;
                    Effect::DisabledInDeletion(switched, Some(tenants))
                }
                Err(read) => Effect::Postponed(read, Postponed::Other),
            }
        }
        Change::EnableAgain(Described { group, tags: _ }, blocker) => {
            match switch_in_deletion(group, SwitchTo::On, &mut record).await? {
                Ok(switched) => Effect::EnabledAgain(switched, *blocker),
                Err(read) => Effect::Postponed(read, Postponed::Enable),
            }
        }
        Change::Delete(Described { group, tags: _ }) => {
            if let Err(error) = record.ended(port.delete(group).await) {
                if error.class == ErrorClass::HasTenants {
                    record.state.unlisted_use.delete_was_refused(inputs.clock.moment(), view.consistency_window);
                }
                return Err(error.into());
            }
            record.state.versions.deleted(group, inputs.clock.moment());
            record.state.deleted = Some(group.id.clone());
            Effect::Deleted(group.id.clone())
        }
        Change::Disown(Described { group, tags: _ }) => {
            record.ended(port.untag(&group.arn, &Claim::KEYS.map(str::to_owned).into()).await)?;
            Effect::Disowned(group.clone())
        }
    })
}

/// Whether [`switch`] enables or disables the group.
#[derive(Clone, Copy)]
enum SwitchTo {
    On,
    Off,
}

/// Enables or disables a group for its deletion. Returns the group as read if CloudFront accepts no change yet.
async fn switch_in_deletion<C: CloudFront>(
    read: &Group,
    to: SwitchTo,
    record: &mut Record<'_, '_, C>,
) -> Result<Result<Box<Switched>, Group>, ApiError> {
    let sent = Members { enabled: Some(matches!(to, SwitchTo::On)), ..read.config.clone() };
    match record.updated(read, record.inputs.port.update(read, &sent).await) {
        Ok(answer) => Ok(Ok(Box::new(Switched { read: read.clone(), sent, answer }))),
        Err(error) if waits_for_rollout(&error, read) => Ok(Err(read.clone())),
        Err(error) => Err(error),
    }
}

async fn update_members<C: CloudFront>(
    read: &Group,
    update: &Update,
    view: &ObjectView<'_>,
    record: &mut Record<'_, '_, C>,
) -> Result<Effect, ReconcileError> {
    let port = record.inputs.port;
    let answer = match record.updated(read, port.update(read, &update.config).await) {
        Ok(group) => group,
        Err(error) if waits_for_rollout(&error, read) => return Ok(Effect::Postponed(read.clone(), Postponed::Other)),
        Err(error) if is_about_the_members(&error) => {
            let refusal = match update.selection.only_member() {
                Some(member) => Some(refusal(&error, member, &update.config, port).await),
                None => None,
            };
            // Whatever the cause, the next member is tried.
            record.refused(update, view);
            let refusal = match refusal {
                // The error says nothing about the member.
                Some(None) => return Err(error.into()),
                Some(refused) => refused,
                None => None,
            };
            let refused = MembersRefused { read: read.clone(), update: update.clone(), error, refusal };
            return Ok(Effect::MembersRefused(Box::new(refused)));
        }
        Err(error) => return Err(error.into()),
    };
    record.carried_out(view);
    let kept = contradictions(&answer.config, &update.config);
    let is_kept = |change: &&Drift| kept.iter().any(|member| member.as_str() == change.field);
    let shown = update.changes.iter().filter(|change| !is_kept(change)).cloned();
    let is_by_others = |change: &Drift| update.by_others.iter().any(|member| member.as_str() == change.field);
    let (corrected, made) = shown.partition::<Vec<_>, _>(is_by_others);
    let series = record.corrected(&corrected, &update.left, view);
    record.remains(update, &kept);
    let switches_off = read.config.enabled != Some(false) && update.config.enabled == Some(false);
    let tenants =
        if switches_off || view.may_have_switched_off(read) { Some(port.tenants(&answer.id).await) } else { None };
    let updated = Updated { read: read.clone(), answer, update: update.clone(), made, corrected, series, tenants };
    Ok(Effect::Updated(Box::new(updated)))
}

/// Whether CloudFront refused a change because an earlier one is still being rolled out.
fn waits_for_rollout(error: &ApiError, read: &Group) -> bool {
    error.class == ErrorClass::InUse && matches!(read.deployment, Some(Deployment::Pending(_)))
}
