//! Our hold on an object, which is our finalizer: stored before the first call to CloudFront, removed once nothing is left to do. Talks to the API server.
//!
//! In: one version of the object. Out: the [`Step`] with which the reconcile of that version ends, if it does. What is reported as released was released.

use std::sync::Arc;

use kube::{Api, Resource, ResourceExt};
use tokio::time::Instant;

use super::{
    Context, WorkerError,
    leave::leave,
    queued::Reconciled,
    step::{Finished, Step},
    store::{log, publish},
};
use crate::{
    api::ConnectionGroup,
    cloudfront::queue::Reservation,
    controller::{
        finalizer::{self, Holder, Removed},
        freshness_check::{FreshnessCheck, ObjectVersion},
        objects::Tracked,
    },
    reconcile::freshness::Evidence,
};

/// Makes sure that the object carries our finalizer. Returns a step if this reconcile of the version ends here.
pub async fn hold(
    version: &ObjectVersion,
    api: &Api<ConnectionGroup>,
    context: &Context,
) -> Result<Option<Step>, WorkerError> {
    let object = &*version.object;
    let uid = object.uid().unwrap_or_default();
    let deleting = object.meta().deletion_timestamp.is_some();
    match finalizer::holder(object.finalizers(), &context.finalizer) {
        Holder::Us => Ok(None),
        Holder::Another(theirs) => Ok(Some(Step::Ended(leave(object, &theirs, context).await))),
        // No finalizer may be added to an object that is being deleted.
        Holder::Legacy if deleting => Ok(None),
        Holder::Nobody if deleting => {
            context.objects.forget(&uid);
            Ok(Some(Step::Ended(Finished::DONE)))
        }
        Holder::Nobody | Holder::Legacy => {
            let turn = context.api_turn().await;
            let asked = Instant::now();
            let stored = finalizer::add(api, object, &context.finalizer).await?;
            drop(turn);
            if stored.is_none() {
                context.objects.forget(&uid);
            }
            // The answer contains the object as it is now.
            Ok(Some(
                stored.map_or(Step::Ended(Finished::DONE), |stored| Step::Newer(ObjectVersion::read(stored, asked))),
            ))
        }
    }
}

/// Removes our finalizer, unless the object was edited since it was reconciled.
pub async fn release(
    reconciled: &Reconciled,
    api: &Api<ConnectionGroup>,
    context: &Context,
    tracked: &mut Tracked,
    reservation: &Arc<Reservation>,
) -> Result<Step, WorkerError> {
    let Reconciled { version, outcome, .. } = reconciled;
    // The policies that allow the release may have been edited in the meantime.
    let port = context.account.cloudfront.within(Arc::clone(reservation));
    let freshness = FreshnessCheck::new(api, version, context, &port);
    if let Err(why) = freshness.check(Evidence::RecentEvent).await {
        return Ok(Step::withheld(why, freshness.newer()));
    }
    let object = &*version.object;
    let turn = context.api_turn().await;
    let asked = Instant::now();
    if let Removed::EditedMeanwhile(current) = finalizer::remove(api, object, &context.finalizer).await? {
        return Ok(Step::Newer(ObjectVersion::read(*current, asked)));
    }
    drop(turn);
    tracked.released = true;
    context.metrics.released(object, context.clock.wall());
    log(outcome);
    publish(object, outcome, context).await;
    // This object is remembered until the cache no longer shows it; objects that were released earlier are forgotten here.
    context.objects.forget_the_gone();
    Ok(Step::Ended(Finished::DONE))
}
