//! Background tasks, none of which may end before the process does. In: tasks with names. Out: which of them has ended, and how. Does no I/O.

use std::{collections::HashMap, future::Future, future::pending};

use tokio::task::{Id, JoinError, JoinSet};

use super::worker::panic_text;

/// The tasks; dropping this aborts them.
#[derive(Default)]
pub struct Background {
    tasks: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

/// A task that must not end has ended.
#[derive(Debug, thiserror::Error)]
#[error("{task} {end}")]
pub struct Died {
    /// Which one.
    pub task: &'static str,
    /// How.
    pub end: TaskEnd,
}

/// How a task has ended.
#[derive(Debug, thiserror::Error)]
pub enum TaskEnd {
    /// It returned.
    #[error("has ended, which it never should")]
    Returned,
    /// It panicked.
    #[error("panicked: {0}")]
    Panicked(String),
}

impl Background {
    /// Starts a task.
    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let id = self.tasks.spawn(task).id();
        self.names.insert(id, name);
    }

    /// Waits until one of the tasks has ended.
    pub async fn ended(&mut self) -> Died {
        let (id, end) = match self.tasks.join_next_with_id().await {
            None => pending().await,
            Some(Ok((id, ()))) => (id, TaskEnd::Returned),
            Some(Err(error)) => (error.id(), end_of(error)),
        };
        Died { task: self.names.get(&id).copied().unwrap_or("a background task"), end }
    }
}

fn end_of(error: JoinError) -> TaskEnd {
    match error.try_into_panic() {
        Ok(panic) => TaskEnd::Panicked(panic_text(panic.as_ref())),
        Err(_) => TaskEnd::Returned,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_task_that_ends_is_named_however_it_ended() {
        type Task = fn() -> futures::future::BoxFuture<'static, ()>;
        let table: [(Task, &str); 2] = [
            (|| Box::pin(async {}), "the reporter has ended, which it never should"),
            (|| Box::pin(async { panic!("an index of {}", 7) }), "the reporter panicked: an index of 7"),
        ];
        for (task, sentence) in table {
            let mut background = Background::default();
            background.spawn("the server", pending());
            background.spawn("the reporter", task());
            assert_eq!(background.ended().await.to_string(), sentence);
        }
    }
}
