//! The README's table of switches is the command line.

use std::collections::BTreeMap;

use clap::{CommandFactory, Parser};
use cloudfront_simulator::Switches;
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
