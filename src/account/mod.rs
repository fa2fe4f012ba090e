//! One AWS account: its client, the queue for its calls, the inventory of its connection groups, and its orphans. There is one value for each account; the
//! controller has one.

pub mod inventory;
pub mod orphans;

use std::sync::Arc;

use tokio::sync::watch;

use self::{
    inventory::{Lists, Objects},
    orphans::Scope,
};
use crate::{
    clock::Clock,
    cloudfront::{queue::CallQueue, sdk::Sdk},
    reconcile::Policy,
};

/// An AWS account, shared by all that work in it.
#[derive(Clone)]
pub struct Account {
    /// The CloudFront client.
    pub cloudfront: Sdk,
    /// Decides whose call is next.
    pub queue: CallQueue,
    /// What the last inventories showed.
    pub lists: watch::Receiver<Lists>,
}

impl Account {
    /// Takes the inventory repeatedly until dropped, and publishes what it shows.
    pub async fn take_inventories(
        self,
        policy: Policy,
        clock: Arc<dyn Clock>,
        objects: Arc<dyn Objects>,
        publish: watch::Sender<Lists>,
    ) {
        let (scope, for_orphans) = (Scope::of(&policy), self.cloudfront.in_background());
        let for_one_list = || self.cloudfront.for_one_list();
        inventory::run(for_one_list, for_orphans, policy, scope, clock, objects, publish).await;
    }
}
