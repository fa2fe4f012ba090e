//! The commands of a document. In: a Markdown file, optionally a heading. Out: its fenced blocks of shell, in order, and a record of those that were run.
//! Reads and writes files.

use std::io::Write;
use std::path::{Path, PathBuf};

/// One fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What follows `sh` on the fence: which reader it is for; empty for every reader.
    pub label: String,
    /// The commands.
    pub script: String,
    /// The text of an HTML comment on the line before the fence.
    pub note: Option<String>,
}

/// Below cargo's target folder: every script that was run with success, as one line of JSON each; `make test` begins and reads it.
pub fn record() -> PathBuf {
    let program = std::env::current_exe().expect("a process has a program");
    program.ancestors().nth(3).expect("tests are below the target folder").join("commands-run.txt")
}

/// Adds a script to the record.
pub fn ran(script: &str) {
    let line = format!("{}\n", serde_json::Value::from(script));
    let file = std::fs::OpenOptions::new().create(true).append(true).open(record());
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the record can be written to");
}

/// The blocks of shell in a document, or below one of its headings.
pub fn blocks(path: &str, heading: Option<&str>) -> Vec<Block> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{path}: {error}"));
    let found = read(&text, heading);
    assert!(!found.is_empty(), "{path} has no block of shell below {heading:?}");
    found
}

/// The scripts of the blocks with this label.
pub fn labelled(path: &str, label: &str) -> Vec<String> {
    let all = blocks(path, None).into_iter().filter(|block| block.label == label);
    let scripts = all.map(|block| block.script).collect::<Vec<_>>();
    assert!(!scripts.is_empty(), "{path} has no block `sh {label}`");
    scripts
}

/// The blocks in the text of a document.
pub fn read(text: &str, heading: Option<&str>) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    let mut here = heading.is_none();
    let mut note = None;
    while let Some(line) = lines.next() {
        let comment = line.trim().strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
        let before = std::mem::replace(&mut note, comment.map(ToOwned::to_owned));
        if line.starts_with('#') {
            here = heading.is_none_or(|heading| line.trim_start_matches('#').trim() == heading);
        }
        let Some(info) = line.trim_start().strip_prefix("```") else { continue };
        let indent = line.len() - line.trim_start().len();
        let body = lines.by_ref().take_while(|line| line.trim() != "```");
        let body = body.map(|line| line.get(indent..).unwrap_or_default()).collect::<Vec<_>>().join("\n");
        let (language, label) = info.split_once(' ').unwrap_or((info, ""));
        if here && language == "sh" {
            blocks.push(Block { label: label.to_owned(), script: body, note: before });
        }
    }
    blocks
}

#[test]
fn blocks_are_found_below_their_heading_without_their_indent_and_with_the_comment_before_them() {
    let text = "# A\n```yaml\nkey: 1\n```\n## B\n1. Do:\n\n   <!-- why -->\n   ```sh\n   one \\\n     two\n   ```\n## C\n<!-- not here -->\n\n```sh other\n# no heading\nthree\n```\n";
    let block = |label: &str, script: &str, note: Option<&str>| Block {
        label: label.to_owned(),
        script: script.to_owned(),
        note: note.map(ToOwned::to_owned),
    };
    let first = block("", "one \\\n  two", Some("why"));
    assert_eq!(read(text, Some("B")), std::slice::from_ref(&first));
    assert_eq!(read(text, None), [first, block("other", "# no heading\nthree", None)]);
}
