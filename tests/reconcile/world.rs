//! A small world around the production reconcile: one object, one account, one operator that keeps state, lists the account and may crash. Time stands still
//! unless it is advanced, or the object is left to settle: then reconciles and lists run when the production code schedules them.
//! In: what users and other clients do. Out: the object's status, the account, and the calls that were made.

mod time;

use std::{collections::BTreeMap, time::Duration};

use cloudfront_simulator::{
    Account, Switches, Timestamp,
    admin::{GroupPatch, NewGroup, NewTenant},
    model::{ConnectionGroup as Shown, Versioned},
};
use connection_group_operator::{
    account::inventory::{InventoryPause, is_out_of_date},
    api::{ConnectionGroup, ConnectionGroupSpec, ConnectionGroupStatus, RECONCILE_REQUESTED_AT, condition},
    clock::{Clock, Moment},
    cloudfront::{ApiError, CloudFront, Operation, Snapshot},
    reconcile::{
        Event, Finalizer, Inputs, ObjectState, Outcome, Settings,
        freshness::{Freshness, UpToDate},
        ownership::Installation,
        reconcile,
    },
};
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use port::{AnsweredBy, Fault, InProcess, Way};

pub use port::now;

/// Keys of the tags that mark a group as ours.
pub const OWNER: &str = "cloudfront.kube-operators.dev/owner";
pub const IDENTITY: &str = "cloudfront.kube-operators.dev/installation";
/// Identity of the operator's cluster.
pub const HERE: &str = "uid-here";

/// What marks a group of the object as ours.
pub fn marks() -> BTreeMap<String, String> {
    [(OWNER.to_owned(), "prod/platform/edge".to_owned()), (IDENTITY.to_owned(), HERE.to_owned())].into()
}

pub const PROPAGATION: Duration = Duration::from_secs(150);
/// A roll-out, plus a list, a short backoff or the first pause of a slow one.
pub const SOON: Duration = Duration::from_secs(150 + 45);
/// A roll-out after the longest pause of a backoff.
pub const BY_ITSELF: Duration = Duration::from_mins(8);
const EPOCH_MS: i64 = 1_800_000_000_000;

/// Between two reconciles that follow each other at once, as in the runtime.
const LEAST_PAUSE: Duration = Duration::from_millis(5);
/// How long a new process waits for its first list before it reconciles, as in the runtime.
const FIRST_LIST_PATIENCE: Duration = Duration::from_secs(10);

pub struct World {
    pub port: AnsweredBy<InProcess>,
    pub object: ConnectionGroup,
    pub settings: Settings,
    pub object_state: ObjectState,
    pub snapshot: Option<Snapshot>,
    pub inventory_error: Option<ApiError>,
    pub events: Vec<Event>,
    /// Fields that the operator found changed by others.
    pub drift: Vec<String>,
    /// How far the operator's wall clock is ahead of CloudFront's.
    pub wall_ahead: SignedDuration,
    elapsed: Duration,
    process_start: Duration,
    /// When the next reconcile is due.
    due: Duration,
    /// The pause since the last list; none before the first list of a process.
    inventory_pause: Option<InventoryPause>,
    /// When the next check takes place whether a list is due.
    list_asked_at: Duration,
    released: bool,
}

pub struct FrozenClock {
    moment: Moment,
    wall: jiff::Timestamp,
}

impl Clock for FrozenClock {
    fn moment(&self) -> Moment {
        self.moment
    }

    fn wall(&self) -> jiff::Timestamp {
        self.wall
    }
}

impl World {
    /// The production reconcile over the production adapter.
    pub fn new(spec: ConnectionGroupSpec) -> Self {
        Self::via(Way::Adapter, spec)
    }

    /// For tests that need thousands of worlds: the adapter is too slow for more than a sample of them.
    pub fn via(way: Way, spec: ConnectionGroupSpec) -> Self {
        Self::at(InProcess::new(way, Account::new(Switches::default()), Timestamp(EPOCH_MS)), spec)
    }

    /// Over the adapter, with an account that behaves differently.
    pub fn with_switches(spec: ConnectionGroupSpec, switches: Switches) -> Self {
        Self::at(InProcess::new(Way::Adapter, Account::new(switches), Timestamp(EPOCH_MS)), spec)
    }

    /// The operator has been running for two minutes and has just listed.
    fn at(port: InProcess, spec: ConnectionGroupSpec) -> Self {
        let mut object = ConnectionGroup::new("edge", spec);
        object.metadata.namespace = Some("platform".into());
        object.metadata.uid = Some("uid-1".into());
        object.metadata.generation = Some(1);
        let settings = Settings {
            owner_id: "prod".into(),
            installation: Installation::new(HERE),
            predecessor: None,
            allow_adoption: false,
            inventory_interval: Duration::from_mins(1),
            inventory_interval_active: Duration::from_secs(10),
            resync_interval: Duration::from_hours(6),
            consistency_window: Duration::from_mins(1),
        };
        let mut world = Self {
            port: AnsweredBy(port),
            object,
            settings,
            object_state: ObjectState::default(),
            snapshot: None,
            inventory_error: None,
            events: Vec::new(),
            drift: Vec::new(),
            wall_ahead: SignedDuration::ZERO,
            elapsed: Duration::ZERO,
            process_start: Duration::ZERO,
            due: Duration::ZERO,
            inventory_pause: None,
            list_asked_at: Duration::ZERO,
            released: false,
        };
        world.object_state.resync_at = Some(Moment::START + world.settings.resync_interval);
        world.advance(Duration::from_mins(2));
        world.take_inventory();
        world.calls();
        world
    }

    pub fn advance(&mut self, time: Duration) {
        self.elapsed += time;
        let ms = i64::try_from(self.elapsed.as_millis()).unwrap();
        self.port.set_now(Timestamp(EPOCH_MS + ms));
    }

    pub fn clock(&self) -> FrozenClock {
        let wall = jiff::Timestamp::from_millisecond(EPOCH_MS + i64::try_from(self.elapsed.as_millis()).unwrap());
        FrozenClock {
            moment: Moment::after_start(self.elapsed.checked_sub(self.process_start).unwrap()),
            wall: wall.unwrap() + self.wall_ahead,
        }
    }

    /// The same world once more, with an account of its own.
    pub fn fork(&self) -> Self {
        Self {
            port: AnsweredBy(self.port.fork()),
            object: self.object.clone(),
            settings: self.settings.clone(),
            object_state: self.object_state.clone(),
            snapshot: self.snapshot.clone(),
            inventory_error: self.inventory_error.clone(),
            events: self.events.clone(),
            drift: self.drift.clone(),
            wall_ahead: self.wall_ahead,
            elapsed: self.elapsed,
            process_start: self.process_start,
            due: self.due,
            inventory_pause: self.inventory_pause,
            list_asked_at: self.list_asked_at,
            released: self.released,
        }
    }

    /// One complete list, a moment after everything so far. It wakes the object as the production inventory does.
    pub fn take_inventory(&mut self) {
        self.advance(Duration::from_millis(1));
        let began = self.clock().moment();
        let listed = now(self.port.list());
        self.advance(Duration::from_millis(1));
        match listed {
            Ok(groups) => {
                let groups = groups.into_iter().map(|group| (group.name.clone(), group)).collect::<BTreeMap<_, _>>();
                let current = Snapshot { began, groups };
                let previous = self.snapshot.as_ref();
                if previous.is_none() || is_out_of_date(&self.object, self.object_state.awaits, previous, &current) {
                    self.wake();
                }
                self.snapshot = Some(current);
                self.inventory_error = None;
            }
            Err(error) => self.inventory_error = Some(error),
        }
        self.inventory_pause = Some(InventoryPause::default());
        self.list_asked_at = self.elapsed;
    }

    /// The next reconcile is due at once.
    pub fn wake(&mut self) {
        self.due = self.due.min(self.elapsed);
    }

    /// One reconcile; its outcome is stored, as in the runtime.
    pub fn reconcile(&mut self) -> Outcome {
        let outcome = self.reconcile_without_storing();
        let stored = serde_json::from_value(serde_json::to_value(&outcome.status).unwrap()).unwrap();
        assert_eq!(
            outcome.status, stored,
            "what the API server stores must read the same, or each reconcile would write it again"
        );
        self.object.status = Some(stored);
        self.events.extend(outcome.events.clone());
        self.drift.extend(outcome.drift.iter().map(|drift| drift.field.clone()));
        self.due = self.elapsed + outcome.requeue.max(LEAST_PAUSE);
        self.released |= outcome.finalizer == Finalizer::Release;
        outcome
    }

    /// One reconcile over that port, an account like this world's; its status is stored.
    pub fn reconcile_on<C: CloudFront>(&mut self, port: &C) -> Outcome {
        let clock = self.clock();
        let around = Inputs {
            port,
            settings: &self.settings,
            snapshot: self.snapshot.as_ref(),
            inventory_error: self.inventory_error.as_ref(),
            clock: &clock,
            freshness: &UpToDate,
        };
        let outcome = now(reconcile(&self.object, &mut self.object_state, &around));
        self.object.status = Some(outcome.status.clone());
        outcome
    }

    /// One reconcile whose outcome is lost, as in a crash before the status write.
    pub fn reconcile_without_storing(&mut self) -> Outcome {
        let clock = self.clock();
        self.reconcile_with(&UpToDate, &clock)
    }

    /// The same, with this answer about the object and this clock.
    pub fn reconcile_with(&mut self, freshness: &dyn Freshness, clock: &dyn Clock) -> Outcome {
        let around = Inputs {
            port: &self.port,
            settings: &self.settings,
            snapshot: self.snapshot.as_ref(),
            inventory_error: self.inventory_error.as_ref(),
            clock,
            freshness,
        };
        now(reconcile(&self.object, &mut self.object_state, &around))
    }

    /// Reconciles for as long as the next one is due at once. Returns the outcome of the last one.
    pub fn at_once(&mut self) -> Outcome {
        for _ in 0..12 {
            let outcome = self.reconcile();
            if outcome.finalizer == Finalizer::Release || outcome.requeue > Duration::ZERO {
                return outcome;
            }
        }
        panic!("still due at once after 12 reconciles: {}", self.message())
    }

    /// The process dies and another one starts: the object state is gone, and the clock starts again.
    pub fn crash(&mut self) {
        self.object_state =
            ObjectState { resync_at: Some(Moment::START + self.settings.resync_interval), ..ObjectState::default() };
        self.snapshot = None;
        self.advance(Duration::from_secs(5));
        self.process_start = self.elapsed;
        self.inventory_pause = None;
        self.list_asked_at = self.elapsed;
        self.due = self.elapsed + FIRST_LIST_PATIENCE;
    }

    /// The object state is gone, as after the object was deleted and created again.
    pub fn forget(&mut self) {
        let resync_at = self.object_state.resync_at;
        self.object_state = ObjectState { resync_at, ..ObjectState::default() };
    }

    /// A reconcile and a consistency window: as far as the operator can know, nobody owns the group.
    pub fn confirm_unowned(&mut self) {
        self.reconcile();
        assert_eq!((self.mutations(), self.ready().1), (vec![], "Adopting".into()));
        self.advance(self.settings.consistency_window);
        self.take_inventory();
        self.calls();
    }

    pub fn edit(&mut self, change: impl FnOnce(&mut ConnectionGroupSpec)) {
        change(&mut self.object.spec);
        *self.object.metadata.generation.as_mut().unwrap() += 1;
        self.wake();
    }

    pub fn delete(&mut self) {
        self.object.metadata.deletion_timestamp = Some(Time(self.clock().wall));
        self.wake();
    }

    pub fn request_reconcile(&mut self, at: &str) {
        let annotations = self.object.metadata.annotations.get_or_insert_default();
        annotations.insert(RECONCILE_REQUESTED_AT.to_owned(), at.to_owned());
        self.wake();
    }

    pub fn fail(&self, operation: Operation, fault: Fault) {
        self.port.fail(operation, fault);
    }

    pub fn may_fail(&self, operation: Operation, fault: Fault) {
        self.port.may_fail(operation, fault);
    }

    pub fn keep_failing(&self, operation: Operation, fault: Fault) {
        self.port.keep_failing(operation, fault);
    }

    pub fn faults_stop(&self) {
        self.port.faults_stop();
    }

    pub fn calls(&self) -> Vec<Operation> {
        self.port.take_calls()
    }

    /// The same in order of their names: a group and its tags are read concurrently.
    pub fn sorted_calls(&self) -> Vec<Operation> {
        let mut calls = self.calls();
        calls.sort_by_key(|call| call.as_str());
        calls
    }

    /// The mutations among the calls since calls were last taken.
    pub fn mutations(&self) -> Vec<Operation> {
        self.calls().into_iter().filter(|call| call.is_mutation()).collect()
    }

    /// Whether the object was released.
    pub const fn is_released(&self) -> bool {
        self.released
    }

    pub fn status(&self) -> ConnectionGroupStatus {
        self.object.status.clone().unwrap()
    }

    /// Reason and status of the `Ready` condition, and the other conditions that are there.
    pub fn ready(&self) -> (String, String, Vec<String>) {
        let conditions = self.status().conditions;
        let ready = condition(&conditions, "Ready").unwrap();
        let others = conditions.iter().filter(|c| c.type_ != "Ready").map(|c| c.type_.clone()).collect();
        (ready.status.clone(), ready.reason.clone(), others)
    }

    pub fn message(&self) -> String {
        condition(&self.status().conditions, "Ready").unwrap().message.clone()
    }

    pub fn event_reasons(&self) -> Vec<&'static str> {
        self.events.iter().map(|event| event.reason.as_str()).collect()
    }

    pub fn group(&self) -> Option<Versioned<Shown>> {
        self.port.account(|account, now| account.group(now, "edge"))
    }

    pub fn tags(&self) -> BTreeMap<String, String> {
        let groups = self.port.account(|account, now| account.groups(now));
        groups.into_iter().find(|group| group.resource.name == "edge").and_then(|group| group.resource.tags).unwrap()
    }

    /// All groups of the account, by id.
    pub fn groups(&self) -> BTreeMap<String, Versioned<Shown>> {
        let groups = self.port.account(|account, now| account.groups(now));
        groups.into_iter().map(|group| (group.resource.id.clone(), group)).collect()
    }

    pub fn group_count(&self) -> usize {
        self.groups().len()
    }

    pub fn someone_creates(&self, change: impl FnOnce(&mut NewGroup)) {
        let mut new = NewGroup::named("edge");
        change(&mut new);
        self.port.account(|account, now| account.outside_create_group(now, new)).unwrap();
    }

    pub fn someone_edits(&self, patch: GroupPatch) {
        self.port.account(|account, now| account.outside_edit_group(now, "edge", patch)).unwrap();
    }

    pub fn someone_deletes_the_group(&self) {
        self.port.account(|account, now| account.outside_delete_group(now, "edge")).unwrap();
    }

    pub fn tenant_comes(&self, name: &str) {
        self.port.account(|account, now| account.outside_create_tenant(now, NewTenant::behind("edge", name))).unwrap();
    }

    pub fn tenant_goes(&self, name: &str) {
        self.port.account(|account, now| account.outside_delete_tenant(now, name)).unwrap();
    }

    pub fn switch(&self, change: impl FnOnce(&mut Switches)) {
        self.port.account(|account, _| {
            let mut switches = *account.switches();
            change(&mut switches);
            account.set_switches(switches);
        });
    }
}

pub fn spec() -> ConnectionGroupSpec {
    ConnectionGroupSpec::default()
}
