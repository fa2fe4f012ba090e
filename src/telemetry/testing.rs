//! Captures log lines in tests. In: what to do. Out: the lines that it logs.

use std::{
    io,
    sync::{Arc, Mutex, Once},
};

use tracing_subscriber::{fmt, layer::SubscriberExt};

use super::lines::JsonLines;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The text that this thread logs in the meantime.
pub fn logged(done: impl FnOnce()) -> String {
    // Without a subscriber for all threads, a log line that another test meets first may be off for this one, too.
    static FOR_ALL: Once = Once::new();
    FOR_ALL.call_once(|| drop(tracing::subscriber::set_global_default(tracing_subscriber::registry())));
    let written = Written::default();
    let writer = written.clone();
    let layer = fmt::layer().json().event_format(JsonLines).with_writer(move || writer.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), done);
    let bytes = written.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

/// Level and message of each line that this thread logs in the meantime.
pub fn told(done: impl FnOnce()) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let lines = logged(done);
    let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.map(|line| (text(&line["level"]), text(&line["message"]))).collect()
}
