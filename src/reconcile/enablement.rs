//! Whether the group serves traffic, as far as is known. Pure: object view -> answers.

use super::ObjectView;
use crate::cloudfront::Group;

/// Whether a group was enabled when it was last read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enablement {
    /// It is not known.
    Unknown,
    /// It was enabled, as the spec says.
    OnAsAsked,
    /// It was enabled, although the spec says otherwise.
    OnAgainstTheSpec,
    /// It was disabled, as the spec says.
    OffAsAsked,
    /// It was disabled, although the spec says otherwise.
    OffAgainstTheSpec,
}

/// What the operator does to a group's traffic once the group belongs to the object: the spec then applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrafficOnceOurs {
    /// It takes no traffic down.
    Kept,
    /// It disables the group, which is enabled.
    TakenDown,
    /// It disables the group, and CloudFront does not state whether it is enabled.
    PerhapsTakenDown,
}

impl ObjectView<'_> {
    /// What becomes of the traffic of a group that does not belong to the object yet.
    #[must_use]
    pub const fn traffic_once_ours(&self, group: &Group) -> TrafficOnceOurs {
        match (self.spec_enabled, group.config.enabled) {
            (true, _) | (false, Some(false)) => TrafficOnceOurs::Kept,
            (false, Some(true)) => TrafficOnceOurs::TakenDown,
            (false, None) => TrafficOnceOurs::PerhapsTakenDown,
        }
    }

    /// Whether the group on record is enabled.
    #[must_use]
    pub const fn enablement(&self) -> Enablement {
        match (self.status.enabled, self.spec_enabled) {
            (None, _) => Enablement::Unknown,
            (Some(true), true) => Enablement::OnAsAsked,
            (Some(true), false) => Enablement::OnAgainstTheSpec,
            (Some(false), false) => Enablement::OffAsAsked,
            (Some(false), true) => Enablement::OffAgainstTheSpec,
        }
    }

    /// Whether it is unknown if the group on record is enabled, because an update of ours was not answered.
    #[must_use]
    pub const fn enablement_is_in_doubt(&self) -> bool {
        self.unanswered && self.status.id.is_some() && self.status.enabled.is_none()
    }

    /// Whether the group on record may be disabled against the spec: it was when last read, or an update of ours was not answered.
    #[must_use]
    pub fn may_be_off_against_the_spec(&self) -> bool {
        self.enablement() == Enablement::OffAgainstTheSpec || (self.enablement_is_in_doubt() && self.spec_enabled)
    }

    /// Whether a group may be disabled although CloudFront does not state it: it was when that was last known, or an update of ours was not answered.
    #[must_use]
    pub fn may_be_off(&self, group: &Group) -> bool {
        let same_group = self.id().as_ref() == Some(&group.id);
        let last_known = self.status.enabled;
        let was_off = last_known == Some(false) || (last_known.is_none() && self.unanswered);
        group.config.enabled.is_none() && same_group && was_off
    }

    /// Whether a group that is off as the spec says may have been disabled by an unanswered update of ours.
    #[must_use]
    pub fn may_have_switched_off(&self, group: &Group) -> bool {
        self.unanswered && self.status.enabled.is_none() && !self.spec_enabled && group.config.enabled == Some(false)
    }
}
