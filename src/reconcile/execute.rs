//! Makes the one change of a reconcile, through the CloudFront port.
//!
//! In: a [`Change`], which holds the group as read in this reconcile. Out: an [`Effect`] (facts, no sentences), or the error. The object state records each
//! call as it ends.

use std::collections::BTreeSet;

use super::{
    Inputs, ObjectView,
    error::{ReconcileError, explain},
    members::{contradictions, contradicts},
    object_state::ObjectState,
    ownership::{Claim, Installation},
    plan::{Blocker, Change, RemainingWork, Update},
    refusal::{is_about_the_members, refusal},
};
use crate::{
    api::{Drift, RefusedMember},
    cloudfront::{ApiError, CloudFront, Deployment, Described, ErrorClass, Group, Members, NewGroup, Tags, Tenants},
};

/// The result of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The group was created.
    Created(Group, NewGroup),
    /// An unowned group now carries our tags.
    Adopted(Group),
    /// A group without an identity now carries ours.
    Marked(Described),
    /// The group now carries our identity in place of this one.
    TakenOver(Group, Installation),
    /// Members were updated.
    Updated(Box<Updated>),
    /// CloudFront refused an update because of its content.
    MembersRefused(Box<MembersRefused>),
    /// These tags were set. The drift names those that were correct before, as far as is known, until someone else removed or changed them.
    Tagged(Group, Tags, RemainingWork, Vec<Drift>),
    /// These tags were removed.
    Untagged(Group, Vec<String>, RemainingWork),
    /// Deletion: the group is disabled.
    Disabled(Box<Switched>, Option<TenantsRead>),
    /// Deletion: the group is enabled again, because it cannot be deleted.
    Enabled(Box<Switched>, Blocker),
    /// CloudFront accepted the Delete.
    Deleted,
    /// The group no longer carries the tags that mark ownership.
    Disowned(Group),
    /// Nothing was changed: CloudFront accepts no change while it rolls out an earlier one.
    Postponed(Group, Postponed),
}

/// Who uses a group that was just disabled, or why that could not be determined.
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
    /// The changes that the spec asks for and the answer shows.
    pub made: Vec<Drift>,
    /// The changes of other clients that it corrected.
    pub corrected: Vec<Drift>,
    /// Whether other clients keep changing the group.
    pub rounds: Rounds,
    /// Who uses the group, if it was disabled.
    pub tenants: Option<TenantsRead>,
}

/// Whether this correction is one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounds {
    /// No.
    Few,
    /// Yes: others keep changing the group, and a warning is emitted.
    Flapping,
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
    /// The refusal, if one member was sent alone. If several were sent, each is tried alone next.
    pub refusal: Option<RefusedMember>,
}

/// A group that was enabled or disabled for its deletion.
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
    /// One that enables the group of a deletion again: its tenants are read meanwhile.
    Enable,
    /// Any other.
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
                record.state.tags.confirmed.set(&group.id, &new.tags, inputs.clock.moment());
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
            let lost = view.lost_tags(set, read);
            if !lost.is_empty() {
                record.corrected();
            }
            Effect::Tagged(read.group.clone(), set.clone(), left.clone(), lost)
        }
        Change::Untag(Described { group, tags: _ }, keys, left) => {
            let answer = record.ended(port.untag(&group.arn, keys).await);
            answer.inspect_err(|error| record.tags_in_doubt(error, keys))?;
            record.state.tags.confirmed.removed(&group.id, keys, inputs.clock.moment());
            Effect::Untagged(group.clone(), keys.iter().cloned().collect(), left.clone())
        }
        Change::Disable(Described { group, tags: _ }) => match switch(group, SwitchTo::Off, &mut record).await? {
            Ok(switched) if contradicts(&switched.answer.config, &switched.sent) || view.spec_enabled => {
                Effect::Disabled(switched, None)
            }
            Ok(switched) => {
                let tenants = port.tenants(&switched.answer.id).await;
                Effect::Disabled(switched, Some(tenants))
            }
            Err(read) => Effect::Postponed(read, Postponed::Other),
        },
        Change::Enable(Described { group, tags: _ }, blocker) => {
            match switch(group, SwitchTo::On, &mut record).await? {
                Ok(switched) => Effect::Enabled(switched, *blocker),
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
            Effect::Deleted
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
async fn switch<C: CloudFront>(
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
    let rounds = if corrected.is_empty() { Rounds::Few } else { record.corrected() };
    record.remains(update);
    let switches_off = read.config.enabled != Some(false) && update.config.enabled == Some(false);
    let tenants =
        if switches_off || view.may_have_switched_off(read) { Some(port.tenants(&answer.id).await) } else { None };
    let updated = Updated { read: read.clone(), answer, update: update.clone(), made, corrected, rounds, tenants };
    Ok(Effect::Updated(Box::new(updated)))
}

/// Whether CloudFront refused a change because an earlier one is still being rolled out.
fn waits_for_rollout(error: &ApiError, read: &Group) -> bool {
    error.class == ErrorClass::InUse && matches!(read.deployment, Some(Deployment::Pending(_)))
}

/// Records in the object state how each call ended.
struct Record<'a, 'b, C> {
    state: &'a mut ObjectState,
    inputs: &'a Inputs<'b, C>,
}

impl<C: CloudFront> Record<'_, '_, C> {
    fn ended<T>(&mut self, result: Result<T, ApiError>) -> Result<T, ApiError> {
        self.state.record_write(self.inputs.clock.moment());
        self.state.record_answer(&result, self.inputs.clock.moment());
        result
    }

    /// Records an update, whose answer shows the version that it produced.
    fn updated(&mut self, read: &Group, result: Result<Group, ApiError>) -> Result<Group, ApiError> {
        if let Ok(group) = &result {
            self.state.versions.updated(read, group, self.inputs.clock.moment());
        }
        self.ended(result)
    }

    /// Records a change that claims a group. A call that was refused claims nothing, unless the refusal may hide an earlier Create of ours.
    fn claimed<T>(&mut self, result: Result<T, ApiError>) -> Result<T, ApiError> {
        let may_take_effect = match &result {
            Ok(_) => true,
            Err(error) => {
                let may_hide_our_own = matches!(error.class, ErrorClass::AlreadyExists | ErrorClass::LimitExceeded);
                (may_hide_our_own || error.class.leaves_doubt()) && !bug!(DoubtfulCreateIsForgotten)
            }
        };
        if may_take_effect {
            self.state.record_claim(self.inputs.clock.moment());
        } else {
            self.state.record_write(self.inputs.clock.moment());
        }
        self.state.record_answer(&result, self.inputs.clock.moment());
        result
    }

    /// Records a failed change of tags: without an answer, their values are unknown.
    fn tags_in_doubt(&mut self, error: &ApiError, keys: &BTreeSet<String>) {
        if error.class.leaves_doubt() {
            self.state.tags.confirmed.forget(keys);
        }
    }

    /// Records an out-of-band change that was corrected.
    fn corrected(&mut self) -> Rounds {
        let now = self.inputs.clock.moment();
        self.state.drift_backoff.corrected(now);
        if self.state.drift_backoff.is_flapping(now) { Rounds::Flapping } else { Rounds::Few }
    }

    /// Records which changes of other clients remain after a partial update.
    fn remains(&mut self, update: &Update) {
        let left = update.by_others.difference(&update.selection.members);
        self.state.drift_backoff.record_uncorrected(left.copied().collect());
    }

    /// Records an update of members that succeeded.
    fn carried_out(&mut self, view: &ObjectView<'_>) {
        self.state.member_attempts = view.member_attempts.clone();
        self.state.member_attempts.carried_out();
    }

    /// Records an update of members that was refused because of its content.
    fn refused(&mut self, update: &Update, view: &ObjectView<'_>) {
        self.state.member_attempts = view.member_attempts.clone();
        self.state.member_attempts.refused(&update.selection, &update.open, &view.uid, view.now);
    }
}
