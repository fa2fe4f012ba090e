//! One reconcile: from an object and the world to the next status. Its only effect is the CloudFront port; it knows no Kubernetes client.
//!
//! In: the object with its newest status, the [`Memory`] of earlier passes, and the [`Surroundings`]. Out: an [`Outcome`] for the runtime to
//! carry out. The steps, one file each:
//! `desired` -> `observe` -> (`ownership`) -> `plan` -> `view` and `apply`, or `conclude` -> `status`.

pub mod apply;
pub mod backoff;
mod conclude;
mod conclusion;
pub mod desired;
pub mod differences;
pub mod dispute;
pub mod members;
pub mod memory;
mod message;
pub mod observe;
pub mod ownership;
pub mod plan;
mod refusal;
pub mod status;
#[cfg(test)]
mod testing;
pub mod trouble;
pub mod view;

mod known;

use std::time::Duration;

pub use desired::group_name;
pub use known::Known;
pub use memory::Memory;

use self::{
    apply::{apply, with_tenants_off_air},
    conclude::conclude,
    conclusion::{Conclusion, Next},
    desired::Intent,
    observe::{Look, Observed, Usage, observe},
    ownership::{Installation, OwnerTag},
    plan::{Mutation, Plan, plan},
    status::outcome,
    trouble::Failure,
    view::{READS_LAST, RECHECK, View, Withheld},
};
use crate::{
    api::{ConnectionGroup, ConnectionGroupStatus, Drift, Member, Reason},
    clock::Clock,
    cloudfront::{ApiError, CloudFront, ErrorClass, Operation, Snapshot},
};

/// What the administrator decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Name of this installation in the owner tag.
    pub owner_id: String,
    /// Identity of this installation.
    pub installation: Installation,
    /// The installation whose groups this one takes over, by the administrator's decision.
    pub predecessor: Option<Installation>,
    /// The administrator's key to adoption.
    pub allow_adoption: bool,
    /// Time between two sweeps at rest.
    pub sweep_interval: Duration,
    /// Time between two sweeps while something is under way.
    pub sweep_interval_active: Duration,
    /// Time between two full reads of one group.
    pub deep_check_interval: Duration,
    /// How long a Create may take effect after it was sent, answered or not.
    pub settle_window: Duration,
}

/// What a pass can see and use besides the object.
pub struct Surroundings<'a, C> {
    /// CloudFront.
    pub port: &'a C,
    /// The administrator's decisions.
    pub policy: &'a Policy,
    /// The last complete list.
    pub snapshot: Option<&'a Snapshot>,
    /// Why the last list failed, if it did.
    pub list_trouble: Option<&'a ApiError>,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Whether the object is up to date.
    pub view: &'a dyn View,
}

impl<C> Surroundings<'_, C> {
    /// Whether lists have stopped coming, so that changes would go unnoticed.
    #[must_use]
    pub fn list_is_stale(&self) -> bool {
        let oldest = self.policy.sweep_interval.saturating_mul(3);
        self.snapshot.is_none_or(|list| self.clock.moment().since(list.began) > oldest)
    }
}

/// What the runtime has to do after a pass.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The status to store, if it differs.
    pub status: ConnectionGroupStatus,
    /// Whether the object may go.
    pub finalizer: Finalizer,
    /// When the next pass is due, if nothing happens before.
    pub requeue: Duration,
    /// What to tell people.
    pub events: Vec<Event>,
    /// What others changed, where this pass is the first to see it.
    pub drift: Vec<Drift>,
    /// The member of the configuration that CloudFront refused, if it refused one.
    pub refused: Option<Member>,
    /// The failed call that ended the pass, if one did.
    pub error: Option<ApiError>,
    /// Why a change that was called for was not made, if so. Then nothing was learned, and the status is as it was.
    pub withheld: Option<Withheld>,
}

impl Outcome {
    fn withheld(why: Withheld, known: &Known<'_>) -> Self {
        let requeue = match why {
            Withheld::Changed | Withheld::Gone => Duration::ZERO,
            Withheld::Unreadable | Withheld::Late => RECHECK,
        };
        Self {
            status: known.status.clone(),
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

/// Whether an object may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finalizer {
    /// Not yet.
    Keep,
    /// Now.
    Release,
}

/// Something to tell people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// How bad it is.
    pub severity: Severity,
    /// What happened, in one word.
    pub reason: Reason,
    /// What was done or tried.
    pub action: &'static str,
    /// The sentence.
    pub note: String,
}

/// How bad an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Good, or as asked for.
    Normal,
    /// Somebody may want to look.
    Warning,
}

/// How often a pass reads anew after CloudFront said that the version it had read is not the current one.
const TRIES: usize = 3;

/// One pass over one object.
pub async fn reconcile<C: CloudFront>(
    object: &ConnectionGroup,
    memory: &mut Memory,
    around: &Surroundings<'_, C>,
) -> Outcome {
    let intent = Intent::of(object);
    let mut known = Known::of(object, memory, around);
    if known.spec_is_new() {
        memory.failures = 0;
    }
    if known.is_asked_anew() {
        memory.dispute.somebody_asks();
        memory.delete_refused = None;
    }
    let mut permit = Permit::Mutate;
    let mut tries = 1;
    let ended = loop {
        let ended = attempt(&intent, &known, memory, around, &permit).await;
        let ended = match ended {
            Ok(conclusion) => Ok(conclusion),
            Err(Stopped::Failed(failure)) => Err(*failure),
            Err(Stopped::Withheld(why)) => return Outcome::withheld(why, &known),
        };
        match (ended.as_ref().err().and_then(Failure::unexplained), &permit) {
            (Some(error), _) if error.class == ErrorClass::StaleEtag && tries < TRIES => tries += 1,
            _ if bug!(TwoMutationsInAPass) && tries < TRIES && ended.as_ref().is_ok_and(|it| it.next == Next::Now) => {
                tries += 1;
            }
            (Some(error), Permit::Mutate) if may_hide_our_own(error) => permit = Permit::LookAfter(error.clone()),
            _ => break ended,
        }
        known.look = known.look.max(Look::AtCloudFront);
        known.found_amiss = true;
    };
    outcome(ended, &intent, &known, memory, around)
}

/// Whether an attempt may still change something.
enum Permit {
    Mutate,
    /// The pass has had its mutation, and it was refused so: only look.
    LookAfter(ApiError),
}

/// Why an attempt came to no conclusion.
enum Stopped {
    Failed(Box<Failure>),
    Withheld(Withheld),
}

impl<T: Into<Failure>> From<T> for Stopped {
    fn from(failure: T) -> Self {
        Self::Failed(Box::new(failure.into()))
    }
}

/// Reads, plans, and makes the change that is called for, if the object is up to date and what was read is not too old for it by then.
async fn attempt<C: CloudFront>(
    intent: &Intent,
    known: &Known<'_>,
    memory: &mut Memory,
    around: &Surroundings<'_, C>,
    permit: &Permit,
) -> Result<Conclusion, Stopped> {
    for _ in 0..TRIES {
        let observed = observe(intent, known, memory, around).await;
        let read_at = around.clock.moment();
        memory.read_usage(observed.as_ref().map_err(|failure| failure.trouble.error()), read_at);
        let observed = observed?;
        let mutation = match decide(observed, intent, known, memory, around)? {
            Plan::Conclude(finding) => {
                let switched_off = finding.in_step().filter(|group| known.may_have_switched_off(group));
                let id = switched_off.map(|group| group.id.clone());
                let conclusion = conclude(finding, intent, known, around.list_trouble);
                return Ok(match id {
                    Some(id) => with_tenants_off_air(conclusion, around.port.tenants(&id).await),
                    None => conclusion,
                });
            }
            Plan::Mutate(mutation) => mutation,
        };
        match (mutation, permit) {
            (mutation, Permit::Mutate) => {
                around.view.confirm(mutation.operation(), mutation.evidence(known)).await.map_err(Stopped::Withheld)?;
                if around.clock.moment().since(read_at) > READS_LAST {
                    continue;
                }
                let arn = mutation.group().map(|group| group.arn.clone());
                let read = mutation.group_of_ours().cloned();
                let attaches = mutation.attaches().cloned();
                let hint = mutation.hint();
                let applied = apply(mutation, intent, known, memory, around).await;
                return applied.map_err(|trouble| {
                    let may_have_attached = attaches.filter(|_| trouble.error().class.leaves_doubt());
                    Failure { trouble, arn, read, may_have_attached, hint }.into()
                });
            }
            (Mutation::Create(_), Permit::LookAfter(refused)) => return Err(refused.clone().into()),
            (mutation, Permit::LookAfter(_)) => return Ok(Conclusion::found(mutation)),
        }
    }
    Err(Stopped::Withheld(Withheld::Late))
}

/// Plans from what was read, and remembers what that says of others.
fn decide<C>(
    observed: Observed,
    intent: &Intent,
    known: &Known<'_>,
    memory: &mut Memory,
    around: &Surroundings<'_, C>,
) -> Result<Plan, ApiError> {
    let now = around.clock.moment();
    if matches!(observed, Observed::Outdated) {
        // It says nothing of what is so now.
        return Ok(plan(intent, observed, known, around.policy));
    }
    match &observed {
        Observed::Found { described, owner, .. } => {
            memory.saw_owner(owner, now);
            let unowned = OwnerTag::in_tags(&described.tags).is_none().then_some(&described.group.id);
            memory.saw_unowned(unowned, now);
            memory.found(true, now);
        }
        Observed::NotFound(_) => {
            memory.saw_unowned(None, now);
            memory.found(false, now);
        }
        Observed::NotLooked
        | Observed::Outdated
        | Observed::Settled(_)
        | Observed::NeverThere
        | Observed::Unsettled(..)
        | Observed::Unreadable => {}
    }
    if let Observed::Found { usage: Usage::Tenants(tenants), described, .. } = &observed
        && !memory.believes(tenants, around.clock.moment(), around.policy.settle_window)
        // The emergency switch does not depend on who uses the group.
        && (known.wants_traffic || described.group.config.enabled == Some(false))
    {
        return Err(unlisted());
    }
    let by_others =
        matches!(&observed, Observed::Found { described, .. } if known.was_changed_by_others(&described.group));
    let plan = plan(intent, observed, known, around.policy);
    let in_step = matches!(&plan, Plan::Conclude(finding) if finding.in_step().is_some());
    memory.dispute.look(by_others && !in_step);
    if in_step {
        memory.is_in_step();
    }
    Ok(plan)
}

/// The answer about tenants has no list of them, so it does not say that there are none.
fn unlisted() -> ApiError {
    let text = "the answer has no list of distribution tenants, not even an empty one; it is taken for an empty one once that has been so for the settle window";
    ApiError::new(Operation::ListDistributionTenants, ErrorClass::Unexpected, None, text, None)
}

/// A refused Create may mean that an earlier one, whose answer was lost, made the group (docs/cloudfront-api.md, Idempotency).
fn may_hide_our_own(error: &ApiError) -> bool {
    error.operation == Operation::CreateConnectionGroup
        && matches!(error.class, ErrorClass::AlreadyExists | ErrorClass::LimitExceeded)
        && !bug!(NameTakenIsTerminal)
}
