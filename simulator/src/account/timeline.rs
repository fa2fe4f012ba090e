//! A value that changes, with as much of its past as outdated reads may show. Pure.

use std::iter::once;
use std::mem::replace;

use crate::time::Timestamp;

/// A value over time. The version before the last change is always kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Timeline<T> {
    current: Since<T>,
    previous: Since<T>,
    /// The newest first. Mostly empty, and then without an allocation: a model checker keeps millions of these.
    older: Vec<Since<T>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Since<T> {
    value: T,
    began: Timestamp,
}

/// From where a read looks at a timeline.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    /// It sees what was true then.
    pub at: Timestamp,
    /// It misses so many changes at the least.
    pub back: u32,
}

/// Which versions of the past are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    /// Those that were current after this time,
    pub since: Timestamp,
    /// and in any case so many.
    pub versions: u32,
}

impl<T> Timeline<T> {
    /// Something that begins; before, it was `nothing`.
    pub fn begin(value: T, nothing: T, now: Timestamp) -> Self {
        Self {
            current: Since { value, began: now },
            previous: Since { value: nothing, began: Timestamp(i64::MIN) },
            older: Vec::new(),
        }
    }

    pub fn current(&self) -> &T {
        &self.current.value
    }

    pub fn current_mut(&mut self) -> &mut T {
        &mut self.current.value
    }

    pub fn previous(&self) -> &T {
        &self.previous.value
    }

    pub fn changed_at(&self) -> Timestamp {
        self.current.began
    }

    /// What a read sees; the oldest version that is kept, if it looks further back.
    pub fn seen(&self, view: View) -> &T {
        let newest_first = || once(&self.current).chain(once(&self.previous)).chain(&self.older);
        let missed = newest_first().take_while(|version| view.at < version.began).count();
        let missed = missed.max(view.back as usize);
        newest_first().take(missed.saturating_add(1)).fold(self.current(), |_, version| &version.value)
    }

    pub fn change(&mut self, value: T, now: Timestamp, kept: Kept) {
        let former = replace(&mut self.current, Since { value, began: now });
        let older = replace(&mut self.previous, former);
        // Each version ended when the next one began.
        if kept.keeps(2, self.previous.began) {
            self.older.insert(0, older);
            let began = self.older.iter().map(|version| version.began);
            let stay = (3..).zip(began).take_while(|(back, ended)| kept.keeps(*back, *ended)).count();
            self.older.truncate(stay.saturating_add(1));
        } else {
            self.older.clear();
        }
    }
}

impl Kept {
    fn keeps(self, back: u32, ended: Timestamp) -> bool {
        back <= self.versions || ended > self.since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number that has counted up each second until second 9.
    fn counted(versions: u32, lag: i64) -> Timeline<i64> {
        let mut timeline = Timeline::begin(1, 0, Timestamp(1));
        for second in 2..10 {
            let kept = Kept { since: Timestamp(second - lag), versions };
            timeline.change(second, Timestamp(second), kept);
        }
        timeline
    }

    #[test]
    fn a_read_sees_what_was_true_at_its_time_however_many_versions_back() {
        let timeline = counted(1, 5);
        for (at, seen) in [(100, 9), (9, 9), (8, 8), (5, 5), (4, 4)] {
            assert_eq!(*timeline.seen(View { at: Timestamp(at), back: 0 }), seen, "at {at}");
        }
    }

    #[test]
    fn a_read_that_looks_further_back_than_is_kept_sees_the_oldest() {
        assert_eq!(*counted(1, 5).seen(View { at: Timestamp(0), back: 0 }), 4);
        assert_eq!(*counted(1, 0).seen(View { at: Timestamp(0), back: 0 }), 8);
        assert_eq!(*counted(4, 0).seen(View { at: Timestamp(100), back: 99 }), 5);
    }

    #[test]
    fn a_read_misses_as_many_changes_as_it_is_told_to() {
        let timeline = counted(4, 0);
        let seen = [0, 1, 2, 4].map(|back| *timeline.seen(View { at: Timestamp(100), back }));
        assert_eq!(seen, [9, 8, 7, 5]);
        assert_eq!(*timeline.seen(View { at: Timestamp(7), back: 1 }), 7, "or more, if its time says so");
    }

    #[test]
    fn without_a_lag_one_version_of_the_past_is_kept_and_nothing_is_allocated() {
        assert_eq!(counted(1, 0).older.capacity(), 0);
    }

    #[test]
    fn before_it_began_there_was_nothing() {
        assert_eq!(*Timeline::begin(1, 0, Timestamp(5)).seen(View { at: Timestamp(4), back: 0 }), 0);
    }
}
