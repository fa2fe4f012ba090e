//! At most one active replica: the Lease that decides which, the clock that starts when this process leads, and the fence that stops a former leader.

mod args;
pub mod fence;
pub mod lease;
pub mod term;

pub use self::args::LeaderElectionArgs;
