//! What a pass concluded: the parts from which the status is made. Pure data.

use std::time::Duration;

use super::{Event, Finalizer, Severity, backoff::Pace, desired::Intent, message, plan::Mutation};
use crate::{
    api::{BlockedBy, Drift, Member, Reason, RefusedMember, Standing},
    cloudfront::{ApiError, Group, Summary, Tags},
};

/// What a pass learned of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Nothing new.
    Unchanged,
    /// The group itself.
    Group(Group),
    /// Its row in the list.
    Listed(Summary),
    /// There is no group that this object may show.
    Nothing,
}

/// Whether a part of the status is written anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<T> {
    /// As it was.
    Keep,
    /// To this.
    Set(T),
}

/// Whether the group is known, after this pass, to be as this generation of the spec asks for: its tags, too, which no list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InStep {
    /// As it was.
    AsBefore,
    /// A full read or a change of ours says so. Of a group that is only observed: it was read in full.
    Yes,
    /// Nothing says so.
    No,
}

/// When the next pass is due, if nothing happens before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At once: there is more to do.
    Now,
    /// When the next list has come.
    WithTheList,
    /// When the tenants of a group that is being disabled are to be read again.
    Tenants,
    /// Soon: what was read is older than what is known.
    ReadAgain,
    /// After a growing pause.
    Backoff(Pace),
    /// After this pause.
    After(Duration),
    /// With the next deep check.
    DeepCheck,
}

/// What a pass concluded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conclusion {
    /// What was learned of the group.
    pub sight: Sight,
    /// Where the object stands; `None` leaves the conditions as they are.
    pub standing: Option<(Standing, Reason)>,
    /// The sentence for people.
    pub message: String,
    /// Tags that were sent, or may have been.
    pub tags: Change<Tags>,
    /// What CloudFront refused.
    pub refused: Change<Vec<RefusedMember>>,
    /// The member that it refused in this pass.
    pub refused_now: Option<Member>,
    /// The Anycast list that this object attached.
    pub attached: Change<Option<String>>,
    /// Whether the group is known to be in step.
    pub in_step: InStep,
    /// Differences in mode Observe.
    pub drift: Change<Vec<Drift>>,
    /// What others changed, and this pass found out, in mode Manage.
    pub changed_outside: Vec<Drift>,
    /// Tenants that block the deletion.
    pub blocked_by: Change<Option<BlockedBy>>,
    /// When to look again.
    pub next: Next,
    /// Whether the object is let go of.
    pub finalizer: Finalizer,
    /// What to tell in events.
    pub events: Vec<Event>,
    /// The failed call that this is concluded from.
    pub error: Option<ApiError>,
}

impl Conclusion {
    /// A conclusion that clears drift and blockers and changes no tags.
    #[must_use]
    pub const fn new(sight: Sight, standing: Standing, reason: Reason, message: String) -> Self {
        Self {
            sight,
            standing: Some((standing, reason)),
            message,
            tags: Change::Keep,
            refused: Change::Keep,
            refused_now: None,
            attached: Change::Keep,
            in_step: InStep::No,
            drift: Change::Set(Vec::new()),
            changed_outside: Vec::new(),
            blocked_by: Change::Set(None),
            next: Next::DeepCheck,
            finalizer: Finalizer::Keep,
            events: Vec::new(),
            error: None,
        }
    }

    /// Nothing was looked at and nothing changes.
    #[must_use]
    pub const fn unchanged() -> Self {
        Self {
            sight: Sight::Unchanged,
            standing: None,
            message: String::new(),
            tags: Change::Keep,
            refused: Change::Keep,
            refused_now: None,
            attached: Change::Keep,
            in_step: InStep::AsBefore,
            drift: Change::Keep,
            changed_outside: Vec::new(),
            blocked_by: Change::Keep,
            next: Next::DeepCheck,
            finalizer: Finalizer::Keep,
            events: Vec::new(),
            error: None,
        }
    }

    /// The group was found after a refused Create; the next pass does what is to be done.
    #[must_use]
    pub fn found(next: Mutation) -> Self {
        let sight = match next {
            Mutation::Update(described, ..) | Mutation::Tag(described, ..) | Mutation::Untag(described, ..) => {
                Sight::Group(described.group)
            }
            Mutation::Create(_)
            | Mutation::Adopt(_)
            | Mutation::Mark(_)
            | Mutation::TakeOver(..)
            | Mutation::Disable(_)
            | Mutation::Enable(..)
            | Mutation::Delete(_)
            | Mutation::Disown(_) => Sight::Unchanged,
        };
        let text = "A group of this name exists already; it was read and is dealt with at once.".to_owned();
        Self::new(sight, Standing::Reconciling, Reason::Conflict, text).then(Next::Now)
    }

    /// The tags of the spec were sent.
    #[must_use]
    pub fn with_tags(mut self, intent: &Intent) -> Self {
        if let Intent::Present(desired) = intent {
            self.tags = Change::Set(desired.tags.clone());
        }
        self
    }

    /// When to look again.
    #[must_use]
    pub const fn then(mut self, next: Next) -> Self {
        self.next = next;
        self
    }

    /// After this call failed.
    #[must_use]
    pub fn failed(mut self, error: ApiError) -> Self {
        self.error = Some(error);
        self
    }

    /// What others changed.
    #[must_use]
    pub fn despite(mut self, changes: Vec<Drift>) -> Self {
        self.changed_outside = changes;
        self
    }

    /// Tells people what was done.
    #[must_use]
    pub fn tell(self, reason: Reason, action: &'static str, note: String) -> Self {
        self.event(Severity::Normal, reason, action, note)
    }

    /// Warns people of what was found or done.
    #[must_use]
    pub fn warn(self, reason: Reason, action: &'static str, note: String) -> Self {
        self.event(Severity::Warning, reason, action, note)
    }

    /// Warns people if the answer to an update no longer shows elements of the group that were there before.
    #[must_use]
    pub fn without(self, read: &Group, action: &'static str, lost: &[String]) -> Self {
        if lost.is_empty() {
            self
        } else {
            self.warn(Reason::ElementLost, action, message::element_lost(&read.name, lost))
        }
    }

    fn event(mut self, severity: Severity, reason: Reason, action: &'static str, note: String) -> Self {
        self.events.push(Event { severity, reason, action, note });
        self
    }
}
