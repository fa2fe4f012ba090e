//! What a [`Report`] contains: all that status, events and the next reconcile are derived from; and the functions that compose one. Pure.

use std::time::Duration;

use crate::{
    api::{BlockedBy, ConditionReason, Drift, EventReason, Member, RefusedMember, Standing},
    cloudfront::{ApiError, Group, Summary, Tags},
    reconcile::{
        Event, Finalizer, ObjectView, Severity, backoff::Backoff, desired::Intent, execute::TenantsRead,
        object_state::Awaits, plan::Change, text,
    },
};

/// What a reconcile learned about the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing new.
    Unchanged,
    /// The group itself.
    Group(Group),
    /// Its row in the list.
    Listed(Summary),
    /// There is no group that this object may show.
    Nothing,
}

/// Whether a part of the status changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field<T> {
    /// It stays as it was.
    Keep,
    /// It is set to this.
    Set(T),
}

/// Whether the group is known, after this reconcile, to match this generation of the spec, including its tags, which no inventory shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InSync {
    /// As it was.
    AsBefore,
    /// A full read or a change of ours shows it. In mode Observe: the group was read in full.
    Yes,
    /// It is not known.
    No,
}

/// When the next reconcile is due, unless something triggers one earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At once: there is more to do.
    Now,
    /// With the next inventory.
    WithTheInventory,
    /// When the tenants of a group that is being disabled are to be read again.
    Tenants,
    /// Soon: the read was stale.
    ReadAgain,
    /// After a backoff.
    Backoff(Backoff),
    /// After this pause.
    After(Duration),
    /// With the next full resync.
    Resync,
}

/// The report of a reconcile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was learned about the group.
    pub seen: Seen,
    /// Standing of the object; `None` leaves the conditions as they are.
    pub standing: Option<(Standing, ConditionReason)>,
    /// The message for people.
    pub message: String,
    /// Tags that were sent, or may have been.
    pub tags: Field<Tags>,
    /// What CloudFront refused.
    pub refused: Field<Vec<RefusedMember>>,
    /// The member that it refused in this reconcile.
    pub refused_now: Option<Member>,
    /// The Anycast list that this object attached.
    pub attached: Field<Option<String>>,
    /// Whether the group is known to be in sync.
    pub in_sync: InSync,
    /// What the object waits for.
    pub awaits: Field<Awaits>,
    /// Whether the group carries this object's owner tag.
    pub carries_owner_tag: Field<bool>,
    /// Differences in mode Observe.
    pub drift: Field<Vec<Drift>>,
    /// Out-of-band changes that this reconcile found, in mode Manage.
    pub changed_outside: Vec<Drift>,
    /// Tenants that block the deletion.
    pub blocked_by: Field<Option<BlockedBy>>,
    /// When the next reconcile is due.
    pub next: Next,
    /// Whether the finalizer is removed.
    pub finalizer: Finalizer,
    /// Events to emit.
    pub events: Vec<Event>,
    /// The call that failed, if any.
    pub error: Option<ApiError>,
}

impl Report {
    /// A report that clears drift and blockers and changes no tags.
    #[must_use]
    pub const fn new(seen: Seen, standing: Standing, reason: ConditionReason, message: String) -> Self {
        Self {
            seen,
            standing: Some((standing, reason)),
            message,
            tags: Field::Keep,
            refused: Field::Keep,
            refused_now: None,
            attached: Field::Keep,
            in_sync: InSync::No,
            awaits: Field::Set(Awaits::Other),
            carries_owner_tag: Field::Set(false),
            drift: Field::Set(Vec::new()),
            changed_outside: Vec::new(),
            blocked_by: Field::Set(None),
            next: Next::Resync,
            finalizer: Finalizer::Keep,
            events: Vec::new(),
            error: None,
        }
    }

    /// Nothing was read and nothing changes.
    #[must_use]
    pub const fn unchanged() -> Self {
        Self {
            seen: Seen::Unchanged,
            standing: None,
            message: String::new(),
            tags: Field::Keep,
            refused: Field::Keep,
            refused_now: None,
            attached: Field::Keep,
            in_sync: InSync::AsBefore,
            awaits: Field::Keep,
            carries_owner_tag: Field::Keep,
            drift: Field::Keep,
            changed_outside: Vec::new(),
            blocked_by: Field::Keep,
            next: Next::Resync,
            finalizer: Finalizer::Keep,
            events: Vec::new(),
            error: None,
        }
    }

    /// The group was found after a refused Create; the next reconcile makes the change that it needs.
    #[must_use]
    pub fn discovered(next: Change, view: &ObjectView<'_>) -> Self {
        let text = text::found_after_all(&view.name, &next);
        let seen = match next {
            Change::Update(described, ..) | Change::Tag(described, ..) | Change::Untag(described, ..) => {
                Seen::Group(described.group)
            }
            Change::Create(_)
            | Change::Adopt(_)
            | Change::Mark(_)
            | Change::TakeOver(..)
            | Change::DisableInDeletion(_)
            | Change::EnableAgain(..)
            | Change::Delete(_)
            | Change::Disown(_) => Seen::Unchanged,
        };
        Self::new(seen, Standing::Reconciling, ConditionReason::AlreadyExists, text).then(Next::Now)
    }

    /// Records that the tags of the spec were sent.
    #[must_use]
    pub fn with_tags(mut self, intent: &Intent) -> Self {
        if let Intent::Present(desired) = intent {
            self.tags = Field::Set(desired.tags.clone());
        }
        self
    }

    /// Sets what the object waits for.
    #[must_use]
    pub fn awaiting(self, awaits: Awaits) -> Self {
        Self { awaits: Field::Set(awaits), ..self }
    }

    /// Sets when the next reconcile is due.
    #[must_use]
    pub const fn then(mut self, next: Next) -> Self {
        self.next = next;
        self
    }

    /// Records the call that failed.
    #[must_use]
    pub fn failed(mut self, error: ApiError) -> Self {
        self.error = Some(error);
        self
    }

    /// Records out-of-band changes.
    #[must_use]
    pub fn with_changed_outside(mut self, changes: Vec<Drift>) -> Self {
        self.changed_outside = changes;
        self
    }

    /// Emits an event about what was done.
    #[must_use]
    pub fn normal(self, reason: EventReason, action: &'static str, note: String) -> Self {
        self.event(Severity::Normal, reason, action, note)
    }

    /// Emits a warning about what was found or done.
    #[must_use]
    pub fn warning(self, reason: EventReason, action: &'static str, note: String) -> Self {
        self.event(Severity::Warning, reason, action, note)
    }

    /// Warns about tenants whose group was disabled because the spec says so.
    #[must_use]
    pub fn with_tenants_without_traffic(self, tenants: Option<TenantsRead>) -> Self {
        let text = match tenants {
            Some(Ok(tenants)) if tenants.any() => text::without_traffic(&tenants),
            Some(Err(error)) => text::perhaps_without_traffic(&error),
            Some(Ok(_)) | None => return self,
        };
        self.warning(EventReason::DisabledWithTenants, "Disable", text)
    }

    /// Warns if the answer to an update no longer shows elements of the group that were there before.
    #[must_use]
    pub fn warn_of_lost_elements(self, read: &Group, action: &'static str, lost: &[String]) -> Self {
        if lost.is_empty() {
            self
        } else {
            self.warning(EventReason::ElementLost, action, text::element_lost(&read.name, lost))
        }
    }

    fn event(mut self, severity: Severity, reason: EventReason, action: &'static str, note: String) -> Self {
        self.events.push(Event { severity, reason, action, note });
        self
    }
}
