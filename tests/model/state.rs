//! The world of the model check: objects as the API server has them, operators with what they remember, one account, and what may still happen to them.
//! Pure data. Time advances in steps that are longer than any window of the operator, so that only before and after matter.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use cloudfront_simulator::{
    Account, Switches, Timestamp,
    model::{ConnectionGroup as Shown, DeploymentStatus, Versioned},
};
use connection_group_operator::{
    api::{ConnectionGroup, ConnectionGroupSpec, ConnectionGroupStatus},
    clock::Moment,
    cloudfront::{ApiError, ErrorClass, Snapshot},
    reconcile::{
        ObjectState, Outcome, Settings,
        ownership::{Claim, Installation, OwnerTag},
    },
};
use port::LeftOut;

use crate::{
    outside::Outside,
    replay::{Call, EPOCH_MS, Entry, Input, Stage, Views},
};

/// Longer than the consistency window, the time until tags show, and the time for which our own last write counts as the newest information.
pub const TICK: Duration = Duration::from_secs(61);
/// A little longer than the time between two full resyncs.
pub const DEEP_TICK: Duration = Duration::from_secs(61 * 1150);
/// The name of every object and its group.
pub const NAME: &str = "edge";

/// The owner tags of all objects.
pub const OWNER_TAGS: [&str; 2] = ["prod/platform/edge", "dev/platform/edge"];
/// Identity of the cluster that all operators run in, unless one is a clone's.
pub const INSTALLATION: &str = "uid-here";
/// Identity of a second cluster.
pub const CLONE: &str = "uid-there";

/// Who owns the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cast {
    /// Two owner ids in one cluster.
    Owners,
    /// One owner id: the second object is the first one's, restored into another cluster.
    Clones,
    /// The same, and the second cluster's administrator takes over from the first.
    Heir,
}

impl Cast {
    pub const fn owner_id(self, object: usize) -> &'static str {
        match (self, object) {
            (Self::Owners, 1) => "dev",
            (Self::Owners | Self::Clones | Self::Heir, _) => "prod",
        }
    }

    pub fn installation(self, object: usize) -> Installation {
        Installation::new(match (self, object) {
            (Self::Clones | Self::Heir, 1) => CLONE,
            (Self::Owners | Self::Clones | Self::Heir, _) => INSTALLATION,
        })
    }

    pub fn predecessor(self, object: usize) -> Option<Installation> {
        (self == Self::Heir && object == 1).then(|| Installation::new(INSTALLATION))
    }
}

/// What a scenario explores, and how far.
#[derive(Clone)]
pub struct Scenario {
    pub name: &'static str,
    /// The specs that users write; an object begins with the first one.
    pub specs: Vec<ConnectionGroupSpec>,
    /// The object of each operator.
    pub operators: Vec<usize>,
    pub switches: Switches,
    pub allow_adoption: bool,
    pub cast: Cast,
    /// What all of CloudFront's answers omit.
    pub left_out: &'static [LeftOut],
    /// Whether a single answer may say that an existing group does not exist, show it without its tags, or omit everything that is optional.
    pub lies: bool,
    /// What happens before the exploration.
    pub prelude: fn(&mut State),
    /// How often faults may strike, users may change their minds, and others may interfere.
    pub budget: Budget,
    /// The same for `make model`.
    pub wide: Budget,
    /// What others may do.
    pub outside: &'static [Outside],
    /// Time between two inventories at rest. After three times that, an inventory is too old for any use.
    pub inventory_interval: Duration,
    /// Errors that a call may meet before it has an effect.
    pub errors: &'static [ErrorClass],
    /// Errors that a change may meet although it has its effect.
    pub lost: &'static [ErrorClass],
    /// Whether one operator at a time acts for an object; without the Lease, some properties are not guaranteed.
    pub lease: bool,
    /// Whether processes die and abandoned calls take effect late. Tags that such a call leaves are not always known as ours.
    pub harsh: bool,
    /// Whether enough time may elapse that every call has taken effect or is lost.
    pub ticks: bool,
    /// Whether enough time may elapse for a full resync.
    pub resyncs: bool,
    /// Whether any end counts as the goal, to test the checker.
    pub blind: bool,
    /// Whether objects may be deleted and created again.
    pub deletions: bool,
    /// Whether users request a reconcile with the annotation.
    pub requests: bool,
    /// Whether a reconcile may see an object as it was before users changed it, however long ago.
    pub lag: bool,
}

/// What may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    pub faults: u8,
    pub edits: u8,
    pub outside: u8,
}

#[derive(Clone)]
pub struct State {
    pub account: Account,
    pub cast: Cast,
    pub left_out: &'static [LeftOut],
    /// The name of the groups of all objects in CloudFront.
    pub name: Arc<str>,
    pub now: Duration,
    pub objects: Vec<Object>,
    pub operators: Vec<Operator>,
    /// Abandoned calls that may still take effect.
    pub late: Vec<Call>,
    pub left: Budget,
    /// The reconcile that ended with the last step.
    pub just_ended: Option<Arc<Pass>>,
    /// The groups of other names, which no object here may touch.
    pub neighbours: Arc<[Versioned<Shown>]>,
}

/// An object's name at the API server, and the object of that name, if there is one.
#[derive(Clone, Default)]
pub struct Object {
    pub current: Option<Arc<ConnectionGroup>>,
    pub incarnation: u32,
    /// The spec of each generation of this incarnation, as an index.
    pub variants: Vec<u8>,
    /// The object before each change by users, and before it was removed; oldest first.
    pub history: Vec<Version>,
    /// What was sent to CloudFront for this incarnation, whatever the result.
    pub sent: Arc<Sent>,
    /// The status before the last one that said something new.
    pub former_status: Option<Arc<ConnectionGroupStatus>>,
}

/// Tags and lists that a call for an object carried.
#[derive(Clone, Default, Hash)]
pub struct Sent {
    pub tags: BTreeSet<(String, String)>,
    pub lists: BTreeSet<String>,
}

/// A version of an object that someone may see.
#[derive(Clone)]
pub struct Version {
    pub object: Arc<ConnectionGroup>,
    pub incarnation: u32,
    pub variant: u8,
}

impl Object {
    pub fn variant(&self) -> u8 {
        *self.variants.last().unwrap()
    }

    pub fn latest(&self) -> Option<Version> {
        let object = Arc::clone(self.current.as_ref()?);
        Some(Version { object, incarnation: self.incarnation, variant: self.variant() })
    }
}

#[derive(Clone, Default)]
pub struct Operator {
    pub object: usize,
    pub process_start: Duration,
    pub snapshot: Option<Arc<Snapshot>>,
    pub inventory_error: Option<ApiError>,
    pub remembered: Tracked,
    pub pass: Option<Arc<Pass>>,
    /// The oldest version of its object's history that its cache may show. A cache never goes back: each process lists again, and then only follows the watch.
    pub seen: usize,
    /// The object as it was when the last reconcile of this process began.
    pub heard: Option<Arc<ConnectionGroup>>,
    /// When the object is due again after that reconcile.
    pub due: Option<Duration>,
}

/// What an operator remembers about its object.
#[derive(Clone, Default)]
pub struct Tracked {
    pub incarnation: u32,
    pub memory: Arc<ObjectState>,
    pub status: Option<Arc<ConnectionGroupStatus>>,
}

/// A reconcile in flight.
#[derive(Clone)]
pub struct Pass {
    pub input: Arc<Input>,
    pub incarnation: u32,
    pub variant: u8,
    pub log: Vec<Arc<Entry>>,
    /// Whether the object was up to date each time before a change.
    pub views: Views,
    pub stage: Stage,
}

impl Pass {
    pub fn ended(&self) -> Option<(&Outcome, &Arc<ObjectState>)> {
        match &self.stage {
            Stage::Asking(_) | Stage::Confirming(_) => None,
            Stage::Ended(outcome, memory) => Some((outcome, memory)),
        }
    }

    pub fn deleting(&self) -> bool {
        self.input.object.metadata.deletion_timestamp.is_some()
    }
}

impl Scenario {
    pub fn settings(&self, object: usize) -> Settings {
        Settings {
            owner_id: self.cast.owner_id(object).into(),
            installation: self.cast.installation(object),
            predecessor: self.cast.predecessor(object),
            allow_adoption: self.allow_adoption,
            inventory_interval: self.inventory_interval,
            inventory_interval_active: Duration::from_secs(10),
            resync_interval: DEEP_TICK.mul_f64(1.0 / 1.15),
            consistency_window: Duration::from_mins(1),
        }
    }

    /// The operators have run for a while and have an inventory; the objects have just been created.
    pub fn start(&self) -> State {
        let objects = self.operators.iter().max().unwrap() + 1;
        let mut state = State {
            account: Account::new(self.switches),
            cast: self.cast,
            left_out: self.left_out,
            name: self.specs[0].name.as_deref().unwrap_or(NAME).into(),
            now: TICK * 2,
            objects: vec![Object::default(); objects],
            operators: self.operators.iter().map(|object| Operator::new(*object)).collect(),
            late: Vec::new(),
            left: self.budget,
            just_ended: None,
            neighbours: Arc::default(),
        };
        for object in 0..objects {
            state.make(self, object);
        }
        (self.prelude)(&mut state);
        state.neighbours = state.groups_of_others().into();
        for operator in 0..state.operators.len() {
            state.renew_memory(self, operator, state.object_of(operator).incarnation);
            state.take_inventory(operator);
        }
        state
    }
}

impl Operator {
    /// Whether its reconcile is about to read, and not to change anything or to be stored.
    pub fn only_reads(&self) -> bool {
        self.pass.as_ref().is_some_and(|pass| match &pass.stage {
            Stage::Asking(call) => !call.operation().is_mutation(),
            Stage::Confirming(_) | Stage::Ended(..) => false,
        })
    }

    fn new(object: usize) -> Self {
        Self { object, ..Self::default() }
    }
}

impl State {
    pub fn timestamp(&self) -> Timestamp {
        Timestamp(EPOCH_MS + i64::try_from(self.now.as_millis()).unwrap())
    }

    pub fn object_of(&self, operator: usize) -> &Object {
        &self.objects[self.operators[operator].object]
    }

    /// The group of that name. Compares names, because a lookup in the account may also find another group by its id.
    pub fn group(&self) -> Option<Shown> {
        let mut groups = self.account.groups(self.timestamp()).into_iter().map(|group| group.resource);
        groups.find(|group| group.name == *self.name)
    }

    /// The last answered call of the operator's reconcile, in flight or just ended.
    pub fn last_entry(&self, operator: usize) -> Option<&Entry> {
        self.operators[operator].pass.as_ref().or(self.just_ended.as_ref())?.log.last().map(Arc::as_ref)
    }

    pub fn at_rest(&self) -> bool {
        self.late.is_empty() && self.operators.iter().all(|operator| operator.pass.is_none())
    }

    /// Whether a process may have died before it recorded what it sent, or an abandoned call may have taken effect.
    pub fn may_have_lost(&self, scenario: &Scenario) -> bool {
        scenario.harsh && self.left.faults < scenario.budget.faults
    }

    /// Whether a list that an object sent may count as someone else's: the record may have been lost, the object sent two lists and an ambiguous call left
    /// one of them, or others may have attached it since.
    pub fn lists_may_be_anothers(&self, scenario: &Scenario, operator: usize) -> bool {
        let swapped = self.object_of(operator).sent.lists.len() > 1 && self.left.faults < scenario.budget.faults;
        self.may_have_lost(scenario) || swapped || self.others_may_have(scenario, Outside::AttachesList)
    }

    /// Whether others may have done this by now.
    pub fn others_may_have(&self, scenario: &Scenario, what: Outside) -> bool {
        scenario.outside.contains(&what) && self.left.outside < scenario.budget.outside
    }

    /// The groups of other names, without their deployment status.
    pub fn groups_of_others(&self) -> Vec<Versioned<Shown>> {
        let mut others = self.account.groups(self.timestamp());
        others.retain(|group| group.resource.name != *self.name);
        for group in &mut others {
            group.resource.status = DeploymentStatus::Deployed;
        }
        others
    }

    /// Called before the object changes: for a while, caches may still show it as it is now.
    pub fn outdate(&mut self, scenario: &Scenario, object: usize) {
        let slot = &mut self.objects[object];
        let latest = slot.latest().filter(|_| scenario.lag);
        slot.history.extend(latest);
    }

    /// Someone creates the object, perhaps again.
    pub fn make(&mut self, scenario: &Scenario, object: usize) {
        let slot = &mut self.objects[object];
        slot.incarnation += 1;
        slot.variants = vec![0];
        slot.sent = Arc::default();
        slot.former_status = None;
        let mut made = ConnectionGroup::new(NAME, scenario.specs[0].clone());
        made.metadata.namespace = Some("platform".into());
        made.metadata.uid = Some(format!("uid-{object}-{}", slot.incarnation));
        made.metadata.generation = Some(1);
        slot.current = Some(Arc::new(made));
    }

    /// The operator has never seen this incarnation of its object.
    pub fn renew_memory(&mut self, scenario: &Scenario, operator: usize, incarnation: u32) {
        let object = self.operators[operator].object;
        let moment = Moment::after_start(self.now.saturating_sub(self.operators[operator].process_start));
        let resync_at = Some(moment + scenario.settings(object).resync_interval);
        let memory = Arc::new(ObjectState { resync_at, ..ObjectState::default() });
        self.operators[operator].remembered = Tracked { incarnation, memory, ..Tracked::default() };
    }

    pub fn current(&self, object: usize) -> Option<&ConnectionGroup> {
        self.objects[object].current.as_deref()
    }

    pub fn owner_tag(&self, operator: usize) -> OwnerTag {
        self.claim(operator).owner
    }

    /// The tags that mark a group as the operator's.
    pub fn claim(&self, operator: usize) -> Claim {
        let object = self.operators[operator].object;
        let owner = OwnerTag::new(self.cast.owner_id(object), "platform", NAME);
        Claim { owner, installation: self.cast.installation(object) }
    }
}
