//! What the first reconciles of a leadership term wait for: an inventory, so that groups are not read one by one. Does no I/O.

use std::{future::Future, time::Duration};

use tokio::{sync::watch, time::timeout};

use crate::{account::inventory::InventoryState, leadership::term::Term};

/// Whether reconciles may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// They may.
    Open,
    /// The process is shutting down: none begins.
    Stopping,
}

/// Maximum time for which the first reconcile waits for the first inventory.
const FIRST_LIST_PATIENCE: Duration = Duration::from_secs(10);

/// Opens with the first complete inventory of the term, so that groups are not read one by one; without one, it opens anyway after `FIRST_LIST_PATIENCE`.
pub async fn gate(term: Term, mut inventory: watch::Receiver<InventoryState>, stop: impl Future<Output = ()>) -> Gate {
    let first = async {
        term.begun().await;
        timeout(FIRST_LIST_PATIENCE, inventory.wait_for(|inventory| inventory.snapshot.is_some())).await
    };
    tokio::select! {
        biased;
        () = stop => Gate::Stopping,
        first = first => {
            if first.is_err() {
                tracing::warn!("the account's groups could not be listed yet: objects are read one by one");
            }
            Gate::Open
        }
    }
}
