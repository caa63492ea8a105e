//! What stands in the sources: files, and the texts in them.

use std::path::{Path, PathBuf};

/// The folder of the whole project.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

pub(crate) fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|fault| panic!("{}: {fault}", file.display()))
}

/// All files of Rust below a folder.
pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The string literals outside comments and, by the project's habit of putting those last, outside unit tests.
pub(crate) fn literals(source: &str) -> Vec<String> {
    let code = source.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    let (mut found, mut rest) = (Vec::new(), code);
    while let Some(place) = rest.find(['"', '\'', '/']) {
        let before = &rest[..place];
        rest = &rest[place..];
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if let Some(after) = rest.strip_prefix("'\"'").or_else(|| rest.strip_prefix("'\\''")) {
            rest = after;
        } else if let Some(after) = rest.strip_prefix('"') {
            let raw = before.len() - before.trim_end_matches('#').len();
            let is_raw = before.trim_end_matches('#').ends_with(['r']);
            let (text, after) = if is_raw { until_raw_end(after, raw) } else { until_end(after) };
            found.push(text);
            rest = after;
        } else {
            rest = &rest[1..];
        }
    }
    found
}

fn until_raw_end(text: &str, marks: usize) -> (String, &str) {
    let end = format!("\"{}", "#".repeat(marks));
    let (inside, after) = text.split_once(&end).expect("the end of a raw text");
    (inside.to_owned(), after)
}

fn until_end(text: &str) -> (String, &str) {
    let mut escaped = false;
    for (place, char) in text.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return (text[..place].replace("\\\"", "\""), &text[place + 1..]),
            _ => {}
        }
    }
    panic!("a text without an end: {text}");
}
