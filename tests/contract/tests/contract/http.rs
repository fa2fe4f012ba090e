//! The simulator over HTTP, through the production adapter.

use std::time::Duration;

use cloudfront_simulator::admin::{GroupPatch, NewGroup, NewList, NewTenant};
use connection_group_operator::cloudfront::{AnycastIpListId, GroupName, sdk::Sdk};
use contract::{
    cloud::{adapter, endpoint},
    suite::neighbours::Neighbourhood,
    target::Target,
};
use serde_json::{Value, json};
use testbed::{RunFolder, Simulator};

use crate::{doubts, lives};

/// A simulator of its own.
pub struct OverHttp {
    simulator: Simulator,
    _folder: RunFolder,
    port: Sdk,
    name: GroupName,
}

/// Calls per second: in effect no limit.
const UNLIMITED: f64 = 1e6;

impl OverHttp {
    pub async fn switched(changes: Value) -> Self {
        let folder = RunFolder::create().unwrap();
        let simulator = Simulator::start(folder.path(), [] as [&str; 0]).await.unwrap();
        simulator.admin.set_switches(&changes).await.unwrap();
        let port = adapter(&endpoint(Some(simulator.endpoint())).await, UNLIMITED);
        Self { simulator, _folder: folder, port, name: GroupName::new("contract-test") }
    }
}

impl Target for OverHttp {
    type Port = Sdk;

    fn port(&self) -> &Sdk {
        &self.port
    }

    fn name(&self) -> &GroupName {
        &self.name
    }

    async fn pause(&self) {
        self.simulator.admin.advance_clock(Duration::from_secs(1)).await.unwrap();
    }

    fn patience(&self) -> u32 {
        600
    }
}

impl Neighbourhood for OverHttp {
    async fn set_switches(&self, changes: Value) {
        self.simulator.admin.set_switches(&changes).await.unwrap();
    }

    async fn outside_group(&self, group: NewGroup) {
        self.simulator.admin.create_group(&group).await.unwrap();
    }

    async fn outside_edit(&self, group: &str, patch: GroupPatch) {
        self.simulator.admin.edit_group(group, &patch).await.unwrap();
    }

    async fn outside_deletion(&self, group: &str) {
        self.simulator.admin.delete_group(group).await.unwrap();
    }

    async fn outside_list(&self, list: NewList) -> AnycastIpListId {
        AnycastIpListId::new(self.simulator.admin.create_list(&list).await.unwrap().id)
    }

    async fn outside_tenant(&self, tenant: NewTenant) {
        self.simulator.admin.create_tenant(&tenant).await.unwrap();
    }

    async fn default_group(&self) {
        self.simulator.admin.create_default_group().await.unwrap();
    }
}

#[tokio::test]
async fn the_contract_holds() {
    Box::pin(lives(&OverHttp::switched(json!({})).await)).await;
}

#[tokio::test]
async fn the_contract_holds_with_every_undocumented_behaviour_reversed() {
    Box::pin(lives(&OverHttp::switched(doubts::all_other_ways()).await)).await;
}

macro_rules! each {
    ($($sentence:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $sentence() {
            contract::suite::neighbours::$sentence(&OverHttp::switched(json!({})).await).await.unwrap();
        }
    )+};
}

contract::sentences_about_neighbours!(each);
