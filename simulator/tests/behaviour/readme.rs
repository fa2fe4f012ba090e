//! The README's tables are the command line, the routes of the admin path and the faults.

use std::collections::{BTreeMap, BTreeSet};

use clap::{CommandFactory, Parser};
use cloudfront_simulator::Switches;
use cloudfront_simulator::admin::Fault;
use cloudfront_simulator::cli::Cli;

const README: &str = include_str!("../../README.md");

#[test]
fn the_table_has_every_flag_with_its_default_and_no_other() {
    let table: BTreeMap<&str, &str> = README
        .lines()
        .filter_map(|line| line.strip_prefix("| `--"))
        .map(|row| {
            let mut cells = row.split(" | ");
            let flag = cells.next().unwrap().trim_end_matches('`');
            (flag, cells.next().unwrap().trim_matches('`'))
        })
        .collect();
    let command = Cli::command();
    let flags: BTreeMap<&str, String> = command
        .get_arguments()
        .filter_map(|arg| Some((arg.get_long()?, arg)))
        .filter(|(flag, _)| !["help", "version"].contains(flag))
        .map(|(flag, arg)| {
            let default = arg.get_default_values().first().map_or("", |value| value.to_str().unwrap());
            // A flag without a value is off.
            let absent = if arg.get_action().takes_values() { "none" } else { "false" };
            (flag, if default.is_empty() { absent } else { default }.to_owned())
        })
        .collect();
    let told: BTreeMap<&str, String> = table.into_iter().map(|(flag, default)| (flag, default.to_owned())).collect();
    assert_eq!(told, flags);
}

#[test]
fn without_flags_the_command_line_gives_the_default_switches() {
    let cli = Cli::parse_from(["cloudfront-simulator"]);
    assert_eq!(cli.switches, Switches::DEFAULT);
}

#[test]
fn an_address_that_others_can_reach_must_be_asked_for_twice() {
    let address = |args: &[&str]| Cli::parse_from([&["cloudfront-simulator"], args].concat()).address();
    assert!(address(&["--addr", "127.0.0.1:0"]).is_ok());
    assert!(address(&["--addr", "[::1]:0"]).is_ok());
    assert!(address(&["--addr", "0.0.0.0:0"]).unwrap_err().contains("--allow-remote"));
    assert!(address(&["--addr", "0.0.0.0:0", "--allow-remote"]).is_ok());
}

/// The routes of a source text, as `METHOD /path`.
fn routes(source: &str) -> BTreeSet<String> {
    let declared = source.split(".route(\"").skip(1).filter_map(|rest| rest.split_once("\", "));
    let methods = ["get", "post", "put", "patch", "delete"];
    declared
        .flat_map(|(path, rest)| {
            let handlers = rest.lines().next().unwrap();
            let has = move |method: &&str| handlers.split([':', '.', ' ', '(']).any(|word| word == *method);
            methods.into_iter().filter(has).map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect()
}

#[test]
fn the_table_of_the_admin_path_has_every_route_and_no_other() {
    let rows = README.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let told = rows.map(|(route, _)| route.to_owned()).filter(|route| route.contains(" /_admin/"));
    assert_eq!(told.collect::<BTreeSet<_>>(), routes(include_str!("../../src/server/admin.rs")));
}

#[test]
fn the_table_of_faults_has_every_fault_and_no_other() {
    let refusal = serde_json::from_str::<Fault>("\"none such\"").unwrap_err().to_string();
    let known = refusal.split("expected one of ").nth(1).unwrap().split('`').skip(1).step_by(2);
    let table = README.split("| Fault | What happens").nth(1).unwrap();
    let rows = table.lines().skip(2).map_while(|line| line.strip_prefix("| `"));
    let told = rows.map(|row| row.split('"').nth(1).unwrap());
    assert_eq!(told.collect::<BTreeSet<_>>(), known.collect::<BTreeSet<_>>());
}

#[test]
fn the_routes_of_a_source_text_are_found_with_their_methods() {
    let source = ".route(\"/a\", get(x).delete(y))\n.route(\"/b/{id}\", axum::routing::patch(z))";
    assert_eq!(routes(source), ["GET /a", "DELETE /a", "PATCH /b/{id}"].map(str::to_owned).into());
}
