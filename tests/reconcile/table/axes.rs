//! The axes of the table, each with all its values, and every combination of them. Pure.

use connection_group_operator::api::{AdoptionPolicy, DeletionPolicy, Mode};

/// All values of a type.
pub trait Axis: Copy + PartialEq + 'static {
    const ALL: &'static [Self];
}

/// Declares an axis, or lists the values of one that is declared elsewhere. A value that the list leaves out does not
/// compile: the match below it would miss it.
macro_rules! axis {
    ($(#[$about:meta])* pub enum $axis:ident { $($(#[$sentence:meta])* $value:ident),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $axis {
            $($(#[$sentence])* $value),+
        }
        $crate::table::axes::axis!($axis: $($value),+);
    };
    ($axis:ident: $($value:ident),+) => {
        impl $crate::table::axes::Axis for $axis {
            const ALL: &'static [Self] = &[$(Self::$value),+];
        }
        const _: fn($axis) = |value| match value {
            $($axis::$value)|+ => {}
        };
    };
}
pub(super) use axis;

axis! {
    /// What exists at CloudFront under the object's name. It is rolled out and an hour old, unless stated otherwise.
    pub enum Exists {
        Nothing,
        /// Ours, and as the spec says.
        Ours,
        /// Ours; IPv6 is not as the spec says.
        OursOtherwise,
        /// Ours; a tag that the spec names has another value.
        OursTaggedOtherwise,
        /// Ours; it has one more tag, which the spec named before its last edit.
        OursWithFormerTag,
        /// Ours, as the spec says, and used by a tenant.
        OursWithTenants,
        /// Ours, and disabled, although the spec says enabled.
        OursDisabled,
        /// Ours, and disabled, as the spec says.
        OursDisabledAsAsked,
        /// Ours, and enabled, although the spec says disabled.
        OursEnabledAgainstTheSpec,
        /// Ours, and disabled, although the spec says enabled; that is not rolled out yet.
        OursBeingDisabled,
        /// Ours, as the spec says, and not rolled out yet.
        OursInProgress,
        /// Ours, and as the spec says, but created by a version that set no identity tag.
        OursUnmarked,
        /// Ours, and as the spec says, but marked by the installation that the administrator configured us to take over from.
        OursOfPredecessor,
        /// This object's in another installation; IPv6 is not as the spec says.
        OursElsewhere,
        /// Unowned in every read, and as the spec says.
        Unowned,
        /// Unowned in every read; IPv6 is not as the spec says.
        UnownedOtherwise,
        /// Unowned in the first read, and as the spec says.
        UnownedAtFirstSight,
        /// Unowned, as the spec says, and younger than a minute.
        UnownedYoung,
        /// Another installation's; IPv6 is not as the spec says.
        Another,
        /// The account's default group, which nobody tags.
        Default,
    }
}

axis! {
    /// What the object's status says when the reconcile begins.
    pub enum Record {
        /// Nothing: the object is new.
        Unseen,
        /// A group of ours was at rest; what exists now, and the spec, changed after that.
        AtRest,
    }
}

axis!(Mode: Manage, Observe);
axis!(AdoptionPolicy: Never, IfUnchanged, Always);
axis!(DeletionPolicy: Delete, Retain);

impl Axis for bool {
    const ALL: &'static [Self] = &[false, true];
}

/// One combination.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub mode: Mode,
    pub adoption: AdoptionPolicy,
    pub deletion: DeletionPolicy,
    pub suspended: bool,
    pub protected: bool,
    pub being_deleted: bool,
    /// The administrator's permission to adopt.
    pub adoption_allowed: bool,
    pub exists: Exists,
    pub record: Record,
}

impl Case {
    const FIRST: Self = Self {
        mode: Mode::ALL[0],
        adoption: AdoptionPolicy::ALL[0],
        deletion: DeletionPolicy::ALL[0],
        suspended: bool::ALL[0],
        protected: bool::ALL[0],
        being_deleted: bool::ALL[0],
        adoption_allowed: bool::ALL[0],
        exists: Exists::ALL[0],
        record: Record::ALL[0],
    };

    /// Every combination.
    pub fn all() -> impl Iterator<Item = Self> {
        std::iter::successors(Some(Self::FIRST), |case| case.next())
    }

    /// The next combination, as an odometer counts: a wheel that wraps around turns the next one.
    fn next(mut self) -> Option<Self> {
        // No `..`: a new axis must turn too.
        let Self { mode, adoption, deletion, suspended, protected, being_deleted, adoption_allowed, exists, record } =
            &mut self;
        let turned = turn(mode)
            || turn(adoption)
            || turn(deletion)
            || turn(suspended)
            || turn(protected)
            || turn(being_deleted)
            || turn(adoption_allowed)
            || turn(exists)
            || turn(record);
        turned.then_some(self)
    }
}

/// Turns a wheel by one; false if it wraps around.
fn turn<A: Axis>(wheel: &mut A) -> bool {
    let next = A::ALL.iter().skip_while(|value| *value != wheel).nth(1);
    *wheel = *next.unwrap_or(&A::ALL[0]);
    next.is_some()
}
