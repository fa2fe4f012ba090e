//! A CloudFront endpoint for laptops and tests: connection groups, their tags, Anycast IP lists and tenants.
//!
//! - [`Account`] is one AWS account as a plain synchronous state machine: a [`Request`] and the time go in, a
//!   [`Response`] or a [`ServiceError`] comes out. No clock, no I/O, no randomness; it can be cloned, compared and
//!   hashed.
//! - [`wire`] turns HTTP requests into [`Request`]s and results into HTTP answers, as REST-XML. Pure.
//! - [`server`] is the thin coat: it listens, reads the clock, keeps the request log and carries out injected faults.
//! - [`admin`] holds the JSON types of the admin path, shared with its clients.
//!
//! Every behaviour that AWS does not document is one of the [`Switches`], with its default stated.

pub mod account;
pub mod admin;
pub mod cli;
pub mod error;
mod etag;
mod ids;
pub mod model;
pub mod operation;
pub mod request;
pub mod response;
pub mod server;
pub mod switches;
mod tagging;
pub mod time;
pub mod wire;

pub use account::{Account, Freshness};
pub use error::{ErrorCode, ServiceError};
pub use model::{AnycastIpList, ConnectionGroup, ConnectionGroupSummary, DistributionTenant, Tags, Versioned};
pub use operation::Operation;
pub use request::Request;
pub use response::Response;
pub use switches::Switches;
pub use time::{Millis, Timestamp};

/// The README's example is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
