//! Makes the one change of a reconcile. Talks to CloudFront through the port.
//!
//! In: a [`Change`], which holds the group as read in this reconcile. Out: an [`Effect`], the facts without a sentence, or the error. The object's
//! state is told of each call as it ends.

use std::collections::BTreeSet;

use super::{
    Inputs, ObjectView,
    error::{ReconcileError, explain},
    members::{contradictions, contradicts},
    object_state::ObjectState,
    ownership::{Claim, Installation},
    plan::{Blocker, Change, Left, Update},
    refusal::{is_about_the_members, refusal},
};
use crate::{
    api::{Drift, Member, RefusedMember},
    cloudfront::{ApiError, CloudFront, Deployment, Described, ErrorClass, Group, Members, NewGroup, Tags, Tenants},
};

/// What a change came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The group exists now.
    Created(Group, NewGroup),
    /// It carries our tags, which an unowned group did not.
    Adopted(Group),
    /// It carries our identity, which it did not.
    Marked(Described),
    /// It carries our identity in the place of this one.
    TakenOver(Group, Installation),
    /// Members were updated.
    Updated(Box<Updated>),
    /// CloudFront refused an update for what it says.
    MembersRefused(Box<MembersRefused>),
    /// These tags were set. Some of them were there before, as far as is known, and others took them off or changed them.
    Tagged(Group, Tags, Left, Vec<Drift>),
    /// These tags were removed.
    Untagged(Group, Vec<String>, Left),
    /// Deletion: the group is out of service.
    Disabled(Box<Switched>, Option<TenantsRead>),
    /// Deletion: the group is in service again, because it cannot be deleted.
    Enabled(Box<Switched>, Blocker),
    /// CloudFront accepted the Delete.
    Deleted,
    /// The group carries our tags no more.
    Disowned(Group),
    /// Nothing: CloudFront takes no change while it rolls an earlier one out.
    Postponed(Group, Postponed),
}

/// Who uses a group that was just taken out of service, or why nobody knows.
pub type TenantsRead = Result<Tenants, ApiError>;

/// An update of members that CloudFront accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Updated {
    /// The group before.
    pub read: Group,
    /// The group as the answer shows it.
    pub answer: Group,
    /// What was sent.
    pub update: Update,
    /// The changes that the answer shows.
    pub made: Vec<Drift>,
    /// Whose change it corrected, if it did.
    pub corrected: Corrected,
    /// Who uses the group, if it went out of service.
    pub tenants: Option<TenantsRead>,
}

/// Whether an update corrected a change of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corrected {
    /// It carried out the spec.
    Nothing,
    /// It did.
    Others,
    /// It did, and others keep changing the group: people are to be told.
    OthersAgain,
}

/// An update of members that CloudFront refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembersRefused {
    /// The group as it is.
    pub read: Group,
    /// What was sent.
    pub update: Update,
    /// The answer.
    pub error: ApiError,
    /// The refusal, if one member was sent alone. Of several, each is tried alone next.
    pub refusal: Option<RefusedMember>,
}

/// A group whose service was switched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switched {
    /// The group before.
    pub read: Group,
    /// What was sent.
    pub sent: Members,
    /// The group as the answer shows it.
    pub answer: Group,
}

/// Which change waits for a roll-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Postponed {
    /// One that puts the group of a deletion back into service: its tenants are read meanwhile.
    Enable,
    /// Another one.
    Other,
}

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
                record.state.tagged.set(&group.id, &new.tags, inputs.clock.moment());
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
            record.state.tagged.set(&read.group.id, set, inputs.clock.moment());
            let lost = view.lost_tags(set, read);
            if !lost.is_empty() {
                record.corrected();
            }
            Effect::Tagged(read.group.clone(), set.clone(), left.clone(), lost)
        }
        Change::Untag(Described { group, tags: _ }, keys, left) => {
            let answer = record.ended(port.untag(&group.arn, keys).await);
            answer.inspect_err(|error| record.tags_in_doubt(error, keys))?;
            record.state.tagged.removed(&group.id, keys, inputs.clock.moment());
            Effect::Untagged(group.clone(), keys.iter().cloned().collect(), left.clone())
        }
        Change::Disable(Described { group, tags: _ }) => match switch(group, Service::Off, &mut record).await? {
            Ok(switched) if contradicts(&switched.answer.config, &switched.sent) || view.wants_traffic => {
                Effect::Disabled(switched, None)
            }
            Ok(switched) => {
                let tenants = port.tenants(&switched.answer.id).await;
                Effect::Disabled(switched, Some(tenants))
            }
            Err(read) => Effect::Postponed(read, Postponed::Other),
        },
        Change::Enable(Described { group, tags: _ }, blocker) => match switch(group, Service::On, &mut record).await? {
            Ok(switched) => Effect::Enabled(switched, *blocker),
            Err(read) => Effect::Postponed(read, Postponed::Enable),
        },
        Change::Delete(Described { group, tags: _ }) => {
            if let Err(error) = record.ended(port.delete(group).await) {
                if error.class == ErrorClass::HasTenants {
                    record.state.delete_was_refused(view.now, view.settle_window);
                }
                return Err(error.into());
            }
            record.state.replaced.add(group, None, inputs.clock.moment());
            Effect::Deleted
        }
        Change::Disown(Described { group, tags: _ }) => {
            record.ended(port.untag(&group.arn, &Claim::KEYS.map(str::to_owned).into()).await)?;
            Effect::Disowned(group.clone())
        }
    })
}

/// What a switch of a group's service is to come to.
#[derive(Clone, Copy)]
enum Service {
    On,
    Off,
}

/// Switches the service of a group for its deletion; gives the group back if CloudFront takes no change yet.
async fn switch<C: CloudFront>(
    read: &Group,
    service: Service,
    record: &mut Record<'_, '_, C>,
) -> Result<Result<Box<Switched>, Group>, ApiError> {
    let sent = Members { enabled: Some(matches!(service, Service::On)), ..read.config.clone() };
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
            // Whatever the cause, the next member has its turn.
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
    let made = update.changes.iter().filter(|change| !is_kept(change)).cloned().collect::<Vec<_>>();
    let corrected = if made.is_empty() || !view.was_changed_by_others(read) {
        Corrected::Nothing
    } else {
        let corrected = record.corrected();
        record.remains(update);
        corrected
    };
    let switches_off = read.config.enabled != Some(false) && update.config.enabled == Some(false);
    let tenants =
        if switches_off || view.may_have_switched_off(read) { Some(port.tenants(&answer.id).await) } else { None };
    let updated = Updated { read: read.clone(), answer, update: update.clone(), made, corrected, tenants };
    Ok(Effect::Updated(Box::new(updated)))
}

/// Whether CloudFront refused a change because an earlier one is still rolled out.
fn waits_for_rollout(error: &ApiError, read: &Group) -> bool {
    error.class == ErrorClass::InUse && matches!(read.deployment, Some(Deployment::Pending(_)))
}

/// Records in the object's state how each call ended.
struct Record<'a, 'b, C> {
    state: &'a mut ObjectState,
    inputs: &'a Inputs<'b, C>,
}

impl<C: CloudFront> Record<'_, '_, C> {
    fn ended<T>(&mut self, result: Result<T, ApiError>) -> Result<T, ApiError> {
        self.state.wrote(self.inputs.clock.moment());
        self.state.ended(&result, self.inputs.clock.moment());
        result
    }

    /// Of an update, which is answered with the version that it made.
    fn updated(&mut self, read: &Group, result: Result<Group, ApiError>) -> Result<Group, ApiError> {
        if let Ok(group) = &result {
            self.state.made = Some((group.id.clone(), group.etag.clone()));
            self.state.replaced.add(read, Some(&group.etag), self.inputs.clock.moment());
        }
        self.ended(result)
    }

    /// Of a change that makes a group ours.
    fn claimed<T>(&mut self, result: Result<T, ApiError>) -> Result<T, ApiError> {
        if result.is_ok() || !bug!(DoubtfulCreateIsForgotten) {
            self.state.claimed(self.inputs.clock.moment());
        }
        self.state.ended(&result, self.inputs.clock.moment());
        result
    }

    /// Of tags whose change failed: without an answer, nobody knows what they are.
    fn tags_in_doubt(&mut self, error: &ApiError, keys: &BTreeSet<String>) {
        if error.class.leaves_doubt() {
            self.state.tagged.forget(keys);
        }
    }

    /// Of a change of others that was corrected.
    fn corrected(&mut self) -> Corrected {
        let now = self.inputs.clock.moment();
        self.state.drift_backoff.corrected(now);
        if self.state.drift_backoff.is_flapping(now) { Corrected::OthersAgain } else { Corrected::Others }
    }

    /// Of what others changed too, and a part of a change did not correct; what was refused before is no change of others.
    fn remains(&mut self, update: &Update) {
        let is_done = |member: &Member| {
            update.selection.members.contains(member) || update.refused.iter().any(|refused| refused.member == *member)
        };
        self.state.drift_backoff.observed(!update.open.iter().all(is_done));
    }

    /// Of an update of members that succeeded.
    fn carried_out(&mut self, view: &ObjectView<'_>) {
        self.state.trial = view.trial.clone();
        self.state.trial.carried_out();
    }

    /// Of an update of members that was refused for what it says.
    fn refused(&mut self, update: &Update, view: &ObjectView<'_>) {
        self.state.trial = view.trial.clone();
        self.state.trial.refused(&update.selection, &update.open, &view.uid, view.now);
    }
}
