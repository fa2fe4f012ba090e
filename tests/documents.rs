//! The documents say what the code does. In: the Markdown files, the Dockerfile and the sources of this repository. Out: a failure that names the
//! row, the link or the name that is missing or too many. Talks to the file system only.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction};
use connection_group_operator::{
    api::{self, ConditionReason, EventReason},
    cloudfront::Operation,
};
use strum::{VariantArray, VariantNames};

#[path = "documents/commands.rs"]
mod commands;
#[path = "documents/comments.rs"]
mod comments;
#[path = "documents/flags.rs"]
mod flags;
#[path = "documents/imports.rs"]
mod imports;
#[path = "documents/reference.rs"]
mod reference;
#[path = "documents/runbook.rs"]
mod runbook;
#[path = "documents/safety.rs"]
mod safety;

type Names = BTreeSet<String>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands below a heading, up to the next one of the same or a higher level.
fn section(path: &str, heading: &str) -> String {
    let level = heading.chars().take_while(|c| *c == '#').count();
    let ends = |line: &str| {
        let marks = line.chars().take_while(|c| *c == '#').count();
        (1..=level).contains(&marks) && line[marks..].starts_with(' ')
    };
    let text = read(path);
    let mut lines = text.lines().skip_while(|line| *line != heading);
    assert!(lines.next().is_some(), "{path} has no heading '{heading}'");
    lines.take_while(|line| !ends(line)).collect::<Vec<_>>().join("\n")
}

/// The rows of the table in a text, without its head.
fn rows(text: &str) -> Vec<Vec<String>> {
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    text.lines().filter(|line| line.starts_with('|')).skip(2).map(cells).collect()
}

/// The `code spans` of a text.
fn code(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect()
}

fn bare(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

fn variable(arg: &Arg) -> String {
    arg.get_env().map_or_else(|| "–".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn default(arg: &Arg) -> Option<String> {
    match arg.get_action() {
        ArgAction::SetTrue => Some("false".to_owned()),
        _ if arg.is_required_set() => Some("required".to_owned()),
        _ => arg.get_default_values().first().map(|value| value.to_string_lossy().into_owned()),
    }
}

fn spec_schema() -> serde_json::Map<String, serde_json::Value> {
    let crd = serde_json::to_value(api::crd()).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        .as_object()
        .unwrap()
        .clone()
}

#[test]
fn the_example_that_claims_to_be_whole_names_every_field() {
    let text = read("examples/connection-group-all-fields.yaml");
    let fields = text.lines().skip_while(|line| *line != "spec:").skip(1).filter_map(|line| {
        let field = line.strip_prefix("  ").filter(|rest| rest.starts_with(char::is_alphabetic))?;
        Some(field.split(':').next()?.to_owned())
    });
    assert_eq!(fields.collect::<Names>(), spec_schema().keys().cloned().collect::<Names>());
}

/// Reasons of conditions of their own, never that of `Ready`.
const OF_ITS_OWN: [ConditionReason; 2] = [ConditionReason::Drifted, ConditionReason::SchemaOutdated];

/// Reasons with which the object is released: it is gone before anybody sees them.
const OF_THE_LAST_MOMENT: [ConditionReason; 2] = [ConditionReason::Deleted, ConditionReason::Released];

/// The reasons that `Ready` can have.
fn reasons_of_ready() -> Names {
    let known =
        ConditionReason::VARIANTS.iter().filter(|it| !OF_ITS_OWN.contains(it) && !OF_THE_LAST_MOMENT.contains(it));
    known.map(|reason| reason.as_str().to_owned()).collect()
}

/// The reasons of events other than those of a new state.
fn reasons_of_events() -> Names {
    EventReason::VARIANTS.iter().filter(|name| **name != "NewState").map(|name| (*name).to_owned()).collect()
}

/// The policies that the documents offer.
fn policies() -> [(&'static str, String); 2] {
    ["docs/iam/policy.json", "docs/iam/policy-owner-tag.json"].map(|path| (path, read(path)))
}

fn actions(policy: &str) -> Names {
    let policy: serde_json::Value = serde_json::from_str(policy).unwrap();
    let statements = policy["Statement"].as_array().unwrap().iter();
    let actions = statements.flat_map(|statement| match &statement["Action"] {
        serde_json::Value::Array(actions) => actions.clone(),
        action => vec![action.clone()],
    });
    actions.map(|action| action.as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_iam_policy_allows_the_calls_that_the_code_can_make_and_no_others() {
    let calls = Operation::ALL.iter().map(|operation| format!("cloudfront:{operation}")).collect::<Names>();
    for (path, policy) in policies() {
        assert_eq!(actions(&policy), calls, "{path}");
    }
}

#[test]
#[ignore = "looks at what the whole suite called before: make test runs it last"]
fn each_iam_policy_allows_what_the_whole_test_suite_called_and_no_more() {
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let file = target.join("operations-seen.txt");
    let seen = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let seen = seen.lines().map(|operation| format!("cloudfront:{operation}")).collect::<Names>();
    for (path, policy) in policies() {
        assert_eq!(actions(&policy), seen, "{path}");
    }
}

#[test]
fn the_table_of_iam_actions_is_that_of_the_policies() {
    let told = rows(&section("docs/iam.md", "## The actions")).iter().map(|row| bare(&row[0])).collect::<Names>();
    assert_eq!(told, actions(&read("docs/iam/policy.json")));
}

#[test]
fn every_statement_with_a_condition_is_explained() {
    let policy: serde_json::Value = serde_json::from_str(&read("docs/iam/policy-owner-tag.json")).unwrap();
    let guarded =
        policy["Statement"].as_array().unwrap().iter().filter(|statement| statement.get("Condition").is_some());
    let guarded = guarded.map(|statement| statement["Sid"].as_str().unwrap().to_owned()).collect::<Names>();
    let told = rows(&section("docs/iam.md", "## Conditions on the owner tag"));
    assert_eq!(told.iter().map(|row| bare(&row[0])).collect::<Names>(), guarded);
}

#[test]
fn the_list_of_dependencies_is_that_of_the_manifests() {
    for (heading, manifest) in [
        ("### Operator", "Cargo.toml"),
        ("### Simulator", "simulator/Cargo.toml"),
        ("### Contract", "tests/contract/Cargo.toml"),
        ("### Model", "tests/model/Cargo.toml"),
        ("### Port", "tests/port/Cargo.toml"),
        ("### Testbed", "tests/testbed/Cargo.toml"),
    ] {
        let table = rows(&section("CONTRIBUTING.md", heading));
        let reasons = table.iter().map(|row| row[1].as_str()).collect::<BTreeSet<_>>();
        assert_eq!(reasons.len(), table.len(), "each line in {heading} has a reason of its own");
        let says_why = |row: &Vec<String>| row[1].replace(&bare(&row[0]), "").split_whitespace().count() >= 3;
        assert!(table.iter().all(says_why), "each line in {heading} says why");
        let told = table.iter().map(|row| bare(&row[0])).collect::<Names>();
        assert_eq!(told, dependencies(manifest), "CONTRIBUTING.md, {heading}, and {manifest}");
    }
}

fn dependencies(manifest: &str) -> Names {
    let mut section = String::new();
    let mut names = Names::new();
    for line in read(manifest).lines() {
        if line.starts_with('[') {
            line.trim_matches(['[', ']']).clone_into(&mut section);
        } else if section.ends_with("dependencies") && section != "workspace.dependencies" {
            let name = line.split(['=', '.']).next().unwrap_or_default().trim();
            if name.starts_with(char::is_alphabetic) {
                names.insert(name.to_owned());
            }
        }
    }
    names
}

fn markdown(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            markdown(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// The anchors that GitHub makes of a document's headings.
fn anchors(text: &str) -> Names {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|heading| {
            let words = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = words.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
            kept.collect::<String>().replace(' ', "-")
        })
        .collect()
}

#[test]
fn every_relative_link_leads_to_a_file_and_every_anchor_to_a_heading() {
    let mut files = Vec::new();
    markdown(root(), &mut files);
    assert!(files.len() > 4, "the documents were not found");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for rest in text.split("](").skip(1) {
            let link = rest.split(')').next().unwrap_or_default();
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { file.clone() } else { file.with_file_name("").join(path) };
            assert!(target.exists(), "{}: the link {link} leads nowhere", file.display());
            let known = anchor.is_empty() || anchors(&fs::read_to_string(&target).unwrap()).contains(anchor);
            assert!(known, "{}: the link {link} leads to no heading", file.display());
        }
    }
}

/// Whether a file is text in which people name documents.
fn is_text(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().into_owned());
    let known = ["rs", "md", "toml", "yaml", "yml", "sh", "py", "go", "tpl", "gotmpl", "txt", "json", "tsv", "lua"];
    extension.map_or_else(|| path.ends_with("Makefile") || path.ends_with("Dockerfile"), |e| known.contains(&&*e))
}

fn texts(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            texts(&path, found);
        } else if path.is_file() && is_text(&path) {
            found.push(path);
        }
    }
}

/// The names of Markdown files in a text. Addresses on the Web are not ours to check.
fn named_documents(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| c.is_whitespace() || "()[]<>`'\"|,;".contains(c));
    let words = words.filter(|word| !word.contains("://") && !word.contains(['{', '*', '$']));
    let words = words.map(|word| word.split('#').next().unwrap_or_default().trim_end_matches(['.', ':', '?', '!']));
    words.filter(|word| word.strip_suffix(".md").is_some_and(|stem| !stem.is_empty()))
}

#[test]
fn every_document_that_a_file_names_exists() {
    assert_eq!(named_documents("see a/b.md, row 1 (c.md). https://x.y/z.md").collect::<Vec<_>>(), ["a/b.md", "c.md"]);
    let (mut documents, mut files) = (Vec::new(), Vec::new());
    markdown(root(), &mut documents);
    texts(root(), &mut files);
    let mut wrong = Vec::new();
    for file in files.iter().filter(|file| !file.ends_with("tests/documents.rs")) {
        let Ok(text) = fs::read_to_string(file) else { continue };
        for named in named_documents(&text) {
            let beside = file.with_file_name(named).exists() || root().join(named).exists();
            if !beside && !documents.iter().any(|document| document.ends_with(named)) {
                wrong.push(format!("{} names {named}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "no such documents:\n{}", wrong.join("\n"));
}

#[test]
fn the_image_is_built_of_everything_that_cargo_reads() {
    let kept = read(".dockerignore");
    let kept = kept.lines().filter_map(|line| line.strip_prefix('!')).map(ToOwned::to_owned).collect::<Names>();
    for path in ["Cargo.toml", "Cargo.lock", "src"] {
        assert!(kept.contains(path), "{path}");
    }
    // Cargo wants every member, and every program and benchmark that a manifest names, even to build only one of them.
    let manifest = read("Cargo.toml");
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = ")).expect("a line with the members");
    for member in members.split('"').skip(1).step_by(2) {
        for part in ["Cargo.toml", "src"].map(|part| format!("{member}/{part}")) {
            assert!(kept.contains(&part) || !root().join(&part).exists(), "{part}");
        }
    }
    assert!(!manifest.contains("[[bench]]") || kept.contains("benches"), "benches");

    let version = format!("ARG VERSION={}\n", env!("CARGO_PKG_VERSION"));
    assert!(read("Dockerfile").contains(&version), "Dockerfile should say {version}");
}
