//! The parts of the process, built from its flags. Binds the addresses of health and metrics; otherwise nothing is sent, and no task runs.
//!
//! In: flags. Out: the parts, or why the process cannot start.

use std::{net::SocketAddr, sync::Arc};

use kube::{Client, Config};
use tokio::{net::TcpListener, sync::watch};

use super::{
    RunArgs, RunError, clients,
    controllers::Watch,
    http::Listeners,
    metrics::{Leading, Metrics, Sources},
    objects::Objects,
};
use crate::{
    account::{Account, inventory::InventoryState},
    cloudfront::{queue::CallQueue, sdk::Sdk},
    leadership::{fence::Fence, term::Term},
};

/// The parts.
pub struct Parts {
    /// Stops every call to CloudFront, and every write to the API server, unless this process may act. The client for the Lease has no fence.
    pub fence: Fence,
    /// The leadership term, which is the clock of the process.
    pub term: Term,
    /// Where the API server is.
    pub config: Config,
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
    /// The parts for these flags, with clients of the API server in `config`.
    ///
    /// # Errors
    /// Why the process cannot start.
    pub async fn of(args: &RunArgs, config: Config) -> Result<Self, RunError> {
        let (fence, term) = (Fence::default(), Term::default());
        let client = clients::client(config.clone(), &fence)?;
        let listeners = Listeners {
            metrics: listen("--metrics-addr", args.metrics_addr).await?,
            health: listen("--health-addr", args.health_addr).await?,
        };
        let queue = CallQueue::new(args.aws_rate, args.aws_burst);
        let (publish, inventory) = watch::channel(InventoryState::default());
        let (objects, watches) = clients::watches(args, &config)?;
        let metrics = Arc::new(Metrics::new(Sources {
            objects: Arc::clone(&objects),
            per_object: args.metrics_per_object,
            inventory: inventory.clone(),
            calls: queue.clone(),
            clock: Arc::new(term.clone()),
            leading: if args.leader_election.enabled { Leading::No } else { Leading::Yes },
        }));
        let account = Account {
            cloudfront: Sdk::connect(&args.endpoint(), queue.clone(), Arc::clone(&metrics) as _, fence.clone()).await,
            queue,
            inventory,
        };
        Ok(Self { fence, term, config, client, listeners, account, publish, objects, watches, metrics })
    }
}

async fn listen(flag: &'static str, address: SocketAddr) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).await.map_err(|source| RunError::Listen { flag, address, source })
}
