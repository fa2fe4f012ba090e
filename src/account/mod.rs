//! One AWS account: its client, the queue for its calls, the inventory of its connection groups, and its orphans. There is one value for each account; the
//! controller has one.

pub mod inventory;
pub mod orphans;

use std::sync::Arc;

use tokio::sync::watch;

use self::{
    inventory::{InventoryState, ObjectCache},
    orphans::OrphanCriteria,
};
use crate::{
    clock::Clock,
    cloudfront::{queue::CallQueue, sdk::Sdk},
    reconcile::Settings,
};

/// An AWS account, shared by all that work in it.
#[derive(Clone)]
pub struct Account {
    /// The CloudFront client.
    pub cloudfront: Sdk,
    /// Decides whose call is next.
    pub queue: CallQueue,
    /// What the last inventories showed.
    pub inventory: watch::Receiver<InventoryState>,
}

impl Account {
    /// Takes the inventory repeatedly until dropped, and publishes what it shows.
    pub async fn take_inventories(
        self,
        settings: Settings,
        clock: Arc<dyn Clock>,
        objects: Arc<dyn ObjectCache>,
        publish: watch::Sender<InventoryState>,
    ) {
        let (criteria, for_orphans) = (OrphanCriteria::of(&settings), self.cloudfront.in_background());
        let for_one_list = || self.cloudfront.for_one_list();
        inventory::run(for_one_list, for_orphans, settings, criteria, clock, objects, publish).await;
    }
}
