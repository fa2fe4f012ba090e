//! An operator's log. In: a running operator. Out: its lines, as the JSON they must be. Reads a file.

use serde_json::Value;
use testbed::{Operator, Result, wait_until};

use crate::steps::PATIENCE;

/// All lines so far, as text.
pub fn text(operator: &Operator) -> String {
    std::fs::read_to_string(operator.log()).expect("the log can be read")
}

/// All lines so far; a last line that is still being written is left out.
pub fn lines(operator: &Operator) -> Vec<Value> {
    let text = text(operator);
    let whole = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    whole.lines().map(parse).collect()
}

/// Waits until a line contains this.
pub async fn says(operator: &Operator, phrase: &str) -> Result<()> {
    wait_until(PATIENCE, &format!("the log to say '{phrase}'"), async || {
        if text(operator).contains(phrase) { Ok(()) } else { Err("a log without it") }
    })
    .await
}
