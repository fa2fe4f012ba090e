//! A message that names a flag also names the value of the chart that sets it. In: the sources and the chart. Out: a failure that names the file and the flag.

use std::fs;

use super::{comments::sources, read, root};

/// Where the messages for users of the resource and of `check` are.
const MESSAGES: [&str; 3] = ["src/reconcile", "src/check", "src/controller/worker"];

/// Each flag that the chart sets, and the value that sets it.
fn set_by_the_chart() -> Vec<(String, String)> {
    let template = read("charts/connection-group-operator/templates/_pod.tpl");
    let lines = template.lines().filter(|line| line.starts_with("--"));
    lines.filter_map(|line| line.split_once(": ")).map(|(flag, value)| (flag.to_owned(), value.to_owned())).collect()
}

/// A source without comments and tests, each string on one line.
fn messages(source: &str) -> String {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
    lines.map(|line| line.strip_suffix('\\').map_or_else(|| format!("{line}\n"), ToOwned::to_owned)).collect()
}

#[test]
fn a_message_that_names_a_flag_names_the_value_of_the_chart_too() {
    let flags = set_by_the_chart();
    let mut named = 0;
    for path in MESSAGES.into_iter().flat_map(|folder| sources(&root().join(folder))) {
        let text = messages(&fs::read_to_string(&path).unwrap());
        for line in text.lines() {
            for (flag, value) in &flags {
                let of_this_flag = line.match_indices(flag.as_str()).map(|(at, _)| &line[at + flag.len()..]);
                for rest in of_this_flag.filter(|rest| !rest.starts_with(['-', '"'])) {
                    named += 1;
                    let place = path.strip_prefix(root()).unwrap().display();
                    assert!(rest.contains(&format!("{value} in the chart")), "{place}: {flag} without {value}: {line}");
                }
            }
        }
    }
    assert!(named > 8, "the messages were not understood: {named}");
}
