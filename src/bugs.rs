//! Deliberate bugs. Each changes one rule of the operator, in the rule's own place (`bug!(Name)`), and the model check has to catch it: tests/model/bugs.rs.
//!
//! Two locks keep them out of what ships. They are compiled in only with the feature `deliberate-bugs`, which nothing but the model check asks for, and
//! only with debug assertions, which a release build does not have. Without either, `bug!` is the constant `false`, and nothing else of this is left.

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

// Each lock holds alone: what follows compiles only where `bug!` is a constant.
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
        /// Whatever owner the tag names, the group counts as this object's.
        EveryOwnerIsUs,
        /// The owner tag alone makes a group ours: the identity tag is not compared.
        IdentityIsIgnored,
        /// An owner tag without a value names another owner.
        EmptyOwnerIsAnother,
        /// A group of this object without an identity tag is changed before it is marked.
        UnmarkedIsOurs,
        /// A group of the installation to take over from is changed before it carries our identity.
        PredecessorIsUs,
        /// The group that status names is ours, whatever its tags say.
        StatusProvesOwnership,
        /// The group that the id in status leads to is not asked for its name.
        RecordedIdIsBelieved,
        /// The group that a name leads to may be another one, whose id reads like the name.
        NameMayBeAnId,
        /// Mode Observe releases an object at once, although a request of an earlier mode Manage may still take effect.
        ObserveReleasesAtOnce,
        /// Once this process has written, nothing but that write is known of the group.
        OwnWriteStaysNewest,
        /// A row of the list that states no deployment status counts as news of it.
        UnstatedRolloutIsAwaited,
        /// A list proves a group gone although a Create of ours may still land after it.
        EarlyListIsProof,
        /// A list proves a group gone once a Create of ours can no longer land, although it may have landed after the list.
        WindowEndsByTheClock,
        /// A deletion ends at a group of others, although our own Create may still land once the name is free.
        GroupOfOthersEndsTheWait,
        /// A deletion goes on although tenants use the group.
        TenantsAreIgnored,
        /// The finalizer goes with the first `EntityNotFound`.
        ReleasedOnOneNotFound,
        /// The first `EntityNotFound` takes the group out of status: neither the name nor a list is asked.
        OneNotFoundIsGone,
        /// The first read without an owner tag takes the group out of status.
        OneReadWithoutTagsIsLost,
        /// A deletion that tenants stop half-way leaves the group off.
        BlockedDeletionLeavesItOff,
        /// Protection that is set half-way through a deletion leaves the group off.
        ProtectionLeavesItOff,
        /// A group that is to stay is released while it is off for its deletion.
        RetainedWhileOff,
        /// Switching off waits for the pause after changes of others.
        SwitchingOffIsPaused,
        /// An update settles the generation, although tags are left to be set.
        SettledWithoutTags,
        /// A detaching that CloudFront accepts and does not do is asked for again and again.
        IgnoredDetachIsRepeated,
        /// The account's default group is one like the others.
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
        /// The finalizer goes as soon as CloudFront answers the Delete.
        ReleasedAfterTheDelete,
        /// A Create without an answer counts as one that was never sent.
        DoubtfulCreateIsForgotten,
        /// An update that CloudFront refuses because its version is outdated counts as done.
        OutdatedUpdateIsDone,
        /// The Anycast list that an update attached is not put on record.
        AttachedListIsForgotten,
        /// Each update carries all that the spec says.
        UpdateCarriesEverything,
        /// As long as one member is refused, no other is updated.
        RefusedMemberHoldsUpOthers,
        /// Of several members that differ, one is updated at a time.
        EachMemberAlone,
        /// What was sent has landed or is lost as soon as it was answered or given up.
        SettleWindowIsSkipped,
        /// A new process takes it that no earlier one has a request under way.
        EarlierProcessIsForgotten,
        /// If-Match comes from status.
        EtagFromStatus,
        /// Who asks for a reconcile has been answered.
        RequestIsTakenForHandled,
        /// What was seen of an earlier group of the name is believed of this one.
        UnownedWhicheverGroup,
        /// Whatever list is attached was attached by this object.
        EveryListIsOurs,
        /// No group is ever due for a full read.
        ResyncIsNeverDue,
        /// A deployment status that an answer leaves out is taken for a roll-out.
        AbsentStatusIsInProgress,
        /// Tags that were found as the spec asks for them count as sent.
        FoundTagsAreOurs,
        /// A group that is as the spec says is Ready before it is rolled out.
        ReadyBeforeRollout,
        /// What tags were sent is not put on record.
        SentTagsAreForgotten,
        /// Tags are removed by their key, whoever has given them another value since.
        TagsOfAnyValueAreOurs,
        /// A message tells the time.
        MessageTellsTheTime,
        /// A failed reconcile is not repeated.
        FailureIsFinal,
        /// A condition that stays as it is counts as a transition.
        EachWriteIsATransition,
        /// An event of the object is evidence enough for every change.
        EventsAreEvidence,
        /// What is left to do is done in the same reconcile.
        TwoMutationsInAPass,
        /// A taken name is given up on.
        NameTakenIsTerminal,
        /// CloudFront being down needs a person.
        OutageIsStalled,
        /// Tags of a call without an answer are not put on record.
        DoubtfulTagsAreForgotten,
        /// An answer to a change that cannot be read counts as a refusal: tags that were sent are not put on record.
        UnreadableAnswerIsARefusal,
        /// A group that CloudFront calls in use is free as long as no tenant is listed.
        UnlistedUseIsIgnored,
        /// The status that the API server has is believed, whatever this process concluded last.
        StoredStatusIsBelieved,
        /// A reconcile is not repeated, whatever came of it.
        RequeueIsDropped,
        /// What a list shows leads to no reconcile.
        ListWakesNobody,
        /// What people ask for leads to no reconcile.
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

    /// A bug is switched on in this thread for as long as this lives.
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
