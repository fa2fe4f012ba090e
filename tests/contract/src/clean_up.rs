//! Leaves nothing behind. In: the names that a run may have used. Out: no group of these names that carries the mark. Talks to the port.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use connection_group_operator::cloudfront::{ApiError, CloudFront, Described, ErrorClass, GroupName, Lookup, Members};

use crate::target::MARK;

/// The prefix of the names of runs.
pub const PREFIX: &str = "contract-test-";

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Between two reads.
    pub poll: Duration,
    /// A request to create a group may still take effect for this long.
    pub settle: Duration,
    /// After that the clean-up gives up.
    pub deadline: Duration,
}

/// Why something is left behind.
#[derive(Debug, thiserror::Error)]
pub enum Leftover {
    /// It belongs to someone else.
    #[error("the group {0} lacks the tag {MARK}={1}, so it is not of this run: it was left alone")]
    NotOurs(GroupName, GroupName),
    /// It could not be deleted.
    #[error("the group {0} could not be deleted within {1:?}; last seen: {2}")]
    Stuck(GroupName, Duration, String),
}

/// The names that the run `name` may give its group: its own, and one with a character that CloudFront may not accept.
#[must_use]
pub fn names(name: &GroupName) -> [GroupName; 2] {
    [name.clone(), unusual(name)]
}

/// A name that CloudFront may not accept.
#[must_use]
pub fn unusual(name: &GroupName) -> GroupName {
    GroupName::new(format!("{name}.dot"))
}

/// Deletes what the run `run` has left. `may_come_late`: its last request to create a group may take effect after our first read.
///
/// # Errors
/// If something is left.
pub async fn clean_up(
    port: &impl CloudFront,
    run: &GroupName,
    may_come_late: bool,
    patience: Patience,
) -> Result<(), Leftover> {
    let begun = Instant::now();
    loop {
        let settled = !may_come_late || begun.elapsed() >= patience.settle;
        let seen = match look(port, run).await {
            Ok(None) if settled => return Ok(()),
            Ok(None) => "nothing, but a group may still come".to_owned(),
            Ok(Some(found)) if found.tags.get(MARK).map(String::as_str) != Some(run.as_str()) => {
                // The tags may show later than the group.
                if begun.elapsed() >= patience.settle {
                    return Err(Leftover::NotOurs(found.group.name, run.clone()));
                }
                format!("{found:?}")
            }
            Ok(Some(found)) => match remove(port, &found).await {
                Ok(step) => step,
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        if begun.elapsed() >= patience.deadline {
            return Err(Leftover::Stuck(run.clone(), patience.deadline, seen));
        }
        tokio::time::sleep(patience.poll).await;
    }
}

/// What exists, by two kinds of read: a name is free only if the list shows that too.
async fn look(port: &impl CloudFront, run: &GroupName) -> Result<Option<Described>, ApiError> {
    let names = names(run);
    for name in &names {
        if let Some(found) = port.describe(&Lookup::Name(name.clone())).await? {
            return Ok(Some(found));
        }
    }
    let names = names.into_iter().collect::<BTreeSet<_>>();
    match port.list().await?.into_iter().find(|item| names.contains(&item.name)) {
        None => Ok(None),
        Some(item) => port.describe(&Lookup::Known { id: item.id, arn: item.arn }).await,
    }
}

/// One step towards the end of a group.
async fn remove(port: &impl CloudFront, found: &Described) -> Result<String, ApiError> {
    let group = &found.group;
    if group.config.enabled != Some(false) {
        let disabled = Members { enabled: Some(false), ..group.config.clone() };
        port.update(group, &disabled).await?;
        return Ok("disabled, but not deleted".to_owned());
    }
    match port.delete(group).await {
        // Reads may still show it for a moment.
        Err(error) if error.class != ErrorClass::NotFound => Err(error),
        _ => Ok("deleted, but still shown".to_owned()),
    }
}
