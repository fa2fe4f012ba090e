//! A walk through the states of one object: each reconcile, and all that it reports, is checked against the catalogue. In: a world, and what happens to it. Out: the
//! sentences that are not true.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write,
    time::Duration,
};

use cloudfront_simulator::model::{ConnectionGroup as Shown, Versioned};
use connection_group_operator::{
    cloudfront::Operation,
    reconcile::{Finalizer, Outcome},
};

use super::{
    catalogue::{self, Sentence},
    facts::{Facts, WorldFacts},
    grammar::{Pattern, parse},
    record::{Exists, Record, Recorded},
};
use port::{AnsweredBy, Fault};

use crate::world::{PROPAGATION, World};

/// The sentences of a text and the contents of their placeholders, or the part that is no known sentence.
type Read = Result<Vec<(usize, Vec<String>)>, String>;

/// Checks reported texts against the catalogue, and keeps what is not true.
pub struct Check {
    sentences: Vec<&'static Sentence>,
    patterns: Vec<Pattern>,
    read: HashMap<String, Read>,
    met: BTreeSet<usize>,
    /// By sentence: how often, and where it was found first.
    untrue: BTreeMap<String, (u32, String)>,
    pub reconciles: u32,
}

impl Check {
    pub fn new() -> Self {
        let sentences = catalogue::all().collect::<Vec<_>>();
        let patterns = sentences.iter().map(|sentence| Pattern::new(sentence.text)).collect();
        Self { sentences, patterns, read: HashMap::new(), met: BTreeSet::new(), untrue: BTreeMap::new(), reconciles: 0 }
    }

    fn text(&mut self, text: &str, facts: &Facts<'_>, place: &dyn Fn() -> String) {
        if !self.read.contains_key(text) {
            let owned =
                |(number, places): (usize, Vec<&str>)| (number, places.into_iter().map(str::to_owned).collect());
            let read = parse(&self.patterns, text).map(|all| all.into_iter().map(owned).collect());
            self.read.insert(text.to_owned(), read.map_err(str::to_owned));
        }
        let (met, untrue) = (&mut self.met, &mut self.untrue);
        let mut wrong = |sentence: String| {
            let first = || (0, format!("{}\n    the text: {text}\n    {facts:?}", place()));
            untrue.entry(sentence).or_insert_with(first).0 += 1;
        };
        match &self.read[text] {
            Err(rest) => wrong(format!("not in the catalogue: {rest}")),
            Ok(found) => {
                for (number, places) in found {
                    met.insert(*number);
                    let places = places.iter().map(String::as_str).collect::<Vec<_>>();
                    if !(self.sentences[*number].is_true)(facts, &places) {
                        wrong(format!("not true: {}", self.sentences[*number].text));
                    }
                }
            }
        }
    }

    /// Everything that was wrong, and every sentence that was never reported.
    pub fn report(&self) -> String {
        let mut report = String::new();
        for (sentence, (times, first)) in &self.untrue {
            writeln!(report, "{sentence}\n  {times} times, first: {first}\n").unwrap();
        }
        for (number, sentence) in self.sentences.iter().enumerate() {
            if !self.met.contains(&number) {
                writeln!(report, "never reported: {}", sentence.text).unwrap();
            }
        }
        report
    }
}

/// What goes wrong in one reconcile of a walk.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub reconcile: usize,
    pub failure: Failure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// One call fails.
    Call(Operation, Fault),
    /// The process ends before it.
    Crash,
    /// The process ends after it, and its status is not stored.
    CrashBeforeStatus,
}

pub struct Walk<'a> {
    pub world: World,
    check: &'a mut Check,
    name: &'a dyn Fn() -> String,
    port: AnsweredBy<Recorded>,
    plan: Option<Plan>,
    reconciles: usize,
    /// The calls of each reconcile.
    pub calls: Vec<BTreeSet<Operation>>,
    last: Option<Versioned<Shown>>,
    others_changed: bool,
    corrected: u32,
    lies: bool,
}

impl<'a> Walk<'a> {
    /// `others_changed`: whether someone else changed the group since it was last as the spec says.
    pub fn new(
        world: World,
        others_changed: bool,
        check: &'a mut Check,
        name: &'a dyn Fn() -> String,
        plan: Option<Plan>,
    ) -> Self {
        let port = Recorded::new(world.port.clone());
        *port.record() = before(&world);
        let (calls, lies) = (Vec::new(), plan.is_some_and(|plan| is_a_lie(plan.failure)));
        let last = group(&world);
        Self { world, check, name, port, plan, reconciles: 0, calls, last, others_changed, corrected: 0, lies }
    }

    /// From here on, answers may be wrong.
    pub fn lies(&mut self) {
        self.lies = true;
    }

    /// One reconcile, and a check of what it reports.
    pub fn reconcile(&mut self) -> Outcome {
        let failure = self.plan.filter(|plan| plan.reconcile == self.reconciles).map(|plan| plan.failure);
        let interfered = matches!(failure, Some(Failure::Call(_, Fault::ChangedJustBefore)));
        // A process that knows nothing of the last one cannot distinguish its changes from those of others.
        self.others_changed |= interfered || failure == Some(Failure::CrashBeforeStatus);
        match failure {
            Some(Failure::Call(operation, fault)) => self.world.fail(operation, fault),
            Some(Failure::Crash) => self.restart(),
            Some(Failure::CrashBeforeStatus) | None => {}
        }
        let status = self.world.object.status.clone();
        let before = group(&self.world);
        self.others_changed |= !is_same(self.last.as_ref(), before.as_ref());
        self.port.begin();
        let outcome = self.world.reconcile_on(&self.port);
        if matches!(failure, Some(Failure::Call(..))) {
            self.world.faults_stop();
        }
        let after = group(&self.world);
        self.corrected += u32::from(outcome.events.iter().any(|event| event.reason.as_str() == "DriftCorrected"));

        let record = self.port.record();
        self.calls.push(record.calls.iter().map(|(operation, _)| *operation).collect());
        let world = WorldFacts::of(&self.world, self.lies);
        let facts = Facts {
            world: &world,
            record: &record,
            before: before.as_ref(),
            after: after.as_ref(),
            others_changed: self.others_changed,
            corrected: self.corrected,
            interfered,
            requeue: outcome.requeue,
        };
        let conditions = outcome.status.conditions.iter().map(|condition| condition.message.as_str());
        // The operator concludes nothing from an outdated answer: the sentence is that of an earlier reconcile, and of the generation that it observed.
        let before = status.iter().flat_map(|status| &status.conditions).map(|condition| condition.message.as_str());
        let before = before.filter(|_| record.outdated).collect::<BTreeSet<_>>();
        let conditions = conditions.filter(|text| !before.contains(text));
        let texts = conditions.chain(outcome.events.iter().map(|event| event.note.as_str())).collect::<BTreeSet<_>>();
        let (number, name, plan) = (self.reconciles, self.name, self.plan);
        let place = || format!("{}, reconcile {number}, {plan:?}", name());
        for text in texts {
            self.check.text(text, &facts, &place);
        }
        // A version that others made stays theirs, even if it is as the spec says, until the operator makes another one.
        self.others_changed &= !(facts.is_as_asked() && record.changed_by(Operation::UpdateConnectionGroup));
        self.reconciles += 1;
        self.check.reconciles += 1;
        drop(record);
        self.last = after;
        if failure == Some(Failure::CrashBeforeStatus) {
            self.world.object.status = status;
            self.restart();
        }
        outcome
    }

    fn restart(&mut self) {
        self.world.crash();
        self.port.record().replaced.clear();
        self.world.take_inventory();
        self.corrected = 0;
    }

    /// Up to that many reconciles, each when it is due, with lists between them. Stops when the object is released.
    pub fn reconcile_times(&mut self, count: usize) {
        for _ in 0..count {
            let outcome = self.reconcile();
            if outcome.finalizer == Finalizer::Release {
                return;
            }
            if !outcome.requeue.is_zero() {
                self.world.advance(outcome.requeue.min(PROPAGATION));
                self.world.take_inventory();
            }
        }
    }

    /// The same, after this change.
    pub fn after(&mut self, change: impl FnOnce(&mut World), count: usize) {
        change(&mut self.world);
        self.reconcile_times(count);
    }

    /// The same, once a list shows this change.
    pub fn listed(&mut self, change: impl FnOnce(&mut World), count: usize) {
        change(&mut self.world);
        self.world.take_inventory();
        self.reconcile_times(count);
    }

    pub fn wait(&mut self, time: Duration) {
        self.world.advance(time);
        self.world.take_inventory();
    }
}

fn group(world: &World) -> Option<Versioned<Shown>> {
    let name = world.object.spec.name.as_deref().unwrap_or("edge");
    world.port.account(|account, now| account.group(now, name))
}

/// Whether nobody changed the group: its roll-out continues by itself.
fn is_same(one: Option<&Versioned<Shown>>, other: Option<&Versioned<Shown>>) -> bool {
    let version = |group: Option<&Versioned<Shown>>| {
        group.map(|group| (group.resource.id.clone(), group.etag.clone(), group.resource.tags.clone()))
    };
    version(one) == version(other)
}

/// Whether an answer is wrong.
const fn is_a_lie(failure: Failure) -> bool {
    let Failure::Call(_, fault) = failure else { return false };
    match fault {
        Fault::Error(_)
        | Fault::Code(..)
        | Fault::Told(..)
        | Fault::UnknownCode
        | Fault::AnsweredWrongly
        | Fault::AnsweredWithTheOldSwitch
        | Fault::Stale
        | Fault::EmptyPage
        | Fault::RepeatedMarker
        | Fault::Lacking
        | Fault::ListLeftOut => true,
        Fault::AnswerLost | Fault::ChangedJustBefore => false,
    }
}

/// What was read about an object at rest before the walk begins: what its status says.
fn before(world: &World) -> Record {
    let status = world.object.status.as_ref();
    let enabled = status.and_then(|status| status.enabled);
    let exists = if status.is_some_and(|status| status.id.is_some()) { Exists::Yes } else { Exists::Unread };
    let version = status.and_then(|status| status.id.clone().zip(status.e_tag.clone()));
    let deployment = status.and_then(|status| status.status.clone());
    Record { exists, version, enabled, enabled_once: enabled, deployment, ..Record::default() }
}
