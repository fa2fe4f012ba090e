//! Which reservation is next. Pure: (what waits, time) -> whose turn it is, or when to ask again.
//!
//! The highest class comes first; within a class, first come, first served. No class starves: one that has been passed over [`PASSED_OVER_AT_MOST`] times by
//! higher ones gets the next turn. A reservation that needs a throttled operation waits for it without holding up others.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
    time::Duration,
};

use tokio::time::Instant;

use super::{bucket::Bucket, class::Class, slowdown::Slowdowns};
use crate::cloudfront::Operation;

/// How many turns higher classes may take in a row while a lower one could use one.
pub const PASSED_OVER_AT_MOST: u32 = 8;

/// The line.
#[derive(Debug)]
pub struct Line {
    /// The rate limit of the account.
    pub bucket: Bucket,
    /// The rate limits of throttled operations.
    pub slowdowns: Slowdowns,
    /// The part of the burst that lower classes leave for what people ask for.
    reserve: u32,
    waiting: BTreeMap<Place, Waiting>,
    passed_over: BTreeMap<Class, u32>,
    last_ticket: u64,
}

/// A place in the line: by class, and then in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    class: Class,
    ticket: u64,
}

#[derive(Debug)]
struct Waiting {
    since: Instant,
    needs: BTreeSet<Operation>,
}

/// What is next in the line at a given time.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// It is the turn of this place; the operations that it needs are set aside for it.
    Turn(Place, BTreeSet<Operation>),
    /// There is no turn for this long.
    In(Duration),
    /// Nothing waits.
    Nobody,
}

impl Line {
    /// An empty line. `rate` in calls per second, above zero; `burst` in calls, at least one.
    pub fn new(rate: f64, burst: u32, now: Instant) -> Self {
        Self {
            bucket: Bucket::new(rate, burst, now),
            slowdowns: Slowdowns::new(rate),
            reserve: burst / 2,
            waiting: BTreeMap::new(),
            passed_over: BTreeMap::new(),
            last_ticket: 0,
        }
    }

    /// Joins the line at the end of a class.
    pub fn join(&mut self, class: Class, needs: BTreeSet<Operation>, now: Instant) -> Place {
        self.last_ticket += 1;
        let place = Place { class, ticket: self.last_ticket };
        self.waiting.insert(place, Waiting { since: now, needs });
        place
    }

    /// Moves to the end of a higher class; keeps its place in any other case.
    pub fn raise(&mut self, place: Place, class: Class) -> Place {
        if class >= place.class {
            return place;
        }
        let Some(waiting) = self.waiting.remove(&place) else { return place };
        self.last_ticket += 1;
        let raised = Place { class, ticket: self.last_ticket };
        self.waiting.insert(raised, waiting);
        raised
    }

    /// Also waits for these operations.
    pub fn need(&mut self, place: Place, operations: impl IntoIterator<Item = Operation>) {
        if let Some(waiting) = self.waiting.get_mut(&place) {
            waiting.needs.extend(operations);
        }
    }

    /// Leaves the line.
    pub fn leave(&mut self, place: Place) {
        self.waiting.remove(&place);
    }

    /// Whose turn it is; that reservation has left the line and is charged for its usual calls.
    pub fn next(&mut self, now: Instant) -> Next {
        let ready = self.first_ready_of_each_class(now);
        let turn = ready.iter().find(|place| self.is_due(place.class)).or_else(|| ready.first()).copied();
        let operations_in = self.throttled_operations_in(now);
        let Some(turn) = turn else { return operations_in.map_or(Next::Nobody, Next::In) };
        // While people wait, others only take a turn that people leave to them, so no reserve is needed.
        let people_wait = ready.iter().any(|place| place.class.is_asked_by_a_person());
        let kept = if people_wait { 0 } else { self.reserve };
        let tokens_in = self.bucket.until(f64::from(kept + 1), now);
        if !tokens_in.is_zero() {
            return Next::In(operations_in.map_or(tokens_in, |operations_in| tokens_in.min(operations_in)));
        }
        let Some(waiting) = self.waiting.remove(&turn) else { return Next::Nobody };
        self.passed_over.insert(turn.class, 0);
        for lower in ready.iter().filter(|place| place.class > turn.class) {
            *self.passed_over.entry(lower.class).or_default() += 1;
        }
        self.bucket.charge(turn.class.usual_calls(), now);
        let set_aside = waiting.needs.into_iter().filter(|operation| self.slowdowns.take(*operation, now)).collect();
        Next::Turn(turn, set_aside)
    }

    /// How many wait in a class, and how long the first of them has waited.
    pub fn depth_and_oldest(&self, class: Class, now: Instant) -> (usize, Duration) {
        let waiting = || self.waiting.range(Place::all_of(class));
        let oldest = waiting().map(|(_, waiting)| now.saturating_duration_since(waiting.since)).max();
        (waiting().count(), oldest.unwrap_or_default())
    }

    fn is_due(&self, class: Class) -> bool {
        self.passed_over.get(&class).is_some_and(|turns| *turns >= PASSED_OVER_AT_MOST)
    }

    /// In each class, the first that may make all the calls that it is known to need; the highest class first.
    fn first_ready_of_each_class(&mut self, now: Instant) -> Vec<Place> {
        let mut ready = Vec::new();
        for class in Class::ALL {
            let mut of_class = self.waiting.range(Place::all_of(class)).peekable();
            if of_class.peek().is_none() {
                self.passed_over.remove(&class);
            }
            let slowdowns = &mut self.slowdowns;
            let mut may_call = |operation: &Operation| slowdowns.until(*operation, now).is_zero();
            let first = of_class.find(|(_, waiting)| waiting.needs.iter().all(&mut may_call));
            ready.extend(first.map(|(place, _)| *place));
        }
        ready
    }

    /// How long until the next throttled operation that is waited for may be called again.
    fn throttled_operations_in(&mut self, now: Instant) -> Option<Duration> {
        if self.slowdowns.rates(now).is_empty() {
            return None;
        }
        let needed = self.waiting.values().flat_map(|waiting| &waiting.needs).copied().collect::<BTreeSet<_>>();
        let waits = needed.into_iter().map(|operation| self.slowdowns.until(operation, now));
        waits.filter(|wait| !wait.is_zero()).min()
    }
}

impl Place {
    /// Its class.
    pub const fn class(self) -> Class {
        self.class
    }

    const fn all_of(class: Class) -> RangeInclusive<Self> {
        Self { class, ticket: 0 }..=Self { class, ticket: u64::MAX }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Class::{Background, Inventory, Progress, SwitchOff, UserRequest};
    use Operation::{CreateConnectionGroup as CREATE, GetConnectionGroup as GET};

    /// A line in which calls are never scarce.
    fn wide(now: Instant) -> Line {
        Line::new(1e6, 1_000_000, now)
    }

    fn join(line: &mut Line, class: Class, needs: &[Operation], now: Instant) -> Place {
        line.join(class, needs.iter().copied().collect(), now)
    }

    fn turn(line: &mut Line, now: Instant) -> Option<Place> {
        match line.next(now) {
            Next::Turn(place, _) => Some(place),
            Next::In(_) | Next::Nobody => None,
        }
    }

    #[test]
    fn the_highest_class_goes_first_and_each_class_is_first_in_first_out() {
        let now = Instant::now();
        let mut line = wide(now);
        let came = [Background, UserRequest, Progress, Inventory, UserRequest, SwitchOff]
            .map(|class| join(&mut line, class, &[], now));
        let went = std::iter::from_fn(|| turn(&mut line, now)).collect::<Vec<_>>();
        assert_eq!(went, [5, 1, 4, 3, 2, 0].map(|n| came[n]));
        assert_eq!(line.next(now), Next::Nobody);
    }

    #[test]
    fn a_class_that_was_skipped_eight_times_gets_the_next_turn_however_many_higher_ones_arrive() {
        let now = Instant::now();
        for (flood, lower) in [
            (SwitchOff, &[UserRequest, Inventory, Progress, Background][..]),
            (UserRequest, &[Inventory, Progress, Background]),
        ] {
            let mut line = wide(now);
            for class in lower {
                for _ in 0..100 {
                    join(&mut line, *class, &[], now);
                }
            }
            let mut went = BTreeMap::<Class, u32>::new();
            let mut since = BTreeMap::<Class, u32>::new();
            for _ in 0..400 {
                join(&mut line, flood, &[], now);
                let class = turn(&mut line, now).expect("calls are never scarce here").class();
                *went.entry(class).or_default() += 1;
                for other in lower {
                    let turns = since.entry(*other).or_default();
                    *turns = if *other == class { 0 } else { *turns + 1 };
                    assert!(*turns < 12, "{other:?} has had none of {turns} turns");
                }
            }
            assert!(went[&flood] >= 240, "{went:?}");
            assert!(lower.iter().all(|class| went[class] >= 30), "{went:?}");
        }
    }

    #[test]
    fn the_first_waiter_after_an_idle_period_is_not_delayed_by_a_share_that_was_not_used() {
        let now = Instant::now();
        let mut line = wide(now);
        for _ in 0..50 {
            join(&mut line, Background, &[], now);
            assert_eq!(turn(&mut line, now).map(Place::class), Some(Background));
        }
        join(&mut line, Background, &[], now);
        join(&mut line, UserRequest, &[], now);
        assert_eq!(turn(&mut line, now).map(Place::class), Some(UserRequest));
    }

    #[test]
    fn a_waiter_for_a_throttled_operation_delays_no_other_waiter() {
        let now = Instant::now();
        let mut line = Line::new(2.0, 100, now);
        line.slowdowns.throttled(CREATE, now);
        let create = join(&mut line, UserRequest, &[CREATE], now);
        let second = join(&mut line, UserRequest, &[CREATE, GET], now);
        let read = join(&mut line, Background, &[GET], now);
        assert_eq!(turn(&mut line, now), Some(read));
        let Next::In(wait) = line.next(now) else { panic!("Create is throttled") };
        let now = now + wait;
        assert_eq!(turn(&mut line, now), Some(create));
        assert_eq!(turn(&mut line, now), None, "the one call is reserved for the first");
        assert_eq!(turn(&mut line, now + Duration::from_secs(2)), Some(second));
    }

    #[test]
    fn a_share_of_a_throttled_operation_goes_to_the_lower_class_too() {
        let mut now = Instant::now();
        let mut line = Line::new(2.0, 100, now);
        join(&mut line, Progress, &[CREATE], now);
        let went = (0..=PASSED_OVER_AT_MOST).map(|_| {
            join(&mut line, UserRequest, &[CREATE], now);
            line.slowdowns.throttled(CREATE, now);
            now += line.slowdowns.until(CREATE, now);
            turn(&mut line, now).map(Place::class)
        });
        let went = went.collect::<Vec<_>>();
        assert_eq!(went.last(), Some(&Some(Progress)), "{went:?}");
    }

    #[test]
    fn lower_classes_leave_half_of_the_burst_to_user_requests() {
        let now = Instant::now();
        let mut line = Line::new(1.0, 10, now);
        for _ in 0..10 {
            join(&mut line, Background, &[], now);
        }
        while turn(&mut line, now).is_some() {}
        let asked = join(&mut line, UserRequest, &[], now);
        assert_eq!(turn(&mut line, now), Some(asked));
    }

    #[test]
    fn a_promoted_waiter_leaves_its_old_class_and_otherwise_a_waiter_keeps_its_place() {
        let now = Instant::now();
        let mut line = wide(now);
        let [first, second] = [(); 2].map(|()| join(&mut line, Background, &[], now));
        let asked = join(&mut line, UserRequest, &[], now);
        assert_eq!(line.raise(first, Background), first);
        assert_eq!(line.raise(asked, Progress), asked);
        let raised = line.raise(second, UserRequest);
        let went = std::iter::from_fn(|| turn(&mut line, now)).collect::<Vec<_>>();
        assert_eq!(went, [asked, raised, first]);
    }
}
