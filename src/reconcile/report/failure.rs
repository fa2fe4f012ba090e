//! Reports on a failed call. Pure, except for the clock: [`ReconcileError`] -> [`Report`].

use std::time::Duration;

use super::{Field, Next, Report, Seen};
use crate::{
    api::Standing,
    cloudfront::{ErrorClass, Group, Members, Operation, Snapshot},
    reconcile::{
        Inputs, ObjectView,
        desired::{DeletionAction, Intent},
        enablement::Enablement,
        error::{Cause, ErrorPolicy, ReconcileError},
        object_state::ObjectState,
        text,
    },
};

/// Reports on a call that failed.
pub fn of_failure<C>(
    failure: ReconcileError,
    intent: &Intent,
    view: &ObjectView<'_>,
    state: &ObjectState,
    inputs: &Inputs<'_, C>,
) -> Report {
    let ErrorPolicy { reason, standing, backoff } = failure.policy();
    // A deletion continues or waits; it needs no edit of the spec.
    let standing = if view.deleting { Standing::Reconciling } else { standing };
    let next = match failure.error.class {
        // The group is enabled again.
        ErrorClass::HasTenants if state.unlisted_use.holds(view.now, view.consistency_window) => Next::Now,
        ErrorClass::AlreadyExists if bug!(NameTakenIsTerminal) => Next::After(Duration::MAX),
        _ => Next::Backoff(backoff),
    };
    // Only after a failed read: a reconcile that tried to change something has read that the group is not as it should be.
    if failure.error.class.is_transient()
        && !failure.error.operation.is_mutation()
        && view.is_in_sync(inputs.snapshot)
        && !state.resync_overdue(inputs.settings, inputs.clock.moment())
    {
        return Report::unchanged().then(next).failed(failure.error);
    }
    let again = match next {
        Next::Now => text::COUNTS_AS_IN_USE,
        _ => text::again(backoff, view.deleting && view.may_be_off_against_the_spec()),
    };
    let mut text = message(&failure, intent, view, inputs.snapshot, again);
    if bug!(MessageTellsTheTime) {
        text += &inputs.clock.wall().to_string();
    }
    let ReconcileError { error, cause, arn: _, read, may_have_switched, may_have_attached, enables_because_of: _ } =
        failure;
    let attached = may_have_attached.map_or(Field::Keep, |list| Field::Set(Some(list.to_string())));
    let tags = match cause {
        Cause::MayHaveTagged(sent) => {
            let before = read.as_ref().map_or_else(|| view.status.tags.clone(), |read| view.tags_sent_to(read));
            Field::Set(before.into_iter().chain(sent).collect())
        }
        Cause::Unexplained | Cause::AnycastIpListNotFound(_) | Cause::Ipv4OnlyList(_) => Field::Keep,
    };
    // An earlier update without an answer may still take effect if this one, which builds on the version before it, does not.
    let in_doubt = error.operation == Operation::UpdateConnectionGroup && error.class.leaves_doubt();
    let may_have_switched = may_have_switched || (in_doubt && view.enablement_is_in_doubt());
    let seen = read.map_or(Seen::Unchanged, |read| {
        // Whether the group is enabled is not known until it is read again.
        let enabled = read.config.enabled.filter(|_| !may_have_switched);
        Seen::Group(Group { config: Members { enabled, ..read.config.clone() }, ..read })
    });
    Report { tags, attached, drift: Field::Keep, blocked_by: Field::Keep, ..Report::new(seen, standing, reason, text) }
        .then(next)
        .failed(error)
}

/// The message of the condition. `again`: when the call is retried.
fn message(
    failure: &ReconcileError,
    intent: &Intent,
    view: &ObjectView<'_>,
    snapshot: Option<&Snapshot>,
    again: &str,
) -> String {
    let error = &failure.error;
    let text = match (&failure.cause, intent) {
        (Cause::AnycastIpListNotFound(list), _) => text::list_not_found(list, again),
        (Cause::Ipv4OnlyList(list), _) => text::ipv4_only_list(list, error, again),
        (Cause::Unexplained, Intent::Present(desired))
            if error.class == ErrorClass::LimitExceeded && error.operation == Operation::CreateConnectionGroup =>
        {
            text::quota(error, desired, snapshot, again)
        }
        (Cause::Unexplained, Intent::Present(_)) if error.class == ErrorClass::InvalidArgument => {
            text::invalid(error, again)
        }
        (Cause::Unexplained | Cause::MayHaveTagged(_), _) => {
            text::failed(error, &view.name, &resource(failure, intent, view), again)
        }
    };
    let besides = match (failure.enables_because_of, intent) {
        (Some(blocker), _) => text::off_until_enabled(blocker),
        (None, Intent::Absent { action: DeletionAction::Delete, .. }) if leaves_it_off(failure, view) => {
            text::OFF_FOR_ITS_DELETION
        }
        (None, _) => "",
    };
    text + besides
}

/// Whether status will show the group as disabled against the spec: as it was just read, otherwise as it was before.
fn leaves_it_off(failure: &ReconcileError, view: &ObjectView<'_>) -> bool {
    match &failure.read {
        Some(read) => view.spec_enabled && read.config.enabled == Some(false),
        None => view.enablement() == Enablement::OffAgainstTheSpec,
    }
}

/// The resource of the failed call, in IAM's terms.
fn resource(failure: &ReconcileError, intent: &Intent, view: &ObjectView<'_>) -> String {
    let name = &view.name;
    match (failure.error.operation, intent) {
        (
            Operation::CreateConnectionGroup | Operation::ListConnectionGroups | Operation::ListDistributionTenants,
            _,
        ) => format!("* (for connection group {name})"),
        (Operation::GetAnycastIpList, Intent::Present(desired) | Intent::Mirrored(desired)) => {
            let list = desired.config().anycast_ip_list_id.map(|list| list.to_string()).unwrap_or_default();
            format!("anycast-ip-list/{list}")
        }
        _ => match failure.arn.clone().or_else(|| view.arn()) {
            Some(arn) => format!("{arn} ({name})"),
            None => format!("connection group {name}"),
        },
    }
}
