//! What a reconcile uses besides the object: settings and inventory, which are data, and the port, the clock and the [`Freshness`], which others implement.

use std::time::Duration;

use super::{freshness::Freshness, ownership::Installation};
use crate::{
    clock::Clock,
    cloudfront::{ApiError, Snapshot},
};

/// The administrator's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Name of this installation in the owner tag.
    pub owner_id: String,
    /// Identity of this installation.
    pub installation: Installation,
    /// The installation whose groups this one takes over, by the administrator's decision.
    pub predecessor: Option<Installation>,
    /// Whether the administrator allows adoption.
    pub allow_adoption: bool,
    /// Time between two inventories while nothing is in progress.
    pub inventory_interval: Duration,
    /// Time between two inventories while something is in progress.
    pub inventory_interval_active: Duration,
    /// Time between two full resyncs of one group.
    pub resync_interval: Duration,
    /// The consistency window: how long after it was sent a Create may still take effect, answered or not.
    pub consistency_window: Duration,
}

/// What a reconcile uses besides the object.
pub struct Inputs<'a, C> {
    /// CloudFront.
    pub port: &'a C,
    /// The administrator's settings.
    pub settings: &'a Settings,
    /// The last complete inventory.
    pub snapshot: Option<&'a Snapshot>,
    /// Why the last inventory failed, if it did.
    pub inventory_error: Option<&'a ApiError>,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Confirms that the object is up to date.
    pub freshness: &'a dyn Freshness,
}

impl<C> Inputs<'_, C> {
    /// Whether there is no recent inventory, so that changes would go unnoticed.
    #[must_use]
    pub fn inventory_is_stale(&self) -> bool {
        let oldest = self.settings.inventory_interval.saturating_mul(3);
        self.snapshot.is_none_or(|list| self.clock.moment().since(list.began) > oldest)
    }
}
