//! Waiting for a condition instead of sleeping. In: a deadline, a description, a probe. Out: what the probe found, or an error that
//! says what was awaited and what was last seen. The probe may talk to anything.

use std::fmt::{Debug, Display};
use std::time::{Duration, Instant};

use kube::Api;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::process::Process;

const INTERVAL: Duration = Duration::from_millis(100);

/// Polls `probe` until it answers `Ok`; its `Err` is what it saw instead.
///
/// A probe that hangs counts as one that sees nothing: the deadline applies in any case.
pub async fn wait_until<T, S, P>(deadline: Duration, what: &str, mut probe: P) -> Result<T>
where
    S: Display,
    P: AsyncFnMut() -> std::result::Result<T, S>,
{
    let start = Instant::now();
    let mut seen = "nothing".to_owned();
    loop {
        let left = deadline.saturating_sub(start.elapsed());
        match tokio::time::timeout(left, probe()).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(instead)) => seen = instead.to_string(),
            Err(_elapsed) => {}
        }
        // Not left to the timeout: a probe that answers without waiting is never timed out.
        if start.elapsed() >= deadline {
            return Err(Error::Timeout { waited: deadline, what: what.to_owned(), seen });
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Waits until the object `name` exists and satisfies `met`.
pub async fn wait_for<K>(
    api: &Api<K>,
    name: &str,
    deadline: Duration,
    what: &str,
    met: impl Fn(&K) -> bool,
) -> Result<K>
where
    K: Clone + Debug + DeserializeOwned + Serialize,
{
    wait_until(deadline, what, async || match api.get_opt(name).await {
        Ok(Some(object)) if met(&object) => Ok(object),
        Ok(Some(object)) => Err(shown(&object)),
        Ok(None) => Err(format!("no {name}")),
        Err(error) => Err(error.to_string()),
    })
    .await
}

/// Waits until the object `name` no longer exists.
pub async fn wait_gone<K>(api: &Api<K>, name: &str, deadline: Duration) -> Result<()>
where
    K: Clone + Debug + DeserializeOwned + Serialize,
{
    wait_until(deadline, &format!("{name} to be gone"), async || match api.get_opt(name).await {
        Ok(None) => Ok(()),
        Ok(Some(object)) => Err(shown(&object)),
        Err(error) => Err(error.to_string()),
    })
    .await
}

/// An object without the fields that are useless in an error.
fn shown<K: Debug + Serialize>(object: &K) -> String {
    let Ok(mut value) = serde_json::to_value(object) else { return format!("{object:?}") };
    if let Some(metadata) = value.get_mut("metadata").and_then(serde_json::Value::as_object_mut) {
        metadata.retain(|field, _| !["annotations", "managedFields"].contains(&field.as_str()));
    }
    value.to_string()
}

/// Waits until a child answers, or has ended.
pub(crate) async fn until_ready<P>(process: &mut Process, deadline: Duration, mut probe: P) -> Result<()>
where
    P: AsyncFnMut() -> std::result::Result<(), String>,
{
    let start = Instant::now();
    let mut seen = "nothing".to_owned();
    while start.elapsed() < deadline {
        if !process.is_running() {
            return Err(process.unready("ended instead of becoming ready"));
        }
        match tokio::time::timeout(Duration::from_secs(2), probe()).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(instead)) => seen = instead,
            Err(_elapsed) => "no answer for 2 s".clone_into(&mut seen),
        }
        tokio::time::sleep(INTERVAL).await;
    }
    Err(process.unready(format!("was not ready within {deadline:?}; last seen: {seen}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_probe_that_fails_at_once_every_time_meets_the_deadline() {
        let waited = wait_until::<(), _, _>(Duration::from_millis(10), "a miracle", async || Err("none")).await;
        assert!(waited.unwrap_err().to_string().contains("a miracle"));
    }

    #[tokio::test]
    async fn a_probe_that_hangs_meets_the_deadline_too() {
        let never = async || std::future::pending::<std::result::Result<(), String>>().await;
        assert!(wait_until(Duration::from_millis(10), "an answer", never).await.is_err());
    }
}
