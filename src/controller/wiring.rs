//! The parts of the process, built from its flags. Binds the addresses of health and metrics; otherwise nothing is sent, and no task runs.
//!
//! In: flags. Out: the parts, or why the process cannot start.

use std::sync::Arc;

use kube::Client;
use tokio::sync::watch;

use super::{
    RunArgs, RunError, clients,
    connection::ApiServer,
    controllers::Watch,
    http::{Listeners, listen},
    metrics::{Leading, Metrics, Sources},
    objects::Objects,
};
use crate::{
    account::{Account, inventory::InventoryState},
    cloudfront::{queue::CallQueue, sdk::Sdk},
    leadership::{fence::Fence, term::Term},
    network::Network,
};

/// The parts.
pub struct Parts {
    /// Stops every call to CloudFront, and every write to the API server, unless this process may act. The client for the Lease has no fence.
    pub fence: Fence,
    /// The leadership term, which is the clock of the process.
    pub term: Term,
    /// The client for reconciles.
    pub client: Client,
    /// The addresses of health and metrics.
    pub listeners: Listeners,
    /// The AWS account.
    pub account: Account,
    /// Publishes the inventories of the account.
    pub publish: watch::Sender<InventoryState>,
    /// The caches, and what is remembered of each object.
    pub objects: Arc<Objects>,
    /// The watches that fill the caches.
    pub watches: Vec<Watch>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
}

impl Parts {
    /// The parts for these flags, with clients of this API server.
    ///
    /// # Errors
    /// Why the process cannot start.
    pub async fn of(args: &RunArgs, server: &ApiServer, network: &Network) -> Result<Self, RunError> {
        let (fence, term) = (Fence::default(), Term::default());
        let client = clients::client(server.clone(), &fence)?;
        let listeners = Listeners {
            metrics: listen("--metrics-addr", args.metrics_addr)?,
            health: listen("--health-addr", args.health_addr)?,
        };
        let queue = CallQueue::new(args.aws_rate, args.aws_burst);
        let (publish, inventory) = watch::channel(InventoryState::default());
        let (objects, watches) = clients::watches(args, server)?;
        let metrics = Arc::new(Metrics::new(Sources {
            objects: Arc::clone(&objects),
            per_object: args.metrics_per_object,
            inventory: inventory.clone(),
            calls: queue.clone(),
            clock: Arc::new(term.clone()),
            leading: if args.leader_election.enabled { Leading::No } else { Leading::Yes },
        }));
        let meter = Arc::clone(&metrics) as _;
        let account = Account {
            cloudfront: Sdk::connect(&args.endpoint(), network, queue.clone(), meter, fence.clone()).await,
            queue,
            inventory,
        };
        Ok(Self { fence, term, client, listeners, account, publish, objects, watches, metrics })
    }
}
