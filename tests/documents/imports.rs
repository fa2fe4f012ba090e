//! Dependencies between the modules of `src` point one way. In: the sources. Out: a failure that names the file and what it must not import.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::root;

/// What each module may import besides itself. `cloudfront/sdk`, the adapter, is above the port that it implements.
const ALLOWED: [(&str, &[&str]); 13] = [
    ("api", &[]),
    ("flag_values", &[]),
    ("clock", &[]),
    ("network", &[]),
    ("cloudfront", &["clock"]),
    ("cloudfront/sdk", &["cloudfront", "leadership", "network"]),
    ("reconcile", &["api", "clock", "cloudfront"]),
    ("leadership", &["flag_values", "clock", "cloudfront", "network"]),
    ("telemetry", &["flag_values", "network"]),
    ("account", &["api", "clock", "cloudfront", "cloudfront/sdk", "reconcile", "telemetry"]),
    (
        "controller",
        &[
            "account",
            "api",
            "flag_values",
            "clock",
            "cloudfront",
            "cloudfront/sdk",
            "leadership",
            "network",
            "reconcile",
            "telemetry",
        ],
    ),
    (
        "check",
        &["api", "cloudfront", "cloudfront/sdk", "controller", "flag_values", "leadership", "network", "telemetry"],
    ),
    ("cli", &["controller"]),
];

/// The module that a file belongs to, by its path below `src`.
fn module_of(path: &str) -> &str {
    if path.starts_with("cloudfront/sdk") {
        return "cloudfront/sdk";
    }
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The modules that a source imports from its own crate, without those of its tests.
fn imported(source: &str) -> BTreeSet<String> {
    let source = source.split("#[cfg(test)]\nmod tests").next().unwrap();
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    code.split("crate::").skip(1).flat_map(first_segments).map(|path| module_of(&path).to_owned()).collect()
}

/// The first segments of what follows `crate::`: one path, or a group of them.
fn first_segments(rest: &str) -> Vec<String> {
    let path = |text: &str| {
        let path = text.trim().split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).next().unwrap();
        let segments = path.split("::").collect::<Vec<_>>();
        if segments.starts_with(&["cloudfront", "sdk"]) { "cloudfront/sdk".to_owned() } else { segments[0].to_owned() }
    };
    let Some(group) = rest.strip_prefix('{') else { return vec![path(rest)] };
    let (mut depth, mut items) = (0, vec![String::new()]);
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => items.push(String::new()),
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if !(c == ',' && depth == 0) {
            items.last_mut().unwrap().push(c);
        }
    }
    // A group within `cloudfront` may hold the adapter.
    let adapter = items.iter().any(|item| item.trim().starts_with("cloudfront::{") && item.contains("sdk::"));
    let items = items.iter().filter(|item| !item.trim().is_empty()).map(|item| path(item));
    items.chain(adapter.then(|| "cloudfront/sdk".to_owned())).collect()
}

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, found);
        } else {
            found.push(entry.strip_prefix(root().join("src")).unwrap().to_str().unwrap().to_owned());
        }
    }
}

#[test]
fn no_module_imports_one_that_is_above_it() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let mut checked = BTreeSet::new();
    for file in files.iter().filter(|file| !["main.rs", "lib.rs", "bugs.rs"].contains(&file.as_str())) {
        let module = module_of(file);
        let allowed = ALLOWED.iter().find(|(name, _)| *name == module).unwrap_or_else(|| panic!("{file} is new"));
        let source = fs::read_to_string(root().join("src").join(file)).unwrap();
        let own = |import: &String| import == module || *import == "bugs";
        for import in imported(&source).iter().filter(|import| !own(import)) {
            assert!(allowed.1.contains(&import.as_str()), "src/{file} must not import {import}");
        }
        checked.insert(module);
    }
    assert_eq!(checked.len(), ALLOWED.len(), "{checked:?}");
}

#[test]
fn what_a_source_imports_is_found_in_each_way_of_writing_it() {
    let source = "use crate::{\n    api::{A, B},\n    cloudfront::{\n        queue::Q,\n        sdk::Sdk,\n    },\n    cli,\n};\nuse crate::clock::Clock;\nfn f() -> crate::telemetry::T {}\n#[cfg(test)]\nmod tests { use crate::account::X; }";
    let expected = ["api", "cli", "clock", "cloudfront", "cloudfront/sdk", "telemetry"].map(str::to_owned);
    assert_eq!(imported(source), BTreeSet::from(expected));
}
