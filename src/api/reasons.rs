//! The reasons of conditions and the reasons of events: two lists, in which each reason has one meaning. Pure data.
//!
//! docs/reference/events-and-conditions.md explains each of them to users.

use strum::{IntoStaticStr, VariantArray, VariantNames};

/// Why an object is in its state: the reason of a condition. The name of the variant is the reason in Kubernetes and the metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, IntoStaticStr, VariantArray)]
pub enum ConditionReason {
    /// CloudFront is still rolling the configuration out.
    Deploying,
    /// Rolled out and equal to the spec; in mode Observe, rolled out and enabled.
    Deployed,
    /// Rolled out, equal to the spec, and disabled; in mode Observe, rolled out and disabled.
    Disabled,
    /// CloudFront asked us to slow down.
    Throttled,
    /// CloudFront could not be reached, timed out or failed on its side.
    ServiceUnavailable,
    /// The group was no longer as it had just been read.
    Conflict,
    /// CloudFront says that what a request asks for exists already, above all a group of that name.
    AlreadyExists,
    /// CloudFront accepted a change but shows another configuration than was sent.
    ChangeNotApplied,
    /// The group may be ours: its tags may not be visible yet.
    TagsPending,
    /// The owner or identity tag has no value, so it does not say whose the group is.
    OwnerTagEmpty,
    /// A group that is recorded as this object's, or is to be deleted with it, was read without an owner tag.
    OwnerTagMissing,
    /// A deletion waits, because a request to create or to adopt the group may still take effect.
    ClaimPending,
    /// IAM refused an action.
    AccessDenied,
    /// No usable AWS credentials were found, or they have expired.
    CredentialsUnavailable,
    /// An account quota is used up.
    QuotaExceeded,
    /// CloudFront says that the group is in use, which forbids the change.
    InUse,
    /// The Anycast static IP list does not exist.
    AnycastIpListNotFound,
    /// CloudFront refused a value.
    InvalidArgument,
    /// A part of the spec is carried out, and the next part follows at once.
    Updating,
    /// Another owner holds the name.
    NotOwned,
    /// The group is this object's in another installation with the same owner id.
    AnotherInstallation,
    /// An unowned group of that name exists and may not be adopted.
    AdoptionRefused,
    /// CloudFront kept the Anycast list attached although asked to detach it.
    AnycastDetachRejected,
    /// The name is that of the account's default group, which is never managed.
    DefaultGroup,
    /// CloudFront answered with something this version does not know.
    UnexpectedResponse,
    /// Someone else keeps changing the group; what they changed last is corrected after a pause.
    DriftFlapping,
    /// Mode Observe: no group of that name exists.
    GroupNotFound,
    /// Mode Observe: the group differs from the spec. The reason of the condition `Drifted`.
    Drifted,
    /// The `CustomResourceDefinition` is older than the operator. The reason of the condition `SchemaOutdated`.
    SchemaOutdated,
    /// The group is being disabled so that it can be deleted.
    Disabling,
    /// The group is being deleted, or its absence is being confirmed.
    Deleting,
    /// The group is gone, and the object is released. The reconcile that reports it stores no condition: it removes the finalizer instead.
    Deleted,
    /// The object is released, and the group left as it is. The reconcile that reports it stores no condition: it removes the finalizer instead.
    Released,
    /// A deletion cannot continue, so its group was just enabled again.
    EnabledAgain,
    /// `spec.suspend` is true.
    Suspended,
    /// `spec.deletionProtection` is true.
    DeletionProtected,
    /// CloudFront says that a group on record does not exist; a second proof is awaited.
    ConfirmingAbsence,
    /// The group had been deleted by someone else; it is created again.
    DeletedOutside,
    /// The group was just marked with the identity of this installation.
    Tagged,
    /// An unowned group is adopted next, once a second read shows no owner either.
    Adopting,
    /// An unowned group was just adopted.
    Adopted,
    /// A group of another installation was just taken over, as the administrator decided.
    TakenOver,
}

/// What happened: the reason of an event. The name of the variant is the reason in Kubernetes and the metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, IntoStaticStr, VariantNames)]
pub enum EventReason {
    /// The group was created.
    Created,
    /// The group's configuration was changed.
    Updated,
    /// The group's tags were changed.
    Tagged,
    /// CloudFront refused a member of the spec; the others are carried out.
    MemberRefused,
    /// An Anycast list is attached that is not on record as attached by this object; it stays.
    AnycastListKept,
    /// The group was disabled so that it can be deleted.
    Disabling,
    /// CloudFront accepted to delete the group.
    Deleting,
    /// A deletion cannot continue, so its group was enabled again.
    EnabledAgain,
    /// An unowned group was adopted.
    Adopted,
    /// A group of another installation was taken over, as the administrator decided.
    TakenOver,
    /// The object carries the finalizer of another installation, which alone acts on it.
    ForeignFinalizer,
    /// The group had been deleted by someone else.
    DeletedOutside,
    /// An out-of-band change was corrected.
    DriftCorrected,
    /// Out-of-band changes keep coming, so that corrections are slowed down.
    DriftFlapping,
    /// The group was disabled although tenants use it, because the spec says so.
    DisabledWithTenants,
    /// The answer to an update no longer shows an element of the group that the operator does not manage.
    ElementLost,
    /// On the operator's Pod: a group carries our owner tag, and the object that the tag names is gone, or names another group.
    Orphaned,
    /// The group was let go and left as it is.
    Released,
    /// The group is gone.
    Deleted,
    /// The object is in a new state, for this reason.
    #[strum(transparent)]
    NewState(ConditionReason),
}

impl ConditionReason {
    /// The reason in Kubernetes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl EventReason {
    /// The reason in Kubernetes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
