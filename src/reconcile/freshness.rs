//! Whether a change in CloudFront is still based on the object as the API server has it. Pure, except for the [`Freshness`] that the caller passes in, which
//! may read the API server.
//!
//! In: the planned change, and the object that it was planned for. Out: permission to make it, or why it is withheld. A cache may be arbitrarily old without
//! any sign of it, because a frozen connection looks like an idle one.

use std::{collections::BTreeSet, time::Duration};

use futures::future::{BoxFuture, ready};
use kube::ResourceExt;

use super::{ObjectView, plan::Change};
use crate::{
    api::{ConnectionGroup, GROUP},
    cloudfront::{Members, Operation},
};

/// Asked before each change, and again if the group had to be read again meanwhile.
pub trait Freshness: Send + Sync {
    /// Waits until this call may be made, then confirms that the object is still what the reconcile began with.
    fn confirm(&self, operation: Operation, evidence: Evidence) -> BoxFuture<'_, Result<(), Withheld>>;
}

/// What must confirm that the object is up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Evidence {
    /// A recent watch event of the object, or a read.
    RecentEvent,
    /// A read from the API server: an event may have been delayed on its way.
    Read,
}

/// Why a change is withheld. None of these is an error. The reconcile is repeated, unless the object is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Withheld {
    /// The object has changed since the reconcile began.
    Changed,
    /// The object is gone.
    Gone,
    /// The object cannot be read from the API server.
    Unreadable,
    /// In every attempt, too much time passed between the reads from CloudFront and the change.
    ReadsTooOld,
}

/// Maximum age of the reads from CloudFront that a change is based on.
pub const MAX_READ_AGE: Duration = Duration::from_secs(5);

/// How long until the next reconcile after a change that was withheld (`worker/step.rs`), or if tags may not show yet and it is not known when they will
/// (`plan.rs`).
pub const RECHECK: Duration = Duration::from_secs(10);

/// For a caller whose object cannot be out of date.
pub struct UpToDate;

impl Freshness for UpToDate {
    fn confirm(&self, _: Operation, _: Evidence) -> BoxFuture<'_, Result<(), Withheld>> {
        Box::pin(ready(Ok(())))
    }
}

/// The parts of the object that a decision about its group depends on. A reconcile is valid for as long as this stays the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Basis<'a> {
    uid: Option<&'a str>,
    generation: Option<i64>,
    deleting: bool,
    /// Finalizers of this operator and of its other installations.
    finalizers: BTreeSet<&'a str>,
}

impl<'a> Basis<'a> {
    /// The basis of a reconcile of this object.
    #[must_use]
    pub fn of(object: &'a ConnectionGroup) -> Self {
        // Each edit of the spec, policies included, makes a new generation.
        let in_our_name = |finalizer: &&str| finalizer.split('/').next() == Some(GROUP);
        Self {
            uid: object.metadata.uid.as_deref(),
            generation: object.metadata.generation,
            deleting: object.metadata.deletion_timestamp.is_some(),
            finalizers: object.finalizers().iter().map(String::as_str).filter(in_our_name).collect(),
        }
    }
}

impl Change {
    /// The call that makes it.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        match self {
            Self::Create(_) => Operation::CreateConnectionGroup,
            Self::Update(..) | Self::DisableInDeletion(_) | Self::EnableAgain(..) => Operation::UpdateConnectionGroup,
            Self::Delete(_) => Operation::DeleteConnectionGroup,
            Self::Adopt(_) | Self::Mark(_) | Self::TakeOver(..) | Self::Tag(..) => Operation::TagResource,
            Self::Untag(..) | Self::Disown(_) => Operation::UntagResource,
        }
    }

    /// What must confirm the object before this change: a read, if the change takes anything away or creates what may have existed before.
    #[must_use]
    pub fn evidence(&self, view: &ObjectView<'_>) -> Evidence {
        match self {
            _ if bug!(EventsAreEvidence) => Evidence::RecentEvent,
            Self::Update(described, update) if takes_away(&described.group.config, &update.config) => Evidence::Read,
            // The finalizer of a new object has just been stored; an object that was reconciled before may be gone by now.
            Self::Create(_) if view.was_reconciled() => Evidence::Read,
            // These decide who owns the group, or take something away.
            Self::Adopt(_)
            | Self::Mark(_)
            | Self::TakeOver(..)
            | Self::Untag(..)
            | Self::DisableInDeletion(_)
            | Self::Delete(_)
            | Self::Disown(_) => Evidence::Read,
            Self::Create(_) | Self::Update(..) | Self::EnableAgain(..) | Self::Tag(..) => Evidence::RecentEvent,
        }
    }
}

/// Whether clients that reach the group before the change may no longer reach it afterwards.
fn takes_away(before: &Members, after: &Members) -> bool {
    // No `..`: a new member must be compared. What was not stated may be on.
    let Members { enabled, ipv6_enabled, anycast_ip_list_id } = before;
    let goes_off = |before: Option<bool>, after: Option<bool>| before != Some(false) && after == Some(false);
    goes_off(*enabled, after.enabled)
        || goes_off(*ipv6_enabled, after.ipv6_enabled)
        || (anycast_ip_list_id.is_some() && *anycast_ip_list_id != after.anycast_ip_list_id)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

    use super::*;
    use crate::{
        api::{ConnectionGroupSpec, RECONCILE_REQUESTED_AT, finalizer},
        cloudfront::{AnycastIpListId, Config},
    };

    fn object(change: impl FnOnce(&mut ConnectionGroup)) -> ConnectionGroup {
        let mut object = ConnectionGroup::new("edge", ConnectionGroupSpec::default());
        object.metadata.uid = Some("a".into());
        object.metadata.generation = Some(1);
        object.metadata.finalizers = Some(vec![finalizer("prod")]);
        change(&mut object);
        object
    }

    #[test]
    fn an_edit_a_deletion_a_recreation_and_a_finalizer_in_our_name_make_another_basis_and_nothing_else_does() {
        let before = object(|_| {});
        let changes: [fn(&mut ConnectionGroup); 5] = [
            |object| object.metadata.generation = Some(2),
            |object| object.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH)),
            |object| object.metadata.uid = Some("b".into()),
            |object| object.metadata.finalizers = None,
            |object| object.finalizers_mut().push(format!("{GROUP}/another-installation")),
        ];
        for change in changes {
            let after = object(change);
            assert_ne!(Basis::of(&before), Basis::of(&after), "{after:?}");
        }
        let same: [fn(&mut ConnectionGroup); 4] = [
            |object| object.metadata.resource_version = Some("7".into()),
            |object| object.finalizers_mut().push("foregroundDeletion".into()),
            |object| object.metadata.labels = Some([("team".into(), "edge".into())].into()),
            |object| object.metadata.annotations = Some([(RECONCILE_REQUESTED_AT.into(), "now".into())].into()),
        ];
        for change in same {
            let after = object(change);
            assert_eq!(Basis::of(&before), Basis::of(&after), "{after:?}");
        }
    }

    #[test]
    fn an_update_that_takes_anything_away_needs_a_read() {
        let list = |id: &str| Some(AnycastIpListId::new(id));
        let on = Config { enabled: true, ipv6_enabled: true, anycast_ip_list_id: list("aip_1") };
        let members = |config: &Config| Members::from(config.clone());
        for (after, expected) in [
            (Config { enabled: false, ..on.clone() }, true),
            (Config { ipv6_enabled: false, ..on.clone() }, true),
            (Config { anycast_ip_list_id: None, ..on.clone() }, true),
            (Config { anycast_ip_list_id: list("aip_2"), ..on.clone() }, true),
            (on.clone(), false),
        ] {
            assert_eq!(takes_away(&members(&on), &members(&after)), expected, "{after:?}");
        }
        let off = Config { enabled: false, ipv6_enabled: false, anycast_ip_list_id: None };
        assert!(!takes_away(&members(&off), &members(&on)), "what is added harms nobody");
        let unstated = Members { enabled: None, ipv6_enabled: None, anycast_ip_list_id: None };
        assert!(takes_away(&unstated, &members(&off)), "it may be on");
    }
}
