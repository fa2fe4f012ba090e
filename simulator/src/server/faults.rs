//! The faults in place: which call each strikes, and the gates at which calls stand still.

use std::collections::BTreeMap;

use tokio::sync::watch;

use crate::admin::{Fault, FaultId, FaultRule, FaultStatus};
use crate::operation::Operation;

/// All faults, in the order they were put in place.
#[derive(Debug, Default)]
pub(super) struct Faults {
    added: u64,
    entries: BTreeMap<FaultId, Entry>,
}

#[derive(Debug)]
struct Entry {
    rule: FaultRule,
    matched: u32,
    hits: u32,
    /// Calls that stand still listen here. A value lets them go on; the end of the sender turns them away.
    gate: watch::Sender<()>,
}

impl Faults {
    pub fn add(&mut self, rule: FaultRule) -> FaultId {
        self.added += 1;
        let id = FaultId(self.added);
        self.entries.insert(id, Entry { rule, matched: 0, hits: 0, gate: watch::Sender::new(()) });
        id
    }

    /// The fault that strikes a call of `operation` on something with these names: the first that matches and is not
    /// used up.
    pub fn strike(&mut self, operation: Operation, names: &[Option<&str>]) -> Option<(FaultId, Fault)> {
        let mut struck = None;
        for (id, entry) in &mut self.entries {
            if entry.rule.concerns(operation, names) {
                entry.matched += 1;
                if struck.is_none() && entry.is_due() {
                    entry.hits += 1;
                    struck = Some((*id, entry.rule.fault.clone()));
                }
            }
        }
        struck
    }

    /// Where to wait for the release of a fault; `None` if it is gone.
    pub fn gate(&self, id: FaultId) -> Option<watch::Receiver<()>> {
        self.entries.get(&id).map(|entry| entry.gate.subscribe())
    }

    /// Lets the calls that stand still go on. Says whether there is such a fault.
    pub fn release(&self, id: FaultId) -> bool {
        self.entries.get(&id).map(|entry| entry.gate.send_replace(())).is_some()
    }

    /// Says whether there was such a fault.
    pub fn remove(&mut self, id: FaultId) -> bool {
        self.entries.remove(&id).is_some()
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }

    pub fn list(&self) -> Vec<FaultStatus> {
        let status = |(id, entry): (&FaultId, &Entry)| FaultStatus {
            id: *id,
            rule: entry.rule.clone(),
            matched: entry.matched,
            hits: entry.hits,
            held: entry.gate.receiver_count(),
        };
        self.entries.iter().map(status).collect()
    }
}

impl Entry {
    fn is_due(&self) -> bool {
        let counted = self.matched.saturating_sub(self.rule.skip);
        let is_its_turn = counted > 0 && counted.is_multiple_of(self.rule.every.get());
        is_its_turn && self.rule.times.is_none_or(|times| self.hits < times)
    }
}

impl FaultRule {
    fn concerns(&self, operation: Operation, names: &[Option<&str>]) -> bool {
        let is_called = |part: &String| names.iter().flatten().any(|name| name.contains(part.as_str()));
        self.operation.matches(operation) && self.fault.suits(operation) && self.target.as_ref().is_none_or(is_called)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::admin::OperationFilter;

    fn rule(skip: u32, times: Option<u32>, target: Option<&str>) -> FaultRule {
        let target = target.map(ToOwned::to_owned);
        FaultRule { target, skip, times, ..FaultRule::new(OperationFilter::Any, Fault::Throttle) }
    }

    fn strikes(faults: &mut Faults, calls: usize) -> Vec<Option<u64>> {
        let strike = |_| faults.strike(Operation::GetConnectionGroup, &[Some("edge-1")]).map(|(id, _)| id.0);
        (0..calls).map(strike).collect()
    }

    #[test]
    fn a_fault_spares_the_first_calls_and_strikes_the_next_so_many() {
        let mut faults = Faults::default();
        faults.add(rule(1, Some(2), None));
        assert_eq!(strikes(&mut faults, 4), [None, Some(1), Some(1), None]);
        assert_eq!((faults.list()[0].matched, faults.list()[0].hits), (4, 2));
    }

    #[test]
    fn a_fault_may_strike_every_so_manieth_call_only() {
        let mut faults = Faults::default();
        let every = NonZeroU32::new(3).unwrap();
        faults.add(FaultRule { every, ..rule(1, Some(2), None) });
        let struck = strikes(&mut faults, 11).iter().map(Option::is_some).collect::<Vec<_>>();
        let hits = struck.iter().enumerate().filter(|(_, struck)| **struck).map(|(call, _)| call + 1);
        assert_eq!(hits.collect::<Vec<_>>(), [4, 7]);
    }

    #[test]
    fn a_fault_without_a_number_strikes_for_ever() {
        let mut faults = Faults::default();
        faults.add(rule(0, None, None));
        assert!(strikes(&mut faults, 100).iter().all(Option::is_some));
    }

    #[test]
    fn the_oldest_fault_that_is_due_strikes_alone() {
        let mut faults = Faults::default();
        faults.add(rule(0, Some(1), None));
        faults.add(rule(0, Some(1), None));
        assert_eq!(strikes(&mut faults, 3), [Some(1), Some(2), None]);
    }

    #[test]
    fn a_fault_with_a_target_strikes_only_what_is_called_so() {
        let mut faults = Faults::default();
        faults.add(rule(0, None, Some("edge")));
        faults.add(rule(0, None, Some("other")));
        assert_eq!(strikes(&mut faults, 1), [Some(1)]);
        assert!(faults.strike(Operation::ListConnectionGroups, &[None]).is_none());
    }

    #[test]
    fn a_stale_read_never_strikes_a_write() {
        let mut faults = Faults::default();
        faults.add(FaultRule { fault: Fault::StaleRead { versions: 1 }, ..rule(0, None, None) });
        assert!(faults.strike(Operation::UpdateConnectionGroup, &[None]).is_none());
        assert!(faults.strike(Operation::GetConnectionGroup, &[None]).is_some());
    }
}
