//! One reconcile: from an object and the state of CloudFront to the next status. Acts only through the CloudFront port; knows no Kubernetes client.
//!
//! In: the object with its newest status, the [`ObjectState`] of this process, and the [`Inputs`]. Out: an [`Outcome`] for the controller to carry out.
//! The steps, one file each: `desired` -> `observe` (and `ownership`) -> `plan` -> `freshness` and `execute` -> `report`.

pub mod backoff;
pub mod desired;
pub mod diff;
pub mod drift_backoff;
pub mod due;
pub mod error;
pub mod execute;
pub mod freshness;
pub mod members;
pub mod object_state;
pub mod observe;
pub mod ownership;
pub mod plan;
mod refusal;
pub mod report;
pub mod tags;
#[cfg(test)]
mod testing;
mod text;
pub mod unlisted_use;
pub mod versions;

mod object_view;

use std::time::Duration;

pub use desired::group_name;
pub use object_state::ObjectState;
pub use object_view::ObjectView;
pub use report::with_last_status;

use self::{
    desired::Intent,
    execute::{TenantsRead, execute},
    freshness::{Freshness, MAX_READ_AGE, RECHECK, Withheld},
    observe::observe,
    ownership::Installation,
    plan::{Action, Change, Finding, plan},
    report::{Ended, report},
};
use crate::{
    api::{ConnectionGroup, ConnectionGroupStatus, Drift, EventReason, Member},
    clock::Clock,
    cloudfront::{ApiError, CloudFront, ErrorClass, Operation, Snapshot},
};

/// The administrator's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Name of this installation in the owner tag.
    pub owner_id: String,
    /// Identity of this installation.
    pub installation: Installation,
    /// The installation whose groups this one takes over, by the administrator's decision.
    pub predecessor: Option<Installation>,
    /// Whether the administrator allows adoption.
    pub allow_adoption: bool,
    /// Time between two inventories while nothing is in progress.
    pub inventory_interval: Duration,
    /// Time between two inventories while something is in progress.
    pub inventory_interval_active: Duration,
    /// Time between two full resyncs of one group.
    pub resync_interval: Duration,
    /// The consistency window: how long after it was sent a Create may still take effect, answered or not.
    pub consistency_window: Duration,
}

/// What a reconcile uses besides the object.
pub struct Inputs<'a, C> {
    /// CloudFront.
    pub port: &'a C,
    /// The administrator's settings.
    pub settings: &'a Settings,
    /// The last complete inventory.
    pub snapshot: Option<&'a Snapshot>,
    /// Why the last inventory failed, if it did.
    pub list_error: Option<&'a ApiError>,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Confirms that the object is up to date.
    pub freshness: &'a dyn Freshness,
}

impl<C> Inputs<'_, C> {
    /// Whether there is no recent inventory, so that changes would go unnoticed.
    #[must_use]
    pub fn list_is_stale(&self) -> bool {
        let oldest = self.settings.inventory_interval.saturating_mul(3);
        self.snapshot.is_none_or(|list| self.clock.moment().since(list.began) > oldest)
    }
}

/// What the runtime has to do after a reconcile.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The status to store, if it differs.
    pub status: ConnectionGroupStatus,
    /// Whether the finalizer is removed.
    pub finalizer: Finalizer,
    /// Time until the next reconcile, unless something triggers one earlier.
    pub requeue: Duration,
    /// Events to emit.
    pub events: Vec<Event>,
    /// Out-of-band changes that this reconcile is the first to see.
    pub drift: Vec<Drift>,
    /// The member of the configuration that CloudFront refused, if any.
    pub refused: Option<Member>,
    /// The failed call that ended the reconcile, if any.
    pub error: Option<ApiError>,
    /// Why the planned change was withheld, if it was. The status then stays as it was.
    pub withheld: Option<Withheld>,
}

impl Outcome {
    fn withheld(why: Withheld, view: &ObjectView<'_>) -> Self {
        let requeue = match why {
            Withheld::Changed | Withheld::Gone => Duration::ZERO,
            Withheld::Unreadable | Withheld::ReadsTooOld => RECHECK,
        };
        Self {
            status: view.status.clone(),
            finalizer: Finalizer::Keep,
            requeue,
            events: Vec::new(),
            drift: Vec::new(),
            refused: None,
            error: None,
            withheld: Some(why),
        }
    }
}

/// Whether the finalizer is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finalizer {
    /// The finalizer stays.
    Keep,
    /// The finalizer is removed, and the object is released.
    Release,
}

/// An event to emit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Normal or a warning.
    pub severity: Severity,
    /// What happened, as a single word.
    pub reason: EventReason,
    /// What was done or tried.
    pub action: &'static str,
    /// The message for people.
    pub note: String,
}

/// Severity of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Success, or a requested change.
    Normal,
    /// Someone may have to act.
    Warning,
}

/// Maximum attempts when CloudFront rejects a version as outdated, and maximum reads when the wait before a change takes too long.
const TRIES: usize = 3;

/// Reconciles one object: reads CloudFront, plans, makes at most one change, and reports the result.
pub async fn reconcile<C: CloudFront>(
    object: &ConnectionGroup,
    state: &mut ObjectState,
    inputs: &Inputs<'_, C>,
) -> Outcome {
    let intent = Intent::of(object);
    let mut view = ObjectView::of(object, state, inputs);
    state.record_start(&view);
    let mut permit = Permit::Change;
    let mut tries = 1;
    let ended = loop {
        let ended = match attempt(&intent, &view, state, inputs, &permit).await {
            Ok(ended) => ended,
            Err(why) => return Outcome::withheld(why, &view),
        };
        match (ended.unexplained_error(), &permit) {
            (Some(error), _) if error.class == ErrorClass::StaleEtag && tries < TRIES => tries += 1,
            _ if bug!(TwoMutationsInOneReconcile) && tries < TRIES && ended.leaves_more_to_do() => tries += 1,
            (Some(error), Permit::Change) if may_hide_our_own(error) => permit = Permit::ReadOnlyAfter(error.clone()),
            _ => break ended,
        }
        view.read_again();
    };
    report(ended, &intent, &view, state, inputs)
}

/// Whether an attempt may still change something.
enum Permit {
    Change,
    /// The one change of this reconcile was a Create that was refused with this error, so only reads are allowed.
    ReadOnlyAfter(ApiError),
}

/// Reads, plans, and makes the planned change, provided that the object is up to date and the reads are still recent enough.
async fn attempt<C: CloudFront>(
    intent: &Intent,
    view: &ObjectView<'_>,
    state: &mut ObjectState,
    inputs: &Inputs<'_, C>,
    permit: &Permit,
) -> Result<Ended, Withheld> {
    for _ in 0..TRIES {
        let observed = match observe(intent, view, state, inputs).await {
            Ok(observed) => observed,
            Err(error) => {
                state.record_failed_read(&error.error, inputs.clock.moment());
                return Ok(Ended::Failed(error));
            }
        };
        let read_at = inputs.clock.moment();
        if let Err(error) = state.record_read(&observed, view, read_at) {
            return Ok(Ended::Failed(error.into()));
        }
        let action = plan(intent, observed, view, inputs.settings);
        state.record_plan(&action);
        let change = match (action, permit) {
            (Action::None(finding), _) => {
                let tenants = tenants_without_traffic(&finding, view, inputs.port).await;
                return Ok(Ended::Found(finding, tenants));
            }
            (Action::Change(Change::Create(_)), Permit::ReadOnlyAfter(refused)) => {
                return Ok(Ended::Failed(refused.clone().into()));
            }
            (Action::Change(change), Permit::ReadOnlyAfter(_)) => return Ok(Ended::Discovered(change)),
            (Action::Change(change), Permit::Change) => change,
        };
        inputs.freshness.confirm(change.operation(), change.evidence(view)).await?;
        if inputs.clock.moment().since(read_at) <= MAX_READ_AGE {
            return Ok(match (execute(&change, view, state, inputs).await, change) {
                (Ok(effect), _) => Ended::Changed(effect),
                (Err(failed), Change::Update(read, _))
                    if failed.error.class == ErrorClass::StaleEtag && bug!(OutdatedUpdateIsDone) =>
                {
                    Ended::Found(Finding::UpToDate(read), None)
                }
                (Err(failed), change) => Ended::Failed(failed.of(&change)),
            });
        }
    }
    Err(Withheld::ReadsTooOld)
}

/// Reads who uses a group that an unanswered update of ours may have disabled, as the spec says.
async fn tenants_without_traffic<C: CloudFront>(
    finding: &Finding,
    view: &ObjectView<'_>,
    port: &C,
) -> Option<TenantsRead> {
    let group = finding.in_sync().filter(|group| view.may_have_switched_off(group))?;
    Some(port.tenants(&group.id).await)
}

/// A refused Create may mean that an earlier Create, whose answer was lost, has made the group (docs/cloudfront-api.md, Idempotency).
fn may_hide_our_own(error: &ApiError) -> bool {
    error.operation == Operation::CreateConnectionGroup
        && matches!(error.class, ErrorClass::AlreadyExists | ErrorClass::LimitExceeded)
        && !bug!(NameTakenIsTerminal)
}
