//! What an exploration covered, and what is missing: every action, every fault at every call, every plan, every error that is on record.
//! In: transitions. Out: [`Seen`]. Pure.

use std::{
    collections::{BTreeSet, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use connection_group_operator::{
    api::condition,
    cloudfront::{ErrorClass, Operation},
};

use port::PlanName;

use crate::{
    actions::{Action, Cache, Dying, Struck},
    outside::Outside,
    plans::plan_of,
    replay::{Answer, Stage},
    state::{Pass, Scenario, State},
};

/// What occurred at least once.
#[derive(Debug, Default)]
pub struct Seen {
    pub actions: HashSet<Did>,
    pub called: BTreeSet<Operation>,
    pub struck: HashSet<(Operation, Struck)>,
    pub died: HashSet<(Operation, Dying)>,
    pub outside: HashSet<Outside>,
    pub errors: BTreeSet<(Operation, ErrorClass)>,
    pub plans: BTreeSet<PlanName>,
    signatures: HashSet<u64>,
}

/// An action without its details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Did {
    Start,
    StartBehind,
    Answer,
    Store,
    StoreFails,
    Crash,
    Inventory,
    Edit,
    Request,
    Delete,
    MakeAgain,
    Outside,
    Propagate,
    Land,
    Tick,
    DeepTick,
}

impl Did {
    const fn of(action: Action) -> Self {
        match action {
            Action::Start(_, Cache::UpToDate) => Self::Start,
            Action::Start(_, Cache::Behind(_)) => Self::StartBehind,
            Action::Answer(..) => Self::Answer,
            Action::Store(_) => Self::Store,
            Action::StoreFails(_) => Self::StoreFails,
            Action::Crash(..) => Self::Crash,
            Action::Inventory(..) => Self::Inventory,
            Action::Edit(..) => Self::Edit,
            Action::Request(_) => Self::Request,
            Action::Delete(_) => Self::Delete,
            Action::MakeAgain(_) => Self::MakeAgain,
            Action::Outside(_) => Self::Outside,
            Action::Propagate => Self::Propagate,
            Action::Land(_) => Self::Land,
            Action::Tick => Self::Tick,
            Action::DeepTick => Self::DeepTick,
        }
    }

    /// What can happen at all in a scenario.
    fn expected(scenario: &Scenario) -> Vec<Self> {
        let faults = scenario.budget.faults > 0;
        let edits = scenario.budget.edits > 0;
        [
            (Self::Start, true),
            (Self::StartBehind, edits && scenario.lag),
            (Self::Answer, true),
            (Self::Store, true),
            (Self::StoreFails, faults),
            (Self::Crash, faults && scenario.harsh),
            (Self::Inventory, true),
            (Self::Edit, edits && scenario.specs.len() > 1),
            (Self::Request, edits && scenario.requests),
            (Self::Delete, edits && scenario.deletions),
            (Self::MakeAgain, scenario.budget.edits > 1 && scenario.deletions),
            (Self::Outside, scenario.budget.outside > 0),
            (Self::Propagate, true),
            (Self::Land, faults && scenario.harsh),
            (Self::Tick, scenario.ticks),
            (Self::DeepTick, scenario.resyncs),
        ]
        .into_iter()
        .filter_map(|(did, may)| may.then_some(did))
        .collect()
    }
}

impl Seen {
    pub fn note(&mut self, scenario: &Scenario, before: &State, action: Action, after: &State) {
        let pending = |operator: usize| {
            before.operators[operator].pass.as_ref().and_then(|pass| match &pass.stage {
                Stage::Asking(call) => Some(call.operation()),
                Stage::Confirming(_) | Stage::Ended(..) => None,
            })
        };
        self.actions.insert(Did::of(action));
        match action {
            Action::Answer(operator, struck) => {
                self.struck.extend(pending(operator).map(|operation| (operation, struck)));
                // Only where a fault could have struck.
                self.called.extend(pending(operator).filter(|_| before.left.faults > 0));
            }
            Action::Crash(operator, dying) => self.died.extend(pending(operator).map(|operation| (operation, dying))),
            Action::Inventory(_, struck) => drop(self.struck.insert((Operation::ListConnectionGroups, struck))),
            Action::Outside(what) => drop(self.outside.insert(what)),
            _ => {}
        }
        if let (Action::Start(operator, _) | Action::Answer(operator, _), Some(pass)) = (action, &after.just_ended) {
            self.ended(scenario, before.operators[operator].object, pass);
        }
    }

    fn ended(&mut self, scenario: &Scenario, object: usize, pass: &Pass) {
        let Some((outcome, _)) = pass.ended() else { return };
        let reason = condition(&outcome.status.conditions, "Ready").map_or("", |ready| ready.reason.as_str());
        let mut signature = DefaultHasher::new();
        (reason, outcome.finalizer, outcome.requeue.is_zero(), pass.variant, pass.deleting()).hash(&mut signature);
        for entry in &pass.log {
            let class = entry.answer.error().map(|error| error.class);
            (entry.call.operation(), class).hash(&mut signature);
            if let Answer::Described(Ok(Some(read))) = &entry.answer {
                (read.tags.len(), read.tags.values().all(String::is_empty)).hash(&mut signature);
            }
            self.errors.extend(class.map(|class| (entry.call.operation(), class)));
        }
        if self.signatures.insert(signature.finish()) {
            self.plans.extend(plan_of(pass, &scenario.settings(object)));
        }
    }

    /// What a scenario should have covered and did not: actions, faults and process deaths at each call that was made, out-of-band changes.
    pub fn missing(&self, scenario: &Scenario) -> Vec<String> {
        let mut missing = Vec::new();
        let mut expect = |seen: bool, what: String| missing.extend((!seen).then_some(what));
        for did in Did::expected(scenario) {
            expect(self.actions.contains(&did), format!("{did:?}"));
        }
        for what in scenario.outside {
            expect(self.outside.contains(what), format!("{what:?}"));
        }
        if scenario.budget.faults == 0 {
            return missing;
        }
        for (struck, dying) in self.called.iter().flat_map(|operation| self.faults_of(scenario, *operation)) {
            if let Some(struck) = struck {
                expect(self.struck.contains(&struck), format!("{struck:?}"));
            }
            if let Some(dying) = dying {
                expect(self.died.contains(&dying), format!("{dying:?}"));
            }
        }
        for struck in [Struck::No, Struck::Stale, Struck::Refused(ErrorClass::ServiceUnavailable)] {
            let listed = (Operation::ListConnectionGroups, struck);
            expect(self.struck.contains(&listed), format!("{listed:?}"));
        }
        missing
    }

    /// Everything that can go wrong with a call of this operation.
    fn faults_of(&self, scenario: &Scenario, operation: Operation) -> Vec<Faulted> {
        let mut struck = scenario.errors.iter().copied().map(Struck::Refused).collect::<Vec<_>>();
        let mut dying = vec![Dying::BeforeTheCall];
        if operation.is_mutation() {
            struck.extend(scenario.lost.iter().copied().map(Struck::AnswerLost));
            struck.extend(scenario.harsh.then_some(Struck::LandsLater));
            dying.extend([Dying::AfterTheCall, Dying::CallLandsLater]);
        } else if operation == Operation::GetConnectionGroup && self.called.contains(&Operation::UpdateConnectionGroup)
        {
            // A group that never changes has no past.
            struck.extend([Struck::Stale, Struck::StaleGroup]);
        }
        if operation == Operation::GetConnectionGroup && scenario.lies {
            struck.extend([Struck::NotThere, Struck::WithoutTags, Struck::Lacking]);
        }
        let struck = struck.into_iter().map(|struck| (Some((operation, struck)), None));
        let dying = dying.into_iter().filter(|_| scenario.harsh).map(|dying| (None, Some((operation, dying))));
        struck.chain(dying).collect()
    }
}

type Faulted = (Option<(Operation, Struck)>, Option<(Operation, Dying)>);
