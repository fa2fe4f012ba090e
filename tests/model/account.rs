//! The account as calls see it: through the direct port of `tests/port`, at the time of the state, and sometimes from its past. In: a [`Call`]. Out: its
//! [`Answer`].

use std::{sync::Arc, time::Duration};

use cloudfront_simulator::{Account, Millis, Switches};
use connection_group_operator::{clock::Moment, cloudfront::Snapshot};
use port::{Answer, Call, InProcess, Way};

use crate::state::{State, TICK};

/// How far back lists and tags may lag.
pub const A_MINUTE: Millis = Millis::seconds(60);

impl State {
    /// Carries out one call through the direct port.
    pub fn call<T>(&mut self, act: impl FnOnce(&InProcess) -> T) -> T {
        let account = std::mem::replace(&mut self.account, Account::new(Switches::DEFAULT));
        let port = InProcess::new(Way::Direct, account, self.timestamp());
        port.leave_out(self.left_out.iter().copied());
        let answer = act(&port);
        self.account = port.account(|account, _| std::mem::replace(account, Account::new(Switches::DEFAULT)));
        answer
    }

    /// Moves to the next time step; a call that has not taken effect by then is lost.
    pub fn pass_time(&mut self, time: Duration) {
        self.now = TICK * u32::try_from((self.now + time).as_secs() / TICK.as_secs()).unwrap();
        self.late.clear();
    }

    /// Get may be answered from any point in the past; lists and tags only from the last minute, which is what the operator assumes.
    pub fn lagging<T>(&mut self, (read_lag, tag_lag): (Millis, Millis), act: impl FnOnce(&mut Self) -> T) -> T {
        let prompt = *self.account.switches();
        self.account.set_switches(Switches { read_lag, list_lag: read_lag, tag_lag, ..prompt });
        let done = act(self);
        self.account.set_switches(prompt);
        done
    }

    /// One complete list, just after everything so far.
    pub fn take_inventory(&mut self, operator: usize) {
        self.now += Duration::from_millis(1);
        let began = Moment::after_start(self.now.saturating_sub(self.operators[operator].process_start));
        let groups = match self.call(|port| port.answer_directly(&Call::List)) {
            Answer::Listed(groups) => groups.unwrap_or_default(),
            other => unreachable!("{other:?}"),
        };
        let groups = groups.into_iter().map(|group| (group.name.clone(), group)).collect();
        self.operators[operator].snapshot = Some(Arc::new(Snapshot { began, groups }));
        self.operators[operator].inventory_error = None;
        self.now += Duration::from_millis(1);
    }
}
