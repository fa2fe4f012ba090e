//! Kubernetes events. Talks to the API server; a refused event does no harm.

use std::{collections::HashMap, sync::Arc};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{self, EventType, Reporter},
};
use parking_lot::Mutex;

use crate::{
    api::EventReason,
    network::api_failure,
    reconcile::{Event, Severity},
};

/// Publishes events. There is one for the whole process, so that an identical event is counted instead of stored again.
pub struct Recorder {
    client: Client,
    latest: Mutex<HashMap<(String, EventReason), Latest>>,
}

/// The last event of one reason about one object.
struct Latest {
    note: String,
    recorder: Arc<events::Recorder>,
}

/// The API server accepts notes of up to 1,024 bytes.
const NOTE_LIMIT: usize = 1000;

/// Beyond this many, earlier events are forgotten; their next repetition is stored as a new event.
const REMEMBERED: usize = 10_000;

impl Recorder {
    /// A recorder that reports as this operator.
    pub fn new(client: Client) -> Self {
        Self { client, latest: Mutex::default() }
    }

    /// Publishes an event about `regarding`; returns whether it was stored.
    pub async fn publish(&self, regarding: &ObjectReference, event: &Event) -> bool {
        let Event { severity, reason, action, note } = event;
        let note = bounded(note);
        let recorder = self.recorder_for(regarding, *reason, &note);
        let event = events::Event {
            type_: match severity {
                Severity::Normal => EventType::Normal,
                Severity::Warning => EventType::Warning,
            },
            reason: reason.as_str().to_owned(),
            note: Some(note),
            action: (*action).to_owned(),
            secondary: None,
        };
        let stored = recorder.publish(&event, regarding).await;
        if let Err(error) = &stored {
            tracing::debug!(error = api_failure(error), reason = reason.as_str(), "the event was not stored");
        }
        stored.is_ok()
    }

    /// kube's recorder counts events of one reason as one, whatever their notes say, and keeps the first note, so each note gets its own recorder.
    fn recorder_for(&self, regarding: &ObjectReference, reason: EventReason, note: &str) -> Arc<events::Recorder> {
        let mut latest = self.latest.lock();
        let key = (regarding.uid.clone().unwrap_or_default(), reason);
        if let Some(same) = latest.get(&key).filter(|latest| latest.note == note) {
            return Arc::clone(&same.recorder);
        }
        if latest.len() >= REMEMBERED {
            latest.clear();
        }
        let reporter = Reporter::from("connection-group-operator");
        let recorder = Arc::new(events::Recorder::new(self.client.clone(), reporter));
        latest.insert(key, Latest { note: note.to_owned(), recorder: Arc::clone(&recorder) });
        recorder
    }
}

fn bounded(note: &str) -> String {
    if note.len() <= NOTE_LIMIT {
        return note.to_owned();
    }
    let end = note.floor_char_boundary(NOTE_LIMIT - '…'.len_utf8());
    format!("{}…", &note[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_fits_into_an_event_whatever_it_contains() {
        for note in ["ä".repeat(5000), "x".repeat(NOTE_LIMIT), String::new()] {
            assert!(bounded(&note).len() <= NOTE_LIMIT);
        }
        assert_eq!(bounded("short"), "short");
    }
}
