//! The simulator's `Account` in this process, with any values of its switches. Pure except for its own clock.

use std::sync::Mutex;

use cloudfront_simulator::{
    Account, Millis, Switches, Timestamp,
    admin::{GroupPatch, NewGroup, NewList, NewTenant},
};
use connection_group_operator::cloudfront::{AnycastIpListId, GroupName};
use contract::{suite::neighbours::Neighbourhood, target::Target};
use port::{AnsweredBy, InProcess, Way};
use serde_json::{Value, json};

use crate::{doubts, lives};

/// An account whose time elapses only in pauses.
pub struct InThisProcess {
    port: AnsweredBy<InProcess>,
    name: GroupName,
    now: Mutex<Timestamp>,
}

const PAUSE: Millis = Millis::seconds(1);

impl InThisProcess {
    pub fn switched(changes: &Value) -> Self {
        let start = Timestamp(1_750_000_000_000);
        let port = AnsweredBy(InProcess::new(Way::Direct, Account::new(merged(&Switches::DEFAULT, changes)), start));
        Self { port, name: GroupName::new("contract-test"), now: Mutex::new(start) }
    }
}

fn merged(switches: &Switches, changes: &Value) -> Switches {
    let mut all = serde_json::to_value(switches).unwrap();
    all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

impl Target for InThisProcess {
    type Port = AnsweredBy<InProcess>;

    fn port(&self) -> &AnsweredBy<InProcess> {
        &self.port
    }

    fn name(&self) -> &GroupName {
        &self.name
    }

    async fn pause(&self) {
        let mut now = self.now.lock().unwrap();
        *now = now.after(PAUSE);
        self.port.set_now(*now);
    }

    fn patience(&self) -> u32 {
        600
    }
}

impl Neighbourhood for InThisProcess {
    async fn set_switches(&self, changes: Value) {
        self.port.account(|account, _| account.set_switches(merged(account.switches(), &changes)));
    }

    async fn outside_group(&self, group: NewGroup) {
        self.port.account(|account, now| account.outside_create_group(now, group)).unwrap();
    }

    async fn outside_edit(&self, group: &str, patch: GroupPatch) {
        self.port.account(|account, now| account.outside_edit_group(now, group, patch)).unwrap();
    }

    async fn outside_deletion(&self, group: &str) {
        self.port.account(|account, now| account.outside_delete_group(now, group)).unwrap();
    }

    async fn outside_list(&self, list: NewList) -> AnycastIpListId {
        AnycastIpListId::new(self.port.account(|account, now| account.outside_create_list(now, list)).id)
    }

    async fn outside_tenant(&self, tenant: NewTenant) {
        self.port.account(|account, now| account.outside_create_tenant(now, tenant)).unwrap();
    }

    async fn default_group(&self) {
        self.port.account(Account::outside_create_default_group);
    }
}

#[tokio::test]
async fn the_contract_holds_whatever_aws_does_where_its_documentation_is_silent() {
    lives(&InThisProcess::switched(&json!({}))).await;
    for change in doubts::each_other_way() {
        println!("{change}");
        lives(&InThisProcess::switched(&change)).await;
    }
    lives(&InThisProcess::switched(&doubts::all_other_ways())).await;
}

macro_rules! each {
    ($($sentence:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $sentence() {
            contract::suite::neighbours::$sentence(&InThisProcess::switched(&json!({}))).await.unwrap();
        }
    )+};
}

contract::sentences_about_neighbours!(each);
