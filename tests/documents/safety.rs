//! `docs/safety.md`: each promise names tests that exist, and each switch of the simulator stands where its own description says it belongs.

use std::collections::BTreeMap;

use clap::{Args, Command};
use cloudfront_simulator::Switches;

use super::{Names, bare, read, rows, section};

const PATH: &str = "docs/safety.md";

/// The tests that a text links to, as (name, path from the root of the repository).
fn linked(text: &str) -> Vec<(String, String)> {
    let links = text.split("[`").skip(1).filter_map(|rest| rest.split_once("`](../"));
    links.filter_map(|(name, rest)| Some((name.to_owned(), rest.split_once(')')?.0.to_owned()))).collect()
}

/// Whether the file has a test of that name, which is not left out of the run.
fn has_test(path: &str, name: &str) -> bool {
    let text = read(path);
    let lines = text.lines().map(str::trim).collect::<Vec<_>>();
    let declares = |line: &str| {
        line.trim_start_matches("async ").strip_prefix("fn ").is_some_and(|rest| rest.starts_with(&format!("{name}(")))
    };
    lines.iter().position(|line| declares(line)).is_some_and(|at| {
        let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#[")).collect::<Vec<_>>();
        attributes.iter().any(|attribute| attribute.contains("test"))
            && !attributes.iter().any(|attribute| attribute.starts_with("#[ignore"))
    })
}

#[test]
fn every_promise_names_tests_that_exist() {
    let promises = section(PATH, "## Promises");
    for promise in promises.split("\n- ").skip(1) {
        let tests = linked(promise);
        assert!(!tests.is_empty(), "no test holds: {promise}");
    }
    let tests = linked(&read(PATH));
    assert!(tests.len() > 50, "the links were not understood: {tests:?}");
    for (name, path) in tests {
        assert!(has_test(&path, &name), "{path} has no test {name}");
    }
}

/// Where the simulator's own description of a switch says that its default comes from, in the words of its headings here.
fn origin(description: &str) -> &'static str {
    let table = [
        ("unknown", "### Assumed"),
        ("unpublished", "### Assumed"),
        ("inferred", "### Inferred"),
        ("observed", "### Inferred"),
        ("documented", "### Documented"),
    ];
    table.iter().find(|(word, _)| description.contains(word)).map_or("### Only numbers", |(_, heading)| heading)
}

#[test]
fn every_switch_of_the_simulator_stands_under_what_its_default_rests_on_and_no_other_does() {
    let switches = Switches::augment_args(Command::new("switches"));
    let mut expected = BTreeMap::<_, Names>::new();
    for switch in switches.get_arguments() {
        let flag = format!("--{}", switch.get_long().unwrap());
        expected.entry(origin(&switch.get_help().unwrap().to_string())).or_default().insert(flag);
    }
    assert_eq!(expected.len(), 4, "the descriptions were not understood: {expected:?}");
    for (heading, switches) in expected {
        let table = rows(&section(PATH, heading));
        let told = table.iter().map(|row| bare(&row[0])).filter(|cell| cell != "–");
        assert_eq!(told.collect::<Names>(), switches, "{heading}");
    }
}
