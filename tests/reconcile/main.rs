//! The shipping reconcile against the simulator's `Account`, in this process: every mode, every promise, most failures. No network, no clock.

mod anycast;
mod crash;
mod deletion;
mod frugality;
mod manage;
mod modes;
mod ownership;
mod port;
mod trouble;
mod world;
