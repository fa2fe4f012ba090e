//! A log line as one JSON object. In: an event and the spans around it. Out: their fields side by side, so that a query need not know from which span a field
//! came. Pure.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::{Event, Subscriber};
use tracing_serde::fields::AsMap;
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormattedFields,
        format::{JsonFields, Writer},
        time::{FormatTime, SystemTime},
    },
    registry::{LookupSpan, Scope},
};

/// The format.
pub struct JsonLines;

#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'a str,
    message: Value,
    #[serde(flatten)]
    fields: Map<String, Value>,
    target: &'a str,
}

impl<S> FormatEvent<S, JsonFields> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Map::new();
        // The innermost span comes last and wins: each name occurs once in a line.
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            let extensions = span.extensions();
            let text = extensions.get::<FormattedFields<JsonFields>>().map_or("", |fields| fields.as_str());
            fields.extend(serde_json::from_str::<Map<_, _>>(text).unwrap_or_default());
        }
        if let Ok(Value::Object(own)) = serde_json::to_value(event.field_map()) {
            fields.extend(own);
        }
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let (level, target) = (event.metadata().level().as_str(), event.metadata().target());
        let message = fields.remove("message").unwrap_or_default();
        let line = Line { timestamp, level, message, fields, target };
        writeln!(writer, "{}", serde_json::to_string(&line).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::testing::logged;

    #[test]
    fn the_fields_of_event_and_spans_stand_side_by_side_and_each_name_once() {
        let text = logged(|| {
            let outer = tracing::info_span!("outer", name = "edge", id = tracing::field::Empty);
            outer.record("id", 7);
            outer.in_scope(|| {
                tracing::info_span!("inner", name = "innermost").in_scope(|| tracing::warn!(n = 1, "say \"so\""));
            });
        });
        let line: Value = serde_json::from_str(&text).unwrap();
        let told = ["level", "message", "name", "id", "n"].map(|field| line[field].to_string());
        assert_eq!(told, [r#""WARN""#, r#""say \"so\"""#, r#""innermost""#, "7", "1"], "{text}");
        assert_eq!(text.matches("\"name\"").count(), 1, "{text}");
        assert!(text.starts_with("{\"timestamp\":\"2") && text.ends_with("}\n"), "{text}");
    }
}
