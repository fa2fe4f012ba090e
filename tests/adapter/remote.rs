//! One object, and the production reconcile with the production adapter, at a CloudFront whose answers may be corrupted. In: user actions, and time. Out: the
//! object's status, and the calls that were made.

use std::{collections::BTreeMap, time::Duration};

use cloudfront_simulator::{Account, Switches, Timestamp};
use connection_group_operator::{
    api::{ConnectionGroup, ConnectionGroupSpec, RECONCILE_REQUESTED_AT, condition},
    clock::{Clock, Moment},
    cloudfront::{CloudFront, Operation, Snapshot, sdk::Sdk},
    reconcile::{
        Finalizer, Inputs, ObjectState, Outcome, Settings, freshness::UpToDate, ownership::Installation, reconcile,
    },
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::{
    adapter,
    calls::NOW,
    server::{Effects, Server},
};

pub struct Remote {
    pub server: Server,
    pub object: ConnectionGroup,
    sdk: Sdk,
    memory: ObjectState,
    snapshot: Option<Snapshot>,
    elapsed: Duration,
}

struct Frozen(Duration);

impl Clock for Frozen {
    fn moment(&self) -> Moment {
        Moment::after_start(self.0)
    }

    fn wall(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(at(self.0).0).unwrap()
    }
}

fn at(elapsed: Duration) -> Timestamp {
    Timestamp(NOW.0 + i64::try_from(elapsed.as_millis()).unwrap())
}

fn settings() -> Settings {
    Settings {
        owner_id: "prod".into(),
        installation: Installation::new("uid-here"),
        predecessor: None,
        allow_adoption: false,
        inventory_interval: Duration::from_mins(1),
        inventory_interval_active: Duration::from_secs(10),
        resync_interval: Duration::from_hours(6),
        consistency_window: Duration::from_mins(1),
    }
}

impl Remote {
    /// An object that asks for a group that does not exist yet; the operator has been running for a while.
    pub async fn new() -> Self {
        let mut object = ConnectionGroup::new("edge", ConnectionGroupSpec::default());
        object.metadata.namespace = Some("platform".into());
        object.metadata.uid = Some("uid-1".into());
        object.metadata.generation = Some(1);
        let server = Server::with(Account::new(Switches::default()), NOW, Effects::Kept).await;
        let memory =
            ObjectState { resync_at: Some(Moment::START + settings().resync_interval), ..ObjectState::default() };
        let (sdk, elapsed) = (adapter(&server.url), Duration::ZERO);
        let mut remote = Self { server, object, sdk, memory, snapshot: None, elapsed };
        remote.advance(Duration::from_mins(2)).await;
        remote
    }

    /// Time elapses, and the account is listed.
    pub async fn advance(&mut self, time: Duration) {
        self.elapsed += time;
        self.server.set_now(at(self.elapsed));
        let began = Frozen(self.elapsed).moment();
        if let Ok(groups) = self.sdk.list().await {
            let groups = groups.into_iter().map(|group| (group.name.clone(), group)).collect::<BTreeMap<_, _>>();
            self.snapshot = Some(Snapshot { began, groups });
        }
        self.elapsed += Duration::from_millis(1);
    }

    pub async fn pass(&mut self) -> Outcome {
        let (settings, clock) = (settings(), Frozen(self.elapsed));
        let around = Inputs {
            port: &self.sdk,
            settings: &settings,
            snapshot: self.snapshot.as_ref(),
            inventory_error: None,
            clock: &clock,
            freshness: &UpToDate,
        };
        let outcome = Box::pin(reconcile(&self.object, &mut self.memory, &around)).await;
        self.object.status = Some(outcome.status.clone());
        outcome
    }

    /// Long enough for a roll-out and every backoff.
    pub async fn settle(&mut self) {
        for _ in 0..8 {
            self.pass().await;
            self.advance(Duration::from_mins(5)).await;
        }
    }

    pub fn delete(&mut self) {
        self.object.metadata.deletion_timestamp = Some(Time(Frozen(self.elapsed).wall()));
    }

    /// Whether the object is released within an hour.
    pub async fn is_released(&mut self) -> bool {
        for _ in 0..12 {
            if self.pass().await.finalizer == Finalizer::Release {
                return true;
            }
            self.advance(Duration::from_mins(5)).await;
        }
        false
    }

    pub fn request_reconcile(&mut self) {
        let annotations = self.object.metadata.annotations.get_or_insert_default();
        annotations.insert(RECONCILE_REQUESTED_AT.to_owned(), "now".to_owned());
    }

    pub fn mutations(&self) -> Vec<String> {
        let changes = Operation::ALL.iter().copied().filter(|operation| operation.is_mutation());
        let changes = changes.map(Operation::as_str).collect::<Vec<_>>();
        self.server.take_calls().into_iter().filter(|call| changes.contains(&call.as_str())).collect()
    }

    /// Status and reason of `Ready`.
    pub fn ready(&self) -> (&str, &str) {
        let ready = self.object.status.as_ref().and_then(|status| condition(&status.conditions, "Ready")).unwrap();
        (&ready.status, &ready.reason)
    }
}
