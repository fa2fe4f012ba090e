//! Deliberate bugs. Each breaks one rule of the operator where the rule is implemented (`bug!(Name)`), and the model check must catch it: tests/model/bugs.rs.
//!
//! Two locks keep them out of releases. They are compiled in only with the feature `deliberate-bugs`, which only the model check enables, and only with debug
//! assertions, which a release build does not have. Unless both are on, `bug!` is the constant `false`, and nothing else of this remains.

/// Whether this deliberate bug is switched on in this thread.
#[cfg(all(feature = "deliberate-bugs", debug_assertions))]
macro_rules! bug {
    ($bug:ident) => {
        $crate::bugs::is_on($crate::bugs::Bug::$bug)
    };
}

#[cfg(not(all(feature = "deliberate-bugs", debug_assertions)))]
macro_rules! bug {
    ($bug:ident) => {
        false
    };
}

// Each lock is enough on its own: the following compiles only if `bug!` is a constant.
#[cfg(not(debug_assertions))]
const _: () = assert!(!bug!(EveryOwnerIsUs));
#[cfg(not(feature = "deliberate-bugs"))]
const _: () = assert!(!bug!(EveryOwnerIsUs));

#[cfg(all(feature = "deliberate-bugs", debug_assertions))]
pub use switch::{Bug, Switched, is_on};

#[cfg(all(feature = "deliberate-bugs", debug_assertions))]
mod switch {
    use std::cell::Cell;

    /// A rule that is broken.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Bug {
        /// The group counts as this object's, whatever owner the tag names.
        EveryOwnerIsUs,
        /// The owner tag alone makes a group ours: the identity tag is not compared.
        IdentityIsIgnored,
        /// An owner tag without a value names another owner.
        EmptyOwnerIsAnother,
        /// A group of this object without an identity tag is changed before it is marked.
        UnmarkedIsOurs,
        /// A group of the installation to take over from is changed before it carries our identity.
        PredecessorIsUs,
        /// The group that status names counts as ours, whatever its tags say.
        StatusProvesOwnership,
        /// The name of the group that the id in status leads to is not checked.
        RecordedIdIsBelieved,
        /// The group that a name leads to may be another one, whose id equals the name.
        NameMayBeAnId,
        /// Mode Observe releases an object at once, although a request of an earlier mode Manage may still take effect.
        ObserveReleasesAtOnce,
        /// Once this process has written, its write stays the newest information about the group.
        OwnWriteStaysNewest,
        /// A row of the list without a deployment status counts as information about the roll-out.
        UnstatedRolloutIsAwaited,
        /// A list proves that a group is gone, although a Create of ours may still take effect after it.
        EarlyListIsProof,
        /// A list proves that a group is gone once no Create of ours can take effect any more, although one may have taken effect after the list.
        WindowEndsByTheClock,
        /// A deletion ends at someone else's group, although our own Create may still take effect once the name is free.
        GroupOfOthersEndsTheWait,
        /// A deletion continues although tenants use the group.
        TenantsAreIgnored,
        /// The finalizer is removed at the first `EntityNotFound`.
        ReleasedOnOneNotFound,
        /// The first `EntityNotFound` removes the group from status: neither its name nor a list is checked.
        OneNotFoundIsGone,
        /// The first read without an owner tag removes the group from status.
        OneReadWithoutTagsIsLost,
        /// A deletion that tenants block half-way leaves the group off.
        BlockedDeletionLeavesItOff,
        /// Protection that is set half-way through a deletion leaves the group off.
        ProtectionLeavesItOff,
        /// An object with policy Retain is released while its group is off for the deletion.
        RetainedWhileOff,
        /// Disabling waits for the drift backoff.
        SwitchingOffIsPaused,
        /// An update puts the generation on record as synced, although tags are still to be set.
        SettledWithoutTags,
        /// A detachment that CloudFront accepts but does not carry out is requested again and again.
        IgnoredDetachIsRepeated,
        /// The account's default group is managed like any other.
        DefaultGroupIsManaged,
        /// The object's policy is enough for an adoption; the administrator is not asked.
        AdministratorIsNotAsked,
        /// `IfUnchanged` adopts a group that differs from the spec.
        DifferencesAreAdopted,
        /// `spec.suspend` is not read.
        SuspensionIsIgnored,
        /// `spec.deletionProtection` is not read.
        ProtectionIsIgnored,
        /// `spec.deletionPolicy` is not read.
        RetentionIsIgnored,
        /// Mode Observe writes.
        ObserveManages,
        /// The finalizer is removed as soon as CloudFront answers the Delete.
        ReleasedAfterTheDelete,
        /// An unanswered Create counts as one that was never sent.
        DoubtfulCreateIsForgotten,
        /// An update that CloudFront refuses because its version is outdated counts as done.
        OutdatedUpdateIsDone,
        /// The Anycast list that an update attached is not put on record.
        AttachedListIsForgotten,
        /// Each update carries the whole spec.
        UpdateCarriesEverything,
        /// As long as one member is refused, no other is updated.
        RefusedMemberHoldsUpOthers,
        /// Of several members that differ, one is updated at a time.
        EachMemberAlone,
        /// No request is pending any longer once it was answered or abandoned: there is no consistency window.
        ConsistencyWindowIsSkipped,
        /// A new process assumes that no earlier one has a request in flight.
        EarlierProcessIsForgotten,
        /// `If-Match` is taken from status.
        EtagFromStatus,
        /// A requested reconcile counts as handled.
        RequestIsTakenForHandled,
        /// What was observed of an earlier group of the same name counts for this one.
        UnownedWhicheverGroup,
        /// Any attached list counts as attached by this object.
        EveryListIsOurs,
        /// No group is ever due for a full read.
        ResyncIsNeverDue,
        /// A deployment status that an answer omits counts as a roll-out in progress.
        AbsentStatusIsInProgress,
        /// Tags that were found as the spec asks for count as sent by us.
        FoundTagsAreOurs,
        /// A group that matches the spec is Ready before it is rolled out.
        ReadyBeforeRollout,
        /// The tags that were sent are not put on record.
        SentTagsAreForgotten,
        /// Tags are removed by key, even if someone else has changed their value since.
        TagsOfAnyValueAreOurs,
        /// A message contains the time.
        MessageTellsTheTime,
        /// A failed reconcile is not repeated.
        FailureIsFinal,
        /// An unchanged condition counts as a transition.
        EachWriteIsATransition,
        /// A recent event of the object is enough evidence for every change.
        EventsAreEvidence,
        /// A reconcile that leaves something to do makes a second change.
        TwoMutationsInOneReconcile,
        /// A name that is taken is never retried.
        NameTakenIsTerminal,
        /// An outage of CloudFront counts as something that a person has to fix.
        OutageIsStalled,
        /// Tags of an unanswered call are not put on record.
        DoubtfulTagsAreForgotten,
        /// An unreadable answer to a change counts as a refusal: tags that were sent are not put on record.
        UnreadableAnswerIsARefusal,
        /// A group that CloudFront calls in use counts as unused as long as no tenant is listed.
        UnlistedUseIsIgnored,
        /// The stored status is believed, whatever this process concluded last.
        StoredStatusIsBelieved,
        /// A reconcile is never repeated, whatever its result.
        RequeueIsDropped,
        /// An inventory triggers no reconcile.
        ListWakesNobody,
        /// Edits and requested reconciles trigger no reconcile.
        EditIsNotHeard,
    }

    thread_local! {
        static ON: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Whether this bug is switched on in this thread.
    #[inline]
    #[must_use]
    pub fn is_on(bug: Bug) -> bool {
        ON.get() == Some(bug)
    }

    /// Keeps a bug switched on in this thread for as long as it lives.
    #[must_use]
    pub struct Switched {
        before: Option<Bug>,
    }

    impl Switched {
        /// Switches this bug on in place of any other, or none.
        pub fn on(bug: Option<Bug>) -> Self {
            Self { before: ON.replace(bug) }
        }
    }

    impl Drop for Switched {
        fn drop(&mut self) {
            ON.set(self.before);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_bug_is_compiled_in_unless_somebody_asks_for_it() {
        let manifest = include_str!("../Cargo.toml");
        let features = manifest.split("[features]").nth(1).and_then(|rest| rest.split("\n[").next());
        let lines = features.unwrap_or_default().lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        assert_eq!(lines.collect::<Vec<_>>(), ["deliberate-bugs = []"], "there is no default, and nothing implies it");
    }
}
