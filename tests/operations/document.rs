//! The commands of a document. In: a Markdown file, optionally a heading. Out: its fenced blocks of shell, in order. Reads a file.

use std::path::Path;

/// One fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What follows `sh` on the fence: which reader it is for; empty for every reader.
    pub label: String,
    /// The commands.
    pub script: String,
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

fn read(text: &str, heading: Option<&str>) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    let mut here = heading.is_none();
    while let Some(line) = lines.next() {
        if line.starts_with('#') {
            here = heading.is_none_or(|heading| line.trim_start_matches('#').trim() == heading);
        }
        let Some(info) = line.trim_start().strip_prefix("```") else { continue };
        let indent = line.len() - line.trim_start().len();
        let body = lines.by_ref().take_while(|line| line.trim() != "```");
        let body = body.map(|line| line.get(indent..).unwrap_or_default()).collect::<Vec<_>>().join("\n");
        let (language, label) = info.split_once(' ').unwrap_or((info, ""));
        if here && language == "sh" {
            blocks.push(Block { label: label.to_owned(), script: body });
        }
    }
    blocks
}

#[test]
fn blocks_are_found_below_their_heading_without_their_indent() {
    let text = "# A\n```yaml\nkey: 1\n```\n## B\n1. Do:\n\n   ```sh\n   one \\\n     two\n   ```\n## C\n```sh other\n# no heading\nthree\n```\n";
    let block = |label: &str, script: &str| Block { label: label.to_owned(), script: script.to_owned() };
    assert_eq!(read(text, Some("B")), [block("", "one \\\n  two")]);
    assert_eq!(read(text, None), [block("", "one \\\n  two"), block("other", "# no heading\nthree")]);
}
