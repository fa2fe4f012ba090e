//! `docs/reference/`: tables that are the schema, the command line and the enum of reasons, word by word. A failure shows the rows as they should be.

use std::collections::BTreeMap;

use clap::CommandFactory;
use connection_group_operator::{
    api::{self, ConditionReason},
    cli::Cli,
};
use serde_json::Value;

use super::{
    Names, OF_ITS_OWN, bare, code, default, read, reasons_of_events, reasons_of_ready, rows, section, variable,
};

/// The rows of a table as they stand in the document.
fn told(path: &str, heading: &str) -> Names {
    rows(&section(path, heading)).iter().map(|row| row.join(" | ")).collect()
}

#[track_caller]
fn assert_rows(told: &Names, expected: &Names) {
    let missing = expected.difference(told).map(|row| format!("| {row} |")).collect::<Vec<_>>();
    let too_many = told.difference(expected).map(|row| format!("| {row} |")).collect::<Vec<_>>();
    assert!(
        missing.is_empty() && too_many.is_empty(),
        "missing:\n{}\ntoo many:\n{}",
        missing.join("\n"),
        too_many.join("\n")
    );
}

fn schema() -> Value {
    serde_json::to_value(api::crd()).unwrap()["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

fn fields(node: &Value, prefix: &str, found: &mut Names) {
    for (name, field) in node["properties"].as_object().unwrap() {
        let path = format!("{prefix}{name}");
        let description = field["description"].as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        found.insert(format!("`{path}` | {} | {} | {description}", kind(field), default_of(field)));
        if field["properties"].is_object() {
            fields(field, &format!("{path}."), found);
        }
        // Conditions are Kubernetes' own type.
        if field["items"]["properties"].is_object() && name != "conditions" {
            fields(&field["items"], &format!("{path}[]."), found);
        }
    }
}

fn kind(field: &Value) -> String {
    let kind = field["type"].as_str().unwrap();
    match (
        field["enum"].as_array(),
        kind,
        field["items"]["type"].as_str(),
        field["additionalProperties"]["type"].as_str(),
    ) {
        (Some(values), ..) => {
            values.iter().map(|value| format!("`{}`", value.as_str().unwrap())).collect::<Vec<_>>().join(", ")
        }
        (_, "array", Some(items), _) => format!("list of {items}s"),
        (_, "object", _, Some(values)) => format!("map of {values}s"),
        _ => kind.to_owned(),
    }
}

fn default_of(field: &Value) -> String {
    match field.get("default") {
        None => "–".to_owned(),
        Some(default) => format!("`{}`", default.as_str().map_or_else(|| default.to_string(), ToOwned::to_owned)),
    }
}

#[test]
fn the_tables_of_fields_are_the_schema() {
    for part in ["spec", "status"] {
        let mut expected = Names::new();
        fields(&schema()["properties"][part], "", &mut expected);
        assert_rows(&told("docs/reference/resource.md", &format!("## {part}")), &expected);
    }
}

fn rules(node: &Value, found: &mut Names) {
    for rule in node["x-kubernetes-validations"].as_array().into_iter().flatten() {
        found.insert(rule["message"].as_str().unwrap().to_owned());
    }
    node["properties"].as_object().into_iter().flatten().for_each(|(_, field)| rules(field, found));
}

#[test]
fn every_rule_of_the_schema_is_told_in_its_own_words() {
    let mut expected = Names::new();
    rules(&schema(), &mut expected);
    let chapter = section("docs/reference/resource.md", "## What the API server refuses");
    let told = chapter.lines().filter_map(|line| line.strip_prefix("- ")).map(ToOwned::to_owned).collect::<Names>();
    assert_rows(&told, &expected);
}

#[test]
fn every_column_and_every_key_of_ours_is_told() {
    let text = read("docs/reference/resource.md");
    let spans = code(&text);
    let crd = serde_json::to_value(api::crd()).unwrap();
    let columns = crd["spec"]["versions"][0]["additionalPrinterColumns"].as_array().unwrap().clone();
    for column in columns {
        assert!(spans.contains(&column["name"].as_str().unwrap().to_owned()), "{column}");
    }
    let [owner, installation] = connection_group_operator::reconcile::ownership::Claim::KEYS;
    for key in [&api::finalizer("<owner id>"), api::RECONCILE_REQUESTED_AT, owner, installation] {
        assert!(spans.contains(&key.to_owned()), "{key}");
    }
}

/// Whether the chart knows the value, and its Pods get the flag.
fn chart_sets(flag: &str, value: &str) -> bool {
    let templates = ["_pod.tpl", "_names.tpl"]
        .map(|name| read(&format!("charts/connection-group-operator/templates/{name}")))
        .concat();
    let mut values = read("charts/connection-group-operator/values.yaml");
    let mut keys = value.split('.').enumerate();
    keys.all(|(depth, key)| {
        let Some(at) = values.find(&format!("\n{}{key}:", "  ".repeat(depth))) else { return false };
        values = values.split_off(at + 1);
        templates.contains(key)
    }) && templates.contains(flag)
}

#[test]
fn the_tables_of_flags_are_the_help_of_the_command_line_and_the_chart() {
    let path = "docs/reference/flags.md";
    let command = Cli::command();
    let run = command.find_subcommand("run").expect("there is a subcommand run");
    let flags = run.get_arguments().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str()));
    let flags = flags.collect::<Vec<_>>();
    let mut headings = flags.iter().map(|arg| arg.get_help_heading().unwrap().to_owned()).collect::<Vec<_>>();
    headings.dedup();
    let text = read(path);
    let told = text.lines().filter_map(|line| line.strip_prefix("## "));
    assert_eq!(told.take(headings.len()).collect::<Vec<_>>(), headings, "the headings of --help, in its order");
    let tables = headings.iter().flat_map(|heading| {
        let table = rows(&section(path, &format!("## {heading}")));
        table.into_iter().map(|row| (heading.clone(), row)).collect::<Vec<_>>()
    });
    let tables = tables.collect::<Vec<_>>();
    let chart = tables.iter().map(|(_, row)| (bare(&row[0]), bare(&row[3]))).collect::<BTreeMap<_, _>>();
    let told = tables.iter().map(|(heading, row)| format!("{heading}: {}", row.join(" | "))).collect::<Names>();
    let expected = flags.into_iter().map(|arg| {
        let flag = format!("--{}", arg.get_long().unwrap());
        let value = chart.get(&flag).cloned().unwrap_or_else(|| "?".to_owned());
        assert!(value == "–" || chart_sets(&flag, &value), "the chart sets {flag} by {value}");
        let value = if value == "–" { value } else { format!("`{value}`") };
        let variable = variable(arg);
        let variable = if variable == "–" { variable } else { format!("`{variable}`") };
        let default = match default(arg) {
            None => "–".to_owned(),
            Some(default) if default == "required" => default,
            Some(default) => format!("`{default}`"),
        };
        let help = arg.get_help().unwrap().to_string();
        let heading = arg.get_help_heading().unwrap();
        format!("{heading}: `{flag}` | {variable} | {default} | {value} | {help}")
    });
    assert_rows(&told, &expected.collect());
}

#[test]
fn the_tables_of_conditions_and_reasons_are_those_of_the_code() {
    let path = "docs/reference/events-and-conditions.md";
    let first = |heading| rows(&section(path, heading)).iter().map(|row| bare(&row[0])).collect::<Names>();
    assert_eq!(first("## Reasons of Ready"), reasons_of_ready());
    assert_eq!(first("## Events"), reasons_of_events());
    let types = ["Ready", "Reconciling", "Stalled"].into_iter().chain(OF_ITS_OWN.map(ConditionReason::as_str));
    assert_eq!(first("## Conditions"), types.map(ToOwned::to_owned).collect());
}
