//! Comments cite documents of this repository, and headings in them. In: the sources. Out: a failure that names the file and what does not exist.

use std::fs;
use std::path::Path;

use super::{read, root};

/// The comments of a source as one line of text.
fn comments(source: &str) -> String {
    let lines = source.lines().map(str::trim_start).filter_map(|line| line.strip_prefix("//"));
    lines.map(|line| line.trim_start_matches(['/', '!']).trim()).collect::<Vec<_>>().join(" ")
}

/// What a source cites: the path of a document, and the heading after `, `, if there is one.
fn citations(source: &str) -> Vec<(String, Option<String>)> {
    let text = comments(source);
    let cited = text.match_indices("docs/").filter_map(|(at, _)| {
        let path = text[at..].split_once(".md").map(|(path, _)| format!("{path}.md"))?;
        let is_path = path.chars().all(|c| c.is_alphanumeric() || "/-.".contains(c));
        let heading = text[at + path.len()..].strip_prefix(", ");
        let heading = heading.filter(|rest| rest.starts_with(char::is_uppercase));
        let heading = heading.and_then(|rest| rest.split([')', '.', ',', ';', ':']).next()).map(ToOwned::to_owned);
        is_path.then_some((path, heading))
    });
    cited.collect()
}

/// The Rust files of a folder and of those in it.
pub fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let each = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    each.filter(|path| path.extension().is_some_and(|it| it == "rs")).collect()
}

#[test]
fn each_document_and_each_heading_that_a_comment_cites_exists() {
    let mut headings = 0;
    for path in ["src", "simulator/src"].into_iter().flat_map(|folder| sources(&root().join(folder))) {
        for (document, heading) in citations(&fs::read_to_string(&path).unwrap()) {
            let place = path.strip_prefix(root()).unwrap().display();
            assert!(root().join(&document).is_file(), "{place} cites {document}");
            let Some(heading) = heading else { continue };
            headings += 1;
            let exists = read(&document).lines().any(|line| line.trim_start_matches('#').trim() == heading);
            assert!(exists, "{place} cites {document}, {heading}");
        }
    }
    assert!(headings > 3, "the citations were not understood");
}
