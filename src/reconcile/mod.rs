//! One reconcile: from an object and the state of CloudFront to the next status. Acts only through the CloudFront port; knows no Kubernetes client.
//!
//! In: the object with its newest status, the [`ObjectState`] of this process, and the [`Inputs`]. Out: an [`Outcome`] for the controller to carry out.
//! The steps, a file or a folder each: `desired` -> `observe` (and `ownership`) -> `plan` -> `freshness` and `execute` -> `report`.

pub mod backoff;
mod claims;
pub mod desired;
pub mod diff;
pub mod drift_backoff;
pub mod due;
pub mod enablement;
pub mod error;
pub mod execute;
pub mod freshness;
mod inputs;
pub mod members;
pub mod object_state;
mod object_view;
pub mod observe;
mod outcome;
pub mod ownership;
pub mod plan;
mod refusal;
pub mod report;
pub mod tags;
#[cfg(test)]
mod testing;
mod text;
pub mod unlisted_use;
pub mod unowned;
pub mod versions;

use self::{
    desired::Intent,
    execute::{TenantsRead, execute},
    freshness::{MAX_READ_AGE, Withheld},
    observe::observe,
    plan::{Action, Change, Finding, plan},
    report::{Ended, report},
};
pub use self::{
    desired::group_name,
    inputs::{Inputs, Settings},
    object_state::ObjectState,
    object_view::ObjectView,
    outcome::{Event, Finalizer, Outcome, Severity},
    report::with_last_status,
};
use crate::{
    api::ConnectionGroup,
    cloudfront::{ApiError, CloudFront, ErrorClass, Operation},
};

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
                state.record_failed_tenants_read(&error.error, inputs.clock.moment());
                return Ok(Ended::Failed(error));
            }
        };
        let read_at = inputs.clock.moment();
        if let Err(error) = state.record_read(&observed, view, read_at) {
            return Ok(Ended::Failed(error.into()));
        }
        let action = plan(intent, observed, view, inputs.settings);
        state.record_plan(&action, view);
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
