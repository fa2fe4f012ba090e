//! A status reads the same after it was stored, whatever it contains and whatever a newer version has added.

use connection_group_operator::api::ConnectionGroupStatus;
use proptest::prelude::*;
use serde_json::{Value, from_value, json, to_value};

use super::anything;

/// Adds a field that this version does not know to every JSON object, except the tags, whose keys are free.
fn extended(value: Value, at: &str) -> Value {
    match value {
        Value::Object(fields) => {
            let known = fields.into_iter().map(|(key, value)| (key.clone(), extended(value, &key)));
            let new = (at != "tags").then(|| ("fromANewerVersion".to_owned(), json!({"since": ["v2", null]})));
            Value::Object(known.chain(new).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(|item| extended(item, "")).collect()),
        plain => plain,
    }
}

proptest! {
    #![proptest_config(super::cases(256))]

    #[test]
    fn any_status_reads_the_same_after_it_was_stored(status in anything::status()) {
        let stored = to_value(&status).unwrap();
        prop_assert_eq!(&from_value::<ConnectionGroupStatus>(stored.clone()).unwrap(), &status);
        let text = serde_json::to_string(&stored).unwrap();
        prop_assert_eq!(&serde_json::from_str::<ConnectionGroupStatus>(&text).unwrap(), &status);
    }

    #[test]
    fn fields_of_a_newer_version_do_no_harm(status in anything::status()) {
        let stored = extended(to_value(&status).unwrap(), "");
        prop_assert_eq!(from_value::<ConnectionGroupStatus>(stored).unwrap(), status);
    }
}

#[test]
fn an_empty_status_is_that_of_an_object_that_was_never_reconciled() {
    assert_eq!(from_value::<ConnectionGroupStatus>(json!({})).unwrap(), ConnectionGroupStatus::UNSEEN);
}
