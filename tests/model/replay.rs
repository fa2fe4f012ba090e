//! A reconcile as a log: its input and the answers so far. The production `reconcile` runs over that log from the start until it asks for something that is not
//! answered yet. In: input, log. Out: the next [`Call`], or the outcome. Pure: nothing else is read, and no time elapses.

use std::{
    future::{pending, ready},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
    time::Duration,
};

use connection_group_operator::{
    api::ConnectionGroup,
    clock::{Clock, Moment},
    cloudfront::{ApiError, Operation, Snapshot},
    reconcile::{
        Inputs, ObjectState, Outcome, Settings,
        freshness::{Evidence, Freshness, Withheld},
        reconcile,
    },
};

use port::{AnsweredBy, Answering};

pub use port::{Answer, Call};

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub const EPOCH_MS: i64 = 1_800_000_000_000;

/// What a reconcile was started with.
#[derive(Clone, Debug)]
pub struct Input {
    pub object: ConnectionGroup,
    pub memory: Arc<ObjectState>,
    pub snapshot: Option<Arc<Snapshot>>,
    pub inventory_error: Option<ApiError>,
    pub process_start: Duration,
    pub started: Duration,
}

/// One call and its answer.
#[derive(Clone, Debug)]
pub struct Entry {
    pub call: Call,
    pub answer: Answer,
    pub at: Duration,
}

impl Entry {
    /// Whether it changed something in CloudFront, as far as the answer shows.
    pub fn changed_something(&self) -> bool {
        self.call.operation().is_mutation() && self.answer.error().is_none()
    }
}

/// The stage of a reconcile.
#[derive(Clone, Debug)]
pub enum Stage {
    Asking(Arc<Call>),
    /// It is about to change something, and asks whether its object is up to date.
    Confirming(Evidence),
    Ended(Box<Outcome>, Arc<ObjectState>),
}

/// The port and the clock of a reconcile that runs over its log.
pub struct Replay<'a> {
    input: &'a Input,
    log: &'a [Arc<Entry>],
    views: Views,
    cursor: Mutex<Cursor>,
}

/// How often the object was confirmed to be up to date, and whether that was then denied.
#[derive(Clone, Copy, Debug, Default)]
pub struct Views {
    pub confirmed: usize,
    pub then: Option<Withheld>,
}

#[derive(Default)]
struct Cursor {
    answered: usize,
    confirmed: usize,
    asked: Option<Stage>,
}

impl<'a> Replay<'a> {
    pub fn new(input: &'a Input, log: &'a [Arc<Entry>], views: Views) -> Self {
        Self { input, log, views, cursor: Mutex::default() }
    }

    fn cursor(&self) -> MutexGuard<'_, Cursor> {
        self.cursor.lock().unwrap()
    }

    fn recorded(&self, call: &Call) -> Option<Answer> {
        let mut cursor = self.cursor();
        let entry = self.log.get(cursor.answered)?;
        assert_eq!(entry.call, *call, "the same input and answers led to another call: hidden non-determinism");
        cursor.answered += 1;
        Some(entry.answer.clone())
    }

    fn now(&self) -> Duration {
        let answered = self.cursor().answered;
        answered.checked_sub(1).map_or(self.input.started, |last| self.log[last].at)
    }
}

impl Answering for Replay<'_> {
    async fn answer(&self, call: Call) -> Answer {
        if let Some(answer) = self.recorded(&call) {
            return answer;
        }
        self.cursor().asked = Some(Stage::Asking(Arc::new(call)));
        pending().await
    }
}

impl Freshness for Replay<'_> {
    fn confirm(&self, _: Operation, evidence: Evidence) -> BoxFuture<'_, Result<(), Withheld>> {
        let mut cursor = self.cursor();
        if cursor.confirmed < self.views.confirmed {
            cursor.confirmed += 1;
            return Box::pin(ready(Ok(())));
        }
        if let Some(why) = self.views.then {
            return Box::pin(ready(Err(why)));
        }
        cursor.asked = Some(Stage::Confirming(evidence));
        Box::pin(pending())
    }
}

impl Clock for Replay<'_> {
    fn moment(&self) -> Moment {
        Moment::after_start(self.now().saturating_sub(self.input.process_start))
    }

    fn wall(&self) -> jiff::Timestamp {
        wall(self.now())
    }
}

pub fn wall(elapsed: Duration) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(EPOCH_MS + i64::try_from(elapsed.as_millis()).unwrap()).unwrap()
}

/// Runs a reconcile over its log.
pub fn run(input: &Input, log: &[Arc<Entry>], views: Views, settings: &Settings) -> Stage {
    let replay = Replay::new(input, log, views);
    let port = AnsweredBy(&replay);
    let mut memory = ObjectState::clone(&input.memory);
    let around = Inputs {
        port: &port,
        settings,
        snapshot: input.snapshot.as_deref(),
        inventory_error: input.inventory_error.as_ref(),
        clock: &replay,
        freshness: &replay,
    };
    let ended = {
        let future = pin!(reconcile(&input.object, &mut memory, &around));
        future.poll(&mut Context::from_waker(Waker::noop()))
    };
    match ended {
        Poll::Ready(outcome) => Stage::Ended(Box::new(outcome), Arc::new(memory)),
        Poll::Pending => {
            let asked = replay.cursor().asked.take();
            asked.expect("reconcile waits for something other than the port and the view")
        }
    }
}
