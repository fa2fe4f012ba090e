//! What becomes of the outcome of a reconcile: status, log lines, events, metrics. Talks to the API server.

use kube::{Api, Resource};

use super::{Context, WorkerError};
use crate::{
    api::{ConnectionGroup, ConnectionGroupStatus},
    controller::{objects::Tracked, schema, status},
    reconcile::{Outcome, Severity, backoff},
};

/// Writes the status unless both the cache and the last accepted write already show it: either may lag behind the other.
pub async fn store_status(
    api: &Api<ConnectionGroup>,
    object: &ConnectionGroup,
    next: &ConnectionGroupStatus,
    tracked: &mut Tracked,
    context: &Context,
) -> Result<(), WorkerError> {
    let previous = tracked.written.as_ref().or(object.status.as_ref());
    let previous = previous.map(|status| status.conditions.clone()).unwrap_or_default();
    // Written twice if the first answer shows that the schema lacks fields: the condition that reports them has to be stored, too.
    loop {
        let next = schema::with_outdated_condition(next, &tracked.dropped, &previous, context.clock.wall());
        let cached = object.status.as_ref() == Some(&next);
        let accepted = tracked.written.as_ref().is_none_or(|written| *written == next);
        if cached && accepted {
            return Ok(());
        }
        let turn = context.api_turn().await;
        let Some(stored) = status::write(api, object, &next).await? else { return Ok(()) };
        drop(turn);
        let dropped = schema::dropped(&next, &stored);
        let known = dropped == tracked.dropped;
        tracked.written = Some(next);
        tracked.dropped = dropped;
        if known {
            break;
        }
        schema::log(&tracked.dropped);
    }
    let conditions = tracked.written.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    context.metrics.stored(&previous, conditions);
    Ok(())
}

/// Logs what the reconcile did and found, and how its call failed.
pub fn log(outcome: &Outcome) {
    for event in &outcome.events {
        let (reason, action) = (event.reason.as_str(), event.action);
        match event.severity {
            Severity::Normal => tracing::info!(reason, action, "{}", event.note),
            Severity::Warning => tracing::warn!(reason, action, "{}", event.note),
        }
    }
    if let Some(error) = &outcome.error {
        let retry_in = backoff::in_words(outcome.requeue);
        tracing::warn!(%error, aws_request_id = error.request_id, retry_in, "CloudFront call failed");
    }
}

/// Counts the outcome in the metrics and publishes its events.
pub async fn publish(object: &ConnectionGroup, outcome: &Outcome, context: &Context) {
    context.metrics.reported(outcome);
    let regarding = object.object_ref(&());
    for event in &outcome.events {
        let _turn = context.api_turn().await;
        context.recorder.publish(&regarding, event).await;
    }
}
