//! What the operator remembers of one object between passes; lost in a crash, so nothing may depend on it for safety alone. Pure.

use std::time::Duration;

use super::{Policy, backoff::jitter};
use crate::{
    clock::Moment,
    cloudfront::{ApiError, Operation, Snapshot},
};

/// Memory of one object, kept by uid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Memory {
    /// Passes that failed in a row.
    pub failures: u32,
    /// When the last mutation was answered, or given up.
    pub last_write: Option<Moment>,
    /// When a Create was given up whose effect is unknown: it may still land.
    pub create_outstanding: Option<Moment>,
    /// When the group is to be read in full again.
    pub deep_check_at: Option<Moment>,
}

impl Memory {
    /// Takes note of a mutation: whatever was listed or read before it is no longer news.
    pub fn wrote(&mut self, operation: Operation, result: Result<(), &ApiError>, now: Moment) {
        self.last_write = Some(now);
        if operation == Operation::CreateConnectionGroup {
            let unknown = result.is_err_and(|error| error.class.leaves_effect_unknown());
            self.create_outstanding = unknown.then_some(now);
        }
    }

    /// Whether a list shows everything that this process wrote.
    #[must_use]
    pub fn is_covered_by(&self, snapshot: &Snapshot) -> bool {
        self.last_write.is_none_or(|write| snapshot.began > write)
    }

    /// When the group is due to be read in full; before the first such read of this process, spread over one interval.
    #[must_use]
    pub fn deep_check_due(&self, uid: &str, policy: &Policy) -> Moment {
        self.deep_check_at.unwrap_or_else(|| Moment::START + policy.deep_check_interval.mul_f64(jitter(&uid)))
    }

    /// Whether that read has been due for a whole interval.
    #[must_use]
    pub fn deep_check_overdue(&self, uid: &str, policy: &Policy, now: Moment) -> bool {
        now.since(self.deep_check_due(uid, policy)) > policy.deep_check_interval
    }

    /// The moment from which on no Create of ours can still land.
    ///
    /// With an id on record and no Create given up, that moment has passed. Without one, a Create of an earlier process may be under way
    /// for one settle window from this process's start (model-check.md, flaw 2).
    #[must_use]
    pub fn creates_settled_at(&self, id_on_record: Option<&str>, settle_window: Duration) -> Moment {
        match (self.create_outstanding, id_on_record) {
            (Some(given_up), _) => given_up + settle_window,
            (None, None) => Moment::START + settle_window,
            (None, Some(_)) => Moment::START,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudfront::ErrorClass;

    const WINDOW: Duration = Duration::from_mins(1);

    fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    fn create_ended(class: Option<ErrorClass>) -> Memory {
        let operation = Operation::CreateConnectionGroup;
        let error = class.map(|class| ApiError::new(operation, class, None, "", None));
        let mut memory = Memory::default();
        memory.wrote(operation, error.as_ref().map_or(Ok(()), Err), at(100));
        memory
    }

    #[test]
    fn a_create_that_timed_out_may_land_for_one_settle_window() {
        for class in [ErrorClass::TimedOut, ErrorClass::Unreachable, ErrorClass::ServiceUnavailable] {
            assert_eq!(create_ended(Some(class)).creates_settled_at(Some("cg_1"), WINDOW), at(160), "{class:?}");
        }
        for class in [None, Some(ErrorClass::AccessDenied), Some(ErrorClass::AlreadyExists)] {
            assert_eq!(create_ended(class).creates_settled_at(Some("cg_1"), WINDOW), at(0), "{class:?}");
        }
    }

    #[test]
    fn without_an_id_on_record_a_create_of_an_earlier_process_may_be_under_way() {
        assert_eq!(Memory::default().creates_settled_at(None, WINDOW), at(60));
    }

    #[test]
    fn a_list_that_began_before_the_last_write_proves_nothing() {
        let memory = create_ended(None);
        let began = |seconds| Snapshot { began: at(seconds), groups: std::collections::BTreeMap::new() };
        assert!(!memory.is_covered_by(&began(100)));
        assert!(memory.is_covered_by(&began(101)));
    }
}
