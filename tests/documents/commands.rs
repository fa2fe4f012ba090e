//! The commands of the documents: each block is run by a test or says why not, and no command installs an image that does not exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::{markdown, read, root};

/// Used here without what runs the blocks.
#[expect(dead_code, reason = "tests/operations uses the rest")]
#[path = "../operations/document.rs"]
mod document;

/// The documents for users and administrators, as paths from the root.
fn documents() -> Vec<String> {
    let mut files = vec![root().join("README.md")];
    markdown(&root().join("docs"), &mut files);
    let path = |file: &PathBuf| file.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
    files.iter().map(path).collect()
}

#[test]
fn each_comment_on_a_block_of_commands_says_who_runs_it_or_why_nobody_does() {
    for path in documents() {
        let text = read(&path);
        let blocks = document::read(&text, None);
        let notes = blocks.iter().filter_map(|block| Some((block, block.note.as_ref()?)));
        let mut blocks_with_note = 0;
        for (block, note) in notes {
            blocks_with_note += 1;
            if let Some(runner) = note.strip_prefix("run by ") {
                let program = read(runner);
                assert!(block.script.lines().all(|line| program.contains(line)), "{path}: {note}: {}", block.script);
            } else if let Some(test) = note.strip_prefix("run with other values by ") {
                assert!(root().join(test).is_file(), "{path}: {note}");
            } else {
                let reason = note.strip_prefix("not run: ").unwrap_or_default();
                assert!(reason.split_whitespace().count() > 1, "{path}: {note}");
            }
        }
        let marks = ["<!-- not run: ", "<!-- run by ", "<!-- run with "];
        let marks = marks.into_iter().map(|mark| text.matches(mark).count()).sum::<usize>();
        assert_eq!(marks, blocks_with_note, "{path}: a mark that is not on the line before a block of sh");
    }
}

#[test]
#[ignore = "looks at what the whole suite ran before: make test runs it last"]
fn each_block_of_commands_was_run_as_written_or_says_why_not() {
    let record = document::record();
    let record = fs::read_to_string(&record).unwrap_or_else(|error| panic!("{}: {error}", record.display()));
    let ran = record.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<BTreeSet<String>>();
    let mut wrong = Vec::new();
    for path in documents() {
        for block in document::read(&read(&path), None) {
            if ran.contains(&block.script) == block.note.is_some() {
                let what = if block.note.is_some() { "was run although it is marked" } else { "was not run" };
                wrong.push(format!("{path}: {what}:\n{}", block.script));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Each command of a script, with the lines that it continues on.
fn commands(script: &str) -> Vec<String> {
    script.replace("\\\n", " ").lines().map(ToOwned::to_owned).collect()
}

#[test]
fn as_long_as_nothing_is_published_each_command_that_installs_names_an_image_of_the_reader() {
    let released = read("CHANGELOG.md").lines().any(|line| line.starts_with("## [0"));
    let mut installs = 0;
    let chart = "charts/connection-group-operator/README.md.gotmpl".to_owned();
    for path in documents().into_iter().chain([chart]).filter(|_| !released) {
        for block in document::read(&read(&path), None) {
            for command in commands(&block.script) {
                if !["helm install", "helm upgrade --install"].iter().any(|it| command.contains(it)) {
                    continue;
                }
                installs += 1;
                let image = command.split("image.repository=").nth(1);
                assert!(image.is_some_and(|it| !it.starts_with("ghcr.io/kube-operators")), "{path}: {command}");
            }
        }
    }
    assert!(released || installs > 3, "the commands were not understood");
}

#[test]
fn as_long_as_nothing_is_published_each_gitops_file_that_installs_names_an_image_of_the_reader() {
    let released = read("CHANGELOG.md").lines().any(|line| line.starts_with("## [0"));
    for path in ["gitops/flux/operator.yaml", "gitops/argocd/applications.yaml"] {
        let text = read(path);
        assert!(text.contains("ownerId: "), "{path} does not install the operator");
        let image = text.lines().find_map(|line| line.trim().strip_prefix("repository: "));
        assert!(released || image.is_some_and(|it| !it.starts_with("ghcr.io/kube-operators")), "{path}: {image:?}");
    }
}

#[test]
fn each_document_is_in_the_index() {
    let index = read("docs/README.md");
    for path in documents().iter().filter_map(|path| path.strip_prefix("docs/")).filter(|path| *path != "README.md") {
        assert!(index.contains(&format!("]({path})")), "docs/README.md does not link {path}");
    }
}

#[test]
fn the_readme_fits_on_a_screen() {
    assert!(read("README.md").lines().count() <= 80);
}
