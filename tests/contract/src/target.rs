//! What the sentences are checked against. In: a port and a name. Out: reads that wait, and verdicts. Talks to the port.

use std::{collections::BTreeMap, fmt::Debug, future::Future};

use connection_group_operator::cloudfront::{
    ApiError, CloudFront, Described, ErrorClass, Etag, GroupName, Lookup, Tags,
};

/// The tag that each group of these tests carries from its creation to its end: a group with it may be deleted, no other.
pub const MARK: &str = "connection-group-operator/contract-test";

/// Something that claims to be CloudFront.
pub trait Target: Sync {
    /// Its port.
    type Port: CloudFront;

    /// The port.
    fn port(&self) -> &Self::Port;

    /// The name of the one group that may be created. It is free before.
    fn name(&self) -> &GroupName;

    /// Lets some time elapse before something is read again.
    fn pause(&self) -> impl Future<Output = ()> + Send;

    /// How many pauses are long enough for any change to be visible everywhere.
    fn patience(&self) -> u32;
}

/// Why a sentence does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub String);

impl From<ApiError> for Broken {
    fn from(error: ApiError) -> Self {
        Self(error.to_string())
    }
}

/// Whether a sentence holds.
pub type Verdict = Result<(), Broken>;

/// The tag that marks a group as one of ours.
#[must_use]
pub fn mark(name: &GroupName) -> Tags {
    BTreeMap::from([(MARK.to_owned(), name.to_string())])
}

/// Holds if `condition` does; otherwise `seen` is the reason.
///
/// # Errors
/// [`Broken`], naming what was seen.
pub fn ensure(condition: bool, what: &str, seen: &impl Debug) -> Verdict {
    if condition { Ok(()) } else { Err(Broken(format!("{what}; seen: {seen:?}"))) }
}

/// Holds if the call was refused with this class of error.
///
/// # Errors
/// [`Broken`], naming the answer.
pub fn refused<T: Debug>(answer: Result<T, ApiError>, class: ErrorClass) -> Verdict {
    match answer {
        Err(error) if error.class == class => Ok(()),
        other => Err(Broken(format!("not refused as {class:?}, but answered {other:?}"))),
    }
}

/// The group, which must be there.
///
/// # Errors
/// [`Broken`] if it is not, or the read fails.
pub async fn read(target: &impl Target) -> Result<Described, Broken> {
    let found = target.port().describe(&Lookup::Name(target.name().clone())).await?;
    found.ok_or_else(|| Broken(format!("there is no group {}", target.name())))
}

/// Polls until the answer is the expected one.
///
/// # Errors
/// [`Broken`] once the target's patience is exceeded, or if a call fails.
pub async fn eventually<T: Debug>(
    target: &impl Target,
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<T, Broken>,
    met: impl Fn(&T) -> bool,
) -> Result<T, Broken> {
    let mut seen = ask().await?;
    for _ in 0..target.patience() {
        if met(&seen) {
            return Ok(seen);
        }
        target.pause().await;
        seen = ask().await?;
    }
    Err(Broken(format!("{what} did not come to be; last seen: {seen:?}")))
}

/// The group, once reads show this version as deployed.
///
/// # Errors
/// As [`eventually`].
pub async fn deployed(target: &impl Target, etag: &Etag) -> Result<Described, Broken> {
    let is_deployed = |read: &Described| {
        read.group.etag == *etag && read.group.deployment.as_ref().is_some_and(|now| now.as_str() == "Deployed")
    };
    eventually(target, "the deployment of the last change", async || read(target).await, is_deployed).await
}
