//! Kubernetes events. Talks to the API server; an event that is refused harms nothing.

use kube::{
    Client, Resource,
    runtime::events::{self, EventType, Reporter},
};

use crate::{
    api::ConnectionGroup,
    reconcile::{Event, Severity},
};

/// Publishes events; one for the whole process, so that repeated events are aggregated.
pub struct Recorder(events::Recorder);

/// The API server accepts notes of up to 1,024 bytes.
const NOTE_LIMIT: usize = 1000;

impl Recorder {
    /// A recorder that reports as this operator.
    pub fn new(client: Client) -> Self {
        Self(events::Recorder::new(client, Reporter::from("connection-group-operator")))
    }

    /// Publishes what a pass has to tell about an object.
    pub async fn publish(&self, object: &ConnectionGroup, events: &[Event]) {
        for Event { severity, reason, action, note } in events {
            let event = events::Event {
                type_: match severity {
                    Severity::Normal => EventType::Normal,
                    Severity::Warning => EventType::Warning,
                },
                reason: reason.as_str().to_owned(),
                note: Some(bounded(note)),
                action: (*action).to_owned(),
                secondary: None,
            };
            if let Err(error) = self.0.publish(&event, &object.object_ref(&())).await {
                tracing::debug!(%error, reason = reason.as_str(), "the event was not stored");
            }
        }
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
    fn a_note_fits_into_an_event_whatever_it_says() {
        for note in ["ä".repeat(5000), "x".repeat(NOTE_LIMIT), String::new()] {
            assert!(bounded(&note).len() <= NOTE_LIMIT);
        }
        assert_eq!(bounded("short"), "short");
    }
}
